#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the JSON lines of the benchmarks as a table: what was measured, and the goal."""
import json
import sys


def main():
    rows = {}
    with open(sys.argv[1], encoding="utf-8") as f:
        for line in f:
            row = json.loads(line)
            rows[row["bench"]] = row
    w1, torch = rows["W1"], rows["W1-pytorch"]
    print(f'{w1["what"]}')
    print(f'  by hand in C, same OpenBLAS   {w1["hand_us"]:8.1f} us')
    print(f'  Kette                         {w1["kette_us"]:8.1f} us   {w1["ratio"]:.2f}x by hand '
          f'({w1["least"]:.2f} .. {w1["most"]:.2f}), goal <= {w1["goal"]}x')
    if "us" in torch:
        print(f'  {torch["what"]:30}{torch["us"]:8.1f} us   Kette takes '
              f'{w1["kette_us"] / torch["us"]:.2f}x of it')
    else:
        print(f'  PyTorch                       {torch["missing"]}')
    chain, start = rows["chain"], rows["start"]
    print(f'{chain["what"]:32}{chain["ns"]:8.1f} ns   goal <= {chain["goal"]} ns')
    print(f'{start["what"]:32}{start["ms"]:8.2f} ms   goal <= {start["goal_ms"]} ms')
    print(f'{"peak memory of that process":32}{start["peak_mb"]:8.1f} MB   goal <= {start["goal_mb"]} MB')
    large, nodes = rows["load-46MB"], rows["load-nodes"]
    print(f'{large["what"] + ": read":32}{large["read_ms"]:8.2f} ms   summed in a map {large["sum_ms"]:.2f} ms')
    print(f'{"  scan and unpack":32}{large["scan_ms"]:8.2f} ms   {large["ratio"]:.3f}x of reading '
          f'({large["least"]:.3f} .. {large["most"]:.3f}), goal <= {large["goal"]}x')
    for row, goal in (large, ""), (nodes, f'goal <= {nodes["goal_ms"]} ms'):
        if row is nodes:
            print(f'{nodes["what"] + ": scan, unpack":32}{nodes["scan_ms"]:8.2f} ms')
        print(f'{"  loaded":32}{row["load_ms"]:8.2f} ms   {goal}')
        print(f'{"  loaded, checked":32}{row["check_ms"]:8.2f} ms')
        print(f'{"  loaded, checked and planned":32}{row["session_ms"]:8.2f} ms')


main()
