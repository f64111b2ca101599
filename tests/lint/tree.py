# SPDX-License-Identifier: Apache-2.0
"""What the lint tests share: the files of the source tree, C without comments, TAP."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SPLIT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def files(*suffixes):
    """Paths of the tree's own files that end in one of SUFFIXES (all: none given)."""
    try:
        out = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             cwd=ROOT, capture_output=True, check=True).stdout.decode()
        found = out.split("\0")
    except (OSError, subprocess.CalledProcessError):  # a release archive
        found = []
        for folder, names, leaves in os.walk(ROOT):
            names[:] = [n for n in names if not n.startswith((".", "build"))]
            found += [os.path.relpath(os.path.join(folder, n), ROOT) for n in leaves]
    return sorted(p for p in found if p and (not suffixes or p.endswith(suffixes))
                  and os.path.isfile(os.path.join(ROOT, p)))


def text(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def code(path):
    """A C file in which comments are blank and string literals empty; lines stay lines."""
    def blank(match):
        piece = match.group()
        if piece[0] in "\"'":
            return piece[0] * 2
        return "\n" * piece.count("\n")
    return SPLIT.sub(blank, text(path))


class Tap:
    """One case per rule; its faults are printed below it."""

    def __init__(self):
        self.count = self.failed = 0

    def case(self, name, faults):
        self.count += 1
        faults = list(faults)
        self.failed += bool(faults)
        print(("not " if faults else "") + f"ok {self.count} - {name}")
        for fault in faults:
            print(f"#   {fault}")

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}")

    def done(self):
        print(f"1..{self.count}")
        sys.exit(1 if self.failed else 0)


def words(name, pattern, folders, exceptions, but=()):
    """No C file below FOLDERS, BUT some, holds a word that PATTERN finds, except where the file
    EXCEPTIONS says so: a path, a word, the reason. An exception nobody needs is a fault."""
    rules, used, faults = {}, set(), []
    for line in text(exceptions).splitlines():
        if line.strip() and not line.startswith("#"):
            parts = line.split(None, 2)
            rules[(parts[0], parts[1])] = parts[2] if len(parts) > 2 else ""
    for path in files(".c", ".h"):
        if not path.startswith(folders) or path in but:
            continue
        for number, line in enumerate(code(path).split("\n"), 1):
            for word in pattern.findall(line):
                if (path, word) in rules:
                    used.add((path, word))
                else:
                    faults.append(f"{path}:{number}: {word}")
    tap = Tap()
    tap.case(name, faults)
    tap.case("each exception has a reason and is needed",
             [f"{p} {w}: no reason" for (p, w), why in rules.items() if len(why) < 12]
             + [f"{p} {w}: not used any more" for p, w in sorted(set(rules) - used)])
    tap.done()
