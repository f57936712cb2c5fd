#!/usr/bin/env python3
"""Asserts what the costliest input costs, in instructions.

Every input of complexity_input.c is counted at 16 KiB; the costliest, per byte, are counted again at
64 KiB. None of them may cost more per byte than LIMIT times an ordinary INVITE, nor may four times
the bytes cost much more than four times the instructions. callgrind counts, so the numbers do not
depend on the machine's speed or load.

Usage: complexity_run.py DRIVER MESSAGE VARIANT [--top N]    Exit status 77: no valgrind, or it cannot run the variant.
"""

import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

LIMIT = 4.0  # times the INVITE's cost per byte
GROWTH = 1.1  # of the cost per byte from 16 KiB to 64 KiB
SMALL, LARGE = 16384, 65535
SKIP = 77


class Count:
    """What one input cost."""

    def __init__(self, name, length, instructions):
        self.name = name
        self.length = length
        self.instructions = instructions
        self.per_byte = instructions / length


def count(driver, message, variant, size, inputs=()):
    """Run the driver under callgrind: {input number or "ordinary": Count}."""
    counts = {}
    with tempfile.TemporaryDirectory() as work:
        r = subprocess.run(
            ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=measured", "--dump-line=no",
             f"--callgrind-out-file={work}/out", driver, variant, message, str(size), *map(str, inputs)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, "LD_BIND_NOW": "1"})
        if r.returncode == SKIP:
            print(f"{variant} cannot be counted here")
            sys.exit(SKIP)
        r.check_returncode()
        for path in glob.glob(f"{work}/out.*"):
            with open(path, encoding="latin-1") as f:
                head = f.read(4096)
            what = re.search(r"^desc: Trigger: Client Request: (\S+) (\d+) (.*)$", head, re.M)
            total = re.search(r"^summary: (\d+)$", head, re.M)
            if what:
                counts[what[1]] = Count(what[3], int(what[2]), int(total[1]))
    return counts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("message")
    parser.add_argument("variant")
    parser.add_argument("--top", type=int, default=40, help="how many of the costliest to count at 64 KiB")
    args = parser.parse_args()
    if not shutil.which("valgrind"):
        print("valgrind is missing", file=sys.stderr)
        return SKIP
    small = count(args.driver, args.message, args.variant, SMALL)
    ordinary = small.pop("ordinary")
    if len(small) < 1000 or ordinary.instructions < 100:
        print(f"nothing was counted: {len(small)} inputs, INVITE {ordinary.instructions}")
        return 1
    worst = sorted(small, key=lambda i: small[i].per_byte, reverse=True)[: args.top]
    large = count(args.driver, args.message, args.variant, LARGE, worst)
    large.pop("ordinary")
    print(f"INVITE: {ordinary.instructions} instructions, {ordinary.per_byte:.2f} a byte")
    print(f"{len(small)} inputs; the costliest, in instructions a byte at {SMALL} and {LARGE} bytes:")
    bad = 0
    for i in sorted(large, key=lambda i: large[i].per_byte, reverse=True):
        a, b = small[i], large[i]
        # At 16 KiB the limits on values and parameters (SIP_WALK_MAX) weigh four times as much.
        times = b.per_byte / ordinary.per_byte
        verdict = "" if times <= LIMIT else "  TOO COSTLY"
        if b.per_byte > a.per_byte * GROWTH:
            verdict += "  NOT LINEAR"
        bad += verdict != ""
        print(f"{a.per_byte:8.2f} {b.per_byte:8.2f}  {times:5.2f} INVITEs  {b.name}{verdict}")
    return 1 if bad else 0


sys.exit(main())
