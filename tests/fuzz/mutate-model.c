/* SPDX-License-Identifier: Apache-2.0
 * Edits that mean something: other edges, operators, attribute kinds, storage forms, versions.
 */
#include "mutate.h"
#include <string.h>

#define ANY(m, type) ((void *) _fuzz_any (m, &type))

/* A value's name: mostly one that some node makes or reads. */
static char *
any_edge (Mutator *m)
{
  Onnx__NodeProto *node = ANY (m, onnx__node_proto__descriptor);

  if (node && node->n_output && _fuzz_below (m, 2))
    return node->output[_fuzz_below (m, node->n_output)];
  if (node && node->n_input && _fuzz_below (m, 2))
    return node->input[_fuzz_below (m, node->n_input)];
  return _fuzz_any_text (m);
}

static void
edit_edge (Mutator *m)
{
  Onnx__NodeProto *node = ANY (m, onnx__node_proto__descriptor);

  if (!node)
    return;
  if (node->n_input && _fuzz_below (m, 4))
    node->input[_fuzz_below (m, node->n_input)]
        = _fuzz_below (m, 8) ? any_edge (m) : (char *) "";
  else if (node->n_output)
    node->output[_fuzz_below (m, node->n_output)] = any_edge (m);
}

static void
edit_operator (Mutator *m)
{
  static const char *const operators[] = { "Abs",
                                           "Add",
                                           "ArgMax",
                                           "Cast",
                                           "Concat",
                                           "Constant",
                                           "ConstantOfShape",
                                           "Div",
                                           "Dropout",
                                           "Equal",
                                           "Expand",
                                           "Flatten",
                                           "Gather",
                                           "Gemm",
                                           "Gradient",
                                           "Greater",
                                           "Identity",
                                           "If",
                                           "LogSoftmax",
                                           "Loop",
                                           "MatMul",
                                           "Max",
                                           "Mean",
                                           "Mul",
                                           "NegativeLogLikelihoodLoss",
                                           "NonZero",
                                           "Not",
                                           "Pow",
                                           "RandomNormal",
                                           "Range",
                                           "ReduceMax",
                                           "ReduceSum",
                                           "Reshape",
                                           "Scan",
                                           "Shape",
                                           "Sigmoid",
                                           "Size",
                                           "Slice",
                                           "Softmax",
                                           "SoftmaxCrossEntropyLoss",
                                           "Split",
                                           "Squeeze",
                                           "Sub",
                                           "Sum",
                                           "Tile",
                                           "Transpose",
                                           "Unsqueeze",
                                           "Where",
                                           "Adam",
                                           "HalfSSE",
                                           "SumTo",
                                           "SliceGrad" };
  Onnx__NodeProto *node                = ANY (m, onnx__node_proto__descriptor);
  Onnx__NodeProto *other               = ANY (m, onnx__node_proto__descriptor);
  Onnx__FunctionProto *callee          = ANY (m, onnx__function_proto__descriptor);

  if (!node)
    return;
  if (callee && _fuzz_below (m, 2))
    {
      node->op_type  = callee->name;
      node->domain   = callee->domain;
      node->overload = callee->overload;
    }
  else if (_fuzz_below (m, 3))
    node->op_type = (char *) operators[_fuzz_below (m, G_N_ELEMENTS (operators))];
  else
    node->op_type = other->op_type;
  if (_fuzz_below (m, 16) == 0)
    node->domain = (char *) (_fuzz_below (m, 2) ? "kette" : "ai.onnx.preview.training");
}

/* The attribute says another kind and, mostly, has content of it. */
static void
edit_attribute (Mutator *m)
{
  Onnx__AttributeProto *a = ANY (m, onnx__attribute_proto__descriptor);
  const int kind          = (int) _fuzz_below (m, 16);

  if (!a)
    return;
  if (_fuzz_below (m, 4) == 0) /* another node's attribute */
    {
      Onnx__NodeProto *node  = ANY (m, onnx__node_proto__descriptor);
      ProtobufCMessage *copy = node ? _fuzz_copy (m, &a->base) : NULL;

      if (copy && node->n_attribute)
        node->attribute[_fuzz_below (m, node->n_attribute)] = (void *) copy;
      return;
    }
  a->has_type = 1;
  a->type     = kind;
  a->has_i    = kind == 2;
  a->has_f    = kind == 1;
  a->i        = (int64_t) _fuzz_below (m, 12) - 3;
  a->f        = (float) _fuzz_below (m, 9) / 4 - 1;
  a->has_s    = kind == 3;
  if (kind == 7)
    {
      a->n_ints = _fuzz_below (m, 6);
      a->ints   = _fuzz_alloc (m, a->n_ints + 1, sizeof *a->ints);
      for (size_t i = 0; i < a->n_ints; i++)
        a->ints[i] = (int64_t) _fuzz_below (m, 8) - 2;
    }
  if (kind == 4)
    a->t = ANY (m, onnx__tensor_proto__descriptor);
}

static size_t
count_of (const Onnx__TensorProto *t)
{
  size_t n = 1;

  for (size_t i = 0; i < t->n_dims; i++)
    if (t->dims[i] < 0 || !_kette_mul (n, (size_t) t->dims[i], &n) || n > 4096)
      return 0;
  return n;
}

/* Data for the dims that the tensor has, as numbers of any kind, as bytes, or elsewhere. */
static void
edit_storage (Mutator *m)
{
  Onnx__TensorProto *t = ANY (m, onnx__tensor_proto__descriptor);
  size_t n;

  if (!t)
    return;
  n = count_of (t) + (_fuzz_below (m, 8) == 0);
  if (_fuzz_below (m, 3))
    {
      t->has_raw_data = 0;
      t->n_float_data = t->n_int32_data = t->n_int64_data = t->n_double_data
          = t->n_uint64_data = t->n_string_data = 0;
    }
  if (_fuzz_below (m, 3) == 0)
    {
      t->has_data_type = 1;
      t->data_type     = (int32_t) _fuzz_below (m, 28);
    }
  switch (_fuzz_below (m, 6))
    {
    case 0:
      t->n_float_data = n;
      t->float_data   = _fuzz_alloc (m, n + 1, sizeof (float));
      return;
    case 1:
      t->n_int32_data = n;
      t->int32_data   = _fuzz_alloc (m, n + 1, sizeof (int32_t));
      for (size_t i = 0; i < n; i++)
        t->int32_data[i] = (int32_t) _fuzz_below (m, 300) - 20;
      return;
    case 2:
      t->n_int64_data = n;
      t->int64_data   = _fuzz_alloc (m, n + 1, sizeof (int64_t));
      for (size_t i = 0; i < n; i++)
        t->int64_data[i] = (int64_t) _fuzz_below (m, 9) - 2;
      return;
    case 3:
      t->has_data_location = 1;
      t->data_location     = (int) _fuzz_below (m, 3);
      return;
    default:
      n *= (size_t) 1 << _fuzz_below (m, 4);
      t->has_raw_data = 1;
      t->raw_data     = (ProtobufCBinaryData){ n, _fuzz_alloc (m, n + 1, 1) };
      for (size_t i = 0; i < n; i++)
        t->raw_data.data[i] = (uint8_t) (_fuzz_below (m, 4) ? 0 : _fuzz_next (m));
    }
}

static int64_t
any_dim (Mutator *m)
{
  static const int64_t odd[]
      = { 0, -1, 5, 64, 1000, 65536, 1 << 20, 1LL << 31, 1LL << 62 };

  return _fuzz_below (m, 8) ? (int64_t) _fuzz_below (m, 5)
                            : odd[_fuzz_below (m, G_N_ELEMENTS (odd))];
}

static void
edit_dims (Mutator *m)
{
  Onnx__TensorProto *t = ANY (m, onnx__tensor_proto__descriptor);
  Onnx__TensorShapeProto__Dimension *dim
      = ANY (m, onnx__tensor_shape_proto__dimension__descriptor);

  if (t && t->n_dims && _fuzz_below (m, 2))
    t->dims[_fuzz_below (m, t->n_dims)] = any_dim (m);
  else if (dim && _fuzz_below (m, 3))
    {
      dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
      dim->dim_value  = any_dim (m);
    }
  else if (dim)
    {
      dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
      dim->dim_param  = _fuzz_below (m, 2) ? (char *) "N" : _fuzz_any_text (m);
    }
}

static void
edit_type (Mutator *m)
{
  Onnx__TypeProto__Tensor *type = ANY (m, onnx__type_proto__tensor__descriptor);
  Onnx__ValueInfoProto *info    = ANY (m, onnx__value_info_proto__descriptor);

  if (type && _fuzz_below (m, 2))
    type->elem_type = (int32_t) _fuzz_below (m, 24);
  else if (type && _fuzz_below (m, 3) == 0)
    type->shape = NULL;
  else if (info)
    info->name = any_edge (m);
}

static void
edit_version (Mutator *m)
{
  Onnx__ModelProto *model         = (void *) m->root;
  Onnx__OperatorSetIdProto *opset = ANY (m, onnx__operator_set_id_proto__descriptor);

  if (opset && _fuzz_below (m, 4))
    opset->version = (int64_t) _fuzz_below (m, 27);
  else
    model->ir_version = (int64_t) _fuzz_below (m, 16);
}

/* A node into another graph, a graph into another node. */
static void
edit_place (Mutator *m)
{
  Onnx__GraphProto *graph = ANY (m, onnx__graph_proto__descriptor);
  Onnx__NodeProto *node   = ANY (m, onnx__node_proto__descriptor);
  Onnx__AttributeProto *a = ANY (m, onnx__attribute_proto__descriptor);
  ProtobufCMessage *copy;

  if (graph && graph->n_node && node && _fuzz_below (m, 2))
    {
      copy = _fuzz_copy (m, &node->base);
      if (copy)
        graph->node[_fuzz_below (m, graph->n_node)] = (void *) copy;
    }
  else if (a && graph)
    {
      copy = _fuzz_copy (m, &graph->base);
      if (copy)
        {
          a->g        = (void *) copy;
          a->has_type = 1;
          a->type     = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH;
        }
    }
}

/* Bindings, indices of sparse tensors, places of external data, metadata. */
static void
edit_reference (Mutator *m)
{
  Onnx__StringStringEntryProto *entry
      = ANY (m, onnx__string_string_entry_proto__descriptor);
  Onnx__SparseTensorProto *sparse = ANY (m, onnx__sparse_tensor_proto__descriptor);

  if (sparse && sparse->indices && sparse->indices->n_int64_data && _fuzz_below (m, 2))
    sparse->indices->int64_data[_fuzz_below (m, sparse->indices->n_int64_data)]
        = (int64_t) _fuzz_below (m, 9) - 1;
  else if (sparse && sparse->n_dims && _fuzz_below (m, 2))
    sparse->dims[_fuzz_below (m, sparse->n_dims)] = any_dim (m);
  else if (entry && _fuzz_below (m, 2))
    entry->value = any_edge (m);
  else if (entry)
    entry->key = any_edge (m);
}

void
_fuzz_edit_model (Mutator *m)
{
  static void (*const edits[]) (Mutator *)
      = { edit_edge, edit_edge, edit_operator, edit_attribute, edit_storage,
          edit_dims, edit_type, edit_version,  edit_place,     edit_reference };

  edits[_fuzz_below (m, G_N_ELEMENTS (edits))](m);
}
