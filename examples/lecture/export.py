#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lecture's network, exported by PyTorch: export.py lecture.onnx

784-30-10, y = sigmoid (sigmoid (x W1 + b1) W2 + b2); weights N(0, 1/fan-in), biases 0, seed 0.
The matrices are written as on the board, so that the file holds MatMul, Add and Sigmoid and not
the Gemm of nn.Linear. Needs the Python packages torch and onnx; Kette itself needs neither.
"""
import collections
import sys
import warnings

import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.W = nn.Parameter(torch.randn(n_in, n_out) * n_in ** -0.5)
        self.b = nn.Parameter(torch.zeros(n_out))

    def forward(self, x):
        return torch.sigmoid(x @ self.W + self.b)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(collections.OrderedDict(layer1=Layer(784, 30), layer2=Layer(30, 10)))


def main():
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    torch.onnx.export(network(), (torch.zeros(1, 784),), sys.argv[1], dynamo=False, opset_version=18,
                      input_names=["x"], output_names=["y"],
                      dynamic_axes={"x": {0: "N"}, "y": {0: "N"}})


if __name__ == "__main__":
    main()
