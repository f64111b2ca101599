#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes schema/operators/GROUP.txt: names, versions, inputs, outputs, attributes and types
of ONNX's operators, as facts read from the schemas of the Python package onnx.

Run by hand when a new ONNX version appears:  make-operators.py schema/operators
The format is described in schema/README.md; the build needs the text files only.
"""
import os
import sys

import onnx
from onnx import defs

BRIEF = {
    "float": "f32", "double": "f64", "float16": "f16", "bfloat16": "bf16",
    "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64",
    "uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64",
    "bool": "bool", "string": "string", "complex64": "c64", "complex128": "c128",
    "float8e4m3fn": "f8e4m3fn", "float8e4m3fnuz": "f8e4m3fnuz", "float8e5m2": "f8e5m2",
    "float8e5m2fnuz": "f8e5m2fnuz", "float8e8m0": "f8e8m0", "float4e2m1": "f4e2m1",
    "int4": "i4", "uint4": "u4", "int2": "i2", "uint2": "u2",
}
GROUPS = {"traditionalml": "ml", "preview": "training"}

# Float inputs that are no parameters: an initializer there is a statistic, a bound, a scale of
# sizes or ordinary data, and training leaves it alone. None: all inputs.
NO_PARAMETERS = {
    "BatchNormalization": {"X", "mean", "var", "input_mean", "input_var"},
    "Clip": None, "DequantizeLinear": None, "Dropout": None, "NonMaxSuppression": None,
    "OneHot": None, "Pad": None, "QuantizeLinear": None, "Range": None, "Resize": None,
    "RoiAlign": None, "Upsample": None,
}


def type_text(text):
    """tensor(float) -> f32; seq(tensor(float)) -> seq(f32); optional(...) alike."""
    text = text.replace(" ", "")
    for kind in ("seq", "optional", "sparse_tensor"):
        if text.startswith(kind + "("):
            return f"{kind}({type_text(text[len(kind) + 1:-1])})"
    if text.startswith("map("):
        key, value = text[4:-1].split(",", 1)
        return f"map({BRIEF[key]},{type_text(value)})"
    if text.startswith("tensor("):
        return BRIEF.get(text[7:-1], text[7:-1])
    return BRIEF.get(text, text)


def number(value):
    return repr(value) if isinstance(value, int) else format(value, ".9g")


def default_text(attr):
    value = attr.default_value
    kind = value.type
    if kind == onnx.AttributeProto.UNDEFINED:
        return None
    if kind == onnx.AttributeProto.INT:
        return number(value.i)
    if kind == onnx.AttributeProto.FLOAT:
        return number(value.f)
    if kind == onnx.AttributeProto.STRING:
        return '"' + value.s.decode() + '"'
    if kind == onnx.AttributeProto.INTS:
        return " ".join(number(v) for v in value.ints)
    if kind == onnx.AttributeProto.FLOATS:
        return " ".join(number(v) for v in value.floats)
    if kind == onnx.AttributeProto.STRINGS:
        return " ".join('"' + v.decode() + '"' for v in value.strings)
    return None


def is_no_parameter(operator, name):
    names = NO_PARAMETERS.get(operator, set())
    return names is None or name in names


def flags(param):
    option = defs.OpSchema.FormalParameterOption
    words = []
    if param.option == option.Optional:
        words.append("optional")
    if param.option == option.Variadic:
        words.append("variadic" if param.is_homogeneous else "variadic mixed")
        words.append(f"min={param.min_arity}")
    if param.differentiation_category == defs.OpSchema.DifferentiationCategory.NonDifferentiable:
        words.append("no-gradient")
    return " ".join(words)


# Versions in whose place files were written with the types of a later one: exporters put
# integers into Constant-1, and ONNX's own tests hold such files.
TYPES_OF = {("Constant", 1): 9}


def version_lines(schema):
    state = " deprecated" if schema.deprecated else ""
    yield f"  since {schema.since_version}{state}"
    later = TYPES_OF.get((schema.name, schema.since_version))
    constraints = onnx.defs.get_schema(schema.name, later).type_constraints if later \
        else schema.type_constraints
    variables = {c.type_param_str: c.allowed_type_strs for c in constraints}
    for word, params in (("in", schema.inputs), ("out", schema.outputs)):
        for p in params:
            kind = p.type_str if p.type_str in variables else type_text(p.type_str)
            line = f"    {word} {p.name.replace(' ', '_')} {kind} {flags(p)}".rstrip()
            if word == "in" and is_no_parameter(schema.name, p.name):
                line += " no-parameter"
            yield line
    for name, attr in sorted(schema.attributes.items()):
        default = default_text(attr)
        line = f"    attr {name} {str(attr.type).split('.')[-1]}"
        if default is not None:
            line += " = " + default
        elif not attr.required:
            line += " optional"
        yield line
    for name, types in sorted(variables.items()):
        yield f"    var {name} " + "|".join(sorted(type_text(t) for t in types))


def main():
    out = sys.argv[1]
    groups = {}
    newest = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        parts = schema.file.replace("\\", "/").split("/")
        folder = parts[parts.index("defs") + 1]
        groups.setdefault(GROUPS.get(folder, folder), {}).setdefault(
            (schema.domain, schema.name), []).append(schema)
        newest[schema.domain] = max(newest.get(schema.domain, 0), schema.since_version)
    for group, operators in sorted(groups.items()):
        with open(os.path.join(out, group + ".txt"), "w", encoding="utf-8") as f:
            f.write("# SPDX-License-Identifier: Apache-2.0\n"
                    f"# Written by schema/make-operators.py from onnx {onnx.__version__}.\n")
            for (domain, name), versions in sorted(operators.items()):
                f.write(f"op {name}" + (f" domain={domain}" if domain else "") + "\n")
                for schema in sorted(versions, key=lambda s: -s.since_version):
                    f.write("\n".join(version_lines(schema)) + "\n")


main()
