#!/usr/bin/env python3
"""Runs the parts of the benchmark and prints what they measured.

A part is a module part_NAME.py beside this file. Its docstring's first line says what it measures; run() returns the
result, made of what JSON knows; show(result) returns the lines for people. With --json and one part the output is that
part's result, with several an object that has one under each part's name. Exit status 1 when a part failed."""

import argparse
import importlib
import json
import pathlib
import sys
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))


def load_parts():
    """{name: module}, by name."""
    names = sorted(path.stem for path in HERE.glob("part_*.py"))
    return {name.removeprefix("part_"): importlib.import_module(name) for name in names}


def run_part(name, module):
    """What the part measured, or None when it failed."""
    print(f"bench: {name}: {module.__doc__.splitlines()[0]}", file=sys.stderr, flush=True)
    try:
        return module.run()
    except Exception:  # the other parts still have something to say
        traceback.print_exc()
        print(f"bench: {name} failed", file=sys.stderr)
        return None


def main():
    parts = load_parts()
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {name:12} {module.__doc__.splitlines()[0]}" for name, module in parts.items()))
    parser.add_argument("part", nargs="*", choices=[[], "all", *parts], default=[], help="default: all")
    parser.add_argument("--json", action="store_true", help="for programs")
    args = parser.parse_args()
    wanted = list(parts) if not args.part or "all" in args.part else args.part
    results = {name: run_part(name, parts[name]) for name in wanted}
    if args.json:
        json.dump(results if len(wanted) > 1 else results[wanted[0]], sys.stdout, indent=2)
        print()
    else:
        for name, result in results.items():
            if result is not None:
                print(f"== {name}", *parts[name].show(result), sep="\n")
    return 1 if None in results.values() else 0


if __name__ == "__main__":
    sys.exit(main())
