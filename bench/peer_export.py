# SPDX-License-Identifier: Apache-2.0
"""A model of torchvision with fresh weights as ONNX: peer_export.py NAME FILE [legacy | dynamo] [trainable]

The exporter is PyTorch's current one (dynamo; needs onnxscript), or its older one. Running
statistics are set to what a batch of noise gives, so that activations stay of size 1. trainable:
batch normalisation is not folded into the convolutions.
"""
import os
import sys
import warnings

import torch
import torchvision


def network(name, seed=0):
    """In evaluation mode, with running statistics of two batches of noise."""
    torch.manual_seed(seed)
    net = getattr(torchvision.models, name)(weights=None)
    net.train()
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # the mean over all batches
    with torch.no_grad():
        for _ in range(2):
            net(torch.rand(4, 3, 224, 224))
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 0.1
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
