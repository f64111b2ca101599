/* SPDX-License-Identifier: Apache-2.0
 * Placement by cost: what a node takes on the host and on each device, and what the copies take
 * that follow from it. The model is coarse and its constants are fixed, those of devices by their
 * plugins: the same graph and shapes are placed in the same way whatever the machine is doing, so
 * that a resumed training goes on as it began. First the best single place for all is found,
 * then nodes move one by one while that helps.
 */
#include "base/pool.h"
#include "exec/plan.h"
#include <math.h>

/* One processor of today with vectors, measured: the W1 and W3 of docs/benchmarks.md within a factor
 * of two. Chains leave a node no launch to speak of. Rates of memory are those of caches up to
 * CACHE bytes. Other processors help from PIECE us of work on, as parallel loops are cut. */
static const kt_costs host_costs
    = { .launch_us = 0.05, .memory_bytes_per_us = 10e3, .flops_per_us = 90e3 };

#define CACHE (1 << 20)
#define CACHE_BYTES_PER_US 60e3
#define PIECE 20

enum
{
  SWEEPS = 4
};

typedef struct
{
  const KettePlan *plan;
  KetteUses *uses;
  uint8_t *fixed;    /* by node: it stays where it is */
  gboolean recorded; /* the whole plan is one launch */
  /* By value: of a state the node that makes its next content, of such content the state. */
  const KetteNode **writers;
  const KetteValue **states;
  uint8_t *fetched; /* by value: somebody looks at it */
} Model;

static const kt_costs *
costs_of (const Model *m, uint32_t unit)
{
  return &m->plan->places->units[unit]->device->costs;
}

static double
bytes_of (const KetteValue *value)
{
  size_t count, bytes;

  return value && _kette_count (value->type.dims, value->type.ndim, &count)
                 && _kette_dtype_bytes (value->type.dtype, count, &bytes)
             ? (double) bytes
             : 0;
}

static double
count_of (const KetteValue *value)
{
  size_t count;

  return value && _kette_count (value->type.dims, value->type.ndim, &count)
             ? (double) count
             : 0;
}

/* Of a product A B = C: |A| |B| |C| is the square of what there is to multiply. */
static double
flops_of (const KetteNode *node)
{
  const kt_op *op = &node->def->op;

  if (!(op->flags & KT_OP_MATMUL) || node->n_in < 2 || node->n_out < 1)
    return 4 * count_of (node->n_out ? node->out[0] : NULL);
  return 2
         * sqrt (count_of (node->in[0]) * count_of (node->in[1])
                 * count_of (node->out[0]));
}

/* Work of so many bytes and operations on the host's processors. */
static double
host_cost (double bytes, double flops)
{
  const kt_costs *c  = &host_costs;
  const double rate  = bytes <= CACHE ? CACHE_BYTES_PER_US : c->memory_bytes_per_us;
  const double alone = MAX (bytes / rate, flops / c->flops_per_us);

  return c->launch_us + alone / CLAMP (alone / PIECE, 1, _kette_pool_get_processors ());
}

/* A device that is given kernel after kernel is as fast as the host launches them; those of a
 * recording follow each other by themselves. */
static double
cost_of (const Model *m, const KetteNode *node, uint32_t unit)
{
  double bytes = 0;

  for (int32_t k = 0; k < node->n_in; k++)
    bytes += bytes_of (node->in[k]);
  for (int32_t k = 0; k < node->n_out; k++)
    bytes += bytes_of (node->out[k]);
  if (unit == 0)
    return host_cost (bytes, flops_of (node));
  const kt_costs *c = costs_of (m, unit);
  return (m->recorded ? c->kernel_us : MAX (c->launch_us, c->kernel_us))
         + MAX (bytes / MAX (c->memory_bytes_per_us, 1),
                flops_of (node) / MAX (c->flops_per_us, 1));
}

/* Of VALUE from one unit to another, there and back by way of the host where that is so. */
static double
copy_cost (const Model *m, const KetteValue *value, uint32_t from, uint32_t to)
{
  double cost = 0;

  for (int i = 0; i < 2; i++)
    {
      const uint32_t unit = i ? to : from;
      if (unit == 0 || from == to)
        continue;
      const kt_costs *c = costs_of (m, unit);
      cost += c->copy_us + bytes_of (value) / MAX (c->link_bytes_per_us, 1);
    }
  return cost;
}

/* Of all copies of VALUE, which lies where it is made, a state where it is rewritten; inputs and
 * outputs are the host's. */
static double
spread_cost (const Model *m, const KetteValue *value)
{
  const KetteNode *maker
      = m->writers[value->index] ? m->writers[value->index] : value->producer;
  const uint32_t from = maker ? maker->unit : 0;
  uint32_t done       = 1u << from;
  double cost         = 0;

  if (value->data && !(value->flags & KETTE_VALUE_SOFT) && !m->writers[value->index])
    return 0; /* a constant goes there once */
  if (m->fetched[value->index] && from)
    {
      cost += copy_cost (m, value, from, 0);
      done |= 1;
    }
  for (uint32_t u = m->uses->start[value->index]; u < m->uses->start[value->index + 1];
       u++)
    {
      const uint32_t to = m->uses->nodes[u]->unit;
      if (done >> to & 1)
        continue;
      done |= 1u << to;
      cost += copy_cost (m, value, from, to);
      if (to == 0) /* nodes of the host in the middle: each waits for the other */
        cost += costs_of (m, from)->copy_us;
    }
  return cost;
}

/* Of what depends on where NODE is. */
static double
local_cost (const Model *m, const KetteNode *node)
{
  double cost = cost_of (m, node, node->unit);

  for (int32_t k = 0; k < node->n_in; k++)
    if (node->in[k])
      cost += spread_cost (m, node->in[k]);
  for (int32_t k = 0; k < node->n_out; k++)
    if (node->out[k])
      {
        const KetteValue *state = m->states[node->out[k]->index];
        cost += spread_cost (m, node->out[k]) + (state ? spread_cost (m, state) : 0);
      }
  return cost;
}

static double
total_cost (const Model *m)
{
  const KetteGraph *g = m->plan->graph;
  double cost         = 0;

  for (size_t i = 0; i < g->n_nodes; i++)
    if (g->nodes[i]->why != KETTE_WHY_LATER && g->nodes[i]->why != KETTE_WHY_SIZE)
      cost += cost_of (m, g->nodes[i], g->nodes[i]->unit);
  for (size_t i = 0; i < g->n_values; i++)
    cost += spread_cost (m, g->values[i]);
  return cost;
}

static gboolean
can_run (const Model *m, KetteNode *node, uint32_t unit)
{
  return unit == 0
         || (!(node->refused >> unit & 1)
             && _kette_unit_kernel (m->plan->places->units[unit], node) != NULL);
}

static void
put_all (const Model *m, uint32_t unit)
{
  const KetteGraph *g = m->plan->graph;

  for (size_t i = 0; i < g->n_nodes; i++)
    if (!m->fixed[i])
      g->nodes[i]->unit = can_run (m, g->nodes[i], unit) ? unit : 0;
}

/* Is all of it on UNIT, so that it can be recorded? */
static gboolean
is_recorded (const Model *m, uint32_t unit)
{
  const KetteGraph *g = m->plan->graph;

  for (size_t i = 0; i < g->n_nodes; i++)
    if (g->nodes[i]->unit != unit)
      return FALSE;
  return unit && m->plan->places->units[unit]->device->capture_begin;
}

static gboolean
sweep (const Model *m)
{
  const KetteGraph *g = m->plan->graph;
  gboolean moved      = FALSE;

  for (size_t i = 0; i < g->n_nodes; i++)
    {
      KetteNode *node   = g->nodes[i];
      uint32_t best     = node->unit;
      double least      = m->fixed[i] ? 0 : local_cost (m, node);
      const uint32_t at = node->unit;

      for (uint32_t u = 0; !m->fixed[i] && u <= m->plan->places->n_units; u++)
        {
          if (u == at || !can_run (m, node, u))
            continue;
          node->unit        = u;
          const double cost = local_cost (m, node);
          if (cost < least * 0.999)
            {
              least = cost;
              best  = u;
            }
        }
      node->unit = best;
      moved      = moved || best != at;
    }
  return moved;
}

static gboolean
link_states (Model *m, GError **error)
{
  const KettePlan *plan = m->plan;
  const size_t n        = plan->graph->n_values + 1;

  m->writers = _kette_alloc (_kette_account_process (), n, sizeof *m->writers, error);
  m->states  = m->writers
                   ? _kette_alloc (_kette_account_process (), n, sizeof *m->states, error)
                   : NULL;
  m->fetched = m->states ? _kette_alloc (_kette_account_process (), n, 1, error) : NULL;
  for (size_t i = 0;
       m->fetched && i < MIN (plan->places->n_fetched, plan->graph->n_outputs); i++)
    m->fetched[plan->graph->outputs[i]->index] = 1;
  for (size_t u = 0; m->fetched && u < plan->n_updates; u++)
    {
      const KetteBinding *update      = &plan->updates[u];
      m->writers[update->key->index]  = update->value->producer;
      m->states[update->value->index] = update->key;
    }
  return m->fetched != NULL;
}

static void
weigh (Model *m)
{
  uint32_t best = 0;
  double least  = INFINITY;

  for (uint32_t u = 0; u <= m->plan->places->n_units; u++)
    {
      put_all (m, u);
      m->recorded       = is_recorded (m, u);
      const double cost = total_cost (m);
      if (cost < least)
        {
          least = cost;
          best  = u;
        }
    }
  put_all (m, best);
  m->recorded = FALSE; /* where nodes leave the others */
  for (int i = 0; i < SWEEPS && sweep (m); i++)
    ;
  if (total_cost (m) >= least)
    put_all (m, best);
}

gboolean
_kette_plan_weigh (KettePlan *plan, uint8_t *fixed, GError **error)
{
  Model m           = { .plan = plan, .fixed = fixed };
  const gboolean ok = link_states (&m, error)
                      && (m.uses = _kette_uses_new (plan->graph, error)) != NULL;

  if (ok)
    weigh (&m);
  if (m.uses)
    _kette_uses_free (m.uses);
  _kette_free (m.writers);
  _kette_free (m.states);
  _kette_free (m.fetched);
  return ok;
}
