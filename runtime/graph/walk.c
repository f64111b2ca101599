/* SPDX-License-Identifier: Apache-2.0
 * Walks over graphs: order, replacement, dead nodes, uses. All iterative.
 */
#include "graph/graph-private.h"
#include <string.h>

/* -- what a node reads: its inputs, and what its subgraphs capture from this graph --------- */

typedef void (*ReadFunc) (KetteNode *node, KetteValue **slot, gpointer user);

typedef struct
{
  KetteGraph **items;
  size_t n, capacity;
} Stack;

static gboolean
push_subgraphs (Stack *stack, const KetteNode *node, GError **error)
{
  for (int32_t k = 0; node->subgraphs && k < node->n_attrs; k++)
    if (node->subgraphs[k])
      {
        if (!_kette_grow (&stack->items, &stack->capacity, stack->n + 1, sizeof *stack->items,
                          error))
          return FALSE;
        stack->items[stack->n++] = node->subgraphs[k];
      }
  return TRUE;
}

static gboolean
visit_reads (KetteNode *node, ReadFunc func, gpointer user, GError **error)
{
  Stack stack = { 0 };
  gboolean ok;

  for (int32_t k = 0; k < node->n_in; k++)
    if (node->in[k])
      func (node, &node->in[k], user);
  if (!node->subgraphs)
    return TRUE;
  ok = push_subgraphs (&stack, node, error);
  while (ok && stack.n)
    {
      KetteGraph *sub = stack.items[--stack.n];
      for (size_t i = 0; i < sub->n_values; i++)
        if (sub->values[i]->outer && sub->values[i]->outer->graph == node->graph)
          func (node, &sub->values[i]->outer, user);
      for (size_t i = 0; ok && i < sub->n_nodes; i++)
        ok = push_subgraphs (&stack, sub->nodes[i], error);
    }
  _kette_free (stack.items);
  return ok;
}

/* -- uses --------------------------------------------------------------------------------- */

static void
count_use (KetteNode *node, KetteValue **slot, gpointer user)
{
  uint32_t *start = user;

  (void) node;
  start[(*slot)->index + 1]++;
}

typedef struct
{
  uint32_t *next;
  KetteNode **nodes;
} Fill;

static void
fill_use (KetteNode *node, KetteValue **slot, gpointer user)
{
  Fill *fill = user;

  fill->nodes[fill->next[(*slot)->index]++] = node;
}

KetteUses *
_kette_uses_new (const KetteGraph *graph, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  KetteUses *uses       = _kette_alloc (account, 1, sizeof *uses, error);
  Fill fill             = { 0 };
  gboolean ok
      = uses && (uses->start = _kette_alloc (account, graph->n_values + 2, sizeof *uses->start, error));

  for (size_t i = 0; ok && i < graph->n_nodes; i++)
    ok = (graph->nodes[i]->flags & KETTE_NODE_DEAD)
         || visit_reads (graph->nodes[i], count_use, uses->start, error);
  for (size_t i = 0; ok && i < graph->n_values; i++)
    uses->start[i + 1] += uses->start[i];
  ok = ok
       && (uses->nodes = _kette_alloc (account, (size_t) uses->start[graph->n_values] + 1,
                                       sizeof *uses->nodes, error))
       && (fill.next = _kette_alloc (account, graph->n_values + 1, sizeof *fill.next, error));
  if (ok)
    {
      memcpy (fill.next, uses->start, graph->n_values * sizeof *fill.next);
      fill.nodes = uses->nodes;
    }
  for (size_t i = 0; ok && i < graph->n_nodes; i++)
    ok = (graph->nodes[i]->flags & KETTE_NODE_DEAD)
         || visit_reads (graph->nodes[i], fill_use, &fill, error);
  _kette_free (fill.next);
  if (ok)
    return uses;
  _kette_uses_free (uses);
  return NULL;
}

void
_kette_uses_free (KetteUses *uses)
{
  if (uses)
    {
      _kette_free (uses->start);
      _kette_free (uses->nodes);
    }
  _kette_free (uses);
}

/* -- topological order -------------------------------------------------------------------- */

/* A heap of node indices, the smallest first. */
typedef struct
{
  uint32_t *items;
  size_t n;
} Heap;

static void
heap_push (Heap *heap, uint32_t item)
{
  size_t i = heap->n++;

  for (; i > 0 && heap->items[(i - 1) / 2] > item; i = (i - 1) / 2)
    heap->items[i] = heap->items[(i - 1) / 2];
  heap->items[i] = item;
}

static uint32_t
heap_pop (Heap *heap)
{
  const uint32_t top = heap->items[0], item = heap->items[--heap->n];
  size_t i = 0;

  for (size_t child; (child = 2 * i + 1) < heap->n; i = child)
    {
      if (child + 1 < heap->n && heap->items[child + 1] < heap->items[child])
        child++;
      if (heap->items[child] >= item)
        break;
      heap->items[i] = heap->items[child];
    }
  heap->items[i] = item;
  return top;
}

typedef struct
{
  uint32_t *waiting; /* by node: inputs whose producers are not done */
} Pending;

static void
count_pending (KetteNode *node, KetteValue **slot, gpointer user)
{
  Pending *pending = user;

  if ((*slot)->producer)
    pending->waiting[node->index]++;
}

/* The text of one cycle among the nodes that still wait. */
static gboolean
report_cycle (const KetteGraph *graph, const uint32_t *waiting, const KetteUses *uses, GError **error)
{
  enum { MOST = 10 };
  uint32_t *seen = _kette_alloc (_kette_account_process (), graph->n_nodes + 1, sizeof *seen, error);
  const KetteNode *node = NULL;
  GString *text;
  uint32_t step = 0;

  (void) uses;
  if (!seen)
    return FALSE;
  for (size_t i = 0; i < graph->n_nodes && !node; i++)
    node = waiting[i] ? graph->nodes[i] : NULL;
  /* Against the edges from any waiting node: sooner or later one is met again. */
  while (node && !seen[node->index])
    {
      const KetteNode *before = NULL;
      seen[node->index]       = ++step;
      for (int32_t k = 0; k < node->n_in && !before; k++)
        if (node->in[k] && node->in[k]->producer && waiting[node->in[k]->producer->index])
          before = node->in[k]->producer;
      if (!before)
        break;
      node = before;
    }

  text                       = g_string_new ("cycle: ");
  const KetteNode *const end = node;
  GPtrArray *parts           = g_ptr_array_new_with_free_func (g_free);
  for (const KetteNode *n = node; n && parts->len < MOST;)
    {
      const KetteNode *before = NULL;
      const KetteValue *edge  = NULL;
      char unnamed[32];
      for (int32_t k = 0; k < n->n_in && !before; k++)
        if (n->in[k] && n->in[k]->producer && waiting[n->in[k]->producer->index])
          {
            edge   = n->in[k];
            before = edge->producer;
          }
      g_snprintf (unnamed, sizeof unnamed, "#%u", n->index);
      g_ptr_array_add (parts, g_strdup (KETTE_QUOTE (*n->name ? n->name : unnamed)));
      if (edge && parts->len < MOST)
        g_ptr_array_add (parts, g_strdup (KETTE_QUOTE (edge->name)));
      n = before;
      if (n == end)
        {
          g_snprintf (unnamed, sizeof unnamed, "#%u", n->index);
          g_ptr_array_add (parts, g_strdup (KETTE_QUOTE (*n->name ? n->name : unnamed)));
          break;
        }
    }
  for (guint i = parts->len; i-- > 0;)
    g_string_append_printf (text, "%s%s", (const char *) g_ptr_array_index (parts, i), i ? " -> " : "");
  _kette_fail (error, KETTE_ERROR_GRAPH, NULL, "%s", text->str);
  g_ptr_array_unref (parts);
  g_string_free (text, TRUE);
  _kette_free (seen);
  return FALSE;
}

/* Extra edges by their first node, in compressed form. */
static gboolean
index_edges (const uint32_t (*before)[2], size_t n, size_t n_nodes, uint32_t **start,
             uint32_t **second, GError **error)
{
  KetteAccount *account = _kette_account_process ();

  *start  = _kette_alloc (account, n_nodes + 2, sizeof **start, error);
  *second = *start ? _kette_alloc (account, n + 1, sizeof **second, error) : NULL;
  if (!*second)
    return FALSE;
  for (size_t i = 0; i < n; i++)
    (*start)[before[i][0] + 2]++;
  for (size_t i = 2; i < n_nodes + 2; i++)
    (*start)[i] += (*start)[i - 1];
  for (size_t i = 0; i < n; i++)
    (*second)[(*start)[before[i][0] + 1]++] = before[i][1];
  return TRUE;
}

typedef struct
{
  uint32_t *waiting, *start, *second;
  Heap heap;
  KetteNode **sorted;
  KetteUses *uses;
} Sort;

static void
release (Sort *s, uint32_t node)
{
  if (--s->waiting[node] == 0)
    heap_push (&s->heap, node);
}

static size_t
drain (Sort *s, const KetteGraph *graph)
{
  size_t n = 0;

  while (s->heap.n)
    {
      KetteNode *node = graph->nodes[heap_pop (&s->heap)];
      s->sorted[n++]  = node;
      for (int32_t k = 0; k < node->n_out; k++)
        if (node->out[k] && node->out[k]->producer == node)
          {
            const uint32_t v = node->out[k]->index;
            for (uint32_t u = s->uses->start[v]; u < s->uses->start[v + 1]; u++)
              release (s, s->uses->nodes[u]->index);
          }
      for (uint32_t e = s->start[node->index]; e < s->start[node->index + 1]; e++)
        release (s, s->second[e]);
    }
  return n;
}

/* Drops dead nodes and numbers the others. */
static void
compact (KetteGraph *graph)
{
  size_t n = 0;

  for (size_t i = 0; i < graph->n_nodes; i++)
    if (!(graph->nodes[i]->flags & KETTE_NODE_DEAD))
      graph->nodes[n++] = graph->nodes[i];
    else
      for (int32_t k = 0; k < graph->nodes[i]->n_attrs; k++)
        if (graph->nodes[i]->subgraphs)
          {
            kette_graph_unref (graph->nodes[i]->subgraphs[k]);
            graph->nodes[i]->subgraphs[k] = NULL;
          }
  graph->n_nodes = n;
  for (size_t i = 0; i < n; i++)
    graph->nodes[i]->index = (uint32_t) i;
}

gboolean
_kette_graph_sort (KetteGraph *graph, const uint32_t (*before)[2], size_t n_before, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  gboolean dead         = FALSE;
  Sort s                = { 0 };
  Pending pending;
  gboolean ok;

  for (size_t i = 0; i < graph->n_nodes; i++)
    dead = dead || (graph->nodes[i]->flags & KETTE_NODE_DEAD);
  if (dead && !n_before)
    compact (graph);
  ok = (s.uses = _kette_uses_new (graph, error))
       && (s.waiting = _kette_alloc (account, graph->n_nodes + 1, sizeof *s.waiting, error))
       && (s.heap.items = _kette_alloc (account, graph->n_nodes + 1, sizeof *s.heap.items, error))
       && (s.sorted = _kette_alloc (account, graph->n_nodes + 1, sizeof (KetteNode *), error))
       && index_edges (before, n_before, graph->n_nodes, &s.start, &s.second, error);
  pending.waiting = s.waiting;
  for (size_t i = 0; ok && i < graph->n_nodes; i++)
    ok = visit_reads (graph->nodes[i], count_pending, &pending, error);
  for (size_t i = 0; ok && i < n_before; i++)
    s.waiting[before[i][1]]++;
  for (size_t i = 0; ok && i < graph->n_nodes; i++)
    if (s.waiting[i] == 0)
      heap_push (&s.heap, (uint32_t) i);
  if (ok)
    {
      const size_t n = drain (&s, graph);
      ok             = n == graph->n_nodes || report_cycle (graph, s.waiting, s.uses, error);
      if (ok && n)
        memcpy (graph->nodes, s.sorted, n * sizeof *s.sorted);
      for (size_t i = 0; ok && i < n; i++)
        graph->nodes[i]->index = (uint32_t) i;
    }
  _kette_uses_free (s.uses);
  _kette_free (s.waiting);
  _kette_free (s.heap.items);
  _kette_free (s.sorted);
  _kette_free (s.start);
  _kette_free (s.second);
  return ok;
}

/* -- edits over the whole graph ----------------------------------------------------------- */

static KetteValue *
followed (KetteValue *value)
{
  while (value && value->replacement)
    value = value->replacement;
  return value;
}

static void
replace_read (KetteNode *node, KetteValue **slot, gpointer user)
{
  (void) user;
  if ((*slot)->replacement)
    {
      *slot       = followed (*slot);
      node->proto = NULL;
    }
}

void
_kette_graph_apply_replacements (KetteGraph *graph)
{
  for (size_t i = 0; i < graph->n_nodes; i++)
    if (!(graph->nodes[i]->flags & KETTE_NODE_DEAD))
      visit_reads (graph->nodes[i], replace_read, NULL, NULL);
  for (size_t i = 0; i < graph->n_outputs; i++)
    if (graph->outputs[i]->replacement)
      {
        KetteValue *old = graph->outputs[i], *new = followed (old);
        old->flags &= ~(uint32_t) KETTE_VALUE_OUTPUT;
        new->flags |= KETTE_VALUE_OUTPUT;
        graph->outputs[i] = new;
      }
}

typedef struct
{
  uint8_t *needed; /* by node */
  KetteNode **stack;
  size_t n;
} Mark;

static void
mark_producer (KetteNode *node, KetteValue **slot, gpointer user)
{
  Mark *mark        = user;
  KetteNode *before = (*slot)->producer;

  (void) node;
  if (before && before->graph == (*slot)->graph && !(before->flags & KETTE_NODE_DEAD)
      && !mark->needed[before->index])
    {
      mark->needed[before->index] = 1;
      mark->stack[mark->n++]      = before;
    }
}

gboolean
_kette_graph_sweep (KetteGraph *graph, KetteValue *const *keep, size_t n_keep, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  Mark mark             = { 0 };
  gboolean ok;

  compact (graph);
  ok = (mark.needed = _kette_alloc (account, graph->n_nodes + 1, 1, error))
       && (mark.stack = _kette_alloc (account, graph->n_nodes + 1, sizeof *mark.stack, error));
  for (size_t i = 0; ok && i < graph->n_outputs; i++)
    mark_producer (NULL, &graph->outputs[i], &mark);
  for (size_t i = 0; ok && i < n_keep; i++)
    {
      KetteValue *value = keep[i];
      mark_producer (NULL, &value, &mark);
    }
  while (ok && mark.n)
    ok = visit_reads (mark.stack[--mark.n], mark_producer, &mark, error);
  if (ok)
    {
      for (size_t i = 0; i < graph->n_nodes; i++)
        if (!mark.needed[i])
          graph->nodes[i]->flags |= KETTE_NODE_DEAD;
      compact (graph);
    }
  _kette_free (mark.needed);
  _kette_free (mark.stack);
  return ok;
}
