#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole networks on the guard device have the bits of the CPU: those of ../shared/zoo; and with
KETTE_LONG=1 (./dev devices) and the Python of $KETTE_PEERS, torchvision's, also their training.
"""
import json
import os
import pathlib
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
for part in ("../models", "../onnx", "../../bench"):
    sys.path.insert(0, os.path.join(HERE, part))
from files import SHARED, kette, run_cases, skip  # noqa: E402

LONG = os.environ.get("KETTE_LONG") == "1"
QUICK = ("cnn-mnist8", "quant-kws-fp32-twin")
PLACES = {"guard": ["--device", "guard:0"],
          "two guards": ["--device", "guard:0", "--place", "Conv*=guard:1", "--place", "*Pool*=guard:1"],
          "guard and CPU": ["--place", "Conv*=guard:0", "--place", "Gemm=guard:1", "--place", "*Batch*=guard:1"]}
STEPS, BATCH, SIZE = 4, 8, 32


def run(folder, model, inputs, outputs, words):
    """The bytes of the outputs."""
    files = [os.path.join(folder, f"out{i}.npy") for i in range(len(outputs))]
    command = ["run", model, *words]
    for name, file in inputs.items():
        command += ["--input", f"{name}={file}"]
    for name, file in zip(outputs, files):
        command += ["--output", f"{name}={file}"]
    kette(*command)
    return [pathlib.Path(file).read_bytes() for file in files]


def test_outputs(folder, model, inputs, outputs):
    want = run(folder, model, inputs, outputs, [])
    for place, words in PLACES.items():
        got = run(folder, model, inputs, outputs, words)
        for name, a, b in zip(outputs, got, want):
            assert a == b, f"{name} on {place} has other bits"


def test_zoo(folder, name):
    place = SHARED / "zoo" / name
    names = json.loads((place / "io.json").read_text(encoding="utf-8"))
    inputs = {value: place / f"in{i}.npy" for i, value in enumerate(names["inputs"])}
    try:
        run(folder, place / "model.onnx", inputs, names["outputs"], [])
    except RuntimeError as fault:
        if ": unsupported: " in str(fault):
            return f"not on the CPU either: {fault}"
        raise
    return test_outputs(folder, place / "model.onnx", inputs, names["outputs"])


def zoo():
    names = [path.parent.name for path in sorted((SHARED / "zoo").glob("*/io.json"))
             if (path.parent / "model.onnx").is_file()]
    return [name for name in names if LONG or name in QUICK]


def test_torchvision(folder, name, how, trained):
    import numpy
    import onnx
    import torch
    import peer_export

    torch.manual_seed(1)
    size = SIZE if trained else 224
    net = peer_export.network(name, size=size, classes=10)
    path = os.path.join(folder, "net.onnx")
    x = torch.rand(BATCH * STEPS if trained else 1, 3, size, size)
    peer_export.export(net, x[:BATCH], path, how, trainable=trained)
    numpy.save(os.path.join(folder, "x.npy"), x.numpy())
    if not trained:
        test_outputs(folder, path, {"x": os.path.join(folder, "x.npy")}, ["y"])
        return
    numpy.save(os.path.join(folder, "t.npy"), numpy.arange(BATCH * STEPS) % 10)
    want = None
    for place, words in {"CPU": [], **PLACES}.items():
        out = os.path.join(folder, "trained.onnx")
        kette("train", path, "--data", f"{folder}/x.npy", "--target", f"{folder}/t.npy", "--loss", "cross-entropy",
              "--optimizer", "adam", "--batch", str(BATCH), "--epochs", "1", "--no-shuffle", "-q", "-o", out, *words)
        got = {i.name: onnx.numpy_helper.to_array(i).tobytes() for i in onnx.load(out).graph.initializer}
        want = want or got
        other = [name for name in want if got.get(name) != want[name]]
        assert not other, f"trained on {place}, {len(other)} of {len(want)} tensors have other bits: {other[:3]}"


def main():
    here = zoo()
    cases = [(f"zoo: {name}", lambda folder, name=name: test_zoo(folder, name)) for name in here]
    if LONG and os.environ.get("KETTE_PEERS"):
        import peer  # noqa: F401  starts the program again with that Python

        cases += [(f"{name}, {how} exporter: {what}", lambda folder, name=name, how=how, trained=trained:
                   test_torchvision(folder, name, how, trained))
                  for name in ("resnet18", "mobilenet_v2") for how in ("dynamo", "legacy")
                  for what, trained in (("outputs", False), (f"{STEPS} steps of training", True))]
    if not cases:
        skip("no ../shared/zoo beside the checkout")
    with tempfile.TemporaryDirectory() as folder:
        run_cases([(name, lambda case=case: case(folder)) for name, case in cases])


main()
