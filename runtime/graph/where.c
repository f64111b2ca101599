/* SPDX-License-Identifier: Apache-2.0
 * Where in a model a node or a graph is, as the WHERE of an error.
 */
#include "graph/graph-private.h"
#include <string.h>

/* Appends to a text of KETTE_WHERE_SIZE; what does not fit is cut between characters. */
static void G_GNUC_PRINTF (2, 3) append (char *out, const char *format, ...)
{
  const size_t n = strlen (out);
  const char *end;
  va_list args;

  va_start (args, format);
  g_vsnprintf (out + n, (gulong) (KETTE_WHERE_SIZE - n), format, args);
  va_end (args);
  if (!g_utf8_validate (out, -1, &end))
    out[end - out] = '\0';
}

/* May stand in an error without quotes. */
static gboolean
is_word (const char *s)
{
  size_t n = 0;

  while (g_ascii_isalnum (s[n]) || (s[n] && strchr ("_.-", s[n])))
    n++;
  return n > 0 && n <= 64 && !s[n];
}

static void
append_word (char *out, const char *format, const char *s)
{
  char text[KETTE_QUOTE_SIZE + 8];
  const char *at = strchr (format, '@');

  g_snprintf (text, sizeof text, "%.*s%s%s", (int) (at - format), format,
              is_word (s) ? s : KETTE_QUOTE (s), at + 1);
  append (out, "%s", text);
}

static void
append_node (const KetteNode *node, char *out)
{
  if (*node->name)
    append (out, "node %s", KETTE_QUOTE (node->name));
  else
    append (out, "node #%u", node->index);
  append_word (out, " (@)", node->op);
}

KetteNode *
_kette_graph_owner (const KetteGraph *graph, int32_t *attr)
{
  const KetteGraph *parent = graph->parent;
  KetteNode *guess         = g_atomic_pointer_get (&((KetteGraph *) graph)->owner);

  /* The last answer first; it holds unless the node was dropped or got another subgraph. */
  for (size_t i = 0; parent && i < parent->n_nodes + 1; i++)
    {
      KetteNode *node = i == 0 ? guess : parent->nodes[i - 1];

      for (int32_t k = 0; node && node->subgraphs && k < node->n_attrs; k++)
        if (node->subgraphs[k] == graph)
          {
            if (node != guess)
              g_atomic_pointer_set (&((KetteGraph *) graph)->owner, node);
            if (attr)
              *attr = k;
            return node;
          }
    }
  return NULL;
}

/* Graphs that belong to the model, by what they are there. */
static void
append_role (const KetteGraph *graph, char *out)
{
  const KetteModel *model = graph->model;

  if (graph->role)
    {
      append (out, "%s", graph->role);
      return;
    }
  for (size_t i = 0; i < model->n_functions; i++)
    if (model->functions[i]->body == graph)
      {
        char text[512];

        g_snprintf (text, sizeof text, "%.200s:%.200s", model->functions[i]->domain,
                    model->functions[i]->name);
        append (out, "function %s", KETTE_QUOTE (text));
      }
  for (size_t i = 0; i < model->n_training; i++)
    if (model->training[i]->initialization == graph
        || model->training[i]->algorithm == graph)
      append (out, "training_info[%zu], %s", i,
              model->training[i]->algorithm == graph ? "algorithm" : "initialization");
}

const char *
_kette_graph_where (const KetteGraph *graph, char out[KETTE_WHERE_SIZE])
{
  enum
  {
    DEEPEST = 128
  };
  const KetteNode *owners[DEEPEST];
  int32_t attrs[DEEPEST];
  size_t n = 0;

  out[0] = '\0';
  while (n < DEEPEST && (owners[n] = _kette_graph_owner (graph, &attrs[n])))
    graph = owners[n++]->graph;
  append_role (graph, out);
  for (size_t all = n; n-- > 0;)
    {
      if (_kette_where_skips (all, n))
        {
          if (!_kette_where_skips (all, n + 1))
            append (out, ", ...");
          continue;
        }
      if (*out)
        append (out, ", ");
      append_node (owners[n], out);
      append_word (out, ", @", owners[n]->attrs[attrs[n]].name);
    }
  return out;
}

const char *
_kette_node_where (const KetteNode *node, char out[KETTE_WHERE_SIZE])
{
  _kette_graph_where (node->graph, out);
  if (*out)
    append (out, ", ");
  append_node (node, out);
  return out;
}
