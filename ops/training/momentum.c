/* SPDX-License-Identifier: Apache-2.0
 *
 * Momentum: G' = norm X + G; V' = alpha V + (T > 0 ? beta : 1) G'; X' = X - R V', or in mode
 * "nesterov" X - R (G' + alpha V').  Source: ONNX ai.onnx.preview.training Momentum-1.
 */
#include "elementwise.h"
#include "optimizer.h"

#define MOMENTUM(SUFFIX, T)                                                              \
  KT_VECTOR static void momentum_##SUFFIX (const double c[KT_COEFFICIENTS],              \
                                           const kt_update *u)                           \
  {                                                                                      \
    const T *const x = u->x, *const g = u->g, *const v = u->state[0];                    \
    T *const new_x = u->new_x, *const new_v = u->new_state[0];                           \
    KT_MOMENTUM_CONSTANTS (T, c)                                                         \
                                                                                         \
    KT_LOOP for (int64_t i = u->begin; i < u->end; i++)                                  \
        KT_MOMENTUM_ELEMENT (T, x[i], g[i], v[i], new_x[i], new_v[i])                    \
  }

MOMENTUM (f32, float)
MOMENTUM (f64, double)

static const kt_optimizer momentum_optimizer
    = { 1, kt_momentum_read, kt_momentum_step, momentum_f32, momentum_f64 };
KT_OPTIMIZER_KERNEL (momentum, { 2, 0, 0, 0 }, { 4, 1, 0, 0 })

const kt_operator kette_op_momentum = {
  .op     = { KT_OP ("Momentum", 1), .flags = KT_OP_PURE | KT_OP_NO_GRADIENT,
              .infer = kt_optimizer_infer, .user = (void *) &momentum_optimizer },
  .kernel = momentum_kernel,
};
