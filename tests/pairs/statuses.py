#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every status that a plugin can return without a text of its own: code, text, exit status."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import model  # noqa: E402
from command import case, end, kette, notes, write_npy  # noqa: E402

STATUSES = [
    (-1, 65, "attr: {}an attribute is wrong"), (-2, 65, "value: {}the content of an input is wrong"),
    (-3, 65, "type: {}element types do not fit"), (-4, 65, "shape: {}shapes do not fit"),
    (-5, 70, "memory: {}memory was refused"), (-6, 69, "device: {}the device failed"),
    (-7, 65, "unsupported: {}not supported"),
    (-8, 70, "internal: {}a fault of the plugin; please report it"),
    (-9, 130, "cancel: {}cancelled"), (-10, 70, "limit: {}a dim does not fit 63 bits"),
    (-99, 69, "plugin: {}the operator's plugin returned the unknown status -99"),
]


def main():
    with tempfile.TemporaryDirectory(prefix="kette-") as folder:
        x = write_npy(os.path.join(folder, "x.npy"), [4], [1, 2, 3, 4])
        for number, status, text in STATUSES:
            path = model.write(os.path.join(folder, "m.onnx"),
                               [model.node("Fault", ["x"], ["y"], "n0", "faulty", [model.text_attr("how", str(number))])],
                               [model.info("x", [4])], [model.info("y", [4])], domains=["faulty"])
            run = kette("--plugin", os.environ["KETTE_FAULTY"], "run", path, "--input", f"x={x}")
            wanted = text.format('node "n0" (Fault): ')
            case(f"status {number}: {text.split(':')[0]}", run.returncode == status
                 and run.stderr == f"{path}: {wanted}\n", *notes(run), f"needs {status} {wanted}")
    end()


main()
