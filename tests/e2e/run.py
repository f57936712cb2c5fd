#!/usr/bin/env python3
"""Runs the end-to-end tests: every function test_* of every file test_*.py here, each with a Lab of its own.

  tests/e2e/run.py [--report FILE] [--keep] [WORD...]     only tests whose file or name contains one of the words
"""

import argparse
import glob
import importlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from lab import Lab

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.dirname(HERE))

import gist  # noqa: E402

LIMIT_S = 400  # a test that takes longer is broken


class TookTooLong(Exception):
    """A test's own bound."""


def collect(words):
    for path in sorted(glob.glob(f"{HERE}/test_*.py")):
        module = importlib.import_module(os.path.basename(path)[:-3])
        for name, function in list(vars(module).items()):
            full = f"{module.__name__}.{name}"
            if name.startswith("test_") and callable(function) and (not words or any(w in full for w in words)):
                yield full, function


def logs(lab):
    """The end of what each process said."""
    for p in lab.processes:
        text = p.tail(25)
        if text:
            print(f"    --- {p.name} ({'runs' if p.alive() else 'exit %s' % p.popen.returncode})")
            for line in text.splitlines():
                print(f"    {line}")


def run_one(name, function, keep):
    """What went wrong, in a line; None when it passed."""

    def too_long(*_):
        raise TookTooLong(f"no end after {LIMIT_S} s")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(LIMIT_S)
    begin = time.monotonic()
    with Lab(keep=keep, judged=True) as lab:
        try:
            function(lab)
            bad = lab.judge()
            assert not bad, "packets that an independent observer finds wrong:\n" + "\n".join(bad[:20])
            why = None
        except Exception as e:  # a test may fail in any way; the others go on
            why = gist.of_exception(e, HERE)
            print("".join("    " + line for line in traceback.format_exc().splitlines(True)))
            logs(lab)
        signal.alarm(0)
    print(f"{'FAILED' if why else 'ok    '} {name} ({time.monotonic() - begin:.1f} s)", flush=True)
    return why


class Beside:
    """A test in a process of its own."""

    def __init__(self, name, keep):
        self.name = name
        self.out = tempfile.TemporaryFile("w+")
        self.report = tempfile.NamedTemporaryFile("r")
        argv = [sys.executable, os.path.abspath(__file__), "--exactly", name, "--report", self.report.name]
        self.process = subprocess.Popen(argv + (["--keep"] if keep else []), stdout=self.out, stderr=subprocess.STDOUT)

    def result(self):
        """Show what it said; what went wrong, as run_one()."""
        self.out.seek(0)
        lines = self.out.read().splitlines()
        print("\n".join(line for line in lines if not re.fullmatch(r"\d+ passed, \d+ failed", line)), flush=True)
        verdict, _, why = (self.report.read().rstrip("\n").split(" ", 2) + ["", ""])[:3]
        if self.process.returncode == 0 and verdict == "ok":
            return None
        return why or f"its process ended with {self.process.returncode}: {gist.of_log(chr(10).join(lines))}"


def run_beside(cases, jobs, keep):
    """Run each test in a process of its own, several at a time; what each says is shown when it ends."""
    waiting, running, results = list(cases), [], []
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append(Beside(waiting.pop(0)[0], keep))
        time.sleep(0.05)
        for child in [c for c in running if c.process.poll() is not None]:
            running.remove(child)
            results.append((child.name, child.result()))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", help="one line per test: 'ok NAME' or 'failed NAME WHY'")
    parser.add_argument("--keep", action="store_true", help="leave logs and captures in place")
    parser.add_argument("--jobs", type=int, default=1, help="tests at a time, but those of files that say ALONE")
    parser.add_argument("--exactly", help=argparse.SUPPRESS)
    parser.add_argument("word", nargs="*")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cases = [(n, f) for n, f in collect(args.word) if not args.exactly or n == args.exactly]
    beside = [(n, f) for n, f in cases if args.jobs > 1 and not getattr(sys.modules[f.__module__], "ALONE", False)]
    results = run_beside(beside, args.jobs, args.keep)
    alone = [case for case in cases if case not in beside]
    results += [(name, run_one(name, function, args.keep)) for name, function in alone]
    if args.report:
        with open(args.report, "w") as f:
            f.writelines(f"failed {name} {why}\n" if why else f"ok {name}\n" for name, why in results)
    bad = [(name, why) for name, why in results if why]
    if bad and not args.exactly:
        print("\nFailed:")
        for name, why in bad:
            print(f"  {name}\n      {why}")
    print(f"{len(results) - len(bad)} passed, {len(bad)} failed")
    return 1 if bad or not results else 0


if __name__ == "__main__":
    sys.exit(main())
