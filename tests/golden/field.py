#!/usr/bin/env python3
"""Runs the field cases, and compares what fails with what is known to fail: field-known.txt, which only shrinks.

    tests/golden/field.py --bindery PATH            exit code 1 if an unlisted case fails or a listed one passes
    tests/golden/field.py --bindery PATH --shrink   takes listed cases that pass from the list
    tests/golden/field.py --bindery PATH --write    writes the list anew

The cases are the folder BINDERY_FIELD, default ../shared/field, with check.py; where there is none, nothing is run.
A case that surprises is run once more by itself, as some depend on time.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
KNOWN = pathlib.Path(__file__).with_name("field-known.txt")
FIELD = pathlib.Path(os.environ.get("BINDERY_FIELD") or ROOT.parent / "shared" / "field").resolve()


def check(bindery, *more):
    """Faults of the cases that fail, the ids of those that were skipped, and the last line."""
    command = [sys.executable, FIELD / "check.py", "--bindery", bindery, *more]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
    lines = done.stdout.splitlines()
    if not lines or not re.match(r"\d+/\d+ ", lines[-1]):
        sys.exit(f"tests/golden/field.py: check.py broke off with {done.returncode}")
    found = [re.match(r"(FAIL|skip) (\S+?): (.*)", line) for line in lines[:-1]]
    faults = {line[2]: line[3] for line in found if line and line[1] == "FAIL"}
    return faults, {line[2] for line in found if line and line[1] == "skip"}, lines[-1]


def surprises(faults, skipped, known):
    """Cases that fail unlisted, and listed ones that pass."""
    return set(faults) - known, known - set(faults) - skipped


def listed():
    lines = KNOWN.read_text().splitlines() if KNOWN.exists() else []
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def write(ids):
    head = "# Field cases that fail. Only shrinks; tests/golden/field.py compares."
    KNOWN.write_text("\n".join([head, *sorted(ids)]) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bindery", required=True, type=pathlib.Path)
    parser.add_argument("--jobs", default="2")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--shrink", action="store_true")
    how.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if not (FIELD / "check.py").exists():
        print(f"tests/golden/field.py: skipped, as there are no field cases in {FIELD} (BINDERY_FIELD)")
        return 0

    known, bindery = listed(), options.bindery.resolve()
    faults, skipped, total = check(bindery, "--jobs", options.jobs)
    if options.write:
        write(faults)
        print(f"{total}; {len(faults)} written to {KNOWN}")
        return 0

    failing, passing = surprises(faults, skipped, known)
    if failing or passing:
        again = "^(" + "|".join(re.escape(case) for case in sorted(failing | passing)) + ")$"
        second, _, _ = check(bindery, "--jobs", "1", "--only", again)
        # What fails once of twice is no surprise either way.
        failing, passing = failing & set(second), passing - set(second)
    for case in sorted(failing):
        print(f"fails, and is not known to: {case}: {faults[case]}")
    if options.shrink:
        write(known - passing)
    else:
        for case in sorted(passing):
            print(f"passes, so take it from {KNOWN.relative_to(ROOT)}: {case}")
    print(f"field cases: {total}, {len(known)} known to fail")
    return int(bool(failing or passing and not options.shrink))


if __name__ == "__main__":
    sys.exit(main())
