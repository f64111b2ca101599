/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.Copy: y = x, in the memory of another device. Plans insert it where a value is read on
 * a device other than the one that made it; which these are is the plan's business, the
 * attributes "from" and "to" only name them. Elsewhere it is a copy within memory.
 */
#include "emit.h"

static kt_status
copy_run (const kt_host *host, kt_run *run, void *state)
{
  const kt_tensor *x = &run->in[0];
  const int64_t bits = kt_count (x->shape, x->ndim) * x->bits * x->lanes;

  (void) host, (void) state;
  if (bits > 0 && run->out[0].data != x->data)
    memcpy (run->out[0].data, x->data, (size_t) (bits + 7) / 8);
  return KT_OK;
}

static const kt_kernel copy_kernel[]
    = { { KT_KERNEL, .flags = KT_CPU_FLAGS, .layout = "*>*", .run = copy_run }, { 0 } };

/* Also what is known of the content. */
static kt_status
copy_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const int64_t *v;
  size_t n;

  KT_TRY (kt_infer_same (host, infer, user));
  KT_TRY (host->ints (infer, 0, &v, &n));
  return v ? host->out_ints (infer, 0, v, n) : KT_OK;
}

/* dE/dx = dE/dy. */
static kt_status
copy_gradient (const kt_host *host, kt_graph *g, void *user)
{
  (void) user;
  return host->g_set (g, 0, host->g_seed (g, 0));
}

const kt_operator kette_op_copy = {
  .op     = { KT_OP ("Copy", 1), .flags = KT_OP_PURE, .infer = copy_infer,
              .gradient = copy_gradient, .formula = "$0" },
  .kernel = copy_kernel,
};
