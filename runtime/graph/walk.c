/* SPDX-License-Identifier: Apache-2.0
 * Orders over a graph: the topological sort and its cycles, the lists of uses.
 */
#include "graph/reads.h"
#include <string.h>

typedef struct
{
  KetteGraph *graph;
  const uint32_t (*before)[2];
  size_t n_before;
  uint32_t *missing; /* per node: edges into it whose source is not placed yet */
  uint32_t *start,
      *target;    /* edges of node i: target[start[i]] .. target[start[i + 1] - 1] */
  uint32_t *heap; /* nodes that can be placed, smallest index on top */
  size_t n_heap;
  KetteNode **order;
  size_t n_order;
} Sort;

/* The node of the same graph that has to run before a reader of VALUE; NULL: none. */
static const KetteNode *
source_of (const KetteGraph *graph, const KetteValue *value)
{
  const KetteNode *node = value->producer;

  return node && node->graph == graph && !(node->flags & KETTE_NODE_DEAD) ? node : NULL;
}

static gboolean
is_sorted (const Sort *s)
{
  for (size_t i = 0; i < s->graph->n_nodes; i++)
    {
      KetteReads reads = { .node = s->graph->nodes[i] };
      KetteValue *value;

      if (reads.node->flags & KETTE_NODE_DEAD)
        continue;
      while ((value = _kette_reads_next (&reads)))
        {
          const KetteNode *source = source_of (s->graph, value);
          if (source && source->index >= i)
            return FALSE;
        }
    }
  for (size_t i = 0; i < s->n_before; i++)
    if (s->before[i][0] >= s->before[i][1])
      return FALSE;
  return TRUE;
}

/* Pass 0 counts the edges of node i at start[i + 2]; pass 1 writes them from start[i + 1] on,
 * after which start[i] is where they begin. */
static void
add_edge (Sort *s, int pass, uint32_t from, uint32_t to)
{
  if (pass == 0)
    {
      s->start[from + 2]++;
      s->missing[to]++;
    }
  else
    s->target[s->start[from + 1]++] = to;
}

static size_t
add_edges (Sort *s, int pass)
{
  size_t n = 0;

  for (size_t i = 0; i < s->graph->n_nodes; i++)
    {
      KetteReads reads = { .node = s->graph->nodes[i] };
      KetteValue *value;

      if (reads.node->flags & KETTE_NODE_DEAD)
        continue;
      while ((value = _kette_reads_next (&reads)))
        {
          const KetteNode *source = source_of (s->graph, value);

          if (!source)
            continue;
          if (++n >= UINT32_MAX)
            return n;
          add_edge (s, pass, source->index, (uint32_t) i);
        }
    }
  for (size_t i = 0; i < s->n_before && n < UINT32_MAX; i++, n++)
    add_edge (s, pass, s->before[i][0], s->before[i][1]);
  return n;
}

static gboolean
collect_edges (Sort *s, GError **error)
{
  const size_t n = s->graph->n_nodes;
  size_t edges;

  s->missing = _kette_alloc (NULL, n, sizeof *s->missing, error);
  s->start   = s->missing ? _kette_alloc (NULL, n + 2, sizeof *s->start, error) : NULL;
  s->heap    = s->start ? _kette_alloc_raw (NULL, n, sizeof *s->heap, error) : NULL;
  s->order   = s->heap ? _kette_alloc_raw (NULL, n, sizeof (KetteNode *), error) : NULL;
  if (!s->order)
    return FALSE;
  edges = add_edges (s, 0);
  if (edges >= UINT32_MAX)
    return _kette_fail (error, KETTE_ERROR_LIMIT, "graph", "has over %u edges",
                        UINT32_MAX - 1);
  for (size_t i = 2; i < n + 2; i++)
    s->start[i] += s->start[i - 1];
  s->target = _kette_alloc_raw (NULL, edges, sizeof *s->target, error);
  if (!s->target)
    return FALSE;
  add_edges (s, 1);
  return TRUE;
}

static void
push (Sort *s, uint32_t node)
{
  size_t at = s->n_heap++;

  while (at > 0 && s->heap[(at - 1) / 2] > node)
    {
      s->heap[at] = s->heap[(at - 1) / 2];
      at          = (at - 1) / 2;
    }
  s->heap[at] = node;
}

static uint32_t
pop (Sort *s)
{
  const uint32_t top = s->heap[0], last = s->heap[--s->n_heap];
  size_t at = 0;

  for (;;)
    {
      size_t child = 2 * at + 1;

      if (child + 1 < s->n_heap && s->heap[child + 1] < s->heap[child])
        child++;
      if (child >= s->n_heap || s->heap[child] >= last)
        break;
      s->heap[at] = s->heap[child];
      at          = child;
    }
  if (s->n_heap > 0)
    s->heap[at] = last;
  return top;
}

static void
place_all (Sort *s)
{
  for (uint32_t i = 0; i < s->graph->n_nodes; i++)
    if (s->missing[i] == 0)
      push (s, i);
  while (s->n_heap > 0)
    {
      const uint32_t node = pop (s);

      s->order[s->n_order++] = s->graph->nodes[node];
      for (uint32_t k = s->start[node]; k < s->start[node + 1]; k++)
        if (--s->missing[s->target[k]] == 0)
          push (s, s->target[k]);
    }
}

/* A node that was not placed and comes before NODE, which was not placed either; there is
 * one. *VIA: the value between them; NULL: an extra edge. */
static uint32_t
one_before (const Sort *s, uint32_t node, const KetteValue **via)
{
  KetteReads reads = { .node = s->graph->nodes[node] };

  while ((*via = _kette_reads_next (&reads)))
    {
      const KetteNode *source = source_of (s->graph, *via);
      if (source && s->missing[source->index] > 0)
        return source->index;
    }
  for (size_t i = 0; i < s->n_before; i++)
    if (s->before[i][1] == node && s->missing[s->before[i][0]] > 0)
      return s->before[i][0];
  return node; /* cannot be */
}

/* At the end of a text of KETTE_WHERE_SIZE. */
static void
append_node (const Sort *s, uint32_t node, char *out)
{
  const KetteNode *n = s->graph->nodes[node];
  char number[16];

  g_snprintf (number, sizeof number, "#%u", node);
  g_strlcat (out, *n->name ? KETTE_QUOTE (n->name) : number, KETTE_WHERE_SIZE);
}

/* Way[first] .. way[n - 1] is a cycle, backward. Told forward from its smallest node on, at
 * most 10 names. */
static void
describe_cycle (const Sort *s, const uint32_t *way, size_t first, size_t n, char *out)
{
  enum
  {
    MOST_NAMES = 10
  };
  const KetteValue *via;
  size_t from = first;
  int names   = 1;

  for (size_t i = first; i < n; i++)
    if (way[i] < way[from])
      from = i;
  out[0] = '\0';
  append_node (s, way[from], out);
  for (size_t i = from, left = n - first; left > 0; left--)
    {
      i = i > first ? i - 1 : n - 1;
      one_before (s, way[i], &via);
      if (names + (via ? 1 : 0) + (left > 1 ? 2 : 1) > MOST_NAMES)
        {
          g_strlcat (out, " -> ...", KETTE_WHERE_SIZE);
          i    = from;
          left = 1;
        }
      else if (via)
        {
          g_strlcat (out, " -> ", KETTE_WHERE_SIZE);
          g_strlcat (out, KETTE_QUOTE (via->name), KETTE_WHERE_SIZE);
          names++;
        }
      g_strlcat (out, " -> ", KETTE_WHERE_SIZE);
      append_node (s, way[i], out);
      names++;
    }
}

/* Steps back from any node that could not be placed until one comes again. */
static gboolean
fail_cycle (Sort *s, GError **error)
{
  char where[KETTE_WHERE_SIZE], text[KETTE_WHERE_SIZE];
  uint32_t *way = s->heap, *step = s->start; /* nobody needs them any more */
  const KetteValue *via;
  uint32_t at = 0;
  size_t n    = 0;

  memset (step, 0, s->graph->n_nodes * sizeof *step);
  while (s->missing[at] == 0)
    at++;
  for (; step[at] == 0; at = one_before (s, at, &via))
    {
      way[n++] = at;
      step[at] = (uint32_t) n;
    }
  describe_cycle (s, way, step[at] - 1, n, text);
  _kette_graph_where (s->graph, where);
  return _kette_fail (error, KETTE_ERROR_GRAPH, *where ? where : NULL, "cycle: %s", text);
}

gboolean
_kette_graph_sort (KetteGraph *graph, const uint32_t (*before)[2], size_t n_before,
                   GError **error)
{
  Sort s = { .graph = graph, .before = before, .n_before = n_before };
  gboolean ok;

  for (size_t i = 0; i < n_before; i++)
    if (before[i][0] >= graph->n_nodes || before[i][1] >= graph->n_nodes)
      return _kette_fail (error, KETTE_ERROR_INTERNAL, "graph",
                          "an edge %u -> %u of %zu nodes", before[i][0], before[i][1],
                          graph->n_nodes);
  if (is_sorted (&s))
    return TRUE;
  ok = collect_edges (&s, error);
  if (ok)
    {
      place_all (&s);
      ok = s.n_order == graph->n_nodes || (error && fail_cycle (&s, error));
    }
  for (size_t i = 0; ok && i < graph->n_nodes; i++)
    {
      graph->nodes[i]        = s.order[i];
      graph->nodes[i]->index = (uint32_t) i;
    }
  _kette_free (s.missing);
  _kette_free (s.start);
  _kette_free (s.target);
  _kette_free (s.heap);
  _kette_free (s.order);
  return ok;
}

KetteUses *
_kette_uses_new (const KetteGraph *graph, GError **error)
{
  KetteUses *uses = _kette_alloc (NULL, 1, sizeof *uses, error);
  size_t n        = 0;

  if (!uses)
    return NULL;
  uses->start = _kette_alloc (NULL, graph->n_values + 2, sizeof *uses->start, error);
  for (int pass = 0; uses->start && pass < 2; pass++)
    {
      for (size_t i = 0; i < graph->n_nodes; i++)
        {
          KetteReads reads = { .node = graph->nodes[i] };
          KetteValue *value;

          if (reads.node->flags & KETTE_NODE_DEAD)
            continue;
          while (n < UINT32_MAX && (value = _kette_reads_next (&reads)))
            if (pass == 1)
              uses->nodes[uses->start[value->index + 1]++] = graph->nodes[i];
            else
              {
                uses->start[value->index + 2]++;
                n++;
              }
        }
      if (pass == 1)
        return uses;
      for (size_t i = 2; i < graph->n_values + 2; i++)
        uses->start[i] += uses->start[i - 1];
      if (n >= UINT32_MAX)
        {
          _kette_fail (error, KETTE_ERROR_LIMIT, "graph", "has over %u edges",
                       UINT32_MAX - 1);
          break;
        }
      uses->nodes = _kette_alloc_raw (NULL, n, sizeof *uses->nodes, error);
      if (!uses->nodes)
        break;
    }
  _kette_uses_free (uses);
  return NULL;
}

void
_kette_uses_free (KetteUses *uses)
{
  if (!uses)
    return;
  _kette_free (uses->start);
  _kette_free (uses->nodes);
  _kette_free (uses);
}
