#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kette draw --device and --place: what pictures say is what runs and training steps do, on the
guard device; what is refused is refused as kette run does.
"""
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile

from command import LECTURE, SOURCE, case, end, kette, notes, refused, skip, write_npy

COPIES = re.compile(r"copies: (\d+) in, (\d+) out, (\d+) between devices, (\d+) bytes")


def draw(model, *words, name="-"):
    return kette("draw", model, "-o", name, *words)


def unescaped(text):
    return text.replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def titles(svg):
    """What the boxes and edges of a picture say, by id."""
    groups = re.findall(r'<g class="([^"]*)" id="([^"]*)">\n(?:<title>([^<]*)</title>)?', svg)
    return {name: unescaped(title) for kind, name, title in groups if kind.split()[0] in ("box", "edge")}


def copied(svg):
    """Number and bytes of all copies that boxes and edges tell of."""
    found = [int(n) for title in titles(svg).values() for n in re.findall(r"(\d+) bytes, [^ ]+ to [^ ;]+", title)]
    return len(found), sum(found)


def agrees(name, run, plan):
    """Each copy of PLAN is at one edge or box of the picture."""
    said = COPIES.search(plan.stdout or "")
    count = sum(int(n) for n in said.groups()[:3]) if said else -1
    case(name, run.returncode == 0 and said and copied(run.stdout) == (count, int(said.group(4)))
         and f"copies: {said.group(1)} in, {said.group(2)} out" in run.stdout and "not drawn" not in run.stdout,
         *notes(run), copied(run.stdout), plan.stdout[-600:], plan.stderr)


def test_forward(plain):
    svg = draw(LECTURE, "--device", "guard", "--place", "Sigmoid=cpu").stdout
    said = titles(svg)
    ops = {title.split(";")[0]: title for name, title in said.items() if name.startswith("n-")}
    case("boxes say where they are", "; on guard:0" in ops.get("MatMul + Add", "") and ops["Sigmoid"].count("; on cpu") == 1
         and "; on guard:0" in ops["weight"] and "; on cpu" in ops["input"], ops)
    case("edges say what is copied", any("3136 bytes, cpu to guard:0" in title for title in said.values())
         and ">3.14 kB<" in svg and "guard:1" not in svg, said)
    for words in (["--device", "guard:1"], ["--device", "guard", "--place", "Sigmoid=cpu"], ["--place", "*=guard"],
                  ["--device", "guard:0", "--place", "Sigmoid=guard:1"], ["--device", "guard", "--place", "MatMul=cpu"]):
        agrees(f"as info --plan: {' '.join(words)}", draw(LECTURE, *words), kette("info", "--plan", *words, LECTURE))
    run = draw(LECTURE, "--device", "cpu")
    case("the CPU alone", run.returncode == 0 and "no copies" in run.stdout and "on guard" not in run.stdout, *notes(run))
    run = draw(LECTURE, "--device", "auto")
    case("auto: a small network stays on the CPU", run.returncode == 0 and "no copies" in run.stdout, *notes(run))
    run = draw(LECTURE, "--device", "guard", "--batch", "10")
    case("--batch", "31360 bytes" in run.stdout and ">31.4 kB<" in run.stdout and "open dims 10" in run.stdout,
         *notes(run))
    case("without options as ever", draw(LECTURE).stdout == plain and "guard" not in plain and "cpu" not in plain)
    run = draw(LECTURE, "--device", "guard", "--format", "dot")
    case("DOT", run.returncode == 0 and 'on guard:0"' in run.stdout and 'label="3.14 kB"' in run.stdout
         and "40 B to cpu" in run.stdout, *notes(run))
    if shutil.which("dot"):
        lint = subprocess.run(["dot", "-Tcanon"], input=run.stdout, capture_output=True, text=True, check=False)
        case("dot reads it", lint.returncode == 0, lint.stderr)
    if os.access(os.environ.get("KETTE_RENDERER", ""), os.X_OK):
        run = draw(LECTURE, "--device", "guard", "--place", "Sigmoid=guard:1", "--layout", "dot")
        case("layout by Graphviz", run.returncode == 0 and copied(run.stdout) == (5, 3136 + 120 + 120 + 40 + 40),
             *notes(run), copied(run.stdout))


def test_document():
    """The picture of docs/devices.md is what its command gives."""
    with open(os.path.join(SOURCE, "docs", "devices.md"), encoding="utf-8") as file:
        command = re.search(r"^    (kette draw lecture.onnx (?:.*\\\n)*.*)$", file.read(), re.M).group(1)
    words = shlex.split(command.replace("\\\n", " "))[3:]
    words = words[:words.index("-o")]
    with open(os.path.join(SOURCE, "docs", "devices.svg"), encoding="utf-8") as file:
        case("docs/devices.svg is what its command gives", draw(LECTURE, *words).stdout == file.read(), words)


def network(folder):
    path = os.path.join(folder, "cnn.onnx")
    subprocess.run([sys.executable, os.path.join(SOURCE, "examples", "cnn", "network.py"), "-o", path, "conv4p1", "bn", "relu",
                    "pool2", "flatten", "10"], check=True, stdout=subprocess.DEVNULL)
    data, labels = os.path.join(folder, "x.npy"), os.path.join(folder, "labels.idx")
    write_npy(data, [8, 1, 28, 28], [(i * 37 % 101) / 101 for i in range(8 * 784)])
    with open(labels, "wb") as file:
        file.write(struct.pack(">II8B", 0x801, 8, *range(8)))
    return path, ["--data", data, "--target", labels, "--loss", "cross-entropy", "--batch", "4", "--quiet"]


def test_training(folder):
    model, words = network(folder)
    trained = os.path.join(folder, "trained.onnx")
    run = kette("train", model, *words, "--device", "guard:1", "--epochs", "1", "-o", trained)
    case("a step on a device", run.returncode == 0, *notes(run))
    run = draw(trained, "--device", "stored", "--batch", "4")
    plan = kette("train", model, *words[:-1], "--device", "guard:1", "--dry-run", "-o", os.path.join(folder, "no.onnx"))
    agrees("a checkpoint shows where it was trained: one copy per input, one of the loss", run, plan)
    said = titles(run.stdout)
    case("all operators, parameters and gradients are there", all(
        ("; on cpu" if title.startswith(("input", "target")) else "; on guard:1") in title and "gradient on cpu" not in title
        for name, title in said.items() if name.startswith("n-")), said)
    spread = os.path.join(folder, "spread.onnx")
    rules = ["--place", "*Conv*=guard:0", "--place", "*Gemm*=cpu"]
    run = kette("train", model, *words, *rules, "--device", "guard:1", "--epochs", "1", "-o", spread)
    stored = draw(spread, "--device", "stored").stdout
    case("exceptions are stored, too", run.returncode == 0 and "on guard:0" in stored and stored.startswith("<?xml")
         and stored == draw(spread, "--device", "guard:1", *rules).stdout, *notes(run), stored[:300])
    case("which others replace", draw(spread, "--device", "stored", "--place", "*Conv*=cpu").stdout
         == draw(spread, "--device", "guard:1", "--place", "*Conv*=cpu").stdout)
    run = kette("train", model, *words, "--device", "auto", "--epochs", "1", "-o", spread)
    stored = draw(spread, "--device", "stored")
    case("and what auto chose", run.returncode == 0 and stored.returncode == 0 and "no copies" in stored.stdout, *notes(stored))
    case("which leave the picture without devices alone", "guard" not in draw(trained).stdout)
    for words in (["--place", "*Conv*=guard:0"], ["--place", "*Pool*=cpu"], ["--place", "*Relu*=guard:0", "--place", "*Gemm*=cpu"]):
        run = draw(model, "--loss", "cross-entropy", "--device", "guard:1", *words)
        case(f"gradients, too: {' '.join(words)}", run.returncode == 0 and copied(run.stdout)[0] > 3
             and 'class="edge backward"' in run.stdout, *notes(run))
    refused("nothing is stored", draw(model, "--device", "stored"), 69, "device: draw: the file stores no device")


def test_refused():
    for words in (["--device", "tpu"], ["--device", "guard:7"], ["--place", "x"], ["--place", "x=tpu"], ["--device", ""]):
        drawn, run = draw(LECTURE, *words), kette("info", "--plan", *words, LECTURE)
        refused(f"as info does: {' '.join(words)}", drawn, run.returncode, "device: ")
        case("in the same words", drawn.stderr == run.stderr, drawn.stderr, run.stderr)
    refused("--batch alone", draw(LECTURE, "--batch", "10"), 64, "--batch")
    refused("a negative batch", draw(LECTURE, "--device", "guard", "--batch", "-1"), 64, "--batch")
    run = kette("draw", LECTURE, "-o", "-", "--device", "guard", env={"KETTE_GUARD": "devices=0"})
    refused("no device there", run, 69, "guard cannot be used: KETTE_GUARD says devices=0")


def main():
    if "guard:0" not in kette("ops", "--devices").stdout:
        skip("pictures of devices", "the guard device is not built")
        end()
    folder = tempfile.mkdtemp()
    try:
        test_forward(draw(LECTURE).stdout)
        test_document()
        test_training(folder)
        test_refused()
    finally:
        shutil.rmtree(folder)
    end()


main()
