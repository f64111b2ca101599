/* SPDX-License-Identifier: Apache-2.0
 *
 * Transpose: axis perm[d] of x becomes axis d; without perm all axes are reversed.
 * Source: ONNX Transpose-13.
 */
#include "emit.h"
#include "move.h"

/* perm as axes of rank NDIM. */
static kt_status
permutation (const kt_host *host, const void *ctx, int32_t ndim,
             int32_t perm[KT_MAX_RANK])
{
  size_t n;
  const int64_t *given = kt_attr_ints (host, ctx, "perm", &n);
  uint32_t seen        = 0;

  if (ndim > KT_MAX_RANK)
    return kt_fail (host, ctx, KT_E_LIMIT, "rank %d exceeds %d", (int) ndim, KT_MAX_RANK);
  for (int32_t d = 0; !given && d < ndim; d++)
    perm[d] = ndim - 1 - d;
  if (!given)
    return KT_OK;
  if (n != (size_t) ndim)
    return kt_fail (host, ctx, KT_E_ATTR, "perm has %zu axes, the input has rank %d", n,
                    (int) ndim);
  for (int32_t d = 0; d < ndim; d++)
    {
      KT_TRY (kt_axis (host, ctx, KT_E_ATTR, given[d], ndim, &perm[d]));
      if (seen >> perm[d] & 1)
        return kt_fail (host, ctx, KT_E_ATTR, "perm has axis %d twice", (int) perm[d]);
      seen |= (uint32_t) 1 << perm[d];
    }
  return KT_OK;
}

static kt_status
transpose_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);
  int32_t perm[KT_MAX_RANK];
  int64_t dims[KT_MAX_RANK];
  size_t n;

  (void) user;
  if (x.kind == 0)
    return KT_OK;
  if (x.ndim < 0)
    return kt_set_unknown (
        host, infer, 0, x.dtype,
        kt_attr_ints (host, infer, "perm", &n) ? (int32_t) (n < 99 ? n : 99) : -1);
  KT_TRY (permutation (host, infer, x.ndim, perm));
  for (int32_t d = 0; d < x.ndim; d++)
    dims[d] = x.dims[perm[d]];
  return kt_set_out (host, infer, 0, x.dtype, dims, x.ndim);
}

static kt_status
transpose_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0);
  int64_t dims[KT_MAX_RANK], strides[KT_MAX_RANK], in[KT_MAX_RANK], out[KT_MAX_RANK];
  int32_t perm[KT_MAX_RANK];

  (void) user;
  KT_TRY (permutation (host, prep, x.ndim, perm));
  KT_TRY (host->keep (prep, sizeof (kt_move), state));
  kt_strides (x.dims, x.ndim, strides);
  for (int32_t d = 0; d < x.ndim; d++)
    {
      dims[d] = x.dims[perm[d]];
      in[d]   = strides[perm[d]];
    }
  kt_strides (dims, x.ndim, out);
  kt_move_plan (*state, x.dtype, x.ndim, dims, in, out);
  return KT_OK;
}

static kt_status
transpose_run (const kt_host *host, kt_run *run, void *state)
{
  return kt_move_run (host, run, state, run->in[0].data, 0, run->out[0].data, 0);
}

static const kt_kernel transpose_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = transpose_prepare,
    .run = transpose_run },
  { 0 },
};

/* dE/dx = dE/dy, transposed back. */
static kt_status
transpose_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_seed (g, 0);
  int64_t inverse[KT_MAX_RANK];
  int32_t perm[KT_MAX_RANK];
  size_t n = 0;

  (void) user;
  if (!kt_attr_ints (host, g, "perm", &n))
    return host->g_set (g, 0, kt_node (host, g, "Transpose", &dy, 1, NULL, 0));
  KT_TRY (permutation (host, g, n > KT_MAX_RANK ? KT_MAX_RANK + 1 : (int32_t) n, perm));
  for (size_t d = 0; d < n; d++)
    inverse[perm[d]] = (int64_t) d;

  const kt_attr attr = { .name = "perm", .kind = KT_A_INTS, .v = inverse, .n = n };
  return host->g_set (g, 0, kt_node (host, g, "Transpose", &dy, 1, &attr, 1));
}

const kt_operator kette_op_transpose = {
  .op     = { KT_OP ("Transpose", 1), .flags = KT_OP_PURE, .infer = transpose_infer,
              .gradient = transpose_gradient, .formula = "$0^\\top" },
  .kernel = transpose_kernel,
};
