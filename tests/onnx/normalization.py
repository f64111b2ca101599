#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Batch normalisation in training, beside PyTorch: the recorded numbers of
tests/train/reference-bn are what PyTorch computes here and now, and `kette train` ends with the
same parameters and running statistics from another start.
"""
import os
import subprocess
import sys
import tempfile

from peer import SOURCE, kette, near, np, onnx, run_cases, skip

try:
    import torch  # noqa: F401
except ImportError as error:
    skip(str(error))

REFERENCE = os.path.join(SOURCE, "tests", "train", "reference-bn")


def parameters(path):
    return {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


def train(folder):
    out = os.path.join(folder, "out.onnx")
    kette("train", os.path.join(folder, "network.onnx"), "--data", os.path.join(folder, "x.npy"), "--target",
          os.path.join(folder, "t.npy"), "--loss", "cross-entropy", "--lr", "0.1", "--batch", "8", "--epochs", "1",
          "--no-shuffle", "-q", "-o", out)
    return out


def test_recorded(folder):
    for name in sorted(os.listdir(REFERENCE)):
        if name.endswith(".npy"):
            near(name, np.load(os.path.join(REFERENCE, name)), np.load(os.path.join(folder, name)))


def test_trained(folder):
    have = parameters(train(folder))
    for name, value in have.items():
        near(name, np.load(os.path.join(folder, name + ".npy")), value)
    assert len(have) == 13, f"{len(have)} parameters"


def test_inference(folder):
    """The trained file is a network in inference for other programs, too."""
    from peer import session
    path = train(folder)
    onnx.checker.check_model(path, full_check=True)
    theirs = session(path).run(["y"], {"x": np.load(os.path.join(folder, "x.npy"))})[0]
    near("y", np.load(os.path.join(folder, "y.npy")), theirs)


def main():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, os.path.join(REFERENCE, "make-reference.py"), folder], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return run_cases([
            ("PyTorch's numbers are those recorded", lambda: test_recorded(folder)),
            ("kette train follows PyTorch", lambda: test_trained(folder)),
            ("ONNX Runtime runs the trained file", lambda: test_inference(folder)),
        ])


sys.exit(main())
