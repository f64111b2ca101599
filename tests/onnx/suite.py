#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs one of ONNX's test suites through `kette test` and compares with the lists beside this file.

suite.py 1.12|1.23 [--no-native] [--update] [--device DEVICE] [--place GLOB=DEVICE]...

passing-VERSION.txt  tests that pass; each must, also with --no-native (bodies for kernels)
expected.txt         VERSION NAME REASON: tests that fail, and why that is right

A listed test that does not pass, one that passes unlisted, and a failure (a wrong result, a
crash, an error other than `unsupported`) without a reason are faults. --update writes the list
anew from what passes. --device and --place say where nodes run. The data: directories in
$KETTE_ONNX_DATA (separated by ":"), else Debian's libonnx-testdata for 1.12, and for 1.23 the
archive shared/onnx/onnx-tests.tar.xz next to the checkout, unpacked once into the build folder.
"""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys

from data import BUILD, find_data

HERE = pathlib.Path(__file__).resolve().parent
KETTE = os.environ.get("KETTE", str(BUILD / "tools" / "kette"))
os.environ.setdefault("KETTE_PLUGIN_PATH", f"{BUILD}/ops:{BUILD}/plugins/openblas:{BUILD}/plugins/onednn")
KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")
BATCH = 120
LIMIT = 120  # seconds per batch
RESULT = re.compile(r"^(PASS|FAIL|UNSUPPORTED) ([^ :]+):? ?(.*)$")


def read_expected(version):
    reasons = {}
    for line in (HERE / "expected.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            which, name, reason = line.split(None, 2)
            if which == version:
                reasons[name] = reason
    return reasons


def run(directories, options):
    """One call of the command: (exit status or signal, its lines)."""
    command = [KETTE, "test", *options, *map(str, directories)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return "it takes too long", ""
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode < 0:
        return f"the command dies ({signal.Signals(-done.returncode).name})", text
    if done.returncode not in (0, 1):
        return f"the command ends with status {done.returncode}", text
    return None, text


def run_batch(directories, options):
    """{name: (result, text)}; after a crash each directory on its own."""
    fault, text = run(directories, options)
    results = {}
    for line in text.splitlines():
        found = RESULT.match(line)
        if found:
            results[found.group(2)] = found.group(1), found.group(3)
    if fault is None and len(results) == len(directories):
        return results
    if len(directories) == 1:
        last = text.strip().splitlines()[-1:] or [""]
        return {directories[0].name: ("FAIL", f"{fault or 'no result'}: {last[0]}")}
    results = {}
    for directory in directories:
        results.update(run_batch([directory], options))
    return results


def judge(version, name, result, listed, reasons):
    """(is it good?, what to say)."""
    outcome, text = result
    if name in listed:
        return outcome == "PASS", text
    if outcome == "PASS":
        what = "expected.txt says that it fails" if name in reasons else "it is not in the list"
        return False, f"passes, but {what}; tests/onnx/suite.py {version} --update writes the list anew"
    return name in reasons, text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("version")
    parser.add_argument("--no-native", action="store_true")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--device")
    parser.add_argument("--place", action="append", default=[])
    asked = parser.parse_args()
    version = asked.version
    options = ["--no-native"] * asked.no_native + (["--device", asked.device] if asked.device else [])
    options += [word for rule in asked.place for word in ("--place", rule)]
    root = find_data(version)
    if root is None or not root.is_dir():
        print(f"1..0 # SKIP no data of ONNX's {version} suite here")
        sys.exit(0)

    directories = sorted(path.parent for kind in KINDS for path in (root / kind).glob("*/model.onnx"))
    results = {}
    for begin in range(0, len(directories), BATCH):
        results.update(run_batch(directories[begin:begin + BATCH], options))

    list_file = HERE / f"passing-{version}.txt"
    if asked.update:
        names = sorted(name for name, (outcome, _) in results.items() if outcome == "PASS")
        list_file.write_text("".join(name + "\n" for name in names), encoding="utf-8")
    listed = set(list_file.read_text(encoding="utf-8").split())
    reasons = read_expected(version)

    faults, lines = 0, []
    for name in sorted(set(results) | listed | set(reasons)):
        result = results.get(name, ("FAIL", "is not in the suite"))
        if result[0] == "UNSUPPORTED" and name not in listed and name not in reasons:
            continue
        good, text = judge(version, name, result, listed, reasons)
        faults += not good
        if name in reasons and good:
            lines.append(f"# expected: {name}: {reasons[name]}")
        else:
            lines.append(f"{'ok' if good else 'not ok'} - {name}")
            if not good:
                lines.append(f"# {result[0]} {text}")
    print("\n".join(lines))
    print(f"1..{sum(not line.startswith('#') for line in lines)}")
    unsupported = sum(outcome == "UNSUPPORTED" for outcome, _ in results.values())
    print(f"# {len(results)} tests, {len(listed)} listed, {unsupported} unsupported")
    sys.exit(1 if faults else 0)


main()
