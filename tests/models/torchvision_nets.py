#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Networks of torchvision as PyTorch's two exporters write them: the outputs are PyTorch's, and so
are the parameters after 20 steps of SGD from the same start with the same batches, norm-wise to
1e-4. Batch normalisation trains with the statistics of each batch.

Takes minutes: only with KETTE_LONG=1 (./dev models).
"""
import copy
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
for part in ("../onnx", "../../bench"):
    sys.path.insert(0, os.path.join(HERE, part))
from peer import distance, kette, np, onnx, run_cases, run_kette, skip  # noqa: E402

if os.environ.get("KETTE_LONG") != "1":
    skip("takes minutes: KETTE_LONG=1 or ./dev models")
try:
    import torch
    import torchvision
    import peer_export
except ImportError as error:
    skip(str(error))

LIMIT = 1e-4
STEPS, BATCH, SAMPLES, SIZE, CLASSES, RATE = 20, 8, 32, 64, 10, 0.01
NETS = {"resnet18": {}, "mobilenet_v2": {"dropout": 0.0}}  # masks would be others


def test_outputs(folder, name, how):
    net, x = peer_export.network(name), torch.rand(1, 3, 224, 224)
    path = os.path.join(folder, "net.onnx")
    peer_export.export(net, x, path, how)
    got = run_kette(path, {"x": x.numpy()}, ["y"], folder)[0]
    with torch.inference_mode():
        apart = distance(net(x).numpy(), got)
    print(f"# {apart:.1e} apart")
    assert apart <= LIMIT, f"outputs are {apart:.2e} apart, may be {LIMIT:.0e}"


def trained(net, x, t, dtype):
    """PyTorch's parameters and statistics after the steps."""
    net = copy.deepcopy(net).to(dtype).train()
    x, t = torch.from_numpy(x).to(dtype), torch.from_numpy(t)
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    for step in range(STEPS):
        at = step * BATCH % SAMPLES
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x[at:at + BATCH]), t[at:at + BATCH]).backward()
        optimizer.step()
    state = {name: p.detach().numpy() for name, p in net.state_dict().items()}
    return {name: state[name] for name, _ in net.named_parameters()}, state


def apart(one, other, names):
    """Norm-wise over all parameters, and the worst of them."""
    of = lambda p: np.concatenate([np.asarray(p[n], np.float64).ravel() for n in names])  # noqa: E731
    worst = max(names, key=lambda n: distance(other[n], one[n]))
    return distance(of(other), of(one)), worst, distance(other[worst], one[worst])


def test_training(folder, name, how):
    net = peer_export.network(name, size=SIZE, classes=CLASSES, **NETS[name])
    start = {n: p.detach().numpy().copy() for n, p in net.named_parameters()}
    path, out = os.path.join(folder, "net.onnx"), os.path.join(folder, "trained.onnx")
    peer_export.export(net, torch.rand(BATCH, 3, SIZE, SIZE), path, how, trainable=True)
    random = np.random.default_rng(5)
    x = random.random((SAMPLES, 3, SIZE, SIZE), np.float32)
    t = random.integers(0, CLASSES, SAMPLES)
    np.save(os.path.join(folder, "x.npy"), x)
    np.save(os.path.join(folder, "t.npy"), t)
    kette("train", path, "--data", f"{folder}/x.npy", "--target", f"{folder}/t.npy", "--loss", "cross-entropy",
          "--optimizer", "sgd", "--lr", str(RATE), "--batch", str(BATCH), "--epochs", str(STEPS * BATCH // SAMPLES),
          "--no-shuffle", "-q", "-o", out)
    ours = {i.name: onnx.numpy_helper.to_array(i) for i in onnx.load(out).graph.initializer}
    single, _ = trained(net, x, t, torch.float32)
    double, state = trained(net, x, t, torch.float64)
    names = [n for n in single if n in ours]
    assert len(names) == len(single), f"not in the file: {sorted(set(single) - set(names))[:5]}"
    lines = []
    for what, a, b in (("Kette, PyTorch", single, ours), ("Kette, PyTorch in double", double, ours),
                       ("PyTorch, PyTorch in double", double, single), ("before, after", double, start)):
        whole, worst, far = apart(a, b, names)
        lines.append((whole, f"{what}: {whole:.1e} apart, most {worst}: {far:.1e}"))
    means = [n for n in state if n.endswith("running_mean") and n in ours]
    whole, worst, far = apart(state, ours, means)
    lines.append((whole, f"running means: {whole:.1e} apart, most {worst}: {far:.1e}"))
    print("\n".join("# " + text for _, text in lines))
    assert lines[-1][0] <= LIMIT, f"{lines[-1][1]}, may be {LIMIT:.0e}"
    assert lines[3][0] > 1e-3, "nothing was learned"
    assert min(lines[0][0], lines[1][0]) <= LIMIT, f"parameters: {lines[0][1]}; may be {LIMIT:.0e}"


def main():
    torch.set_num_threads(2)
    chosen = sys.argv[1:]
    print(f"# PyTorch {torch.__version__}, torchvision {torchvision.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        cases = [(f"{name}, {how} exporter: {what}", lambda test=test, name=name, how=how: test(folder, name, how))
                 for name in NETS for how in ("dynamo", "legacy")
                 for what, test in (("outputs", test_outputs), ("20 training steps", test_training))]
        sys.exit(run_cases([case for case in cases if all(word in case[0] for word in chosen)]))


main()
