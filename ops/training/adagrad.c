/* SPDX-License-Identifier: Apache-2.0
 *
 * Adagrad: G' = norm X + G; H' = H + G'^2; X' = X - R / (1 + T decay) G' / (sqrt (H') +
 * epsilon).  Source: ONNX ai.onnx.preview.training Adagrad-1.
 */
#include "elementwise.h"
#include "optimizer.h"

enum
{
  RATE,
  DECAY,
  EPSILON,
  NORM
};

static kt_status
adagrad_read (const kt_host *host, const void *ctx, double c[KT_COEFFICIENTS])
{
  c[DECAY]   = kt_attr_float (host, ctx, "decay_factor", 0);
  c[EPSILON] = kt_attr_float (host, ctx, "epsilon", 1e-6);
  c[NORM]    = kt_attr_float (host, ctx, "norm_coefficient", 0);
  return KT_OK;
}

static void
adagrad_step (double c[KT_COEFFICIENTS], double rate, int64_t count)
{
  c[RATE] = rate / (1 + (double) count * c[DECAY]);
}

#define ADAGRAD(SUFFIX, T)                                                               \
  KT_VECTOR static void adagrad_##SUFFIX (const double c[KT_COEFFICIENTS],               \
                                          const kt_update *u)                            \
  {                                                                                      \
    const T *const x = u->x, *const g = u->g, *const h = u->state[0];                    \
    T *const new_x = u->new_x, *const new_h = u->new_state[0];                           \
    const T rate = (T) c[RATE], epsilon = (T) c[EPSILON], norm = (T) c[NORM];            \
                                                                                         \
    for (int64_t i = u->begin; i < u->end; i++)                                          \
      {                                                                                  \
        const T old = x[i], d = norm * old + g[i], s = h[i] + d * d;                     \
        new_h[i] = s;                                                                    \
        new_x[i] = old - rate * d / (kt_sqrt (s) + epsilon);                             \
      }                                                                                  \
  }

ADAGRAD (f32, float)
ADAGRAD (f64, double)

static const kt_optimizer adagrad_optimizer
    = { 1, adagrad_read, adagrad_step, adagrad_f32, adagrad_f64 };
KT_OPTIMIZER_KERNEL (adagrad, { 2, 0, 0, 0 }, { 4, 1, 0, 0 })

const kt_operator kette_op_adagrad = {
  .op     = { KT_OP ("Adagrad", 1), .flags = KT_OP_PURE | KT_OP_NO_GRADIENT,
              .infer = kt_optimizer_infer, .user = (void *) &adagrad_optimizer },
  .kernel = adagrad_kernel,
};
