/* SPDX-License-Identifier: Apache-2.0
 * Chains: consecutive nodes whose kernels work element by element on one shape, behind a
 * product or on their own. Their loops are interleaved, so that a tile stays in cache.
 *
 * What makes that right: what a chain reads is either made by the chain itself, in the shape
 * of all its results and so at the same elements, or was complete before; and nothing is
 * written over memory that the chain reads at other elements (_kette_chain_allows).
 */
#include "exec/plan.h"
#include <string.h>

#define TILE_BYTES (24 * 1024) /* what a tile touches; leaves room in an L1 cache */
#define LEAST_TILE 256
#define MOST_TILE 4096
#define PIECE 65536 /* elements times steps that are worth a thread: about 20 us */
#define LOOK_BACK 4

/* Does element i of both stand at the same place? */
static gboolean
same_places (const KettePlan *plan, const KetteValue *a, const KetteValue *b)
{
  return a->type.ndim == b->type.ndim
         && (a->type.ndim == 0
             || memcmp (a->type.dims, b->type.dims,
                        (size_t) a->type.ndim * sizeof *a->type.dims)
                    == 0)
         && (!plan->layouts || plan->layouts[a->index] == plan->layouts[b->index]);
}

static int64_t
count_of (const KetteValue *value)
{
  int64_t n = 1;

  for (int32_t d = 0; d < value->type.ndim; d++)
    n *= value->type.dims[d];
  return n;
}

static gboolean
is_product (const KetteStep *step)
{
  return step->kernel->kernel.flags & KT_K_EPILOGUE && step->node->n_out > 0
         && step->node->out[0];
}

/* Kernels of its device launch themselves: nothing is interleaved. */
static gboolean
launches (const KettePlan *plan, const KetteNode *node)
{
  const KetteUnit *unit = _kette_plan_unit (plan, node->unit);

  return unit && !unit->device->execute;
}

/* Its one output can be computed tile by tile, on any thread; or, where kernels launch themselves,
 * by the product in front. */
static gboolean
is_tileable (const KettePlan *plan, const KetteStep *step)
{
  const kt_kernel *kernel = &step->kernel->kernel;

  for (int32_t a = 0; a < kernel->n_alias; a++)
    if (kernel->alias[a].must)
      return FALSE;
  return kernel->flags & KT_K_TILEABLE && (kernel->tile || launches (plan, step->node))
         && !(kernel->flags & KT_K_EPILOGUE) && step->workspace == 0
         && step->node->n_out == 1 && step->node->out[0]
         && count_of (step->node->out[0]) > 0;
}

/* Does NODE read what OTHER reads, element by element of OUT? */
static gboolean
shares_input (const KettePlan *plan, const KetteNode *node, const KetteNode *other,
              const KetteValue *out)
{
  for (int32_t i = 0; i < node->n_in; i++)
    for (int32_t k = 0; node->in[i] && k < other->n_in; k++)
      if (node->in[i] == other->in[k] && same_places (plan, node->in[i], out))
        return TRUE;
  return FALSE;
}

/* May the node at J belong to the chain FIRST .. J - 1, as far as its operands go? */
static gboolean
fits (const KettePlan *plan, uint32_t first, gboolean product, uint32_t j)
{
  KetteNode *const *nodes = plan->graph->nodes;
  const KetteNode *node   = nodes[j];
  const KetteValue *out   = nodes[first]->out[0];
  gboolean near           = FALSE;

  if (node->n_out != 1 || !node->out[0] || node->unit != nodes[first]->unit
      || !same_places (plan, node->out[0], out))
    return FALSE;
  for (int32_t k = 0; k < node->n_in; k++)
    {
      const KetteValue *in   = node->in[k];
      const KetteNode *maker = in ? in->producer : NULL;
      if (!maker || maker->index < first)
        continue;
      if (in->slot != 0 || !same_places (plan, in, out))
        return FALSE;
      near = TRUE;
    }
  for (uint32_t i = 1; !near && i <= MIN (j - first - (product ? 1 : 0), LOOK_BACK); i++)
    near = shares_input (plan, node, nodes[j - i], out);
  return near;
}

static gboolean
may_be_product (const KettePlan *plan, const KetteNode *node)
{
  const KetteFamily *family = node->def->family;
  const KetteUnit *unit     = _kette_plan_unit (plan, node->unit);

  for (size_t i = 0; i < family->n_kernels; i++)
    if (family->kernels[i]->kernel.flags & KT_K_EPILOGUE
        && (_kette_kernel_serves (family->kernels[i], node, _kette_unit_kernels (unit, 0))
            || (_kette_unit_kernels (unit, 1)
                && _kette_kernel_serves (family->kernels[i], node,
                                         _kette_unit_kernels (unit, 1)))))
      return TRUE;
  return FALSE;
}

/* Prepares what may follow the product at I; returns how many nodes it could absorb: each is
 * the only reader of the one before. */
static gboolean
prepare_followers (KettePlan *plan, uint32_t i, uint32_t end, int32_t *n, GError **error)
{
  KetteNode *const *nodes = plan->graph->nodes;
  gboolean linear         = TRUE;

  *n = 0;
  if (!nodes[i]->out[0] || count_of (nodes[i]->out[0]) == 0)
    return TRUE;
  for (uint32_t j = i + 1; linear && j < end && plan->planned[j]; j++)
    {
      const KetteValue *before = nodes[j - 1]->out[0];
      gboolean reads           = FALSE;

      if (!fits (plan, i, TRUE, j) || may_be_product (plan, nodes[j]))
        break;
      if (!plan->steps[j].kernel)
        {
          plan->steps[j].node = nodes[j];
          if (!_kette_step_prepare (plan, &plan->steps[j], NULL, 0, error))
            return FALSE;
        }
      if (!plan->steps[j].kernel)
        break;
      for (int32_t k = 0; k < nodes[j]->n_in; k++)
        reads = reads || nodes[j]->in[k] == before;
      linear = is_tileable (plan, &plan->steps[j]) && reads
               && plan->readers[before->index] == 1;
      *n += linear ? 1 : 0;
    }
  return TRUE;
}

static void
count_readers (KettePlan *plan)
{
  const KetteGraph *g = plan->graph;

  for (size_t i = 0; i < g->n_nodes; i++)
    for (int32_t k = 0; k < g->nodes[i]->n_in; k++)
      if (g->nodes[i]->in[k])
        plan->readers[g->nodes[i]->in[k]->index]++;
  for (size_t i = 0; i < g->n_outputs; i++)
    plan->readers[g->outputs[i]->index]++;
  for (size_t u = 0; u < plan->n_updates; u++)
    plan->readers[plan->updates[u].value->index]++;
}

/* Chains end where the outputs are there: a caller may stop and look at them. */
static uint32_t
end_of_phase (const KettePlan *plan, size_t n_forward_nodes, uint32_t i)
{
  return (uint32_t) (i < n_forward_nodes ? n_forward_nodes : plan->graph->n_nodes);
}

static void
find_chains (KettePlan *plan, size_t n_forward_nodes)
{
  const uint32_t n = (uint32_t) plan->graph->n_nodes;

  for (uint32_t i = 0, last; i < n; i = last + 1)
    {
      const uint32_t end = end_of_phase (plan, n_forward_nodes, i);
      KetteStep *step    = &plan->steps[i];

      last = i;
      if (plan->planned[i] && launches (plan, step->node))
        last = i + step->n_absorbed; /* nothing is interleaved */
      else if (plan->planned[i] && !(plan->flags & KETTE_PLAN_UNFUSED)
               && !_kette_is_copy (step->node)
               && (is_product (step) || is_tileable (plan, step)))
        while (last + 1 < end && plan->planned[last + 1]
               && is_tileable (plan, &plan->steps[last + 1])
               && fits (plan, i, is_product (step), last + 1))
          last++;
      for (uint32_t j = i; j <= last; j++)
        plan->chains[j] = (KetteChain){ i, last, plan->planned[i] && is_product (step) };
      if (last > i)
        {
          plan->n_chains++;
          plan->n_fused += last - i + 1;
        }
    }
}

gboolean
_kette_plan_prepare (KettePlan *plan, size_t n_forward_nodes, GError **error)
{
  const KetteGraph *g = plan->graph;
  GCancellable *stop  = _kette_stop_of (NULL); /* kernels may pack weights */

  count_readers (plan);
  for (uint32_t i = 0; i < g->n_nodes; i++)
    {
      const uint32_t end = end_of_phase (plan, n_forward_nodes, i);
      int32_t n          = 0;

      if (!plan->planned[i] || plan->steps[i].kernel
          || (g->nodes[i]->unit && g->nodes[i]->why == KETTE_WHY_REFUSED))
        continue;
      plan->steps[i].node = g->nodes[i];
      if (!_kette_check_stop (stop, NULL, error)
          || (!(plan->flags & KETTE_PLAN_UNFUSED) && may_be_product (plan, g->nodes[i])
              && !prepare_followers (plan, i, end, &n, error))
          || !_kette_step_prepare (plan, &plan->steps[i], &g->nodes[i + 1], n, error))
        return FALSE;
      plan->n_absorbed += plan->steps[i].n_absorbed;
    }
  if (plan->n_refused == 0)
    find_chains (plan, n_forward_nodes);
  return TRUE;
}

void
_kette_chain_reads (const KettePlan *plan, const KetteNode *node)
{
  const KetteChain *chain = &plan->chains[node->index];
  const gboolean product  = chain->product && chain->first == node->index;

  for (int32_t k = 0; chain->first < chain->last && k < node->n_in; k++)
    {
      KetteStorage *s = _kette_plan_storage (plan, node->in[k]);
      if (s && (product || !same_places (plan, node->in[k], node->out[0])))
        s->apart = node->index + 1;
    }
}

gboolean
_kette_chain_allows (const KettePlan *plan, const KetteNode *node,
                     const KetteStorage *storage)
{
  return storage->apart <= plan->chains[node->index].first;
}

/* -- behind the placing -------------------------------------------------------------------- */

/* Bytes that the steps touch per element of the chain, each storage once or nearly so. */
static int64_t
bytes_per_element (const KettePlan *plan, const KetteStep *steps, uint32_t n)
{
  const KetteValue *out        = steps[0].node->out[0];
  const KetteStorage *previous = NULL;
  int64_t bytes                = 0;

  for (uint32_t i = 0; i < n; i++)
    {
      const KetteNode *node   = steps[i].node;
      const KetteStorage *own = _kette_plan_storage (plan, node->out[0]);
      for (int32_t k = 0; k < node->n_in; k++)
        if (node->in[k] && same_places (plan, node->in[k], out)
            && (!node->in[k]->producer
                || node->in[k]->producer->index < steps[0].node->index))
          bytes += _kette_dtype (node->in[k]->type.dtype)->bits / 8;
      if (own != previous)
        bytes += _kette_dtype (node->out[0]->type.dtype)->bits / 8;
      previous = own;
    }
  return MAX (bytes, 1);
}

static void
set_tiles (const KettePlan *plan, KetteStep *steps, uint32_t n)
{
  const int64_t fit
      = TILE_BYTES / bytes_per_element (plan, steps, n) / 64 * 64; /* whole lines */

  steps->span  = n;
  steps->count = count_of (steps->node->out[0]);
  steps->tile  = CLAMP (fit, LEAST_TILE, MOST_TILE);
  steps->grain = MAX (PIECE / n / steps->tile, 1) * steps->tile;
}

static void
keep_alive (const KettePlan *plan, const KetteChain *chain, const KetteValue *value)
{
  KetteStorage *s = _kette_plan_storage (plan, value);

  if (s)
    {
      s->first = MIN (s->first, chain->first);
      s->last  = MAX (s->last, chain->last);
    }
}

void
_kette_plan_join (KettePlan *plan)
{
  const KetteGraph *g = plan->graph;

  for (size_t i = 0; i < g->n_nodes; i++)
    for (int32_t k = 0; k < g->nodes[i]->n_in + g->nodes[i]->n_out; k++)
      if (plan->chains[i].first < plan->chains[i].last)
        keep_alive (plan, &plan->chains[i],
                    k < g->nodes[i]->n_in ? g->nodes[i]->in[k]
                                          : g->nodes[i]->out[k - g->nodes[i]->n_in]);
  for (size_t i = 0, n; i < plan->n_steps; i += n)
    {
      const KetteNode *node = plan->steps[i].node;
      for (n = 1; node && i + n < plan->n_steps; n++)
        {
          const KetteNode *next = plan->steps[i + n].node;
          if (!next || plan->chains[next->index].first != plan->chains[node->index].first)
            break;
        }
      plan->steps[i].span = 1;
      if (n > 1)
        set_tiles (plan, &plan->steps[i], (uint32_t) n);
    }
}
