# SPDX-License-Identifier: Apache-2.0
"""PyTorch's times on a card, for tests/gpu/run.sh: a line "WHAT<TAB>HOW<TAB>MICROSECONDS" each.

A step does what Kette's does: the batch comes from the host's memory, the loss goes back to it.
eager: as one writes it. graph: the same recorded once and replayed (torch.cuda.CUDAGraph), the batch
copied in from pinned memory, the loss read. graph, data there: neither copied in nor read back.
Ends with status 3 and a reason where there is no PyTorch with a card.
"""
import statistics
import sys
import time

try:
    import torch
except ImportError as reason:
    sys.exit(print(f"no PyTorch: {reason}", file=sys.stderr) or 3)
if not torch.cuda.is_available():
    sys.exit(print(f"PyTorch {torch.__version__} sees no card", file=sys.stderr) or 3)

from torch import nn  # noqa: E402

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
torch.manual_seed(1)


def median(call):
    """Microseconds of a call: the median of rounds."""
    for _ in range(20):
        call()
    torch.cuda.synchronize()
    calls, rounds, begin = 1, [], time.perf_counter()
    while len(rounds) < 5 or time.perf_counter() - begin < SECONDS:
        start = time.perf_counter()
        for _ in range(calls):
            call()
        torch.cuda.synchronize()
        spent = time.perf_counter() - start
        if spent < SECONDS / 50:
            calls *= 2
        else:
            rounds.append(spent / calls * 1e6)
    return statistics.median(rounds)


def report(what, how, call):
    print(f"{what}\t{how}\t{median(call):.2f}", flush=True)


def steps(what, net, shape, batch, rate):
    net = net.cuda().train()
    images, labels = torch.rand(40, batch, *shape).pin_memory(), torch.randint(0, 10, (40, batch)).pin_memory()
    loss_of, turn = nn.CrossEntropyLoss(), [0]
    optimizer = torch.optim.SGD(net.parameters(), lr=rate)

    def take():
        turn[0] = (turn[0] + 1) % len(images)
        return images[turn[0]], labels[turn[0]]

    def update(x, t):
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(net(x), t)
        loss.backward()
        optimizer.step()
        return loss

    def eager():
        x, t = take()
        return update(x.cuda(non_blocking=True), t.cuda(non_blocking=True)).item()

    report(what, "eager", eager)
    x, t = (part.cuda() for part in take())
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            update(x, t)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = update(x, t)

    def replay():
        a, b = take()
        x.copy_(a, non_blocking=True)
        t.copy_(b, non_blocking=True)
        graph.replay()
        return loss.item()

    report(what, "graph", replay)
    report(what, "graph, data there", graph.replay)


def products():
    a, b = torch.rand(8192, 8192, device="cuda") - 0.5, torch.rand(8192, 8192, device="cuda") - 0.5
    out = torch.empty_like(a)
    for name, tf32 in (("f32", False), ("tf32", True)):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        report(f"product 8192 x 8192 x 8192 in {name}", "eager", lambda: torch.mm(a, b, out=out))


print(f"PyTorch {torch.__version__}\tversion\t0")
steps("784-128-10 sigmoid, cross-entropy, batch 64",
      nn.Sequential(nn.Linear(784, 128), nn.Sigmoid(), nn.Linear(128, 10)), (784,), 64, 0.1)
steps("784-1024-1024-10 sigmoid, cross-entropy, batch 256",
      nn.Sequential(nn.Linear(784, 1024), nn.Sigmoid(), nn.Linear(1024, 1024), nn.Sigmoid(), nn.Linear(1024, 10)),
      (784,), 256, 0.1)
steps("conv32-conv64-pool-128-10 relu, cross-entropy, batch 64",
      nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                    nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10)), (1, 28, 28), 64, 0.01)
products()
