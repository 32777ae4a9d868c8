#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Run the tests of one folder in a build with -Dcoverage=true, and print which lines they reach.

    tests/coverage.py BUILD FOLDER PERCENT [NAME...]
    tests/coverage.py --report BUILD FOLDER PERCENT

A table of file, lines, missed lines and percent, and a total; the lines that were missed go to
BUILD/coverage/missed.txt. Exit status 1 where a test failed or the total is below PERCENT. The tests
are those that `make check` runs and that have to do with plugins, or those whose name contains a NAME. --report:
of the tests that ran before.
"""

import glob
import json
import os
import shutil
import subprocess
import sys

TESTS = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(TESTS)
NAMES = ("unit/", "cli/plugins", "sim/plugins", "lab/plugins")
NOT_PRODUCT = ("_test.c", "_lab.h", "_fixture.h", "_rig.h")


def run_tests(build, names):
    counters = os.path.join(build, "coverage")
    shutil.rmtree(counters, ignore_errors=True)
    os.makedirs(counters)
    command = [os.path.join(TESTS, "run"), "--build", build, *names]
    return subprocess.run(command, check=False).returncode


def export(build, folder):
    """What llvm-cov knows of the files in the folder."""
    counters = os.path.join(build, "coverage")
    merged = os.path.join(counters, "all.profdata")
    raw = sorted(glob.glob(os.path.join(counters, "*.profraw")))
    if not raw:
        sys.exit(f"tests/coverage.py: no counters in {counters}: was it set up with -Dcoverage=true?")
    subprocess.run(["llvm-profdata", "merge", "-o", merged, *raw], check=True)
    programs = [os.path.join(build, "prtip-dp")]
    programs += sorted(glob.glob(os.path.join(build, folder, "test_*[!p]")))
    command = ["llvm-cov", "export", programs[0]]
    for program in programs[1:]:
        if os.path.isfile(program):
            command += ["-object", program]
    command += ["-instr-profile", merged]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    inside = os.path.join(TOP, folder, "")
    files = json.loads(text)["data"][0]["files"]
    for file in files:  # the compiler was called with names relative to the build folder
        file["filename"] = os.path.normpath(os.path.join(build, file["filename"]))
    files = [f for f in files if f["filename"].startswith(inside)]
    files = [f for f in files if not f["filename"].endswith(NOT_PRODUCT)]
    return sorted(files, key=lambda f: f["filename"])


def missed_lines(file):
    """Numbers of the lines without a count, from the file's segments: a line counts as reached where
    any part of it was."""
    reached, missed = set(), set()
    segments = file["segments"]
    for here, following in zip(segments, segments[1:]):
        line, _, count, has_count = here[:4]
        if not has_count:
            continue
        end = following[0] if following[1] > 1 else following[0] - 1
        (reached if count else missed).update(range(line, end + 1))
    return sorted(missed - reached)


def write_missed(path, files):
    with open(path, "w", encoding="utf-8") as out:
        for file in files:
            with open(file["filename"], encoding="utf-8") as source:
                text = source.read().splitlines()
            for number in missed_lines(file):
                if text[number - 1].strip(" \t{}"):
                    name = os.path.relpath(file["filename"], TOP)
                    out.write(f"{name}:{number}: {text[number - 1]}\n")


def print_table(files):
    """The percentage of all lines."""
    lines = covered = 0
    print(f"{'file':<28} {'lines':>6} {'missed':>6} {'percent':>8}")
    for file in files:
        of_file = file["summary"]["lines"]
        if not of_file["count"]:
            continue
        missed = of_file["count"] - of_file["covered"]
        name = os.path.relpath(file["filename"], TOP)
        print(f"{name:<28} {of_file['count']:>6} {missed:>6} {of_file['percent']:>8.1f}")
        lines += of_file["count"]
        covered += of_file["covered"]
    percent = 100 * covered / lines
    print(f"{'total':<28} {lines:>6} {lines - covered:>6} {percent:>8.1f}")
    return percent


def main():
    arguments = sys.argv[1:]
    report_only = arguments[:1] == ["--report"]
    arguments = arguments[report_only:]
    if len(arguments) < 3:
        sys.exit(__doc__)
    build, folder, wanted = os.path.abspath(arguments[0]), arguments[1], float(arguments[2])
    status = 0 if report_only else run_tests(build, arguments[3:] or NAMES)
    files = export(build, folder)
    if not files:
        sys.exit(f"tests/coverage.py: nothing that was counted lies in {folder}/")
    percent = print_table(files)
    missed = os.path.join(build, "coverage", "missed.txt")
    write_missed(missed, files)
    print(f"lines that no test reached: {os.path.relpath(missed)}")
    if percent < wanted:
        print(f"coverage of {folder}/ is {percent:.1f}%, and should be {wanted:g}% or more")
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
