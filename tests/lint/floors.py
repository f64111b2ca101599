#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may include whom (docs/architecture.md): a floor of runtime/ its own and lower ones,
operators and plugins the ABI header only, the tools the public headers only."""
import os
import re

import tree

FLOORS = ["base", "graph", "op", "pass", "exec", "io", "train", "draw"]
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
ABI = {"kette-plugin.h", "kette-device.h"}
C_HEADERS = {"assert.h", "complex.h", "ctype.h", "errno.h", "fenv.h", "float.h", "inttypes.h",
             "limits.h", "locale.h", "math.h", "stdalign.h", "stdarg.h", "stdatomic.h", "stdbool.h", "stddef.h",
             "stdint.h", "stdio.h", "stdlib.h", "string.h", "tgmath.h", "time.h"}
# Foreign headers, and the only folders that may see them.
FOREIGN = {"cblas.h": "plugins/openblas/", "oneapi/": "plugins/onednn/", "graphviz/": "tools/", "gvc.h": "tools/",
           "protobuf-c/": "runtime/io/", "zlib.h": "runtime/io/", "dlfcn.h": "runtime/op/"}
# What else may be seen, and why.
EXCEPTIONS = {("plugins/onednn/library.c", "dlfcn.h"): "libdnnl is opened when a node needs it",
              ("plugins/onednn/allocate.c", "dlfcn.h"): "whose operator new does libdnnl call?",
              ("plugins/cuda/runtime.c", "dlfcn.h"): "a machine without a driver has no libcuda",
              ("plugins/cuda/library.c", "dlfcn.h"): "cuBLASLt and cuDNN are opened when a node needs them",
              ("bench/chain.c", "exec/session-private.h"): "the cost of a node without that of a call",
              ("bench/infer.c", "exec/plan.h"): "a run without tensors for its results",
              ("bench/peer_ort.c", "dlfcn.h"): "ONNX Runtime is opened at run time",
              ("bench/load.c", "io/build.h"): "scan and unpack alone",
              ("bench/load.c", "io/io-private.h"): "scan and unpack alone",
              ("bench/hand.c", "cblas.h"): "the hand-written step uses the same products",
              ("bench/hand.c", "gemm-fast.h"): "the hand-written step uses the same products",
              ("bench/hand.c", "product.h"): "with the buffers that they take",
              ("bench/hand.c", "base/pool.h"): "and the same threads"}
VECTOR_HEADERS = {"immintrin.h", "arm_neon.h"}


def includes(path):
    for match in INCLUDE.finditer(tree.text(path)):
        yield match.group(1) == '"', match.group(2)


def public_headers():
    """The names in runtime/meson.build's table of installed headers."""
    table = re.search(r"public_headers = \{(.*?)\n\}", tree.text("runtime/meson.build"), re.S).group(1)
    found = {"kette.h"}
    for floor, names in re.findall(r"'(\w+)': \[([^\]]*)\]", table):
        found |= {f"{floor}/{name}" for name in re.findall(r"'([^']+)'", names)}
    return found


def beside(path, name):
    return os.path.exists(os.path.join(tree.ROOT, os.path.dirname(path), name))


def runtime_fault(path, name, public):
    floor = path.split("/")[1]
    if name in ABI:
        return "a public header needs no plugin ABI" if path[8:] in public else None
    if name == "onnx.pb-c.h":
        return None if floor == "io" else "only io/ sees protobuf"
    if "/" not in name and beside(path, name):
        name = f"{floor}/{name}"
    other = name.split("/")[0]
    if other not in FLOORS:
        return "is of no floor"
    if FLOORS.index(other) > FLOORS.index(floor):
        return f"{other}/ is a higher floor than {floor}/"
    if path[8:] in public and name not in public:
        return "a public header includes a private one"
    return None


def fault_of(path, quoted, name, public):
    """Why the file PATH may not include NAME; None: it may."""
    if (path, name) in EXCEPTIONS:
        return None
    for prefix, home in FOREIGN.items():
        if not quoted and name.startswith(prefix) and not path.startswith((home, "tests/")):
            return f"only {home} sees it"
    if path.startswith("runtime/") and path.count("/") > 1:
        return runtime_fault(path, name, public) if quoted else None
    if path.startswith("plugins/include/"):
        return None if name in (ABI if quoted else C_HEADERS) else "the ABI is plain C11"
    if path.startswith("ops/"):
        if not quoted:
            return None if name in C_HEADERS | VECTOR_HEADERS else "operators use the C library only"
        return None if name in ABI or beside(path, name) or os.path.exists(
            os.path.join(tree.ROOT, "ops", name)) else "operators see the ABI and ops/ only"
    if path.startswith("plugins/"):
        if not quoted:
            return "plugins do not use GLib" if name.startswith(("glib", "gio")) else None
        if path.startswith("plugins/cuda/") and any(
                os.path.exists(os.path.join(tree.ROOT, folder, name)) for folder in ("ops", "plugins/cuda")):
            return None  # the operators' shapes and formulas are compiled into it a second time
        return None if name in ABI or beside(path, name) else "plugins see the ABI only"
    if path.startswith(("tools/", "bench/", "examples/")) and quoted:
        return None if name in public or beside(path, name) or name in ABI else \
            "only public headers"
    return None


def main():
    tap, public = tree.Tap(), public_headers()
    groups = {"runtime": "floors of runtime/", "ops": "operators see the ABI only",
              "plugins": "plugins see the ABI only", "tools": "tools see public headers only",
              "bench": "benchmarks see public headers only", "examples": "examples see public headers only"}
    for folder, title in groups.items():
        faults = []
        for path in tree.files(".c", ".h"):
            if path.startswith(folder + "/"):
                for quoted, name in includes(path):
                    fault = fault_of(path, quoted, name, public)
                    if fault:
                        faults.append(f"{path} includes {name}: {fault}")
        tap.case(title, faults)
    tap.case("the umbrella header names all public headers",
             sorted(public - {"kette.h"} - {name for _, name in includes("runtime/kette.h")}))
    tap.done()


main()
