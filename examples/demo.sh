# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The demo of ./dev: what Kette is for, on real data, in a minute. Needs the function kette.

data=/usr/share/datasets/fashion-mnist
model=examples/lecture/lecture.onnx
out=$build/demo
names=(T-shirt Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag 'Ankle boot')
shown=8

demo_title() { printf '\n%s\n%s\n' "$1" "$(sed 's/./-/g' <<<"$1")"; }
# Shows the command as it would be typed with D and O as the folders, and runs it.
demo_run() {
  local line="$*"
  line=${line//"$data"/\$D}
  printf '$ kette %s\n' "${line//"$out"/\$O}" | fold -s -w 96 | sed '2,$s/^/      /; $!s/ *$/ \\/'
  kette "$@"
}

[ -r "$data/train-images-idx3-ubyte.gz" ] ||
  die "the pictures of Debian's package dataset-fashion-mnist are not in $data"
mkdir -p "$out"

say "D=$data"
say "O=$out"

demo_title '1. A network that PyTorch exported'
demo_run info "$model"

demo_title '2. Train it on 60,000 pictures of clothes; the test pictures are 10,000 others'
demo_run train "$model" \
  --data "$data/train-images-idx3-ubyte.gz" --target "$data/train-labels-idx1-ubyte.gz" \
  --val "$data/t10k-images-idx3-ubyte.gz,$data/t10k-labels-idx1-ubyte.gz" \
  --loss half-sse --lr 1 --batch 10 --epochs 10 -o "$out/trained.onnx"

demo_title "3. Classify test pictures with the trained network"
demo_run run "$out/trained.onnx" --input "x=$data/t10k-images-idx3-ubyte.gz" --first "$shown" \
  --output "y=$out/y.npy"
python3 - "$out/y.npy" "$data/t10k-labels-idx1-ubyte.gz" "$shown" "${names[@]}" <<'PYTHON'
import gzip
import struct
import sys

y, labels, shown, names = sys.argv[1], sys.argv[2], int (sys.argv[3]), sys.argv[4:]
content = open (y, "rb").read ()
start = 10 + int.from_bytes (content[8:10], "little")
values = struct.unpack (f"<{10 * shown}f", content[start:])
truth = gzip.open (labels).read (8 + shown)[8:]
print (f"\n{'picture':>7}  {'it is':12} {'network says':14} y")
for i in range (shown):
    row = values[10 * i:10 * i + 10]
    best = max (range (10), key=row.__getitem__)
    print (f"{i:7}  {names[truth[i]]:12} {names[best]:14} {row[best]:.3f}{'' if best == truth[i] else '   wrong'}")
PYTHON

demo_title '4. Draw it'
demo_run draw "$out/trained.onnx" --view forward -o "$out/forward.svg"
demo_run draw "$out/trained.onnx" --view backward -o "$out/backward.svg"

demo_title 'Done'
cat <<TEXT
  $out/trained.onnx    the trained network with its training step: an ordinary ONNX file
  $out/y.npy           what it says about the first $shown test pictures
  $out/forward.svg     the graph, forward; open it in a browser
  $out/backward.svg    the same with its gradients

Try next:
  ./dev kette train $out/trained.onnx --resume --epochs 20 \\
    --data $data/train-images-idx3-ubyte.gz --target $data/train-labels-idx1-ubyte.gz
  ./dev kette info $out/trained.onnx
  ./dev kette grad --help
  ./dev kette --help
  ./dev test
TEXT
