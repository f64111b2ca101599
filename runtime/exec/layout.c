/* SPDX-License-Identifier: Apache-2.0
 * How values lie in memory: row-major, or with channels in blocks where kernels want that.
 *
 * The pass walks the plan's nodes in their order. For each it takes the kernel of highest
 * priority that serves, looks at its layout tags, and puts kette.Reorder nodes where a value
 * lies in another way: one per value and layout, in front of the first node that needs it.
 * What is seen from outside (inputs, outputs, constants, states, what later stages read) stays
 * row-major; an output that a kernel makes in blocks is converted behind it. A graph for which
 * no kernel has blocks is not touched.
 */
#include "exec/plan.h"
#include "graph/reads.h"
#include <string.h>

enum
{
  SLOTS = 3 /* layouts 0, 8, 16 */
};

typedef struct
{
  KettePlan *plan;
  KetteGraph *graph;
  const KetteOp *reorder;
  uint8_t *seen; /* by value index: read from outside of the plan, or by a branch */
  /* By the index of a value that was there before the pass: that tensor in each layout. */
  KetteValue *(*twins)[SLOTS];
  uint32_t *original; /* by value index: which of these it is a twin of */
  size_t original_capacity, layouts_capacity;
  KetteNode **order;
  size_t n_order, order_capacity;
} Pass;

static int
layout_of (const KettePlan *plan, const KetteValue *value)
{
  return plan->layouts ? plan->layouts[value->index] : 0;
}

/* Has the value one element per image and channel? All layouts are the same memory then. */
static gboolean
is_flat (const kt_type *type)
{
  for (int32_t d = 2; d < type->ndim; d++)
    if (type->dims[d] != 1)
      return FALSE;
  return TRUE;
}

static gboolean
is_single (const kt_type *type)
{
  return is_flat (type) && (type->ndim < 1 || type->dims[0] == 1)
         && (type->ndim < 2 || type->dims[1] == 1);
}

static gboolean
same_shape (const kt_type *a, const kt_type *b)
{
  return a->ndim == b->ndim
         && (a->ndim <= 0
             || memcmp (a->dims, b->dims, (size_t) a->ndim * sizeof *a->dims) == 0);
}

/* Inputs, then outputs. */
static KetteValue *
operand (const KetteNode *node, int32_t k)
{
  return k < node->n_in ? node->in[k] : node->out[k - node->n_in];
}

static int
tag_of (const KetteNode *node, const kt_kernel *kernel, int32_t k)
{
  return k < node->n_in ? _kette_layout_tag (kernel, FALSE, k)
                        : _kette_layout_tag (kernel, TRUE, k - node->n_in);
}

/* The layout of operand K for KERNEL (NULL: any kernel), where "*" is ANY. */
static int
wanted (const KetteNode *node, const kt_kernel *kernel, int32_t k, int any)
{
  const kt_type *type = &operand (node, k)->type;
  const int tag       = kernel ? tag_of (node, kernel, k) : 0;

  return tag == 0 || is_flat (type) ? 0 : tag == KETTE_LAYOUT_ANY ? any : tag;
}

/* What "*" means for NODE: the layout of the first such input that lies in blocks. */
static int
any_of (const KettePlan *plan, const KetteNode *node, const kt_kernel *kernel)
{
  int any = 0;

  for (int32_t k = 0; k < node->n_in && any == 0; k++)
    if (node->in[k] && _kette_layout_tag (kernel, FALSE, k) == KETTE_LAYOUT_ANY)
      any = layout_of (plan, node->in[k]);
  return any;
}

/* Can the tags be met: are there channels enough for blocks, have operands with "*" one shape? */
static gboolean
can_lie (const KetteNode *node, const kt_kernel *kernel, int any)
{
  const kt_type *shape = NULL;

  for (int32_t k = 0; k < node->n_in + node->n_out; k++)
    {
      const kt_type *type = operand (node, k) ? &operand (node, k)->type : NULL;
      const int tag       = type ? tag_of (node, kernel, k) : 0;

      if (tag > KETTE_LAYOUT_ANY && (type->ndim < 2 || type->dims[1] % tag))
        return FALSE;
      if (tag != KETTE_LAYOUT_ANY || any == 0 || (k < node->n_in && is_single (type)))
        continue;
      if (shape && !same_shape (shape, type))
        return FALSE;
      shape = type;
    }
  return TRUE;
}

/* What the pass inserts reads one layout and writes another. */
static gboolean
is_reorder (const KetteNode *node)
{
  return strcmp (node->op, "Reorder") == 0 && strcmp (node->domain, "kette") == 0;
}

gboolean
_kette_kernel_lies (const KettePlan *plan, const KetteNode *node, const kt_kernel *kernel)
{
  if ((!plan->layouts && !kernel->layout) || is_reorder (node))
    return TRUE;

  const int any = any_of (plan, node, kernel);
  if (!can_lie (node, kernel, any))
    return FALSE;
  for (int32_t k = 0; k < node->n_in + node->n_out; k++)
    if (operand (node, k)
        && wanted (node, kernel, k, any) != layout_of (plan, operand (node, k)))
      return FALSE;
  return TRUE;
}

/* A kernel that only follows: does one of its inputs lie as it wants? */
static gboolean
follows (const KettePlan *plan, const KetteNode *node, const kt_kernel *kernel)
{
  for (int32_t k = 0; k < node->n_in; k++)
    {
      const int want = node->in[k] ? wanted (node, kernel, k, 0) : 0;
      if (want && layout_of (plan, node->in[k]) == want)
        return TRUE;
    }
  return FALSE;
}

/* The kernel that is to serve NODE; NULL: none, as its preparation will tell. *ANY: what "*"
 * means. */
static const kt_kernel *
choose (const Pass *p, KetteNode *node, int *any)
{
  const KetteFamily *family = node->def->family;
  const KetteUnit *unit     = _kette_plan_unit (p->plan, node->unit);
  size_t n_rounds           = _kette_unit_kernels (unit, 1) ? 2 : 1;

  for (size_t r = 0; r < n_rounds * family->n_kernels; r++)
    {
      const size_t i = r % family->n_kernels;

      const kt_kernel *kernel = &family->kernels[i]->kernel;
      if (!_kette_kernel_serves (family->kernels[i], node,
                                 _kette_unit_kernels (unit, r >= family->n_kernels)))
        continue;
      *any = kernel->layout ? any_of (p->plan, node, kernel) : 0;
      if (*any && !can_lie (node, kernel, *any))
        *any = 0; /* an operand is repeated: row-major serves */
      if (kernel->layout
          && (!can_lie (node, kernel, *any)
              || ((kernel->flags & KT_K_FOLLOWS) && !follows (p->plan, node, kernel))))
        continue;
      if (_kette_kernel_suits (family->kernels[i], node))
        return kernel;
    }
  return NULL;
}

static gboolean
append (Pass *p, KetteNode *node, GError **error)
{
  if (!_kette_grow (&p->order, &p->order_capacity, p->n_order + 1, sizeof *p->order,
                    error))
    return FALSE;
  p->order[p->n_order++] = node;
  return TRUE;
}

/* A value like LIKE in layout BLOCK. */
static KetteValue *
add_twin (Pass *p, const KetteValue *like, int block, GError **error)
{
  const uint32_t original = p->original[like->index];
  KetteValue *twin        = _kette_graph_add_value (p->graph, NULL, error);

  if (!twin || !_kette_value_set_type (twin, &like->type, error)
      || !_kette_grow (&p->original, &p->original_capacity, p->graph->n_values,
                       sizeof *p->original, error)
      || !_kette_grow (&p->plan->layouts, &p->layouts_capacity, p->graph->n_values,
                       sizeof *p->plan->layouts, error))
    return NULL;
  twin->unit                    = like->unit;
  p->original[twin->index]      = original;
  p->plan->layouts[twin->index] = (uint8_t) block;
  p->twins[original][block / 8] = twin;
  return twin;
}

static gboolean
add_reorder (Pass *p, KetteValue *from, KetteValue *to, GError **error)
{
  const kt_attr attrs[]
      = { { .name = "from", .kind = KT_A_INT, .i = layout_of (p->plan, from) },
          { .name = "to", .kind = KT_A_INT, .i = layout_of (p->plan, to) } };
  KetteNode *node
      = _kette_graph_add_node (p->graph, NULL, "kette", "Reorder", p->reorder->op.since,
                               &from, 1, &to, 1, attrs, 2, error);

  if (!node)
    return FALSE;
  node->def  = p->reorder;
  node->unit = from->unit;
  return append (p, node, error);
}

/* VALUE in layout BLOCK, made if need be. */
static KetteValue *
in_layout (Pass *p, KetteValue *value, int block, GError **error)
{
  const int now      = layout_of (p->plan, value);
  KetteValue **twins = p->twins[p->original[value->index]];

  if (now == block)
    return value;
  twins[now / 8] = value;
  if (twins[block / 8])
    return twins[block / 8];

  KetteValue *twin = add_twin (p, value, block, error);
  return twin && add_reorder (p, value, twin, error) ? twin : NULL;
}

/* Gives output K of NODE layout BLOCK; what is seen from outside gets its content behind. */
static gboolean
set_output (Pass *p, KetteNode *node, int32_t k, int block, GError **error)
{
  KetteValue *value = node->out[k];

  if (!p->seen[value->index])
    {
      p->plan->layouts[value->index] = (uint8_t) block;
      return TRUE;
    }

  KetteValue *twin = add_twin (p, value, block, error);
  if (!twin)
    return FALSE;
  node->out[k]              = twin;
  twin->producer            = node;
  twin->slot                = k;
  p->twins[value->index][0] = value;
  return add_reorder (p, twin, value, error);
}

static gboolean
lay_out (Pass *p, KetteNode *node, GError **error)
{
  int any                 = 0;
  const kt_kernel *kernel = choose (p, node, &any);

  for (int32_t k = 0; k < node->n_in; k++)
    if (node->in[k]
        && !(node->in[k]
             = in_layout (p, node->in[k], wanted (node, kernel, k, any), error)))
      return FALSE;
  if (!append (p, node, error))
    return FALSE;
  for (int32_t k = 0; kernel && k < node->n_out; k++)
    {
      const int block = node->out[k] ? wanted (node, kernel, node->n_in + k, any) : 0;
      if (block && !set_output (p, node, k, block, error))
        return FALSE;
    }
  return TRUE;
}

/* Marks what is seen from outside. */
static void
mark (Pass *p, const uint8_t *planned)
{
  const KetteGraph *g = p->graph;

  for (size_t i = 0; i < g->n_nodes; i++)
    {
      KetteReads reads = { .node = g->nodes[i] };
      KetteValue *value;
      if (planned[i] == KETTE_PLANNED && !g->nodes[i]->subgraphs)
        continue;
      while ((value = _kette_reads_next (&reads)))
        p->seen[value->index] = 1;
    }
  for (size_t i = 0; i < g->n_outputs; i++)
    p->seen[g->outputs[i]->index] = 1;
  for (size_t u = 0; u < p->plan->n_updates; u++)
    p->seen[p->plan->updates[u].value->index] = 1;
}

/* Could any node get a kernel that wants blocks? */
static gboolean
has_blocks (const KetteGraph *g)
{
  gboolean found = FALSE;

  for (size_t i = 0; i < g->n_nodes; i++)
    {
      const KetteNode *node = g->nodes[i];
      for (size_t k = 0; !found && node->def && k < node->def->family->n_kernels; k++)
        {
          const kt_kernel *kernel = &node->def->family->kernels[k]->kernel;
          found                   = kernel->layout && strchr (kernel->layout, 'c')
                  && !(kernel->flags & KT_K_FOLLOWS);
        }
    }
  return found;
}

static gboolean
walk (Pass *p, const uint8_t *planned, size_t *n_forward, GError **error)
{
  KetteGraph *g        = p->graph;
  const size_t n_nodes = g->n_nodes, n_before = *n_forward;

  for (size_t i = 0; i < n_nodes; i++)
    {
      if (i == n_before)
        *n_forward = p->n_order;
      if (!(planned[i] == KETTE_PLANNED ? lay_out (p, g->nodes[i], error)
                                        : append (p, g->nodes[i], error)))
        return FALSE;
    }
  if (n_before >= n_nodes)
    *n_forward = p->n_order;
  if (p->n_order)
    memcpy (g->nodes, p->order, p->n_order * sizeof *p->order);
  for (size_t i = 0; i < p->n_order; i++)
    g->nodes[i]->index = (uint32_t) i;
  return TRUE;
}

gboolean
_kette_plan_layouts (KettePlan *plan, size_t *n_forward, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  KetteGraph *g         = plan->graph;
  Pass p                = { .plan = plan, .graph = g };
  uint8_t *planned      = NULL;

  if ((plan->flags & KETTE_PLAN_ROWS) || !has_blocks (g)
      || !(p.reorder = _kette_registry_op ("kette", "Reorder", 1)))
    return TRUE;
  const gboolean ok
      = (p.seen = _kette_alloc (account, g->n_values + 1, 1, error))
        && (p.twins = _kette_alloc (account, g->n_values + 1, sizeof *p.twins, error))
        && (planned = _kette_alloc (account, g->n_nodes + 1, 1, error))
        && _kette_plan_reach (g, planned, error)
        && _kette_grow (&p.original, &p.original_capacity, g->n_values + 1,
                        sizeof *p.original, error)
        && _kette_grow (&plan->layouts, &p.layouts_capacity, g->n_values + 1,
                        sizeof *plan->layouts, error);

  for (size_t i = 0; ok && i < g->n_values; i++)
    p.original[i] = (uint32_t) i;
  if (ok)
    mark (&p, planned);
  const gboolean done = ok && walk (&p, planned, n_forward, error);
  _kette_free (p.seen);
  _kette_free (p.twins);
  _kette_free (planned);
  _kette_free (p.original);
  _kette_free (p.order);
  return done;
}
