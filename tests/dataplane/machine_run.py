#!/usr/bin/env python3
"""Holds aarch64 and the machine that builds equal, to the byte: steering and rewriting are cross-compiled, warnings being
errors, and run under qemu-user on the same region, keys and frames as the native build.

What either sends is what its next frames answer to (replay.h), so it proves Via and Record-Route values that it made; as
all that leaves is equal, they are the other's as well.

Usage: machine_run.py DRIVER REGION SOURCES...    Exit status 77: no cross compiler, or no qemu.
"""

import concurrent.futures
import itertools
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/bench"))
import traffic  # noqa: E402

CC, QEMU = "aarch64-linux-gnu-gcc", "qemu-aarch64"
ARGS = ("-std=gnu17 -O1 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror"
        ' -D_GNU_SOURCE -DSIPSTEER_VERSION="" -fno-strict-aliasing -fno-common -I.').split()
DRIVER = ("tests/dataplane/machine_driver.c", "tests/bench/replay.c")
USES = ["uses AES instructions", "uses AES plain", "uses scan neon", "uses scan scalar"]
CALLS, RECORDS = 48, 4096
# How often it has to say what, so that what is compared has been there: a dialog's and a response's own tokens among it.
LEAST = {"  forwarded ": 9 * CALLS, "  answer ": CALLS, "  sent ": CALLS, "action 0 ": CALLS, "the next Via": 4 * CALLS,
         "the cookie of its dialog": CALLS}
CONFIG = """
key-file: /dev/null/keys
workers: 1
ports:
  - name: net0
    device: net_null0
    addresses: [ 192.0.2.10/24, "2001:db8::10/64" ]
    routes: [ { to: 0.0.0.0/0, via: 192.0.2.1 }, { to: "::/0", via: "2001:db8::1" } ]
services:
  - { name: voice, listen: [ "udp:192.0.2.10:5060" ], pairs: [ east, west ] }
  - { name: voice6, listen: [ "udp:[2001:db8::10]:5060", "udp:192.0.2.10:5070" ], pairs: [ east6, west ] }
pairs:
""" + "".join(f"  - {{ name: {name}, members: [ {{ name: {name}a, role: primary, address: '{net}11' }},"
              f" {{ name: {name}b, role: backup, address: '{net}12' }} ] }}\n"
              for name, net in (("east", "198.51.100."), ("west", "203.0.114."), ("east6", "2001:db8:1::")))


def single_messages():
    """Those of the RFCs and of other stacks as they are, and each with some bytes changed, over IPv4 and IPv6."""
    rand = random.Random(1)
    files = sorted(p for where in ("torture/rfc*/*", "corpus/*.sip") for p in ROOT.glob(f"tests/sip/{where}"))
    for n, path in enumerate(files):
        text = path.read_bytes()
        if b"\r\n" not in text:  # as RFC 5118's archive has them
            text = text.replace(b"\n", b"\r\n") + b"\r\n"
        for k, source in enumerate((f"203.0.113.{n + 1}", f"2001:db8:{n + 1:x}::5")):
            yield traffic.Record(0, (source, 5060 + k), text)
            bad = bytearray(text)
            for _ in range(1 + n % 3):
                bad[rand.randrange(min(len(bad), 400))] = rand.randrange(256)
            yield traffic.Record(0, (source, 5060 + k), bytes(bad))


def for_arm(source):
    """The file that stands for one of x86's, of others the same."""
    names = [source.replace("_x86.c", f"_{kind}.c") for kind in ("arm", "none")]
    return next(name for name in names if (ROOT / name).exists())


def build(directory, sources):
    """The driver for aarch64; its path."""
    def compile_one(source):
        out = f"{directory}/{source.replace('/', '+')}.o"
        subprocess.run([CC, *ARGS, "-c", source, "-o", out], cwd=ROOT, check=True)
        return out

    sources = [for_arm(os.path.relpath(s, ROOT)) for s in sources]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, [*sources, "sip/sip_scan_neon.c", *DRIVER]))
    subprocess.run([CC, "-static", *objects, "-o", f"{directory}/driver"], check=True)
    return f"{directory}/driver"


def uses_and_rest(argv):
    out = subprocess.run(argv, check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()
    return [s for s in out if s.startswith("uses ")], [s for s in out if not s.startswith("uses ")]


def difference(here, there):
    """Where two outputs, which are not alike, differ first."""
    n = next(n for n, (a, b) in enumerate(itertools.zip_longest(here, there)) if a != b)
    a, b = ((lines + [""] * len(here + there))[n] for lines in (here, there))
    at = max(len(os.path.commonprefix([a, b])) - 40, 0)
    frame = next((s for s in reversed(here[:n + 1]) if s[:1].isdigit()), "no frame")
    return f"{frame}, from character {at}:\n  here:    {a[at:at + 100]}\n  aarch64: {b[at:at + 100]}"


def compare(native, arm, stem, region, n_records):
    """True when both say the same of all frames, and the frames are what they are meant to be."""
    argv = [f"{stem}.pcap", f"{stem}.plan", str(n_records)]
    _, here = uses_and_rest([region, f"{stem}.yaml", native, *argv])
    uses, there = uses_and_rest([region, f"{stem}.yaml", QEMU, arm, *argv])
    said = {what: sum(what in s for s in here) for what in LEAST}
    said["  sent "] += 0 if n_records else CALLS  # what was not recorded is not sent again
    wrong = [f"{what}: {n}, not {LEAST[what]} or more" for what, n in said.items() if n < LEAST[what]]
    if uses != USES:
        wrong.append(f"on aarch64 it {uses}, not {USES}")
    if here != there:
        wrong.append(difference(here, there))
    print("\n".join([f"{n_records} records, {len(here)} lines:", *(wrong or ["alike"])]))
    return not wrong


def main():
    native, region, *sources = sys.argv[1:]
    if not shutil.which(CC) or not shutil.which(QEMU):
        return 77
    with tempfile.TemporaryDirectory(prefix="sipsteer-machine-") as directory:
        stem = f"{directory}/frames"
        traffic.write([*traffic.mix(CALLS, 1), *single_messages()], stem)
        pathlib.Path(f"{stem}.yaml").write_text(CONFIG)
        try:
            arm = build(directory, sources)
            return 0 if all([compare(native, arm, stem, region, n) for n in (RECORDS, 0)]) else 1
        except subprocess.CalledProcessError as e:
            print(f"{e.cmd[0]} ended with {e.returncode}")
            return 1


if __name__ == "__main__":
    sys.exit(main())
