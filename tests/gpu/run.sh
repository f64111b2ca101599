#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything that is to be shown on a GPU: run.sh [DEVICE [SECONDS]]; or the command alone, as
# run.sh kette ARGS... Needs sh, a driver and, for
# the fast products and convolutions, cuBLASLt and cuDNN. Lies in a bundle (./dev gpu --pack),
# or is called by ./dev gpu with KETTE_BUNDLE naming a folder that looks like one.
# Prints a report in Markdown, also to $KETTE_REPORT (report.md), and the faults to report.log.
set -u
here=${KETTE_BUNDLE:-$(cd "$(dirname "$0")" && pwd)}
device=${1:-cuda}
seconds=${2:-0.5}
report=${KETTE_REPORT:-report.md}
log=${report%.md}.log

# A Python with PyTorch, if there is one.
python=${KETTE_PYTHON:-python3}
for p in "$python" ${VIRTUAL_ENV:+"$VIRTUAL_ENV/bin/python3"}; do
  "$p" -c 'import torch' >/dev/null 2>&1 && python=$p && break
done
# CUDA's libraries, also where PyTorch brings them.
brought=$("$python" -c 'import nvidia; print(*nvidia.__path__)' 2>/dev/null) || brought=
for dir in ${KETTE_CUDA_LIBS:-} /usr/local/cuda/lib64 /usr/local/nvidia/lib64 /usr/local/nvidia/lib; do
  [ -d "$dir" ] && LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$dir
done
for root in $brought; do
  for dir in "$root"/*/lib; do
    [ -d "$dir" ] && LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$dir
  done
done
LD_LIBRARY_PATH=$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
export KETTE_PLUGIN_PATH="$here/plugins" KETTE_SOURCE="$here/source" XDG_DATA_HOME="$here/none"
XDG_CACHE_HOME=$(mktemp -d) || exit 1
export XDG_CACHE_HOME G_TEST_SRCDIR="$here/source/tests" LC_ALL=C
trap 'rm -rf "$XDG_CACHE_HOME"' EXIT
[ "$device" = cpu ] && unset KETTE_TEST_DEVICE || export KETTE_TEST_DEVICE="$device"

# This machine's C library, or the bundle's where that is too old.
loader=
if ! "$here/bin/kette" --version >/dev/null 2>&1; then
  loader="$here/lib/c/ld-linux-x86-64.so.2 --library-path $here/lib:$here/lib/c:$LD_LIBRARY_PATH"
  $loader "$here/bin/kette" --version >/dev/null || { echo "run.sh: the programs cannot be run here" >&2; exit 1; }
fi
run() { program=$1; shift; $loader "$here/bin/$program" "$@"; }
if [ "$device" = kette ]; then
  unset KETTE_TEST_DEVICE KETTE_SOURCE XDG_DATA_HOME
  run "$@"
  exit
fi
: >"$log" || exit 1

say() { printf '%s\n' "$*"; printf '%s\n' "$*" >>"$report"; }

there=$(run kette ops --devices 2>>"$log" | sed -n "s/^\(${device%%:*}[: ].*\)/\1/p")
case $there in
'') [ "$device" = cpu ] || { echo "there is no device $device"; exit 2; } ;;
*none:*) echo "$there" | sed 's/  */ /g'; exit 2 ;;
esac

: >"$report"
say "### $(date -u +%Y-%m-%d), $(run kette --version 2>/dev/null | head -n 1)"
say ''
say "Device $device: $(echo "$there" | head -n 1 | sed 's/  */ /g')"
say ''
say '| what | passed | failed |'
say '|---|---|---|'

all_failed=0
# Counts the lines of TAP of a group of programs: title, then one command per line on stdin.
group() {
  passed=0 failed=0
  while read -r line; do
    # shellcheck disable=SC2086
    out=$(run $line 2>&1 </dev/null) && rc=0 || rc=$?
    p=$(printf '%s\n' "$out" | grep -c '^ *ok ')
    f=$(printf '%s\n' "$out" | grep -c '^ *not ok ')
    [ "$rc" = 0 ] || [ "$f" -gt 0 ] || f=1
    [ "$f" = 0 ] || { printf '== %s (status %s)\n%s\n' "$line" "$rc" "$(printf '%s\n' "$out" | grep -v '^ *ok ' | tail -n 40)" >>"$log"; }
    passed=$((passed + p)) failed=$((failed + f))
  done
  say "| $1 | $passed | $failed |"
  [ "$failed" = 0 ]
}

for file in "$here"/source/tests/ops/*.txt; do
  echo "opcheck $file"
done | group 'operators: values, gradients, shapes' || all_failed=1
for program in "$here"/bin/test-train-*; do
  [ -x "$program" ] && echo "${program##*/}"
done | group 'training: losses, optimizers, checkpoints, a reference of another program' || all_failed=1
say ''
times=$XDG_CACHE_HOME/times
set -- "$device"
[ "$device" = cpu ] || set -- cpu "$device"
KETTE_TIMES=$times run gpu "$seconds" "$@" >"$log.table" 2>>"$log" || all_failed=1
cat "$log.table"
cat "$log.table" >>"$report"
rm -f "$log.table"

# PyTorch on the same card, where it is: what its times are to Kette's.
say ''
command -v "$python" >/dev/null || echo "there is no $python" >"$times.why"
if [ "$device" = cpu ]; then
  say 'PyTorch is compared on cards only.'
elif [ ! -s "$times.why" ] && env -u LD_LIBRARY_PATH "$python" "$here/source/bench/peer_cuda.py" "$seconds" >"$times.peer" 2>"$times.why"; then
  say "| against $(sed -n 's/\tversion\t0$//p' "$times.peer") | PyTorch, us | Kette, us | Kette / PyTorch | goal |"
  say '|---|---|---|---|---|'
  awk -F '\t' -v device="$device" '
    NR == FNR { if ($2 == device) own[$1] = $3; next }
    $2 == "version" { next }
    { small = $1 ~ /^784-128-10/; product = $1 ~ /^product/
      goal = small && $2 == "eager" ? "<= 0.15" : small && $2 == "graph" ? "<= 0.80" :
             product && $1 ~ / f32$/ ? "<= 1.03" : ""
      if ($1 in own) printf "| %s, %s | %.1f | %.1f | %.2f | %s |\n", $1, $2, $3, own[$1], own[$1] / $3, goal
    }' "$times" "$times.peer" >"$times.rows"
  cat "$times.rows"
  cat "$times.rows" >>"$report"
else
  say "No times of PyTorch: $(tail -n 1 "$times.why"). Kette's are above; for PyTorch's run, where it is"
  say "installed and sees this card, \`KETTE_PYTHON=/its/python3 sh run.sh\`."
fi

# The demo: accuracy on the 10,000 test pictures, on the CPU and on the device.
data=${KETTE_DATA:-$here/data}
[ -r "$data/train-images-idx3-ubyte.gz" ] || data=/usr/share/datasets/fashion-mnist
say ''
if [ -r "$data/train-images-idx3-ubyte.gz" ]; then
  say '| Fashion-MNIST demo: 784-30-10, rate 1, batch 10 | accuracy after 5 epochs | seconds |'
  say '|---|---|---|'
  for where; do
    begin=$(date +%s)
    if out=$(run kette train "$here/source/examples/lecture/lecture.onnx" --device "$where" \
      --data "$data/train-images-idx3-ubyte.gz" --target "$data/train-labels-idx1-ubyte.gz" \
      --val "$data/t10k-images-idx3-ubyte.gz,$data/t10k-labels-idx1-ubyte.gz" \
      --loss half-sse --lr 1 --batch 10 --epochs 5 -o "$XDG_CACHE_HOME/demo.onnx" 2>>"$log" </dev/null); then
      got=$(printf '%s\n' "$out" | sed -n 's/^epoch 5 .*accuracy \([0-9.]*\).*/\1/p')
    else
      got=failed all_failed=1
    fi
    say "| $where | ${got:-?} | $(($(date +%s) - begin)) |"
    accuracies="${accuracies:-} ${got:-0}"
  done
  # shellcheck disable=SC2086
  if ! printf '%s\n' $accuracies | awk '
    NR == 1 { first = $1 } $1 < 0.82 || $1 - first > 0.015 || first - $1 > 0.015 { bad = 1 } END { exit bad }'; then
    say ''
    say 'The accuracies DIFFER, or are too low: 0.84 is usual.'
    all_failed=1
  fi
else
  say 'The demo was not run: the pictures of Debian'"'"'s package dataset-fashion-mnist are neither in'
  say "$here/data nor in /usr/share/datasets/fashion-mnist; \`KETTE_DATA\` names another folder."
fi
exit "$all_failed"
