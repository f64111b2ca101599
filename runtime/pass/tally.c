/* SPDX-License-Identifier: Apache-2.0
 * Which operators a model uses, how often, and which of them nobody here provides.
 */
#include "op/context.h"
#include "pass/pass.h"
#include <stdlib.h>
#include <string.h>

typedef struct
{
  KetteTally *rows;
  size_t n, capacity;
  KetteNames *places; /* of domain and operator: place in rows, plus one */
  KetteRegion *region;
} Tally;

static int
compare_rows (const void *a, const void *b)
{
  const KetteTally *x = a, *y = b;

  if (x->n != y->n)
    return x->n < y->n ? 1 : -1;
  return strcmp (x->op, y->op) ? strcmp (x->op, y->op) : strcmp (x->domain, y->domain);
}

/* The row of NODE's operator, made if new. */
static KetteTally *
row_of (Tally *t, const KetteNode *node, GError **error)
{
  const size_t n_domain = strlen (node->domain), size = n_domain + strlen (node->op) + 24;
  char small[256], *key = size <= sizeof small ? small : NULL;
  KetteNode probe = *node;
  size_t place;

  if (!key)
    key = _kette_region_alloc (t->region, size, 1, error);
  if (!key)
    return NULL;
  g_snprintf (key, size, "%zu %s%s", n_domain, node->domain, node->op);
  place = GPOINTER_TO_SIZE (_kette_names_get (t->places, key));
  if (place)
    return &t->rows[place - 1];
  if (key == small)
    key = _kette_region_strdup (t->region, small, error);
  if (!key
      || (t->n == t->capacity
          && !_kette_grow (&t->rows, &t->capacity, t->n + 1, sizeof *t->rows, error))
      || !_kette_names_set (t->places, key, GSIZE_TO_POINTER (t->n + 1), error))
    return NULL;
  _kette_node_look_up (&probe, TRUE, NULL);
  t->rows[t->n] = (KetteTally){ .domain  = node->domain,
                                .op      = node->op,
                                .missing = (probe.flags & KETTE_NODE_OPAQUE) != 0 };
  return &t->rows[t->n++];
}

const char *
_kette_tally_name (const KetteTally *row, KetteQuoted *out)
{
  char text[KETTE_QUOTE_SIZE];
  size_t n;

  g_snprintf (text, sizeof text, "%.160s%s%.160s", row->domain, *row->domain ? ":" : "",
              row->op);
  for (n = 0; g_ascii_isalnum (text[n]) || (text[n] && strchr ("_.:-", text[n])); n++)
    ;
  if (text[n] || n == 0)
    return _kette_quote (out, text);
  memcpy (out->text, text, n + 1);
  return out->text;
}

gboolean
_kette_pass_tally (KetteGraph *graph, KetteTally **rows, size_t *n, GError **error)
{
  KetteReach reach = { 0 };
  Tally t          = { 0 };
  gboolean ok
      = kette_plugins_get (error) && _kette_reach_init (&reach, graph, FALSE, error);

  t.region = ok ? _kette_region_new (error) : NULL;
  t.places = t.region ? _kette_names_new (error) : NULL;
  ok       = t.places && _kette_grow (&t.rows, &t.capacity, 1, sizeof *t.rows, error);
  for (size_t g = 0; ok && g < reach.n; g++)
    for (size_t i = 0; ok && i < reach.graphs[g]->n_nodes; i++)
      {
        KetteTally *row = row_of (&t, reach.graphs[g]->nodes[i], error);

        ok = row != NULL;
        if (row)
          {
            row->n++;
            row->n_own += g < reach.n_own;
          }
      }
  if (ok)
    qsort (t.rows, t.n, sizeof *t.rows, compare_rows);
  else
    g_clear_pointer (&t.rows, _kette_free);
  *rows = t.rows;
  *n    = ok ? t.n : 0;
  _kette_names_free (t.places);
  _kette_region_free (t.region);
  _kette_reach_clear (&reach);
  return ok;
}
