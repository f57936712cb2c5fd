#!/usr/bin/env python3
"""Runs the end-to-end tests: every function test_* of every file test_*.py here, each with a Lab of its own.

  tests/e2e/run.py [--report FILE] [--keep] [WORD...]     only tests whose file or name contains one of the words
"""

import argparse
import glob
import importlib
import os
import signal
import sys
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", help="one line per test: 'ok NAME' or 'failed NAME'")
    parser.add_argument("--keep", action="store_true", help="leave logs and captures in place")
    parser.add_argument("word", nargs="*")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = [(name, run_one(name, function, args.keep)) for name, function in collect(args.word)]
    if args.report:
        with open(args.report, "w") as f:
            f.writelines(f"{'ok' if good else 'failed'} {name}\n" for name, good in results)
    bad = [name for name, good in results if not good]
    print(f"{len(results) - len(bad)} passed, {len(bad)} failed")
    return 1 if bad or not results else 0


if __name__ == "__main__":
    sys.exit(main())
