#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Networks of torchvision as PyTorch's two exporters write them: the outputs are PyTorch's, and so
are the parameters after 20 steps of SGD from the same start with the same batches, norm-wise to
1e-4. Batch normalisation trains with the statistics of each batch.

With fresh weights each step multiplies small differences (MobileNetV2: up to 100 times, so that
PyTorch itself ends elsewhere when its weights are moved by 1e-14). So the 20 steps begin where
PyTorch has trained for a while, on pictures of Fashion-MNIST: from there a difference of 1e-14
stays one. In float one ReLU6 in millions takes its other branch, and that moves the gradient by up
to 5e-4; how far PyTorch in double is from PyTorch in float is told beside. One step in double is
compared from fresh weights, too.

Takes minutes: only with KETTE_LONG=1 (./dev models).
"""
import copy
import functools
import gzip
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

FASHION = "/usr/share/datasets/fashion-mnist"  # Debian's dataset-fashion-mnist
BATCH, SAMPLES, SIZE = 32, 128, 64
RATES = {torch.float32: 2 ** -7, torch.float64: 2 ** -5}  # exact in float, too
LIMITS = {torch.float32: 1e-4, torch.float64: 1e-10}
LEAST_MOVES = {torch.float32: 5e-4, torch.float64: 1e-3}
START_STEPS, START_BATCH, START_RATE = 300, 16, 0.01
NETS = {"resnet18": {}, "mobilenet_v2": {"dropout": 0.0}}  # masks would be others


def test_outputs(folder, name, how):
    net, x = peer_export.network(name), torch.rand(1, 3, 224, 224)
    path = os.path.join(folder, "net.onnx")
    peer_export.export(net, x, path, how)
    got = run_kette(path, {"x": x.numpy()}, ["y"], folder)[0]
    with torch.inference_mode():
        apart = distance(net(x).numpy(), got)
    print(f"# {apart:.1e} apart")
    assert apart <= 1e-4, f"outputs are {apart:.2e} apart, may be 1e-4"


def read_idx(kind, head):
    with gzip.open(f"{FASHION}/train-{kind}-ubyte.gz") as f:
        return np.frombuffer(f.read(), np.uint8, offset=head)


@functools.lru_cache(1)
def pictures():
    """The first of Fashion-MNIST, grey as three channels of SIZE x SIZE, and their classes."""
    n = START_STEPS * START_BATCH + SAMPLES
    x = read_idx("images-idx3", 16)[:n * 28 * 28].reshape(n, 1, 28, 28) / np.float32(255)
    x = torch.nn.functional.interpolate(torch.from_numpy(x), (SIZE, SIZE), mode="bilinear", align_corners=False)
    return x.expand(-1, 3, -1, -1).contiguous(), torch.from_numpy(read_idx("labels-idx1", 8)[:n].astype(np.int64))


def descend(net, optimizer, x, t, steps, batch, each=lambda: None):
    """The loss of each step."""
    losses = []
    net.train()
    for step in range(steps):
        at = step * batch % len(x)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x[at:at + batch]), t[at:at + batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        each()
    net.eval()
    return losses


@functools.lru_cache(1)
def trained_start(name):
    """A network that PyTorch has trained with momentum, at a rate that sinks to nothing."""
    net = peer_export.network(name, size=SIZE, classes=10, **NETS[name])
    optimizer = torch.optim.SGD(net.parameters(), lr=START_RATE, momentum=0.9)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, START_STEPS)
    x, t = pictures()
    losses = descend(net, optimizer, x[SAMPLES:], t[SAMPLES:], START_STEPS, START_BATCH, slower.step)
    print(f"# start: loss {losses[0]:.2f}, after {START_STEPS} steps of PyTorch {np.mean(losses[-20:]):.2f}")
    return net, x[:SAMPLES], t[:SAMPLES]


@functools.lru_cache(1)
def fresh_start(name):
    random = np.random.default_rng(5)
    x, t = random.random((SAMPLES, 3, 32, 32), np.float32), random.integers(0, 10, SAMPLES)
    return peer_export.network(name, size=32, classes=10, **NETS[name]), torch.from_numpy(x), torch.from_numpy(t)


@functools.lru_cache(4)
def trained(start, name, dtype, rate, steps):
    """PyTorch's parameters, its statistics, and the losses."""
    net, x, t = start(name)
    net = copy.deepcopy(net).to(dtype)
    losses = descend(net, torch.optim.SGD(net.parameters(), lr=rate), x.to(dtype), t, steps, BATCH)
    state = {name: p.detach().numpy() for name, p in net.state_dict().items()}
    return {name: state[name] for name, _ in net.named_parameters()}, state, losses


def apart(one, other, names):
    """Norm-wise over all parameters, and the worst of them."""
    of = lambda p: np.concatenate([np.asarray(p[n], np.float64).ravel() for n in names])  # noqa: E731
    worst = max(names, key=lambda n: distance(other[n], one[n]))
    whole = distance(of(one), of(other))
    return whole, f"{whole:.1e} apart, most {worst}: {distance(one[worst], other[worst]):.1e}"


def train(folder, net, how, x, t, rate, steps):
    """Kette's initializers after the steps."""
    path, out = os.path.join(folder, "net.onnx"), os.path.join(folder, "trained.onnx")
    peer_export.export(net, x[:BATCH], path, how, trainable=True)
    np.save(os.path.join(folder, "x.npy"), x.numpy())
    np.save(os.path.join(folder, "t.npy"), t.numpy())
    kette("train", path, "--data", f"{folder}/x.npy", "--target", f"{folder}/t.npy", "--loss", "cross-entropy",
          "--optimizer", "sgd", "--lr", str(rate), "--batch", str(BATCH), "--epochs", str(steps),
          "--steps", str(steps), "--no-shuffle", "-q", "-o", out)
    return {i.name: onnx.numpy_helper.to_array(i) for i in onnx.load(out).graph.initializer}


def test_training(folder, name, how, start, dtype, steps):
    (net, x, t), rate, limit = start(name), RATES[dtype], LIMITS[dtype]
    begin = {n: p.detach().numpy() for n, p in net.named_parameters()}
    ours = train(folder, copy.deepcopy(net).to(dtype), how, x.to(dtype), t, rate, steps)
    theirs, state, losses = trained(start, name, dtype, rate, steps)
    names = [n for n in theirs if n in ours]
    assert len(names) == len(theirs), f"not in the file: {sorted(set(theirs) - set(names))[:5]}"
    means = [n for n in state if n.endswith("running_mean") and n in ours]
    results = {"Kette from PyTorch": apart(theirs, ours, names), "start from end": apart(theirs, begin, names),
               "running means": apart(state, ours, means)}
    if dtype is torch.float32:
        exact = trained(start, name, torch.float64, rate, steps)[0]
        results["PyTorch in double from float"] = apart(exact, theirs, names)
    print("\n".join(f"# {what}: {text}" for what, (_, text) in results.items()))
    for what in ("Kette from PyTorch", *(["running means"] if dtype is torch.float64 else [])):
        assert results[what][0] <= limit, f"{what}: {results[what][1]}, may be {limit:.0e}"
    if steps > 1:
        print("# loss: " + " ".join(f"{loss:.3f}" for loss in losses))
        assert results["start from end"][0] >= LEAST_MOVES[dtype], "the parameters hardly moved"
        assert np.mean(losses[-4:]) < 0.9 * np.mean(losses[:4]), "nothing was learned"


def main():
    torch.set_num_threads(1)
    chosen = sys.argv[1:]
    print(f"# PyTorch {torch.__version__}, torchvision {torchvision.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        kinds = [("outputs", test_outputs, ()),
                 ("1 training step in double", test_training, (fresh_start, torch.float64, 1)),
                 ("20 training steps in double", test_training, (trained_start, torch.float64, 20)),
                 ("20 training steps in float", test_training, (trained_start, torch.float32, 20))]
        if not os.path.isdir(FASHION):
            reason = " # SKIP skipped: Debian's dataset-fashion-mnist is not here"
            kinds[2:] = [(what + reason, lambda *_: None, ()) for what, _, _ in kinds[2:]]
        cases = [(f"{name}, {how} exporter: {what}", lambda test=test, name=name, how=how, more=more:
                  test(folder, name, how, *more))
                 for name in NETS for how in ("dynamo", "legacy") for what, test, more in kinds]
        sys.exit(run_cases([case for case in cases if all(word in case[0] for word in chosen)]))


main()
