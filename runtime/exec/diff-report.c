/* SPDX-License-Identifier: Apache-2.0
 * The differences of two models as text or JSON: a list per kind, so many of each, and one line
 * that sums them up.
 */
#include "base/tensor-private.h"
#include "base/text.h"
#include "exec/diff-private.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const titles[KETTE_DIFF_SECTIONS]
    = { "model",     "inputs",   "outputs", "nodes",   "parameters",
        "functions", "training", "names",   "metadata" };

static const char *
change_word (char change)
{
  return change == '-' ? "removed" : change == '+' ? "added" : "changed";
}

/* May one more be listed in SECTION? Counts it. */
static gboolean
take_place (KetteDiff *d, KetteDiffSection section)
{
  if (!d->lists[section])
    d->lists[section] = g_string_new (NULL);
  return d->counts[section]++ < d->options.most;
}

void
_kette_diff_tell (KetteDiff *d, KetteDiffSection section, char change, const char *where,
                  const char *format, ...)
{
  g_autofree char *text = NULL;
  GString *out;
  va_list args;

  if (!take_place (d, section))
    return;
  out = d->lists[section];
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  if (d->options.flags & KETTE_DIFF_JSON)
    {
      g_string_append_printf (out, "%s    {\"change\": \"%s\", \"where\": ",
                              out->len ? ",\n" : "", change_word (change));
      _kette_json_string (out, where);
      g_string_append (out, ", \"text\": ");
      _kette_json_string (out, text);
      g_string_append_c (out, '}');
    }
  else
    g_string_append_printf (out, "  %c %s%s%s\n", change, where, *where ? ": " : "",
                            text);
}

/* -- parameters ---------------------------------------------------------------------------- */

/* First those that changed their kind, then the farthest. */
static int
compare_parameters (const void *a, const void *b)
{
  const KetteParameterDiff *x = a, *y = b;
  const double p = x->distance.count ? x->distance.norm : INFINITY,
               q = y->distance.count ? y->distance.norm : INFINITY;

  if (p != q)
    return p < q ? 1 : -1;
  if (x->distance.max_abs != y->distance.max_abs)
    return x->distance.max_abs < y->distance.max_abs ? 1 : -1;
  return strcmp (x->name, y->name);
}

static const char *
tensor_text (const KetteTensor *t, char out[256])
{
  return _kette_type_text (
      out, 256,
      &(kt_type){
          .kind = KT_TENSOR, .dtype = t->dtype, .ndim = t->rank, .dims = t->dims },
      NULL);
}

static const char *
number (char out[32], const char *format, double v)
{
  if (!isfinite (v))
    return isnan (v) ? "nan" : v > 0 ? "inf" : "-inf";
  return g_ascii_formatd (out, 32, format, v);
}

static void
put_json_number (GString *out, const char *key, double v)
{
  char text[32];

  g_string_append_printf (out, ", \"%s\": %s", key,
                          isfinite (v) ? number (text, "%.9g", v) : "null");
}

static void
put_parameter_json (GString *out, const KetteParameterDiff *p)
{
  const KetteTensor *t = p->b ? p->b : p->a;
  char type[256];

  g_string_append_printf (out,
                          "%s    {\"change\": \"%s\", \"where\": ", out->len ? ",\n" : "",
                          change_word (!p->a   ? '+'
                                       : !p->b ? '-'
                                               : '~'));
  _kette_json_string (out, p->where);
  g_string_append (out, ", \"name\": ");
  _kette_json_string (out, p->name);
  g_string_append (out, ", \"type\": ");
  _kette_json_string (out, tensor_text (t, type));
  if (p->distance.count)
    {
      put_json_number (out, "norm", p->distance.norm >= 0 ? p->distance.norm : NAN);
      put_json_number (out, "max_abs", p->distance.max_abs);
      put_json_number (out, "max_rel", p->distance.max_rel);
      g_string_append_printf (out, ", \"differing\": %zu, \"count\": %zu",
                              p->distance.differing, p->distance.count);
    }
  else if (p->a && p->b)
    {
      g_string_append (out, ", \"before\": ");
      _kette_json_string (out, tensor_text (p->a, type));
    }
  g_string_append_c (out, '}');
}

static void
put_parameter_text (GString *out, const KetteParameterDiff *p, int wide)
{
  char x[256], y[256], a[32], b[32], c[32];

  g_string_append_printf (out, "  %c %-*s  ",
                          !p->a   ? '+'
                          : !p->b ? '-'
                                  : '~',
                          wide, KETTE_QUOTE (p->name));
  if (!p->a || !p->b)
    g_string_append (out, tensor_text (p->a ? p->a : p->b, x));
  else if (!p->distance.count)
    g_string_append_printf (out, "%s -> %s", tensor_text (p->a, x),
                            tensor_text (p->b, y));
  else
    g_string_append_printf (
        out, "%-20s %9s %11s %11s  %zu of %zu", tensor_text (p->a, x),
        p->distance.norm < 0 ? "-" : number (a, "%.3g", p->distance.norm),
        number (b, "%.3g", p->distance.max_abs), number (c, "%.3g", p->distance.max_rel),
        p->distance.differing, p->distance.count);
  g_string_append_printf (out, "%s%s%s\n", *p->where ? " (" : "", p->where,
                          *p->where ? ")" : "");
}

static void
list_parameters (KetteDiff *d)
{
  const gboolean json = (d->options.flags & KETTE_DIFF_JSON) != 0;
  gboolean numbers    = FALSE;
  size_t wide         = 0;

  if (d->n_parameters)
    qsort (d->parameters, d->n_parameters, sizeof *d->parameters, compare_parameters);
  for (size_t i = 0; i < d->n_parameters && i < d->options.most; i++)
    {
      wide    = MAX (wide, strlen (KETTE_QUOTE (d->parameters[i].name)));
      numbers = numbers || d->parameters[i].distance.count;
    }
  wide = MIN (wide, 40);
  for (size_t i = 0; i < d->n_parameters; i++)
    {
      if (!take_place (d, KETTE_DIFF_PARAMETERS))
        continue;
      GString *out = d->lists[KETTE_DIFF_PARAMETERS];
      if (numbers && !json && out->len == 0)
        g_string_append_printf (out, "    %*s  %-20s %9s %11s %11s  %s\n", (int) wide, "",
                                "", "|b-a|/|a|", "max |b-a|", "max rel.", "numbers");
      if (json)
        put_parameter_json (out, &d->parameters[i]);
      else
        put_parameter_text (out, &d->parameters[i], (int) wide);
    }
}

/* -- all ----------------------------------------------------------------------------------- */

static void
put_count (GString *out, size_t n, const char *one, const char *many)
{
  if (n)
    g_string_append_printf (out, "%s%zu %s", out->len ? ", " : "", n,
                            n == 1 ? one : many);
}

/* "2 nodes changed, 1 added, 4 of 4 parameters differ". */
static char *
sum_up (const KetteDiff *d, gboolean equal)
{
  GString *out = g_string_new (NULL);
  size_t other = d->counts[KETTE_DIFF_MODEL] + d->counts[KETTE_DIFF_INPUTS]
                 + d->counts[KETTE_DIFF_OUTPUTS] + d->counts[KETTE_DIFF_FUNCTIONS]
                 + d->counts[KETTE_DIFF_TRAINING] + d->counts[KETTE_DIFF_META];
  char text[32];

  if (equal)
    {
      g_string_append_printf (out, "equal: %zu node%s, %zu parameter%s", d->n_nodes,
                              d->n_nodes == 1 ? "" : "s", d->n_compared,
                              d->n_compared == 1 ? "" : "s");
      if (d->options.flags & KETTE_DIFF_STRUCTURE)
        g_string_append (out, " by their types");
      else if (d->largest > 0)
        g_string_append_printf (out, ", numbers within %s",
                                number (text, "%.3g", d->largest));
      return g_string_free (out, FALSE);
    }
  put_count (out, d->n_removed, "node removed", "nodes removed");
  put_count (out, d->n_added, "node added", "nodes added");
  put_count (out, d->n_changed, "node changed", "nodes changed");
  put_count (out, d->n_parameters, "parameter differs", "parameters differ");
  put_count (out, d->n_renamed, "name changed", "names changed");
  put_count (out, other, "other difference", "other differences");
  return g_string_free (out, FALSE);
}

static char *
finish_json (KetteDiff *d, const KetteGraph *a, const KetteGraph *b, gboolean equal,
             const char *summary)
{
  GString *out = g_string_new ("{\n  \"a\": ");

  _kette_json_string (out, a->model->file);
  g_string_append (out, ",\n  \"b\": ");
  _kette_json_string (out, b->model->file);
  g_string_append_printf (
      out, ",\n  \"equal\": %s,\n  \"summary\": ", equal ? "true" : "false");
  _kette_json_string (out, summary);
  for (int s = 0; s < KETTE_DIFF_SECTIONS; s++)
    g_string_append_printf (out, ",\n  \"%s\": {\"count\": %zu, \"list\": [%s%s%s]}",
                            titles[s], d->counts[s], d->counts[s] ? "\n" : "",
                            d->counts[s] ? d->lists[s]->str : "",
                            d->counts[s] ? "\n  " : "");
  g_string_append (out, "\n}\n");
  return g_string_free (out, FALSE);
}

char *
_kette_diff_finish (KetteDiff *d, const KetteGraph *a, const KetteGraph *b,
                    gboolean *equal)
{
  g_autofree char *summary = NULL;
  GString *out;
  size_t n = 0;

  list_parameters (d);
  for (int s = 0; s < KETTE_DIFF_SECTIONS; s++)
    n += d->counts[s];
  *equal  = n == 0;
  summary = sum_up (d, *equal);
  if (d->options.flags & KETTE_DIFF_JSON)
    return finish_json (d, a, b, *equal, summary);
  out = g_string_new (NULL);
  for (int s = 0; s < KETTE_DIFF_SECTIONS; s++)
    {
      if (!d->counts[s])
        continue;
      g_string_append_printf (out, "%s\n%s", titles[s], d->lists[s]->str);
      if (d->counts[s] > d->options.most)
        g_string_append_printf (out, "    ... and %zu more\n",
                                d->counts[s] - d->options.most);
    }
  g_string_append_printf (out, "%s\n", summary);
  return g_string_free (out, FALSE);
}
