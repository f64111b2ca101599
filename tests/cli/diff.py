#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kette diff: exit statuses, the text and the JSON of it, tolerances, a model that was trained on."""
import json
import os
import tempfile

from command import LECTURE, broken, case, end, kette, notes, refused, write_npy


def test_words(folder):
    refused("one model", kette("diff", LECTURE), 64, "two models")
    refused("a negative tolerance", kette("diff", LECTURE, LECTURE, "--rtol", "-1"), 64, "out of range")
    refused("a model that is not there", kette("diff", LECTURE, os.path.join(folder, "no.onnx")), 66, "no.onnx: io: ")


def test_status(folder):
    other = broken(os.path.join(folder, "o.onnx"), b"\x22\x07Sigmoid", b"\x22\x07Sigmoix")
    run = kette("diff", LECTURE, LECTURE)
    case("equal", run.returncode == 0 and run.stdout == "equal: 6 nodes, 4 parameters\n" and not run.stderr, *notes(run))
    run = kette("diff", LECTURE, other)
    case("different", run.returncode == 1 and not run.stderr and run.stdout.startswith("nodes\n  ~ node ")
         and 'operator "Sigmoid" -> "Sigmoix"' in run.stdout and run.stdout.endswith("\n2 nodes changed\n"), *notes(run))
    run = kette("diff", "-q", LECTURE, other)
    case("--quiet", run.returncode == 1 and not run.stdout and not run.stderr, *notes(run))
    run = kette("diff", "--most", "1", LECTURE, other)
    case("--most", run.returncode == 1 and "    ... and 1 more\n" in run.stdout, *notes(run))
    run = kette("diff", "--json", LECTURE, other)
    found = json.loads(run.stdout)
    case("--json", run.returncode == 1 and found["equal"] is False and found["nodes"]["count"] == 2
         and found["nodes"]["list"][0]["change"] == "changed" and found["a"] == LECTURE, *notes(run))
    run = kette("diff", "--json", LECTURE, LECTURE)
    case("--json of equal ones", run.returncode == 0 and json.loads(run.stdout)["equal"] is True, *notes(run))


def test_trained(folder):
    data = write_npy(os.path.join(folder, "d.npy"), [20, 784], [(i * 7 % 11) / 11 for i in range(20 * 784)])
    labels = write_npy(os.path.join(folder, "l.npy"), [20], [i % 10 for i in range(20)], "q")
    trained = os.path.join(folder, "t.onnx")
    run = kette("train", LECTURE, "--data", data, "--target", labels, "--loss", "half-sse", "--lr", "0.1", "--epochs", "1",
                "-o", trained)
    case("train", run.returncode == 0, *notes(run))
    run = kette("diff", LECTURE, trained)
    case("a trained model: its weights and its training step", run.returncode == 1 and "parameters\n" in run.stdout
         and '  ~ "layer1.W"' in run.stdout and "training\n  + training_info[0]" in run.stdout, *notes(run))
    run = kette("diff", "--json", LECTURE, trained)
    rows = {row["name"]: row for row in json.loads(run.stdout)["parameters"]["list"]}
    case("its numbers", rows["layer2.W"]["count"] == 300 and 0 < rows["layer2.W"]["norm"] < 10
         and rows["layer2.W"]["max_abs"] > 0, *notes(run))
    run = kette("diff", "--structure", LECTURE, trained)
    case("--structure looks at no numbers", run.returncode == 1 and "parameters" not in run.stdout, *notes(run))
    run = kette("diff", "--atol", "1e9", trained, trained)
    case("a tolerance", run.returncode == 0, *notes(run))
    run = kette("diff", "--metadata", LECTURE, trained)
    case("--metadata", run.returncode == 1 and "metadata\n" in run.stdout and "producer" in run.stdout, *notes(run))


def main():
    with tempfile.TemporaryDirectory() as folder:
        test_words(folder)
        test_status(folder)
        test_trained(folder)
    end()


main()
