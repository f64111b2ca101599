#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments of `kette train`, --resume, and the same final bits as an
uninterrupted run. KETTE_KILLS: how many runs are killed (3)."""
import hashlib
import os
import random
import struct
import subprocess
import sys
import tempfile
import time

KETTE = os.environ["KETTE"]
MODEL = os.path.join(os.environ.get("KETTE_SOURCE", "."), "examples/lecture/lecture.onnx")
KILLS = int(os.environ.get("KETTE_KILLS", "3"))
SAMPLES = 2000


def write_data(folder):
    """Pictures and labels as IDX files."""
    generator = random.Random(5)
    labels = bytes(generator.randrange(10) for _ in range(SAMPLES))
    patterns = [generator.randbytes(784) for _ in range(10)]
    pixels = bytearray()
    for label in labels:
        noise = generator.randbytes(784)
        pixels += bytes((p + 3 * q) >> 2 for p, q in zip(patterns[label], noise))
    x, t = os.path.join(folder, "x.idx"), os.path.join(folder, "t.idx")
    with open(x, "wb") as f:
        f.write(struct.pack(">4B3I", 0, 0, 8, 3, SAMPLES, 28, 28) + pixels)
    with open(t, "wb") as f:
        f.write(struct.pack(">4BI", 0, 0, 8, 1, SAMPLES) + labels)
    return x, t


def command(x, t, out, *more):
    return [KETTE, "train", MODEL, "--data", x, "--target", t, "--loss", "half-sse", "--optimizer", "adam",
            "--batch", "10", "--epochs", "60", "--seed", "3", "--every-epochs", "20",
            "--every-seconds", "0.1", "-q", "-o", out, *more]


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def main():
    generator = random.Random()
    with tempfile.TemporaryDirectory() as folder:
        x, t = write_data(folder)
        whole = os.path.join(folder, "whole.onnx")
        began = time.monotonic()
        subprocess.run(command(x, t, whole), check=True)
        seconds = time.monotonic() - began
        print(f"1..{KILLS}")
        failed = 0
        for i in range(KILLS):
            out, kills = os.path.join(folder, f"killed{i}.onnx"), 0
            for attempt in range(3):
                threads = str(1 + attempt % 3)
                process = subprocess.Popen(command(x, t, out, "--resume", "--threads", threads))
                time.sleep(generator.uniform(0, seconds if attempt else seconds / 2))
                process.kill()
                kills += process.wait() == -9
            result = subprocess.run(command(x, t, out, "--resume"), capture_output=True, text=True)
            same = result.returncode == 0 and digest(out) == digest(whole)
            left = [n for n in os.listdir(folder) if n.startswith(".")]
            failed += not same
            print(f"{'ok' if same else 'not ok'} {i + 1} killed {kills} times, the same bits")
            if not same:
                print("# " + (result.stderr.strip() or f"other bits; {left}").replace("\n", "\n# "))
        sys.exit(failed > 0)


main()
