# SPDX-License-Identifier: Apache-2.0
# Runs every benchmark and prints a table; the JSON lines go to build/bench.json. Sourced by
# ./dev bench with $build set to the build folder; BENCH_SECONDS sets the length of a round.
seconds=${BENCH_SECONDS:-0.3}
json=$build/bench.json
model=$PWD/examples/lecture/lecture.onnx
sample=$build/bench/sample.npy
python=python3
for candidate in "${KETTE_PEERS:-}" .cache/peers/bin/python; do
  if [ -x "$candidate" ]; then python=$candidate; break; fi
done

# One sample of the model's input as NPY: a header of 128 bytes, then 784 floats.
{
  printf '\x93NUMPY\x01\x00\x76\x00'
  printf '%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 784), }"
  head -c 3136 /dev/zero
} >"$sample"

: >"$json"
"$build/bench/step" "$model" "$seconds" >>"$json"
"$python" bench/torch_step.py "$seconds" >>"$json"
"$build/bench/chain" "$seconds" >>"$json"
"$build/bench/load" "$seconds" >>"$json"
"$build/bench/start" "$build/tools/kette" "$model" "$sample" "${BENCH_TIMES:-40}" >>"$json"
python3 bench/table.py "$json"
