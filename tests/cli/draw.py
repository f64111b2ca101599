#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kette draw as a user runs it: formats, views, exit statuses, what stands on which stream."""
import os
import re
import shutil
import subprocess
import tempfile

KETTE = os.environ["KETTE"]
MODEL = os.path.join(os.environ["KETTE_SOURCE"], "examples", "lecture", "lecture.onnx")
number = failed = 0


def case(name, ok, *notes):
    global number, failed
    number += 1
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {number} - {name}")
    for note in notes if not ok else ():
        for line in str(note).splitlines()[:20]:
            print("#", line)


def draw(*words, env=None):
    return subprocess.run([KETTE, "draw", *words], capture_output=True, text=True,
                          env={**os.environ, **(env or {})}, timeout=60, check=False)


def refused(name, status, text, *words, env=None):
    run = draw(*words, env=env)
    case(name, run.returncode == status and text in run.stderr and not run.stdout
         and run.stderr.count("\n") == 1, f"status {run.returncode}", run.stderr, run.stdout[:200])


def main():
    folder = tempfile.mkdtemp()
    out = os.path.join(folder, "net.svg")
    run = draw(MODEL, "-o", out)
    svg = open(out, encoding="utf-8").read() if os.path.exists(out) else ""
    case("an SVG file", run.returncode == 0 and not run.stdout and not run.stderr
         and svg.startswith("<?xml") and 'class="edge backward"' not in svg, run.stderr)
    if shutil.which("xmllint"):
        lint = subprocess.run(["xmllint", "--noout", "--nonet", out], capture_output=True,
                              text=True, check=False)
        case("xmllint takes it", lint.returncode == 0, lint.stderr)
    case("standard output", draw(MODEL, "-o", "-").stdout == svg)
    case("any locale", draw(MODEL, "-o", "-", env={"LC_ALL": "de_DE.UTF-8"}).stdout == svg)
    run = draw(MODEL, "-o", "-", "--format", "dot")
    case("DOT", run.returncode == 0 and run.stdout.startswith("digraph"), run.stderr)
    run = draw(MODEL, "-o", "-", "--loss", "half-sse", "--title", "A & B")
    case("gradients of a loss", run.returncode == 0
         and run.stdout.count('class="edge backward"') == 8 and ">A &amp; B<" in run.stdout
         and "gradient" in run.stdout, run.stderr)
    ids = re.findall(r' id="([^"]+)"', run.stdout)
    case("ids are unique", len(ids) == len(set(ids)) and len(ids) > 20)
    run = draw(MODEL, "-o", "-", "--loss", "half-sse", "--view", "forward")
    case("forward with a loss", run.returncode == 0 and "HalfSSE" in run.stdout
         and 'class="edge backward"' not in run.stdout, run.stderr)
    if os.access(os.environ.get("KETTE_RENDERER", ""), os.X_OK):
        run = draw(MODEL, "-o", "-", "--layout", "dot")
        case("layout by Graphviz", run.returncode == 0 and run.stdout.startswith("<?xml"), run.stderr)
    refused("no loss", 65, "graph: draw: gradients need a loss", MODEL, "-o", "-", "--view", "both")
    refused("an unknown loss", 65, 'there is no loss "nothing"', MODEL, "-o", "-", "--loss", "nothing")
    refused("an unknown view", 65, 'there is no view "sideways"', MODEL, "-o", "-", "--view", "sideways")
    refused("too many boxes", 70, "limit: draw: the picture has more than 3 boxes", MODEL, "-o", "-",
            "--max-boxes", "3")
    refused("no renderer", 65, "kette-render", MODEL, "-o", "-", "--layout", "dot",
            env={"KETTE_RENDERER": os.path.join(folder, "none")})
    refused("an unknown suffix", 64, "--format", MODEL, "-o", os.path.join(folder, "net.bmp"))
    refused("no output", 64, "-o FILE", MODEL)
    refused("no such model", 66, "io", os.path.join(folder, "none.onnx"), "-o", "-")
    refused("no such folder", 66, "io", MODEL, "-o", os.path.join(folder, "none", "net.svg"))
    shutil.rmtree(folder)
    print(f"1..{number}")
    return 1 if failed else 0


raise SystemExit(main())
