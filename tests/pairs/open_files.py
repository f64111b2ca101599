#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is opened as a model: everything but a regular file is refused, a link to one is followed,
standard input is read; exit statuses."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from command import KETTE, LECTURE, case, end, kette, notes  # noqa: E402


def refused(path, text, status, *words):
    run = kette("check", path, *words)
    first = kette("info", path, *words)
    case(f"open {text}", first.returncode == status and first.stderr == f"{path}: {text}\n" and run.returncode in (1, status),
         *notes(first), f"needs {status} {text}")


def piped(data, *words):
    return subprocess.run([KETTE, "info", "-", *words], input=data, capture_output=True, timeout=60, check=False)


def main():
    with tempfile.TemporaryDirectory(prefix="kette-") as folder:
        def at(name):
            return os.path.join(folder, name)
        os.mkdir(at("folder"))
        os.mkfifo(at("fifo"))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(at("socket"))
        shutil.copy(LECTURE, at("m.onnx"))
        os.symlink("m.onnx", at("link.onnx"))
        os.symlink("loop.onnx", at("loop.onnx"))
        refused(at("folder"), "io: is a directory", 66)
        refused(at("fifo"), "io: is a named pipe", 66)
        refused(at("socket"), "io: is a socket", 66)
        refused("/dev/null", "io: is a character device", 66)
        refused(at("none.onnx"), "io: cannot open: No such file or directory", 66)
        refused(at("m.onnx/x"), "io: cannot open: Not a directory", 66)
        refused(at("loop.onnx"), "io: cannot open: Too many levels of symbolic links", 66)
        open(at("empty"), "wb").close()
        refused(at("empty"), "format: byte 0: the file is empty", 65)
        for name in ("m.onnx", "link.onnx"):
            run = kette("info", at(name))
            case(f"open {name}: neighbour", run.returncode == 0 and not run.stderr, *notes(run))
        with open(LECTURE, "rb") as file:
            data = file.read()
        run = piped(data)
        case("standard input: neighbour", run.returncode == 0 and not run.stderr, run.stderr)
        run = piped(data[:-1])
        case("standard input: fault", run.returncode == 65 and b": format: byte " in run.stderr, run.stderr)
        run = piped(data, "--limit", f"file-bytes={len(data) - 1}")
        case("standard input: one byte over file-bytes", run.returncode == 70 and b": limit: " in run.stderr, run.stderr)
        run = piped(data, "--limit", f"file-bytes={len(data)}")
        case("standard input: as many bytes as file-bytes allows", run.returncode == 0, run.stderr)
        listener.close()
    end()


main()
