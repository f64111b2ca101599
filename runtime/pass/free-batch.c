/* SPDX-License-Identifier: Apache-2.0
 * Freeing the batch dimension that an exporter fixed.
 *
 * Dim 0 of every fed input becomes the symbol "N". Reshapes by a shape that is known and begins
 * with the old size get -1 (or 0, a copy of dim 0) there. Whether all nodes agree is then
 * inference's word: where dim 0 of an output is not N, the node that fixed it is named.
 */
#include "op/context.h"
#include "pass/pass.h"
#include <string.h>

/* The fixed batch size common to all fed inputs; 0: not fixed, or not common. */
static int64_t
fixed_batch (const KetteGraph *graph)
{
  int64_t batch = 0;

  for (size_t i = 0; i < graph->n_inputs; i++)
    {
      const KetteValue *input = graph->inputs[i];
      if (input->flags & KETTE_VALUE_INITIALIZER)
        continue;
      if (input->type.kind != KT_TENSOR || input->type.ndim < 1 || input->type.dims[0] < 1
          || (batch && batch != input->type.dims[0]))
        return 0;
      batch = input->type.dims[0];
    }
  return batch;
}

static gboolean
set_first_dim (KetteValue *value, int64_t dim, GError **error)
{
  int64_t dims[KETTE_MAX_RANK];

  memcpy (dims, value->type.dims, (size_t) value->type.ndim * sizeof *dims);
  dims[0] = dim;
  return _kette_value_set_tensor_type (value, value->type.dtype, dims, value->type.ndim,
                                       error);
}

/* The constant shape that a Reshape reads, as a tensor of its own: an initializer, or the
 * output of a Constant, as older exporters write it. NULL without error: it is neither. */
static gboolean
copy_shape (const KetteValue *value, KetteTensor **shape, GError **error)
{
  const KetteNode *from = value->producer;
  const kt_attr *attr   = NULL;

  *shape = NULL;
  if (!value->data && from && !*from->domain && strcmp (from->op, "Constant") == 0)
    attr = _kette_node_attr (from, "value");
  if (value->data && value->data->dtype == KT_I64)
    return (*shape = _kette_tensor_copy (value->data, error)) != NULL;
  if (attr && attr->kind == KT_A_TENSOR
      && _kette_dtype_of_view ((const kt_tensor *) attr->v) == KT_I64)
    return (*shape = _kette_tensor_from_view (attr->v, KT_I64, error)) != NULL;
  return TRUE;
}

/* What inference knows of the content of VALUE where it KNOWS the graph with the batch still
 * fixed: a shape put together of constants. *shape stays NULL where that is not all of it. */
static gboolean
computed_shape (const KetteGraph *knows, const KetteValue *value, KetteTensor **shape,
                GError **error)
{
  const KetteValue *same = _kette_graph_find (knows, value->name);
  int64_t count;

  if (same && same->data && same->data->dtype == KT_I64)
    return (*shape = _kette_tensor_copy (same->data, error)) != NULL;
  if (!same || !same->ints || same->type.ndim != 1)
    return TRUE;
  for (size_t i = 0; i < same->n_ints; i++)
    if (same->ints[i] < -1)
      return TRUE; /* a KT_DIM code */
  count = (int64_t) same->n_ints;
  if (!(*shape = kette_tensor_new (KT_I64, &count, 1, error)))
    return FALSE;
  if (count)
    memcpy ((*shape)->data, same->ints, same->n_ints * sizeof *same->ints);
  return TRUE;
}

/* The graph with the types and contents that inference finds. */
static KetteGraph *
inferred (KetteGraph *graph, GError **error)
{
  KetteGraph *copy = _kette_graph_clone (graph, NULL, error);

  if (copy
      && !(_kette_pass_check (copy, error) && _kette_pass_canonical (copy, error)
           && _kette_pass_infer (copy, error)))
    g_clear_pointer (&copy, kette_graph_unref);
  return copy;
}

/* 0 as a dim is a copy of the input's dim, unless the node says that it is 0. */
static gboolean
allow_copies (KetteNode *node, const KetteTensor *shape, GError **error)
{
  const kt_attr *attr = _kette_node_attr (node, "allowzero");

  if (!attr || attr->kind != KT_A_INT || attr->i == 0)
    return TRUE;
  for (size_t i = 1; i < shape->count; i++)
    if (_kette_tensor_get_int (shape, i) == 0)
      return TRUE; /* both at once cannot be said */
  return _kette_node_set_attr (
      node, &(const kt_attr){ .name = "allowzero", .kind = KT_A_INT }, error);
}

/* Gives a Reshape whose known shape begins with the old batch size a free first dim. KNOWS:
 * the graph as it was, inferred; NULL: there was no need. */
static gboolean
free_reshape (KetteGraph *graph, const KetteGraph *knows, KetteNode *node, int64_t batch,
              GError **error)
{
  gboolean has_free = FALSE;
  KetteTensor *shape;
  KetteValue *value;

  if (!node->in[1])
    return TRUE;
  if (!copy_shape (node->in[1], &shape, error)
      || (!shape && knows && !computed_shape (knows, node->in[1], &shape, error)))
    return FALSE;
  if (!shape || shape->count < 1 || _kette_tensor_get_int (shape, 0) != batch)
    {
      kette_tensor_unref (shape);
      return TRUE;
    }
  for (size_t i = 1; i < shape->count; i++)
    has_free = has_free || _kette_tensor_get_int (shape, i) == -1;
  if (has_free && !allow_copies (node, shape, error))
    {
      kette_tensor_unref (shape);
      return FALSE;
    }
  ((int64_t *) shape->data)[0] = has_free ? 0 : -1;
  value                        = _kette_graph_add_constant (graph, NULL, shape, error);
  kette_tensor_unref (shape);
  if (!value)
    return FALSE;
  node->in[1] = value;
  node->proto = NULL;
  return TRUE;
}

static gboolean
is_reshape (const KetteNode *node)
{
  return strcmp (node->op, "Reshape") == 0 && !*node->domain && node->n_in > 1;
}

/* Is there a Reshape by what other nodes compute? */
static gboolean
has_computed_shape (const KetteGraph *graph)
{
  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      const KetteNode *node = graph->nodes[i];
      if (is_reshape (node) && node->in[1] && node->in[1]->producer
          && strcmp (node->in[1]->producer->op, "Constant") != 0)
        return TRUE;
    }
  return FALSE;
}

static gboolean
free_all (KetteGraph *graph, const KetteGraph *knows, int64_t batch, int64_t symbol,
          GError **error)
{
  for (size_t i = 0; i < graph->n_inputs; i++)
    if (!(graph->inputs[i]->flags & KETTE_VALUE_INITIALIZER)
        && !set_first_dim (graph->inputs[i], symbol, error))
      return FALSE;
  for (size_t i = 0; i < graph->n_values; i++)
    { /* declared types of other values are hints; those of outputs must follow */
      KetteValue *value = graph->values[i];
      if (!value->producer || value->type.kind != KT_TENSOR || value->type.ndim < 1
          || value->type.dims[0] != batch)
        continue;
      if (!set_first_dim (value, symbol, error))
        return FALSE;
    }
  for (size_t i = 0; i < graph->n_nodes; i++)
    if (is_reshape (graph->nodes[i])
        && !free_reshape (graph, knows, graph->nodes[i], batch, error))
      return FALSE;
  return TRUE;
}

/* The first node that reads a value with dim 0 = N and makes one without. */
static const KetteNode *
find_fixing (const KetteGraph *graph, int64_t symbol)
{
  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      const KetteNode *node = graph->nodes[i];
      gboolean in           = FALSE;
      for (int32_t k = 0; k < node->n_in; k++)
        in = in
             || (node->in[k] && node->in[k]->type.ndim > 0
                 && node->in[k]->type.dims[0] == symbol);
      if (in && node->n_out && node->out[0] && node->out[0]->type.ndim > 0
          && node->out[0]->type.dims[0] != symbol)
        return node;
    }
  return NULL;
}

/* Does inference agree that every output that had the batch in front still has it? */
static gboolean
verify (KetteGraph *graph, int64_t symbol, GError **error)
{
  KetteGraph *copy = _kette_graph_clone (graph, NULL, error);
  char where[KETTE_WHERE_SIZE];
  gboolean ok = TRUE;

  if (!copy)
    return FALSE;
  /* Inference alone decides: what the file declared is set aside. */
  for (size_t i = 0; i < copy->n_values; i++)
    if (copy->values[i]->producer)
      copy->values[i]->flags &= ~(uint32_t) KETTE_VALUE_DECLARED;
  ok = _kette_pass_check (copy, error) && _kette_pass_canonical (copy, error)
       && _kette_pass_infer (copy, error);
  for (size_t i = 0; ok && i < copy->n_outputs; i++)
    {
      const kt_type *type = &copy->outputs[i]->type;
      if (type->kind != KT_TENSOR || type->ndim < 1 || type->dims[0] == symbol)
        continue;
      const KetteNode *node = find_fixing (copy, symbol);
      ok                    = _kette_fail (
                             error, KETTE_ERROR_UNSUPPORTED, node ? _kette_node_where (node, where) : NULL,
                             "fixes the batch size, so that the model cannot be trained in batches");
    }
  kette_graph_unref (copy);
  return ok;
}

gboolean
_kette_pass_free_batch (KetteGraph *graph, gboolean *freed, GError **error)
{
  const int64_t batch = fixed_batch (graph);
  KetteGraph *knows   = NULL;
  int64_t symbol;

  *freed = FALSE;
  if (batch == 0)
    return TRUE;
  symbol = _kette_model_symbol (graph->model, "N", error);
  if (!symbol || (has_computed_shape (graph) && !(knows = inferred (graph, error))))
    return FALSE;
  *freed = free_all (graph, knows, batch, symbol, error) && verify (graph, symbol, error);
  kette_graph_unref (knows);
  return *freed;
}
