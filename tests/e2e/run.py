#!/usr/bin/env python3
"""Runs the end-to-end tests: every function test_* of every file test_*.py here, each with a Lab of its own.

  tests/e2e/run.py [--report FILE] [--keep] [WORD...]     only tests whose file or name contains one of the words
"""

import argparse
import glob
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from lab import Lab

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT_S = 240  # a test that takes longer is broken


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
    """Whether it passed."""

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
            good = True
        except Exception:  # a test may fail in any way; the others go on
            good = False
            print("".join("    " + line for line in traceback.format_exc().splitlines(True)))
            logs(lab)
        signal.alarm(0)
    print(f"{'ok    ' if good else 'FAILED'} {name} ({time.monotonic() - begin:.1f} s)", flush=True)
    return good


def run_beside(cases, jobs, keep):
    """Run each test in a process of its own, several at a time; what each says is shown when it ends."""
    waiting, running, results = list(cases), {}, []
    while waiting or running:
        while waiting and len(running) < jobs:
            name = waiting.pop(0)[0]
            out = tempfile.TemporaryFile("w+")
            argv = [sys.executable, os.path.abspath(__file__), "--exactly", name] + (["--keep"] if keep else [])
            running[name] = (subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT), out)
        time.sleep(0.05)
        for name, (process, out) in list(running.items()):
            if process.poll() is None:
                continue
            del running[name]
            out.seek(0)
            print("\n".join(out.read().splitlines()[:-1]), flush=True)  # without its own sum
            results.append((name, process.returncode == 0))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", help="one line per test: 'ok NAME' or 'failed NAME'")
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
            f.writelines(f"{'ok' if good else 'failed'} {name}\n" for name, good in results)
    bad = [name for name, good in results if not good]
    print(f"{len(results) - len(bad)} passed, {len(bad)} failed")
    return 1 if bad or not results else 0


if __name__ == "__main__":
    sys.exit(main())
