/* SPDX-License-Identifier: Apache-2.0
 *
 * optimizer.h: the optimizers of ai.onnx.preview.training. Inputs: rate R, update count T, then
 * all X (parameters), all G (gradients), all states of the first kind, of the second kind;
 * outputs: all new X, then the new states in the same order.
 */
#pragma once
#include "operator.h"
#include "rules.h"

/* Elements BEGIN .. END - 1 of one parameter, its gradient and states; new ones may lie where
 * the old ones do. */
typedef struct kt_update
{
  const void *x, *g, *state[2];
  void *new_x, *new_state[2];
  int64_t begin, end;
} kt_update;

typedef struct kt_optimizer
{
  int32_t n_states; /* per parameter */
  /* Attributes, read once, into C[1] and on. */
  kt_status (*read) (const kt_host *host, const void *ctx, double c[KT_COEFFICIENTS]);
  /* What depends on R and T: into the same array. */
  void (*step) (double c[KT_COEFFICIENTS], double rate, int64_t count);
  void (*loop_f32) (const double c[KT_COEFFICIENTS], const kt_update *u);
  void (*loop_f64) (const double c[KT_COEFFICIENTS], const kt_update *u);
} kt_optimizer;

/* The attributes of these. */
kt_status kt_momentum_read (const kt_host *host, const void *ctx,
                            double c[KT_COEFFICIENTS]);
kt_status kt_adagrad_read (const kt_host *host, const void *ctx,
                           double c[KT_COEFFICIENTS]);
kt_status kt_adam_read (const kt_host *host, const void *ctx, double c[KT_COEFFICIENTS]);

/* Number of parameters; an error if the operands are no whole number of blocks. */
kt_status kt_optimizer_count (const kt_host *host, const void *ctx, int32_t n_states,
                              int32_t *n);
/* user: the kt_optimizer. */
kt_status kt_optimizer_infer (const kt_host *host, kt_infer *infer, void *user);
kt_status kt_optimizer_prepare (const kt_host *host, kt_prep *prep, void *user,
                                void **state);
/* Passes nodes with more than one parameter on. */
kt_status kt_optimizer_prepare_one (const kt_host *host, kt_prep *prep, void *user,
                                    void **state);
kt_status kt_optimizer_run (const kt_host *host, kt_run *run, void *state);

/* Two kernels: aliases count operands, which stand elsewhere when there are more parameters
 * than one; such nodes are not computed in place. */
#define KT_OPTIMIZER_KERNEL(NAME, ...)                                                   \
  static const kt_kernel NAME##_kernel[]                                                 \
      = { { KT_KERNEL, .flags = KT_CPU_FLAGS, .user = (void *) &NAME##_optimizer,        \
            .priority = 1,                                                               \
            .n_alias  = sizeof ((const kt_alias[]){ __VA_ARGS__ }) / sizeof (kt_alias),  \
            .alias    = (const kt_alias[]){ __VA_ARGS__ },                               \
            .prepare = kt_optimizer_prepare_one, .run = kt_optimizer_run },              \
          { KT_KERNEL, .flags = KT_CPU_FLAGS, .user = (void *) &NAME##_optimizer,        \
            .prepare = kt_optimizer_prepare, .run = kt_optimizer_run },                  \
          { 0 } };
