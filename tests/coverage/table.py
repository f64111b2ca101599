#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Branch coverage from the counts that a build with -Db_coverage=true has left.

table.py BUILD [--gate PERCENT] [--files] [--missing FILE]...

Prints the share of branches taken, for each group of tests/coverage/groups.txt and each folder;
--files: for each file too; --missing: the lines of a file with a branch that was never taken
(a part of its name is enough). --gate: status 1 when a group is below PERCENT.

A branch is one of gcov's, in a build without optimization: each outcome of each condition, of
&& and || too. tests/coverage/excluded.txt lists the lines that do not count, with the reason.
"""
import argparse
import collections
import fnmatch
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent


def gcov(build):
    """gcov's JSON objects, one per object file of the runtime and the operators."""
    counts = sorted(path.relative_to(build) for folder in ("runtime", "ops")
                    for path in (build / folder).rglob("*.gcda"))
    for begin in range(0, len(counts), 50):
        done = subprocess.run(["gcov", "--json-format", "--stdout", "-b", "-c", *map(str, counts[begin:begin + 50])],
                              cwd=build, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        for line in done.stdout.splitlines():
            yield json.loads(line)


def collect(build):
    """{file: {(line, number of the branch): (taken?, function)}}; an inline function of a header
    counts as taken where any of its users took it."""
    files = collections.defaultdict(dict)
    for unit in gcov(build):
        for entry in unit["files"]:
            path = os.path.relpath(os.path.join(unit["current_working_directory"], entry["file"]), SOURCE)
            if not path.startswith(("runtime/", "ops/")):
                continue
            seen = collections.Counter()
            for line in entry["lines"]:
                number, function = line["line_number"], line.get("function_name", "")
                for branch in line["branches"]:
                    key = number, seen[number]
                    seen[number] += 1
                    before = files[path].get(key, (False, ""))[0]
                    files[path][key] = before or branch["count"] > 0, function
    return files


def read_list(name):
    """Lines of fields separated by " | "; # begins a comment."""
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            yield [field.strip() for field in line.split(" | ")]


def without_excluded(files):
    """Drops the branches of the lines in excluded.txt; the entries that match nothing."""
    stale, dropped = [], 0
    for pattern, text, reason in read_list("excluded.txt"):
        found = False
        for path in fnmatch.filter(files, pattern):
            lines = (SOURCE / path).read_text(encoding="utf-8").splitlines()
            hits = {key for key in files[path] if text in lines[key[0] - 1]}
            found = found or bool(hits)
            dropped += len(hits)
            for key in hits:
                del files[path][key]
        if not found:
            stale.append(f"{pattern} | {text} | {reason}")
    return stale, dropped


def members(files, patterns):
    """The branches of a group: FILES or FILES:FUNCTIONS, separated by blanks; - takes away."""
    chosen = {}
    for pattern in patterns.split():
        away = pattern.startswith("-")
        name, _, function = pattern.lstrip("-").partition(":")
        for path in fnmatch.filter(files, name):
            for key, (taken, where) in files[path].items():
                if function and not re.search(function, where):
                    continue
                if away:
                    chosen.pop((path, key), None)
                else:
                    chosen[path, key] = taken
    return chosen


def row(name, branches):
    taken, n = sum(branches), len(branches)
    print(f"{name:44}{taken:7} of {n:6} {100 * taken / max(n, 1):7.1f} %")


def missing(files, wanted):
    for path in sorted(files):
        if wanted not in path:
            continue
        lines = (SOURCE / path).read_text(encoding="utf-8").splitlines()
        by_line = collections.defaultdict(list)
        for (number, _), (taken, _) in sorted(files[path].items()):
            by_line[number].append(taken)
        for number, branches in by_line.items():
            if not all(branches):
                marks = "".join("+" if taken else "-" for taken in branches)
                print(f"{path}:{number}: {marks}  {lines[number - 1].strip()}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--gate", type=float, metavar="PERCENT")
    parser.add_argument("--files", action="store_true")
    parser.add_argument("--missing", action="append", default=[])
    options = parser.parse_args()
    files = collect(options.build.resolve())
    if not files:
        sys.exit(f"no counts in {options.build}: was it built with -Db_coverage=true, and did tests run?")
    stale, dropped = without_excluded(files)
    for wanted in options.missing:
        missing(files, wanted)
    if options.missing:
        return
    below = []
    for name, patterns in read_list("groups.txt"):
        branches = members(files, patterns)
        row(name, branches.values())
        if options.gate and 100 * sum(branches.values()) < options.gate * len(branches):
            below.append(name)
    print()
    folders = collections.defaultdict(list)
    for path in sorted(files):
        folder = "/".join(path.split("/")[:2]) if path.startswith("runtime") else "ops"
        folders[folder] += [taken for taken, _ in files[path].values()]
    for folder, branches in folders.items():
        row(folder, branches)
        for path in sorted(files) if options.files else ():
            if path.startswith(folder + "/") and files[path]:
                row("  " + path[len(folder) + 1:], [taken for taken, _ in files[path].values()])
    print(f"\n{dropped} branches do not count (tests/coverage/excluded.txt)")
    for entry in stale:
        print(f"excluded.txt: nothing there: {entry}")
    for name in below:
        print(f"below {options.gate:g} %: {name}")
    sys.exit(1 if below or stale else 0)


main()
