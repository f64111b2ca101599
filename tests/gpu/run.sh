#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything that is to be shown on a GPU: run.sh [DEVICE [SECONDS]]. Needs sh, a driver and, for
# the fast products and convolutions, cuBLASLt and cuDNN. Lies in a bundle (./dev gpu --pack),
# or is called by ./dev gpu with KETTE_BUNDLE naming a folder that looks like one.
# Prints a report in Markdown, also to $KETTE_REPORT (report.md), and the faults to report.log.
set -u
here=${KETTE_BUNDLE:-$(cd "$(dirname "$0")" && pwd)}
device=${1:-cuda}
seconds=${2:-0.5}
report=${KETTE_REPORT:-report.md}
log=${report%.md}.log
: >"$log" || exit 1

# CUDA's libraries, also where PyTorch brings them.
for dir in ${KETTE_CUDA_LIBS:-} /usr/local/cuda/lib64 /usr/local/nvidia/lib64 /usr/local/nvidia/lib \
  "${VIRTUAL_ENV:-/opt/torch/.venv}"/lib/python3*/site-packages/nvidia/*/lib \
  /usr/lib/python3*/*-packages/nvidia/*/lib /usr/local/lib/python3*/*-packages/nvidia/*/lib; do
  [ -d "$dir" ] && LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$dir
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
set -- "$device"
[ "$device" = cpu ] || set -- cpu "$device"
run gpu "$seconds" "$@" >"$log.table" 2>>"$log" || all_failed=1
cat "$log.table"
cat "$log.table" >>"$report"
rm -f "$log.table"
exit "$all_failed"
