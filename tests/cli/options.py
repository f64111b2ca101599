#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Options of every verb that reads a model: limits, memory, time, standard input, newer files."""
import os
import subprocess
import tempfile

from command import KETTE, LECTURE, case, end, kette, notes, refused
from model import field, floats, info, node, write


def piped(data, *words):
    return subprocess.run([KETTE, *words], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                          check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})


def test_input():
    with open(LECTURE, "rb") as file:
        model = file.read()
    run = piped(model, "check", "-")
    case("a model from standard input", run.returncode == 0 and run.stdout == b"-: sound\n", run)
    run = piped(model, "info", "-")
    case("info from standard input", run.returncode == 0 and b"784" in run.stdout, run)
    run = piped(b"", "check", "-")
    case("nothing on standard input", run.returncode == 1 and run.stderr == b"-: format: byte 0: the file is empty\n", run)
    run = piped(model[:-1], "info", "-")
    case("a cut model", run.returncode == 65 and run.stderr.startswith(b"-: format: byte "), run)
    run = piped(model, "info", "--limit", "file-bytes=1000", "-")
    case("more than file-bytes", run.returncode == 70 and b"-: limit: " in run.stderr and b"1000" in run.stderr, run)
    run = piped(model + bytes(300000), "info", "--limit", "file-bytes=100K", "-")
    case("more than file-bytes, in pieces", run.returncode == 70 and b"-: limit: " in run.stderr and b"102400" in run.stderr, run)


def test_limits():
    refused("a limit of a file", kette("info", LECTURE, "--limit", "depth=2"), 70, "limit: graph: messages nested more than 2 deep")
    refused("the last word counts", kette("info", LECTURE, "--limit", "nodes=9", "--limit", "nodes=3"), 70, "more than 3 nodes")
    for word in ("depth", "=3", "depth=", "depth=x", "depth=0", "depth=-1", "depth=257", "nosuch=3", "depth=3x", "time=x",
                 "memory=0", "nodes=1e30", "file-bytes=2G"):
        refused(f"--limit {word}", kette("info", LECTURE, "--limit", word), 64, f"--limit {word}")
    run = kette("info", LECTURE, "--limit", "text-bytes=1MiB", "--limit", "name-bytes=64k", "--limit", "unpacked-bytes=0.5G")
    case("units", run.returncode == 0 and not run.stderr, *notes(run))


def test_memory(folder):
    refused("too little memory", kette("info", LECTURE, "--max-memory", "10K"), 70, "memory: ", "10240")
    refused("the same by its other name", kette("info", LECTURE, "--limit", "memory=10K"), 70, "memory: ", "10240")
    many = os.path.join(folder, "many.onnx")
    with open(many, "wb") as file:
        file.write(b"\x08\x08\x3a\x90\x4e" + b"\x0a\x00" * 5000)
    refused("a small file that unpacks to more than is allowed", kette("info", many, "--max-memory", "64K"), 70,
            "memory: graph: unpacked it needs more than the 65536 bytes of memory that are allowed")
    refused("no number", kette("info", LECTURE, "--max-memory", "much"), 64, "--max-memory much")
    run = kette("check", LECTURE, "--max-memory", "64M")
    case("enough memory", run.returncode == 0, *notes(run))
    # 1,024 elements in, 1 GiB out: refused before anything is asked for.
    size = field(1, 2) + field(2, 7) + field(8, "n") + field(7, 262144, 1024)
    path = write(os.path.join(folder, "large.onnx"), [node("Expand", ["x", "n"], ["y"])], [info("x", [1024])],
                 [info("y", ["a", "b"])], [size])
    data = os.path.join(folder, "x.pb")
    with open(data, "wb") as file:
        file.write(floats("x", [1024], [0] * 1024))
    refused("a plan beyond the memory that is allowed", kette("run", path, "--input", f"x={data}", "--max-memory", "256M"), 70,
            "memory: ", str(256 << 20))


def test_time():
    refused("no time at all", kette("info", LECTURE, "--time-limit", "1e-9"), 70, "timeout: ", "1e-09 s")
    refused("the same by its other name", kette("info", LECTURE, "--limit", "time=1e-9"), 70, "timeout: ", "1e-09 s")
    refused("less than no spinning", kette("run", LECTURE, "--spin", "-1"), 64, "--spin -1")
    refused("spinning for seconds", kette("run", LECTURE, "--spin", "1000001"), 64, "--spin")
    refused("time that runs backwards", kette("info", LECTURE, "--time-limit", "-1"), 64, "--time-limit")
    run = kette("check", LECTURE, "--time-limit", "50")
    case("time enough", run.returncode == 0, *notes(run))


def test_newer(folder):
    with open(LECTURE, "rb") as file:
        model = file.read()
    path = os.path.join(folder, "newer.onnx")
    with open(path, "wb") as file:  # the last of two ir_versions counts
        file.write(model + field(1, 99))
    run = kette("check", path)
    case("a newer file", run.returncode == 1 and "--allow-newer" in run.stderr, *notes(run))
    run = kette("check", path, "--allow-newer")
    case("--allow-newer", run.returncode == 0 and run.stderr == f"warning: {path}: ir_version is 99, tried as 14\n", *notes(run))


def main():
    with tempfile.TemporaryDirectory() as folder:
        test_input()
        test_limits()
        test_memory(folder)
        test_time()
        test_newer(folder)
    end()


main()
