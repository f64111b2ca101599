/* SPDX-License-Identifier: Apache-2.0
 * Neighbours: the order of execution is changed so that steps which may become a chain stand
 * one behind the other. An elementwise node comes directly behind what it reads, if nothing
 * else is missing, and so does every node that makes a state's new content, which frees what
 * it reads; a product whose only reader overwrites a state (a weight's gradient and its update)
 * waits until that reader could follow at once.
 */
#include "exec/plan.h"
#include <string.h>

#define LOOK_BACK 4 /* nodes of the chain so far whose readers may come next */
#define MOST_WAITING 16

typedef struct
{
  KetteGraph *graph;
  KetteUses *uses;
  const uint32_t (*before)[2]; /* extra edges, sorted by their first node */
  uint32_t *start;             /* by node: its first extra edge */
  size_t n_before;
  uint32_t *missing; /* by node: what must come before and did not yet */
  uint8_t *placed;
  KetteNode **order;
  size_t n_order, n_forward;
} Schedule;

static gboolean
has_flag (const KetteNode *node, uint32_t flag)
{
  const KetteFamily *family = node->def ? node->def->family : NULL;
  const char *device        = _kette_device_cpu ()->name;

  for (size_t i = 0; family && i < family->n_kernels; i++)
    if (family->kernels[i]->kernel.flags & flag
        && _kette_kernel_serves (family->kernels[i], node, device))
      return TRUE;
  return FALSE;
}

static gboolean
same_dims (const kt_type *a, const kt_type *b)
{
  return a->kind == KT_TENSOR && b->kind == KT_TENSOR && a->ndim == b->ndim
         && a->ndim >= 0
         && (a->ndim == 0
             || memcmp (a->dims, b->dims, (size_t) a->ndim * sizeof *a->dims) == 0);
}

/* Could NODE come behind the maker of VALUE in a chain? */
static gboolean
continues (const KetteNode *node, const KetteValue *value)
{
  return node->n_out == 1 && node->out[0] && value
         && same_dims (&node->out[0]->type, &value->type)
         && has_flag (node, KT_K_TILEABLE);
}

static void
place (Schedule *s, KetteNode *node)
{
  const uint32_t i = node->index;

  s->placed[i]           = 1;
  s->order[s->n_order++] = node;
  for (int32_t k = 0; k < node->n_out; k++)
    if (node->out[k])
      for (uint32_t u = s->uses->start[node->out[k]->index];
           u < s->uses->start[node->out[k]->index + 1]; u++)
        s->missing[s->uses->nodes[u]->index]--;
  for (uint32_t e = s->start[i]; e < s->start[i + 1]; e++)
    s->missing[s->before[e][1]]--;
}

/* Does NODE make the new content of a state? */
static gboolean
is_update (const Schedule *s, const KetteNode *node)
{
  gboolean update = FALSE;

  for (int32_t k = 0; node->index >= s->n_forward && k < node->n_out; k++)
    update = update || (node->out[k] && node->out[k]->flags & KETTE_VALUE_OUTPUT);
  return update;
}

/* The only reader of the product NODE, if it rewrites a state and cannot come yet. */
static gboolean
must_wait (const Schedule *s, const KetteNode *node)
{
  const KetteValue *out = node->n_out == 1 ? node->out[0] : NULL;

  if (!out || s->n_before == 0
      || s->uses->start[out->index + 1] - s->uses->start[out->index] != 1)
    return FALSE;
  const KetteNode *reader = s->uses->nodes[s->uses->start[out->index]];
  return s->missing[reader->index] > 1 && continues (reader, out) && is_update (s, reader)
         && has_flag (node, KT_K_EPILOGUE);
}

/* The node to place next if nothing follows from the last one: the first that may come. */
static KetteNode *
next_of (const Schedule *s, size_t *first, size_t end)
{
  KetteNode *waiting = NULL;
  int n_waiting      = 0;

  while (s->placed[*first])
    ++*first;
  for (size_t i = *first; i < end && n_waiting < MOST_WAITING; i++)
    {
      KetteNode *node = s->graph->nodes[i];
      if (s->placed[i])
        continue;
      if (s->missing[i] == 0 && !must_wait (s, node))
        return node;
      waiting = waiting ? waiting : node;
      n_waiting++;
    }
  return waiting; /* the first of all: its operands are there */
}

/* An update that can be placed now and reads what NODE made. */
static KetteNode *
update_of (const Schedule *s, const KetteNode *node, size_t end)
{
  for (int32_t k = 0; k < node->n_out; k++)
    for (uint32_t u = node->out[k] ? s->uses->start[node->out[k]->index] : 0;
         node->out[k] && u < s->uses->start[node->out[k]->index + 1]; u++)
      {
        KetteNode *reader = s->uses->nodes[u];
        if (reader->index < end && !s->placed[reader->index]
            && s->missing[reader->index] == 0 && is_update (s, reader))
          return reader;
      }
  return NULL;
}

/* A node that can be placed now and reads what one of the last N nodes made. */
static KetteNode *
follower_of (const Schedule *s, size_t n, size_t end)
{
  for (size_t back = 1; back <= MIN (n, LOOK_BACK); back++)
    {
      const KetteNode *last = s->order[s->n_order - back];
      const KetteValue *out = last->n_out > 0 ? last->out[0] : NULL;
      KetteNode *best       = NULL;
      if (!out)
        continue;
      for (uint32_t u = s->uses->start[out->index]; u < s->uses->start[out->index + 1];
           u++)
        {
          KetteNode *node = s->uses->nodes[u];
          if (node->index < end && !s->placed[node->index] && s->missing[node->index] == 0
              && (!best || node->index < best->index) && continues (node, out))
            best = node;
        }
      if (best)
        return best;
    }
  return NULL;
}

static gboolean
begins (const KetteNode *node)
{
  return has_flag (node, KT_K_EPILOGUE | KT_K_TILEABLE);
}

static void
place_phase (Schedule *s, size_t first, size_t end)
{
  while (s->n_order < end)
    {
      KetteNode *node = next_of (s, &first, end), *update;
      size_t n        = 1;

      place (s, node);
      while ((update = update_of (s, node, end)))
        place (s, update);
      if (begins (node) && s->order[s->n_order - 1] == node)
        while ((node = follower_of (s, n, end)))
          {
            place (s, node);
            n++;
          }
    }
}

static gboolean
allocate (Schedule *s, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  const size_t n        = s->graph->n_nodes;

  return (s->uses = _kette_uses_new (s->graph, error))
         && (s->start = _kette_alloc (account, n + 2, sizeof *s->start, error))
         && (s->missing = _kette_alloc (account, n + 1, sizeof *s->missing, error))
         && (s->placed = _kette_alloc (account, n + 1, 1, error))
         && (s->order = _kette_alloc (account, n + 1, sizeof *s->order, error));
}

gboolean
_kette_plan_schedule (KetteGraph *graph, const uint32_t (*before)[2], size_t n_before,
                      size_t n_forward, GError **error)
{
  Schedule s = {
    .graph = graph, .before = before, .n_before = n_before, .n_forward = n_forward
  };
  const gboolean ok = allocate (&s, error);

  if (ok)
    {
      for (size_t i = 0; i < graph->n_values; i++)
        for (uint32_t u = s.uses->start[i]; u < s.uses->start[i + 1]; u++)
          if (graph->values[i]->producer)
            s.missing[s.uses->nodes[u]->index]++;
      for (size_t e = 0; e < n_before; e++)
        {
          s.missing[before[e][1]]++;
          s.start[before[e][0] + 1]++;
        }
      for (size_t i = 0; i < graph->n_nodes; i++)
        s.start[i + 1] += s.start[i];
      place_phase (&s, 0, n_forward);
      place_phase (&s, n_forward, graph->n_nodes);
      for (size_t i = 0; i < graph->n_nodes; i++)
        {
          graph->nodes[i]        = s.order[i];
          graph->nodes[i]->index = (uint32_t) i;
        }
    }
  _kette_uses_free (s.uses);
  _kette_free (s.start);
  _kette_free (s.missing);
  _kette_free (s.placed);
  _kette_free (s.order);
  return ok;
}
