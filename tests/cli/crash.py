#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A plugin that crashes or ends the program is named, with its node; the signal stays what it was."""
import os
import resource
import signal
import tempfile

import command
import model
from command import case, end, kette, notes, write_npy

PLUGIN = os.environ["KETTE_FAULTY"]
NODE = 'plugin "kette-faulty.so", node "n0" (Fault)'


def fault(folder, how, *words, **more):
    path = model.write(os.path.join(folder, how + ".onnx"),
                       [model.node("Fault", ["x"], ["y"], "n0", "faulty", [model.text_attr("how", how)])],
                       [model.info("x", [4])], [model.info("y", [4])], domains=["faulty"])
    x = write_npy(os.path.join(folder, "x.npy"), [4], [1, 2, 3, 4])
    return kette("--plugin", PLUGIN, "run", path, "--input", f"x={x}", *words, **more)


def main():
    # Crashes leave no core behind, and a sanitizer takes no part in them.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ["ASAN_OPTIONS"] = "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_abort=0:use_sigaltstack=0"
    with tempfile.TemporaryDirectory() as folder:
        run = fault(folder, "")
        case("the plugin works where nothing is wrong", run.returncode == 0 and "y = float32[4]" in run.stdout,
             *notes(run))
        for how, number in (("segv", signal.SIGSEGV), ("fpe", signal.SIGFPE), ("abort", signal.SIGABRT),
                            ("worker", signal.SIGSEGV), ("overflow", signal.SIGSEGV)):
            run = fault(folder, how, "--threads", "3")
            case(f"{how}: named", run.returncode == -number
                 and run.stderr == f"kette: crashed in {NODE} (signal {number})\n", *notes(run))
        for how in ("infer", "prepare"):
            run = fault(folder, how)
            case(f"crash in {how}: named", run.returncode == -signal.SIGSEGV
                 and run.stderr == f"kette: crashed in {NODE}, {how} (signal 11)\n", *notes(run))
        run = fault(folder, "exit")
        case("exit () of a plugin is no success", run.returncode == 69
             and run.stderr == f"kette: the program was ended by {NODE}\n", *notes(run))
    end()


assert command
main()
