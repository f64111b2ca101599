#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every public header compiles alone, as C and as C++; the plugin ABI in their strict forms; the C
program in README.md and kette.h is examples/classify.c."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lint"))
import tree  # noqa: E402


def compiles(language, standard, header, flags):
    """The compiler's complaints about a file that includes HEADER and nothing else."""
    compiler = {"c": ["gcc", "clang"], "c++": ["g++", "clang++"]}[language]
    program = next((c for c in compiler if shutil.which(c)), None)
    if not program:
        return None
    run = subprocess.run([program, f"-std={standard}", "-x", language, "-Wall", "-Wextra", "-Werror",
                          "-fsyntax-only", *flags, "-"], input=f'#include "{header}"\n', text=True,
                         cwd=tree.ROOT, capture_output=True, check=False)
    return run.stderr.splitlines()[:20]


def main():
    tap = tree.Tap()
    table = re.search(r"public_headers = \{(.*?)\n\}", tree.text("runtime/meson.build"), re.S).group(1)
    headers = ["kette.h"] + [f"{floor}/{name}" for floor, names in re.findall(r"'(\w+)': \[([^\]]*)\]", table)
                             for name in re.findall(r"'([^']+)'", names)]
    glib = subprocess.run(["pkg-config", "--cflags", "gio-2.0"], capture_output=True, text=True,
                          check=True).stdout.split()
    cases = [(h, l, s, ["-Iruntime", *glib]) for h in headers for l, s in (("c", "gnu11"), ("c++", "c++17"))]
    cases += [(h, l, s, ["-Iplugins/include", "-Wpedantic"])
              for h in ("kette-plugin.h", "kette-device.h") for l, s in (("c", "c11"), ("c++", "c++17"))]
    for header, language, standard, flags in cases:
        faults = compiles(language, standard, header, flags)
        name = f"{header} is {standard}"
        if faults is None:
            tap.skip(name, "no C++ compiler is installed")
        else:
            tap.case(name, faults)
    program = tree.text("examples/classify.c")
    wanted = program[program.index("#include"):].strip()
    shown = re.search(r"```c\n(.*?)```", tree.text("README.md"), re.S)
    tap.case("README.md shows examples/classify.c", [] if shown and shown.group(1).strip() == wanted else
             ["the C program in README.md differs from examples/classify.c"])
    header = "\n".join(line[5:] for line in tree.text("runtime/kette.h").split("\n"))
    tap.case("kette.h shows it too", [] if wanted in header else ["the program in kette.h differs"])
    tap.done()


main()
