#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The documents tell the truth: the verbs of README.md are those of `kette --help`, the options in
its examples are those of `kette VERB --help`, and links between the documents lead somewhere."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lint"))
import tree  # noqa: E402

KETTE = os.environ.get("KETTE", os.path.join(tree.ROOT, "build", "tools", "kette"))


def kette(*words):
    return subprocess.run([KETTE, *words], capture_output=True, text=True, check=False)


def option_faults(verb, example):
    text = kette(verb, "--help").stdout
    known = set(re.findall(r"(--[a-z][a-z-]*)", text)) | set(re.findall(r"(?<!\S)(-[a-zA-Z])\b", text))
    words = [w.split("=")[0] for w in example.split() if w.startswith("-")]
    return [f"{example}: kette {verb} --help has no {w}" for w in words if w not in known]


def broken_links(path):
    for target in re.findall(r"\]\(([^)#\s]+)", tree.text(path)):
        if "://" not in target and not os.path.exists(
                os.path.join(tree.ROOT, os.path.dirname(path), target)):
            yield f"{path}: {target}"


def main():
    tap = tree.Tap()
    help_text = kette("--help")
    version = kette("--version")
    declared = re.search(r"version: '([^']+)'", tree.text("meson.build")).group(1)
    tap.case("kette --version", [] if version.returncode == 0 and declared in version.stdout else
             [version.stdout + version.stderr])
    listed = set(re.findall(r"^ +([a-z]+) {2,}\S", help_text.stdout, re.M))
    rows = re.findall(r"^\| `(\w+)` \|.*\| `([^`]*)` \|$", tree.text("README.md"), re.M)
    shown = {verb for verb, _ in rows}
    tap.case("README.md has the verbs of kette --help",
             [f"only in README.md: {v}" for v in sorted(shown - listed)]
             + [f"only in kette --help: {v}" for v in sorted(listed - shown)])
    for verb, example in rows:
        run = kette(verb, "--help")
        faults = [] if run.returncode == 0 and "Examples:" in run.stdout else [run.stdout + run.stderr]
        if not re.match(rf"kette {verb}\b", example):
            faults.append(f"the example of {verb} is {example}")
        tap.case(f"kette {verb} --help, and README.md's example", faults + option_faults(verb, example))
    for path in tree.files(".md"):
        for line in re.findall(r"^ +(?:\./dev )?(kette (\w+) .*(?:\\\n.*)*)", tree.text(path), re.M):
            faults = option_faults(line[1], line[0].replace("\\\n", " "))
            if faults or path != "README.md":
                tap.case(f"{path}: kette {line[1]}", faults)
    tap.case("links lead somewhere", [fault for path in tree.files(".md") for fault in broken_links(path)])
    tap.done()


main()
