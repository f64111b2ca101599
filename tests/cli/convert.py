#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kette convert: data outside and inside again, a newer opset, a trained model without its
training; what is refused, and that a refusal leaves nothing behind.
"""
import glob
import os
import re
import shutil
import tempfile

from command import LECTURE, case, end, kette, notes, read_npy, refused, write_npy


def info(model):
    return kette("info", model).stdout


def output_of(model, folder):
    data = os.path.join(folder, "x.npy")
    if not os.path.exists(data):
        write_npy(data, [3, 784], [(i * 37 % 101) / 101 for i in range(3 * 784)])
    out = os.path.join(folder, "y.npy")
    run = kette("run", model, "--input", f"x={data}", "--output", f"y={out}")
    return read_npy(out) if run.returncode == 0 else notes(run)


def done(run):
    return run.returncode == 0 and not run.stdout and not run.stderr


def test_data(folder):
    model, wanted = os.path.join(folder, "m.onnx"), output_of(LECTURE, folder)
    run = kette("convert", LECTURE, "--external-data", "-o", model)
    files = glob.glob(model + "-*.data")
    case("--external-data writes a data file beside it", done(run) and len(files) == 1
         and re.search(r"m\.onnx-[0-9a-f]{16}\.data$", files[0]) and os.path.getsize(model) < 4096, *notes(run), files)
    case("and the model is the same", output_of(model, folder) == wanted, output_of(model, folder))
    moved = os.path.join(folder, "moved")
    os.mkdir(moved)
    run = kette("convert", model, "-o", os.path.join(moved, "n.onnx"))
    case("without options data that were outside stay outside, and come along",
         done(run) and len(glob.glob(moved + "/n.onnx-*.data")) == 1 and output_of(moved + "/n.onnx", folder) == wanted,
         *notes(run))
    before = open(model, "rb").read(), os.stat(files[0]).st_ino
    run = kette("convert", model, "-o", model)
    case("over itself: the same bytes, and the data file is used again", done(run)
         and (open(model, "rb").read(), os.stat(files[0]).st_ino) == before, *notes(run))
    shutil.copy(files[0], files[0] + ".kept")
    run = kette("convert", model, "--no-external-data", "-o", model)
    case("--no-external-data over itself, and the data file goes", done(run) and not glob.glob(model + "-*.data")
         and output_of(model, folder) == wanted, *notes(run))
    os.remove(files[0] + ".kept")
    run = kette("convert", model, "-o", model + "2")
    case("the form does not depend on the way", done(run)
         and kette("convert", LECTURE, "-o", model + "3").returncode == 0
         and open(model + "2", "rb").read() == open(model + "3", "rb").read(), *notes(run))


def test_opset(folder):
    out, wanted = os.path.join(folder, "o.onnx"), output_of(LECTURE, folder)
    own = int(re.search(r"opset[^0-9]*(\d+)", info(LECTURE)).group(1))
    for opset in (own, own + 1, 23):
        run = kette("convert", LECTURE, "--opset", opset, "-o", out)
        case(f"--opset {opset}", done(run) and re.search(rf"opset[^0-9]*{opset}\b", info(out))
             and output_of(out, folder) == wanted and kette("check", out).returncode == 0, *notes(run), info(out))
    os.remove(out)
    refused("a lower opset", kette("convert", LECTURE, "--opset", own - 1, "-o", out), 65,
            f"lecture.onnx: unsupported: opset_import: the model imports opset {own}, which cannot be lowered to {own - 1}")
    refused("an opset of the future", kette("convert", LECTURE, "--opset", 99, "-o", out), 65,
            "lecture.onnx: unsupported: opset_import: the newest opset known here is ", ", not 99")
    case("a refusal writes nothing", not os.path.exists(out))


def test_training(folder):
    data = write_npy(os.path.join(folder, "d.npy"), [50, 784], [(i * 7 % 11) / 11 for i in range(50 * 784)])
    labels = write_npy(os.path.join(folder, "l.npy"), [50], [i % 10 for i in range(50)], "q")
    trained, out = os.path.join(folder, "t.onnx"), os.path.join(folder, "s.onnx")
    run = kette("train", LECTURE, "--data", data, "--target", labels, "--loss", "half-sse", "--optimizer", "adam",
                "--batch", "10", "--epochs", "2", "-o", trained)
    case("a trained model", run.returncode == 0, *notes(run))
    wanted = output_of(trained, folder)
    run = kette("convert", trained, "--strip-training", "-o", out)
    with open(out, "rb") as file:
        left = file.read()
    case("--strip-training keeps the parameters", done(run) and output_of(out, folder) == wanted, *notes(run))
    case("and nothing else", not re.search(rb"kette\.(?!previous_producer)[a-z]", left)
         and b"Adam" not in left and len(left) < 1.05 * os.path.getsize(LECTURE),
         sorted(set(re.findall(rb"kette\.[a-z.0-9-]+", left))), len(left), os.path.getsize(LECTURE))
    run = kette("convert", trained, "--external-data", "--opset", 23, "-o", out)
    case("training stays otherwise, also with a newer opset", done(run) and output_of(out, folder) == wanted
         and "step" in info(out) and kette("check", out).returncode == 0, *notes(run), *notes(kette("check", out)))


def test_refused(folder):
    out = os.path.join(folder, "r.onnx")
    refused("no output", kette("convert", LECTURE), 64, "convert needs -o FILE")
    refused("two models", kette("convert", LECTURE, LECTURE, "-o", out), 64, "one MODEL")
    refused("in and out", kette("convert", LECTURE, "--external-data", "--no-external-data", "-o", out), 64, "exclude")
    refused("a negative opset", kette("convert", LECTURE, "--opset", -3, "-o", out), 64, "--opset is -3")
    refused("a folder", kette("convert", LECTURE, "-o", folder), 66, f"{folder}: io: is a directory")
    refused("a folder that is not there", kette("convert", LECTURE, "-o", folder + "/none/m.onnx"), 66, "/none/m.onnx: io: ")
    refused("external data of a folder", kette("convert", LECTURE, "--external-data", "-o", folder), 66,
            f"{folder}: io: is a directory")
    case("and nothing was written", not glob.glob(folder + "/r.onnx*") and not glob.glob(folder + "-*.data"))


def field(number, value):
    def varint(n):
        return bytes([n & 127 | 128]) + varint(n >> 7) if n > 127 else bytes([n])
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def test_large(folder):
    """2.2 GB of data, in a file that takes no room."""
    name, out = os.path.join(folder, "large.onnx"), os.path.join(folder, "l.onnx")
    n = 550_000_000
    weight = field(1, n) + field(2, 1) + field(8, b"w") + field(13, field(1, b"location") + field(2, b"large.bin")) + field(14, 1)
    values = [field(1, v) + field(2, field(1, field(1, 1))) for v in (b"x", b"y")]
    graph = (field(1, field(1, b"x") + field(1, b"w") + field(2, b"y") + field(4, b"Add")) + field(2, b"g") + field(5, weight)
             + field(11, values[0]) + field(12, values[1]))
    with open(name, "wb") as file:
        file.write(field(1, 8) + field(8, field(2, 13)) + field(7, graph))
    with open(os.path.join(folder, "large.bin"), "wb") as file:
        file.truncate(4 * n)
    refused("too large for one file", kette("convert", name, "--no-external-data", "-o", out), 70,
            f"{out}: limit: the model needs 2200000", " bytes without external data, a file may have 2000000000")
    case("and nothing is left of it", not glob.glob(folder + "/l.onnx*") and not glob.glob(folder + "/.l.onnx*"))


def main():
    with tempfile.TemporaryDirectory() as folder:
        test_data(folder)
        test_opset(folder)
        test_training(folder)
        test_refused(folder)
        test_large(folder)
    end()


main()
