/* SPDX-License-Identifier: Apache-2.0
 *
 * Momentum: G' = norm X + G; V' = alpha V + (T > 0 ? beta : 1) G'; X' = X - R V', or in mode
 * "nesterov" X - R (G' + alpha V').  Source: ONNX ai.onnx.preview.training Momentum-1.
 */
#include "elementwise.h"
#include "optimizer.h"

enum
{
  RATE,
  ALPHA,
  BETA,
  NORM,
  NESTEROV,
  FACTOR
};

static kt_status
momentum_read (const kt_host *host, const void *ctx, double c[KT_COEFFICIENTS])
{
  c[ALPHA]    = kt_attr_float (host, ctx, "alpha", 0);
  c[BETA]     = kt_attr_float (host, ctx, "beta", 0);
  c[NORM]     = kt_attr_float (host, ctx, "norm_coefficient", 0);
  c[NESTEROV] = kt_attr_is (host, ctx, "mode", "nesterov");
  if (c[NESTEROV] == 0 && !kt_attr_is (host, ctx, "mode", "standard"))
    return kt_fail (host, ctx, KT_E_ATTR, "mode must be \"standard\" or \"nesterov\"");
  return KT_OK;
}

static void
momentum_step (double c[KT_COEFFICIENTS], double rate, int64_t count)
{
  c[RATE]   = rate;
  c[FACTOR] = count > 0 ? c[BETA] : 1;
}

#define MOMENTUM(SUFFIX, T)                                                              \
  KT_VECTOR static void momentum_##SUFFIX (const double c[KT_COEFFICIENTS],              \
                                           const kt_update *u)                           \
  {                                                                                      \
    const T *const x = u->x, *const g = u->g, *const v = u->state[0];                    \
    T *const new_x = u->new_x, *const new_v = u->new_state[0];                           \
    const T rate = (T) c[RATE], alpha = (T) c[ALPHA], factor = (T) c[FACTOR];            \
    const T norm = (T) c[NORM], nesterov = (T) c[NESTEROV];                              \
                                                                                         \
    for (int64_t i = u->begin; i < u->end; i++)                                          \
      {                                                                                  \
        const T old = x[i], d = norm * old + g[i], w = alpha * v[i] + factor * d;        \
        const T ahead = d + alpha * w;                                                   \
        new_v[i]      = w;                                                               \
        new_x[i]      = old - rate * kt_pick (nesterov != 0, ahead, w);                  \
      }                                                                                  \
  }

MOMENTUM (f32, float)
MOMENTUM (f64, double)

static const kt_optimizer momentum_optimizer
    = { 1, momentum_read, momentum_step, momentum_f32, momentum_f64 };
KT_OPTIMIZER_KERNEL (momentum, { 2, 0, 0, 0 }, { 4, 1, 0, 0 })

const kt_operator kette_op_momentum = {
  .op     = { KT_OP ("Momentum", 1), .flags = KT_OP_PURE | KT_OP_NO_GRADIENT,
              .infer = kt_optimizer_infer, .user = (void *) &momentum_optimizer },
  .kernel = momentum_kernel,
};
