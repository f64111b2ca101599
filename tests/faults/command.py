#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command while memory and files fail (KETTE_FAIL), in little memory, and whether GLib asks
for large blocks. command.py SHIM FAULTS: the shim to preload ("": none), whether faults are
compiled in. KETTE_FAULTS_ALL=1: many more faults."""
import gzip
import os
import resource
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from command import KETTE, LECTURE, case, end, skip, write_npy  # noqa: E402

SHIM, FAULTS = sys.argv[1], sys.argv[2] == "true"
ALL = bool(os.environ.get("KETTE_FAULTS_ALL"))
MIB = 1 << 20


def field(number, content):
    """A field of a protobuf message: a number or bytes."""
    def varint(v):
        out = b""
        while v > 0x7f:
            out, v = out + bytes([v & 0x7f | 0x80]), v >> 7
        return out + bytes([v])
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def value(name, *dims):
    shape = b"".join(field(1, field(2, d) if isinstance(d, str) else field(1, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


def model(path, graph, opset=13):
    with open(path, "wb") as file:
        file.write(field(1, 8) + field(8, field(2, opset)) + field(7, graph + field(2, "g")))
    return path


def node(op, inputs, outputs):
    return field(1, b"".join(field(1, i) for i in inputs) + b"".join(field(2, o) for o in outputs) + field(4, op))


def wide(path, rows, columns):
    """y = x w with a large w."""
    weight = field(1, rows) + field(1, columns) + field(2, 1) + field(8, "w") + field(9, bytes(4 * rows * columns))
    return model(path, node("MatMul", ["x", "w"], ["y"]) + field(5, weight)
                 + field(11, value("x", "N", rows)) + field(12, value("y", "N", columns)))


def long(path, n):
    """N nodes in a chain."""
    nodes = b"".join(node("Relu", [f"v{i}"], [f"v{i + 1}"]) for i in range(n))
    return model(path, nodes + field(11, value("v0", 4)) + field(12, value(f"v{n}", 4)))


def call(words, env=None, before=None, timeout=120):
    return subprocess.run([KETTE, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}, check=False,
                          timeout=timeout, preexec_fn=before)


def lines(folder):
    """Command lines that together touch most of the library, on small files."""
    x = write_npy(os.path.join(folder, "x.npy"), (8, 784), [i % 7 / 7 for i in range(8 * 784)])
    t = write_npy(os.path.join(folder, "t.npy"), (8,), [i % 10 for i in range(8)], "q")
    out = os.path.join(folder, "out.")
    return {
        "ops": ["ops"],
        "check": ["check", LECTURE],
        "info": ["info", LECTURE],
        "run": ["run", LECTURE, "--input", f"x={x}", "--output", f"y={out}npy", "--threads", "1"],
        "grad": ["grad", LECTURE, "-o", f"{out}grad.onnx"],
        "draw": ["draw", LECTURE, "-o", f"{out}svg"],
        "train": ["train", LECTURE, "--data", x, "--target", t, "--loss", "half-sse", "--epochs", "2", "--batch", "4",
                  "-o", f"{out}onnx", "--threads", "1"],
    }


def numbers():
    """Which calls fail: few in the short form."""
    if ALL:
        return list(range(1, 200)) + list(range(200, 6000, 13))
    return [1, 2, 5, 12, 40, 90, 200, 450, 1000, 2200]


def test_faults(folder):
    if not FAULTS:
        skip("faults on purpose", "built without -Dfaults=true")
        return
    for verb, words in lines(folder).items():
        bad, good = [], call(words)
        hit = 0
        for n in numbers():
            for kind in (f"alloc:{n}", f"alloc:{n}+", f"io:{n}:EIO", f"io:{n}:EINTR", f"io:{n}:SHORT", f"io:{n}+:ENOSPC"):
                if not ALL and (n > 250) != kind.startswith("alloc") and n > 250:
                    continue
                run = call(words, {"KETTE_FAIL": kind})
                hit += run.returncode != 0
                reason = any(text in run.stderr for text in ("on purpose", ": memory: ", "Input/output error", "No space left",
                                                             "Interrupted system call"))
                if run.returncode < 0 or run.returncode == 70 and "internal:" in run.stderr or (
                        run.returncode != good.returncode and not reason):
                    bad.append(f"{kind}: exit {run.returncode}: {run.stderr[:300]}")
        case(f"{verb}: ends well whatever fails", good.returncode == 0 and hit > 0 and not bad, good.stderr, f"{hit} failed",
             *bad[:6])
        run = call(words)
        case(f"{verb}: works afterwards", run.returncode == 0, run.stderr[:300])


def little_memory(limit):
    def before():
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    return before


def test_memory(folder):
    """The same within --max-memory and 64 MiB for all else."""
    if not SHIM:
        skip("in little memory", "not with this sanitizer")
        return
    big = wide(os.path.join(folder, "wide.onnx"), 2000, 1000)
    data = write_npy(os.path.join(folder, "wide.npy"), (50, 2000), [0.5] * 100000)
    words = {**lines(folder), "run of 8 MB": ["run", big, "--input", f"x={data}", "--threads", "1"]}
    for verb, line in words.items():
        option = [line[0], *line[1:], *([] if line[0] == "ops" else ["--max-memory", "64M"])]
        run = call(option, before=little_memory(128 * MIB))
        plain = call(line)
        case(f"{verb}: in 64 MB and 64 MiB", run.returncode == 0 and (line[0] == "train" or run.stdout == plain.stdout),
             run.returncode, run.stderr[:400])
    huge = wide(os.path.join(folder, "huge.onnx"), 5000, 5000)
    data = write_npy(os.path.join(folder, "huge.npy"), (1, 5000), [0.5] * 5000)
    run = call(["run", huge, "--input", f"x={data}", "--max-memory", "4M"], before=little_memory(68 * MIB))
    case("too little memory is an error", run.returncode == 70 and "memory: " in run.stderr, run.returncode, run.stderr)


def test_glib(folder):
    if not SHIM:
        skip("GLib asks for no large block", "not with this sanitizer")
        return
    idx = os.path.join(folder, "x.gz")
    with gzip.open(idx, "wb", compresslevel=1) as file:
        file.write(struct.pack(">HBBII", 0, 8, 2, 6000, 784) + bytes(6000 * 784))
    labels = os.path.join(folder, "t.gz")
    with gzip.open(labels, "wb", compresslevel=1) as file:
        file.write(struct.pack(">HBBI", 0, 8, 1, 6000) + bytes(6000))
    big = wide(os.path.join(folder, "wide.onnx"), 784, 2000)
    out = os.path.join(folder, "out.")
    words = {
        **lines(folder),
        "check of 20,000 nodes": ["check", long(os.path.join(folder, "long.onnx"), 20000)],
        "info of 20,000 nodes": ["info", os.path.join(folder, "long.onnx")],
        "info of 6 MB": ["info", big],
        "run of 6 MB": ["run", big, "--input", f"x={write_npy(f'{out}in', (600, 784), [0.5] * 470400)}"],
        "run into a file": ["run", big, "--input", f"x={out}in", "--output", f"y={out}big.npy"],
        "gradients of 6 MB": ["grad", big, "-o", f"{out}grad"],
        "training with 5 MB": ["train", LECTURE, "--data", idx, "--target", labels, "--loss", "half-sse",
                               "--epochs", "1", "--batch", "500", "-o", f"{out}onnx"],
    }
    for verb, line in words.items():
        run = call(line, {"LD_PRELOAD": SHIM})
        case(f"{verb}: GLib asks for no large block", run.returncode == 0, run.returncode, run.stderr[:300])


with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as place:
    test_faults(place)
    test_memory(place)
    test_glib(place)
end()
