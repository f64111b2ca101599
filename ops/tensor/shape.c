/* SPDX-License-Identifier: Apache-2.0
 *
 * Shape: the dims of x from `start` to before `end`.  Source: ONNX Shape-15.
 */
#include "shape.h"

/* The dims asked for: begin .. end - 1 of rank NDIM. */
static void
range (const kt_host *host, const void *ctx, int32_t ndim, int32_t *begin, int32_t *end)
{
  const int64_t ask[2]
      = { kt_attr_int (host, ctx, "start", 0), kt_attr_int (host, ctx, "end", ndim) };
  int64_t at[2];

  for (int i = 0; i < 2; i++)
    {
      at[i] = ask[i] < -(int64_t) ndim ? 0 : ask[i] < 0 ? ask[i] + ndim : ask[i];
      at[i] = at[i] > ndim ? ndim : at[i];
    }
  *begin = (int32_t) at[0];
  *end   = (int32_t) (at[1] < at[0] ? at[0] : at[1]);
}

static kt_status
shape_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);
  int32_t begin, end;

  (void) user;
  if (x.kind == 0 || x.ndim < 0)
    return kt_set_unknown (host, infer, 0, KT_I64, 1);
  range (host, infer, x.ndim, &begin, &end);

  const int64_t n = end - begin;
  KT_TRY (kt_set_out (host, infer, 0, KT_I64, &n, 1));
  return host->out_ints (infer, 0, x.dims + begin, (size_t) n);
}

static kt_status
shape_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0);
  int32_t end;

  (void) user;
  KT_TRY (host->keep (prep, sizeof (int32_t), state));
  range (host, prep, x.ndim, *state, &end);
  return KT_OK;
}

static kt_status
shape_run (const kt_host *host, kt_run *run, void *state)
{
  const int64_t n = run->out[0].shape[0];

  (void) host;
  if (n)
    memcpy (run->out[0].data, run->in[0].shape + *(const int32_t *) state,
            (size_t) n * sizeof (int64_t));
  return KT_OK;
}

static const kt_kernel shape_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = shape_prepare, .run = shape_run },
  { 0 },
};

const kt_operator kette_op_shape = {
  .op     = { KT_OP ("Shape", 1), .flags = KT_OP_PURE | KT_OP_ZERO_GRADIENT,
              .infer = shape_infer },
  .kernel = shape_kernel,
};
