"""What went wrong, in a line: the end of a log has to be enough to know where to look."""

import ast
import linecache
import os
import re
import traceback

CUT = 300  # characters of a message


def short(text, cut=CUT):
    """On one line, and no longer than that."""
    text = " ".join(str(text).split())
    return text if len(text) <= cut else text[:cut - 3] + "..."


def _named(frame, lineno, end):
    """The source of an assertion, and what the local names in it stand for."""
    source = "".join(linecache.getline(frame.f_code.co_filename, n) for n in range(lineno, end + 1)).strip()
    try:
        names = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
    except SyntaxError:
        names = set()
    plain = (bool, int, float, str, bytes, list, tuple, dict, set, type(None))
    values = [f"{n}={frame.f_locals[n]!r}" for n in sorted(names) if isinstance(frame.f_locals.get(n, short), plain)]
    return "; ".join([short(source, CUT // 2), *values])


def of_exception(e, folder):
    """The test's own line and, where something that it called gave up, that line; then what was said. A message that an
    assertion has not is replaced by its source."""
    frames = [(f, s) for (f, _), s in zip(traceback.walk_tb(e.__traceback__), traceback.extract_tb(e.__traceback__))
              if os.path.dirname(os.path.abspath(s.filename)) == folder and os.path.basename(s.filename) != "run.py"]
    tests = [x for x in frames if os.path.basename(x[1].filename).startswith("test_")]
    places = dict.fromkeys(f"{os.path.basename(s.filename)}:{s.lineno}" for _, s in tests[-1:] + frames[-1:])
    said = str(e)
    if not said and frames:
        frame, summary = frames[-1]
        said = _named(frame, summary.lineno, summary.end_lineno or summary.lineno)
    return f"{' -> '.join(places) or '?'}: {type(e).__name__}: {short(said)}"


# The first of these that a log has says more than its last line.
TELLING = (
    r"^\s*- \S+:\d+: \|",  # Criterion; what it says is on the next lines
    r"ERROR: (?:Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error: ",
    r"^\S+:\d+(?::\d+)?: (?:fatal )?(?:error|warning): ",
    r"^FAILED|^not ok",
)


def of_log(text):
    """Of what a command wrote: the first telling line and some that follow, else the last lines."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    for pattern in TELLING:
        for i, line in enumerate(lines):
            if re.search(pattern, line):
                return short(" ".join(lines[i:i + 4]))
    return short(" ".join(lines[-3:]))


def of_case(log, name):
    """Of what a test program wrote as TAP: what it says of one case ("3 - suite::name  (0.01s)")."""
    case = re.sub(r"^\d+ - ", "", name).split()
    for block in re.split(r"^(?=(?:not )?ok\b)", log, flags=re.M):
        if case and block.startswith("not ok") and case[0] in block.splitlines()[0].split():
            return of_log(block)
    return of_log(log)
