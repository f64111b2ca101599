/* SPDX-License-Identifier: Apache-2.0
 *
 * Concat: the inputs one after the other along `axis`.  Source: ONNX Concat-13.
 */
#include "emit.h"
#include "parts.h"

/* Merges shape T into DIMS; dims along AXIS add up. */
static kt_status
join_shape (const kt_host *host, kt_infer *infer, int64_t *dims, int32_t axis, int32_t i,
            const kt_type *t)
{
  for (int32_t d = 0; d < t->ndim; d++)
    {
      const bool both = kt_dim_known (dims[d]) && kt_dim_known (t->dims[d]);
      if (d == axis)
        {
          if (!both)
            dims[d] = KT_DIM (0);
          else if (__builtin_add_overflow (dims[d], t->dims[d], &dims[d]))
            return kt_fail (host, infer, KT_E_LIMIT, "dim %d exceeds 2^63", (int) d);
        }
      else if (both && dims[d] != t->dims[d])
        return kt_fail (host, infer, KT_E_SHAPE,
                        "dim %d of input %d is %lld, others have %lld", (int) d, (int) i,
                        (long long) t->dims[d], (long long) dims[d]);
      else if (!kt_dim_known (dims[d])
               && (kt_dim_known (t->dims[d]) || dims[d] == KT_DIM (0)))
        dims[d] = t->dims[d];
    }
  return KT_OK;
}

/* Joins what is known of vectors of integers. */
static kt_status
join_ints (const kt_host *host, kt_infer *infer, int32_t n_in, int64_t total)
{
  int64_t joined[256];
  int64_t at = 0;

  if (total > (int64_t) (sizeof joined / sizeof *joined))
    return KT_OK;
  for (int32_t i = 0; i < n_in; i++)
    {
      const kt_type t = kt_in_type (host, infer, i);
      const int64_t *v;
      size_t n;
      KT_TRY (host->ints (infer, i, &v, &n));
      for (int64_t k = 0; k < t.dims[0]; k++)
        joined[at++] = v ? v[k] : KT_DIM (0);
    }
  return host->out_ints (infer, 0, joined, (size_t) total);
}

static kt_status
concat_infer (const kt_host *host, kt_infer *infer, void *user)
{
  int64_t dims[KT_MAX_RANK];
  int32_t n_in, n_out, ndim = -1, dtype = 0, axis = 0;
  bool all = true;

  (void) user;
  KT_TRY (host->arity (infer, &n_in, &n_out, NULL));
  for (int32_t i = 0; i < n_in; i++)
    {
      const kt_type t = kt_in_type (host, infer, i);
      dtype           = t.kind ? t.dtype : dtype;
      if (t.kind == 0 || t.ndim < 0)
        {
          all = false;
          continue;
        }
      if (ndim >= 0 && t.ndim != ndim)
        return kt_fail (host, infer, KT_E_SHAPE, "input %d has rank %d, others have %d",
                        (int) i, (int) t.ndim, (int) ndim);
      if (ndim >= 0)
        {
          KT_TRY (join_shape (host, infer, dims, axis, i, &t));
          continue;
        }
      ndim = t.ndim;
      KT_TRY (kt_axis (host, infer, KT_E_ATTR, kt_attr_int (host, infer, "axis", 1), ndim,
                       &axis));
      memcpy (dims, t.dims, (size_t) ndim * sizeof *dims);
    }
  if (dtype == 0)
    return KT_OK;
  if (ndim < 0)
    return kt_set_unknown (host, infer, 0, dtype, -1);
  if (!all)
    dims[axis] = KT_DIM (0);
  KT_TRY (kt_set_out (host, infer, 0, dtype, dims, ndim));
  return all && ndim == 1 && kt_dim_known (dims[0])
                 && (dtype == KT_I64 || dtype == KT_I32)
             ? join_ints (host, infer, n_in, dims[0])
             : KT_OK;
}

static kt_status
concat_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type y = kt_out_type (host, prep, 0);
  int32_t n_in, n_out, axis = 0;
  void *memory;

  (void) user;
  KT_TRY (host->arity (prep, &n_in, &n_out, NULL));
  KT_TRY (kt_axis (host, prep, KT_E_ATTR, kt_attr_int (host, prep, "axis", 1), y.ndim,
                   &axis));
  KT_TRY (host->keep (prep, (size_t) n_in * sizeof (int64_t), &memory));
  int64_t *lengths = memory;
  for (int32_t i = 0; i < n_in; i++)
    lengths[i] = kt_in_type (host, prep, i).dims[axis];
  return kt_parts_prepare (host, prep, false, axis, lengths, n_in, state);
}

static kt_status
concat_run (const kt_host *host, kt_run *run, void *state)
{
  return kt_parts_run (host, run, false, state);
}

/* Channels in blocks are joined as they lie: those of an input are one piece per image, and
 * whole blocks. */
#define FOUR(TAG) TAG "," TAG "," TAG "," TAG ","
#define SIXTEEN(TAG) FOUR (TAG) FOUR (TAG) FOUR (TAG) FOUR (TAG)
#define TAGS(TAG) SIXTEEN (TAG) SIXTEEN (TAG) SIXTEEN (TAG) SIXTEEN (TAG) ">" TAG

static int32_t
joins_channels (const kt_host *host, const void *ctx, void *user)
{
  const kt_type y = kt_out_type (host, ctx, 0);
  int64_t axis    = kt_attr_int (host, ctx, "axis", 1);
  int32_t n_in, n_out;

  (void) user;
  if (axis < 0)
    axis += y.ndim;
  return host->arity (ctx, &n_in, &n_out, NULL) == KT_OK && n_in <= 64 && y.ndim > 2
         && axis == 1;
}

static const kt_kernel concat_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = concat_prepare, .run = concat_run },
  { KT_KERNEL, .flags = KT_CPU_FLAGS | KT_K_FOLLOWS, .priority = 1, .layout = TAGS ("c8"),
    .suits = joins_channels, .prepare = concat_prepare, .run = concat_run },
  { KT_KERNEL, .flags = KT_CPU_FLAGS | KT_K_FOLLOWS, .priority = 2,
    .layout = TAGS ("c16"), .suits = joins_channels, .prepare = concat_prepare,
    .run = concat_run },
  { 0 },
};

/* The lengths of the inputs along AXIS, as a vector: constant if all are known. */
static kt_value
lengths (const kt_host *host, kt_graph *g, int32_t n_in, int32_t axis)
{
  const kt_attr bounds[] = { { .name = "start", .kind = KT_A_INT, .i = axis },
                             { .name = "end", .kind = KT_A_INT, .i = axis + 1 } };
  const kt_attr zero     = { .name = "axis", .kind = KT_A_INT, .i = 0 };
  int64_t known[64];
  kt_value parts[64];
  bool all = true;

  for (int32_t i = 0; i < n_in; i++)
    {
      const kt_type t = kt_in_type (host, g, i);
      all             = all && t.ndim > axis && kt_dim_known (t.dims[axis]);
      known[i]        = all ? t.dims[axis] : 0;
    }
  if (all)
    return kt_ints (host, g, known, n_in);
  for (int32_t i = 0; i < n_in; i++)
    {
      const kt_value x = host->g_in (g, i);
      parts[i]         = kt_node (host, g, "Shape", &x, 1, bounds, 2);
    }
  return kt_node (host, g, "Concat", parts, n_in, &zero, 1);
}

/* dE/dx_i = the part of dE/dy that x_i became: a Split. */
static kt_status
concat_gradient (const kt_host *host, kt_graph *g, void *user)
{
  kt_value in[2] = { host->g_seed (g, 0), 0 }, out[64];
  kt_attr attr   = { .name = "axis", .kind = KT_A_INT };
  int32_t n_in, n_out, axis = 0;
  kt_type t;

  (void) user;
  KT_TRY (host->arity (g, &n_in, &n_out, NULL));
  if (n_in > 64)
    return kt_fail (host, g, KT_E_UNSUPPORTED,
                    "a gradient of %d inputs, at most 64 are served", (int) n_in);
  KT_TRY (host->g_type (g, in[0], &t));
  if (t.ndim < 0)
    return kt_fail (host, g, KT_E_UNSUPPORTED, "the gradient needs a known rank");
  KT_TRY (kt_axis (host, g, KT_E_ATTR, kt_attr_int (host, g, "axis", 1), t.ndim, &axis));
  attr.i = axis;
  in[1]  = lengths (host, g, n_in, axis);
  KT_TRY (host->g_node (g, "", "Split", KT_EMIT_OPSET, in, 2, out, n_in, &attr, 1));
  for (int32_t i = 0; i < n_in; i++)
    if (host->g_wanted (g, i))
      KT_TRY (host->g_set (g, i, out[i]));
  return KT_OK;
}

/* Concat-1: axis has a default. */
static kt_status
concat_1_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_attr axis
      = { .name = "axis", .kind = KT_A_INT, .i = kt_attr_int (host, g, "axis", 1) };
  kt_value in[64];
  int32_t n_in, n_out;

  (void) user;
  KT_TRY (host->arity (g, &n_in, &n_out, NULL));
  if (n_in > 64)
    return kt_fail (host, g, KT_E_UNSUPPORTED,
                    "Concat-1 of %d inputs, at most 64 are served", (int) n_in);
  for (int32_t i = 0; i < n_in; i++)
    in[i] = host->g_in (g, i);
  return host->g_set (g, 0, kt_node (host, g, "Concat", in, n_in, &axis, 1));
}

const kt_operator kette_op_concat = {
  .op     = { KT_OP ("Concat", 4), .flags = KT_OP_PURE, .infer = concat_infer,
              .gradient = concat_gradient },
  .kernel = concat_kernel,
  .old    = (const kt_op[]){ { KT_OLD ("Concat", 1, 3), .flags = KT_OP_PURE,
                               .body = concat_1_body },
                             { 0 } },
};
