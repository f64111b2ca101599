/* SPDX-License-Identifier: Apache-2.0
 *
 * What operators share whose result is their input: y = x.
 */
#pragma once
#include "emit.h"

static inline kt_status
kt_same_run (const kt_host *host, kt_run *run, void *state)
{
  const kt_tensor *x = &run->in[0];
  const int64_t bits = kt_count (x->shape, x->ndim) * x->bits * x->lanes;

  (void) host, (void) state;
  if (bits > 0 && run->out[0].data != x->data)
    memcpy (run->out[0].data, x->data, (size_t) (bits + 7) / 8);
  return KT_OK;
}

/* Also what is known of the content. */
static inline kt_status
kt_same_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const int64_t *v;
  size_t n;

  KT_TRY (kt_infer_same (host, infer, user));
  KT_TRY (host->ints (infer, 0, &v, &n));
  return v ? host->out_ints (infer, 0, v, n) : KT_OK;
}

/* dE/dx = dE/dy. */
static inline kt_status
kt_same_gradient (const kt_host *host, kt_graph *g, void *user)
{
  (void) user;
  return host->g_set (g, 0, host->g_seed (g, 0));
}
