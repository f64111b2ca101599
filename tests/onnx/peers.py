#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Kette writes, in other programs: ONNX's checker accepts the trained file and the files of
`kette grad`, and ONNX Runtime computes the same outputs and gradients from them (1e-5).

Runs itself again with the Python of $KETTE_PEERS, which has onnx, onnxruntime and numpy; without
one it says so and is skipped.
"""
import os
import struct
import subprocess
import sys
import tempfile

PEERS = os.environ.get("KETTE_PEERS", "")
SOURCE = os.environ.get("KETTE_SOURCE", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
KETTE = os.environ.get("KETTE", "kette")
MODEL = os.path.join(SOURCE, "examples", "lecture", "lecture.onnx")
LIMIT = 1e-5


def skip(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


if not PEERS:
    skip("needs the Python packages onnx and onnxruntime (KETTE_PEERS)")
if os.environ.get("KETTE_INSIDE_PEERS") != "1":
    environment = {**os.environ, "KETTE_INSIDE_PEERS": "1"}
    environment.pop("LD_LIBRARY_PATH", None)
    os.execve(PEERS, [PEERS, os.path.abspath(__file__)], environment)
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


def images(folder, n):
    """N pictures of random bytes with their labels, as IDX files."""
    random = np.random.default_rng(1)
    x, t = random.integers(0, 256, (n, 28, 28), np.uint8), random.integers(0, 10, n).astype(np.uint8)
    with open(os.path.join(folder, "x"), "wb") as f:
        f.write(struct.pack(">IIII", 0x803, n, 28, 28) + x.tobytes())
    with open(os.path.join(folder, "t"), "wb") as f:
        f.write(struct.pack(">II", 0x801, n) + t.tobytes())
    return x.reshape(n, 784).astype(np.float32) / 255


def train(folder, optimizer, *more):
    out = os.path.join(folder, f"{optimizer}.onnx")
    kette("train", MODEL, "--data", f"{folder}/x", "--target", f"{folder}/t", "--loss", "half-sse",
          "--optimizer", optimizer, "--batch", "10", "--epochs", "2", "-q", "-o", out, *more)
    return out


def loss_model(folder):
    """The lecture's network with 1/2 sum (y - t)^2 / B as its only output, in ONNX's operators."""
    model = onnx.load(MODEL)
    graph, helper = model.graph, onnx.helper
    graph.input.append(helper.make_tensor_value_info("t", onnx.TensorProto.FLOAT, ["N", 10]))
    for name, value in (("half", 0.5), ("two", 2.0)):
        graph.initializer.append(helper.make_tensor(name, onnx.TensorProto.FLOAT, [], [value]))
    graph.initializer.append(helper.make_tensor("axes", onnx.TensorProto.INT64, [1], [1]))
    graph.node.extend([
        helper.make_node("Sub", ["y", "t"], ["d"]), helper.make_node("Pow", ["d", "two"], ["d2"]),
        helper.make_node("ReduceSum", ["d2", "axes"], ["s"], keepdims=0),
        helper.make_node("ReduceMean", ["s"], ["m"], keepdims=0),
        helper.make_node("Mul", ["m", "half"], ["E"])])
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("E", onnx.TensorProto.FLOAT, []))
    path = os.path.join(folder, "loss.onnx")
    onnx.save(model, path)
    return path


def test_trained(folder, x, optimizer):
    path = train(folder, optimizer)
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    assert len(model.training_info) == 1, "no training_info"
    ours = run_kette(path, {"x": x}, ["y"], folder)[0]
    theirs = session(path).run(["y"], {"x": x})[0]
    near("outputs", ours, theirs)
    assert distance(ours, session(MODEL).run(["y"], {"x": x})[0]) > 0.01, "nothing was learned"


def test_gradients(folder, x, standard):
    path = os.path.join(folder, "grad.onnx")
    kette("grad", loss_model(folder), "--of", "E", "-o", path, *(["--standard"] if standard else []))
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    domains = {node.domain for node in model.graph.node} - {"", "ai.onnx"}
    assert not (standard and domains), f"operators of {domains}"
    names = [o.name for o in model.graph.output]
    wanted = {f"grad/layer{i}.{p}" for i in (1, 2) for p in "Wb"}
    assert wanted <= set(names), f"outputs {names}, not {sorted(wanted)}"
    feeds = {"x": x, "t": np.eye(10, dtype=np.float32)[np.arange(len(x)) % 10]}
    for name, a, b in zip(names, run_kette(path, feeds, names, folder), session(path).run(names, feeds)):
        near(name, a, b)


def test_numpy(folder, x):
    """The gradients against the chain rule by hand, in float64."""
    path = os.path.join(folder, "grad64.onnx")
    kette("grad", loss_model(folder), "--of", "E", "-o", path)
    p = {i.name: onnx.numpy_helper.to_array(i).astype(np.float64) for i in onnx.load(MODEL).graph.initializer}
    t = np.eye(10)[np.arange(len(x)) % 10]
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    h = sigmoid(x @ p["layer1.W"] + p["layer1.b"])
    y = sigmoid(h @ p["layer2.W"] + p["layer2.b"])
    dz2 = (y - t) / len(x) * y * (1 - y)
    dz1 = dz2 @ p["layer2.W"].T * h * (1 - h)
    want = {"grad/layer2.W": h.T @ dz2, "grad/layer2.b": dz2.sum(0), "grad/layer1.W": x.T @ dz1, "grad/layer1.b": dz1.sum(0)}
    got = run_kette(path, {"x": x, "t": t.astype(np.float32)}, list(want), folder)
    for (name, a), b in zip(want.items(), got):
        near(name, a, b)


def main():
    with tempfile.TemporaryDirectory() as folder:
        x = images(folder, 200)
        cases = [(f"trained with {o}", lambda o=o: test_trained(folder, x, o)) for o in ("sgd", "momentum", "adam")]
        cases += [("gradients in ONNX's operators", lambda: test_gradients(folder, x, True)),
                  ("gradients with functions of domain kette", lambda: test_gradients(folder, x, False)),
                  ("gradients by hand", lambda: test_numpy(folder, x))]
        print(f"1..{len(cases)}")
        for n, (name, case) in enumerate(cases, 1):
            try:
                case()
                print(f"ok {n} - {name}")
            except Exception as fault:  # every fault of a peer is a failed case
                print(f"not ok {n} - {name}")
                print("\n".join("# " + line for line in f"{type(fault).__name__}: {fault}".splitlines()[:12]))


main()
