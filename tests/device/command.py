#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Devices as a user of the command sees them: ops --devices, run and train --device, --place,
--explain, info --plan; on the guard device, which needs no hardware.
"""
import os
import shutil
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from command import LECTURE, case, end, kette, notes, read_npy, write_npy  # noqa: E402


def test_list():
    run = kette("ops", "--devices")
    lines = run.stdout.splitlines()
    case("ops --devices", run.returncode == 0 and lines[0].startswith("cpu ")
         and any(line.startswith("guard:0 ") for line in lines)
         and any(line.startswith("guard:1 ") for line in lines), *notes(run))
    run = kette("ops", "--devices", env={"KETTE_GUARD": "devices=0"})
    case("ops --devices: a reason where there are none",
         "guard      none: KETTE_GUARD says devices=0" in run.stdout, *notes(run))


def test_run(folder):
    data = write_npy(os.path.join(folder, "x.npy"), [3, 784], [(i * 37 % 101) / 101 for i in range(3 * 784)])
    bits = []
    for i, words in enumerate(([], ["--device", "guard"], ["--device", "guard:1", "--place", "Sigmoid=guard:0"],
                               ["--place", "*MatMul*=guard"])):
        out = os.path.join(folder, f"y{i}.npy")
        run = kette("run", LECTURE, "--input", f"x={data}", "--output", f"y={out}", *words)
        bits.append(read_npy(out)[1] if run.returncode == 0 else run.stderr)
    case("run --device, --place: the same bits", all(b == bits[0] for b in bits), str(bits)[:500])
    run = kette("run", LECTURE, "--input", data, "--device", "guard", "--place", "Sigmoid=guard:1", "--explain")
    case("run --explain", run.returncode == 0 and all(text in run.stdout for text in (
        "copy             float32[3,784]  (9408 bytes, cpu to guard:0)", "guard:1  ", "(a rule)", "(asked for)",
        "copies: 1 in, 1 out, 3 between devices", "guard:0: 2 steps")), *notes(run))
    run = kette("info", "--plan", "--device", "guard", "--place", "*layer2*=guard:1", "--place", "sigmoid=cpu", LECTURE)
    case("explanations name nodes, and rules that fit none", run.returncode == 0
         and '(a rule)  "/layer2/MatMul"' in run.stdout and 'no node fits the rule "sigmoid"=cpu' in run.stdout
         and run.stdout.count("no node") == 1, *notes(run))
    for verb in (["run", LECTURE, "--input", data], ["bench", LECTURE, "--seconds", "0.05"],
                 ["grad", LECTURE, "--of", "y", "--wrt", "x", "--input", f"x={data}"], ["draw", LECTURE, "-o", "-"]):
        run = kette(*verb, "--place", "layer1.W=guard", "--place", "*Sigmoid*=guard", "--place", "Relu=cpu")
        case(f"{verb[0]} warns of rules that fit none", run.returncode == 0 and run.stderr
             == f'warning: {LECTURE}: no node fits the rule "layer1.W"=guard:0, nor "Relu"=cpu\n', *notes(run))
    run = kette("info", "--plan", "--device", "guard", LECTURE)
    case("info --plan --device", run.returncode == 0 and "float32[1,784]  (3136 bytes, cpu to guard:0)" in run.stdout
         and "copies: 1 in, 1 out, 0 between devices" in run.stdout, *notes(run))
    run = kette("info", "--plan", LECTURE)
    case("info --plan without devices", run.returncode == 0 and "MatMul" in run.stdout
         and "copies" not in run.stdout, *notes(run))
    run = kette("info", "--plan", "--precision", "tf32", "--device", "guard", LECTURE)
    case("info --plan --precision", run.returncode == 69 and "precision tf32 needs" in run.stderr, *notes(run))
    run = kette("run", LECTURE, "--input", data, "--precision", "f32", "--device", "guard", "--explain")
    case("run --precision f32", run.returncode == 0 and "precision" not in run.stdout, *notes(run))
    run = kette("info", "--device", "guard", LECTURE)
    case("info --device needs --plan", run.returncode == 64, *notes(run))


def test_grad(folder):
    data = write_npy(os.path.join(folder, "gx.npy"), [2, 784], [(i * 37 % 101) / 101 for i in range(2 * 784)])
    words = ["grad", LECTURE, "--of", "y", "--wrt", "x", "--input", f"x={data}"]
    there = kette(*words, "--device", "guard", "--place", "*Sigmoid*=guard:1")
    case("grad --device: the same bits", there.returncode == 0 and there.stdout == kette(*words).stdout, *notes(there))
    run = kette(*words, "--device", "guard", "--explain")
    case("grad --explain", run.returncode == 0 and "SigmoidGrad" in run.stdout and "copies: 1 in, " in run.stdout, *notes(run))
    run = kette("grad", LECTURE, "--of", "y", "-o", os.path.join(folder, "g.onnx"), "--device", "guard")
    case("grad --device needs --input", run.returncode == 64, *notes(run))
    run = kette("bench", LECTURE, "--seconds", "0.05", "--device", "guard", "--place", "Sigmoid=cpu")
    case("bench --device", run.returncode == 0 and " us per run" in run.stdout, *notes(run))
    run = kette("bench", LECTURE, "--seconds", "0.05", "--device", "guard:7")
    case("bench: no such device", run.returncode == 69 and 'there is no "guard:7"' in run.stderr, *notes(run))


def test_train(folder):
    data = write_npy(os.path.join(folder, "tx.npy"), [40, 784], [(i * 37 % 101) / 101 for i in range(40 * 784)])
    target = write_npy(os.path.join(folder, "tt.npy"), [40, 10], [float(i % 10 == i // 10 % 10) for i in range(400)])
    common = ["--data", data, "--target", target, "--loss", "half-sse", "--lr", "0.5", "--batch", "10", "--quiet"]
    probe = write_npy(os.path.join(folder, "probe.npy"), [1, 784], [0.25] * 784)
    results = []
    for name, words in (("cpu", []), ("guard", ["--device", "guard"]),
                        ("mixed", ["--device", "guard:1", "--place", "MatMul=guard:0", "--place", "*SSE*=cpu"])):
        out = os.path.join(folder, f"{name}.onnx")
        run = kette("train", LECTURE, *common, "--epochs", "2", *words, "-o", out)
        then = kette("train", LECTURE, *common, "--epochs", "4", "--resume", "-o", out) if run.returncode == 0 else run
        y = kette("run", out, "--input", probe) if then.returncode == 0 else then
        results.append(y.stdout if y.returncode == 0 else y.stderr)
    case("train --device, and --resume: the same bits", len(set(results)) == 1 and "float32" in results[0],
         str(results)[:900])
    run = kette("train", LECTURE, *common, "--epochs", "1", "--place", "SigmoidGrad=guard", "--place", "fc7=cpu", "-o",
                os.path.join(folder, "idle.onnx"))
    case("train warns of rules that fit none", run.returncode == 0
         and run.stderr == f'warning: {LECTURE}: no node fits the rule "fc7"=cpu\n', *notes(run))
    info = kette("info", os.path.join(folder, "guard.onnx"))
    case("a checkpoint says where it was made", 'kette.device" = "guard"' in info.stdout, *notes(info))
    plan = kette("train", LECTURE, *common[:-1], "--device", "guard", "--dry-run", "-o", os.path.join(folder, "no.onnx"))
    case("train --dry-run says where", "copies: 2 in, 1 out, 0 between devices" in plan.stdout, *notes(plan))


def test_errors(folder):
    data = write_npy(os.path.join(folder, "x.npy"), [1, 784], [0.5] * 784)
    for words, env, text in (
            (["--device", "tpu"], {}, 'device: no plugin brings a device "tpu"; there are cpu'),
            (["--device", "guard:7"], {}, 'device: there is no "guard:7", guard has 2'),
            (["--device", "guard"], {"KETTE_GUARD": "devices=0"},
             "device: guard cannot be used: KETTE_GUARD says devices=0"),
            (["--place", "x"], {}, 'the placement "x" must be PATTERN=DEVICE'),
            (["--precision", "tf32"], {}, "device: the cpu computes float32 as float32 only"),
            (["--precision", "bf16", "--device", "guard:1"], {}, "guard:1 computes float32 as float32 only"),
            (["--precision", "f16"], {}, 'value: there is no precision "f16", only f32, tf32, bf16'),
            (["--device", "guard"], {"KETTE_GUARD": "oom=2"}, "bytes were refused on demand"),
            (["--device", "guard"], {"KETTE_GUARD": "fail=4"}, "failed on demand"),
            (["--device", "guard"], {"KETTE_GUARD": "spill=2"}, "went beyond the end of a value of "),
            (["--device", "guard"], {"KETTE_GUARD": "stale=1"}, "that was dead already")):
        run = kette("run", LECTURE, "--input", data, *words, env=env)
        case(f"run {' '.join(words)} {env}", run.returncode not in (0, 134, 139) and text in run.stderr
             and run.stderr.count("\n") == 1, *notes(run))


def varint(n):
    text = b""
    while n > 127:
        text += bytes([n & 127 | 128])
        n >>= 7
    return text + bytes([n])


def test_directories(folder):
    """kette test --device, --place."""
    place = os.path.join(folder, "lecture")
    data = os.path.join(place, "test_data_set_0")
    os.makedirs(data)
    shutil.copy(LECTURE, os.path.join(place, "model.onnx"))
    raw = struct.pack("<1568f", *((i * 31 % 97) / 97 for i in range(1568)))
    with open(os.path.join(data, "input_0.pb"), "wb") as out:  # dims, data_type, raw_data
        out.write(b"\x08\x02\x08" + varint(784) + b"\x10\x01\x4a" + varint(len(raw)) + raw)
    run = kette("run", LECTURE, "--input", os.path.join(data, "input_0.pb"),
                "--output", "y=" + os.path.join(data, "output_0.pb"))
    case("run writes what test reads", run.returncode == 0, *notes(run))
    for words in (["--device", "guard"], ["--device", "guard:1", "--place", "*MatMul*=guard:0", "--no-fusion"],
                  ["--place", "Sigmoid=guard:1"]):
        run = kette("test", "--rtol", "0", "--atol", "0", *words, place)
        case(f"test {' '.join(words)}: the same bits", run.returncode == 0 and "1 passed, 0 failed" in run.stdout,
             *notes(run))
    run = kette("test", "--device", "guard", place, env={"KETTE_GUARD": "spill=1"})
    case("test --device: a fault", run.returncode == 1 and "FAIL lecture: " in run.stdout
         and "went beyond the end of a value" in run.stdout, *notes(run))
    run = kette("test", "--device", "guard:9", place, place)
    case("test --device: no such device", run.returncode not in (0, 1) and 'there is no "guard:9"' in run.stderr
         and run.stderr.count("\n") == 1 and "FAIL" not in run.stdout, *notes(run))


def main():
    with tempfile.TemporaryDirectory() as folder:
        test_list()
        test_run(folder)
        test_grad(folder)
        test_train(folder)
        test_errors(folder)
        test_directories(folder)
    end()


main()
