/* SPDX-License-Identifier: Apache-2.0
 * kette_graph_check and kette_graph_describe: what a graph is, in words and as JSON.
 */
#include "base/text.h"
#include "exec/plan.h"
#include "exec/transform.h"
#include "pass/pass.h"
#include <stdlib.h>
#include <string.h>

gboolean
kette_graph_check (KetteGraph *self, gboolean structure, GError **error)
{
  KetteGraph *prepared;
  gboolean ok = TRUE;

  if (structure)
    return TRUE; /* loading has seen to names, edges, tensors, functions and bindings */
  prepared = _kette_pass_prepare (self, error);
  ok       = prepared != NULL;
  kette_graph_unref (prepared);
  for (size_t i = 0; ok && i < self->model->n_training; i++)
    if (self->model->training[i]->algorithm)
      {
        KetteBinding *updates;
        KetteGraph *step = _kette_pass_training (self, i, &updates, error);
        ok               = step != NULL;
        kette_graph_unref (step);
        _kette_free (updates);
      }
  if (!ok)
    _kette_error_in_file (error, self->model->file);
  return ok;
}

/* -- writing ------------------------------------------------------------------------------ */

typedef struct
{
  GString *out;
  gboolean json;
  KetteGraph *graph, *prepared; /* prepared: NULL where operators are missing */
  int wide;                     /* the column of names */
} Writer;

enum
{
  PARAMETERS_MAX = 24, /* are listed one by one in the text */
  NAMES_MIN      = 24,
  NAMES_MAX      = 56
};

static gboolean
is_parameter (const KetteValue *value)
{
  return (value->flags & KETTE_VALUE_INITIALIZER) && value->data;
}

/* The column is as wide as the names that will be listed, within reason. */
static int
width_of_names (const KetteGraph *graph)
{
  size_t wide = NAMES_MIN;
  int n       = 0;

  for (size_t i = 0; i < graph->n_values; i++)
    {
      const KetteValue *v = graph->values[i];
      if ((is_parameter (v) && n++ < PARAMETERS_MAX)
          || (v->flags & (KETTE_VALUE_INPUT | KETTE_VALUE_OUTPUT)))
        wide = MAX (wide, strlen (KETTE_QUOTE (v->name)));
    }
  return (int) MIN (wide, NAMES_MAX);
}

static const char *
type_text (const Writer *w, const KetteValue *value, char *text, size_t size)
{
  const KetteValue *known
      = w->prepared ? _kette_graph_find (w->prepared, value->name) : NULL;
  const kt_type *type = known && known->type.kind ? &known->type : &value->type;

  return type->kind ? _kette_type_text (text, size, type, w->graph->model->symbols)
                    : "unknown type";
}

static void
write_values (Writer *w, const char *title, KetteValue *const *values, size_t n,
              gboolean feedable_only)
{
  char text[512];
  gboolean first = TRUE;

  if (w->json)
    g_string_append_printf (w->out, "  \"%s\": [", title);
  for (size_t i = 0; i < n; i++)
    {
      if (feedable_only && (values[i]->flags & KETTE_VALUE_INITIALIZER))
        continue;
      const char *type = type_text (w, values[i], text, sizeof text);
      if (w->json)
        {
          g_string_append (w->out, first ? "{\"name\": " : ", {\"name\": ");
          _kette_json_string (w->out, values[i]->name);
          g_string_append (w->out, ", \"type\": ");
          _kette_json_string (w->out, type);
          g_string_append_c (w->out, '}');
        }
      else
        g_string_append_printf (w->out, "%-11s %-*s %s\n", first ? title : "", w->wide,
                                KETTE_QUOTE (values[i]->name), type);
      first = FALSE;
    }
  if (w->json)
    g_string_append (w->out, "],\n");
}

static void
write_parameters (Writer *w)
{
  KetteValue *const *values = w->graph->values;
  size_t count = 0, bytes = 0, n = 0;
  char text[512];

  if (w->json)
    g_string_append (w->out, "  \"parameters\": [");
  for (size_t i = 0; i < w->graph->n_values; i++)
    {
      const KetteValue *v = values[i];
      if (!is_parameter (v))
        continue;
      count += v->data->count;
      bytes += v->data->bytes;
      if (w->json)
        {
          g_string_append (w->out, n ? ", {\"name\": " : "{\"name\": ");
          _kette_json_string (w->out, v->name);
          g_string_append (w->out, ", \"type\": ");
          _kette_json_string (w->out,
                              _kette_type_text (text, sizeof text, &v->type, NULL));
          g_string_append_printf (w->out, ", \"count\": %zu}", v->data->count);
        }
      else if (n < PARAMETERS_MAX)
        g_string_append_printf (w->out, "%-11s %-*s %-22s %zu\n", n ? "" : "parameters",
                                w->wide, KETTE_QUOTE (v->name),
                                _kette_type_text (text, sizeof text, &v->type, NULL),
                                v->data->count);
      n++;
    }
  if (w->json)
    g_string_append_printf (
        w->out, "],\n  \"parameter_count\": %zu,\n  \"parameter_bytes\": %zu,\n", count,
        bytes);
  else if (n > PARAMETERS_MAX)
    g_string_append_printf (w->out, "%-11s ... and %zu more\n", "", n - PARAMETERS_MAX);
  if (!w->json && n)
    g_string_append_printf (w->out, "%-11s in all %zu numbers, %zu bytes\n", "", count,
                            bytes);
}

typedef struct
{
  const char *domain, *op;
  size_t n;
  gboolean known;
} Tally;

static int
compare_tally (const void *a, const void *b)
{
  const Tally *x = a, *y = b;

  if (x->n != y->n)
    return x->n < y->n ? 1 : -1;
  return strcmp (x->op, y->op);
}

static gboolean
write_operators (Writer *w, GError **error)
{
  const KetteGraph *g = w->graph;
  Tally *rows
      = _kette_alloc (_kette_account_process (), g->n_nodes + 1, sizeof *rows, error);
  size_t n = 0;

  if (!rows)
    return FALSE;
  for (size_t i = 0; i < g->n_nodes; i++)
    {
      const KetteNode *node = g->nodes[i];
      size_t k              = 0;
      while (k < n
             && (strcmp (rows[k].op, node->op) != 0
                 || strcmp (rows[k].domain, node->domain) != 0))
        k++;
      if (k == n)
        rows[n++] = (Tally){ node->domain, node->op, 0,
                             _kette_registry_family (node->domain, node->op) != NULL
                                 || _kette_model_find_function (g->model, node->domain,
                                                                node->op, "") };
      rows[k].n++;
    }
  qsort (rows, n, sizeof *rows, compare_tally);
  if (w->json)
    g_string_append (w->out, "  \"operators\": [");
  else
    g_string_append_printf (w->out, "%-11s %zu nodes\n", "operators", g->n_nodes);
  for (size_t k = 0; k < n; k++)
    if (w->json)
      {
        g_string_append (w->out, k ? ", {\"name\": " : "{\"name\": ");
        _kette_json_string (w->out, rows[k].op);
        g_string_append (w->out, ", \"domain\": ");
        _kette_json_string (w->out, rows[k].domain);
        g_string_append_printf (w->out, ", \"count\": %zu, \"known\": %s}", rows[k].n,
                                rows[k].known ? "true" : "false");
      }
    else
      g_string_append_printf (w->out, "%-11s %6zu  %s%s%.200s%s\n", "", rows[k].n,
                              rows[k].domain, *rows[k].domain ? ":" : "", rows[k].op,
                              rows[k].known ? "" : "   (no plugin provides it)");
  if (w->json)
    g_string_append (w->out, "],\n");
  _kette_free (rows);
  return TRUE;
}

static void
write_header (Writer *w)
{
  const KetteModel *m = w->graph->model;

  if (w->json)
    {
      g_string_append (w->out, "{\n  \"file\": ");
      _kette_json_string (w->out, m->file);
      g_string_append (w->out, ",\n  \"producer\": ");
      _kette_json_string (w->out, m->producer ? m->producer : "");
      g_string_append (w->out, ",\n  \"producer_version\": ");
      _kette_json_string (w->out, m->producer_version ? m->producer_version : "");
      g_string_append_printf (
          w->out, ",\n  \"ir_version\": %" G_GINT64_FORMAT ",\n  \"opsets\": {",
          m->ir_version);
      for (size_t i = 0; i < m->n_opsets; i++)
        {
          g_string_append (w->out, i ? ", " : "");
          _kette_json_string (w->out,
                              *m->opsets[i].domain ? m->opsets[i].domain : "ai.onnx");
          g_string_append_printf (w->out, ": %d", m->opsets[i].version);
        }
      g_string_append (w->out, "},\n");
      return;
    }
  g_string_append_printf (w->out, "%-11s %s\n", "file", m->file);
  if (m->producer && *m->producer)
    g_string_append_printf (
        w->out, "%-11s %s%s%s\n", "producer", KETTE_QUOTE (m->producer),
        m->producer_version && *m->producer_version ? " " : "",
        m->producer_version && *m->producer_version ? KETTE_QUOTE (m->producer_version)
                                                    : "");
  g_string_append_printf (w->out, "%-11s IR %" G_GINT64_FORMAT, "version", m->ir_version);
  for (size_t i = 0; i < m->n_opsets; i++)
    g_string_append_printf (w->out, ", %.200s opset %d",
                            *m->opsets[i].domain ? m->opsets[i].domain : "ai.onnx",
                            m->opsets[i].version);
  g_string_append_c (w->out, '\n');
}

/* The inputs' types with 1 for what the file leaves open; FALSE where even ranks are open. */
static gboolean
sample_types (const KetteGraph *graph, kt_type *types, int64_t (*dims)[KETTE_MAX_RANK])
{
  for (size_t i = 0; i < graph->n_inputs; i++)
    {
      const KetteValue *v = graph->inputs[i];
      if (v->flags & KETTE_VALUE_INITIALIZER)
        continue;
      if (v->type.kind != KT_TENSOR || v->type.ndim < 0 || !v->type.dtype)
        return FALSE;
      types[i] = v->type;
      for (int32_t d = 0; d < v->type.ndim; d++)
        dims[i][d] = KT_IS_DIM (v->type.dims[d]) ? 1 : v->type.dims[d];
      types[i].dims = dims[i];
    }
  return TRUE;
}

/* The memory plan, where one can be made without contents. */
static void
write_plan (Writer *w)
{
  KetteAccount *account           = _kette_account_process ();
  const size_t n                  = w->graph->n_inputs;
  kt_type *types                  = _kette_alloc (account, n + 1, sizeof *types, NULL);
  int64_t (*dims)[KETTE_MAX_RANK] = _kette_alloc (account, n + 1, sizeof *dims, NULL);
  KetteSession *session
      = w->prepared ? _kette_session_new_full (w->graph, NULL, NULL) : NULL;
  KettePlanInfo info;

  if (types && dims && session && sample_types (w->graph, types, dims)
      && _kette_session_plan_info (session, types, &info, NULL))
    {
      if (w->json)
        g_string_append_printf (
            w->out,
            "  \"plan\": {\"steps\": %zu, \"views\": %zu, \"in_place\": %zu, "
            "\"arena_bytes\": %zu, \"live_peak_bytes\": %zu, "
            "\"constant_bytes\": %zu},\n",
            info.n_steps, info.n_views, info.n_in_place, info.arena_bytes,
            info.live_peak_bytes, info.constant_bytes);
      else
        g_string_append_printf (
            w->out,
            "%-11s %zu steps, %zu views, %zu in place; arena %zu bytes, "
            "constants %zu bytes (open dims as 1)\n",
            "plan", info.n_steps, info.n_views, info.n_in_place, info.arena_bytes,
            info.constant_bytes);
    }
  kette_session_unref (session);
  _kette_free (types);
  _kette_free (dims);
}

static void
write_training (Writer *w)
{
  const KetteModel *m = w->graph->model;

  if (w->json)
    {
      g_string_append (w->out, "  \"training\": [");
      for (size_t i = 0; i < m->n_training; i++)
        g_string_append_printf (
            w->out, "%s{\"nodes\": %zu, \"updates\": %zu}", i ? ", " : "",
            m->training[i]->algorithm ? m->training[i]->algorithm->n_nodes : 0,
            m->training[i]->n_update);
      g_string_append (w->out, "],\n  \"metadata\": {");
      for (size_t i = 0; i < m->n_meta; i++)
        {
          g_string_append (w->out, i ? ", " : "");
          _kette_json_string (w->out, m->meta[i].key);
          g_string_append (w->out, ": ");
          _kette_json_string (w->out, m->meta[i].value);
        }
      g_string_append (w->out, "}\n}\n");
      return;
    }
  for (size_t i = 0; i < m->n_training; i++)
    g_string_append_printf (
        w->out, "%-11s step %zu: %zu nodes, %zu updated tensors\n", i ? "" : "training",
        i, m->training[i]->algorithm ? m->training[i]->algorithm->n_nodes : 0,
        m->training[i]->n_update);
  const char *title = "metadata";
  for (size_t i = 0; i < m->n_meta; i++)
    if (!g_str_has_prefix (m->meta[i].key, "kette.crc.")
        && strcmp (m->meta[i].key, "kette.sha256") != 0)
      {
        g_string_append_printf (w->out, "%-11s %s = %s\n", title,
                                KETTE_QUOTE (m->meta[i].key),
                                KETTE_QUOTE (m->meta[i].value));
        title = "";
      }
}

char *
kette_graph_describe (KetteGraph *self, gboolean json, GError **error)
{
  Writer w = { .json = json, .graph = self, .wide = width_of_names (self) };

  if (!kette_plugins_get (error))
    return NULL;
  w.out      = g_string_new (NULL);
  w.prepared = _kette_pass_prepare (self, NULL);
  write_header (&w);
  write_values (&w, "inputs", self->inputs, self->n_inputs, TRUE);
  write_values (&w, "outputs", self->outputs, self->n_outputs, FALSE);
  write_parameters (&w);
  const gboolean ok = write_operators (&w, error);
  write_plan (&w);
  write_training (&w);
  kette_graph_unref (w.prepared);
  if (ok)
    return g_string_free (w.out, FALSE);
  g_string_free (w.out, TRUE);
  return NULL;
}
