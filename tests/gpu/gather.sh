#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# gather.sh BUILD FOLDER: what run.sh needs, in one folder: programs, the libraries that ldd names,
# plugins, tests with their data. The C library is in lib/c, for machines whose own is older.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
build=$1 to=$2
mkdir -p "$to"/{bin,lib/c,plugins,source/bench,source/tests/train,source/tests/ops,source/examples/lecture}
cp "$build/tools/kette" "$build/tests/ops/opcheck" "$build/bench/gpu" "$to/bin/"
for word in batch cnn hash loss-scale losses optimizers parameters reference training-mode; do
  cp "$build/tests/train/test-train-$word" "$to/bin/"
done
cp -L "$build/runtime/libkette.so.0" "$to/lib/"
cp "$build"/ops/kette-*.so "$build"/plugins/*/kette-*.so "$to/plugins/"
cp tests/ops/*.txt "$to/source/tests/ops/"
cp -r tests/train/reference tests/train/reference-bn "$to/source/tests/train/"
cp examples/lecture/lecture.onnx "$to/source/examples/lecture/"
cp bench/peer_cuda.py "$to/source/bench/"
cp LICENSE tests/gpu/run.sh "$to/"
# The demo's pictures, where this machine has them: 30 MB.
data=/usr/share/datasets/fashion-mnist
if [ "${3-}" = strip ] && [ -r "$data/train-images-idx3-ubyte.gz" ]; then
  mkdir -p "$to/data"
  cp -L "$data"/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz "$to/data/"
fi
# Debian's oneDNN is 40 MB and serves the CPU alone.
rm -f "$to/plugins/kette-onednn.so"
for file in "$to"/bin/* "$to"/plugins/* "$to/lib/libkette.so.0"; do ldd "$file"; done |
  awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\/.*ld-linux/ { print $1 }' | sort -u |
  while read -r library; do
    case ${library##*/} in
    libc.so.* | libm.so.* | libdl.so.* | librt.so.* | libpthread.so.* | ld-linux*) cp -L "$library" "$to/lib/c/" ;;
    *) cp -L "$library" "$to/lib/" ;;
    esac
  done
if [ "${3-}" = strip ]; then
  strip --strip-unneeded "$to"/bin/* "$to"/lib/*.so* "$to"/plugins/*.so 2>/dev/null || true
fi
