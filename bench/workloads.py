# SPDX-License-Identifier: Apache-2.0
"""What is measured: models, data, programs, goals. Models and data are made once, in a cache
folder: small networks by examples/cnn/network.py, others by peer_export.py (PyTorch).
"""
import array
import dataclasses
import glob
import os
import pathlib
import random
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "examples" / "cnn"))
import network  # noqa: E402

VERSION = 1  # of the files in the cache


@dataclasses.dataclass
class Goal:
    """The time of `above` is at most `bound` x that of `below` (prefix: the quickest of several)."""
    above: str
    below: str
    bound: float
    threads: tuple = (1, 2)


@dataclasses.dataclass
class Workload:
    name: str
    what: str
    commands: object  # Context -> [(command, threads)]
    goals: list
    tolerance: float = 1e-4
    nodes: int = 0  # per-node time with a limit in ns
    node_limit: float = 0
    needs_peers: bool = False


class Context:
    """Where things are: the build folder, the cache, the peers' Python."""

    def __init__(self, build, python, cache=None):
        self.build, self.python = pathlib.Path(build), python
        self.cache = pathlib.Path(cache or self.build / "bench" / "cache")
        self.cache.mkdir(parents=True, exist_ok=True)
        self.ort = self.find_ort() if python else None

    def find_ort(self):
        """The library of the Python package onnxruntime."""
        code = "import importlib.util as u; print(u.find_spec('onnxruntime').submodule_search_locations[0])"
        found = subprocess.run([self.python, "-c", code], capture_output=True, text=True, check=False)
        libraries = glob.glob(found.stdout.strip() + "/capi/libonnxruntime.so*") if found.returncode == 0 else []
        return sorted(libraries)[0] if libraries else None

    def program(self, name):
        return str(self.build / "bench" / name)

    def file(self, name, make):
        """NAME in the cache; MAKE (path) writes it where it is missing."""
        path = self.cache / f"v{VERSION}-{name}"
        if not path.exists():
            part = path.with_suffix(path.suffix + f".{os.getpid()}")
            make(part)
            part.rename(path)
        return str(path)

    # -- data: NPY with a header of 128 bytes -------------------------------------------------
    def floats(self, shape, seed=1):
        def make(path):
            draw, count = random.Random(seed).random, 1
            for d in shape:
                count *= d
            write_npy(path, "<f4", shape, array.array("f", [draw() for _ in range(count)]))
        return self.file("x-" + "x".join(map(str, shape)) + ".npy", make)

    def labels(self, n, one_hot=False):
        def make(path):
            draw = random.Random(2).randrange
            values = [draw(10) for _ in range(n)]
            if one_hot:
                write_npy(path, "<f4", (n, 10), array.array("f", [float(v == k) for v in values for k in range(10)]))
            else:
                write_npy(path, "<i8", (n,), array.array("q", values))
        return self.file(f"t-{n}{'-rows' if one_hot else ''}.npy", make)

    # -- models -------------------------------------------------------------------------------
    def sequential(self, layers, shape, batch="N"):
        name = "-".join([*map(str, shape), *layers.split(), *([f"b{batch}"] if batch != "N" else [])])
        return self.file(name + ".onnx", lambda path: path.write_bytes(
            network.sequential(layers.split(), shape, 0, batch)))

    def chain(self, n, dims, ops):
        def make(path):
            nodes, value = [], "x"
            for i in range(n):
                op, out = ops[i % len(ops)], "y" if i == n - 1 else f"h{i}"
                nodes.append(network.node(op, [value] if op == "Abs" else [value, "c"], [out]))
                value = out
            path.write_bytes(network.model([*nodes, network.tensor("c", [1], [0.5]),
                                            network.described(11, "x", dims), network.described(12, "y", dims)]))
        return self.file(f"chain-{n}-{'x'.join(map(str, dims))}.onnx", make)

    def exported(self, name):
        """A model of torchvision, as the peers' PyTorch exports it."""
        def make(path):
            done = subprocess.run([self.python, str(HERE / "peer_export.py"), name, str(path)],
                                  capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError((done.stderr.strip() or "peer_export.py failed").splitlines()[-1])
        if not self.python:
            raise RuntimeError("needs PyTorch and torchvision to export it")
        return self.file(name + ".onnx", make)


def write_npy(path, descr, shape, values):
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00\x76\x00" + head.ljust(117).encode() + b"\n")
        values.tofile(f)


# -- training ---------------------------------------------------------------------------------

def training(layers, shape, batch, samples, loss, rate, hand=True, modes=("eager", "compile"), dynet=True):
    def commands(c):
        model = c.sequential(layers, shape)
        x = c.floats([samples, *shape])
        t = c.labels(samples, loss == "half-sse")
        found = []
        for threads in (1, 2):
            common = [model, x, t, loss, str(rate), str(batch)]
            found.append(([c.program("train"), *common, str(threads)], threads))
            if hand:  # Kette beside C, in one process
                found.append(([c.program("step"), model, loss, str(rate), str(batch), str(threads), "serve"], threads))
            for mode in modes if c.python else ():
                found.append(([c.python, str(HERE / "peer_torch.py"), mode, *common, str(threads)], threads))
            if dynet and c.python and threads == 1:
                found.append(([c.python, str(HERE / "peer_dynet.py"), *common], threads))
        return found
    return commands


# -- inference --------------------------------------------------------------------------------

def inference(model, shape, out, rows, batches=8):
    """MODEL: Context -> path; batches of ROWS samples of SHAPE, results of shape OUT."""
    def commands(c):
        path, found = model(c), []
        x = c.floats([rows * batches, *shape])
        dims = [",".join(map(str, [rows, *d])) for d in (shape, out)]
        for threads in (1, 2):
            found.append(([c.program("infer"), path, x, str(rows), str(threads)], threads))
            if c.ort:
                found.append(([c.program("peer_ort"), c.ort, path, x, str(threads), "x", dims[0], "y", dims[1]],
                              threads))
        return found
    return commands


def sequential(layers, shape, rows):
    return inference(lambda c: c.sequential(layers, shape), shape, [10], rows)


def exported(name):
    return inference(lambda c: c.exported(name), [3, 224, 224], [1000], 1, 4)


MLP, WIDE = "128 sigmoid 10 sigmoid", "1024 sigmoid 1024 sigmoid 10 sigmoid"
CNN = "conv32 relu conv64 relu pool2 flatten 128 relu 10"
ORT = [Goal("kette", "ort", 1.0)]
TWO = Goal("kette@2", "kette@1", 1.03)
TWICE = Goal("kette@2", "kette@1", round(1 / 1.7, 3))

WORKLOADS = [
    Workload("W1", "training 784-30-10 sigmoid, half-sse, batch 10",
             training("30 sigmoid 10 sigmoid", [784], 10, 1000, "half-sse", 1),
             [Goal("kette-step", "hand", 1.15), Goal("kette", "torch", 1.0), Goal("kette", "dynet", 1.0, (1,)),
              TWO]),
    Workload("W2", "training 784-128-10 relu, cross-entropy, batch 64",
             training("128 relu 10", [784], 64, 1024, "cross-entropy", 0.01),
             [Goal("kette-step", "hand", 1.1), Goal("kette", "torch", 1.0), Goal("kette", "dynet", 1.0, (1,)), TWO]),
    Workload("W3", "training 784-1024-1024-10 relu, cross-entropy, batch 256",
             training("1024 relu 1024 relu 10", [784], 256, 1024, "cross-entropy", 0.01),
             [Goal("kette-step", "hand", 1.05), Goal("kette", "torch", 1.0), Goal("kette", "dynet", 1.0, (1,)), TWICE]),
    Workload("W4", "training conv32-conv64-pool-128-10, 28x28, batch 64",
             training(CNN, [1, 28, 28], 64, 512, "cross-entropy", 0.01, False, ("eager", "channels-last", "compile"),
                      False),
             [Goal("kette", "torch", 0.7), TWO]),
    Workload("mlp-b1", "MLP 784-128-10, batch 1", sequential(MLP, [784], 1), [*ORT, TWO]),
    Workload("mlp-b64", "MLP 784-128-10, batch 64", sequential(MLP, [784], 64), [*ORT, TWO]),
    Workload("wide-b1", "MLP 784-1024-1024-10, batch 1", sequential(WIDE, [784], 1), [*ORT, TWO]),
    Workload("wide-b64", "MLP 784-1024-1024-10, batch 64", sequential(WIDE, [784], 64), [*ORT, TWO]),
    Workload("cnn-b1", "MNIST CNN, batch 1", sequential(CNN, [1, 28, 28], 1), [*ORT, TWO]),
    Workload("cnn-b64", "MNIST CNN, batch 64", sequential(CNN, [1, 28, 28], 64), [*ORT, TWO]),
    Workload("resnet18", "ResNet-18, batch 1", exported("resnet18"), [*ORT, TWO], needs_peers=True),
    Workload("resnet50", "ResNet-50, batch 1", exported("resnet50"), [*ORT, TWICE], needs_peers=True),
    Workload("mobilenet", "MobileNetV2, batch 1", exported("mobilenet_v2"), [*ORT, TWO], needs_peers=True),
    Workload("nodes", "chain of 1,000 elementwise nodes, 16 floats",
             inference(lambda c: c.chain(1000, [1, 16], ["Add", "Sub", "Mul", "Abs"]), [16], [16], 1),
             [*ORT, TWO], nodes=1000, node_limit=30),
    Workload("elementwise", "chain of 20 elementwise nodes, 1M floats",
             inference(lambda c: c.chain(20, [1, 1 << 20], ["Add", "Sub", "Mul", "Abs"]), [1 << 20], [1 << 20], 1, 2),
             [Goal("held", "ort", 0.4), TWO]),
]
