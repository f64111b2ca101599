#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The nine networks of ONNX's suite whose weights are all 0.02: they load, their shapes agree,
their memory is planned, they come to the sums that they should. Input and bounds are those of
ONNX's own runner.
"""
import array
import json
import os
import sys
import tempfile

from files import SOURCE, differ, kette, output_names, read_npy, read_tensor, run_cases, skip, write_npy

sys.path.insert(0, str(SOURCE / "tests" / "onnx"))
from data import find_data  # noqa: E402

RTOL = {"densenet121": 2e-3}


def test(root, name, folder):
    model = root / f"light_{name}.onnx"
    n = 3 * 224 * 224
    x, y = os.path.join(folder, "x.npy"), os.path.join(folder, "y.npy")
    write_npy(x, (1, 3, 224, 224), array.array("f", [i / n for i in range(n)]))
    kette("run", model, "--input", x, "--output", f"{output_names(model)[0]}={y}")
    apart = differ(read_npy(y), read_tensor(root / f"light_{name}_output_0.pb"), RTOL.get(name, 1e-3), 1e-7)
    assert apart is None, apart


def test_memory(root):
    """What lies in memory at once is at most 1.15 times what must."""
    plan = json.loads(kette("info", "--json", root / "light_resnet50.onnx"))["plan"]
    least, arena = plan["live_peak_bytes"], plan["arena_bytes"]
    assert 0 < least and arena <= 1.15 * least, f"{arena} bytes, needs {least}"
    return f"{arena} bytes, {arena / least:.3f} of what must live at the worst moment"


def main():
    data = find_data("1.23")
    if data is None or not (data / "light").is_dir():
        skip("no light models of ONNX's suite here")
    names = sorted(path.stem[6:] for path in (data / "light").glob("light_*.onnx"))
    with tempfile.TemporaryDirectory() as folder:
        run_cases([(name, lambda name=name: test(data / "light", name, folder)) for name in names]
                  + [("memory of ResNet-50", lambda: test_memory(data / "light"))])


main()
