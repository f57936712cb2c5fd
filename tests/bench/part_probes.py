#!/usr/bin/env python3
"""What it costs control to probe 20,000 members once a second: CPU share of its one core.

The real runtime and prober run against a responder in another process on loopback. The figure is user and system time for
each probe with its answer, of the least disturbed run, times the probes that are due in a second: on a machine that is
busy with other things fewer are sent, and each is no cheaper for it."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TREE = ROOT / "build"  # the release build
PROGRAM = "tests/control/probe_load"
CASES = ((20000, 1000, "udp"), (20000, 5000, "udp"), (2000, 1000, "udp"), (2000, 1000, "tcp"))  # members, period in ms
SECONDS = 6
ROUNDS = 3
LINE = re.compile(r"(\d+) sends/s, CPU share [\d.]+ %, ([\d.]+) us a probe, (\d+) of (\d+) pairs")


def build():
    if not (TREE / "build.ninja").exists():
        subprocess.run(["meson", "setup", str(TREE)], cwd=ROOT, check=True, stdout=sys.stderr)
    subprocess.run(["ninja", "-C", str(TREE), PROGRAM], cwd=ROOT, check=True, stdout=sys.stderr)


def measure(members, period_ms, transport):
    argv = [str(TREE / PROGRAM), str(members), str(period_ms), str(SECONDS), transport]
    out = subprocess.run(argv, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    sends, each, good, pairs = LINE.search(out).groups()
    assert good == pairs, out
    return {"members": members, "transport": transport, "period_ms": period_ms, "sends_per_s": int(sends),
            "cpu_percent": float(each) * members / period_ms / 10,
            "us_per_probe": float(each)}


def run():
    build()
    return [min((measure(*case) for _ in range(ROUNDS)), key=lambda r: r["us_per_probe"]) for case in CASES]


def show(result):
    lines = ["members  over  period  sends/s  CPU share  a probe"]
    for r in result:
        lines.append(f"{r['members']:7}  {r['transport']:4}  {r['period_ms']:4}ms  {r['sends_per_s']:7}  {r['cpu_percent']:7.1f} %"
                     f"  {r['us_per_probe']:4.1f} us")
    return lines


if __name__ == "__main__":
    print(*show(run()), sep="\n")
