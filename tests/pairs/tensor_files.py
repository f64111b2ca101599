#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files of tensors that are fed: each faulty one with its error in full, its neighbour runs."""
import gzip
import os
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import model  # noqa: E402
from command import LECTURE, case, end, kette, notes  # noqa: E402

BODY = struct.pack("<784f", *[0.5] * 784)
NPY = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 784), }\n"
IDX = bytes([0, 0, 0x0D, 2]) + struct.pack(">2i", 1, 784) + struct.pack(">784f", *[0.5] * 784)


def npy(head=NPY, body=BODY, version=1, length=None):
    n = len(head) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", n) + head.encode() + body


def idx(at, value, n=None):
    data = bytearray(IDX)
    data[at:at + len(value)] = value
    return bytes(data[:n])


ELSEWHERE = (model.field(1, 784) + model.field(2, 1) + model.field(8, "x") + model.field(13, model.field(1, "location")
             + model.field(2, "w.bin")) + model.field(14, 1))

FAULTS = [
    ("npy.cut", b"\x93NUMPY\1", "format: not an NPY file"),
    ("idx.gzip-other", gzip.compress(b"hello"), "format: not an IDX file"),
    ("external.pb", ELSEWHERE, "path: has external data, but this file may not refer to others"),
    ("npy.version", npy(version=9), "unsupported: NPY version 9"),
    ("npy.header-cut", npy(version=2)[:11], "format: NPY header: needs 12 bytes, has 11"),
    ("npy.header-long", npy(length=60000), "format: NPY header: needs 60010 bytes, the file has 3208"),
    ("npy.element", npy(NPY.replace("<f4", "<x4")), 'unsupported: NPY element type "<x4"'),
    ("npy.key", npy(NPY.replace("descr", "descs")), 'format: NPY header: the key "descs" is unknown or there twice'),
    ("npy.key-twice", npy(NPY.replace("'shape': (1, 784)", "'descr': '<f4'")),
     'format: NPY header: the key "descr" is unknown or there twice'),
    ("npy.no-shape", npy(NPY.replace(" 'shape': (1, 784),", "")), "format: NPY header: shape is missing"),
    ("npy.no-descr", npy(NPY.replace("'descr': '<f4', ", "")), "format: NPY header: descr is missing"),
    ("npy.no-order", npy(NPY.replace("'fortran_order': False, ", "")), "format: NPY header: fortran_order is missing"),
    ("npy.dim", npy(NPY.replace("784", "9223372036854775808")), "limit: NPY header: a dim beyond 2^63 - 1"),
    ("npy.rank", npy(NPY.replace("(1, 784)", "(" + "1, " * 33 + ")")), "limit: NPY header: rank beyond 32, rank"),
    ("npy.brace", npy(NPY.replace("{", "(")), 'format: NPY header: "{" is missing at character 0'),
    ("npy.brace-end", npy(NPY.replace("), }", ");}")), 'format: NPY header: "}" is missing at character 58'),
    ("npy.text", npy(NPY.replace("'descr'", "descr")), "format: NPY header: a text is missing at character 1"),
    ("npy.text-end", npy(NPY.replace("<f4", "<f4" * 20)), "format: NPY header: a text does not end at character 42"),
    ("npy.colon", npy(NPY.replace("'descr':", "'descr'")), 'format: NPY header: ":" is missing at character 9'),
    ("npy.truth", npy(NPY.replace("False", "Fulse")), "format: NPY header: True or False is missing at character 34"),
    ("npy.parenthesis", npy(NPY.replace("(1", "[1")), 'format: NPY header: "(" is missing at character 50'),
    ("npy.comma", npy(NPY.replace("1, 7", "1; 7")), 'format: NPY header: "," is missing at character 52'),
    ("npy.number", npy(NPY.replace("1, 7", "x, 7")), "format: NPY header: a number is missing at character 51"),
    ("npy.short", npy(body=BODY[:-1]), "tensor: float32[1,784] needs 3136 bytes, the file has 3135"),
    ("npy.long", npy(body=BODY + b"x"), "tensor: float32[1,784] needs 3136 bytes, the file has 3137"),
    ("idx.element", idx(2, b"\x07"), "format: byte 2: IDX has no element type 0x07"),
    ("idx.rank", idx(3, b"\x21"), "limit: has rank 33, rank allows 32"),
    ("idx.header", IDX[:7], "format: the IDX header needs 12 bytes, the file has 7"),
    ("idx.short", IDX[:-4], "tensor: float32[1,784] needs 3136 bytes, the file has 3132"),
    ("idx.gzip-cut", gzip.compress(IDX)[:-10], "format: the gzip archive is cut off after "),
    ("idx.gzip-damaged", gzip.compress(b"", mtime=0)[:10] + b"\x07" + bytes(40), "format: byte 11: the gzip archive is damaged"),
    ("idx.gzip-claim", gzip.compress(bytes([0, 0, 0x0D, 2]) + struct.pack(">2i", 1 << 15, 1 << 15), 0),
     "format: needs 4294967308 bytes, but an archive of 35 bytes cannot hold them"),
    ("idx.gzip-short", gzip.compress(IDX[:-4]), "format: needs 3148 bytes, unpacked it has 3144"),
    ("idx.gzip-long", gzip.compress(IDX + b"x"), "format: unpacked it has more than the 3148 bytes that it needs"),
]
GOOD = [("npy", npy()), ("npy.version-2", npy(version=2)), ("idx", IDX), ("idx.gzip", gzip.compress(IDX))]


def main():
    with tempfile.TemporaryDirectory(prefix="kette-") as folder:
        for name, data, text in FAULTS:
            file = os.path.join(folder, name)
            with open(file, "wb") as out:
                out.write(data)
            run = kette("run", LECTURE, "--input", f"x={file}")
            said = run.stderr.rstrip("\n")
            good = said.startswith(f"{file}: {text}") if text.endswith(" ") else said == f"{file}: {text}"
            case(f"tensor-file {name}: fault", run.returncode in (65, 70, 77) and good, *notes(run), f"needs {text}")
        for name, data in GOOD:
            file = os.path.join(folder, name)
            with open(file, "wb") as out:
                out.write(data)
            run = kette("run", LECTURE, "--input", f"x={file}")
            case(f"tensor-file {name}: neighbour", run.returncode == 0 and not run.stderr, *notes(run))
        cast = model.write(os.path.join(folder, "cast.onnx"), [
            model.node("Cast", ["x"], ["y"], attrs=[model.int_attr("to", 16)])], [model.info("x", [1, 784])], [model.info("y", [1, 784], 16)])
        for end_, status in ((".npy", 65), (".pb", 0)):
            run = kette("run", cast, "--input", f"x={file}", "--output", "y=" + os.path.join(folder, "y" + end_))
            case(f"bfloat16 as {end_}", run.returncode == status and run.stderr.count("\n") == (status > 0)
                 and (not status or run.stderr.endswith("y.npy: unsupported: NPY has no element type for bfloat16; "
                                                        "a name that ends in .pb writes a TensorProto\n")), *notes(run))
        for word, text in (("nodes=2147483648", "limit: nodes is 2147483648, must be 1..2147483647"),
                           ("depth=257", "limit: depth is 257, must be 1..256"),
                           ("knots=1", 'limit: there is no limit "knots"')):
            run = kette("check", LECTURE, "--limit", word)
            case(f"limit {word}: fault", run.returncode != 0 and text in run.stderr, *notes(run), f"needs {text}")
        case("limit nodes=1000: neighbour", kette("check", LECTURE, "--limit", "nodes=1000").returncode == 0)
    end()


main()
