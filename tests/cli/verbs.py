#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the verbs do for a user: info, run, grad, ops, bench, draw, train, on the lecture's
network, on ONNX's node tests, and on real models next to the checkout.
"""
import glob
import json
import math
import os
import re
import struct
import tempfile

from command import LECTURE, NODES, ZOO, case, end, kette, notes, read_npy, skip, write_npy


def parsed(run):
    try:
        return json.loads(run.stdout)
    except ValueError:
        return None


def test_info():
    run = kette("info", LECTURE)
    case("info: all that a model holds", run.returncode == 0 and not run.stderr
         and all(text in run.stdout for text in ('"x"', "float32[N,784]", '"y"', '"layer1.W"', "23860", "MatMul", "opset", "arena")),
         *notes(run))
    run = kette("info", "--json", LECTURE)
    info = parsed(run)
    case("info --json", run.returncode == 0 and isinstance(info, dict) and not run.stderr, *notes(run))
    models = sorted(glob.glob(os.path.join(NODES, "*", "model.onnx")))
    faults = []
    for path in models[::8] + sorted(glob.glob(os.path.join(ZOO, "*", "model.onnx"))):
        run = kette("info", "--json", path)
        if run.returncode != 0 or not isinstance(parsed(run), dict) or run.stderr:
            faults.append(f"{path}: {run.returncode} {run.stderr[:200]}")
    if models:
        case("info --json of many models", not faults, "\n".join(faults))


def test_run(folder):
    data = write_npy(os.path.join(folder, "x.npy"), [3, 784], [(i * 37 % 101) / 101 for i in range(3 * 784)])
    out = os.path.join(folder, "y.npy")
    run = kette("run", LECTURE, "--input", f"x={data}", "--output", f"y={out}")
    shape, y = read_npy(out)
    case("run: writes .npy and says nothing", run.returncode == 0 and not run.stdout and not run.stderr
         and shape == (3, 10) and len(y) == 30 and all(0 < v < 1 for v in y), *notes(run))
    run = kette("run", LECTURE, "--input", data)
    printed = [float(v) for v in re.findall(r"\d\.\d+", run.stdout)]
    case("run: prints the same numbers", run.returncode == 0 and run.stdout.startswith("y = float32[3,10]\n[[")
         and [struct.unpack("<f", struct.pack("<f", v))[0] for v in printed] == list(y)
         and max(map(len, run.stdout.splitlines())) <= 80, *notes(run))
    run = kette("run", LECTURE, "--input", data, "--first", "1")
    case("run --first", "float32[1,10]" in run.stdout, *notes(run))
    run = kette("run", LECTURE, "--input", data, "--top", "1")
    best = [max(range(10), key=lambda k, r=r: y[10 * r + k]) for r in range(3)]
    case("run --top", re.findall(r"^ *\d+ +(\d+) \(", run.stdout, re.M) == [str(k) for k in best], *notes(run))
    texts = {kette("run", LECTURE, "--input", data, "--threads", str(n)).stdout for n in (1, 2, 3, 8)}
    case("run: the same bits with any number of threads", len(texts) == 1)
    pb = os.path.join(folder, "y.pb")
    kette("run", LECTURE, "--input", data, "--output", f"y={pb}")
    again = kette("run", LECTURE, "--input", data, "--output", f"y={out}")
    with open(pb, "rb") as file:
        case("run: writes .pb", again.returncode == 0 and struct.pack("<30f", *y) in file.read())
    large = write_npy(os.path.join(folder, "large.npy"), [500, 784], [0.25] * (500 * 784))
    run = kette("run", LECTURE, "--input", large)
    case("run: of a large output the ends", run.returncode == 0 and run.stdout.count("\n") < 20 and "..." in run.stdout, *notes(run))


def test_zoo(folder):
    """Real models whose operators are all there; the others are refused by name."""
    ran = 0
    for place in sorted(glob.glob(os.path.join(ZOO, "*", ""))):
        name, model = os.path.basename(place.rstrip("/")), place + "model.onnx"
        run = kette("check", model)
        if run.returncode != 0:
            case(f"{name}: an operator is missed by name", "unsupported: node " in run.stderr and "no plugin" in run.stderr, *notes(run))
            continue
        with open(place + "io.json", encoding="utf-8") as file:
            io = json.load(file)
        words = [word for k, value in enumerate(io["inputs"]) for word in ("--input", f"{value}={place}in{k}.npy")]
        words += [word for k, value in enumerate(io["outputs"]) for word in ("--output", f"{value}={folder}/out{k}.npy")]
        run = kette("run", model, *words)
        worst = 0.0
        for k in range(len(io["outputs"])) if run.returncode == 0 else ():
            (shape, a), (wanted, b) = read_npy(f"{folder}/out{k}.npy"), read_npy(f"{place}out{k}.npy")
            worst = max([worst, math.inf if shape != wanted else 0.0]
                        + [abs(p - q) / (1e-5 + 1e-4 * abs(q)) for p, q in zip(a, b)])
        case(f"{name} gives what other programs give", run.returncode == 0 and worst <= 1, *notes(run), f"{worst} times the tolerance")
        ran += 1
    if not os.path.isdir(ZOO):
        skip("real models", "no folder shared/zoo next to the checkout")
    else:
        case("at least one real model runs", ran > 0)


def test_grad(folder):
    data = write_npy(os.path.join(folder, "x.npy"), [2, 784], [(i * 37 % 101) / 101 for i in range(2 * 784)])
    run = kette("grad", LECTURE, "--input", f"x={data}", "--wrt", "layer2.b")
    case("grad prints gradients", run.returncode == 0 and "grad/layer2.b = float32[10]" in run.stdout
         and "layer1" not in run.stdout, *notes(run))
    out = os.path.join(folder, "g.onnx")
    for form, more in (("", []), (" --standard", ["--standard"])):
        run = kette("grad", LECTURE, "-o", out, *more)
        case(f"grad{form} writes a model", run.returncode == 0 and not run.stdout and not run.stderr, *notes(run))
        run = kette("info", out)
        case(f"grad{form}: with its outputs", all(f'"grad/layer{i}.{p}"' in run.stdout for i in (1, 2) for p in "Wb"), *notes(run))
        case(f"grad{form}: sound", kette("check", out).returncode == 0)
    y, step = os.path.join(folder, "y.npy"), 1e-2
    x = [(i * 37 % 101) / 101 for i in range(784)]
    write_npy(data, [1, 784], x)
    kette("grad", LECTURE, "-o", out, "--wrt", "x")
    run = kette("run", out, "--input", f"x={data}", "--output", f"grad/x={y}")
    slope = read_npy(y)[1] if run.returncode == 0 else [math.nan] * 784
    direction = [1 if v > 0 else -1 for v in slope]
    sums = []
    for sign in (1, -1):
        write_npy(data, [1, 784], [v + sign * step * d for v, d in zip(x, direction)])
        kette("run", LECTURE, "--input", data, "--output", f"y={y}")
        sums.append(sum(read_npy(y)[1]))
    numeric, analytic = (sums[0] - sums[1]) / (2 * step), sum(map(abs, slope))
    case("grad: the slope of the outputs' sum", abs(numeric - analytic) < 1e-2 * analytic, *notes(run), f"{numeric} and {analytic}")


def test_ops():
    run = kette("ops")
    case("ops", run.returncode == 0 and all(f"\n{op} " in run.stdout for op in ("Gemm", "MatMul", "Sigmoid", "kette:SGD")), *notes(run))
    run = kette("ops", "--json")
    case("ops --json", run.returncode == 0 and any(op["name"] == "MatMul" for op in (parsed(run) or {}).get("operators", [])), *notes(run))
    run = kette("ops", "--why", "Gemm")
    case("ops --why", run.returncode == 0 and all(text in run.stdout for text in ("transB", "kette-openblas.so", "kette-math.so", "priority")),
         *notes(run))
    run = kette("ops", "--why", "Gemn")
    case("ops --why of a misspelt name", run.returncode == 1 and 'did you mean "Gemm"?' in run.stdout + run.stderr, *notes(run))


def test_rest(folder):
    run = kette("bench", LECTURE, "--seconds", "0.05", "--batch", "10")
    case("bench", run.returncode == 0 and "us per run" in run.stdout, *notes(run))
    data = write_npy(os.path.join(folder, "d.npy"), [50, 784], [(i * 7 % 11) / 11 for i in range(50 * 784)])
    labels = write_npy(os.path.join(folder, "l.npy"), [50], [i % 10 for i in range(50)], "q")
    out = os.path.join(folder, "t.onnx")
    words = ["train", LECTURE, "--data", data, "--target", labels, "--loss", "half-sse", "--batch", "10"]
    run = kette(*words, "--epochs", "2", "-o", out)
    case("train writes a model", run.returncode == 0 and os.path.exists(out), *notes(run))
    run = kette("info", out)
    case("the trained model has its step in it", "step" in run.stdout and '"layer1.W"' in run.stdout, *notes(run))
    case("and runs", kette("run", out, "--input", data).returncode == 0)
    run = kette(*words, "--dry-run", "--epochs", "2", "-o", out + "2")
    case("train --dry-run writes nothing", run.returncode == 0 and not os.path.exists(out + "2"), *notes(run))
    run = kette("draw", out, "-o", "-")
    case("draw -o -", run.returncode == 0 and run.stdout.startswith("<?xml") and run.stdout.rstrip().endswith("</svg>"), *notes(run))


def main():
    with tempfile.TemporaryDirectory() as folder:
        test_info()
        test_run(folder)
        test_zoo(folder)
        test_grad(folder)
        test_ops()
        test_rest(folder)
    end()


main()
