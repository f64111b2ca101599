/* SPDX-License-Identifier: Apache-2.0
 * Copies between devices as nodes of the plan: kette.Copy, one per value and device that reads
 * it, as kette.Reorder does it for layouts. Inputs are copied in front of everything, outputs
 * behind their phase, the rest in front of its first reader. Constants, parameters and states
 * are no copies but resident where they are read; a state that is rewritten lives with the node
 * that does it.
 */
#include "exec/plan.h"
#include "graph/reads.h"
#include <string.h>

typedef struct
{
  KettePlan *plan;
  KetteGraph *graph;
  size_t n_values; /* that were there before */
  /* By value index, times units: that value on each unit. */
  KetteValue **twins;
  uint32_t *original; /* by value index */
  size_t original_capacity, layouts_capacity;
  KetteNode **front, **order;
  size_t n_front, n_order, front_capacity, order_capacity;
  /* By value index: 1, read by the host, outside of the plan; more: on unit SEEN - 1 it is there,
   * but its copy is still to come. */
  uint8_t *seen;
} Spread;

gboolean
_kette_is_copy (const KetteNode *node)
{
  return node->why == KETTE_WHY_COPY;
}

static gboolean
append (KetteNode ***list, size_t *capacity, size_t *n, KetteNode *node, GError **error)
{
  if (!_kette_grow (list, capacity, *n + 1, sizeof **list, error))
    return FALSE;
  (*list)[(*n)++] = node;
  return TRUE;
}

static KetteValue **
twin_of (const Spread *s, const KetteValue *value, uint32_t unit)
{
  return &s->twins[s->original[value->index] * (s->plan->n_units + 1) + unit];
}

static gboolean
is_state (const Spread *s, const KetteValue *value)
{
  for (size_t u = 0; u < s->plan->n_updates; u++)
    if (s->plan->updates[u].key == value)
      return TRUE;
  return FALSE;
}

/* A value like LIKE on UNIT. */
static KetteValue *
add_twin (Spread *s, const KetteValue *like, uint32_t unit, GError **error)
{
  KettePlan *plan         = s->plan;
  const uint32_t original = s->original[like->index];
  KetteValue *twin        = _kette_graph_add_value (s->graph, NULL, error);

  if (!twin || !_kette_value_set_type (twin, &like->type, error)
      || !_kette_grow (&s->original, &s->original_capacity, s->graph->n_values,
                       sizeof *s->original, error)
      || (plan->layouts
          && !_kette_grow (&plan->layouts, &s->layouts_capacity, s->graph->n_values,
                           sizeof *plan->layouts, error)))
    return NULL;
  twin->unit               = unit;
  s->original[twin->index] = original;
  *twin_of (s, twin, unit) = twin;
  if (plan->layouts)
    plan->layouts[twin->index] = plan->layouts[like->index];
  return twin;
}

KetteNode *
_kette_plan_add_copy (KettePlan *plan, KetteValue *from, KetteValue *to, GError **error)
{
  KetteUnit *const *units    = plan->places->units;
  const KetteOp *copy        = _kette_registry_op ("kette", "Copy", 1);
  const char *const names[2] = { from->unit ? units[from->unit]->name : "cpu",
                                 to->unit ? units[to->unit]->name : "cpu" };
  const kt_attr attrs[]
      = { { .name = "from", .kind = KT_A_STRING, .v = names[0], .n = strlen (names[0]) },
          { .name = "to", .kind = KT_A_STRING, .v = names[1], .n = strlen (names[1]) } };
  KetteNode *node
      = copy ? _kette_graph_add_node (plan->graph, from->name, "kette", "Copy",
                                      copy->op.since, &from, 1, &to, 1, attrs, 2, error)
             : NULL;

  if (!copy)
    _kette_fail (error, KETTE_ERROR_UNSUPPORTED, NULL,
                 "no plugin provides the operator kette:Copy that devices need");
  if (!node)
    return NULL;
  node->def  = copy;
  node->why  = KETTE_WHY_COPY;
  node->unit = from->unit ? from->unit : to->unit;
  return node;
}

static gboolean
is_direct (const Spread *s, uint32_t from, uint32_t to)
{
  const KetteUnit *a = s->plan->places->units[from], *b = s->plan->places->units[to];

  return !a || !b || (a->kind == b->kind && a->device->flags & KT_D_PEER);
}

/* The twin that was made of VALUE, if that is yet to be copied to the host. */
static KetteValue *
pending (const Spread *s, const KetteValue *value)
{
  return value->index < s->n_values && s->seen[value->index] > 1
             ? *twin_of (s, value, s->seen[value->index] - 1u)
             : NULL;
}

static gboolean
copy_out (Spread *s, KetteValue *made, KetteValue *value, GError **error)
{
  KetteNode *node = _kette_plan_add_copy (s->plan, made, value, error);

  s->seen[value->index] = 1;
  return node && append (&s->order, &s->order_capacity, &s->n_order, node, error);
}

static gboolean
is_constant (const Spread *s, const KetteValue *value)
{
  return value->data && !(value->flags & KETTE_VALUE_SOFT) && !is_state (s, value);
}

static gboolean
is_early (const Spread *s, const KetteValue *value)
{
  return !value->producer && !is_constant (s, value) && !is_state (s, value);
}

/* VALUE on UNIT, from where it is: read there if it is constant, else copied, EARLY: in front of
 * everything. */
static KetteValue *
bring (Spread *s, KetteValue *value, uint32_t unit, gboolean early, GError **error)
{
  KetteValue *twin = *twin_of (s, value, unit);

  if (twin || !(twin = add_twin (s, value, unit, error)))
    return twin;
  if (is_constant (s, value))
    {
      _kette_value_set_data (twin, value->data);
      twin->flags |= value->flags & (KETTE_VALUE_INITIALIZER | KETTE_VALUE_STATE);
      return twin;
    }
  if (value->flags & KETTE_VALUE_SOFT)
    { /* a fed input whose content is known before the run */
      _kette_value_set_data (twin, value->data);
      twin->flags |= KETTE_VALUE_SOFT;
    }
  twin->ints      = value->ints;
  twin->n_ints    = value->n_ints;
  KetteNode *node = _kette_plan_add_copy (s->plan, value, twin, error);
  const gboolean ok
      = node
        && (early ? append (&s->front, &s->front_capacity, &s->n_front, node, error)
                  : append (&s->order, &s->order_capacity, &s->n_order, node, error));
  return ok ? twin : NULL;
}

/* VALUE on UNIT, by way of the host if need be. */
static KetteValue *
on_unit (Spread *s, KetteValue *value, uint32_t unit, GError **error)
{
  KetteValue *const twin = pending (s, value);

  if (twin && unit == 0)
    return copy_out (s, twin, value, error) ? value : NULL;
  value = twin ? twin : value;
  if (value->unit == unit)
    return value;
  const gboolean early = is_early (s, value);
  if (!is_constant (s, value) && !*twin_of (s, value, unit)
      && !is_direct (s, value->unit, unit)
      && !(value = bring (s, value, 0, early, error)))
    return NULL;
  return bring (s, value, unit, early, error);
}

/* The content of an output that is seen stays where the node makes it, under another name. */
static gboolean
rename_output (Spread *s, KetteNode *node, int32_t k, GError **error)
{
  KetteValue *value = node->out[k];
  KetteValue *twin  = add_twin (s, value, value->unit, error);

  if (!twin)
    return FALSE;
  node->out[k]           = twin;
  twin->producer         = node;
  twin->slot             = k;
  s->seen[value->index]  = (uint8_t) (value->unit + 1);
  value->unit            = 0;
  value->producer        = NULL;
  *twin_of (s, value, 0) = value;
  for (size_t u = 0; u < s->plan->n_updates; u++)
    if (s->plan->updates[u].value == value)
      s->plan->updates[u].value = twin;
  return TRUE;
}

/* What the graphs of NODE read of the one around them is on the host, under its own name: it is
 * marked as seen. */
static gboolean
bring_captured (Spread *s, KetteNode *node, GError **error)
{
  KetteReads reads = { .node = node, .input = node->n_in };
  KetteValue *value;

  while ((value = _kette_reads_next (&reads)))
    if (!on_unit (s, value, 0, error))
      return FALSE;
  return TRUE;
}

/* Constants go where NODE is wanted as soon as that can be planned, and stay there: each run makes
 * its own plan of what depends on contents. */
static gboolean
keep_for_later (Spread *s, const KetteNode *node, GError **error)
{
  const uint32_t unit       = _kette_places_wanted (s->plan->places, node);
  const KetteFamily *family = unit && node->def ? node->def->family : NULL;
  gboolean served           = FALSE;

  for (size_t i = 0; family && i < family->n_kernels; i++)
    for (int round = 0; round < 2; round++)
      {
        const char *device = _kette_unit_kernels (s->plan->places->units[unit], round);
        served             = served
                 || (device && _kette_kernel_serves (family->kernels[i], node, device));
      }
  for (int32_t k = 0; served && k < node->n_in; k++)
    if (node->in[k] && is_constant (s, node->in[k]) && node->in[k]->unit == 0
        && !bring (s, node->in[k], unit, FALSE, error))
      return FALSE;
  return TRUE;
}

static gboolean
visit (Spread *s, KetteNode *node, GError **error)
{
  const KetteKernel *kernel
      = node->unit ? _kette_unit_kernel (s->plan->places->units[node->unit], node) : NULL;

  for (int32_t k = 0; k < node->n_in; k++)
    if (node->in[k])
      {
        const gboolean host = kernel && k < 64 && (kernel->kernel.host_in >> k & 1);
        if (!(node->in[k] = on_unit (s, node->in[k], host ? 0 : node->unit, error)))
          return FALSE;
      }
  if (node->subgraphs && !bring_captured (s, node, error))
    return FALSE;
  if (node->why == KETTE_WHY_LATER && !keep_for_later (s, node, error))
    return FALSE;
  if (!append (&s->order, &s->order_capacity, &s->n_order, node, error))
    return FALSE;
  for (int32_t k = 0; k < node->n_out; k++)
    if (node->out[k] && node->out[k]->index < s->n_values
        && s->seen[node->out[k]->index] == 1 && node->out[k]->unit
        && !rename_output (s, node, k, error))
      return FALSE;
  return TRUE;
}

/* Copies to the host of what is seen and was made between BEGIN and here. */
static gboolean
copy_outputs (Spread *s, size_t begin, GError **error)
{
  const size_t end = s->n_order;

  for (size_t i = begin; i < end; i++)
    for (int32_t k = 0; k < s->order[i]->n_out; k++)
      {
        KetteValue *made  = s->order[i]->out[k];
        KetteValue *value = made ? s->graph->values[s->original[made->index]] : NULL;
        if (value && value != made && pending (s, value) == made
            && !copy_out (s, made, value, error))
          return FALSE;
      }
  return TRUE;
}

static void
mark_seen (Spread *s)
{
  const KetteGraph *g    = s->graph;
  const size_t n_fetched = MIN (s->plan->places->n_fetched, g->n_outputs);

  for (size_t i = 0; i < n_fetched; i++)
    s->seen[g->outputs[i]->index] = 1;
  for (size_t i = 0; i < g->n_nodes; i++)
    {
      const uint32_t why = g->nodes[i]->why;
      KetteReads reads   = { .node = g->nodes[i] };
      KetteValue *value;
      if (why == KETTE_WHY_LATER || why == KETTE_WHY_SIZE || g->nodes[i]->subgraphs)
        while ((value = _kette_reads_next (&reads)))
          s->seen[value->index] = 1;
    }
}

static gboolean
walk (Spread *s, size_t *n_forward, GError **error)
{
  KetteGraph *g        = s->graph;
  const size_t n_nodes = g->n_nodes, n_before = *n_forward;
  size_t begin = 0;

  for (size_t i = 0; i <= n_nodes; i++)
    {
      if (i == n_before || i == n_nodes)
        {
          if (!copy_outputs (s, begin, error))
            return FALSE;
          begin = s->n_order;
        }
      if (i == n_before)
        *n_forward = s->n_order;
      if (i < n_nodes && !visit (s, g->nodes[i], error))
        return FALSE;
    }
  if (s->n_front)
    memcpy (g->nodes, s->front, s->n_front * sizeof *g->nodes);
  if (s->n_order)
    memcpy (g->nodes + s->n_front, s->order, s->n_order * sizeof *g->nodes);
  *n_forward += s->n_front;
  for (size_t i = 0; i < g->n_nodes; i++)
    g->nodes[i]->index = (uint32_t) i;
  return TRUE;
}

gboolean
_kette_plan_spread (KettePlan *plan, size_t *n_forward, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  KetteGraph *g         = plan->graph;
  Spread s              = { .plan = plan, .graph = g, .n_values = g->n_values };
  gboolean ok;

  if (plan->n_units == 0)
    return TRUE;
  ok = (s.twins = _kette_alloc (account, (g->n_values + 1) * (plan->n_units + 1),
                                sizeof *s.twins, error))
       && (s.seen = _kette_alloc (account, g->n_values + 1, 1, error))
       && _kette_grow (&s.original, &s.original_capacity, g->n_values + 1,
                       sizeof *s.original, error);
  if (ok && plan->layouts)
    { /* which grows from here on */
      uint8_t *layouts = NULL;
      ok = _kette_grow (&layouts, &s.layouts_capacity, g->n_values + 1, 1, error);
      if (ok)
        {
          memcpy (layouts, plan->layouts, g->n_values);
          _kette_free (plan->layouts);
          plan->layouts = layouts;
        }
    }
  for (size_t i = 0; ok && i < g->n_values; i++)
    s.original[i] = (uint32_t) i;
  if (ok)
    {
      mark_seen (&s);
      for (size_t u = 0; u < plan->n_updates; u++)
        if (!s.seen[plan->updates[u].key->index])
          plan->updates[u].key->unit = plan->updates[u].value->unit;
      ok = walk (&s, n_forward, error);
    }
  _kette_free (s.twins);
  _kette_free (s.seen);
  _kette_free (s.original);
  _kette_free (s.front);
  _kette_free (s.order);
  return ok;
}
