#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`kette grad --standard` of whole networks: only ONNX's operators, accepted by its checker, and
ONNX Runtime computes from them what Kette computes with its own kernels; where PyTorch is
installed, its autograd too. Norm-wise to 1e-5 per gradient.

With KETTE_LONG=1 also torchvision's ResNet-18.
"""
import copy
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
for part in ("../onnx", "../../examples/cnn", "../../bench"):
    sys.path.insert(0, os.path.join(HERE, part))
from peer import distance, kette, np, onnx, run_cases, run_kette, session  # noqa: E402
import network  # noqa: E402

try:
    import torch
    import torch_network
except ImportError:
    torch = None

LIMIT = 1e-5
NETWORKS = {
    "MLP": ("64 sigmoid 32 relu 10", [40], 12),
    "CNN": ("conv8 relu conv12 relu pool2 flatten 32 relu 10", [1, 14, 14], 6),
    "CNN with batch normalisation, padding, strides of pools":
        ("conv6x5p2 bn relu pool2 conv8x3p1 bn relu mean2 flatten 10", [3, 12, 12], 5),
}


def with_loss(path, out, batch):
    """MODEL with cross-entropy of y and labels t as its only output."""
    model, helper = onnx.load(path), onnx.helper
    y = model.graph.output[0].name
    model.graph.input.append(helper.make_tensor_value_info("t", onnx.TensorProto.INT64, [batch]))
    model.graph.node.append(helper.make_node("SoftmaxCrossEntropyLoss", [y, "t"], ["E"], name="loss"))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("E", onnx.TensorProto.FLOAT, []))
    onnx.save(model, out)


def from_torch(net, feeds):
    """{name: gradient} of PyTorch's autograd, in evaluation mode; in double what rounds least."""
    net = net.double().eval()
    x = torch.from_numpy(feeds["x"]).double().requires_grad_(True)
    torch.nn.functional.cross_entropy(net(x), torch.from_numpy(feeds["t"])).backward()
    return x.grad.numpy(), {name: p.grad.numpy() for name, p in net.named_parameters()}


def gradients(path, feeds, folder):
    """(names, Kette's own, Kette's of the standard form, ONNX Runtime's of it)."""
    results = []
    for standard in (False, True):
        out = os.path.join(folder, f"grad-{standard}.onnx")
        kette("grad", path, "--of", "E", "--wrt", "*", "-o", out, *(["--standard"] if standard else []))
        if standard:
            onnx.checker.check_model(out, full_check=True)
            model = onnx.load(out)
            domains = {node.domain for node in model.graph.node} - {"", "ai.onnx"}
            assert not domains and not model.functions, f"operators of {domains}, {len(model.functions)} functions"
        names = [output.name for output in onnx.load(out).graph.output if output.name != "E"]
        results.append(run_kette(out, feeds, names, folder))
    return names, results[0], results[1], session(out).run(names, feeds)


def compare(path, feeds, folder, theirs=None):
    """THEIRS: (gradient of x, [those of the weights, in the file's order] or {name: gradient})."""
    names, fused, standard, ort = gradients(path, feeds, folder)
    weights = [t.name for t in onnx.load(path).graph.initializer if f"grad/{t.name}" in names]
    assert len(weights) >= 4 and "grad/x" in names, f"gradients of {names}"
    worst, faults = {"standard": 0.0, "ONNX Runtime": 0.0, "PyTorch": 0.0}, []
    for i, name in enumerate(names):
        pairs = [("standard", standard[i]), ("ONNX Runtime", ort[i])]
        if theirs:
            key = name[5:]
            truth = theirs[0] if key == "x" else theirs[1].get(key)
            pairs += [("PyTorch", truth)] if truth is not None else []
        for what, other in pairs:
            d = distance(other, fused[i])
            worst[what] = max(worst[what], d)
            if not d <= LIMIT:
                faults.append(f"{name}: {what} is {d:.2e} apart")
    told = f"{len(names)} gradients; " + ", ".join(f"{k} {v:.1e} apart" for k, v in worst.items() if v)
    assert not faults, f"{told}; may be {LIMIT:.0e}: {faults[0]}"
    return told


def test_network(folder, words, shape, batch):
    plain, path = os.path.join(folder, "plain.onnx"), os.path.join(folder, "loss.onnx")
    with open(plain, "wb") as f:
        f.write(network.sequential(words.split(), shape, 3, batch))
    with_loss(plain, path, batch)
    random = np.random.default_rng(2)
    feeds = {"x": random.random((batch, *shape), np.float32), "t": random.integers(0, 10, batch)}
    theirs = None
    if torch:
        net = torch_network.read(plain)
        files = [t.name for t in onnx.load(plain).graph.initializer if not t.name.endswith((".mean", ".var"))]
        of_x, of_weights = from_torch(net, feeds)
        theirs = of_x, dict(zip(files, of_weights.values()))
    print("# " + compare(path, feeds, folder, theirs))


def test_resnet(folder, how):
    """Of three batches two must agree: where one of half a million relus is near 0, rounding decides
    otherwise in one of the runtimes, and gradients differ by a hundredth."""
    import peer_export
    import torchvision
    torch.manual_seed(1)
    net = peer_export.network("resnet18", size=64, classes=10)
    plain, path = os.path.join(folder, "resnet.onnx"), os.path.join(folder, "loss.onnx")
    peer_export.export(net, torch.rand(4, 3, 64, 64), plain, how, trainable=True)
    with_loss(plain, path, 4)
    told, good = [f"torchvision {torchvision.__version__}"], 0
    for seed in (2, 3, 4):
        random = np.random.default_rng(seed)
        feeds = {"x": random.random((4, 3, 64, 64), np.float32), "t": random.integers(0, 10, 4)}
        try:
            told.append(compare(path, feeds, folder, from_torch(copy.deepcopy(net), feeds)))
            good += 1
        except AssertionError as fault:
            told.append(str(fault))
    print("\n".join("# " + line for line in told))
    assert good >= 2, "less than two of three batches agree"


def main():
    with tempfile.TemporaryDirectory() as folder:
        cases = [(name, lambda n=n: test_network(folder, *n)) for name, n in NETWORKS.items()]
        if torch and os.environ.get("KETTE_LONG") == "1":
            cases += [(f"ResNet-18, {how} exporter", lambda how=how: test_resnet(folder, how))
                      for how in ("dynamo", "legacy")]
        sys.exit(run_cases(cases))


main()
