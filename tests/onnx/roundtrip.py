#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every model at hand (shared/zoo and shared/onnx next to the checkout, Debian's
libonnx-testdata, the examples, folders in $KETTE_MODELS separated by ":") passes `kette check --structure`, and is the same after loading
and saving: field by field, once more with an unknown field in each message, and with the same
bytes when it is saved a second time.
"""
import os
import pathlib
import subprocess
import sys

from data import BUILD, SOURCE, find_data

KETTE = os.environ.get("KETTE", str(BUILD / "tools" / "kette"))
ROUNDTRIP = os.environ.get("KETTE_ROUNDTRIP", str(BUILD / "tests" / "onnx" / "roundtrip"))
BATCH = 400


def models():
    """(what they are, files)."""
    yield "examples", sorted((SOURCE / "examples").glob("**/*.onnx"))
    yield "zoo", sorted((SOURCE.parent / "shared" / "zoo").glob("*/model.onnx"))
    for version in ("1.12", "1.23"):
        root = find_data(version)
        yield f"ONNX's suite {version}", sorted(root.glob("**/*.onnx")) if root else []
    for folder in filter(None, os.environ.get("KETTE_MODELS", "").split(":")):
        yield folder, sorted(pathlib.Path(folder).glob("**/*.onnx"))


def checked(files):
    """Files that `kette check --structure` does not call sound."""
    faults = []
    for begin in range(0, len(files), BATCH):
        batch = files[begin:begin + BATCH]
        done = subprocess.run([KETTE, "check", "--structure", *map(str, batch)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        sound = done.stdout.decode("utf-8", "replace").splitlines()
        if done.returncode != 0 or sound != [f"{path}: sound" for path in batch]:
            faults += done.stderr.decode("utf-8", "replace").splitlines() or [f"exit {done.returncode}"]
    return faults


def tripped(files):
    done = subprocess.run([ROUNDTRIP], input="".join(f"{path}\n" for path in files).encode(),
                          stdout=subprocess.PIPE, timeout=90, check=False)
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    faults = [line for line in lines[:-1] if not line.startswith("SAME ")]
    if done.returncode not in (0, 1) or len(lines) != len(files) + 1:
        faults.append(f"status {done.returncode} after {len(lines)} of {len(files)} files")
    return faults


def main():
    number = bad = 0
    for what, files in models():
        if not files:
            print(f"# skipped: no {what} here")
            continue
        for name, faults in (("pass check --structure", checked(files)),
                             ("are the same, loaded and saved", tripped(files))):
            number += 1
            bad += bool(faults)
            print(f"{'not ok' if faults else 'ok'} {number} - {what}: {len(files)} models {name}")
            for fault in faults[:40]:
                print(f"# {fault}")
    print(f"1..{number}")
    sys.exit(1 if bad else 0)


main()
