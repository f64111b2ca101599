#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9, SIGINT and SIGTERM at random moments of `kette train`, while it saves too; --resume, and
the same final bits as an uninterrupted run. KETTE_KILLS: how many runs of each kind (3)."""
import hashlib
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import model  # noqa: E402

KETTE = os.environ["KETTE"]
LECTURE = os.path.join(os.environ.get("KETTE_SOURCE", "."), "examples/lecture/lecture.onnx")
KILLS = int(os.environ.get("KETTE_KILLS", "3"))
NETWORKS = {
    # name: model, pixels, samples, epochs, loss
    "lecture": (LECTURE, 28 * 28, 500, 30, "half-sse"),
    "dropout": (None, 36, 600, 100, "cross-entropy"),
}


def write_data(folder, name, pixels, samples):
    """Pictures and labels as IDX files."""
    generator = random.Random(5)
    labels = bytes(generator.randrange(10) for _ in range(samples))
    patterns = [generator.randbytes(pixels) for _ in range(10)]
    content = bytearray()
    for label in labels:
        noise = generator.randbytes(pixels)
        content += bytes((p + 3 * q) >> 2 for p, q in zip(patterns[label], noise))
    side = int(pixels ** 0.5)
    x, t = os.path.join(folder, name + "-x.idx"), os.path.join(folder, name + "-t.idx")
    with open(x, "wb") as f:
        f.write(struct.pack(">4B3I", 0, 0, 8, 3, samples, side, side) + content)
    with open(t, "wb") as f:
        f.write(struct.pack(">4BI", 0, 0, 8, 1, samples) + labels)
    return x, t


def dropout_network(path):
    """36-32-10 with ReLU and dropout."""
    generator = random.Random(7)
    weights = [model.floats(name, dims, [generator.uniform(-0.2, 0.2) for _ in range(n)])
               for name, dims, n in (("w1", [36, 32], 1152), ("b1", [32], 32), ("w2", [32, 10], 320), ("b2", [10], 10))]
    nodes = [model.node("Gemm", ["x", "w1", "b1"], ["h"], "fc1"), model.node("Relu", ["h"], ["r"], "relu"),
             model.node("Dropout", ["r"], ["d"], "drop"), model.node("Gemm", ["d", "w2", "b2"], ["y"], "fc2")]
    return model.write(path, nodes, [model.info("x", ["N", 36])], [model.info("y", ["N", 10])], weights)


class Network:
    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        file, pixels, samples, self.epochs, self.loss = NETWORKS[name]
        self.model = file or dropout_network(os.path.join(folder, name + ".onnx"))
        self.x, self.t = write_data(folder, name, pixels, samples)
        began = time.monotonic()
        result = self.train("whole")
        self.seconds = time.monotonic() - began
        assert result.returncode == 0, result.stderr
        self.bits = self.digests("whole")

    def command(self, *more):
        return [KETTE, "train", self.model, "--data", self.x, "--target", self.t, "--loss", self.loss, "--optimizer",
                "adam", "--batch", "20", "--epochs", str(self.epochs), "--seed", "3", "--split", "0.2", "--every-epochs",
                "7", "-q", "-o", "out.onnx", "--best", "best.onnx", *more]

    def place(self, run):
        """Each run has a folder of its own: names are part of a checkpoint."""
        path = os.path.join(self.folder, f"{self.name}-{run}")
        os.makedirs(path, exist_ok=True)
        return path

    def train(self, run, *more):
        return subprocess.run(self.command(*more), cwd=self.place(run), capture_output=True, text=True, check=False)

    def digests(self, run):
        out = []
        for name in ("out.onnx", "best.onnx"):
            with open(os.path.join(self.place(run), name), "rb") as f:
                out.append(hashlib.sha256(f.read()).hexdigest())
        return out

    def stop(self, run, number, generator, *more):
        """Starts a run and sends it the signal NUMBER at some moment; the exit status."""
        # Every moment is as likely as any other; saving all the time takes longer.
        longest = self.seconds * (3 if "--every-seconds" in more else 1)
        process = subprocess.Popen(self.command("--resume", *more), cwd=self.place(run), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        time.sleep(generator.uniform(0, longest))
        process.send_signal(number)
        if number != signal.SIGKILL and generator.random() < 0.2:
            process.send_signal(number)  # the second one ends it at once
        _, errors = process.communicate()
        return process.returncode, errors.decode().strip()


def check(network, run, number, generator):
    """What went wrong in a run that was stopped, or None; and how often it was."""
    stops, saving = 0, ("--every-seconds", "1e-9") if generator.random() < 0.5 else ()
    for _ in range(generator.choice((1, 1, 2, 3))):
        status, errors = network.stop(run, number, generator, *saving, "--threads", str(generator.randint(1, 3)))
        stopped = -number if number == signal.SIGKILL else 128 + number
        # Before it has begun to catch signals they do what they always do.
        if status not in (0, stopped, -number):
            return f"exit {status}: {errors}", stops
        stops += status != 0
        if os.path.exists(os.path.join(network.place(run), "out.onnx")):
            sound = subprocess.run([KETTE, "check", "out.onnx"], cwd=network.place(run), capture_output=True, text=True,
                                   check=False)
            if sound.returncode or sound.stderr:
                return f"the checkpoint: {sound.stderr}", stops
    result = network.train(run, "--resume")
    if result.returncode:
        return f"resumed: exit {result.returncode}: {result.stderr}", stops
    if network.digests(run) != network.bits:
        return "other bits", stops
    left = [n for n in os.listdir(network.place(run)) if n.startswith(".")]
    return (f"left behind: {left}" if left else None), stops


def main():
    generator, failed, number = random.Random(), 0, 0
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # where it is ignored, the command ignores it too
    with tempfile.TemporaryDirectory() as folder:
        networks = [Network(folder, name) for name in NETWORKS]
        print(f"1..{2 * KILLS}")
        for kind in ("killed", "interrupted"):
            for i in range(KILLS):
                sent = signal.SIGKILL if kind == "killed" else (signal.SIGINT, signal.SIGTERM)[i // 2 % 2]
                network = networks[i % len(networks)]
                fault, stops = check(network, f"{kind}{i}", sent, generator)
                number += 1
                failed += fault is not None
                print(f"{'not ok' if fault else 'ok'} {number} - {network.name} {kind} {stops} times: the same bits",
                      flush=True)
                if fault:
                    print("# " + fault.replace("\n", "\n# "))
    sys.exit(failed > 0)


main()
