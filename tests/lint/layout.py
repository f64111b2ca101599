#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All C files are laid out as clang-format 14 with .clang-format would do it."""
import os
import re
import shutil
import subprocess

import tree


def main():
    tap, program = tree.Tap(), shutil.which("clang-format-14")
    paths = [p for p in tree.files(".c", ".h")]
    if not program:
        tap.skip("clang-format", "clang-format-14 is not installed")
        tap.done()
    out = subprocess.run([program, "--dry-run", "--ferror-limit=1"] + paths, cwd=tree.ROOT,
                         stderr=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}, check=False)
    bad = set(re.findall(r"^([^:\n]+):\d+:\d+: \w+: code should be", out.stderr.decode(), re.M))
    tap.case("clang-format", [f"{p} (./dev format cures it)" for p in sorted(bad)])
    tap.done()


main()
