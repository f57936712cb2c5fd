#!/usr/bin/env python3
"""A replay is exact: seeds played among others and each one alone have the same digest.

    replay.py SIM FIRST COUNT"""

import subprocess
import sys


def digests(sim, *args):
    out = subprocess.run([sim, "--digests", "--quiet", "--events", "8000", *args], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    return {line.split()[1]: line.split()[3] for line in out.splitlines() if line.startswith("seed ")}


def main():
    sim, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    together = digests(sim, "--seed", str(first), "--seeds", str(count), "--jobs", "3")
    alone = {}
    for seed in range(first, first + count):
        alone |= digests(sim, "--seed", str(seed))
    different = [seed for seed in together if together[seed] != alone.get(seed)]
    print(f"{len(together)} seeds, {len(set(together.values()))} different digests, not the same when replayed: {different}")
    return 0 if len(together) == count == len(set(together.values())) and not different else 1


if __name__ == "__main__":
    sys.exit(main())
