# SPDX-License-Identifier: Apache-2.0
"""What the peers written in Python share: the protocol of serve.h, and the rotation of batches."""
import json
import sys
import time

CURVE = 20  # losses that are compared


def say(**values):
    print(json.dumps(values), flush=True)


def serve(subjects, check, version):
    """SUBJECTS: name -> function of the step's number. CHECK (): the numbers to compare (array)."""
    say(ready=list(subjects), version=version)
    at = dict.fromkeys(subjects, 0)
    for line in sys.stdin:
        words = line.split(maxsplit=2)
        if words[0] == "run":
            step, n = subjects[words[1]], int(words[2])
            first = at[words[1]]
            begin = time.perf_counter()
            for i in range(first, first + n):
                step(i)
            seconds = time.perf_counter() - begin
            at[words[1]] = first + n
            say(seconds=seconds)
        elif words[0] == "check":
            values = check().astype("<f4")
            values.tofile(line.split(maxsplit=1)[1].rstrip("\n"))
            say(floats=int(values.size))


def read_network(path):
    """[(operator, weight, bias or None)] of a sequential network, None for both without weights."""
    import onnx
    graph = onnx.load(path).graph
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    layers = []
    for node in graph.node:
        weights = [tensors[name] for name in node.input if name in tensors]
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        layers.append((node.op_type, attributes, weights))
    return layers
