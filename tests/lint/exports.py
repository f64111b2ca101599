#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the built objects show: a plugin its entry function alone, the library kette_* alone;
and what they link: nothing but what the architecture names."""
import glob
import os
import re
import subprocess

import tree

BUILD = os.environ.get("KETTE_BUILD", os.path.join(tree.ROOT, "build"))
PLUGIN_LIBRARIES = {"libc", "libm", "libopenblas"}
LIBRARIES = PLUGIN_LIBRARIES - {"libopenblas"} | {
    "libglib-2.0", "libgobject-2.0", "libgio-2.0", "libprotobuf-c", "libz"}
SANITIZERS = {"libasan", "libubsan", "libtsan", "libgcc_s", "ld-linux-x86-64", "ld-linux-aarch64"}


def tool(*command):
    return subprocess.run(command, capture_output=True, check=True, text=True,
                          env={**os.environ, "LC_ALL": "C"}).stdout


def exports(path):
    rows = [line.split() for line in tool("nm", "-D", "--defined-only", path).splitlines()]
    return sorted(row[-1] for row in rows if row and not row[-1].startswith(("__asan_", "__odr_asan", "__ubsan")))


def needed(path):
    return {name.split(".so")[0] for name in re.findall(r"\(NEEDED\).*\[([^\]]+)\]", tool("readelf", "-d", path))}


def main():
    tap = tree.Tap()
    modules = [m for d in os.environ.get("KETTE_PLUGIN_PATH", "").split(":") if d
               for m in sorted(glob.glob(os.path.join(d, "*.so")))]
    tap.case("there are plugins", [] if modules else ["KETTE_PLUGIN_PATH names no module"])
    for module in modules:
        faults = [] if exports(module) == ["kette_plugin_v0"] else ["exports " + " ".join(exports(module)[:20])]
        faults += [f"links {name}" for name in sorted(needed(module) - PLUGIN_LIBRARIES - SANITIZERS)]
        tap.case(f"{os.path.basename(module)} exports its entry alone", faults)
    library = os.path.join(BUILD, "runtime", "libkette.so")
    tap.case("libkette exports kette_* alone", [n for n in exports(library) if not n.startswith("kette_")])
    tap.case("libkette links what it may", sorted(needed(library) - LIBRARIES - SANITIZERS))
    tap.done()


main()
