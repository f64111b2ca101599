#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Networks of torchvision as PyTorch's two exporters write them: the outputs are PyTorch's, and so
are the parameters after 20 steps of SGD from the same start with the same batches, norm-wise to
1e-4. Batch normalisation trains with the statistics of each batch.

A network with fresh weights multiplies small differences: after one step in double Kette and
PyTorch are 1e-14 apart, and in MobileNetV2 each further step makes that up to 100 times as much.
So one step in double is compared closely; after 20 Kette may be 1e-4 apart, or twice as far as
PyTorch from itself: in double, begun from weights that differ by 1e-14; in float, from double.

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
STEPS, BATCH, SAMPLES, CLASSES = 20, 8, 32, 10
NETS = {"resnet18": {}, "mobilenet_v2": {"dropout": 0.0}}  # masks would be others
RATES = {"resnet18": 2 ** -7, "mobilenet_v2": 2 ** -12}  # exact in float, too


def test_outputs(folder, name, how):
    net, x = peer_export.network(name), torch.rand(1, 3, 224, 224)
    path = os.path.join(folder, "net.onnx")
    peer_export.export(net, x, path, how)
    got = run_kette(path, {"x": x.numpy()}, ["y"], folder)[0]
    with torch.inference_mode():
        apart = distance(net(x).numpy(), got)
    print(f"# {apart:.1e} apart")
    assert apart <= LIMIT, f"outputs are {apart:.2e} apart, may be {LIMIT:.0e}"


def trained(net, x, t, dtype, rate, steps, moved=0.0):
    """PyTorch's parameters and statistics after the steps; MOVED: from other weights, by that."""
    net = copy.deepcopy(net).to(dtype).train()
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(1 + moved)
    x, t = torch.from_numpy(x).to(dtype), torch.from_numpy(t)
    optimizer = torch.optim.SGD(net.parameters(), lr=rate)
    for step in range(steps):
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
    whole = distance(of(one), of(other))
    return whole, f"{whole:.1e} apart, most {worst}: {distance(one[worst], other[worst]):.1e}"


def train(folder, net, how, x, t, rate, steps):
    """Kette's initializers after the steps."""
    path, out = os.path.join(folder, "net.onnx"), os.path.join(folder, "trained.onnx")
    peer_export.export(net, torch.from_numpy(x[:BATCH]), path, how, trainable=True)
    np.save(os.path.join(folder, "x.npy"), x)
    np.save(os.path.join(folder, "t.npy"), t)
    kette("train", path, "--data", f"{folder}/x.npy", "--target", f"{folder}/t.npy", "--loss", "cross-entropy",
          "--optimizer", "sgd", "--lr", str(rate), "--batch", str(BATCH), "--epochs", str(STEPS * BATCH // SAMPLES),
          "--steps", str(steps), "--no-shuffle", "-q", "-o", out)
    return {i.name: onnx.numpy_helper.to_array(i) for i in onnx.load(out).graph.initializer}


def test_training(folder, name, how, dtype, size, steps):
    rate = RATES[name] if dtype is torch.float64 else 2 ** -13
    net = peer_export.network(name, size=size, classes=CLASSES, **NETS[name]).to(dtype)
    start = {n: p.detach().numpy().copy() for n, p in net.named_parameters()}
    random = np.random.default_rng(5)
    x = random.random((SAMPLES, 3, size, size), np.float32)
    x, t = x.astype(np.float64 if dtype is torch.float64 else np.float32), random.integers(0, CLASSES, SAMPLES)
    ours = train(folder, net, how, x, t, rate, steps)
    theirs, state = trained(net, x, t, dtype, rate, steps)
    names = [n for n in theirs if n in ours]
    assert len(names) == len(theirs), f"not in the file: {sorted(set(theirs) - set(names))[:5]}"
    means = [n for n in state if n.endswith("running_mean") and n in ours]
    results = {"Kette from PyTorch": apart(theirs, ours, names), "start from end": apart(theirs, start, names),
               "running means": apart(state, ours, means)}
    other = (torch.float64, rate, steps) if dtype is torch.float32 else (dtype, rate, steps, 1e-14)
    results["PyTorch from itself"] = apart(trained(net, x, t, *other)[0], theirs, names)
    print("\n".join(f"# {what}: {text}" for what, (_, text) in results.items()))
    limit = 1e-10 if steps == 1 else max(LIMIT, 2 * results["PyTorch from itself"][0])
    for what in ("Kette from PyTorch", *(["running means"] if steps == 1 else [])):
        assert results[what][0] <= limit, f"{what}: {results[what][1]}, may be {limit:.1e}"
    assert results["start from end"][0] > 1e-5, "nothing was learned"


def main():
    torch.set_num_threads(1)
    chosen = sys.argv[1:]
    print(f"# PyTorch {torch.__version__}, torchvision {torchvision.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        kinds = [("outputs", test_outputs, ()),
                 (f"{STEPS} training steps in double", test_training, (torch.float64, 32, STEPS)),
                 ("1 training step in double", test_training, (torch.float64, 32, 1)),
                 (f"{STEPS} training steps in float", test_training, (torch.float32, 64, STEPS))]
        cases = [(f"{name}, {how} exporter: {what}", lambda test=test, name=name, how=how, more=more:
                  test(folder, name, how, *more))
                 for name in NETS for how in ("dynamo", "legacy") for what, test, more in kinds]
        sys.exit(run_cases([case for case in cases if all(word in case[0] for word in chosen)]))


main()
