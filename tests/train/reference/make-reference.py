#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""500 steps of the lecture's network in PyTorch: make-reference.py [FOLDER]

The same weights (examples/lecture/lecture.onnx), the same samples in the same order, half-sse and
plain SGD, rate 1, batch 10, in float32. Writes loss.npy (float64[500], the loss before each
update) and the final parameters layer1.W.npy ... (float32). tests/train/test-reference.c makes
the samples by the same integer formula and compares. Needs the Python packages torch, onnx and
numpy; the tests do not.
"""
import os
import sys

import numpy as np
import onnx
import torch
from onnx import numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS, BATCH, RATE = 500, 10, 1.0


def mix(v):
    """A hash of 32-bit numbers, element by element."""
    v = v.astype(np.uint64)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        v ^= v >> np.uint64(shift)
        v = v * np.uint64(factor) & np.uint64(0xFFFFFFFF)
    return v ^ v >> np.uint64(16)


def samples(n):
    """Pictures of ten classes: a pattern per class under noise."""
    i, j = np.arange(n)[:, None], np.arange(784)[None, :]
    labels = (mix(np.arange(n) + 1000003) % np.uint64(10)).astype(np.int64)
    pattern = mix(labels[:, None] * 784 + j) & np.uint64(255)
    noise = mix(2000003 + i * 784 + j) & np.uint64(255)
    return ((pattern + np.uint64(3) * noise) >> np.uint64(2)).astype(np.uint8), labels


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else HERE
    model = onnx.load(os.path.join(HERE, "../../../examples/lecture/lecture.onnx"))
    p = {t.name: torch.tensor(numpy_helper.to_array(t).copy(), requires_grad=True)
         for t in model.graph.initializer}
    x, labels = samples(STEPS * BATCH)
    x = torch.tensor(x).to(torch.float32) / 255
    t = torch.nn.functional.one_hot(torch.tensor(labels), 10).to(torch.float32)
    optimizer = torch.optim.SGD(p.values(), lr=RATE)
    losses = []
    for step in range(STEPS):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        h = torch.sigmoid(x[rows] @ p["layer1.W"] + p["layer1.b"])
        y = torch.sigmoid(h @ p["layer2.W"] + p["layer2.b"])
        loss = ((y - t[rows]) ** 2).sum() / 2 / BATCH
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    np.save(os.path.join(folder, "loss.npy"), np.array(losses))
    for name, value in p.items():
        np.save(os.path.join(folder, name + ".npy"), value.detach().numpy())
    print(losses[0], losses[-1])


main()
