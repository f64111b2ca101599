#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time limits and signals: every verb that computes ends soon, with the right status and one line."""
import os
import random
import signal
import subprocess
import tempfile
import time

import model
from command import KETTE, LECTURE, case, end, kette, notes, refused, write_npy

PLUGIN = os.environ["KETTE_FAULTY"]
# A step of these models, and what a busy machine adds to it.
LATE = float(os.environ.get("KETTE_LATE", "0.2")) + 1.0


def chain(folder, name, n, size, constant=False):
    """N products of SIZE x SIZE matrices, of an input or of constants (folded while loading)."""
    weights = model.floats("w", [size, size], [1 / size] * (size * size))
    nodes = [model.node("MatMul", [f"v{i}", "w"], [f"v{i + 1}"], f"n{i}") for i in range(n)]
    first = model.floats("v0", [size, size], [1.0] * (size * size))
    return model.write(os.path.join(folder, name + ".onnx"), nodes,
                       [] if constant else [model.info("v0", [size, size])], [model.info(f"v{n}", [size, size])],
                       [weights, first] if constant else [weights])


def fault(folder, how):
    return model.write(os.path.join(folder, how + ".onnx"),
                       [model.node("Fault", ["x"], ["y"], "n0", "faulty", [model.text_attr("how", how)])],
                       [model.info("x", [4])], [model.info("y", [4])], domains=["faulty"])


def timed(name, limit, where, *words, **more):
    began = time.monotonic()
    run = kette(*words, "--time-limit", limit, **more)
    seconds = time.monotonic() - began
    refused(name, run, 70, f"timeout: {where}", f"the time limit of {limit} s passed after ")
    late = float(run.stderr.rsplit("after ", 1)[-1].split()[0]) - limit if "after " in run.stderr else 9
    case(f"{name}: soon", late < LATE, f"{late:.2f} s late, {seconds:.2f} s in all")
    print(f"# {late * 1000:.0f} ms late")


def interrupted(name, number, *words):
    process = subprocess.Popen([KETTE, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    time.sleep(random.uniform(0.3, 0.6))
    process.send_signal(number)
    began = time.monotonic()
    out, err = process.communicate(timeout=60)
    late = time.monotonic() - began
    case(name, process.returncode == 128 + number and f"stopped by {number.name}" in err and err.count("\n") == 1,
         f"exit {process.returncode}", err, out)
    case(f"{name}: soon", late < LATE, f"{late:.2f} s")


def main():
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # where it is ignored, the command ignores it too
    with tempfile.TemporaryDirectory() as folder:
        x = write_npy(os.path.join(folder, "x.npy"), [4], [1, 2, 3, 4])
        v = write_npy(os.path.join(folder, "v.npy"), [300, 300], [1.0] * 90000)
        products, fewer = chain(folder, "products", 20000, 300), chain(folder, "fewer", 1000, 300)
        constants = chain(folder, "constants", 1000, 400, True)
        endless, asking = fault(folder, "endless"), fault(folder, "asking")
        faulty = ("--plugin", PLUGIN)
        timed("run, a long chain", 0.5, "", "run", products, "--input", f"v0={v}")
        timed("run, constants that are folded", 0.3, "", "run", constants)
        timed("run, one endless step in tiles", 0.3, 'node "n0" (Fault)', *faulty, "run", endless, "--input", f"x={x}")
        timed("run, an endless step that asks", 0.3, 'node "n0" (Fault)', *faulty, "run", asking, "--input", f"x={x}")
        timed("bench", 0.4, "", "bench", products, "--seconds", "1000")
        timed("grad", 0.4, "", "grad", fewer, "--wrt", "w", "--input", f"v0={v}")
        for number in (signal.SIGINT, signal.SIGTERM):
            interrupted(f"run, {number.name}", number, "run", products, "--input", f"v0={v}")
            interrupted(f"run in tiles, {number.name}", number, *faulty, "run", endless, "--input", f"x={x}")
            interrupted(f"bench, {number.name}", number, "bench", LECTURE, "--seconds", "1000")
        endless, _ = os.pipe()  # nothing is ever written to it
        timed("standard input that never ends", 0.3, "the time limit", "info", "-", stdin=endless)
        with open("/dev/zero", "rb") as zeros:
            timed("standard input without end", 0.3, "the time limit", "info", "-", stdin=zeros)
        for bad in ("-1", "x", "nan", "1e999", "3s"):
            run = kette("run", LECTURE, f"--time-limit={bad}")
            case(f"--time-limit {bad}", run.returncode == 64 and "--time-limit" in run.stderr, *notes(run))
        run = kette("info", LECTURE, "--time-limit", "100")
        case("a limit that is not reached", run.returncode == 0, *notes(run))
    end()


main()
