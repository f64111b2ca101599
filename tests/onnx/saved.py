#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Models that Kette loaded and saved again are the same models to other programs: real ones
(the folder shared/zoo next to the checkout) give the same outputs in ONNX Runtime, and ONNX's
checker accepts those of ONNX's own suite that it accepts as they are.
"""
import glob
import json
import os
import subprocess
import sys
import tempfile

from peer import SOURCE, near, np, onnx, run_cases, session

RESAVE = os.environ["KETTE_RESAVE"]
ZOO = os.path.join(SOURCE, "..", "shared", "zoo")
SUITE = "/usr/lib/python3/dist-packages/onnx/backend/test/data"


def resave(pairs):
    done = subprocess.run([RESAVE, *[path for pair in pairs for path in pair]], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr.strip() or f"exit {done.returncode}"


def test_zoo(folder, place):
    path, out = os.path.join(place, "model.onnx"), os.path.join(folder, "saved.onnx")
    resave([(path, out)])
    onnx.checker.check_model(out)
    with open(os.path.join(place, "io.json"), encoding="utf-8") as file:
        io = json.load(file)
    feeds = {name: np.load(os.path.join(place, f"in{k}.npy")) for k, name in enumerate(io["inputs"])}
    for name, a, b in zip(io["outputs"], session(path).run(io["outputs"], feeds), session(out).run(io["outputs"], feeds)):
        near(name, a, b)


def is_accepted(path):
    try:
        onnx.checker.check_model(path)
        return True
    except onnx.checker.ValidationError:
        return False


def test_suite(folder, kind):
    """What the message says is the same, whatever the order of its fields; the producer is ours."""
    pairs = [(path, os.path.join(folder, f"{kind}{i}.onnx"))
             for i, path in enumerate(sorted(glob.glob(os.path.join(SUITE, kind, "*", "model.onnx"))))]
    assert pairs, "no models"
    resave(pairs)
    faults = []
    for path, out in pairs:
        if onnx.load(path).graph.SerializeToString(True) != onnx.load(out).graph.SerializeToString(True):
            faults.append(f"{path}: the graph differs")
        if is_accepted(path) and not is_accepted(out):
            faults.append(f"{path}: saved again, the checker refuses it")
        os.remove(out)
    assert not faults, "\n".join([f"{len(faults)} of {len(pairs)}"] + faults)


def main():
    with tempfile.TemporaryDirectory() as folder:
        cases = [(f"{os.path.basename(place)} saved again", lambda place=place: test_zoo(folder, place))
                 for place in sorted(glob.glob(os.path.join(ZOO, "*", "")))
                 for place in [place.rstrip("/")]]
        cases += [(f"ONNX's {kind} models saved again", lambda kind=kind: test_suite(folder, kind))
                  for kind in ("node", "simple", "pytorch-converted", "pytorch-operator")
                  if os.path.isdir(os.path.join(SUITE, kind))]
        if not cases:
            print("1..0 # SKIP neither the zoo nor libonnx-testdata is here")
            sys.exit(0)
        sys.exit(run_cases(cases))


main()
