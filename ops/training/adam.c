/* SPDX-License-Identifier: Apache-2.0
 *
 * Adam: G' = norm X + G; V' = alpha V + (1 - alpha) G'; H' = beta H + (1 - beta) G'^2;
 * R' = T > 0 ? R sqrt (1 - beta^T) / (1 - alpha^T) : R; X' = (1 - post) (X - R' V' / (sqrt (H')
 * + epsilon)).  Source: ONNX ai.onnx.preview.training Adam-1.
 */
#include "elementwise.h"
#include "optimizer.h"

#define ADAM(SUFFIX, T)                                                                  \
  KT_VECTOR static void adam_##SUFFIX (const double c[KT_COEFFICIENTS],                  \
                                       const kt_update *u)                               \
  {                                                                                      \
    const T *const x = u->x, *const g = u->g, *const v = u->state[0],                    \
                   *const h = u->state[1];                                               \
    T *const new_x = u->new_x, *const new_v = u->new_state[0],                           \
             *const new_h = u->new_state[1];                                             \
    KT_ADAM_CONSTANTS (T, c)                                                             \
                                                                                         \
    KT_LOOP for (int64_t i = u->begin; i < u->end; i++)                                  \
        KT_ADAM_ELEMENT (T, x[i], g[i], v[i], h[i], new_x[i], new_v[i], new_h[i])        \
  }

ADAM (f32, float)
ADAM (f64, double)

static const kt_optimizer adam_optimizer
    = { 2, kt_adam_read, kt_adam_step, adam_f32, adam_f64 };
KT_OPTIMIZER_KERNEL (adam, { 2, 0, 0, 0 }, { 4, 1, 0, 0 }, { 5, 2, 0, 0 })

const kt_operator kette_op_adam = {
  .op     = { KT_OP ("Adam", 1), .flags = KT_OP_PURE | KT_OP_NO_GRADIENT,
              .infer = kt_optimizer_infer, .user = (void *) &adam_optimizer },
  .kernel = adam_kernel,
};
