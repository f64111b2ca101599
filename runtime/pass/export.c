/* SPDX-License-Identifier: Apache-2.0
 * Functions for export: every operator of domain kette that a model uses gets its body as a
 * model function, so that runtimes which do not know the domain can run the file.
 *
 * A body may depend on ranks, element types and attributes of the call. Calls with the same
 * body share a function; others get functions that differ by overload.
 */
#include "op/context.h"
#include "pass/pass.h"
#include <string.h>

#define DOMAIN "kette"

/* A function made here, and what its body is. */
typedef struct
{
  KetteFunction *function;
  char digest[65];
} Made;

typedef struct
{
  KetteModel *model;
  Made *made;
  size_t n, capacity;
} Exporter;

static gboolean
is_own (const KetteNode *node)
{
  return !(node->flags & KETTE_NODE_DEAD) && strcmp (node->domain, DOMAIN) == 0;
}

/* -- what a body is --------------------------------------------------------------------------- */

static void
digest_text (GChecksum *sum, const char *text)
{
  g_checksum_update (sum, (const guchar *) text, (gssize) strlen (text) + 1);
}

static void
digest_bytes (GChecksum *sum, const void *data, size_t n)
{
  if (n)
    g_checksum_update (sum, data, (gssize) n);
}

static void
digest_attr (GChecksum *sum, const kt_attr *a)
{
  const kt_tensor *t = a->v;

  digest_text (sum, a->name);
  digest_bytes (sum, &a->kind, sizeof a->kind);
  digest_bytes (sum, &a->i, sizeof a->i);
  digest_bytes (sum, &a->f, sizeof a->f);
  if (a->kind == KT_A_STRING)
    digest_bytes (sum, a->v, a->n);
  else if (a->kind == KT_A_INTS)
    digest_bytes (sum, a->v, a->n * sizeof (int64_t));
  else if (a->kind == KT_A_FLOATS)
    digest_bytes (sum, a->v, a->n * sizeof (float));
  else if (a->kind == KT_A_TENSOR && t && t->bits)
    {
      size_t count = 1;
      for (int32_t i = 0; i < t->ndim; i++)
        count *= (size_t) t->shape[i];
      digest_bytes (sum, &t->code, sizeof t->code);
      digest_bytes (sum, &t->bits, sizeof t->bits);
      digest_bytes (sum, t->shape, (size_t) t->ndim * sizeof *t->shape);
      digest_bytes (sum, t->data, (count * t->bits + 7) / 8);
    }
}

static void
digest_body (const KetteFunction *f, char out[65])
{
  GChecksum *sum = g_checksum_new (G_CHECKSUM_SHA256);

  digest_text (sum, f->name);
  for (size_t i = 0; i < f->n_attributes; i++)
    digest_text (sum, f->attributes[i]);
  for (size_t i = 0; i < f->body->n_inputs; i++)
    digest_text (sum, f->body->inputs[i]->name);
  for (size_t i = 0; i < f->body->n_outputs; i++)
    digest_text (sum, f->body->outputs[i]->name);
  for (size_t i = 0; i < f->body->n_nodes; i++)
    {
      const KetteNode *node = f->body->nodes[i];
      digest_text (sum, node->domain);
      digest_text (sum, node->op);
      digest_bytes (sum, &node->version, sizeof node->version);
      for (int32_t k = 0; k < node->n_in; k++)
        digest_text (sum, node->in[k] ? node->in[k]->name : "");
      digest_text (sum, ">");
      for (int32_t k = 0; k < node->n_out; k++)
        digest_text (sum, node->out[k] ? node->out[k]->name : "");
      for (int32_t k = 0; k < node->n_attrs; k++)
        digest_attr (sum, &node->attrs[k]);
    }
  g_strlcpy (out, g_checksum_get_string (sum), 65);
  g_checksum_free (sum);
}

/* -- making a function -------------------------------------------------------------------------- */

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
    else if (strcmp (f->body->nodes[i]->domain, DOMAIN) == 0 && f->n_opsets == 1)
      f->opsets[f->n_opsets++] = (KetteOpset){ DOMAIN, 1 };
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

static KetteFunction *
make_function (Exporter *e, const KetteNode *call, gboolean exact, GError **error)
{
  KetteRegion *region = e->model->region;
  KetteFunction *f    = _kette_region_alloc (region, 1, sizeof *f, error);

  if (!f)
    return NULL;
  f->domain   = DOMAIN;
  f->overload = "";
  f->name     = _kette_region_strdup (region, call->op, error);
  f->body     = f->name ? _kette_graph_new (e->model, f->name, error) : NULL;
  if (!f->body)
    return NULL;
  f->attributes = _kette_region_alloc (region, (size_t) call->n_attrs + 1,
                                       sizeof *f->attributes, error);
  for (int32_t i = 0; f->attributes && i < call->n_attrs; i++)
    if (!(f->attributes[f->n_attributes++]
          = _kette_region_strdup (region, call->attrs[i].name, error)))
      f->attributes = NULL;
  if (f->attributes && fill_body (f, call, exact, error)
      && set_opsets (e->model, f, error))
    return f;
  kette_graph_unref (f->body);
  return NULL;
}

/* -- calls -------------------------------------------------------------------------------------- */

static gboolean
remember (Exporter *e, KetteFunction *f, const char *digest, GError **error)
{
  KetteModel *model = e->model;

  if ((e->n == e->capacity
       && !_kette_grow (&e->made, &e->capacity, e->n + 1, sizeof *e->made, error))
      || (model->n_functions == model->functions_capacity
          && !_kette_grow (&model->functions, &model->functions_capacity,
                           model->n_functions + 1, sizeof *model->functions, error)))
    return FALSE;
  e->made[e->n].function = f;
  g_strlcpy (e->made[e->n++].digest, digest, sizeof e->made->digest);
  model->functions[model->n_functions++] = f;
  return TRUE;
}

/* The function of CALL (types known), made unless there is one with the same body. */
static KetteFunction *
function_for (Exporter *e, const KetteNode *call, GError **error)
{
  GError *local    = NULL;
  KetteFunction *f = make_function (e, call, FALSE, &local);
  char digest[65], overload[32];
  unsigned variants = 0;

  if (!f)
    {
      g_clear_error (&local); /* a body that needs the sizes */
      f = make_function (e, call, TRUE, error);
    }
  if (!f)
    return NULL;
  digest_body (f, digest);
  for (size_t i = 0; i < e->n; i++)
    if (strcmp (e->made[i].function->name, f->name) == 0)
      {
        variants++;
        if (strcmp (e->made[i].digest, digest) == 0)
          {
            kette_graph_unref (f->body);
            return e->made[i].function;
          }
      }
  if (variants)
    {
      g_snprintf (overload, sizeof overload, "v%u", variants + 1);
      f->overload = _kette_region_strdup (e->model->region, overload, error);
    }
  if (f->overload && remember (e, f, digest, error))
    return f;
  kette_graph_unref (f->body);
  return NULL;
}

/* Gives every own node of GRAPH its function; TYPED has the same names, and types. */
static gboolean
export_graph (Exporter *e, KetteGraph *graph, const KetteGraph *typed, GError **error)
{
  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      KetteNode *node = graph->nodes[i];
      const KetteValue *twin;
      const KetteFunction *f;

      if (!is_own (node) || node->n_out < 1 || !node->out[0])
        continue;
      twin
          = typed == graph ? node->out[0] : _kette_graph_find (typed, node->out[0]->name);
      if (!twin || !twin->producer || !twin->producer->def
          || !twin->producer->def->op.body)
        continue;
      f = function_for (e, twin->producer, error);
      if (!f)
        return FALSE;
      node->overload = f->overload;
    }
  return TRUE;
}

/* GRAPH with types: a copy. Stand-ins get those of the main graph's values. */
static KetteGraph *
typed_copy (KetteGraph *graph, const KetteGraph *typed_main, GError **error)
{
  KetteGraph *copy = _kette_graph_clone (graph, NULL, error);

  for (size_t i = 0; copy && typed_main && i < copy->n_values; i++)
    {
      KetteValue *value = copy->values[i];
      const KetteValue *twin
          = value->outer ? _kette_graph_find (typed_main, value->outer->name) : NULL;

      if (twin && twin->type.kind && !_kette_value_set_type (value, &twin->type, error))
        {
          kette_graph_unref (copy);
          return NULL;
        }
    }
  if (copy && _kette_pass_check (copy, error) && _kette_pass_canonical (copy, error)
      && _kette_pass_infer (copy, error))
    return copy;
  kette_graph_unref (copy);
  return NULL;
}

static gboolean
uses_own (const KetteModel *model, const KetteGraph *graph)
{
  for (size_t i = 0; i < graph->n_nodes; i++)
    if (is_own (graph->nodes[i]))
      return TRUE;
  for (size_t t = 0; t < model->n_training; t++)
    for (size_t i = 0;
         model->training[t]->algorithm && i < model->training[t]->algorithm->n_nodes; i++)
      if (is_own (model->training[t]->algorithm->nodes[i]))
        return TRUE;
  return FALSE;
}

/* Functions of ours from an earlier export; those of others stay. */
static void
drop_own (KetteModel *model)
{
  size_t kept = 0;

  for (size_t i = 0; i < model->n_functions; i++)
    if (strcmp (model->functions[i]->domain, DOMAIN) == 0)
      kette_graph_unref (model->functions[i]->body);
    else
      model->functions[kept++] = model->functions[i];
  model->n_functions = kept;
}

static gboolean
only_own_functions (const KetteModel *model)
{
  for (size_t i = 0; i < model->n_functions; i++)
    if (strcmp (model->functions[i]->domain, DOMAIN) != 0)
      return FALSE;
  return TRUE;
}

static gboolean
export_all (Exporter *e, KetteGraph *graph, GError **error)
{
  const KetteModel *model = e->model;
  KetteGraph *typed       = typed_copy (graph, NULL, error);
  gboolean ok             = typed && export_graph (e, graph, typed, error);

  for (size_t i = 0; ok && i < model->n_training; i++)
    if (model->training[i]->algorithm)
      {
        KetteGraph *step = typed_copy (model->training[i]->algorithm, typed, error);
        ok = step && export_graph (e, model->training[i]->algorithm, step, error);
        kette_graph_unref (step);
      }
  /* Bodies may call operators of ours; what they add stands behind them in the list. */
  for (size_t i = 0; ok && i < e->n; i++)
    ok = export_graph (e, e->made[i].function->body, e->made[i].function->body, error);
  kette_graph_unref (typed);
  return ok;
}

gboolean
_kette_pass_export_functions (KetteGraph *graph, GError **error)
{
  KetteModel *model = graph->model;
  Exporter e        = { .model = model };
  gboolean ok;

  if (!kette_plugins_get (error))
    return FALSE;
  if (!only_own_functions (model))
    return TRUE; /* functions of the file may call ours: they bring what they need */
  drop_own (model);
  if (!uses_own (model, graph))
    return TRUE;
  ok = export_all (&e, graph, error);
  if (ok && !_kette_model_opset (model, DOMAIN))
    ok = _kette_model_set_opset (model, DOMAIN, 1, error);
  if (ok)
    {
      model->ir_version = MAX (model->ir_version, 8); /* the first with functions */
      for (size_t i = 0; i < e.n; i++)
        if (*e.made[i].function->overload)
          model->ir_version = MAX (model->ir_version, 10);
    }
  _kette_free (e.made);
  return ok;
}
