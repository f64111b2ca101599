# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command share: cases in TAP, a way to call it, files to call it with."""
import os
import struct
import subprocess
import sys

KETTE = os.environ["KETTE"]
SOURCE = os.environ["KETTE_SOURCE"]
LECTURE = os.path.join(SOURCE, "examples", "lecture", "lecture.onnx")
ZOO = os.path.join(SOURCE, "..", "shared", "zoo")
NODES = "/usr/lib/python3/dist-packages/onnx/backend/test/data/node"
VERBS = ("info", "check", "diff", "run", "test", "train", "grad", "draw", "convert", "ops", "bench")
number = failed = 0


def case(name, good, *notes):
    global number, failed
    number += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {number} - {name}")
    for note in notes if not good else ():
        for line in str(note).splitlines()[:12]:
            print("#", line)


def skip(name, reason):
    global number
    number += 1
    print(f"ok {number} - {name} # SKIP {reason}")


def end():
    print(f"1..{number}")
    sys.exit(failed > 0)


def kette(*words, env=None, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=None):
    return subprocess.run([KETTE, *map(str, words)], stdin=stdin, stdout=stdout, stderr=subprocess.PIPE,
                          text=True, env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}, timeout=60, check=False, cwd=cwd)


def notes(run):
    return f"exit {run.returncode}", run.stderr[:600], (run.stdout or "")[:600]


def refused(name, run, status, *texts):
    """One line on standard error with these texts, nothing on standard output."""
    case(name, run.returncode == status and not run.stdout and run.stderr.count("\n") == 1
         and run.stderr.endswith("\n") and len(run.stderr) <= 1025 and all(text in run.stderr for text in texts),
         *notes(run), f"wanted: {status} {texts}")


def write_npy(path, shape, numbers, code="f"):
    names = {"f": "<f4", "d": "<f8", "q": "<i8", "B": "|u1"}
    head = f"{{'descr': '{names[code]}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode("latin-1"))
        file.write(struct.pack(f"<{len(numbers)}{code}", *numbers))
    return path


def read_npy(path):
    """(shape, numbers) of a float32 file."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    n = struct.unpack("<H", data[8:10])[0]
    head = eval(data[10:10 + n])  # what the command under test wrote
    assert head["descr"] == "<f4" and not head["fortran_order"] and (10 + n) % 64 == 0, head
    body = data[10 + n:]
    return head["shape"], struct.unpack(f"<{len(body) // 4}f", body)


def broken(path, old, new):
    """The lecture's network with some bytes replaced by as many others."""
    with open(LECTURE, "rb") as file:
        data = file.read()
    assert old in data and len(old) == len(new)
    with open(path, "wb") as file:
        file.write(data.replace(old, new))
    return path
