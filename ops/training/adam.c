/* SPDX-License-Identifier: Apache-2.0
 *
 * Adam: G' = norm X + G; V' = alpha V + (1 - alpha) G'; H' = beta H + (1 - beta) G'^2;
 * R' = T > 0 ? R sqrt (1 - beta^T) / (1 - alpha^T) : R; X' = (1 - post) (X - R' V' / (sqrt (H')
 * + epsilon)).  Source: ONNX ai.onnx.preview.training Adam-1.
 */
#include "elementwise.h"
#include "optimizer.h"

enum
{
  RATE,
  ALPHA,
  BETA,
  EPSILON,
  NORM,
  POST
};

static kt_status
adam_read (const kt_host *host, const void *ctx, double c[KT_COEFFICIENTS])
{
  c[ALPHA]   = kt_attr_float (host, ctx, "alpha", 0.9);
  c[BETA]    = kt_attr_float (host, ctx, "beta", 0.999);
  c[EPSILON] = kt_attr_float (host, ctx, "epsilon", 1e-6);
  c[NORM]    = kt_attr_float (host, ctx, "norm_coefficient", 0);
  c[POST]    = kt_attr_float (host, ctx, "norm_coefficient_post", 0);
  return KT_OK;
}

static void
adam_step (double c[KT_COEFFICIENTS], double rate, int64_t count)
{
  const double t = (double) count;

  c[RATE] = rate;
  if (count > 0)
    c[RATE] = rate * sqrt (1 - pow (c[BETA], t)) / (1 - pow (c[ALPHA], t));
}

#define ADAM(SUFFIX, T)                                                                  \
  KT_VECTOR static void adam_##SUFFIX (const double c[KT_COEFFICIENTS],                  \
                                       const kt_update *u)                               \
  {                                                                                      \
    const T *const x = u->x, *const g = u->g, *const v = u->state[0],                    \
                   *const h = u->state[1];                                               \
    T *const new_x = u->new_x, *const new_v = u->new_state[0],                           \
             *const new_h = u->new_state[1];                                             \
    const T rate = (T) c[RATE], alpha = (T) c[ALPHA], beta = (T) c[BETA];                \
    const T alpha_rest = (T) (1 - c[ALPHA]), beta_rest = (T) (1 - c[BETA]);              \
    const T epsilon = (T) c[EPSILON], norm = (T) c[NORM], keep = (T) (1 - c[POST]);      \
                                                                                         \
    for (int64_t i = u->begin; i < u->end; i++)                                          \
      {                                                                                  \
        const T old = x[i], d = norm * old + g[i];                                       \
        const T w = alpha * v[i] + alpha_rest * d, s = beta * h[i] + beta_rest * d * d;  \
        new_v[i] = w;                                                                    \
        new_h[i] = s;                                                                    \
        new_x[i] = keep * (old - rate * w / (kt_sqrt (s) + epsilon));                    \
      }                                                                                  \
  }

ADAM (f32, float)
ADAM (f64, double)

static const kt_optimizer adam_optimizer
    = { 2, adam_read, adam_step, adam_f32, adam_f64 };
KT_OPTIMIZER_KERNEL (adam, { 2, 0, 0, 0 }, { 4, 1, 0, 0 }, { 5, 2, 0, 0 })

const kt_operator kette_op_adam = {
  .op     = { KT_OP ("Adam", 1), .flags = KT_OP_PURE | KT_OP_NO_GRADIENT,
              .infer = kt_optimizer_infer, .user = (void *) &adam_optimizer },
  .kernel = adam_kernel,
};
