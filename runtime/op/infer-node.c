/* SPDX-License-Identifier: Apache-2.0
 * Types and shapes of one node's outputs.
 */
#include "op/context.h"
#include <string.h>

/* What the operands of a node bind its type variables to. */
typedef struct
{
  const char *name;
  int dtype;
} Bound;

/* Is the type of operand VALUE allowed, and the same as that of the others of its variable? */
static gboolean
check_operand (const KetteNode *node, const char *what, int32_t i, const kt_param *param,
               const KetteValue *value, Bound *bound, size_t *n_bound, GError **error)
{
  const kt_op *op       = &node->def->op;
  const int dtype       = value->type.dtype;
  const KetteDtype *row = _kette_dtype (dtype);
  char where[KETTE_WHERE_SIZE], text[256];

  if (value->type.kind == 0 && !value->producer && (value->flags & KETTE_VALUE_DECLARED)
      && node->graph->tolerance == KETTE_STRICT)
    return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, _kette_node_where (node, where),
                        "%s %d (%s) is of an opaque type", what, i, param->name);
  if (value->type.kind != 0 && value->type.kind != KT_TENSOR
      && !_kette_op_takes (op, param->type, &value->type))
    return _kette_fail (
        error, KETTE_ERROR_TYPE, _kette_node_where (node, where),
        "%s %d (%s) is %s, which %s-%d does not take", what, i, param->name,
        _kette_type_text (text, sizeof text, &value->type,
                          (const char *const *) node->graph->model->symbols),
        op->name, op->since);
  if (value->type.kind != KT_TENSOR || !row)
    return TRUE; /* not known yet, or no tensor */
  if (!_kette_op_allows (op, param->type, dtype))
    return _kette_fail (error, KETTE_ERROR_TYPE, _kette_node_where (node, where),
                        "%s %d (%s) is %s, which %s-%d does not take", what, i,
                        param->name, row->name, op->name, op->since);
  if (param->flags & KT_P_MIXED)
    return TRUE;
  for (size_t b = 0; b < *n_bound; b++)
    if (strcmp (bound[b].name, param->type) == 0)
      return bound[b].dtype == dtype
                 ? TRUE
                 : _kette_fail (error, KETTE_ERROR_TYPE, _kette_node_where (node, where),
                                "%s %d (%s) is %s, must be %s as the others of type %s",
                                what, i, param->name, row->name,
                                _kette_dtype (bound[b].dtype)->name, param->type);
  for (int32_t v = 0; v < op->n_var && *n_bound < 16; v++)
    if (strcmp (op->var[v].name, param->type) == 0)
      bound[(*n_bound)++] = (Bound){ param->type, dtype };
  return TRUE;
}

static gboolean
check_types (const KetteNode *node, gboolean outputs, Bound *bound, size_t *n_bound,
             GError **error)
{
  const kt_op *op           = &node->def->op;
  const int32_t n_params    = outputs ? op->n_out : op->n_in;
  const kt_param *params    = outputs ? op->out : op->in;
  const int32_t n           = outputs ? node->n_out : node->n_in;
  KetteValue *const *values = outputs ? node->out : node->in;

  for (int32_t i = 0; i < n; i++)
    if (values[i]
        && !check_operand (node, outputs ? "output" : "input", i,
                           &params[MIN (i, n_params - 1)], values[i], bound, n_bound,
                           error))
      return FALSE;
  return TRUE;
}

/* Joins a type that the file declared with the inferred one: inference wins, gaps are filled;
 * a contradiction is an error where the value is an output of the graph. */
static gboolean
join_declared (KetteValue *value, const kt_type *declared, GError **error)
{
  const char *const *symbols = value->graph->model->symbols;
  kt_type joined             = value->type;
  int64_t dims[KETTE_MAX_RANK];
  gboolean conflict = FALSE;

  if (declared->kind == 0)
    return TRUE;
  if (joined.kind == 0)
    return _kette_value_set_type (value, declared, error);
  if (joined.kind != KT_TENSOR || declared->kind != KT_TENSOR)
    return TRUE;

  conflict
      = joined.dtype != declared->dtype
        || (joined.ndim >= 0 && declared->ndim >= 0 && joined.ndim != declared->ndim);
  if (!conflict && joined.ndim < 0)
    return _kette_value_set_type (value, declared, error);
  for (int32_t d = 0; !conflict && d < joined.ndim && declared->ndim >= 0; d++)
    {
      const int64_t mine = joined.dims[d], file = declared->dims[d];
      dims[d]  = mine == KT_DIM (0) ? file : mine;
      conflict = !KT_IS_DIM (mine) && !KT_IS_DIM (file) && mine != file;
    }
  if (conflict && (value->flags & KETTE_VALUE_OUTPUT))
    {
      char a[256], b[256], where[KETTE_WHERE_SIZE];
      g_snprintf (where, sizeof where, "graph output %s", KETTE_QUOTE (value->name));
      return _kette_fail (
          error, joined.dtype != declared->dtype ? KETTE_ERROR_TYPE : KETTE_ERROR_SHAPE,
          where, "is declared as %s, its node makes %s",
          _kette_type_text (b, sizeof b, declared, symbols),
          _kette_type_text (a, sizeof a, &joined, symbols));
    }
  if (conflict || declared->ndim < 0)
    return TRUE;
  joined.dims = dims;
  return _kette_value_set_type (value, &joined, error);
}

/* An integer content that is known in full becomes constant data. */
static gboolean
settle_ints (KetteValue *value, GError **error)
{
  if (!value->ints || value->data || value->type.kind != KT_TENSOR
      || (value->type.dtype != KT_I64 && value->type.dtype != KT_I32)
      || value->type.ndim < 0)
    return TRUE;
  for (size_t i = 0; i < value->n_ints; i++)
    if (KT_IS_DIM (value->ints[i])
        || (value->type.dtype == KT_I32
            && (value->ints[i] < INT32_MIN || value->ints[i] > INT32_MAX)))
      return TRUE;

  size_t count;
  for (int32_t d = 0; d < value->type.ndim; d++)
    if (KT_IS_DIM (value->type.dims[d]))
      return TRUE;
  if (!_kette_count (value->type.dims, value->type.ndim, &count)
      || count != value->n_ints)
    return TRUE;

  KetteTensor *data = _kette_tensor_new_raw (value->type.dtype, value->type.dims,
                                             value->type.ndim, error);
  if (!data)
    return FALSE;
  for (size_t i = 0; i < count; i++)
    if (data->dtype == KT_I64)
      ((int64_t *) data->data)[i] = value->ints[i];
    else
      ((int32_t *) data->data)[i] = (int32_t) value->ints[i];
  _kette_value_set_data (value, data);
  kette_tensor_unref (data);
  return TRUE;
}

gboolean
_kette_node_infer (KetteNode *node, GError **error)
{
  KetteFailure failure = { 0 };
  KetteContext context = { node, &failure };
  kt_infer infer       = { &context };
  Bound bound[16];
  size_t n_bound = 0;
  kt_type declared[16];
  gboolean soft = FALSE;

  if (!node->def)
    return TRUE;
  if (!check_types (node, FALSE, bound, &n_bound, error))
    return FALSE;
  for (int32_t i = 0; i < node->n_in; i++)
    soft = soft || (node->in[i] && (node->in[i]->flags & KETTE_VALUE_SOFT));
  for (int32_t i = 0; i < node->n_out; i++)
    if (node->out[i])
      {
        if (i < (int32_t) G_N_ELEMENTS (declared))
          declared[i] = node->out[i]->flags & KETTE_VALUE_DECLARED ? node->out[i]->type
                                                                   : (kt_type){ 0 };
        node->out[i]->type   = (kt_type){ 0 };
        node->out[i]->ints   = NULL;
        node->out[i]->n_ints = 0;
      }

  const KetteRunning *outer = _kette_running;
  const KetteRunning now
      = { node->def->plugin, node->name, node->op, "infer", node->index };
  kt_status status = KT_OK;

  _kette_running = &now;
  if (node->def->op.infer)
    status = node->def->op.infer (_kette_host (), &infer, node->def->op.user);
  _kette_running = outer;
  if (status != KT_OK || failure.status != KT_OK)
    return _kette_failure_to_error (&failure, status, node, error);
  for (int32_t i = 0; i < node->n_out; i++)
    if (node->out[i])
      {
        if (i < (int32_t) G_N_ELEMENTS (declared)
            && !join_declared (node->out[i], &declared[i], error))
          return FALSE;
        if (soft && node->out[i]->ints)
          node->out[i]->flags |= KETTE_VALUE_SOFT;
        else if (!settle_ints (node->out[i], error))
          return FALSE;
      }
  return check_types (node, TRUE, bound, &n_bound, error);
}
