# SPDX-License-Identifier: Apache-2.0
"""What the tests with other ONNX programs share. Importing it runs the program again with the
Python of $KETTE_PEERS, which has onnx, onnxruntime and numpy; without one the test says so and
is skipped.
"""
import os
import subprocess
import sys

PEERS = os.environ.get("KETTE_PEERS", "")
SOURCE = os.environ.get("KETTE_SOURCE", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
KETTE = os.environ.get("KETTE", "kette")
LIMIT = 1e-5


def skip(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


if not PEERS:
    skip("needs the Python packages onnx and onnxruntime (KETTE_PEERS)")
if os.environ.get("KETTE_INSIDE_PEERS") != "1":
    environment = {**os.environ, "KETTE_INSIDE_PEERS": "1"}
    environment.pop("LD_LIBRARY_PATH", None)
    os.execve(PEERS, [PEERS, os.path.abspath(sys.argv[0]), *sys.argv[1:]], environment)
try:
    import numpy as np
    import onnx
    import onnxruntime
except ImportError as error:
    skip(f"{PEERS}: {error}")


def kette(*words):
    run = subprocess.run([KETTE, *words], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(f"kette {' '.join(words)}: exit {run.returncode}: {run.stderr.strip()}")
    return run.stdout


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def distance(a, b):
    """Norm-wise relative distance."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert a.shape == b.shape, f"shapes {a.shape} and {b.shape}"
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(a), 1e-30))


def near(what, a, b):
    d = distance(a, b)
    assert d <= LIMIT, f"{what} differ by {d:.2e}, may by {LIMIT:.0e}"


def run_kette(model, feeds, outputs, folder):
    words = ["run", model]
    for name, array in feeds.items():
        np.save(os.path.join(folder, name + ".npy"), array)
        words += ["--input", f"{name}={folder}/{name}.npy"]
    for i, name in enumerate(outputs):
        words += ["--output", f"{name}={folder}/out{i}.npy"]
    kette(*words)
    return [np.load(os.path.join(folder, f"out{i}.npy")) for i in range(len(outputs))]


def run_cases(cases):
    """Pairs of a name and a function that raises; the exit status."""
    print(f"1..{len(cases)}")
    failed = 0
    for n, (name, case) in enumerate(cases, 1):
        try:
            case()
            print(f"ok {n} - {name}")
        except Exception as fault:  # every fault of a peer is a failed case
            failed += 1
            print(f"not ok {n} - {name}")
            print("\n".join("# " + line for line in f"{type(fault).__name__}: {fault}".splitlines()[:12]))
    return failed > 0
