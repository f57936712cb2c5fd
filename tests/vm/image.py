"""A bootable initramfs: a Debian kernel's modules, busybox, our programs with the libraries they need, DPDK's drivers.

The kernel is Debian's package linux-image-amd64, fetched and unpacked beside the build, never installed. An image is
built anew for each run from the programs as they are; it takes a second or two.
"""

import glob
import os
import pathlib
import re
import shutil
import subprocess

# virtio's PCI driver is left out on purpose: the ports are DPDK's.
MODULES = ("uio_pci_generic", "tun", "vhost_net")
DPDK_DRIVERS = ("bus_pci", "bus_vdev", "mempool_ring", "net_virtio", "net_tap")
PROGRAMS = ("sipsteerd", "sipsteer-dataplane", "sipsteerctl")

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/sbin LD_LIBRARY_PATH=/lib/x86_64-linux-gnu
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/hugepages /dev/shm /run /tmp /var/run /var/lib/sipsteer
mount -t hugetlbfs huge /dev/hugepages
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
for m in MODULES; do modprobe $m; done
# Ethernet controllers of virtio: to the driver that lets a process drive them.
for dev in /sys/bus/pci/devices/*; do
    [ "$(cat $dev/vendor)$(cat $dev/class)" = 0x1af40x020000 ] || continue
    echo uio_pci_generic >$dev/driver_override
    echo ${dev##*/} >/sys/bus/pci/drivers_probe
    echo "port ${dev##*/}: $(readlink $dev/driver)"
done
ip link set lo up
cd /root
# Commands come line by line on the second serial line; a line with the exit status ends each one's output.
stty -F /dev/ttyS1 raw -echo
echo "the machine is up after $(cut -d' ' -f1 /proc/uptime) s"
exec <>/dev/ttyS1 >&0
while read -r line; do
    eval "$line" 2>&1
    echo "@@exit $?"
done
"""


def run(*argv, **kw):
    return subprocess.run([str(a) for a in argv], check=True, text=True, stdout=subprocess.PIPE, **kw).stdout


def kernel(cache):
    """(version, the unpacked package): from the cache, or fetched by apt."""
    depends = run("apt-cache", "depends", "linux-image-amd64")
    package = re.search(r"Depends: (linux-image-(\S+))", depends)
    name, version = package.groups()
    tree = cache / name
    if not tree.exists():
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob("*.deb"):
            old.unlink()
        run("apt-get", "download", "-q", name, cwd=cache, stderr=subprocess.DEVNULL)
        new = cache / f"{name}.new"
        shutil.rmtree(new, ignore_errors=True)
        run("dpkg", "-x", next(cache.glob("*.deb")), new)
        next(cache.glob("*.deb")).unlink()
        new.rename(tree)
    return version, tree


def add(root, source, at=None):
    """Copy a file into the image, under its own path or another; links are followed."""
    to = root / str(at or source).lstrip("/")
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, to)


def add_libraries(root, program):
    """What a program or library is linked with."""
    for path in re.findall(r"(/\S+) \(0x", run("ldd", program)):
        at = path if "ld-linux" in path else f"/lib/x86_64-linux-gnu/{os.path.basename(path)}"
        if not (root / at.lstrip("/")).exists():
            add(root, path, at)


def add_modules(root, version, tree):
    """The modules, what they need, and what modprobe must know of them."""
    base = tree / "lib/modules" / version
    run("depmod", "-b", tree, version)
    for name in MODULES:
        listing = run("modprobe", "-d", tree, "-S", version, "--show-depends", name)
        for path in re.findall(r"insmod (\S+)", listing):
            path = pathlib.Path(path)
            add(root, path, path.relative_to(tree))
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        add(root, base / name, f"lib/modules/{version}/{name}")
    run("depmod", "-b", root, version)


def build(work, cache, programs, files):
    """(kernel, initramfs): `programs` is the build tree, `files` a dict of further files by path."""
    version, tree = kernel(cache)
    root = work / "root"
    for d in ("bin", "proc", "sys", "dev", "root", "etc"):
        (root / d).mkdir(parents=True, exist_ok=True)
    add(root, "/bin/busybox")
    for name in PROGRAMS:
        add(root, programs / name, f"bin/{name}")
        add_libraries(root, programs / name)
    for name in DPDK_DRIVERS:
        path = glob.glob(f"/usr/lib/x86_64-linux-gnu/dpdk/pmds-*/librte_{name}.so.*.0")[0]
        add(root, path)
        # The same file under the name that drivers ask for, or its constructors run twice.
        link = root / f"lib/x86_64-linux-gnu/{os.path.basename(path).removesuffix('.0')}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
        add_libraries(root, path)
    add_modules(root, version, tree)
    for path, text in files.items():
        to = root / path.lstrip("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(text)
    init = root / "init"
    init.write_text(INIT.replace("MODULES", " ".join(MODULES)))
    init.chmod(0o755)
    image = work / "initramfs"
    with open(image, "wb") as out:
        subprocess.run("find . | cpio --quiet -o -H newc | gzip -1", shell=True, check=True, cwd=root, stdout=out)
    return tree / f"boot/vmlinuz-{version}", image
