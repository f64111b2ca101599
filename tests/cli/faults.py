#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command at its edges: help, wrong words, faulty files, plugins that others may write,
closed and full outputs, terminals. Exit statuses, and what stands on which stream.
"""
import json
import os
import pty
import shutil
import subprocess
import tempfile

import model
from command import KETTE, LECTURE, NODES, VERBS, broken, case, end, kette, notes, refused, write_npy


def test_help():
    run = kette("--help")
    case("--help lists the verbs", run.returncode == 0 and not run.stderr
         and all(f"\n  {verb} " in run.stdout for verb in VERBS) and "Examples:" in run.stdout, *notes(run))
    for verb in VERBS:
        run = kette(verb, "--help")
        examples = run.stdout.partition("Examples:\n")[2]
        case(f"{verb} --help has examples", run.returncode == 0 and not run.stderr
             and f"\n  kette {verb}" in run.stdout and f"  kette {verb}" in examples, *notes(run))
    run = kette("--version")
    case("--version", run.returncode == 0 and run.stdout.startswith("kette ") and run.stdout.count("\n") == 1, *notes(run))


def test_words():
    run = kette()
    case("no verb: the help on standard error", run.returncode == 64 and not run.stdout and "Usage:" in run.stderr)
    refused("an unknown verb", kette("runn", LECTURE), 64, '"runn"')
    refused("--plugin without a file", kette("--plugin"), 64, "--plugin")
    for verb in VERBS:
        refused(f"{verb}: an unknown option", kette(verb, "--no-such-option", LECTURE), 64, "no-such-option")
    for verb in VERBS:
        if verb != "ops":
            refused(f"{verb}: nothing to work on", kette(verb), 64, verb)
    refused("run: two models", kette("run", LECTURE, LECTURE), 64, "one MODEL")
    refused("run: an input without a file", kette("run", LECTURE), 64, '"x"', "--input x=FILE")
    refused("run: an input that is not there", kette("run", LECTURE, "--input", "z=a.npy"), 64, "z=a.npy")
    refused("run: threads out of range", kette("run", LECTURE, "--threads", "-1"), 64)
    refused("bench: a word for a number", kette("bench", LECTURE, "--seconds", "x"), 64, "x")
    refused("test: a folder without tests", kette("test", os.path.dirname(KETTE)), 64, "model.onnx")


def test_files(folder):
    """`FILE: CODE: WHERE: WHAT`."""
    name = os.path.join(folder, "m.onnx")
    for verb, more in (("info", []), ("check", []), ("run", []), ("bench", []), ("draw", ["-o", "-"]),
                       ("grad", ["-o", os.path.join(folder, "g")]), ("convert", ["-o", os.path.join(folder, "g")]), ("train", ["--data", "d", "-o", "o"])):
        refused(f"{verb}: no such file", kette(verb, name, *more), 66, f"{name}: io: ", "No such file")
    refused("a folder", kette("info", folder), 66, f"{folder}: io: is a directory")
    open(name, "w", encoding="ascii").close()
    refused("an empty file", kette("info", name), 65, f"{name}: format: byte 0: the file is empty")
    with open(LECTURE, "rb") as whole, open(name, "wb") as part:
        part.write(whole.read()[:-1])
    refused("the last byte is missing", kette("run", name), 65, f"{name}: format: byte ")
    with open(name, "w", encoding="ascii") as file:
        file.write("this is no model\n")
    refused("a text", kette("info", name), 65, f"{name}: format: byte ")
    broken(name, b"\x22\x07Sigmoid", b"\x22\x07Sigmoix")
    refused("a misspelt operator", kette("bench", name), 65, f"{name}: unsupported: node ", '"Sigmoix"',
            'did you mean "Sigmoid"?')
    run = kette("check", name, LECTURE)
    case("check: a fault among several files is status 1", run.returncode == 1
         and run.stdout == f"{LECTURE}: sound\n" and run.stderr.startswith(f"{name}: unsupported: "), *notes(run))
    run = kette("check", name)
    case("check: a fault is status 1", run.returncode == 1 and not run.stdout and run.stderr.startswith(f"{name}: "), *notes(run))
    run = kette("check", LECTURE)
    case("check: a sound model", run.returncode == 0 and run.stdout == f"{LECTURE}: sound\n" and not run.stderr, *notes(run))
    case("check --quiet", kette("check", "-q", LECTURE).stdout == "")
    case("check --structure takes unknown operators", kette("check", "--structure", name).returncode == 0)
    run = kette("check", name)
    case("check tells an operator that is missing once", run.stderr.count("\n") == 1
         and run.stderr.endswith(", which 2 nodes need; did you mean \"Sigmoid\"?\n"), *notes(run))
    run = kette("info", name)
    case("info names operators that are missing", run.returncode == 0
         and "\nmissing operators: Sigmoix (2 nodes)\n" in run.stdout and '"y"' in run.stdout, *notes(run))
    run = kette("info", "--json", name)
    case("info --json does, too", json.loads(run.stdout)["missing_operators"]
         == [{"name": "Sigmoix", "domain": "", "count": 2}], *notes(run))
    run = kette("draw", name, "-o", "-")
    case("draw does, too, with dashed boxes", run.returncode == 0 and "Sigmoix (2 nodes)" in run.stderr
         and "box missing" in run.stdout and "stroke-dasharray" in run.stdout, *notes(run))
    broken(name, b"layer1.W", b"\x1b[31m\x07\nW")
    run = kette("info", name)
    case("names cannot send terminal codes", "\x1b" not in run.stdout + run.stderr and "\x07" not in run.stdout + run.stderr,
         *notes(run))

    data = write_npy(os.path.join(folder, "x.npy"), [2, 783], [0.0] * 1566)
    refused("run: data of another shape", kette("run", LECTURE, "--input", f"x={data}"), 65, "x.npy: shape: ", "784", "783")
    refused("run: data that are not there", kette("run", LECTURE, "--input", "x=none.npy"), 66, "none.npy: io: ")
    data = write_npy(os.path.join(folder, "x.npy"), [2, 784], [0.0] * 1568)
    refused("run: an output's folder is not there",
            kette("run", LECTURE, "--input", f"x={data}", "--output", f"y={folder}/no/y.npy"), 66, "/no/y.npy: io: ")


def test_plugins(folder):
    modules = os.environ["KETTE_PLUGIN_PATH"].split(":")[0]
    for name in ("kette-math.so", "kette-tensor.so"):
        shutil.copy(os.path.join(modules, name), folder)
    file, none = os.path.join(folder, "kette-math.so"), {"KETTE_PLUGIN_PATH": os.path.join(folder, "none")}
    os.chmod(file, 0o666)
    refused("a plugin that everybody may write", kette("--plugin", file, "ops", env=none), 69, f"{file}: plugin: ",
            "written by everybody", "chmod go-w", "--trust-plugin")
    run = kette("--trust-plugin", "--plugin", file, "ops", env=none)
    case("--trust-plugin overrides", run.returncode == 0 and "\nSigmoid " in run.stdout and not run.stderr, *notes(run))
    os.chmod(file, 0o644)
    run = kette("check", LECTURE, f"--plugin={file}", env=none)
    case("--plugin behind the verb", run.returncode == 0, *notes(run))
    refused("no plugins", kette("bench", LECTURE, env=none), 65, "unsupported: node ", "no plugin")
    os.chmod(file, 0o666)
    refused("the reason of a refusal stands where the operator is missed",
            kette("bench", LECTURE, env={"KETTE_PLUGIN_PATH": folder}), 65, "unsupported: node ",
            "; refused was ", "written by everybody")
    refused("a plugin that is not there", kette("--plugin", os.path.join(folder, "no.so"), "ops"), 66, "io: ")
    refused("a plugin that is no library", kette("--plugin", LECTURE, "ops"), 69, "plugin: ")


def test_streams(folder):
    data = write_npy(os.path.join(folder, "x.npy"), [100, 784], [0.5] * 78400)
    for words in (["ops"], ["info", LECTURE], ["run", LECTURE, "--input", f"x={data}"], ["draw", LECTURE, "-o", "-"],
                  ["--help"], ["ops", "--json"]):
        command = subprocess.Popen([KETTE, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        command.stdout.read(1)
        command.stdout.close()
        said = command.stderr.read()
        case(f"{words[0]}: a reader that goes away", command.wait(timeout=60) == 0 and not said, said)
    with open("/dev/full", "w", encoding="ascii") as full:
        for words in (["ops"], ["info", LECTURE], ["draw", LECTURE, "-o", "-"]):
            run = kette(*words, stdout=full)
            case(f"{words[0]}: a full disk", run.returncode == 66 and "No space left" in run.stderr, *notes(run))


def on_terminal(words):
    """(exit status, what a terminal would be sent)."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(KETTE, [KETTE, *words])
    sent = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        sent += part
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), sent


def test_terminal(folder):
    """Progress and colour on a terminal only."""
    data = write_npy(os.path.join(folder, "d.npy"), [2000, 784], [(i * 7 % 11) / 11 for i in range(2000 * 784)])
    labels = write_npy(os.path.join(folder, "l.npy"), [2000], [i % 10 for i in range(2000)], "q")
    words = ["train", LECTURE, "--data", data, "--target", labels, "--loss", "half-sse", "--epochs", "2", "-o",
             os.path.join(folder, "t.onnx")]
    run = kette(*words)
    both = run.stdout + run.stderr
    case("train: plain text into files", run.returncode == 0 and both and "\r" not in both and "\x1b" not in both, *notes(run))
    status, sent = on_terminal(words)
    case("train: progress on a terminal", status == 0 and (b"\r" in sent.replace(b"\r\n", b"") or b"\x1b" in sent), sent[:600])
    run = kette(*words, "--quiet")
    case("train --quiet", run.returncode == 0 and run.stdout + run.stderr == "", *notes(run))


def test_unknown_shapes(folder):
    """A shape that the samples' contents decide cannot be planned before a training step."""
    def attribute(name, number):
        return [model.int_attr(name, number)]
    net = model.write(os.path.join(folder, "n.onnx"), [
        model.node("Gemm", ["x", "w"], ["h"]), model.node("NonZero", ["x"], ["z"]),
        model.node("Cast", ["z"], ["f"], attrs=attribute("to", 1)),
        model.node("ReduceSum", ["f"], ["s"], attrs=attribute("keepdims", 0)), model.node("Add", ["h", "s"], ["y"])],
        [model.info("x", ["N", 3])], [model.info("y", ["N", 2])], [model.floats("w", [3, 2], [0.5] * 6)])
    x, t = (write_npy(os.path.join(folder, f"{name}.npy"), [20, n], [0.5] * 20 * n) for name, n in (("x", 3), ("t", 2)))
    case("run: a shape that contents decide", kette("run", net, "--input", f"x={x}").returncode == 0)
    refused("train: a shape that contents decide",
            kette("train", net, "--data", x, "--target", t, "--loss", "half-sse", "-o", os.path.join(folder, "o.onnx")), 65,
            "unsupported: graph: a training step needs shapes that are known before the step")


def test_suite_verb():
    if not os.path.isdir(NODES):
        return
    run = kette("test", "--rtol", "0", "--atol", "0", os.path.join(NODES, "test_exp"))
    case("test: a difference is status 1 and said", run.returncode == 1 and "FAIL test_exp: " in run.stdout
         and "differ" in run.stdout and "0 passed, 1 failed" in run.stdout, *notes(run))
    run = kette("test", *(os.path.join(NODES, name) for name in ("test_exp", "test_relu", "test_gru_defaults")))
    case("test: passed, and not served with the reason", run.returncode == 0 and "PASS test_exp" in run.stdout
         and 'UNSUPPORTED test_gru_defaults: ' in run.stdout and '"GRU"' in run.stdout
         and run.stdout.endswith("2 passed, 0 failed, 1 unsupported\n"), *notes(run))


def main():
    with tempfile.TemporaryDirectory() as folder:
        test_help()
        test_words()
        test_files(folder)
        test_plugins(folder)
        test_streams(folder)
        test_terminal(folder)
        test_unknown_shapes(folder)
        test_suite_verb()
    end()


main()
