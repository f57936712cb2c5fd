#!/usr/bin/env python3
"""Runs the parts of the test suite and adds up what they say.

Each part prints its failures; the end says once more, in a line each, what failed where, and the last line is "N passed, N
failed". Build trees are build, build-clang, build-asan and
build-tsan, so that a second run is quick."""

import argparse
import glob
import json
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import gist

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:halt_on_error=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


class Tally:
    """What passed and what failed, over all parts."""

    def __init__(self):
        self.passed = 0
        self.failed = {}  # name: what went wrong, in a line

    def add(self, good, name, detail="", why=None):
        """`why`: the line for the end, where it is not to be found in the detail."""
        if good:
            self.passed += 1
            return
        self.failed[name] = gist.of_log(detail) if why is None else why
        print(f"FAILED: {name}")
        for line in detail.strip().splitlines()[-40:]:
            print(f"    {line}")


def call(argv, timeout=1500, env=None):
    """(exit status, output); a command that does not end counts as failed. Bounds are there to end what is broken."""
    try:
        r = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           errors="replace", timeout=timeout, env={**os.environ, **(env or {})})
        return r.returncode, r.stdout
    except subprocess.TimeoutExpired as e:
        out = e.stdout or b""
        return 124, (out.decode(errors="replace") if isinstance(out, bytes) else out) + f"\nno end after {timeout} s"


def programs_of(tree, suite):
    """What the tests of a suite need, as ninja's targets."""
    with open(f"{ROOT}/{tree}/meson-info/intro-tests.json") as f:
        tests = json.load(f)
    return sorted({os.path.relpath(t["cmd"][0], f"{ROOT}/{tree}") for t in tests
                   if suite in (s.split(":")[-1] for s in t["suite"])})


def build(tally, tree, options, env=None, suite=None):
    """Configure and build one tree, or what one suite needs of it, warnings being errors. Returns whether it stands."""
    if not os.path.exists(f"{ROOT}/{tree}/build.ninja"):
        status, out = call(["meson", "setup", tree, "--werror", *options], env=env)
        if status:
            tally.add(False, f"{tree}: meson setup", out)
            return False
    else:
        call(["meson", "configure", tree, "-Dwerror=true", "-Dtests=true"])
    status, out = call(["ninja", "-C", tree, *(programs_of(tree, suite) if suite else [])])
    tally.add(status == 0, f"{tree}: builds without a warning", out)
    return status == 0


def add_junit(tally, tree, status, out):
    """One result per test case that a program of the tree reported."""
    reports = glob.glob(f"{ROOT}/{tree}/meson-logs/testlog*.junit.xml")
    cases = 0
    for report in reports:
        for suite in ET.parse(report).getroot().iter("testsuite"):
            for case in suite.iter("testcase"):
                bad = [c for c in case if c.tag in ("failure", "error")]
                log = "".join(e.text or "" for e in suite.iter("system-out"))
                log += "".join(e.text or "" for e in suite.iter("system-err"))
                tally.add(not bad, f"{tree}: {suite.get('name')} {case.get('name')}", log,
                          gist.of_case(log, case.get("name")) if bad else None)
                cases += 1
    if status and not any(name.startswith(f"{tree}: ") for name in tally.failed):
        tally.add(False, f"{tree}: meson test", out)
    if cases == 0:
        tally.add(False, f"{tree}: meson test reported no test", out)


def meson_test(tally, tree, extra=(), env=None):
    for old in glob.glob(f"{ROOT}/{tree}/meson-logs/testlog*"):
        os.unlink(old)
    status, out = call(["meson", "test", "-C", tree, "--no-rebuild", "--print-errorlogs", *extra], env=env)
    add_junit(tally, tree, status, out)


def part_style(tally):
    """Layers, format."""
    status, out = call(["./scripts/check-layers"])
    tally.add(status == 0, "layers", out)
    files = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=ROOT, text=True, stdout=subprocess.PIPE).stdout.split()
    files = [f for f in files if f != "tests/bench/walk.c"]
    status, out = call(["clang-format", "--dry-run", "--Werror", *files])
    tally.add(status == 0, "clang-format", out)


def part_units(tally):
    """Release build by gcc: units, fixtures, stress."""
    if build(tally, "build", []):
        meson_test(tally, "build", ["--timeout-multiplier", "4"])


def part_clang(tally):
    """The same code by clang, warnings being errors."""
    build(tally, "build-clang", [], env={"CC": "clang"})


def part_asan(tally):
    """Units and fixtures under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer."""
    options = ["-Ddataplane=false", "-Dbuildtype=debugoptimized", "-Db_sanitize=address,undefined", "-Db_lundef=false"]
    if build(tally, "build-asan", options):
        meson_test(tally, "build-asan", ["--timeout-multiplier", "8"], env=SANITIZER_ENV)


def part_tsan(tally):
    """What threads share, under ThreadSanitizer."""
    options = ["-Ddataplane=false", "-Dbuildtype=debugoptimized", "-Db_sanitize=thread", "-Db_lundef=false"]
    if build(tally, "build-tsan", options, suite="threads"):
        meson_test(tally, "build-tsan", ["--suite", "threads", "--timeout-multiplier", "12"], env=SANITIZER_ENV)


def part_fuzz(tally):
    """A short, seeded piece of fuzzing."""
    status, out = call(["./scripts/fuzz", "--short"])
    tally.add(status == 0, "fuzz --short", out)


def part_e2e(tally):
    """Calls through real DPDK ports."""
    if not build(tally, "build", []):  # nothing to do where the units were built; this part may run alone
        return
    status, out = call(["python3", "tests/e2e/run.py", "--jobs", "3", "--report", f"{ROOT}/build/e2e.txt"], timeout=2400)
    print(out, end="")
    cases = 0
    if os.path.exists(f"{ROOT}/build/e2e.txt"):
        with open(f"{ROOT}/build/e2e.txt") as f:
            for line in f:
                verdict, name, *why = line.rstrip("\n").split(" ", 2)
                tally.add(verdict == "ok", f"e2e: {name}", why=why[0] if why else "")
                cases += 1
        os.unlink(f"{ROOT}/build/e2e.txt")
    if cases == 0 or (status and not any(n.startswith("e2e: ") for n in tally.failed)):
        tally.add(False, "e2e: the run itself", out)


def part_vm(tally):
    """The product in a virtual machine on virtio-net ports, where QEMU is there."""
    if not shutil.which("qemu-system-x86_64"):
        print("   QEMU is not installed (scripts/setup does): not tested")
        return
    status, out = call(["./scripts/vm-test"], timeout=600)
    lines = [line.split(None, 1) for line in out.splitlines() if line.startswith(("ok ", "FAILED "))]
    for verdict, name in lines:
        tally.add(verdict == "ok", name, out, gist.short(name))
    if not lines or (status and all(verdict == "ok" for verdict, _ in lines)):
        tally.add(False, "vm: the run itself", out)


def part_speed(tally):
    """Instructions per message of steering and rewriting (callgrind), against the recorded figures."""
    sys.path.insert(0, f"{ROOT}/tests/bench")
    import part_steer
    for good, name, detail in part_steer.guard():
        tally.add(good, f"speed: {name}", detail)
        if good:
            print(f"   {name}: {detail}")


PARTS = {
    "style": part_style, "units": part_units, "clang": part_clang, "asan": part_asan, "tsan": part_tsan,
    "fuzz": part_fuzz, "speed": part_speed, "e2e": part_e2e, "vm": part_vm,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", choices=[[], *PARTS], default=[],
                        help="; ".join(f"{k}: {v.__doc__}" for k, v in PARTS.items()))
    wanted = parser.parse_args().part or list(PARTS)
    tally = Tally()
    for name in wanted:
        before = (tally.passed, len(tally.failed))
        begin = time.monotonic()
        print(f"== {name}: {PARTS[name].__doc__}", flush=True)
        PARTS[name](tally)
        print(f"   {tally.passed - before[0]} passed, {len(tally.failed) - before[1]} failed,"
              f" {time.monotonic() - begin:.0f} s", flush=True)
    if tally.failed:
        print("\nFailed:")
        for name, why in tally.failed.items():
            print(f"  {name}\n      {why}")
    print(f"{tally.passed} passed, {len(tally.failed)} failed")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
