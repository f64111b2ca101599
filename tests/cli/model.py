# SPDX-License-Identifier: Apache-2.0
"""Small ONNX files, written with nothing but Python."""
import struct


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def field(number, *contents):
    """Field NUMBER once per content: an integer, a text or bytes."""
    out = b""
    for content in contents:
        if isinstance(content, int):
            out += varint(number << 3) + varint(content)
        else:
            content = content.encode() if isinstance(content, str) else content
            out += varint(number << 3 | 2) + varint(len(content)) + content
    return out


def text_attr(name, text):
    return field(1, name) + field(4, text) + field(20, 3)


def int_attr(name, number):
    return field(1, name) + field(3, number) + field(20, 2)


def node(op, inputs, outputs, name="", domain="", attrs=()):
    return field(1, *inputs) + field(2, *outputs) + field(3, name) + field(4, op) + field(5, *attrs) + field(7, domain)


def info(name, dims, dtype=1):
    shape = b"".join(field(1, field(1, d) if isinstance(d, int) else field(2, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, dtype) + field(2, shape)))


def floats(name, dims, numbers):
    return field(1, *dims) + field(2, 1) + field(8, name) + field(9, struct.pack(f"<{len(numbers)}f", *numbers))


def write(path, nodes, inputs, outputs, initializers=(), opset=13, domains=()):
    graph = field(1, *nodes) + field(2, "g") + field(5, *initializers) + field(11, *inputs) + field(12, *outputs)
    opsets = [field(1, "") + field(2, opset)] + [field(1, d) + field(2, 1) for d in domains]
    with open(path, "wb") as file:
        file.write(field(1, 8) + field(7, graph) + field(8, *opsets))
    return path
