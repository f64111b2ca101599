#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All benchmarks: bench.py [--build DIR] [--seconds S] [--rounds N] [--out FILE] [--no-peers] [NAME...]

Without names everything. Each workload is measured in interleaved rounds (rounds.py) after the
programs' results were found equal; what is not here (a peer, an operator) is named. JSON lines
go to FILE (build/bench.json): the machine first, then one object per workload. The table is
printed at the end; `bench.py --table FILE` prints it again, --markdown FILE its rows for
docs/benchmarks.md. --check is the short form of the tests: no peers, and what cannot run is an
error.
"""
import argparse
import datetime
import json
import os
import platform
import subprocess
import sys

import rounds
import workloads

SINGLES = ("load", "start")  # measured by programs of their own


def machine(context):
    model = cache = ""
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
            if line.startswith("flags"):
                cache = " ".join(x for x in ("avx2", "fma", "avx512f", "amx_tile") if x in line.split())
    compiler = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=False).stdout.splitlines()
    return {"machine": model, "features": cache, "cpus": len(os.sched_getaffinity(0)), "system": platform.platform(),
            "compiler": compiler[0] if compiler else "", "load": os.getloadavg()[0],
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "onnxruntime": context.ort is not None}


def key(child, command):
    """Kette beside the hand-written step is a subject of its own."""
    return command[0].endswith("/step")


def open_children(workload, context, environment, missing):
    children = []
    for command, threads in workload.commands(context):
        try:
            child = rounds.Child(command, threads, environment)
        except rounds.Missing as error:
            name = next((w for w in command if "peer_" in w), command[0])
            words = [os.path.basename(name), *(["(" + command[2] + ")"] if "torch" in name else [])]
            missing[f"{' '.join(words)}@{threads}"] = str(error)
            continue
        if key(child, command):  # its Kette is measured against its hand-written step
            child.subjects = {s.replace("kette@", "kette-step@"): n for s, n in child.subjects.items()}
        children.append(child)
    return children


def names_of(goal, times):
    """[(subject above, subject below)] of a goal, for each number of threads."""
    if "@" in goal.above:
        pairs = [(goal.above, goal.below)]
    else:
        pairs = [(f"{goal.above}@{n}", f"{goal.below}@{n}" if f"{goal.below}@{n}" in times
                  else rounds.best(times, goal.below, n)) for n in goal.threads]
    return [(a, b) for a, b in pairs if a in times and b in times]


def judge(workload, times, spent):
    """With one thread the ratio of processor time, too, which other programs disturb less."""
    found = []
    for goal in workload.goals:
        for above, below in names_of(goal, times):
            ratio = rounds.ratio(times, above, below)
            row = {"of": above, "to": below, **ratio, "goal": goal.bound, "met": ratio["median"] <= goal.bound}
            if above.endswith("@1") and below.endswith("@1"):
                row["processor"] = rounds.ratio(spent, above, below)["median"]
            found.append(row)
    return found


def run(workload, context, options, environment):
    row, missing = {"bench": workload.name, "what": workload.what}, {}
    try:
        children = open_children(workload, context, environment, missing)
    except (RuntimeError, OSError) as error:
        return {**row, "missing": {workload.name: str(error)}}
    try:
        children = rounds.compare(children, workload.tolerance, missing)
        times, spent = rounds.measure(children, options.rounds, options.seconds)
        row["start_s"] = {s: round(c.start, 3) for c in children for s in c.subjects}
        row["versions"] = {s.split("@")[0]: c.version for c in children for s in c.subjects}
    except rounds.Missing as error:
        return {**row, "missing": {**missing, "while measuring": str(error)}}
    finally:
        for child in children:
            child.end()
    row["us"] = {subject: rounds.spread(t, 1e6) for subject, t in times.items()}
    row["ratios"] = judge(workload, times, spent)
    if workload.nodes and "kette@1" in times:
        ns = rounds.spread(times["kette@1"], 1e9 / workload.nodes, 2)
        row["per_node_ns"] = {**ns, "goal": workload.node_limit, "met": ns["median"] <= workload.node_limit}
    return {**row, "rounds": options.rounds, "seconds": options.seconds, "missing": missing}


def single(name, context, options, environment):
    """Programs that print their own lines."""
    lecture = str(workloads.HERE.parent / "examples" / "lecture" / "lecture.onnx")
    if name == "load":
        command = [context.program("load"), str(options.seconds)]
    else:
        sample = context.floats([1, 784])
        command = [context.program("start"), str(context.build / "tools" / "kette"), lecture, sample,
                   str(options.times)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        return [{"bench": name, "what": name, "missing": {name: done.stderr.strip()}}]
    return [json.loads(line) for line in done.stdout.splitlines()]


# -- the table --------------------------------------------------------------------------------

def time_text(us):
    return f"{us / 1000:.2f} ms" if us >= 10000 else f"{us:.1f} us" if us >= 100 else f"{us:.2f} us"


def by_processor(ratio, text):
    return text.format(ratio["processor"]) if "processor" in ratio else ""


def show(row):
    print(f"\n{row['bench']}: {row['what']}")
    if "us" not in row:
        for name, value in row.items():
            if name not in ("bench", "what", "missing"):
                print(f"  {name:12} {value}")
    for subject, t in row.get("us", {}).items():
        print(f"  {subject:22} {time_text(t['median']):>12}   {time_text(t['least'])} .. {time_text(t['most'])}")
    for r in row.get("ratios", []):
        verdict = "met" if r["met"] else "MISSED"
        print(f"  {r['of']:14} / {r['to']:22} {r['median']:.3f}x ({r['least']:.3f} .. {r['most']:.3f})"
              f"{by_processor(r, ' by processor time {:.3f}')}   goal <= {r['goal']}x  {verdict}")
    if "per_node_ns" in row:
        n = row["per_node_ns"]
        print(f"  per node {n['median']} ns ({n['least']} .. {n['most']})   goal <= {n['goal']} ns  "
              f"{'met' if n['met'] else 'MISSED'}")
    for name, why in (row.get("missing") or {}).items():
        print(f"  missing: {name}: {why}")


def show_all(file):
    rows = [json.loads(line) for line in file]
    head = rows[0]
    print(f"{head['machine']} ({head['features']}), {head['cpus']} processors, {head['system']}\n"
          f"{head['compiler']}; {head['date']}; load {head['load']:.2f} at the start")
    for row in rows[1:]:
        show(row)
    versions = {k: v for row in rows[1:] for k, v in row.get("versions", {}).items()}
    print("\nversions: " + ", ".join(f"{k} {v}" for k, v in sorted(versions.items())))
    verdicts = [r["met"] for row in rows[1:] for r in [*row.get("ratios", []), *([row["per_node_ns"]] if "per_node_ns" in row else [])]]
    print(f"{sum(verdicts)} of {len(verdicts)} goals met")


def markdown(file):
    """The rows with goals as docs/benchmarks.md has them."""
    head, *rows = [json.loads(line) for line in file]
    print(f"{head['date']}; {head['machine']} ({head['features']}), {head['cpus']} processors, load {head['load']:.1f} at "
          f"the start; {head['system']}; {head['compiler']}\n")
    print("| what | Kette | against | ratio, median (least .. most) | of processor time | goal | |\n|---|---|---|---|---|---|---|")
    for row in rows:
        for r in row.get("ratios", []):
            us = [row["us"][s]["median"] for s in (r["of"], r["to"])]
            print(f"| {row['bench']}: {row['what']} | {r['of']} {time_text(us[0])} | {r['to']} {time_text(us[1])} | "
                  f"{r['median']:.3f} ({r['least']:.3f} .. {r['most']:.3f}) | "
                  f"{by_processor(r, '{:.3f}')} | {r['goal']} | {'met' if r['met'] else 'missed'} |")
        if "per_node_ns" in row:
            n = row["per_node_ns"]
            print(f"| {row['bench']}: per node | {n['median']} ns | | ({n['least']} .. {n['most']}) | | {n['goal']} ns | "
                  f"{'met' if n['met'] else 'missed'} |")
        for name, why in (row.get("missing") or {}).items():
            print(f"| {row['bench']}: missing: {name} | | | {why} | | | |")


def peers_python():
    for candidate in (os.environ.get("KETTE_PEERS"), ".cache/peers/bin/python"):
        if candidate and os.access(candidate, os.X_OK):
            return os.path.abspath(candidate)
    return None


def arguments():
    parser = argparse.ArgumentParser(description="Kette's benchmarks.")
    parser.add_argument("--build", default=os.environ.get("KETTE_BUILD", "build"))
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("BENCH_SECONDS", 0.3)))
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("BENCH_ROUNDS", 7)))
    parser.add_argument("--times", type=int, default=40, help="processes started for `start`")
    parser.add_argument("--out")
    parser.add_argument("--table", help="print the table of this file and measure nothing")
    parser.add_argument("--markdown", help="the same for docs/benchmarks.md")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--check", action="store_true", help="short, without peers; everything must run")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    return parser.parse_args()


def main():
    options = arguments()
    if options.table:
        with open(options.table, encoding="utf-8") as f:
            return show_all(f)
    if options.markdown:
        with open(options.markdown, encoding="utf-8") as f:
            return markdown(f)
    known = {w.name: w for w in workloads.WORKLOADS}
    if options.list:
        return print("\n".join([f"{w.name:12} {w.what}" for w in workloads.WORKLOADS] + [*SINGLES]))
    names = options.names or [*known, *SINGLES]
    unknown = [n for n in names if n not in known and n not in SINGLES]
    if unknown:
        sys.exit(f"bench: no workload {unknown[0]!r}; there are {', '.join([*known, *SINGLES])}")
    if options.check:
        options.seconds, options.rounds, options.times = 0.002, 2, 2
    python = None if options.no_peers or options.check else peers_python()
    context = workloads.Context(options.build, python)
    out = options.out or str(context.build / "bench.json")
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    environment.setdefault("KETTE_PLUGIN_PATH", ":".join(
        str(context.build / d) for d in ("ops", "plugins/openblas", "plugins/onednn")))
    failed = []
    with open(out, "w", encoding="utf-8") as f:
        rows = [machine(context)]
        print(json.dumps(rows[0]), file=f)
        for name in names:
            found = (single(name, context, options, environment) if name in SINGLES
                     else [run(known[name], context, options, environment)])
            for row in found:
                print(json.dumps(row), file=f, flush=True)
                print(f"bench: {name} done", file=sys.stderr)
                failed += [f"{name}: {k}: {v}" for k, v in (row.get("missing") or {}).items()]
    with open(out, encoding="utf-8") as f:
        show_all(f)
    if not python and not options.check:
        print("peers are missing: neither $KETTE_PEERS nor .cache/peers/bin/python is there")
    if options.check and failed:
        sys.exit("\n".join(failed))


main()
