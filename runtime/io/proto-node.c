/* SPDX-License-Identifier: Apache-2.0
 * Nodes and attributes as messages.
 */
#include "graph/sparse.h"
#include "io/save.h"
#include <string.h>

const char *
_kette_saver_name (const KetteValue *value)
{
  while (value->outer)
    value = value->outer;
  return value->name;
}

static const char *
operand_name (const KetteValue *value)
{
  return value ? _kette_saver_name (value) : "";
}

static gboolean
same_names (KetteValue *const *values, size_t n, char *const *names, size_t n_names)
{
  if (n != n_names)
    return FALSE;
  for (size_t i = 0; i < n; i++)
    if (strcmp (_kette_text (names[i]), operand_name (values[i])) != 0)
      return FALSE;
  return TRUE;
}

static char **
names_of (KetteSaver *s, KetteValue *const *values, size_t n, GError **error)
{
  char **names = _kette_region_alloc (s->region, n, sizeof *names, error);

  for (size_t i = 0; names && i < n; i++)
    names[i] = (char *) operand_name (values[i]);
  return names;
}

/* The TensorProto of a view: its memory is the tensor's. */
static Onnx__TensorProto *
view_to_proto (KetteSaver *s, const kt_tensor *view, int dtype, GError **error)
{
  KetteTensor *copy        = _kette_tensor_from_view (view, dtype, error);
  Onnx__TensorProto *proto = NULL;

  if (!copy)
    return NULL;
  proto = _kette_tensor_to_proto (s->region, copy, "", error);
  /* The region outlives the copy, so the bytes move there. */
  if (proto && proto->has_raw_data)
    {
      proto->raw_data.data
          = _kette_region_dup (s->region, copy->data, copy->bytes, 1, error);
      if (!proto->raw_data.data)
        proto = NULL;
    }
  for (size_t i = 0; proto && i < proto->n_string_data; i++)
    {
      ProtobufCBinaryData *text = &proto->string_data[i];

      text->data = _kette_region_dup (s->region, text->data, text->len, 1, error);
      if (!text->data)
        proto = NULL;
    }
  kette_tensor_unref (copy);
  return proto;
}

static gboolean
put_tensors (KetteSaver *s, const kt_attr *attr, Onnx__AttributeProto *out,
             GError **error)
{
  const kt_tensor *views = attr->v;

  out->tensors = _kette_region_alloc (s->region, attr->n, sizeof *out->tensors, error);
  if (!out->tensors)
    return FALSE;
  for (size_t i = 0; i < attr->n; i++)
    {
      const int dtype = _kette_dtype_of_view (&views[i]);

      if (dtype == KT_UNDEFINED)
        return _kette_fail (error, KETTE_ERROR_INTERNAL, NULL,
                            "attribute %s has a tensor of no known type",
                            KETTE_QUOTE (attr->name));
      out->tensors[i] = view_to_proto (s, &views[i], dtype, error);
      if (!out->tensors[i])
        return FALSE;
    }
  out->n_tensors = attr->n;
  if (attr->kind == KT_A_TENSOR)
    {
      out->t         = attr->n > 0 ? out->tensors[0] : NULL;
      out->n_tensors = 0;
    }
  return TRUE;
}

static gboolean
put_sparse (KetteSaver *s, const kt_attr *attr, Onnx__AttributeProto *out, GError **error)
{
  const kt_tensor *views = attr->v;

  out->sparse_tensors
      = _kette_region_alloc (s->region, attr->n, sizeof *out->sparse_tensors, error);
  if (!out->sparse_tensors)
    return FALSE;
  for (size_t i = 0; i < attr->n; i++)
    {
      const KetteSparse *sparse = _kette_model_sparse (s->model, &views[i]);

      if (!sparse)
        return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, NULL,
                            "attribute %s is a sparse tensor that was made dense, which "
                            "cannot be written",
                            KETTE_QUOTE (attr->name));
      out->sparse_tensors[i] = (Onnx__SparseTensorProto *) (void *) sparse->proto;
    }
  out->n_sparse_tensors = attr->n;
  if (attr->kind == KT_A_SPARSE_TENSOR)
    {
      out->sparse_tensor    = attr->n > 0 ? out->sparse_tensors[0] : NULL;
      out->n_sparse_tensors = 0;
    }
  return TRUE;
}

static gboolean
put_types (KetteSaver *s, const kt_attr *attr, Onnx__AttributeProto *out, GError **error)
{
  const kt_type *types = attr->v;

  out->type_protos
      = _kette_region_alloc (s->region, attr->n, sizeof *out->type_protos, error);
  if (!out->type_protos)
    return FALSE;
  for (size_t i = 0; i < attr->n; i++)
    {
      out->type_protos[i] = _kette_type_to_proto (s, &types[i], error);
      if (!out->type_protos[i])
        return types[i].kind == 0 ? _kette_fail (error, KETTE_ERROR_INTERNAL, NULL,
                                                 "attribute %s has no known type",
                                                 KETTE_QUOTE (attr->name))
                                  : FALSE;
    }
  out->n_type_protos = attr->n;
  if (attr->kind == KT_A_TYPE)
    {
      out->tp            = attr->n > 0 ? out->type_protos[0] : NULL;
      out->n_type_protos = 0;
    }
  return TRUE;
}

static gboolean
put_strings (KetteSaver *s, const kt_attr *attr, Onnx__AttributeProto *out,
             GError **error)
{
  const kt_str *strings = attr->v;

  out->strings = _kette_region_alloc (s->region, attr->n, sizeof *out->strings, error);
  if (!out->strings)
    return FALSE;
  for (size_t i = 0; i < attr->n; i++)
    out->strings[i]
        = (ProtobufCBinaryData){ strings[i].n, (uint8_t *) (void *) strings[i].s };
  out->n_strings = attr->n;
  return TRUE;
}

Onnx__AttributeProto *
_kette_saver_attr (KetteSaver *s, const kt_attr *attr, GError **error)
{
  Onnx__AttributeProto *out = _kette_region_alloc (s->region, 1, sizeof *out, error);
  gboolean ok               = TRUE;

  if (!out)
    return NULL;
  onnx__attribute_proto__init (out);
  out->name     = (char *) attr->name;
  out->has_type = TRUE;
  out->type     = (Onnx__AttributeProto__AttributeType) attr->kind;
  if (attr->ref)
    {
      out->ref_attr_name = (char *) attr->ref;
      return out;
    }
  switch (attr->kind)
    {
    case KT_A_FLOAT:
      out->has_f = TRUE;
      out->f     = (float) attr->f;
      break;
    case KT_A_INT:
      out->has_i = TRUE;
      out->i     = attr->i;
      break;
    case KT_A_STRING:
      out->has_s = TRUE;
      out->s     = (ProtobufCBinaryData){ attr->n, (uint8_t *) (void *) attr->v };
      break;
    case KT_A_FLOATS:
      out->floats   = (float *) (void *) attr->v;
      out->n_floats = attr->n;
      break;
    case KT_A_INTS:
      out->ints   = (int64_t *) (void *) attr->v;
      out->n_ints = attr->n;
      break;
    case KT_A_STRINGS:
      ok = put_strings (s, attr, out, error);
      break;
    case KT_A_TENSOR:
    case KT_A_TENSORS:
      ok = put_tensors (s, attr, out, error);
      break;
    case KT_A_SPARSE_TENSOR:
    case KT_A_SPARSE_TENSORS:
      ok = put_sparse (s, attr, out, error);
      break;
    case KT_A_TYPE:
    case KT_A_TYPES:
      ok = put_types (s, attr, out, error);
      break;
    case KT_A_GRAPH: /* the caller puts it in */
      break;
    case KT_A_GRAPHS:
      out->n_graphs = (size_t) attr->i;
      out->graphs
          = _kette_region_alloc (s->region, out->n_graphs, sizeof *out->graphs, error);
      ok = out->graphs != NULL;
      break;
    default:
      ok = _kette_fail (error, KETTE_ERROR_UNSUPPORTED, NULL,
                        "attribute %s is of a kind that cannot be written",
                        KETTE_QUOTE (attr->name));
      break;
    }
  return ok ? out : NULL;
}

static gboolean
put_attrs (KetteSaver *s, const KetteNode *node, Onnx__NodeProto *out, GError **error)
{
  const size_t n = (size_t) node->n_attrs;

  out->attribute = _kette_region_alloc (s->region, n, sizeof *out->attribute, error);
  if (!out->attribute)
    return FALSE;
  for (size_t i = 0; i < n && node->attrs[i].reserved <= 0; i++)
    {
      out->attribute[i] = _kette_saver_attr (s, &node->attrs[i], error);
      if (!out->attribute[i])
        return FALSE;
      out->n_attribute++;
    }
  return TRUE;
}

/* The file's attributes with room for other subgraphs in them. */
static gboolean
copy_attrs (KetteSaver *s, Onnx__NodeProto *out, GError **error)
{
  Onnx__AttributeProto **copy
      = _kette_region_alloc (s->region, out->n_attribute, sizeof *copy, error);

  if (!copy)
    return FALSE;
  for (size_t i = 0; i < out->n_attribute; i++)
    {
      copy[i] = out->attribute[i];
      if (copy[i]->g || copy[i]->n_graphs)
        copy[i] = _kette_region_dup (s->region, copy[i], 1, sizeof *copy[i], error);
      if (copy[i] && copy[i]->n_graphs)
        {
          copy[i]->graphs
              = _kette_region_dup (s->region, copy[i]->graphs, copy[i]->n_graphs,
                                   sizeof *copy[i]->graphs, error);
          if (!copy[i]->graphs)
            return FALSE;
        }
      if (!copy[i])
        return FALSE;
    }
  out->attribute = copy;
  return TRUE;
}

Onnx__NodeProto *
_kette_saver_node (KetteSaver *s, const KetteNode *node, GError **error)
{
  const Onnx__NodeProto *old = node->proto;
  Onnx__NodeProto *out;

  if (old && strcmp (_kette_text (old->op_type), node->op) != 0)
    old = NULL;
  if (old && !node->subgraphs
      && same_names (node->in, (size_t) node->n_in, old->input, old->n_input)
      && same_names (node->out, (size_t) node->n_out, old->output, old->n_output))
    return (Onnx__NodeProto *) old;
  out = _kette_region_alloc (s->region, 1, sizeof *out, error);
  if (!out)
    return NULL;
  if (old)
    *out = *old;
  else
    onnx__node_proto__init (out);
  out->input   = names_of (s, node->in, (size_t) node->n_in, error);
  out->n_input = (size_t) node->n_in;
  out->output  = out->input ? names_of (s, node->out, (size_t) node->n_out, error) : NULL;
  out->n_output = (size_t) node->n_out;
  if (!out->output)
    return NULL;
  if (old)
    return copy_attrs (s, out, error) ? out : NULL;
  out->op_type = (char *) node->op;
  if (node->name && *node->name)
    out->name = (char *) node->name;
  if (*node->domain)
    out->domain = (char *) node->domain;
  if (node->overload && *node->overload)
    out->overload = (char *) node->overload;
  return put_attrs (s, node, out, error) ? out : NULL;
}
