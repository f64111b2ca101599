/* SPDX-License-Identifier: Apache-2.0
 *
 * pool-global.h: pools with one window, the whole plane: reductions (reduce.h) over all
 * spatial dims, which stay as dims of 1.
 */
#pragma once
#include "reduce.h"

kt_status kt_global_infer (const kt_host *host, kt_infer *infer, void *user);
/* USER: the kt_reduce_loops. */
kt_status kt_global_prepare (const kt_host *host, kt_prep *prep, void *user,
                             void **state);
kt_status kt_global_run (const kt_host *host, kt_run *run, void *state);

/* The axes of X's spatial dims; 0 with a fault if its rank is not known. */
kt_value kt_global_axes (const kt_host *host, kt_graph *g);

#define KT_GLOBAL_KERNEL(NAME)                                                           \
  static const kt_kernel NAME##_kernel[]                                                 \
      = { { KT_KERNEL, .flags = KT_CPU_FLAGS, .user = (void *) (uintptr_t) NAME##_loops, \
            .prepare = kt_global_prepare, .run = kt_global_run },                        \
          { 0 } };
