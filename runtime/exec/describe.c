/* SPDX-License-Identifier: Apache-2.0
 * kette_graph_describe: what a graph is, in words and as JSON.
 */
#include "base/text.h"
#include "exec/plan.h"
#include "exec/transform.h"
#include "graph/sparse.h"
#include "pass/pass.h"
#include <stdlib.h>
#include <string.h>

/* -- writing ------------------------------------------------------------------------------ */

typedef struct
{
  GString *out;
  gboolean json;
  KetteGraph *graph, *prepared; /* prepared: with types as far as they can be found */
  size_t n_missing;             /* operators that nobody here provides */
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
  return (value->flags & KETTE_VALUE_INITIALIZER) && (value->data || value->sparse);
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
  const KetteValue *known = _kette_graph_find (w->prepared, value->name);
  const kt_type *type     = known && known->type.kind ? &known->type : &value->type;

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

/* Numbers and bytes that a parameter has in the file. */
static void
measure (const KetteValue *v, size_t *count, size_t *bytes)
{
  *count = v->data ? v->data->count : v->sparse->values->count;
  *bytes
      = v->data ? v->data->bytes : v->sparse->values->bytes + v->sparse->indices->bytes;
}

static void
write_parameter (Writer *w, const KetteValue *v, size_t n, size_t count)
{
  char text[512];

  if (w->json)
    {
      g_string_append (w->out, n ? ", {\"name\": " : "{\"name\": ");
      _kette_json_string (w->out, v->name);
      g_string_append (w->out, ", \"type\": ");
      _kette_json_string (w->out, _kette_type_text (text, sizeof text, &v->type, NULL));
      g_string_append_printf (w->out, ", \"count\": %zu%s}", count,
                              v->data ? "" : ", \"sparse\": true");
    }
  else if (n < PARAMETERS_MAX)
    g_string_append_printf (w->out, "%-11s %-*s %-22s %zu%s\n", n ? "" : "parameters",
                            w->wide, KETTE_QUOTE (v->name),
                            _kette_type_text (text, sizeof text, &v->type, NULL), count,
                            v->data ? "" : " (sparse)");
}

static void
write_parameters (Writer *w)
{
  KetteValue *const *values = w->graph->values;
  size_t count = 0, bytes = 0, n = 0;

  if (w->json)
    g_string_append (w->out, "  \"parameters\": [");
  for (size_t i = 0; i < w->graph->n_values; i++)
    {
      size_t own_count, own_bytes;

      if (!is_parameter (values[i]))
        continue;
      measure (values[i], &own_count, &own_bytes);
      count += own_count;
      bytes += own_bytes;
      write_parameter (w, values[i], n++, own_count);
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

/* "missing operators: com.example:Foo (3 nodes), Bar (1 node)". */
static void
write_missing (Writer *w, const KetteTally *rows, size_t n)
{
  KetteQuoted name;
  size_t k = 0;

  if (w->json)
    g_string_append (w->out, "  \"missing_operators\": [");
  for (size_t i = 0; i < n; i++)
    if (rows[i].missing && w->json)
      {
        g_string_append (w->out, k++ ? ", {\"name\": " : "{\"name\": ");
        _kette_json_string (w->out, rows[i].op);
        g_string_append (w->out, ", \"domain\": ");
        _kette_json_string (w->out, rows[i].domain);
        g_string_append_printf (w->out, ", \"count\": %zu}", rows[i].n);
      }
    else if (rows[i].missing)
      g_string_append_printf (
          w->out, "%s%s (%zu node%s)",
          k++ ? ", " : "missing operators: ", _kette_tally_name (&rows[i], &name),
          rows[i].n, rows[i].n == 1 ? "" : "s");
  w->n_missing = k;
  if (w->json)
    g_string_append (w->out, "],\n");
  else if (k)
    g_string_append_c (w->out, '\n');
}

static gboolean
write_operators (Writer *w, GError **error)
{
  const size_t n_main = w->graph->n_nodes;
  KetteTally *rows;
  KetteQuoted name;
  size_t n, n_own = 0, k = 0;

  if (!_kette_pass_tally (w->graph, &rows, &n, error))
    return FALSE;
  for (size_t i = 0; i < n; i++)
    n_own += rows[i].n_own;
  if (w->json)
    g_string_append (w->out, "  \"operators\": [");
  else if (n_own > n_main)
    g_string_append_printf (w->out, "%-11s %zu nodes, and %zu in subgraphs\n",
                            "operators", n_main, n_own - n_main);
  else
    g_string_append_printf (w->out, "%-11s %zu nodes\n", "operators", n_main);
  for (size_t i = 0; i < n; i++)
    if (rows[i].n_own && w->json)
      {
        g_string_append (w->out, k++ ? ", {\"name\": " : "{\"name\": ");
        _kette_json_string (w->out, rows[i].op);
        g_string_append (w->out, ", \"domain\": ");
        _kette_json_string (w->out, rows[i].domain);
        g_string_append_printf (w->out, ", \"count\": %zu, \"known\": %s}", rows[i].n_own,
                                rows[i].missing ? "false" : "true");
      }
    else if (rows[i].n_own)
      g_string_append_printf (w->out, "%-11s %6zu  %s%s\n", "", rows[i].n_own,
                              _kette_tally_name (&rows[i], &name),
                              rows[i].missing ? "   (no plugin provides it)" : "");
  if (w->json)
    g_string_append (w->out, "],\n");
  write_missing (w, rows, n);
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

/* Why there is no plan: only where memory does not suffice, else the graph itself says it. */
static void
write_no_plan (Writer *w, const GError *error)
{
  if (!g_error_matches (error, KETTE_ERROR, KETTE_ERROR_MEMORY))
    return;
  if (w->json)
    {
      g_string_append (w->out, "  \"plan_error\": ");
      _kette_json_string (w->out, error->message);
      g_string_append (w->out, ",\n");
    }
  else
    g_string_append_printf (w->out, "%-11s none: %s\n", "plan", error->message);
}

/* The memory plan, where one can be made without contents. */
static void
write_plan (Writer *w)
{
  KetteAccount *account           = _kette_account_process ();
  const size_t n                  = w->graph->n_inputs;
  g_autoptr (GError) error        = NULL;
  kt_type *types                  = _kette_alloc (account, n + 1, sizeof *types, &error);
  int64_t (*dims)[KETTE_MAX_RANK] = _kette_alloc (account, n + 1, sizeof *dims, &error);
  KetteSession *session
      = error || w->n_missing ? NULL : _kette_session_new_full (w->graph, NULL, &error);
  KettePlanInfo info;

  if (types && dims && session && sample_types (w->graph, types, dims)
      && _kette_session_plan_info (session, types, &info, &error))
    {
      if (w->json)
        g_string_append_printf (
            w->out,
            "  \"plan\": {\"steps\": %zu, \"chains\": %zu, \"fused\": %zu, "
            "\"absorbed\": %zu, \"views\": %zu, \"in_place\": %zu, "
            "\"arena_bytes\": %zu, \"live_peak_bytes\": %zu, "
            "\"constant_bytes\": %zu},\n",
            info.n_steps, info.n_chains, info.n_fused, info.n_absorbed, info.n_views,
            info.n_in_place, info.arena_bytes, info.live_peak_bytes, info.constant_bytes);
      else
        g_string_append_printf (
            w->out,
            "%-11s %zu steps (%zu in %zu chains), %zu views, %zu in place; arena %zu "
            "bytes, constants %zu bytes (open dims as 1)\n",
            "plan", info.n_steps, info.n_fused - info.n_absorbed, info.n_chains,
            info.n_views, info.n_in_place, info.arena_bytes, info.constant_bytes);
    }
  write_no_plan (w, error);
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
        && strcmp (m->meta[i].key, "kette.sha256") != 0
        && strcmp (m->meta[i].key, "kette.placement") != 0)
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

  w.prepared = _kette_pass_examine (self, KETTE_BEST_EFFORT, NULL, error);
  if (!w.prepared)
    return NULL;
  w.out = g_string_new (NULL);
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

char *
kette_graph_explain (KetteGraph *self, KetteSessionFlags flags, const char *device,
                     const char *const *place, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  g_autoptr (KetteSession) session
      = kette_session_new_on (self, flags, device, place, error);
  kt_type *types                  = NULL;
  int64_t (*dims)[KETTE_MAX_RANK] = NULL;
  char *text                      = NULL;

  if (session
      && (types = _kette_alloc (account, self->n_inputs + 1, sizeof *types, error))
      && (dims = _kette_alloc (account, self->n_inputs + 1, sizeof *dims, error)))
    {
      if (sample_types (self, types, dims))
        text = _kette_session_plan_text (session, types, error);
      else
        _kette_fail (error, KETTE_ERROR_UNSUPPORTED, NULL,
                     "the rank of an input is open: there is no plan without data");
      if (!text)
        _kette_error_in_file (error, self->model->file);
    }
  _kette_free (types);
  _kette_free (dims);
  return text;
}
