/* SPDX-License-Identifier: Apache-2.0
 * Checks of the shape rules alone, for each case and with all that may be known of its inputs
 * before a run: dims open, dims symbols, rank unknown, nothing known; of integers the content,
 * in full or in part. Less knowledge must not lead to another result, nor to an error that the
 * case does not have; whatever the host refuses must reach the caller.
 */
#include "infercheck.h"
#include "base/faults.h"
#include "op/context.h"
#include "opcheck.h"
#include "pass/pass.h"
#include <string.h>

typedef enum
{
  KNOWN,
  OPEN,     /* dims not known */
  SYMBOLS,  /* each dim a symbol of its own, the same for equal numbers */
  RANKLESS, /* the rank not known */
  NOTHING,  /* the element type not known */
  CONTENT,  /* of integers: a constant */
  PARTLY,   /* every second element, the others open */
  VAGUE,    /* the same, and of the dims only their number */
  N_KNOWLEDGE
} Knowledge;

static gboolean
is_integers (const KetteTensor *t)
{
  return t->dtype == KT_I32 || t->dtype == KT_I64;
}

/* A constant's elements, the even ones not known. */
static gboolean
know_partly (KetteValue *value, const KetteTensor *t, GError **error)
{
  int64_t *ints = _kette_region_alloc (value->graph->region, MAX (t->count, 1),
                                       sizeof *ints, error);

  for (size_t i = 0; ints && i < t->count; i++)
    ints[i] = i % 2 ? _kette_tensor_get_int (t, i) : KT_DIM (0);
  value->ints   = ints;
  value->n_ints = t->count;
  return ints != NULL;
}

static gboolean
know (KetteValue *value, KetteTensor *t, Knowledge knowledge, GError **error)
{
  int64_t dims[KETTE_MAX_RANK] = { 0 };

  switch (knowledge)
    {
    case CONTENT:
      _kette_value_set_data (value, t);
      return TRUE;
    case PARTLY:
    case VAGUE:
      return know_partly (value, t, error)
             && (knowledge == PARTLY || know (value, t, OPEN, error));
    case NOTHING:
      value->type = (kt_type){ 0 };
      return TRUE;
    case OPEN:
    case SYMBOLS:
      for (int d = 0; d < t->rank; d++)
        dims[d] = knowledge == OPEN ? KT_DIM (0) : KT_DIM (1 + MIN (t->dims[d], 1000));
      return _kette_value_set_tensor_type (value, t->dtype, dims, t->rank, error);
    case RANKLESS:
      return _kette_value_set_tensor_type (value, t->dtype, dims, -1, error);
    default:
      return TRUE;
    }
}

/* The case's graph with so much known of each input; ready for inference. */
static KetteGraph *
graph_with (const Case *c, const Knowledge *knowledge, GError **error)
{
  KetteGraph *graph = opcheck_graph (c, c->in, 0, error);
  gboolean ok       = graph != NULL;

  for (int i = 0; ok && i < c->n_in; i++)
    {
      char name[16];

      g_snprintf (name, sizeof name, "x%d", i);
      if (c->in[i])
        ok = know (_kette_graph_find (graph, name), c->in[i], knowledge[i], error);
    }
  ok = ok && _kette_pass_check (graph, error) && _kette_pass_canonical (graph, error);
  if (!ok)
    g_clear_pointer (&graph, kette_graph_unref);
  return graph;
}

/* Does what was inferred agree with the outputs that the case has? */
static gboolean
fits (const Case *c, const KetteGraph *graph, GError **error)
{
  for (size_t i = 0, k = 0; i < (size_t) c->n_out; i++)
    {
      char text[256];

      if (!c->out[i])
        continue;
      const kt_type *type = &graph->outputs[k++]->type;
      if (type->kind == 0)
        continue;
      gboolean same = type->dtype == c->out[i]->dtype
                      && (type->ndim < 0 || type->ndim == c->out[i]->rank);
      for (int d = 0; same && d < type->ndim; d++)
        same = KT_IS_DIM (type->dims[d])
                   ? type->dims[d] == KT_DIM (0) || type->dims[d] > KT_DIM (1000)
                         || type->dims[d] == KT_DIM (1 + c->out[i]->dims[d])
                   : type->dims[d] == c->out[i]->dims[d];
      if (!same)
        return _kette_fail (error, KETTE_ERROR_SHAPE, NULL,
                            "output %zu is inferred as %s", i,
                            _kette_type_text (text, sizeof text, type, NULL));
    }
  return TRUE;
}

/* Inference fails as the case does, or not at all. */
static gboolean
check_once (const Case *c, const Knowledge *knowledge, GError **error)
{
  g_autoptr (GError) local     = NULL;
  g_autoptr (KetteGraph) graph = graph_with (c, knowledge, &local);

  if (graph && _kette_pass_infer (graph, &local))
    return c->error_code || fits (c, graph, error);
  const char *code = _kette_error_code_name ((KetteErrorCode) local->code);
  if (c->error_code ? strcmp (code, c->error_code) == 0
                    : local->code == KETTE_ERROR_UNSUPPORTED)
    return TRUE; /* old forms that need a rank may say so */
  if (c->error_code && local->code == KETTE_ERROR_UNSUPPORTED)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* Calls VISIT with all that may be known of two inputs and of all at once, the rest known. */
static gboolean
for_all (const Case *c,
         gboolean (*visit) (const Case *c, const Knowledge *knowledge, GError **error),
         GError **error)
{
  Knowledge knowledge[CASE_MOST] = { KNOWN };
  const int n                    = MIN (c->n_in, 6);

  for (int i = 0; i < n; i++)
    for (int j = MIN (i + 1, n - 1); j < n; j++)
      for (int k = 0; k < N_KNOWLEDGE * N_KNOWLEDGE; k++)
        {
          const Knowledge first = (Knowledge) (k / N_KNOWLEDGE);

          memset (knowledge, 0, sizeof knowledge);
          knowledge[j] = (Knowledge) (k % N_KNOWLEDGE);
          if (i != j)
            knowledge[i] = first;
          else if (k >= N_KNOWLEDGE)
            break;
          if ((knowledge[i] >= CONTENT && (!c->in[i] || !is_integers (c->in[i])))
              || (knowledge[j] >= CONTENT && (!c->in[j] || !is_integers (c->in[j]))))
            continue;
          if (!visit (c, knowledge, error))
            {
              g_prefix_error (error, "input %d as %d, %d as %d: ", i, knowledge[i], j,
                              knowledge[j]);
              return FALSE;
            }
        }
  for (int k = OPEN; k <= NOTHING; k++)
    {
      for (int i = 0; i < CASE_MOST; i++)
        knowledge[i] = (Knowledge) k;
      if (!visit (c, knowledge, error))
        {
          g_prefix_error (error, "all as %d: ", k);
          return FALSE;
        }
    }
  return TRUE;
}

/* -- a host that refuses -------------------------------------------------------------------- */

#define REFUSED KT_E_DEVICE /* no shape rule fails so by itself */

static int until_refusal; /* calls that are still served; -1 and below: refused already */

static gboolean
serves (void)
{
  return until_refusal-- != 0;
}

static kt_status
some_arity (const void *ctx, int32_t *n_in, int32_t *n_out, int32_t *version)
{
  return serves () ? _kette_host ()->arity (ctx, n_in, n_out, version) : REFUSED;
}

static kt_status
some_constant (const void *ctx, int32_t i, kt_tensor *out)
{
  return serves () ? _kette_host ()->constant (ctx, i, out) : REFUSED;
}

static kt_status
some_ints (const void *ctx, int32_t i, const int64_t **v, size_t *n)
{
  return serves () ? _kette_host ()->ints (ctx, i, v, n) : REFUSED;
}

static kt_status
some_out_type (kt_infer *infer, int32_t i, const kt_type *type)
{
  return serves () ? _kette_host ()->out_type (infer, i, type) : REFUSED;
}

static kt_status
some_out_ints (kt_infer *infer, int32_t i, const int64_t *v, size_t n)
{
  return serves () ? _kette_host ()->out_ints (infer, i, v, n) : REFUSED;
}

/* Calls the shape rule of each node with a host that refuses its first call, its second, ...:
 * that is what the rule returns. */
static gboolean
check_refusal (const Case *c, const Knowledge *knowledge, GError **error)
{
  g_autoptr (GError) local     = NULL;
  g_autoptr (KetteGraph) graph = graph_with (c, knowledge, &local);
  kt_host host                 = *_kette_host ();

  host.arity    = some_arity;
  host.constant = some_constant;
  host.ints     = some_ints;
  host.out_type = some_out_type;
  host.out_ints = some_out_ints;
  for (size_t i = 0; graph && i < graph->n_nodes; i++)
    {
      KetteNode *node = graph->nodes[i];

      if ((node->flags & KETTE_NODE_DEAD) || !node->def || !node->def->op.infer)
        continue;
      for (int n = 0;; n++)
        {
          KetteFailure failure = { 0 };
          KetteContext context = { node, &failure };
          kt_infer infer       = { &context };

          until_refusal = n;
          const kt_status status
              = node->def->op.infer (&host, &infer, node->def->op.user);
          if (until_refusal >= 0) /* there was no call N */
            break;
          if (status != REFUSED)
            return _kette_fail (error, KETTE_ERROR_PLUGIN, NULL,
                                "call %d to the host is refused, %s returns %d", n,
                                node->op, (int) status);
        }
      if (!_kette_node_infer (node, NULL))
        break;
    }
  return TRUE;
}

/* -- no memory ------------------------------------------------------------------------------ */

#if KETTE_FAULTS
/* Every allocation of inference is refused in turn: the error is `memory`, or none. */
static gboolean
check_memory (const Case *c, const Knowledge *knowledge, GError **error)
{
  for (int n = 1; n < 100; n++)
    {
      g_autoptr (GError) local     = NULL;
      g_autoptr (KetteGraph) graph = graph_with (c, knowledge, NULL);
      char text[32];

      if (!graph)
        return TRUE;
      g_snprintf (text, sizeof text, "alloc:%d", n);
      _kette_faults_set (text, NULL);
      const gboolean ok  = _kette_pass_infer (graph, &local);
      const gboolean all = _kette_faults_count (KETTE_FAULT_ALLOC) < (uint64_t) n;
      _kette_faults_set (NULL, NULL);
      if (all)
        return TRUE;
      if (ok || !g_error_matches (local, KETTE_ERROR, KETTE_ERROR_MEMORY))
        return _kette_fail (error, KETTE_ERROR_MEMORY, NULL,
                            "allocation %d is refused: %s", n,
                            local ? local->message : "no error");
    }
  return TRUE;
}
#endif

GError *
infercheck_less (const Case *c)
{
  GError *error = NULL;

  for_all (c, check_once, &error);
  return error;
}

GError *
infercheck_refusal (const Case *c)
{
  GError *error                  = NULL;
  Knowledge knowledge[CASE_MOST] = { KNOWN };

#if KETTE_FAULTS
  if (!check_memory (c, knowledge, &error))
    return error;
#endif
  for (int k = KNOWN; k <= RANKLESS; k++)
    {
      for (int with = 0; with < 2; with++)
        {
          for (int i = 0; i < CASE_MOST; i++)
            knowledge[i]
                = with && c->in[i] && is_integers (c->in[i]) ? CONTENT : (Knowledge) k;
          if (!check_refusal (c, knowledge, &error))
            return error;
#if KETTE_FAULTS
          if (with && !check_memory (c, knowledge, &error))
            return error;
#endif
        }
    }
  return error;
}
