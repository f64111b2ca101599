#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Licence line first; nothing left to do; no place of one machine, no host of a registry."""
import re

import tree

# Written so that they do not find themselves.
PLACES = re.compile(r"(?<![\w.$}])/(wor[k]|tm[p]|opt/peer[s]|roo[t]|home/[a-z]+)\b/?")
HOSTS = re.compile(r"pypi\.or[g]|pythonhoste[d]|deb\.debian\.or[g]|snapshot\.debia[n]|npmjs\.or[g]|proxy\.golan[g]")
LEFT = re.compile(r"\b(TOD[O]|FIXM[E]|XX[X]|HAC[K])\b")
CODE = (".c", ".h", ".py", ".sh", "meson.build", "meson_options.txt", "dev", ".ci/run", ".map", ".proto")
PROSE = CODE + (".md", ".txt", ".yml", ".clang-tidy", ".clang-format")


def lines_with(pattern, paths):
    for path in paths:
        for number, line in enumerate(tree.text(path).split("\n"), 1):
            found = pattern.search(line)
            if found:
                yield f"{path}:{number}: {found.group().strip()}"


def without_licence():
    for path in tree.files(*CODE):
        head = tree.text(path).split("\n", 2)[:2]
        place = 1 if head[0].startswith("#!") else 0
        if len(head) <= place or "SPDX-License-Identifier: Apache-2.0" not in head[place]:
            yield path


def main():
    tap, prose = tree.Tap(), tree.files(*PROSE)
    tap.case("the licence line comes first", without_licence())
    tap.case("nothing is left to do", lines_with(LEFT, prose))
    tap.case("no place of one machine", lines_with(PLACES, prose))
    tap.case("no host of a registry", lines_with(HOSTS, prose))
    tap.case("no tabs and no blanks at line ends in C", lines_with(
        re.compile(r"[ \t]$|\t"), tree.files(".c", ".h")))
    tap.done()


main()
