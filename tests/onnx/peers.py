#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Kette writes, in other programs: ONNX's checker accepts the trained file and the files of
`kette grad`, and ONNX Runtime computes the same outputs and gradients from them (1e-5).
"""
import os
import struct
import sys
import tempfile

from peer import SOURCE, distance, kette, near, np, onnx, run_cases, run_kette, session

MODEL = os.path.join(SOURCE, "examples", "lecture", "lecture.onnx")


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
        sys.exit(run_cases(cases))


main()
