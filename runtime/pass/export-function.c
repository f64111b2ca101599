/* SPDX-License-Identifier: Apache-2.0
 * A model function from an operator's body: formal inputs and outputs under the names of the
 * definition, constants as nodes, opsets as checkers want them.
 */
#include "op/context.h"
#include "pass/export.h"
#include <string.h>

/* Formal name K of one side of the definition: its own, numbered where it is variadic. */
static const char *
formal_name (const kt_param *params, int32_t n, int32_t k, char out[128])
{
  if (k < n && !(params[k].flags & KT_P_VARIADIC))
    g_snprintf (out, 128, "%.100s", params[k].name);
  else
    g_snprintf (out, 128, "%.100s_%d", n ? params[MIN (k, n - 1)].name : "value", k);
  return out;
}

/* The formal inputs: element type and rank of the call's, dims too where EXACT. */
static gboolean
add_formals (KetteGraph *body, const KetteNode *call, gboolean exact, KetteValue **in,
             GError **error)
{
  const kt_op *op = &call->def->op;
  char name[128];

  for (int32_t i = 0; i < call->n_in; i++)
    {
      const KetteValue *given = call->in[i];
      int64_t dims[KETTE_MAX_RANK];
      KetteValue *formal
          = _kette_graph_add_value (body, formal_name (op->in, op->n_in, i, name), error);

      if (!formal || !_kette_graph_add_input (body, formal, error))
        return FALSE;
      in[i] = given ? formal : NULL;
      if (!given || given->type.kind != KT_TENSOR)
        continue;
      for (int32_t d = 0; d < given->type.ndim && d < KETTE_MAX_RANK; d++)
        dims[d] = exact ? given->type.dims[d] : KT_DIM (0);
      if (!_kette_value_set_tensor_type (formal, given->type.dtype, dims,
                                         given->type.ndim, error))
        return FALSE;
    }
  return TRUE;
}

/* A copy of CALL that reads the formals; it only serves as the context of its body. */
static KetteNode *
add_call (KetteGraph *body, const KetteNode *call, KetteValue **in, GError **error)
{
  KetteValue **out
      = _kette_region_alloc (body->region, (size_t) call->n_out + 1, sizeof *out, error);
  KetteNode *node;

  for (int32_t i = 0; out && i < call->n_out; i++)
    if (call->out[i] && !(out[i] = _kette_graph_add_value (body, NULL, error)))
      return NULL;
  node = out ? _kette_graph_add_node (body, "", call->domain, call->op, call->version, in,
                                      call->n_in, out, call->n_out, call->attrs,
                                      call->n_attrs, error)
             : NULL;
  return node && _kette_node_resolve (node, error) && _kette_node_infer (node, error)
             ? node
             : NULL;
}

/* Functions have no initializers: constants become Constant nodes. */
static gboolean
constants_to_nodes (KetteGraph *body, GError **error)
{
  for (size_t i = 0; i < body->n_values; i++)
    {
      KetteValue *value = body->values[i];
      kt_tensor view;
      const kt_attr attr = { .name = "value", .kind = KT_A_TENSOR, .v = &view, .n = 1 };

      if (!value->data || value->producer)
        continue;
      _kette_tensor_view (value->data, &view);
      if (!_kette_graph_add_node (body, "", "", "Constant", 13, NULL, 0, &value, 1, &attr,
                                  1, error))
        return FALSE;
      value->flags &= ~(uint32_t) KETTE_VALUE_INITIALIZER;
      _kette_value_set_data (value, NULL);
    }
  return TRUE;
}

/* The outputs of the body, under their formal names, as values that a node makes. */
static gboolean
set_outputs (KetteGraph *body, const KetteNode *call, KetteValue **out, GError **error)
{
  const kt_op *op = &call->def->op;
  char name[128];

  for (int32_t i = 0; i < call->n_out; i++)
    {
      KetteValue *value = out[i];
      const char *free_name;

      if (!value)
        continue;
      if (!value->producer || (value->flags & KETTE_VALUE_OUTPUT))
        {
          KetteValue *copy = _kette_graph_add_value (body, NULL, error);
          if (!copy
              || !_kette_graph_add_node (body, "", "", "Identity", 18, &value, 1, &copy,
                                         1, NULL, 0, error))
            return FALSE;
          value = copy;
        }
      free_name = _kette_graph_fresh_name (
          body, formal_name (op->out, op->n_out, i, name), error);
      if (!free_name || !_kette_graph_rename (value, free_name, error)
          || !_kette_graph_add_output (body, value, error))
        return FALSE;
    }
  return TRUE;
}

/* The opset that the body's nodes of domain "" may import: the model's own if it means the
 * same definitions there, as checkers want it. */
static int32_t
standard_opset (const KetteModel *model, const KetteGraph *body)
{
  const int32_t own = _kette_model_opset (model, "");
  int32_t newest    = 1;
  gboolean same     = own > 0;

  for (size_t i = 0; i < body->n_nodes; i++)
    {
      const KetteNode *node = body->nodes[i];
      if (*node->domain)
        continue;
      newest = MAX (newest, node->version);
      same   = same
             && _kette_registry_op ("", node->op, own)
                    == _kette_registry_op ("", node->op, node->version);
    }
  return same ? own : newest;
}

static gboolean
set_opsets (KetteModel *model, KetteFunction *f, GError **error)
{
  const int32_t opset = standard_opset (model, f->body);

  f->opsets = _kette_region_alloc (model->region, 2, sizeof *f->opsets, error);
  if (!f->opsets)
    return FALSE;
  f->opsets[f->n_opsets++] = (KetteOpset){ "", opset };
  for (size_t i = 0; i < f->body->n_nodes; i++)
    if (!*f->body->nodes[i]->domain)
      f->body->nodes[i]->version = opset;
    else if (strcmp (f->body->nodes[i]->domain, KETTE_OWN_DOMAIN) == 0
             && f->n_opsets == 1)
      f->opsets[f->n_opsets++] = (KetteOpset){ KETTE_OWN_DOMAIN, 1 };
  return TRUE;
}

static gboolean
fill_body (KetteFunction *f, const KetteNode *call, gboolean exact, GError **error)
{
  KetteGraph *body = f->body;
  KetteValue **in
      = _kette_region_alloc (body->region, (size_t) call->n_in + 1, sizeof *in, error);
  KetteValue **out = in ? _kette_region_alloc (body->region, (size_t) call->n_out + 1,
                                               sizeof *out, error)
                        : NULL;
  KetteNode *node;

  if (!out || !add_formals (body, call, exact, in, error))
    return FALSE;
  node = add_call (body, call, in, error);
  if (!node || !_kette_emit_body (node, body, in, out, error))
    return FALSE;
  _kette_node_kill (node);
  if (!set_outputs (body, call, out, error) || !_kette_graph_sweep (body, NULL, 0, error)
      || !constants_to_nodes (body, error) || !_kette_graph_sweep (body, NULL, 0, error)
      || !_kette_graph_sort (body, NULL, 0, error))
    return FALSE;
  for (size_t i = 0; i < body->n_nodes; i++)
    body->nodes[i]->name = "";
  return TRUE;
}

KetteFunction *
_kette_export_function (KetteModel *model, const KetteNode *call, gboolean exact,
                        GError **error)
{
  KetteRegion *region = model->region;
  KetteFunction *f    = _kette_region_alloc (region, 1, sizeof *f, error);

  if (!f)
    return NULL;
  f->domain   = KETTE_OWN_DOMAIN;
  f->overload = "";
  f->name     = _kette_region_strdup (region, call->op, error);
  f->body     = f->name ? _kette_graph_new (model, f->name, error) : NULL;
  if (!f->body)
    return NULL;
  f->attributes = _kette_region_alloc (region, (size_t) call->n_attrs + 1,
                                       sizeof *f->attributes, error);
  for (int32_t i = 0; f->attributes && i < call->n_attrs; i++)
    if (!(f->attributes[f->n_attributes++]
          = _kette_region_strdup (region, call->attrs[i].name, error)))
      f->attributes = NULL;
  if (f->attributes && fill_body (f, call, exact, error) && set_opsets (model, f, error))
    return f;
  kette_graph_unref (f->body);
  return NULL;
}
