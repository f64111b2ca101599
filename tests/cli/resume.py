#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints as users meet them: what differs is named, damage is found and the way out shown, older
files and the best model are kept, losses that are not finite stop or are skipped."""
import os
import random
import tempfile

import model
from command import case, end, kette, notes, refused, write_npy


def data(folder, name, samples, broken=()):
    """x and t = x @ (1 2; 3 4; 5 6); the samples in BROKEN are far too large."""
    generator = random.Random(3)
    x = [[generator.uniform(-1, 1) for _ in range(3)] for _ in range(samples)]
    t = [[sum(a * b for a, b in zip(row, column)) for column in ((1, 3, 5), (2, 4, 6))] for row in x]
    for i in broken:
        x[i][0] = 3e38
    return (write_npy(os.path.join(folder, name + "-x.npy"), [samples, 3], [v for row in x for v in row]),
            write_npy(os.path.join(folder, name + "-t.npy"), [samples, 2], [v for row in t for v in row]))


def network(path, op="Identity", weight=0.5, frozen=0.0):
    return model.write(path, [model.node("Gemm", ["x", "w", "b"], ["h"], "fc"), model.node(op, ["h"], ["y"], "last")],
                       [model.info("x", ["N", 3])], [model.info("y", ["N", 2])],
                       [model.floats("w", [3, 2], [weight] * 6), model.floats("b", [2], [frozen] * 2)])


def train(folder, net, x, t, *more, epochs=2):
    return kette("train", net, "--data", x, "--target", t, "--loss", "half-sse", "--lr", "0.1", "--batch", "10",
                 "--epochs", epochs, "-o", "out.onnx", *more, cwd=folder)



def resaved(content):
    """As a program that knows nothing of the order of fields writes it: the sum moves to the front."""
    return content[-82:] + content[:-82]


def check_differences(folder, net, x, t):
    case("training", train(folder, net, x, t).returncode == 0)
    resume = lambda *more, net=net, x=x, t=t: train(folder, net, x, t, "--resume", *more, epochs=3)
    other = network(os.path.join(folder, "other.onnx"), "Tanh")
    refused("another model", resume(net=other), 65, "other.onnx: value: is another model", "SHA-256")
    refused("a model that is not there", resume(net="none.onnx"), 66, "none.onnx: io: cannot open")
    x2, t2 = data(folder, "more", 130)
    refused("other data", resume(x=x2, t=t2), 65, "out.onnx: value: the data differ", "--resume-anyway")
    refused("another option", resume("--optimizer", "adam"), 65,
            'option optimizer is "adam", the checkpoint has "sgd"')
    refused("another rate", resume("--lr", "0.2"), 65, 'option rate is "0.2', 'the checkpoint has "0.1')
    refused("fresh weights", resume("--init", "*=zeros"), 65, 'option init is "*=zeros", the checkpoint was made without')
    run = resume("--lr", "0.2", "-q", net=other, x=x2, t=t2)
    case("the same model with other weights is no other one",
         resume(net=network(os.path.join(folder, "again.onnx"), weight=9.0)).returncode == 0)
    case("refused before anything is written", run.returncode == 65, *notes(run))
    run = resume("--resume-anyway", "--lr", "0.2", net=other, x=x2, t=t2)
    case("--resume-anyway", run.returncode == 0 and "rate 0.2" in run.stdout, *notes(run))
    refused("what --resume-anyway cannot change", resume("--resume-anyway", "--optimizer", "adam"), 65,
            'option optimizer is "adam", the checkpoint has "sgd"', "cannot change")


def check_frozen(folder, net, x, t):
    case("training with a frozen parameter", train(folder, net, x, t, "--freeze", "b").returncode == 0)
    same = train(folder, network(os.path.join(folder, "same.onnx"), weight=4.0), x, t, "--resume")
    case("resumed", same.returncode == 0, *notes(same))
    refused("a model with other frozen weights",
            train(folder, network(os.path.join(folder, "bias.onnx"), frozen=1.0), x, t, "--resume"), 65,
            "bias.onnx: value: is another model")


def check_damage(folder, net, x, t):
    case("training, two files kept", train(folder, net, x, t, "--keep", "2", epochs=4).returncode == 0)
    out = os.path.join(folder, "out.onnx")
    case("the predecessors", os.path.exists(out + ".1") and os.path.exists(out + ".2")
         and not os.path.exists(out + ".3"), os.listdir(folder))
    with open(out, "rb") as file:
        whole = file.read()
    at = whole.index(b"kette.version")
    damaged = whole[:at] + b"kette.versioN" + whole[at + 13:]
    write(out, damaged)
    refused("damage found on --resume", train(folder, net, x, t, "--resume"), 65,
            "out.onnx: format: the file is damaged: its SHA-256 is", '; "out.onnx.1" is whole')
    for verb in (("info",), ("check",), ("run", "--input", f"x={x}", "--first", "1")):
        run = kette(verb[0], "out.onnx", *verb[1:], cwd=folder)
        case(f"damage is a warning of {verb[0]}", run.returncode == 0 and run.stderr.count("\n") == 1
             and run.stderr.startswith("warning: out.onnx: format: the file is damaged"), *notes(run))
    write(out, whole[:-1000])
    refused("cut off", train(folder, net, x, t, "--resume"), 65, "out.onnx: format: ", '; "out.onnx.1" is whole')
    with open(out + ".1", "r+b") as file:
        file.truncate(100)
    refused("and its predecessor too", train(folder, net, x, t, "--resume"), 65, '; "out.onnx.2" is whole')
    os.remove(out)
    refused("gone, but not its predecessors", train(folder, net, x, t, "--resume"), 66, 'is not there; "out.onnx.2" is')
    write(out, resaved(whole))
    run = train(folder, net, x, t, "--resume", epochs=5)
    case("saved again by another program: a note", run.returncode == 0
         and "note saved again by another program" in run.stdout, *notes(run))
    changed = bytearray(resaved(whole))
    weight = whole.index(b"kette.crc.w") + len(b"kette.crc.w") + 2 + 82
    changed[weight] = ord("0") if changed[weight] != ord("0") else ord("1")
    write(out, changed)
    refused("and damaged: its tensors tell", train(folder, net, x, t, "--resume", epochs=5), 65,
            'initializer "w" is damaged: its checksum is')
    write(out, resaved(whole.replace(b"kette.crc.w", b"kette.crc.v")))
    refused("and a checksum is gone", train(folder, net, x, t, "--resume", epochs=5), 65,
            'initializer "w" has no checksum in the metadata')
    write(out, whole)
    run = train(folder, net, x, t, "--resume", epochs=5)
    case("whole again", run.returncode == 0, *notes(run))
    run = kette("info", "out.onnx", cwd=folder)
    case("nothing to warn of", run.returncode == 0 and not run.stderr, *notes(run))


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def check_best(folder, net, x, t):
    best = os.path.join(folder, "best.onnx")
    more = ("--split", "0.2", "--best", "best.onnx")
    case("training with the best model apart", train(folder, net, x, t, *more, epochs=6).returncode == 0)
    first = read(best)
    case("it was written", b"kette.best-metric" in first)
    # Nothing moves any more.
    run = train(folder, net, x, t, *more, "--resume", "--resume-anyway", "--lr", "1e-30", epochs=8)
    case("a resumed run that is no better leaves it", run.returncode == 0 and read(best) == first, *notes(run))
    vx, vt = data(folder, "val", 20)
    for name in ("out.onnx", "out.onnx.1", "best.onnx"):
        os.remove(os.path.join(folder, name))
    val = ("--val", f"{vx},{vt}", "--best", "best.onnx")
    case("training with validation data", train(folder, net, x, t, *val).returncode == 0)
    wx, wt = data(folder, "val2", 21)
    refused("other validation data", train(folder, net, x, t, "--val", f"{wx},{wt}", "--resume", epochs=3), 65,
            "the validation data differ")
    os.remove(os.path.join(folder, "out.onnx"))
    os.remove(os.path.join(folder, "out.onnx.1"))
    run = train(folder, net, x, t, "--lr", "1e-30", "--patience", "3", epochs=50)
    case("--patience", run.returncode == 0 and "epoch 5" in run.stdout and "epoch 6" not in run.stdout, *notes(run))


def check_not_finite(folder, net):
    x, t = data(folder, "broken", 120, broken=(35,))
    refused("a loss that is not finite", train(folder, net, x, t, "-q"), 65, "step ", "the loss is ", "was not taken")
    case("saves nothing", not os.path.exists(os.path.join(folder, "out.onnx")))
    run = train(folder, net, x, t, "--on-nan", "skip", epochs=3)
    case("--on-nan skip", run.returncode == 0 and "3 steps skipped" in run.stdout, *notes(run))
    whole = read(os.path.join(folder, "out.onnx"))
    for name in ("out.onnx", "out.onnx.1"):
        os.remove(os.path.join(folder, name))
    train(folder, net, x, t, "--on-nan", "skip", "--steps", "17", epochs=3)
    run = train(folder, net, x, t, "--on-nan", "skip", "--resume", epochs=3)
    case("the same bits when resumed", run.returncode == 0 and read(os.path.join(folder, "out.onnx")) == whole, *notes(run))
    for name in ("out.onnx", "out.onnx.1"):
        os.remove(os.path.join(folder, name))
    all_bad = data(folder, "bad", 40, broken=range(40))
    refused("no finite loss at all", train(folder, net, *all_bad, "-q", "--on-nan", "skip"), 65, "no step had a finite loss")
    good = data(folder, "good", 120)
    case("a good checkpoint", train(folder, net, *good, epochs=1).returncode == 0)
    before = read(os.path.join(folder, "out.onnx"))
    run = train(folder, net, *good, "-q", "--resume", "--resume-anyway", "--lr", "1e39", "--steps", "13", epochs=9)
    case("a model that is not finite replaces no good one", run.returncode == 65 and "not saved" in run.stderr
         and read(os.path.join(folder, "out.onnx")) == before, *notes(run))
    run = train(folder, net, *good, "--on-nan", "sulk")
    case("--on-nan sulk", run.returncode == 64, *notes(run))


def check_time(folder, net, x, t):
    run = train(folder, net, x, t, "-q", "--time-limit", "0.4", "--every-epochs", "0", epochs=10**8)
    late = float(run.stderr.rsplit("after ", 1)[-1].split()[0]) - 0.4 if "after " in run.stderr else 9
    refused("training at its time limit", run, 70, "timeout: ", "the time limit of 0.4 s passed after ")
    case("soon", late < 1.2, f"{late:.2f} s late")
    print(f"# {late * 1000:.0f} ms late")
    run = kette("info", "out.onnx", cwd=folder)
    case("what was reached is saved", run.returncode == 0 and not run.stderr, *notes(run))
    run = train(folder, net, x, t, "--resume", "--steps", "1", epochs=10**8)
    case("and can be resumed", run.returncode == 0 and "resumed at step" in run.stdout, *notes(run))


def main():
    for check in (check_differences, check_frozen, check_damage, check_best, check_time):
        with tempfile.TemporaryDirectory() as folder:
            x, t = data(folder, "data", 120)
            check(folder, network(os.path.join(folder, "net.onnx")), x, t)
    with tempfile.TemporaryDirectory() as folder:
        check_not_finite(folder, network(os.path.join(folder, "net.onnx")))
    end()


main()
