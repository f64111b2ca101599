#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small convolutional network learns: conv32 - pool - conv64 - pool - 128 - 10, cross-entropy,
Adam at 0.001, from weights of seed 0.

In short on 1,280 pictures of Fashion-MNIST, two epochs, tried on 500 others: at least 70 %. With
KETTE_LONG=1 (./dev models): Fashion-MNIST, all of it, 90 % within 5 epochs; the 10,000 digits of
../shared/datasets, 8,000 to train and 2,000 to try, 97.5 % within 6.
"""
import os
import pathlib
import re
import sys
import tempfile

from files import SHARED, SOURCE, kette, read_idx, run_cases, skip, write_idx

sys.path.insert(0, str(SOURCE / "examples" / "cnn"))
import network  # noqa: E402

FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")
DIGITS = SHARED / "datasets"
LAYERS = "conv32p1 relu pool2 conv64p1 relu pool2 flatten 128 relu 10"
EPOCH = re.compile(r"^epoch (\d+) .*accuracy ([0-9.]+)", re.M)


def train(folder, words, batch, epochs, wanted):
    path = os.path.join(folder, "cnn.onnx")
    with open(path, "wb") as f:
        f.write(network.sequential(LAYERS.split(), [1, 28, 28], 0))
    told = kette("train", path, *words, "--loss", "cross-entropy", "--optimizer", "adam", "--lr", "0.001",
                 "--batch", batch, "--epochs", epochs, "--seed", "0", "-o", os.path.join(folder, "trained.onnx"))
    curve = [float(accuracy) for _, accuracy in EPOCH.findall(told)]
    assert len(curve) == epochs, f"{len(curve)} epochs of {epochs}:\n{told}"
    text = "accuracy after each epoch: " + " ".join(f"{a:.4f}" for a in curve)
    assert max(curve) >= wanted, f"{text}; wanted {wanted}"
    return text


def part(folder, name, images, labels, begin, n):
    """Samples of two IDX files as files of their own."""
    (_, h, w), pixels = read_idx(images)
    _, classes = read_idx(labels)
    x, t = os.path.join(folder, name + "-x"), os.path.join(folder, name + "-t")
    write_idx(x, (n, h, w), pixels[begin * h * w:(begin + n) * h * w])
    write_idx(t, (n,), classes[begin:begin + n])
    return x, t


def test_short(folder):
    images, labels = FASHION / "t10k-images-idx3-ubyte.gz", FASHION / "t10k-labels-idx1-ubyte.gz"
    x, t = part(folder, "train", images, labels, 0, 1280)
    val = ",".join(part(folder, "val", images, labels, 1280, 500))
    return train(folder, ["--data", x, "--target", t, "--val", val], 32, 2, 0.70)


def test_fashion(folder):
    train_files = [FASHION / f"train-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")]
    val = ",".join(str(FASHION / f"t10k-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1"))
    return train(folder, ["--data", train_files[0], "--target", train_files[1], "--val", val], 64, 5, 0.90)


def test_digits(folder):
    return train(folder, ["--data", DIGITS / "mnist-10k-images-idx3-ubyte.gz",
                          "--target", DIGITS / "mnist-10k-labels-idx1-ubyte.gz", "--split", "0.2"], 32, 6, 0.975)


def main():
    cases = []
    if FASHION.is_dir():
        cases.append(("1,280 pictures of Fashion-MNIST", test_short))
    if os.environ.get("KETTE_LONG") == "1":
        cases += [("Fashion-MNIST", test_fashion)] if FASHION.is_dir() else []
        cases += [("8,000 digits", test_digits)] if DIGITS.is_dir() else []
    if not cases:
        skip("neither Debian's dataset-fashion-mnist nor ../shared/datasets is here")
    with tempfile.TemporaryDirectory() as folder:
        run_cases([(name, lambda case=case: case(folder)) for name, case in cases])


main()
