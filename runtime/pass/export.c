/* SPDX-License-Identifier: Apache-2.0
 * Functions for export: every operator of domain kette that a model uses gets its body as a
 * model function, so that runtimes which do not know the domain can run the file.
 *
 * A body may depend on ranks, element types and attributes of the call. Calls with the same
 * body share a function; others get functions that differ by overload.
 */
#include "pass/export.h"
#include "op/context.h"
#include <string.h>

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
  return !(node->flags & KETTE_NODE_DEAD) && strcmp (node->domain, KETTE_OWN_DOMAIN) == 0;
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
  KetteFunction *f = _kette_export_function (e->model, call, FALSE, &local);
  char digest[65], overload[32];
  unsigned variants = 0;

  if (!f && g_error_matches (local, KETTE_ERROR, KETTE_ERROR_MEMORY))
    {
      g_propagate_error (error, local);
      return NULL;
    }
  if (!f)
    {
      g_clear_error (&local); /* a body that needs the sizes */
      f = _kette_export_function (e->model, call, TRUE, error);
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
    if (strcmp (model->functions[i]->domain, KETTE_OWN_DOMAIN) == 0)
      kette_graph_unref (model->functions[i]->body);
    else
      model->functions[kept++] = model->functions[i];
  if (kept < model->n_functions)
    { /* the index names places in the list */
      g_clear_pointer (&model->function_index, _kette_names_free);
      model->n_indexed = 0;
    }
  model->n_functions = kept;
}

static gboolean
only_own_functions (const KetteModel *model)
{
  for (size_t i = 0; i < model->n_functions; i++)
    if (strcmp (model->functions[i]->domain, KETTE_OWN_DOMAIN) != 0)
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
  if (ok && !_kette_model_opset (model, KETTE_OWN_DOMAIN))
    ok = _kette_model_set_opset (model, KETTE_OWN_DOMAIN, 1, error);
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
