# SPDX-License-Identifier: Apache-2.0
# ./dev fuzz [TARGET...] [SECONDS]: builds the fuzz targets with clang and libFuzzer, and runs
# each for SECONDS (KETTE_FUZZ_SECONDS, or 60) or, with KETTE_FUZZ_RUNS, for so many runs, from
# its seeds, ONNX's test models, and what earlier runs found worth keeping in
# build-fuzz/corpus/TARGET. With KETTE_FUZZ_SEED the same inputs come again. A fault leaves its input in build-fuzz/faults.
dir=build-fuzz seconds=${KETTE_FUZZ_SECONDS:-60} targets=() rc=0
for word; do
  case $word in
  *[!0-9]*) targets+=("$word") ;;
  *) seconds=$word ;;
  esac
done
if [ ! -e "$dir/build.ninja" ]; then
  CC=clang quietly meson setup "$dir" . --buildtype=debugoptimized -Dfuzz=true -Dfaults=true \
    -Dopenblas=disabled -Donednn=disabled -Dcuda=disabled -Db_sanitize=address,undefined -Db_lundef=false || die "meson setup failed (see above)"
fi
say "Building in $dir ..."
quietly ninja -C "$dir" fuzz || die "the build failed (see above)"
ninja -C "$dir" tools/kette-render >/dev/null 2>&1 || say "without kette-render"
if [ "${#targets[@]}" = 0 ]; then
  for program in "$dir"/tests/fuzz/fuzz-*; do
    [ -f "$program" ] && [ -x "$program" ] || continue
    case $program in *fuzz-models-*) ;; *) targets+=("${program##*/fuzz-}") ;; esac
  done
fi
export KETTE_PLUGIN_PATH=$PWD/$dir/ops:$PWD/$dir/plugins/guard KETTE_RENDERER=$PWD/$dir/tools/kette-render XDG_DATA_HOME=$PWD/$dir/none
# Leaks are looked for after runs that allocate more than they free, and at the end.
export ASAN_OPTIONS=detect_leaks=1:intercept_tls_get_addr=0:allocator_may_return_null=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 G_SLICE=always-malloc G_DEBUG=fatal-criticals
mkdir -p "$dir/faults"
# Small models first; large ones are for fuzz-models.
if [ -d /usr/share/libonnx-testdata ] && [ ! -d "$dir/models" ]; then
  mkdir "$dir/models"
  find /usr/share/libonnx-testdata -name '*.onnx' -size -16k | while read -r model; do
    cp "$model" "$dir/models/$(sha1sum "$model" | cut -c1-16).onnx"
  done
fi

# One target; its result is one line, after a fault the end of its log.
fuzz_one() {
  local target=$1 program=$dir/tests/fuzz/fuzz-$1 corpus=$dir/corpus/$1 log=$dir/fuzz-$1.log
  local seeds=("tests/fuzz/seeds/$1") limit=(-max_total_time="$seconds") most=8192
  [ -x "$program" ] || die "there is no fuzz target $target"
  mkdir -p "$corpus"
  case $target in
  scan | model | roundtrip | draw | resume)
    "$dir/tests/fuzz/corpus-scan" --export "$corpus" tests/fuzz/seeds/models.txt >/dev/null
    [ ! -d "$dir/models" ] || seeds+=("$dir/models")
    ;;
  esac
  # These two are ten times as fast as the others.
  case $target in scan | tensor) [ -z "${KETTE_FUZZ_RUNS-}" ] || limit=(-runs="${KETTE_FUZZ_RUNS}0") ;;
  *) [ -z "${KETTE_FUZZ_RUNS-}" ] || limit=(-runs="$KETTE_FUZZ_RUNS") ;;
  esac
  [ -z "${KETTE_FUZZ_SEED-}" ] || limit+=(-seed="$KETTE_FUZZ_SEED")
  [ "$target" != scan ] || most=1024
  if "$program" "${limit[@]}" -timeout=10 -rss_limit_mb=2048 -detect_leaks=1 -entropic=0 -reload=0 -max_len=$most \
    -print_final_stats=1 -artifact_prefix="$dir/faults/$target-" "$corpus" "${seeds[@]}" \
    </dev/null >"$log" 2>&1; then
    say "$target: $(grep -a '^Done' "$log" | tail -n 1)"
  else
    grep -a -v -E '^#[0-9]+|NEW_FUNC' "$log" | tail -n 40
    say "$target: a fault; the log is $log, the input in $dir/faults"
    return 1
  fi
}

# As many at a time as there are cores, or KETTE_FUZZ_JOBS.
jobs=${KETTE_FUZZ_JOBS:-$(nproc)} running=0
for target in "${targets[@]}"; do
  if [ "$running" -ge "$jobs" ]; then
    wait -n || rc=1
    running=$((running - 1))
  fi
  fuzz_one "$target" &
  running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
  wait -n || rc=1
  running=$((running - 1))
done
exit "$rc"
