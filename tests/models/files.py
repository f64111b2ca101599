# SPDX-License-Identifier: Apache-2.0
"""What the tests with whole models share, with the standard library alone: the command, NPY and
IDX files, ONNX's tensors, TAP.
"""
import array
import gzip
import math
import os
import pathlib
import struct
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
SHARED = SOURCE.parent / "shared"
KETTE = os.environ.get("KETTE", "kette")


def skip(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


def kette(*words):
    """The output of the command, or RuntimeError with its last words."""
    run = subprocess.run([KETTE, *map(str, words)], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(f"kette {words[0]}: exit {run.returncode}: {run.stderr.strip()[-400:]}")
    return run.stdout


def write_npy(path, shape, values, descr="<f4"):
    dims = "".join(f"{d}, " for d in shape)
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00\x76\x00" + head.ljust(117).encode() + b"\n")
        values.tofile(f)


def read_npy(path):
    """The elements of an array of f32, in order."""
    content = pathlib.Path(path).read_bytes()
    start = 10 + int.from_bytes(content[8:10], "little")
    assert b"'<f4'" in content[:start], "no array of f32"
    values = array.array("f")
    values.frombytes(content[start:])
    return values


def read_idx(path):
    """(dims, bytes) of an IDX file of bytes."""
    with (gzip.open if str(path).endswith(".gz") else open)(path, "rb") as f:
        content = f.read()
    rank = content[3]
    return struct.unpack(f">{rank}I", content[4:4 + 4 * rank]), content[4 + 4 * rank:]


def write_idx(path, dims, content):
    with open(path, "wb") as f:
        f.write(bytes([0, 0, 8, len(dims)]) + struct.pack(f">{len(dims)}I", *dims) + content)


def fields(message):
    """(number, content) of a protobuf message: bytes, or an integer."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
            continue
        size = {1: 8, 5: 4}.get(key & 7) or varint()
        yield key >> 3, message[at:at + size]
        at += size


def read_tensor(path):
    """The f32 elements of a TensorProto."""
    values = array.array("f")
    for number, content in fields(pathlib.Path(path).read_bytes()):
        if number in (4, 9):  # float_data, raw_data
            values.frombytes(content if isinstance(content, bytes) else struct.pack("<f", content))
    return values


def output_names(path):
    """Of an ONNX model."""
    graph = next(content for number, content in fields(pathlib.Path(path).read_bytes()) if number == 7)
    return [next(text for n, text in fields(content) if n == 1).decode() for number, content in fields(graph)
            if number == 12]


def differ(got, want, rtol, atol):
    """None, or how two arrays differ by |a - e| <= atol + rtol |e|."""
    if len(got) != len(want):
        return f"{len(got)} numbers, not {len(want)}"
    worst, where = 0.0, 0
    for i, (a, e) in enumerate(zip(got, want)):
        units = abs(a - e) / (atol + rtol * abs(e))
        if not units <= worst:
            worst, where = (units, i) if not math.isnan(units) else (math.inf, i)
    return None if worst <= 1 else f"number {where}: {got[where]:.6g}, not {want[where]:.6g} ({worst:.3g} x the bound)"


def run_cases(cases):
    """Pairs of a name and a function that raises, or returns what is to be told; ends the program."""
    print(f"1..{len(cases)}", flush=True)
    failed = 0
    for n, (name, case) in enumerate(cases, 1):
        try:
            told = case()
            print(f"ok {n} - {name}", flush=True)
        except Exception as fault:  # each fault is a failed case
            failed += 1
            told = f"{type(fault).__name__}: {fault}"
            print(f"not ok {n} - {name}", flush=True)
        for line in (told or "").splitlines()[:12]:
            print("# " + line, flush=True)
    sys.exit(failed > 0)
