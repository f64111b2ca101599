#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a sequential network as an ONNX file, with nothing but Python's standard library.

network.py -o FILE [--input 1,28,28] [--seed 0] [--batch N] LAYER...

  convM, convMxK, convMxKpP   M filters of K x K (3), padded by P (0)
  poolK, meanK                maximum, mean over K x K, step K
  bn                          batch normalisation
  relu, sigmoid, flatten      what they say
  M                           a dense layer of M units

Weights are uniform with variance 2/fan-in before relu and 1/fan-in elsewhere; biases are 0. The
batch is open ("N") unless --batch fixes it.
"""
import argparse
import array
import random
import re
import struct

FLOAT, INT64 = 1, 7


# -- protobuf, as far as ONNX needs it --------------------------------------------------------

def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def block(field, content):
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def attribute(name, value):
    """An integer, a float or a list of integers."""
    if isinstance(value, float):
        return block(5, block(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1))
    if isinstance(value, int):
        return block(5, block(1, name) + number(3, value) + number(20, 2))
    return block(5, block(1, name) + b"".join(number(8, i) for i in value) + number(20, 7))


def node(op, inputs, outputs, **attributes):
    return block(1, b"".join(block(1, i) for i in inputs) + b"".join(block(2, o) for o in outputs)
                 + block(3, outputs[0] + "_" + op) + block(4, op)
                 + b"".join(attribute(k, v) for k, v in attributes.items()))


def tensor(name, dims, floats):
    floats = floats if isinstance(floats, array.array) else array.array("f", floats)
    return block(5, b"".join(number(1, d) for d in dims) + number(2, FLOAT) + block(8, name)
                 + block(9, floats.tobytes()))


def described(field, name, dims):
    """An input (11) or output (12); a dim is a number or a name."""
    shape = b"".join(block(1, number(1, d) if isinstance(d, int) else block(2, d)) for d in dims)
    return block(field, block(1, name) + block(2, block(1, number(1, FLOAT) + block(2, shape))))


def model(parts, opset=18):
    return (number(1, 8) + block(2, "network.py") + block(7, block(2, "network") + b"".join(parts))
            + block(8, block(1, "") + number(2, opset)))


# -- layers -----------------------------------------------------------------------------------

class Network:
    def __init__(self, shape, seed=0, batch="N"):
        self.random, self.batch = random.Random(seed), batch
        self.shape, self.first_shape = list(shape), list(shape)
        self.nodes, self.tensors, self.value, self.n = [], [], "x", 0

    def weights(self, name, dims, fan_in, gain):
        bound, count = (3 * gain / fan_in) ** 0.5, 1
        for d in dims:
            count *= d
        draw = self.random.random
        self.tensors.append(tensor(name, dims, array.array("f", [bound * (2 * draw() - 1) for _ in range(count)])))

    def constant(self, name, n, value):
        self.tensors.append(tensor(name, [n], [value] * n))

    def add(self, op, *operands, **attributes):
        out = f"h{self.n}"
        self.nodes.append((op, [self.value, *operands], out, attributes))
        self.value, self.n = out, self.n + 1

    def convolution(self, m, k, pad, gain):
        c, h, w = self.shape
        name = f"conv{self.n}"
        self.weights(name + ".weight", [m, c, k, k], c * k * k, gain)
        self.constant(name + ".bias", m, 0.0)
        self.add("Conv", name + ".weight", name + ".bias", kernel_shape=[k, k], pads=[pad] * 4, strides=[1, 1])
        self.shape = [m, h + 2 * pad - k + 1, w + 2 * pad - k + 1]

    def dense(self, m, gain):
        name = f"fc{self.n}"
        self.weights(name + ".weight", [m, self.shape[0]], self.shape[0], gain)
        self.constant(name + ".bias", m, 0.0)
        self.add("Gemm", name + ".weight", name + ".bias", alpha=1.0, beta=1.0, transB=1)
        self.shape = [m]

    def normalise(self):
        name, c = f"bn{self.n}", self.shape[0]
        for part, value in ("weight", 1.0), ("bias", 0.0), ("mean", 0.0), ("var", 1.0):
            self.constant(f"{name}.{part}", c, value)
        self.add("BatchNormalization", *(f"{name}.{p}" for p in ("weight", "bias", "mean", "var")),
                 epsilon=1e-5, momentum=0.9)

    def pool(self, op, k):
        self.add(op, kernel_shape=[k, k], strides=[k, k])
        self.shape = [self.shape[0], self.shape[1] // k, self.shape[2] // k]

    def layer(self, word, following):
        gain = 2.0 if "relu" in following[:2] else 1.0
        conv = re.fullmatch(r"conv(\d+)(?:x(\d+))?(?:p(\d+))?", word)
        pool = re.fullmatch(r"(pool|mean)(\d+)", word)
        if conv:
            self.convolution(int(conv[1]), int(conv[2] or 3), int(conv[3] or 0), gain)
        elif pool:
            self.pool({"pool": "MaxPool", "mean": "AveragePool"}[pool[1]], int(pool[2]))
        elif word == "bn":
            self.normalise()
        elif word == "flatten":
            self.add("Flatten", axis=1)
            count = 1
            for d in self.shape:
                count *= d
            self.shape = [count]
        elif word in ("relu", "sigmoid"):
            self.add(word.capitalize())
        elif word.isdigit():
            self.dense(int(word), gain)
        else:
            raise SystemExit(f"network.py: no layer {word!r}")

    def file(self):
        last = self.nodes[-1]
        nodes = [node(op, inputs, ["y" if out == last[2] else out], **attributes)
                 for op, inputs, out, attributes in self.nodes]
        return model([*nodes, *self.tensors, described(11, "x", [self.batch, *self.first_shape]),
                      described(12, "y", [self.batch, *self.shape])])


def sequential(layers, shape, seed=0, batch="N"):
    """The bytes of the network's file."""
    network = Network(shape, seed, batch)
    for i, word in enumerate(layers):
        network.layer(word, layers[i + 1:])
    return network.file()


def main():
    parser = argparse.ArgumentParser(description="Writes a sequential network as an ONNX file.")
    parser.add_argument("-o", required=True)
    parser.add_argument("--input", default="1,28,28")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("layers", nargs="+")
    given = parser.parse_args()
    with open(given.o, "wb") as f:
        f.write(sequential(given.layers, [int(d) for d in given.input.split(",")], given.seed, given.batch or "N"))


if __name__ == "__main__":
    main()
