#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""20 steps of a small network with batch normalisation in PyTorch: make-reference.py [FOLDER]

Conv, BatchNorm2d, ReLU, Linear, BatchNorm1d, ReLU, Linear; cross-entropy, plain SGD, in float32.
Writes network.onnx (the start, inference form, opset 15), x.npy, t.npy, loss.npy (the loss before
each update), the parameters and running statistics after the last step as NAME.npy, and y.npy:
what the trained network makes of x in inference.

ONNX's momentum is 1 minus PyTorch's. PyTorch puts the unbiased variance into running_var, ONNX the
population variance: both are linear, so that with n elements per channel and batch, after k steps,
onnx = m^k start + (pytorch - m^k start) (n - 1) / n.

Needs the Python packages torch, onnx and numpy; tests/train/test-training-mode.c does not.
"""
import os
import sys

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS, BATCH, RATE, MOMENTUM, CLASSES = 20, 8, 0.1, 0.9, 5


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 4, 3, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(4, momentum=1 - MOMENTUM)
        self.fc1 = torch.nn.Linear(4 * 16, 6)
        self.bn2 = torch.nn.BatchNorm1d(6, momentum=1 - MOMENTUM)
        self.fc2 = torch.nn.Linear(6, CLASSES)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv(x)))
        x = torch.relu(self.bn2(self.fc1(x.flatten(1))))
        return self.fc2(x)


def write_model(net, path):
    def normalization(name, x, y):
        return helper.make_node("BatchNormalization", [x] + [f"{name}.{p}" for p in (
            "weight", "bias", "running_mean", "running_var")], [y], name, momentum=MOMENTUM, epsilon=1e-5)

    nodes = [
        helper.make_node("Conv", ["x", "conv.weight"], ["c"], "conv", kernel_shape=[3, 3]),
        normalization("bn1", "c", "n1"),
        helper.make_node("Relu", ["n1"], ["r1"], "relu1"),
        helper.make_node("Flatten", ["r1"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "fc1.weight", "fc1.bias"], ["g"], "fc1", transB=1),
        normalization("bn2", "g", "n2"),
        helper.make_node("Relu", ["n2"], ["r2"], "relu2"),
        helper.make_node("Gemm", ["r2", "fc2.weight", "fc2.bias"], ["y"], "fc2", transB=1),
    ]
    weights = [numpy_helper.from_array(v.numpy(), k) for k, v in net.state_dict().items()
               if "num_batches" not in k]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "small", [info("x", TensorProto.FLOAT, ["N", 2, 6, 6])],
                              [info("y", TensorProto.FLOAT, ["N", CLASSES])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else HERE
    generator = np.random.default_rng(11)
    torch.manual_seed(5)
    torch.set_num_threads(1)
    net = Net()
    with torch.no_grad():  # no neutral values: scale 1, bias 0 and the like would hide mistakes
        for name, value in net.state_dict().items():
            if "bn" in name and value.dtype == torch.float32:
                low = 0.5 if "var" in name or "weight" in name else -0.5
                value.copy_(torch.tensor(generator.uniform(low, low + 1, value.shape)))
    write_model(net, os.path.join(folder, "network.onnx"))
    start = {k: v.clone() for k, v in net.state_dict().items()}
    x = generator.normal(0.5, 1, (STEPS * BATCH, 2, 6, 6)).astype(np.float32)
    t = generator.integers(0, CLASSES, STEPS * BATCH)
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    losses = []
    for step in range(STEPS):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        loss = torch.nn.functional.cross_entropy(net(torch.tensor(x[rows])), torch.tensor(t[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    result = {k: v.clone() for k, v in net.state_dict().items() if "num_batches" not in k}
    for name, n in (("bn1", BATCH * 16), ("bn2", BATCH)):
        rest = MOMENTUM ** STEPS * start[name + ".running_var"]
        result[name + ".running_var"] = rest + (result[name + ".running_var"] - rest) * (n - 1) / n
    net.load_state_dict(result, strict=False)
    net.eval()
    for name, value in result.items():
        np.save(os.path.join(folder, name + ".npy"), value.numpy())
    np.save(os.path.join(folder, "x.npy"), x)
    np.save(os.path.join(folder, "t.npy"), t)
    np.save(os.path.join(folder, "loss.npy"), np.array(losses))
    np.save(os.path.join(folder, "y.npy"), net(torch.tensor(x)).detach().numpy())
    print(losses[0], losses[-1])


main()
