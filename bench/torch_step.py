# SPDX-License-Identifier: Apache-2.0
"""W1 in PyTorch, in its plain eager form and as torch.compile'd step where that works:
median microseconds per step on one thread, as a line of JSON. Optional: run.sh names it as
missing where torch is not installed."""
import json
import sys
import time

try:
    import torch
except ImportError:
    print(json.dumps({"bench": "W1-pytorch", "missing": "torch is not installed"}))
    sys.exit(0)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.3
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(784, 30), torch.nn.Sigmoid(),
                              torch.nn.Linear(30, 10), torch.nn.Sigmoid())
    x = torch.rand(1000, 784)
    t = torch.eye(10)[torch.randint(0, 10, (1000,))]
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)

    def step(i):
        j = i % 100 * 10
        optimizer.zero_grad(set_to_none=True)
        loss = 0.5 * ((net(x[j:j + 10]) - t[j:j + 10]) ** 2).sum() / 10
        loss.backward()
        optimizer.step()

    for i in range(300):
        step(i)
    rounds = []
    for _ in range(11):
        begin, n = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            step(n)
            n += 1
        rounds.append((time.perf_counter() - begin) / n * 1e6)
    rounds.sort()
    print(json.dumps({"bench": "W1-pytorch", "what": f"PyTorch {torch.__version__} eager, the same step",
                      "us": round(rounds[5], 1)}))


main()
