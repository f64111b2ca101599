# SPDX-License-Identifier: Apache-2.0
"""PyTorch's training step, for the driver: peer_torch.py MODE MODEL X.npy T.npy LOSS RATE BATCH THREADS

MODE: eager, compile (torch.compile of network, loss and update), channels-last (eager, with images
in that layout). Plain SGD, samples in file order, from the weights of MODEL.
"""
import os
import sys

mode, model, x_file, t_file, loss_name, rate, batch, threads = sys.argv[1:9]
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = threads

import numpy as np  # noqa: E402
import torch  # noqa: E402

import serve  # noqa: E402
from torch_network import nn, read  # noqa: E402


def main():
    torch.set_num_threads(int(threads))
    torch.set_num_interop_threads(1)
    n = int(batch)
    net = read(model).train()
    x, t = torch.from_numpy(np.load(x_file)), torch.from_numpy(np.load(t_file))
    if mode == "channels-last":
        net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    batches = [(x[i:i + n], t[i:i + n]) for i in range(0, len(x) - n + 1, n)]
    optimizer = torch.optim.SGD(net.parameters(), lr=float(rate))
    if loss_name == "cross-entropy":
        loss_of = lambda a, b: nn.functional.cross_entropy(net(a), b)  # noqa: E731
    else:
        loss_of = lambda a, b: 0.5 * ((net(a) - b) ** 2).sum() / n  # noqa: E731
    update = optimizer.step
    if mode == "compile":
        torch.set_float32_matmul_precision("highest")
        loss_of, update = torch.compile(loss_of), torch.compile(optimizer.step)

    def step(i):
        a, b = batches[i % len(batches)]
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(a, b)
        loss.backward()
        update()
        return loss

    curve = [float(step(0).detach())]

    def check():
        curve.extend(float(step(i).detach()) for i in range(1, serve.CURVE))
        return np.array(curve, np.float32)

    serve.serve({"torch-" + mode: lambda i: step(i + serve.CURVE)}, check, torch.__version__)


main()
