/* SPDX-License-Identifier: Apache-2.0
 * Emitting nodes: what a plugin's gradient and body callbacks reach through the host.
 *
 * A kt_value is the index of a value in the graph, plus one. Emitted nodes are resolved and
 * inferred at once, so that callbacks can ask for the types of what they made. The first
 * error sticks: later calls do nothing, and it is reported when the callback returns.
 */
#include "op/host-private.h"
#include <string.h>

static kt_value
handle_of (const KetteValue *value)
{
  return value ? (kt_value) value->index + 1 : 0;
}

static KetteValue *
value_of (const kt_graph *g, kt_value handle)
{
  return handle > 0 && (size_t) handle <= g->graph->n_values
             ? g->graph->values[handle - 1]
             : NULL;
}

static gboolean
failed (const kt_graph *g)
{
  return g->context->failure->status != KT_OK;
}

/* Takes over a GError of the library as the callback's failure: place and reason without the
 * code, which the status tells. */
static kt_status
fail_with (kt_graph *g, GError *error)
{
  const kt_status status = _kette_status_of (error);
  const char *where      = kette_error_get_where (error);
  char text[1024];

  g_snprintf (text, sizeof text, "%s%s%s", where ? where : "", where ? ": " : "",
              kette_error_get_what (error));
  _kette_host ()->fail (g, status, text, strlen (text));
  g_error_free (error);
  return status;
}

kt_value
_kette_host_g_in (kt_graph *g, int32_t i)
{
  return i >= 0 && i < g->context->node->n_in ? handle_of (g->in[i]) : 0;
}

kt_value
_kette_host_g_out (kt_graph *g, int32_t i)
{
  KetteNode *node = g->context->node;
  const kt_op *op = &node->def->op;
  GError *error   = NULL;

  /* Of a variadic output those that the node has. */
  const gboolean variadic = op->n_out > 0 && op->out[op->n_out - 1].flags & KT_P_VARIADIC;
  const int32_t n         = variadic ? MAX (op->n_out, node->n_out) : op->n_out;
  if (failed (g) || g->emit != KETTE_EMIT_GRADIENT || i < 0 || i >= n)
    return i >= 0 && i < node->n_out && g->emit == KETTE_EMIT_GRADIENT
               ? handle_of (node->out[i])
               : 0;
  if (i >= node->n_out && !_kette_node_grow_outputs (node, i, &error))
    return fail_with (g, error), 0;
  if (!node->out[i])
    { /* an optional output that nobody wanted so far: indices, a mask, statistics */
      node->out[i] = _kette_graph_add_value (g->graph, NULL, &error);
      if (!node->out[i])
        return fail_with (g, error), 0;
      node->out[i]->producer = node;
      node->out[i]->slot     = i;
      if (!_kette_node_infer (node, &error))
        return fail_with (g, error), 0;
    }
  return handle_of (node->out[i]);
}

kt_value
_kette_host_g_seed (kt_graph *g, int32_t i)
{
  return g->seeds && i >= 0 && i < g->context->node->n_out ? handle_of (g->seeds[i]) : 0;
}

int32_t
_kette_host_g_wanted (const kt_graph *g, int32_t i)
{
  const KetteNode *node = g->context->node;

  return i >= 0 && i < (g->emit == KETTE_EMIT_GRADIENT ? node->n_in : node->n_out)
         && g->wanted[i];
}

/* "grad/fc1/MatMul" or "fc1/MatMul". */
static gboolean
emitted_name (const kt_graph *g, const char *op, char *out, size_t size)
{
  const KetteNode *node = g->context->node;
  const char *base      = node->origin ? node->origin : node->name;
  /* What the body of a gradient's node emits belongs to the backward pass, too. */
  const gboolean backward
      = g->emit == KETTE_EMIT_GRADIENT || g_str_has_prefix (node->name, "grad/");

  if (!*base && node->n_out && node->out[0])
    base = node->out[0]->name;
  return g_snprintf (out, (gulong) size, "%s%.400s/%s", backward ? "grad/" : "", base, op)
         > 0;
}

/* Adds the node with OPERANDS: n_in inputs, then room for n_out outputs. */
static gboolean
emit_node (kt_graph *g, const char *domain, const char *op, int32_t version,
           KetteValue **operands, int32_t n_in, int32_t n_out, const kt_attr *attrs,
           int32_t n_attrs, GError **error)
{
  const KetteNode *from = g->context->node;
  char name[512];

  for (int32_t i = 0; i < n_out; i++)
    if (!(operands[n_in + i] = _kette_graph_add_value (g->graph, NULL, error)))
      return FALSE;
  emitted_name (g, op, name, sizeof name);
  KetteNode *node
      = _kette_graph_add_node (g->graph, name, domain, op, version, operands, n_in,
                               operands + n_in, n_out, attrs, n_attrs, error);
  if (!node)
    return FALSE;
  if (from->origin || *from->name)
    node->origin = from->origin ? from->origin : from->name;
  else
    node->origin = from->n_out && from->out[0] ? from->out[0]->name : "";
  return _kette_node_resolve (node, error) && _kette_node_infer (node, error);
}

kt_status
_kette_host_g_node (kt_graph *g, const char *domain, const char *op, int32_t version,
                    const kt_value *in, int32_t n_in, kt_value *out, int32_t n_out,
                    const kt_attr *attrs, int32_t n_attrs)
{
  KetteValue **operands;
  GError *error = NULL;
  gboolean ok;

  for (int32_t i = 0; i < n_out; i++)
    out[i] = 0;
  if (failed (g))
    return g->context->failure->status;
  if (n_in < 0 || n_out < 1)
    return _kette_host ()->fail (g, KT_E_INTERNAL, "an emitted node has no output", 29);

  operands = _kette_alloc (_kette_account_process (), (size_t) n_in + (size_t) n_out,
                           sizeof *operands, &error);
  for (int32_t i = 0; operands && i < n_in; i++)
    operands[i] = value_of (g, in[i]);
  ok = operands
       && emit_node (g, domain, op, version, operands, n_in, n_out, attrs, n_attrs,
                     &error);
  for (int32_t i = 0; ok && i < n_out; i++)
    out[i] = handle_of (operands[n_in + i]);
  _kette_free (operands);
  return ok ? KT_OK : fail_with (g, error);
}

kt_status
_kette_host_g_set (kt_graph *g, int32_t i, kt_value value)
{
  const KetteNode *node = g->context->node;
  const int32_t n       = g->emit == KETTE_EMIT_GRADIENT ? node->n_in : node->n_out;
  KetteValue *v         = value_of (g, value);

  if (failed (g))
    return g->context->failure->status;
  if (i < 0 || i >= n)
    return KT_OK; /* an absent optional output of a body: nobody reads it */
  if (!v)
    return _kette_host ()->fail (g, KT_E_INTERNAL, "g_set was given no value", 24);
  if (g->emit == KETTE_EMIT_GRADIENT && !g->wanted[i])
    return KT_OK;
  if (!g->set[i])
    {
      g->set[i] = v;
      return KT_OK;
    }
  if (g->emit == KETTE_EMIT_BODY)
    return _kette_host ()->fail (g, KT_E_INTERNAL, "a body sets an output twice", 27);

  const kt_value pair[] = { handle_of (g->set[i]), value };
  kt_value sum          = 0;
  const kt_status status
      = _kette_host_g_node (g, "", "Add", 18, pair, 2, &sum, 1, NULL, 0);
  g->set[i] = value_of (g, sum);
  return status;
}

kt_status
_kette_host_g_type (const kt_graph *g, kt_value value, kt_type *out)
{
  const KetteValue *v = value_of (g, value);

  *out = v ? v->type : (kt_type){ 0 };
  return KT_OK;
}

static int
dtype_of_view (const kt_tensor *t)
{
  for (int dtype = 1; dtype <= KETTE_DTYPE_LAST; dtype++)
    {
      const KetteDtype *row = _kette_dtype (dtype);
      if (row && row->bits && row->code == t->code && row->bits == t->bits)
        return dtype;
    }
  return 0;
}

kt_status
_kette_host_g_constant (kt_graph *g, const kt_tensor *tensor, kt_value *out)
{
  GError *error = NULL;

  *out = 0;
  if (failed (g))
    return g->context->failure->status;

  KetteTensor *data = _kette_tensor_from_view (tensor, dtype_of_view (tensor), &error);
  if (!data)
    return fail_with (g, error);
  KetteValue *value = _kette_graph_add_constant (g->graph, NULL, data, &error);
  kette_tensor_unref (data);
  if (!value)
    return fail_with (g, error);
  value->flags
      &= ~(uint32_t) KETTE_VALUE_INITIALIZER; /* a constant of ours, no parameter */
  *out = handle_of (value);
  return KT_OK;
}

/* Calls a gradient or body and turns its outcome into *error. */
static gboolean
call (kt_graph *g, kt_status (*callback) (const kt_host *, kt_graph *, void *),
      GError **error)
{
  const KetteNode *node     = g->context->node;
  const KetteRunning *outer = _kette_running;
  const KetteRunning now
      = { node->def->plugin, node->name, node->op,
          g->emit == KETTE_EMIT_BODY ? "body" : "gradient", node->index };
  kt_status status;

  _kette_running = &now;
  status         = callback (_kette_host (), g, node->def->op.user);
  _kette_running = outer;

  return status == KT_OK && g->context->failure->status == KT_OK
             ? TRUE
             : _kette_failure_to_error (g->context->failure, status, node, error);
}

gboolean
_kette_emit_gradient (KetteNode *node, KetteValue **seeds, const uint8_t *wanted,
                      KetteValue **set, GError **error)
{
  KetteFailure failure = { 0 };
  KetteContext context = { node, &failure };
  kt_graph g           = { .context = &context,
                           .graph   = node->graph,
                           .emit    = KETTE_EMIT_GRADIENT,
                           .seeds   = seeds,
                           .in      = node->in,
                           .wanted  = wanted,
                           .set     = set };

  return call (&g, node->def->op.gradient, error);
}

gboolean
_kette_emit_body (KetteNode *node, KetteGraph *graph, KetteValue *const *in,
                  KetteValue **out, GError **error)
{
  KetteFailure failure = { 0 };
  KetteContext context = { node, &failure };
  kt_graph g           = {
              .context = &context, .graph = graph, .emit = KETTE_EMIT_BODY, .in = in, .set = out
  };
  uint8_t *wanted
      = _kette_alloc (_kette_account_process (), (size_t) MAX (node->n_out, 1), 1, error);
  gboolean ok;

  if (!wanted)
    return FALSE;
  for (int32_t i = 0; i < node->n_out; i++)
    wanted[i] = node->out[i] != NULL;
  g.wanted = wanted;
  ok       = call (&g, node->def->op.body, error);
  for (int32_t i = 0; ok && i < node->n_out; i++)
    if (node->out[i] && !out[i])
      {
        char where[KETTE_WHERE_SIZE];
        ok = _kette_fail (error, KETTE_ERROR_PLUGIN, _kette_node_where (node, where),
                          "the body in \"%s\" does not make output %d", node->def->plugin,
                          i);
      }
  _kette_free (wanted);
  return ok;
}

gboolean
_kette_node_expand (KetteNode *node, GError **error)
{
  KetteValue **out = _kette_alloc (_kette_account_process (),
                                   (size_t) MAX (node->n_out, 1), sizeof *out, error);
  gboolean ok      = out && _kette_emit_body (node, node->graph, node->in, out, error);

  for (int32_t i = 0; ok && i < node->n_out; i++)
    if (node->out[i])
      node->out[i]->replacement = out[i];
  if (ok)
    _kette_node_kill (node);
  _kette_free (out);
  return ok;
}
