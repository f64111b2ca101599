#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`kette grad` over networks of many operators: ONNX's checker accepts both forms of the file
(full_check), and ONNX Runtime computes from both what Kette computes.
"""
import ast
import os
import re
import sys
import tempfile

from peer import kette, near, np, onnx, run_cases, run_kette, session

FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
ROWS = 6

# Statements OUT = OP (IN, ...; ATTRIBUTE, ...): `x` [N,5] is the input, `t` [N] the labels, the
# output of the last one the loss; lower-case names with a shape below are parameters.
NETWORKS = {
    "cross-entropy": """
        a = Gemm (x, w0, b0; transB=1, alpha=0.5, beta=2.0)
        r = Relu (a)
        l = Gemm (r, w1)
        E = SoftmaxCrossEntropyLoss (l, t)""",
    "log-softmax, weighted labels": """
        a = MatMul (x, v0)
        h = Tanh (a)
        z = MatMul (h, v1)
        s = LogSoftmax (z; axis=-1)
        E = NegativeLogLikelihoodLoss (s, t, c)""",
    "elementwise, broadcast": """
        a = MatMul (x, v0)
        b = Sigmoid (a)
        c1 = Add (b, row)
        d = Mul (c1, column)
        e = Sqrt (c1)
        f = Div (d, e)
        g = Sub (f, row)
        p = Pow (c1, three)
        k = Log (c1)
        q = Neg (k)
        u = Exp (q)
        s = Sum (g, p, u)
        m = Max (s, row)
        n = Abs (m)
        E = ReduceMean (n; keepdims=0)""",
    "moving": """
        a = MatMul (x, v0)
        tr = Transpose (a; perm=[1,0])
        j = Concat (tr, tr; axis=1)
        u = Unsqueeze (j, one)
        s = Squeeze (u, one)
        f = Flatten (s; axis=1)
        i = Identity (f)
        r = Reshape (i, flat)
        g = Gather (r, picks; axis=0)
        h = Slice (r, one, eight)
        w = ReduceSumSquare (h; keepdims=0)
        y = ReduceSum (g; keepdims=0)
        E = Mul (w, y)""",
    "parts": """
        a = MatMul (x, v0)
        g = Gather (a, table; axis=1)
        h = Slice (g, begins, ends, axes, steps)
        k = Gather (h, last; axis=-1)
        E = ReduceSumSquare (k; keepdims=0)""",
    "elements": """
        a = MatMul (x, v0)
        g = GatherElements (a, places; axis=1)
        k = GatherND (a, pairs)
        m = GatherND (a, columns; batch_dims=1)
        s = ScatterElements (a, places, g; axis=1, reduction="add")
        n = ScatterND (s, rows, a3; reduction="mul")
        q = ScatterND (n, rows, a3; reduction="max")
        u = ScatterElements (q, picked, a3; axis=0)
        f = ReduceSumSquare (u; keepdims=0)
        h = ReduceSumSquare (k; keepdims=0)
        i = ReduceSumSquare (m; keepdims=0)
        E = Sum (f, h, i)""",
    "around": """
        a = MatMul (x, v0)
        c1 = Pad (a, pads)
        d = Pad (c1, around; mode="reflect")
        e = Pad (d, around; mode="edge")
        f = Pad (e, cut, , one_axis; mode="reflect")
        o = Tile (f, twice)
        v, i = TopK (o, five; axis=0)
        l, m, r = Split (v, lengths; axis=1)
        s = Slice (l, begins, ends, axes, steps)
        p = ReduceSumSquare (s; keepdims=0)
        q = ReduceSumSquare (r; keepdims=0)
        E = Add (p, q)""",
    "blocks": """
        a = MatMul (x, v0)
        b = Reshape (a, deep)
        c1 = DepthToSpace (b; blocksize=2)
        d = DepthToSpace (b; blocksize=2, mode="CRD")
        e = Mul (c1, d)
        f = SpaceToDepth (e; blocksize=2)
        E = ReduceSumSquare (f; keepdims=0)""",
    "convolutions": """
        a = MatMul (x, v2)
        b = Reshape (a, image)
        c1 = Conv (b, k0, row; pads=[1,0,2,1], strides=[2,1])
        c2 = Conv (c1, k1; group=2, dilations=[1,2], pads=[1,2,1,2])
        c3 = Conv (c2, k2; group=4, auto_pad="SAME_UPPER", strides=[2,2])
        d = ConvTranspose (c3, k3, row; strides=[2,3], output_padding=[1,0], pads=[0,1,1,0], group=2)
        E = ReduceSumSquare (d; keepdims=0)""",
    "convolutions of one and three dims": """
        a = MatMul (x, v2)
        b = Reshape (a, image1)
        c1 = Conv (b, l0; pads=[2,1], strides=[3])
        d = ConvTranspose (c1, l0; auto_pad="SAME_LOWER", strides=[2])
        g = Reshape (a, image3)
        h = Conv (g, m0; pads=[0,1,1,1,0,0], strides=[1,2,1])
        p = ReduceSumSquare (d; keepdims=0)
        q = ReduceSumSquare (h; keepdims=0)
        E = Add (p, q)""",
    "pools": """
        a = MatMul (x, v2)
        b = Reshape (a, image)
        m = MaxPool (b; kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1])
        n = MaxPool (m; kernel_shape=[2,2], dilations=[2,1])
        p = AveragePool (b; kernel_shape=[3,2], strides=[2,1], pads=[1,0,1,1])
        q = AveragePool (b; kernel_shape=[2,2], strides=[2,2], pads=[0,1,0,1], count_include_pad=1)
        o = AveragePool (p; kernel_shape=[2,2], strides=[2,2], auto_pad="SAME_LOWER")
        r = GlobalAveragePool (b)
        s = GlobalMaxPool (b)
        n2 = ReduceSumSquare (n; keepdims=0)
        q2 = ReduceSumSquare (q; keepdims=0)
        o2 = ReduceSumSquare (o; keepdims=0)
        r2 = ReduceSumSquare (r; keepdims=0)
        s2 = ReduceSumSquare (s; keepdims=0)
        E = Sum (n2, q2, o2, r2, s2)""",
    "activations": """
        a = MatMul (x, v0)
        b = Sub (a, row)
        c1 = LeakyRelu (b; alpha=0.25)
        c2 = Elu (b; alpha=1.5)
        c3 = Selu (b)
        c4 = Celu (b; alpha=0.75)
        c5 = HardSigmoid (b; alpha=0.5)
        c6 = HardSwish (b)
        c7 = Softplus (b)
        c8 = Softsign (b)
        c9 = ThresholdedRelu (b; alpha=0.25)
        d = Sum (c1, c2, c3, c4, c5, c6, c7, c8, c9)
        e = PRelu (b, row)
        f = Clip (b, low, high)
        g = Erf (b)
        h = CastLike (g, f)
        k = Sum (d, e, f, h)
        l = ReduceL1 (k, one; keepdims=0)
        m = ReduceL2 (k, one; keepdims=0)
        o = Min (l, m)
        n = Mean (l, m, o)
        E = ReduceSum (n; keepdims=0)""",
    "softmax, comparison": """
        a = MatMul (x, v0)
        s = Softmax (a; axis=1)
        c1 = Greater (a, row)
        w = Where (c1, s, a)
        m = ReduceMax (w, one; keepdims=0)
        E = ReduceSum (m; keepdims=0)""",
}
SHAPES = {"w0": [7, 5], "b0": [7], "w1": [7, 4], "v0": [5, 4], "v1": [4, 4], "a3": [3, 4], "row": [4], "column": [ROWS, 1],
          "v2": [5, 72], "k0": [4, 2, 3, 2], "k1": [4, 2, 3, 3], "k2": [4, 1, 3, 3], "k3": [4, 2, 2, 3],
          "l0": [4, 3, 5], "m0": [2, 4, 2, 2, 2]}
CONSTANTS = {"three": (FLOAT, [], [3.0]), "one": (INT64, [1], [1]), "eight": (INT64, [1], [8]),
             "flat": (INT64, [1], [-1]), "picks": (INT64, [3], [0, -1, -1]), "last": (INT64, [], [-1]),
             "table": (INT64, [2, 3], [0, 1, 1, -1, 2, 0]), "begins": (INT64, [2], [-1, 1]), "ends": (INT64, [2], [-9, 9]),
             "axes": (INT64, [2], [-1, 0]), "steps": (INT64, [2], [-2, 2]),
             "places": (INT64, [6, 3], [0, 1, 3, -1, 2, 2, 1, 0, -4, 3, 1, 2, 2, 1, 0, 0, 0, 3]),
             "pairs": (INT64, [3, 2], [0, 1, 5, -1, 0, 1]), "columns": (INT64, [6, 1], [0, 1, 2, 3, -1, 0]),
             "rows": (INT64, [3, 1], [4, 0, 2]), "picked": (INT64, [3, 4], [0, 1, 2, 3, 5, 4, 3, 2, 1, 0, 4, 5]),
             "pads": (INT64, [4], [1, -1, 0, 2]), "around": (INT64, [4], [1, 2, 0, 1]), "cut": (INT64, [2], [-1, 2]),
             "one_axis": (INT64, [1], [-1]), "twice": (INT64, [2], [1, 2]), "five": (INT64, [1], [5]),
             "lengths": (INT64, [3], [4, 3, 17]), "deep": (INT64, [4], [1, 4, 2, 3]),
             "image": (INT64, [4], [6, 2, 6, 6]), "image1": (INT64, [3], [6, 3, 24]),
             "image3": (INT64, [5], [6, 4, 3, 2, 3]),
             "low": (FLOAT, [], [-0.75]), "high": (FLOAT, [], [1.25]),
             "c": (FLOAT, [4], [1.0, 0.5, 2.0, 0.25])}


def attributes(text):
    return {key.strip(): ast.literal_eval(value) for key, value in re.findall(r"(\w+)=(\[.*?\]|[^,]+)", text)}


def network(text, folder):
    nodes, used = [], set()
    for line in filter(None, map(str.strip, text.splitlines())):
        out, call = line.split(" = ", 1)
        op, rest = call.split(" ", 1)
        operands, _, extra = rest.strip("()").partition(";") if ";" in rest else (rest.strip("()"), "", "")
        inputs = [name.strip() for name in operands.split(",")]
        used.update(inputs)
        nodes.append(onnx.helper.make_node(op, inputs, out.split(", "), **attributes(extra)))
    random = np.random.default_rng(4)
    initializers = [onnx.numpy_helper.from_array(random.uniform(0.3, 1.2, shape).astype(np.float32), name)
                    for name, shape in SHAPES.items() if name in used]
    initializers += [onnx.helper.make_tensor(name, *value) for name, value in CONSTANTS.items() if name in used]
    info = onnx.helper.make_tensor_value_info
    inputs = [info("x", FLOAT, [ROWS, 5])] + ([info("t", INT64, [ROWS])] if "t" in used else [])
    graph = onnx.helper.make_graph(nodes, "net", inputs, [info("E", FLOAT, [])], initializers)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    path = os.path.join(folder, "net.onnx")
    onnx.save(model, path)
    feeds = {"x": random.uniform(0.2, 1, (ROWS, 5)).astype(np.float32)}
    if "t" in used:
        feeds["t"] = random.integers(0, 4, ROWS)
    return path, feeds


def test(folder, text, standard):
    path, feeds = network(text, folder)
    out = os.path.join(folder, "grad.onnx")
    kette("grad", path, "--wrt", "*", "-o", out, *(["--standard"] if standard else []))
    onnx.checker.check_model(out, full_check=True)
    model = onnx.load(out)
    domains = {node.domain for node in model.graph.node} - {"", "ai.onnx"}
    assert not (standard and domains), f"operators of {domains}"
    names = [output.name for output in model.graph.output]
    assert "grad/x" in names and len(names) >= 3, f"outputs {names}"
    for name, a, b in zip(names, run_kette(out, feeds, names, folder), session(out).run(names, feeds)):
        near(name, a, b)


def main():
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(run_cases([(f"{name}, {'in operators of ONNX' if standard else 'with functions'}",
                             lambda text=text, standard=standard: test(folder, text, standard))
                            for name, text in NETWORKS.items() for standard in (True, False)]))


main()
