#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs into an empty root and uses what is there as a stranger would: the command, the
# pkg-config file, the headers, the plugins. The new root's prefix is laid over the real one in a
# mount namespace, so that all paths are the final ones and the machine stays as it is.
set -uo pipefail
build=$KETTE_BUILD source=$KETTE_SOURCE
dir=$(mktemp -d) n=0 bad=0
trap 'rm -rf "$dir"' EXIT

ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() { n=$((n + 1)); bad=1; echo "not ok $n - $1"; sed 's/^/# /' "$dir/log"; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
try() { local what=$1; shift; if "$@" >"$dir/log" 2>&1; then ok "$what"; else not_ok "$what"; fi; }
all_skip() { echo "1..0 # SKIP $1"; exit 0; }

if [ "${1-}" = --inside ]; then
  prefix=$2 root=$3 dir=$4
  trap - EXIT
  mount --bind "$root$prefix" "$prefix" || exit 1
  unset KETTE_PLUGIN_PATH KETTE_RENDERER LD_LIBRARY_PATH
  libdir=$(dirname "$(find "$prefix" -name kette.pc)")
  export PKG_CONFIG_PATH=$libdir PATH=$prefix/bin:$PATH
  cd "$dir" || exit 1
  version() { kette --version && kette --version | grep -q "$(pkg-config --modversion kette)"; }
  compile() {
    # shellcheck disable=SC2046 # words are meant
    cc -Wall -Wextra -Werror -o classify "$source/examples/classify.c" $(pkg-config --cflags --libs kette) \
      "-Wl,-rpath,$(pkg-config --variable=libdir kette)"
  }
  classify() { ./classify "$source/examples/lecture/lecture.onnx" x.npy | tee out && grep -q 'float32\[2,10\]' out; }
  plugin() {
    # shellcheck disable=SC2046
    cc -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c - $(pkg-config --cflags kette) <<<'#include <kette-plugin.h>
      kt_entry kette_plugin_v0;'
  }
  draw() { kette draw "$source/examples/lecture/lecture.onnx" -o lecture.svg && grep -q '<svg' lecture.svg; }
  python3 - <<'PYTHON'
head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 784), }"
head += b" " * (117 - len(head)) + b"\n"
open("x.npy", "wb").write(b"\x93NUMPY\1\0" + len(head).to_bytes(2, "little") + head + bytes(2 * 784 * 4))
PYTHON
  try 'kette --version says what kette.pc says' version
  try 'a program compiles with pkg-config' compile
  # Inside a user's own namespace root's files seem to be nobody's, and plugins of nobody are
  # refused as they should be.
  if [ "$(stat -c %u /usr)" = 0 ]; then
    try 'the operators are found' kette check "$source/examples/lecture/lecture.onnx"
    try 'the program runs a model' classify
  else
    skip 'the operators are found' 'needs root'
    skip 'the program runs a model' 'needs root'
  fi
  try 'the header of plugins is strict C11' plugin
  try 'a picture is drawn' draw
  echo "1..$n"
  exit $bad
fi

prefix=$(meson introspect "$build" --buildoptions |
  python3 -c 'import json, sys; print (next (o["value"] for o in json.load (sys.stdin) if o["name"] == "prefix"))')
[ -d "$prefix" ] || all_skip "there is no folder $prefix to lay the new root over"
case $build/ in "$prefix"/*) all_skip "the build folder lies inside $prefix" ;; esac
isolate=(unshare --mount)
[ "$(id -u)" = 0 ] || isolate=(unshare --map-root-user --mount)
"${isolate[@]}" true 2>/dev/null || all_skip 'mount namespaces are not allowed here'
DESTDIR=$dir/root meson install -C "$build" --no-rebuild --quiet >"$dir/log" 2>&1 || {
  sed 's/^/# /' "$dir/log"; echo '1..1'; echo 'not ok 1 - meson install'; exit 1; }
mkdir "$dir/inside"
"${isolate[@]}" "$0" --inside "$prefix" "$dir/root" "$dir/inside"
