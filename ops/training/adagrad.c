/* SPDX-License-Identifier: Apache-2.0
 *
 * Adagrad: G' = norm X + G; H' = H + G'^2; X' = X - R / (1 + T decay) G' / (sqrt (H') +
 * epsilon).  Source: ONNX ai.onnx.preview.training Adagrad-1.
 */
#include "elementwise.h"
#include "optimizer.h"

#define ADAGRAD(SUFFIX, T)                                                               \
  KT_VECTOR static void adagrad_##SUFFIX (const double c[KT_COEFFICIENTS],               \
                                          const kt_update *u)                            \
  {                                                                                      \
    const T *const x = u->x, *const g = u->g, *const v = u->state[0];                    \
    T *const new_x = u->new_x, *const new_v = u->new_state[0];                           \
    KT_ADAGRAD_CONSTANTS (T, c)                                                          \
                                                                                         \
    KT_LOOP for (int64_t i = u->begin; i < u->end; i++)                                  \
        KT_ADAGRAD_ELEMENT (T, x[i], g[i], v[i], new_x[i], new_v[i])                     \
  }

ADAGRAD (f32, float)
ADAGRAD (f64, double)

static const kt_optimizer adagrad_optimizer
    = { 1, kt_adagrad_read, kt_adagrad_step, adagrad_f32, adagrad_f64 };
KT_OPTIMIZER_KERNEL (adagrad, { 2, 0, 0, 0 }, { 4, 1, 0, 0 })

const kt_operator kette_op_adagrad = {
  .op     = { KT_OP ("Adagrad", 1), .flags = KT_OP_PURE | KT_OP_NO_GRADIENT,
              .infer = kt_optimizer_infer, .user = (void *) &adagrad_optimizer },
  .kernel = adagrad_kernel,
};
