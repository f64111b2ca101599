/* SPDX-License-Identifier: Apache-2.0
 *
 * pool-global.c: shape rule and kernel of pools whose window is the whole plane.
 */
#include "pool-global.h"

kt_status
kt_global_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);
  int64_t dims[KT_MAX_RANK];

  (void) user;
  if (x.kind == 0)
    return KT_OK;
  if (x.ndim >= 0 && (x.ndim < 3 || x.ndim > KT_MAX_RANK))
    return kt_fail (host, infer, KT_E_SHAPE, "X has rank %d, must be in 3..%d",
                    (int) x.ndim, KT_MAX_RANK);
  for (int32_t d = 0; d < x.ndim; d++)
    dims[d] = d < 2 ? x.dims[d] : 1;
  return kt_set_out (host, infer, 0, x.dtype, dims, x.ndim);
}

typedef struct
{
  const kt_reduce_loops *loops;
  kt_reduce plan;
} State;

kt_status
kt_global_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0);
  State *s;

  KT_TRY (host->keep (prep, sizeof *s, state));
  s = *state;
  for (s->loops = user; s->loops->rows; s->loops++)
    if (s->loops->dtype == x.dtype)
      break;
  kt_reduce_plan (&s->plan, x.ndim, x.dims,
                  (uint32_t) (((uint64_t) 1 << x.ndim) - 1) & ~(uint32_t) 3);
  return host->want_workspace (prep, kt_reduce_bytes (&s->plan, s->loops), 0);
}

kt_status
kt_global_run (const kt_host *host, kt_run *run, void *state)
{
  const State *const s = state;

  return kt_reduce_run_plan (host, run, &s->plan, s->loops, run->in[0].data,
                             run->out[0].data,
                             s->plan.blocks > 1 ? host->workspace (run, -1, NULL) : NULL);
}

kt_value
kt_global_axes (const kt_host *host, kt_graph *g)
{
  const kt_type x = kt_in_type (host, g, 0);
  int64_t axes[KT_MAX_RANK];

  if (x.kind == 0 || x.ndim < 3 || x.ndim > KT_MAX_RANK)
    {
      kt_fail (host, g, KT_E_UNSUPPORTED, "its gradient needs to know the rank of X");
      return 0;
    }
  for (int32_t d = 2; d < x.ndim; d++)
    axes[d - 2] = d;
  return kt_ints (host, g, axes, x.ndim - 2);
}
