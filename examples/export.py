#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lecture's network, exported by PyTorch: export.py lecture.onnx

784-30-10, y = sigmoid (W2 sigmoid (W1 x + b1) + b2); weights N(0, 1/fan-in), biases 0, seed 0.
Needs the Python packages torch and onnx; Kette itself needs neither.
"""
import sys

import torch
from torch import nn


class Lecture(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(784, 30)
        self.layer2 = nn.Linear(30, 10)
        for layer in (self.layer1, self.layer2):
            nn.init.normal_(layer.weight, std=layer.in_features ** -0.5)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        return torch.sigmoid(self.layer2(torch.sigmoid(self.layer1(x))))


torch.manual_seed(0)
torch.onnx.export(Lecture(), (torch.zeros(1, 784),), sys.argv[1], dynamo=False, opset_version=18,
                  input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}})
