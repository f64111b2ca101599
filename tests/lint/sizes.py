#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No source file over 500 lines, no C function over 100."""
import re

import tree

FILE_LINES, FUNCTION_LINES = 500, 100
NAME = re.compile(r"(\w+) \(")


def long_functions(path):
    """Functions as clang-format lays them out: braces in the first column; types are none."""
    lines = tree.code(path).split("\n")
    start = name = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            if re.match(r"(typedef )?(struct|union|enum)\b[^(]*$", lines[number - 2]):
                continue
            start = number
            for back in range(number - 2, max(number - 20, -1), -1):
                found = NAME.match(lines[back])
                if found:
                    name = found.group(1)
                    break
        elif line.startswith("}") and start:
            if number - start + 1 > FUNCTION_LINES:
                yield f"{path}:{start}: {name or '?'} has {number - start + 1} lines, may have {FUNCTION_LINES}"
            start = name = None


def main():
    tap = tree.Tap()
    faults = []
    for path in tree.files(".c", ".h", ".py", ".sh", "meson.build", "dev", ".ci/run", ".md"):
        lines = tree.text(path).count("\n")
        if lines > FILE_LINES:
            faults.append(f"{path} has {lines} lines, may have {FILE_LINES}")
    tap.case(f"files of at most {FILE_LINES} lines", faults)
    tap.case(f"functions of at most {FUNCTION_LINES} lines",
             [fault for path in tree.files(".c", ".h") for fault in long_functions(path)])
    tap.done()


main()
