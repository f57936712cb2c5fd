"""What the parts of the benchmark share: building, running, tables."""

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
TREE = ROOT / "build"  # the release build


def call(argv, env=None, timeout=1800):
    """Standard output of a command; RuntimeError with what it said when it fails."""
    r = subprocess.run([str(a) for a in argv], cwd=ROOT, text=True, errors="replace", timeout=timeout,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **(env or {})})
    if r.returncode:
        raise RuntimeError(f"{argv[0]} ended with {r.returncode}:\n{r.stdout[-2000:]}{r.stderr[-2000:]}")
    return r.stdout


def build(*targets):
    """Build targets (paths in the build tree) for release; returns their paths."""
    if not (TREE / "build.ninja").exists():
        call(["meson", "setup", TREE])
    elif "tests/bench/" not in call(["ninja", "-C", TREE, "-t", "targets", "all"]):
        call(["meson", "configure", TREE, "-Dtests=true"])
    call(["ninja", "-C", TREE, *targets])
    return [TREE / t for t in targets]


def table(heading, rows):
    """Lines of a table; numbers to the right, text to the left."""
    cells = [list(heading)] + [[f"{c:.2f}" if isinstance(c, float) else str(c) for c in row] for row in rows]
    width = [max(len(row[i]) for row in cells) for i in range(len(heading))]
    right = [bool(rows) and isinstance(rows[0][i], (int, float)) for i in range(len(heading))]
    return ["  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, width, right)).rstrip() for row in cells]
