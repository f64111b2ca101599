# SPDX-License-Identifier: Apache-2.0
"""A model of torchvision with fresh weights as ONNX: peer_export.py NAME FILE [legacy | dynamo] [trainable]

The exporter is PyTorch's current one (dynamo; needs onnxscript), or its older one. Weights are
random; scales and biases of batch normalisation too, and its running statistics are what batches
of noise give, so that activations stay of size 1. trainable: batch normalisation is not folded
into the convolutions.
"""
import os
import struct
import sys
import warnings

import torch
import torchvision


def network(name, seed=0, size=224, classes=1000, **more):
    """In evaluation mode, for images of SIZE x SIZE."""
    torch.manual_seed(seed)
    net = getattr(torchvision.models, name)(weights=None, num_classes=classes, **more).train()
    norms = [layer for layer in net.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for layer in norms:  # equal tensors would become one in the file
            layer.weight.uniform_(0.8, 1.2)
            layer.bias.uniform_(-0.1, 0.1)
            layer.momentum = None  # the mean over all batches
            layer.eps = struct.unpack("f", struct.pack("f", layer.eps))[0]  # as the file has it
        for _ in range(2):
            net(torch.rand(4, 3, size, size))
    for layer in norms:
        layer.momentum = 1 - struct.unpack("f", struct.pack("f", 0.9))[0]
    return net.eval()


def export(net, x, path, how="dynamo", trainable=False, batch=None):
    """BATCH: the name of an open batch dimension."""
    names = {"input_names": ["x"], "output_names": ["y"]}
    warnings.filterwarnings("ignore")
    if how == "dynamo":
        shapes = {"dynamic_shapes": ({0: batch},)} if batch else {}
        program = torch.onnx.export(net, (x,), dynamo=True, opset_version=18, external_data=False,
                                    optimize=not trainable, verbose=False, **names, **shapes)
        program.save(path, external_data=False)
    else:
        more = {"dynamic_axes": {"x": {0: batch}, "y": {0: batch}}} if batch else {}
        if trainable:
            more["do_constant_folding"] = False
            more["training"] = torch.onnx.TrainingMode.PRESERVE
        torch.onnx.export(net, (x,), path, dynamo=False, opset_version=18, **names, **more)


def main():
    words = sys.argv[3:]
    with open(os.devnull, "w", encoding="utf-8") as quiet:
        out, sys.stdout = sys.stdout, quiet
        export(network(sys.argv[1]), torch.rand(1, 3, 224, 224), sys.argv[2],
               "legacy" if "legacy" in words else "dynamo", "trainable" in words)
        sys.stdout = out


if __name__ == "__main__":
    main()
