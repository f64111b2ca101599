#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the pairs of external.txt in a folder with the files that they name."""
import os
import subprocess
import sys
import tempfile


def make(folder):
    home, other = os.path.join(folder, "home"), os.path.join(folder, "other")
    for path in (home, other, os.path.join(home, "sub")):
        os.mkdir(path)
    for path, n in (("w.bin", 8), ("sub/w.bin", 16), ("hard.bin", 8), ("a..b", 8), ("../other/o.bin", 8)):
        with open(os.path.join(home, path), "wb") as file:
            file.write(bytes(n))
    os.symlink("w.bin", os.path.join(home, "link.bin"))
    os.symlink("sub", os.path.join(home, "sublink"))
    os.symlink("../other/o.bin", os.path.join(home, "out.bin"))
    os.link(os.path.join(home, "hard.bin"), os.path.join(home, "hard2.bin"))
    os.mkfifo(os.path.join(home, "fifo"), 0o600)
    return home


def main():
    with tempfile.TemporaryDirectory(prefix="kette-") as folder:
        sys.exit(subprocess.run([sys.argv[1], "-d", make(folder), sys.argv[2]], check=False).returncode)


main()
