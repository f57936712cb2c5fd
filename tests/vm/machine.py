"""A virtual machine as the appliance of a rack: QEMU without help from the CPU, virtio-net ports on taps in the router's
namespace, commands by a serial line."""

import pathlib
import select
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import image  # noqa: E402
from lab import LabError, wait_for  # noqa: E402
from rack import BUILD, Appliance, Rack  # noqa: E402

BOOT_S = 200  # an idle machine takes 15 to 30


class VmRack(Rack):
    """A rack whose appliance is a machine with a port on each arm."""

    def _port(self, peer, i):
        self.router.ip("tuntap", "add", peer, "mode", "tap")
        self.router.ip("link", "set", peer, "up")

    def device(self, i):
        return f"0000:00:{5 + i:02x}.0"

    def mac(self, i):
        return f"52:54:00:00:02:{10 + i}"


class Machine:
    """A machine that boots, and a shell in it."""

    def __init__(self, rack, files):
        lab = rack.lab
        work = pathlib.Path(lab.dir) / "vm"
        kernel, initramfs = image.build(work, pathlib.Path(BUILD) / "vm", pathlib.Path(BUILD), files)
        self.shell_path = f"{lab.dir}/shell.sock"
        argv = [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-M", "pc", "-smp", "2", "-m", "1024",
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-kernel", str(kernel), "-initrd", str(initramfs),
            "-append", "console=ttyS0 quiet panic=-1 hugepages=128 nokaslr mitigations=off",
            "-serial", "stdio", "-serial", f"unix:{self.shell_path},server=on,wait=off",
        ]
        for i, peer in enumerate(["to-lb", "to-arm"] if rack.two_armed else ["to-lb"]):
            argv += ["-netdev", f"tap,id=n{i},ifname={peer},script=no,downscript=no",
                     "-device", f"virtio-net-pci,netdev=n{i},mac={rack.mac(i)},addr={5 + i},rx_queue_size=1024"
                     + (",csum=off" if i else "")]
        self.process = rack.router.start("machine", *argv)
        wait_for("the machine's shell", self._connect, 60)
        wait_for("the machine to boot", self._is_up, BOOT_S, 0.2)

    def _connect(self):
        if not self.process.alive():
            raise LabError(f"QEMU ended:\n{self.process.tail()}")
        self.shell = socket.socket(socket.AF_UNIX)
        try:
            self.shell.connect(self.shell_path)
        except OSError:
            self.shell.close()
            return False
        return True

    def _is_up(self):
        if not self.process.alive():
            raise LabError(f"the machine ended:\n{self.process.tail()}")
        return "the machine is up" in self.process.output()

    def sh(self, command, check=True, timeout=60):
        """Output of a command in the machine, or None when check is off and it failed."""
        self.shell.sendall(command.encode() + b"\n")
        data, end = b"", time.monotonic() + timeout
        while b"@@exit " not in data or not data.endswith(b"\n"):
            if not select.select([self.shell], [], [], max(0, end - time.monotonic()))[0]:
                raise LabError(f"{command}: no end after {timeout} s: {data!r}")
            more = self.shell.recv(65536)
            if not more:
                raise LabError(f"{command}: the machine is gone:\n{self.process.tail()}")
            data += more
        text, _, status = data.decode(errors="replace").rpartition("@@exit ")
        if int(status) == 0:
            return text
        if check:
            raise LabError(f"{command}: exit {status.strip()}: {text}")
        return None


class VmAppliance(Appliance):
    """sipsteerd and its data plane in a machine."""

    def __init__(self, rack, config):
        super().__init__(rack, config)
        self.machine = None
        self.machine = Machine(rack, {"/etc/sipsteer/sipsteer.yaml": config})

    def start(self):
        # Its words go to the console, and so into the log that is kept.
        self.machine.sh("sipsteerd --config /etc/sipsteer/sipsteer.yaml >/dev/console 2>&1 &")
        wait_for("sipsteerd to answer", lambda: self.ctl("version", check=False) is not None, 60, 0.5)
        return self

    def ctl_raw(self, *args, check=True):
        if not self.machine:
            raise LabError("there is no machine")
        return self.machine.sh(" ".join(["sipsteerctl", *args]), check)

    def close(self):
        pass  # the machine ends with the lab
