# SPDX-License-Identifier: Apache-2.0
"""A sequential network of an ONNX file as a module of PyTorch, with the file's weights."""
import torch
from torch import nn

import serve


def read(path):
    layers = []
    for op, attributes, weights in serve.read_network(path):
        if op in ("Gemm", "MatMul"):
            w = torch.from_numpy(weights[0].copy())
            w = w if attributes.get("transB") else w.T.contiguous()
            layer = nn.Linear(w.shape[1], w.shape[0], bias=True)
            layer.weight.data = w
            if len(weights) > 1:
                layer.bias.data = torch.from_numpy(weights[1].copy())
            layers.append(layer)
        elif op == "Add":
            layers[-1].bias.data = torch.from_numpy(weights[0].copy())
        elif op == "Conv":
            w = torch.from_numpy(weights[0].copy())
            layer = nn.Conv2d(w.shape[1], w.shape[0], w.shape[2], padding=attributes["pads"][0])
            layer.weight.data, layer.bias.data = w, torch.from_numpy(weights[1].copy())
            layers.append(layer)
        elif op == "MaxPool":
            layers.append(nn.MaxPool2d(attributes["kernel_shape"][0]))
        elif op == "BatchNormalization":
            layer = nn.BatchNorm2d(len(weights[0]), eps=attributes["epsilon"], momentum=1 - attributes["momentum"])
            for place, values in zip((layer.weight, layer.bias, layer.running_mean, layer.running_var), weights):
                place.data = torch.from_numpy(values.copy())
            layers.append(layer)
        elif op == "AveragePool":
            layers.append(nn.AvgPool2d(attributes["kernel_shape"][0]))
        else:
            layers.append({"Relu": nn.ReLU, "Sigmoid": nn.Sigmoid, "Flatten": nn.Flatten}[op]())
    return nn.Sequential(*layers).eval()
