/* SPDX-License-Identifier: Apache-2.0
 * The host function table that every plugin is handed; the part for infer, prepare and run.
 * (The part that emits nodes is emit.c.)
 */
#include "base/pool.h"
#include "base/random.h"
#include "op/devices.h"
#include "op/host-private.h"
#include <string.h>

/* Contents of shape inputs larger than this are not looked at before the run. */
#define MAX_KNOWN_INTS 65536

static KetteContext *
context_of (const void *ctx)
{
  return *(KetteContext *const *) ctx;
}

_Thread_local KetteFailure *_kette_failure_here
    __attribute__ ((tls_model ("initial-exec")));

static kt_status
host_fail (const void *ctx, kt_status code, const char *msg, size_t len)
{
  KetteFailure *failure
      = _kette_failure_here ? _kette_failure_here : context_of (ctx)->failure;

  if (failure->status == KT_OK && code != KT_OK)
    {
      const size_t n  = MIN (len, sizeof failure->text - 1);
      failure->status = code;
      memcpy (failure->text, msg, n);
      failure->text[n] = '\0';
    }
  return code;
}

static void
host_log (const void *ctx, int32_t level, const char *msg, size_t len)
{
  const KetteNode *node = context_of (ctx)->node;

  g_log ("Kette", level > 0 ? G_LOG_LEVEL_WARNING : G_LOG_LEVEL_DEBUG, "%s: %.*s",
         node ? node->op : "plugin", (int) MIN (len, 512), msg);
}

static void
attr_of (const KetteNode *node, const char *name, kt_attr *out)
{
  const kt_attr *attr = node ? _kette_node_attr (node, name) : NULL;

  *out = (kt_attr){ .name = name };
  if (attr)
    *out = *attr;
  else if (node)
    for (int32_t i = 0; i < node->def->op.n_attr; i++)
      if (strcmp (node->def->op.attr[i].name, name) == 0)
        *out = node->def->defaults[i];
}

static kt_status
host_attr (const void *ctx, const char *name, kt_attr *out)
{
  attr_of (context_of (ctx)->node, name, out);
  return KT_OK;
}

static kt_status
host_arity (const void *ctx, int32_t *n_in, int32_t *n_out, int32_t *version)
{
  const KetteNode *node = context_of (ctx)->node;

  *n_in  = node ? node->n_in : 0;
  *n_out = node ? node->n_out : 0;
  if (version)
    *version = node ? node->def->op.since : 0;
  return KT_OK;
}

static KetteValue *
operand (const KetteNode *node, int32_t is_out, int32_t i)
{
  if (!node || i < 0 || i >= (is_out ? node->n_out : node->n_in))
    return NULL; /* no node: a plugin that registers */
  return is_out ? node->out[i] : node->in[i];
}

static kt_status
host_type (const void *ctx, int32_t is_out, int32_t i, kt_type *out)
{
  const KetteValue *value = operand (context_of (ctx)->node, is_out, i);

  *out = value ? value->type : (kt_type){ 0 };
  if (value && out->kind == 0)
    out->ndim = -1;
  return KT_OK;
}

static kt_status
host_constant (const void *ctx, int32_t i, kt_tensor *out)
{
  KetteValue *value = operand (context_of (ctx)->node, 0, i);

  *out = (kt_tensor){ 0 };
  if (!value || !value->data || (value->flags & KETTE_VALUE_STATE))
    return KT_OK;
  value->flags |= value->flags & KETTE_VALUE_SOFT ? KETTE_VALUE_ASKED : 0;
  _kette_tensor_view (value->data, out);
  return KT_OK;
}

/* Makes VALUE's known content an int64 array, once. */
static gboolean
widen_ints (KetteValue *value, GError **error)
{
  const KetteTensor *data = value->data;
  int64_t *ints;

  if (!data || (data->dtype != KT_I64 && data->dtype != KT_I32)
      || data->count > MAX_KNOWN_INTS || (value->flags & KETTE_VALUE_STATE))
    return TRUE;
  ints = _kette_region_alloc (value->graph->region, MAX (data->count, 1), sizeof *ints,
                              error);
  if (!ints)
    return FALSE;
  for (size_t i = 0; i < data->count; i++)
    {
      const int64_t v = _kette_tensor_get_int (data, i);
      ints[i]         = KT_IS_DIM (v) ? INT64_MIN + ((int64_t) 1 << 31) : v;
    }
  value->ints   = ints;
  value->n_ints = data->count;
  return TRUE;
}

static kt_status
host_ints (const void *ctx, int32_t i, const int64_t **v, size_t *n)
{
  KetteValue *value        = operand (context_of (ctx)->node, 0, i);
  g_autoptr (GError) error = NULL;

  *v = NULL;
  *n = 0;
  if (!value)
    return KT_OK;
  if (!value->ints && !widen_ints (value, &error))
    return host_fail (ctx, KT_E_NOMEM, "no memory for known contents", 28);
  if (value->ints)
    value->flags |= value->flags & KETTE_VALUE_SOFT ? KETTE_VALUE_ASKED : 0;
  *v = value->ints;
  *n = value->n_ints;
  return KT_OK;
}

static kt_status
host_out_type (kt_infer *infer, int32_t i, const kt_type *type)
{
  KetteValue *value        = operand (infer->context->node, 1, i);
  g_autoptr (GError) error = NULL;
  char text[128];

  if (!value)
    return KT_OK;
  if (type->ndim > KETTE_MAX_RANK)
    return host_fail (infer, KT_E_SHAPE, "the output has more than 32 dims", 32);
  for (int32_t d = 0; d < type->ndim; d++)
    if (type->dims[d] < 0 && !KT_IS_DIM (type->dims[d]))
      {
        const int n
            = g_snprintf (text, sizeof text, "dim %d of output %d is %" G_GINT64_FORMAT,
                          d, i, (gint64) type->dims[d]);
        return host_fail (infer, KT_E_SHAPE, text, (size_t) n);
      }
  if (!_kette_value_set_type (value, type, &error))
    return host_fail (infer, KT_E_NOMEM, "no memory for a type", 20);
  return KT_OK;
}

static kt_status
host_out_ints (kt_infer *infer, int32_t i, const int64_t *v, size_t n)
{
  KetteValue *value        = operand (infer->context->node, 1, i);
  g_autoptr (GError) error = NULL;

  if (!value || n > MAX_KNOWN_INTS)
    return KT_OK;
  value->ints = _kette_region_dup (value->graph->region, v, n, sizeof *v, &error);
  if (!value->ints)
    return host_fail (infer, KT_E_NOMEM, "no memory for known contents", 28);
  value->n_ints = n;
  return KT_OK;
}

static kt_status
host_want_workspace (kt_prep *prep, size_t bytes, int32_t per_worker)
{
  if (bytes > SIZE_MAX / 2 - 64)
    return host_fail (prep, KT_E_NOMEM, "scratch memory beyond counting", 30);
  prep->workspace  = (bytes + 63) & ~(size_t) 63;
  prep->per_worker = per_worker;
  return KT_OK;
}

static kt_status
host_keep (kt_prep *prep, size_t bytes, void **p)
{
  g_autoptr (GError) error = NULL;

  *p = NULL;
  if (!_kette_grow (&prep->kept, &prep->kept_capacity, prep->n_kept + 1,
                    sizeof *prep->kept, &error)
      || !(*p = _kette_alloc (_kette_account_process (), MAX (bytes, 1), 1, &error)))
    return host_fail (prep, KT_E_NOMEM, error->message, strlen (error->message));
  prep->kept[prep->n_kept++] = *p;
  return KT_OK;
}

/* The file declared the shape of an output that the operator leaves open: the memory is
 * there already, and the result must have that shape. */
static kt_status
give_planned (kt_run *run, int32_t i, const int64_t *dims, int32_t ndim, kt_tensor *out)
{
  const kt_tensor *planned = i >= 0 && i < run->n_out ? &run->out[i] : NULL;
  char text[512], is[200], declared[200];

  if (!planned)
    return host_fail (run, KT_E_INTERNAL, "there is no such output", 23);
  if (planned->device_type == 0
      || (planned->ndim == ndim
          && (ndim <= 0
              || memcmp (planned->shape, dims, (size_t) ndim * sizeof *dims) == 0)))
    {
      *out = *planned;
      return KT_OK;
    }
  g_snprintf (
      text, sizeof text, "output %d is %s, declared as %s", i,
      _kette_shape_text (is, sizeof is, dims, ndim, NULL),
      _kette_shape_text (declared, sizeof declared, planned->shape, planned->ndim, NULL));
  return host_fail (run, KT_E_SHAPE, text, strlen (text));
}

static kt_status
host_output_sized (kt_run *run, int32_t i, const int64_t *dims, int32_t ndim,
                   kt_tensor *out)
{
  KetteStepRun *self = (KetteStepRun *) run;

  return self->sized ? self->sized (self, i, dims, ndim, out)
                     : give_planned (run, i, dims, ndim, out);
}

static void *
host_workspace (kt_run *run, int32_t worker, size_t *bytes)
{
  KetteStepRun *self = (KetteStepRun *) run;

  if (bytes)
    *bytes = self->workspace_bytes;
  return self->per_worker && worker >= 0
             ? self->workspace + (size_t) worker * self->workspace_bytes
             : self->workspace;
}

static kt_status
host_random (kt_run *run, uint32_t key[2], uint32_t counter[2])
{
  KetteStepRun *self    = (KetteStepRun *) run;
  const KetteNode *node = self->context.node;
  const kt_attr *attr   = _kette_node_attr (node, "seed");
  uint64_t seed         = self->shared->seed;
  const char *name      = node->origin ? node->origin : node->name;

  if (!*name && node->n_out && node->out[0])
    name = node->out[0]->name;
  if (attr)
    { /* FLOAT in the Random operators, INT in Dropout; no name is mixed in */
      const double f = attr->f;
      seed           = (uint64_t) attr->i;
      if (attr->kind == KT_A_FLOAT)
        memcpy (&seed, &f, sizeof seed);
      name = "";
    }
  _kette_random_key (seed, name, key);
  counter[0] = (uint32_t) self->shared->step;
  counter[1] = (uint32_t) (self->shared->step >> 32);
  return KT_OK;
}

static kt_status
host_parallel_for (kt_run *run, int64_t n, int64_t grain, kt_body *body, void *arg)
{
  const KetteStepRun *self = (const KetteStepRun *) run;
  KetteFailure *failure    = self->context.failure;

  if (_kette_pool_for_until (n, MAX (grain, 1), body, arg, self->shared->cancellable))
    return KT_OK;
  if (failure->status == KT_OK)
    failure->status = KT_E_CANCELLED;
  return KT_E_CANCELLED;
}

static int32_t
host_cancelled (const kt_run *run)
{
  const KetteStepRun *self = (const KetteStepRun *) run;

  return _kette_stopped (self->shared->cancellable);
}

static void *
host_native_stream (kt_run *run)
{
  return ((const KetteStepRun *) run)->stream;
}

static void *
host_device (const void *ctx)
{
  return context_of (ctx)->device;
}

static int32_t
host_precision (const kt_prep *prep)
{
  return prep->precision;
}

static kt_status
host_rounds (kt_prep *prep, int32_t precision)
{
  prep->rounds = precision;
  return KT_OK;
}

/* Chains --------------------------------------------------------------------------------- */

static const KetteNode *
follower_at (const kt_prep *prep, int32_t i)
{
  return i >= 0 && i < prep->n_followers ? prep->followers[i] : NULL;
}

static kt_status
host_follower (const kt_prep *prep, int32_t i, kt_follower *out)
{
  const KetteNode *node = follower_at (prep, i);

  *out = (kt_follower){ 0 };
  if (!node)
    return KT_OK;
  const KetteNode *before = i ? prep->followers[i - 1] : prep->context->node;
  while (node->in[out->operand] != before->out[0])
    out->operand++;
  out->domain  = node->domain;
  out->op      = node->op;
  out->version = node->def->op.since;
  out->n_in    = node->n_in;
  return KT_OK;
}

static kt_status
host_follower_attr (const kt_prep *prep, int32_t i, const char *name, kt_attr *out)
{
  attr_of (follower_at (prep, i), name, out);
  return KT_OK;
}

static kt_status
host_follower_type (const kt_prep *prep, int32_t i, int32_t input, kt_type *out)
{
  const KetteValue *value = operand (follower_at (prep, i), 0, input);

  *out = value ? value->type : (kt_type){ 0 };
  return KT_OK;
}

static kt_status
host_absorb (kt_prep *prep, int32_t n)
{
  char text[96];

  if (n < 0 || n > prep->n_followers)
    {
      g_snprintf (text, sizeof text, "%d followers cannot be absorbed, there are %d", n,
                  prep->n_followers);
      return host_fail (prep, KT_E_INTERNAL, text, strlen (text));
    }
  prep->n_absorbed = n;
  return KT_OK;
}

static kt_status
host_epilogue (kt_run *run, int64_t begin, int64_t end, int32_t worker)
{
  KetteStepRun *self = (KetteStepRun *) run;

  return self->follow && begin < end ? self->follow (self, begin, end, worker) : KT_OK;
}

static const kt_host host = {
  .struct_size    = sizeof (kt_host),
  .abi_major      = KT_ABI_MAJOR,
  .abi_minor      = KT_ABI_MINOR,
  .fail           = host_fail,
  .log            = host_log,
  .attr           = host_attr,
  .arity          = host_arity,
  .type           = host_type,
  .constant       = host_constant,
  .ints           = host_ints,
  .out_type       = host_out_type,
  .out_ints       = host_out_ints,
  .want_workspace = host_want_workspace,
  .keep           = host_keep,
  .output_sized   = host_output_sized,
  .workspace      = host_workspace,
  .random         = host_random,
  .parallel_for   = host_parallel_for,
  .cancelled      = host_cancelled,
  .native_stream  = host_native_stream,
  .g_in           = _kette_host_g_in,
  .g_out          = _kette_host_g_out,
  .g_seed         = _kette_host_g_seed,
  .g_wanted       = _kette_host_g_wanted,
  .g_node         = _kette_host_g_node,
  .g_set          = _kette_host_g_set,
  .g_type         = _kette_host_g_type,
  .g_constant     = _kette_host_g_constant,
  .add_op         = _kette_registry_add_op,
  .add_kernel     = _kette_registry_add_kernel,
  .follower       = host_follower,
  .follower_attr  = host_follower_attr,
  .follower_type  = host_follower_type,
  .absorb         = host_absorb,
  .epilogue       = host_epilogue,
  .processors     = _kette_pool_get_processors,
  .add_device     = _kette_devices_add,
  .device         = host_device,
  .precision      = host_precision,
  .rounds         = host_rounds,
};

const kt_host *
_kette_host (void)
{
  return &host;
}

/* What a status means as an error, and what is said when the plugin says nothing. */
static const struct
{
  kt_status status;
  KetteErrorCode code;
  const char *text;
} statuses[] = {
  { KT_E_ATTR, KETTE_ERROR_ATTR, "an attribute is wrong" },
  { KT_E_VALUE, KETTE_ERROR_VALUE, "the content of an input is wrong" },
  { KT_E_TYPE, KETTE_ERROR_TYPE, "element types do not fit" },
  { KT_E_SHAPE, KETTE_ERROR_SHAPE, "shapes do not fit" },
  { KT_E_NOMEM, KETTE_ERROR_MEMORY, "memory was refused" },
  { KT_E_DEVICE, KETTE_ERROR_DEVICE, "the device failed" },
  { KT_E_UNSUPPORTED, KETTE_ERROR_UNSUPPORTED, "not supported" },
  { KT_E_INTERNAL, KETTE_ERROR_INTERNAL, "a fault of the plugin; please report it" },
  { KT_E_CANCELLED, KETTE_ERROR_CANCEL, "cancelled" },
  { KT_E_LIMIT, KETTE_ERROR_LIMIT, "a dim does not fit 63 bits" },
};

kt_status
_kette_status_of (const GError *error)
{
  for (size_t i = 0; i < G_N_ELEMENTS (statuses); i++)
    if (g_error_matches (error, KETTE_ERROR, statuses[i].code))
      return statuses[i].status;
  return KT_E_INTERNAL;
}

gboolean
_kette_failure_to_error (const KetteFailure *failure, kt_status status,
                         const KetteNode *node, GError **error)
{
  char where[KETTE_WHERE_SIZE];
  const kt_status s = failure->status != KT_OK ? failure->status : status;

  if (node)
    _kette_node_where (node, where);
  for (size_t i = 0; i < G_N_ELEMENTS (statuses); i++)
    if (statuses[i].status == s)
      return _kette_fail (error, statuses[i].code, node ? where : NULL, "%s",
                          *failure->text ? failure->text : statuses[i].text);
  return _kette_fail (error, KETTE_ERROR_PLUGIN, node ? where : NULL,
                      "the operator's plugin returned the unknown status %d", (int) s);
}
