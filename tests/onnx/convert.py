#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Models for a newer opset compute the same: ONNX's own tests, their models raised to other
opsets, still pass, and ONNX's checker accepts each. External data that Kette writes are read by
other programs.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import data as suites
from peer import KETTE, SOURCE, kette, near, np, onnx, run_cases, session

LECTURE = os.path.join(SOURCE, "examples", "lecture", "lecture.onnx")
STEP = int(os.environ.get("KETTE_CONVERT_STEP", "5"))  # of every STEP tests one; 1: all


def passing(root):
    """The tests that pass as they are."""
    folders = sorted(p.parent for p in root.glob("*/*/model.onnx") if p.parent.parent.name in ("node", "simple", "pytorch-operator"))
    run = subprocess.run([KETTE, "test", *folders[::STEP]], capture_output=True, text=True, check=False)
    names = {line.split()[1] for line in run.stdout.splitlines() if line.startswith("PASS ")}
    return [folder for folder in folders[::STEP] if folder.name in names]


def test_raised(folders, opset):
    failed, raised = [], 0
    with tempfile.TemporaryDirectory() as place:
        for folder in folders:
            target = pathlib.Path(place) / folder.name
            shutil.copytree(folder, target)
            run = subprocess.run([KETTE, "convert", folder / "model.onnx", "--opset", str(opset), "-o", target / "model.onnx"],
                                 capture_output=True, text=True, check=False)
            if run.returncode:
                shutil.rmtree(target)
                # Refused is what imports no opset of ONNX's, or a newer one.
                if "imports" not in run.stderr:
                    failed.append(run.stderr)
                continue
            raised += 1
            try:
                onnx.checker.check_model(onnx.load(target / "model.onnx"), full_check=True)
            except Exception as fault:  # whatever the checker says
                failed.append(f"{folder.name}: {fault}")
        run = subprocess.run([KETTE, "test", *sorted(pathlib.Path(place).iterdir())], capture_output=True, text=True, check=False)
        failed += [line for line in run.stdout.splitlines() if not line.startswith("PASS ")][:-1]
    assert not failed, "\n".join(failed)
    assert raised > 20, f"only {raised} models"


def test_external():
    x = np.linspace(0, 1, 2 * 784, dtype=np.float32).reshape(2, 784)
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "m.onnx")
        kette("convert", LECTURE, "--external-data", "-o", path)
        onnx.checker.check_model(path, full_check=True)
        near("the outputs", session(LECTURE).run(None, {"x": x})[0], session(path).run(None, {"x": x})[0])
        model = onnx.load(path)
        for a, b in zip(model.graph.initializer, onnx.load(LECTURE).graph.initializer):
            assert a.name == b.name and (onnx.numpy_helper.to_array(a) == onnx.numpy_helper.to_array(b)).all(), a.name
        # And what others write, Kette reads.
        onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
        kette("convert", path, "--no-external-data", "-o", path + "2")
        near("the outputs", session(LECTURE).run(None, {"x": x})[0], session(path + "2").run(None, {"x": x})[0])


def main():
    cases = [("external data", test_external)]
    root = suites.find_data("1.12")
    if root and root.is_dir():
        folders = passing(root)
        cases += [(f"opset {n}", lambda n=n: test_raised(folders, n)) for n in (18, 26)]
    sys.exit(run_cases(cases))


main()
