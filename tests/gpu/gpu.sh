# SPDX-License-Identifier: Apache-2.0
# ./dev gpu and ./dev gpu --pack [FILE]; sourced by ./dev.
most=$((50 * 1024 * 1024))

gpu_pack() {
  local file=${1:-$build/kette-gpu.tar.xz} dir size
  dir=$(mktemp -d)
  bash tests/gpu/gather.sh "$build" "$dir/kette-gpu" strip
  tar -C "$dir" --sort=name --owner=0 --group=0 --mtime=@0 -cf - kette-gpu | xz -6 -T1 >"$file"
  rm -rf "$dir"
  size=$(stat -c %s "$file")
  [ "$size" -le "$most" ] || die "$file has $size bytes, may have $most"
  say "Packed: $file, $((size / 1024)) KiB. On the other machine: tar xf $(basename "$file") && sh kette-gpu/run.sh"
}

# Puts the report in front of the earlier ones in docs/gpu.md.
gpu_keep() {
  python3 - "$1" docs/gpu.md <<'PY'
import sys
report, page = open(sys.argv[1], encoding="utf-8").read(), open(sys.argv[2], encoding="utf-8").read()
mark = "<!-- reports: the newest first -->\n"
head, tail = page.split(mark)
open(sys.argv[2], "w", encoding="utf-8").write(head + mark + "\n" + report + tail)
PY
}

gpu_run() {
  local dir rc=0 reason
  build_environment
  reason=$("$build/tools/kette" ops --devices | sed -n 's/^cuda  *none: */cuda: /p')
  if [ -n "$reason" ]; then say "$reason"; return 0; fi
  if ! "$build/tools/kette" ops --devices | grep -q '^cuda'; then
    say "cuda: the plugin is not built: CUDA's compiler nvcc was not found"
    return 0
  fi
  dir=$(mktemp -d)
  bash tests/gpu/gather.sh "$build" "$dir"
  KETTE_REPORT=$dir/report.md sh "$dir/run.sh" "$@" || rc=$?
  gpu_keep "$dir/report.md"
  cp "$dir/report.log" "$build/gpu.log"
  say "The table is in docs/gpu.md, what failed in $build/gpu.log"
  rm -rf "$dir"
  return "$rc"
}

case ${1-} in
--pack) shift; gpu_pack "$@" ;;
*) gpu_run "$@" ;;
esac
