/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.ClipGrad: dx = dy where low <= x <= high, else 0; a bound that is absent does not
 * bind; dy where x is NaN.
 */
#include "clip.h"
#include "elementwise.h"
#include "emit.h"

#define CLIP_GRAD(SUFFIX, T)                                                             \
  KT_VECTOR static void clip_grad_##SUFFIX (const void *x_data, const void *dy_data,     \
                                            void *dx_data, int64_t n,                    \
                                            const void *low_data, const void *high_data) \
  {                                                                                      \
    const T *const x = x_data, *const dy = dy_data;                                      \
    T *const dx  = dx_data;                                                              \
    const T low  = low_data ? *(const T *) low_data : (T) -INFINITY;                     \
    const T high = high_data ? *(const T *) high_data : (T) INFINITY;                    \
                                                                                         \
    KT_LOOP for (int64_t i = 0; i < n; i++)                                              \
    {                                                                                    \
      dx[i] = ((x[i] < low) | (x[i] > high)) ? 0 : dy[i];                                \
    }                                                                                    \
  }

CLIP_GRAD (f32, float)
CLIP_GRAD (f64, double)

static const kt_clip_loops clip_grad_loops
    = { .loop = { { KT_F32, clip_grad_f32 }, { KT_F64, clip_grad_f64 } }, .x = 1 };

static const kt_kernel clip_grad_kernel[]
    = { { KT_KERNEL, .types = KT_FLOAT_TYPES, .flags = KT_CPU_FLAGS | KT_K_TILEABLE,
          .layout = "*,*,,>*", .user = (void *) &clip_grad_loops, .n_alias = 2,
          .alias   = (const kt_alias[]){ { 0, 0, 0, 0 }, { 1, 0, 0, 0 } },
          .prepare = kt_clip_prepare, .run = kt_clip_run, .tile = kt_clip_tile },
        { 0 } };

/* dy where NOT is false, else 0. */
static kt_value
masked (const kt_host *host, kt_graph *g, kt_value dy, kt_value not )
{
  return kt_where (host, g, not, kt_scalar_like (host, g, dy, 0), dy);
}

static kt_status
clip_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 1), low = host->g_in (g, 2), high = host->g_in (g, 3);
  kt_value dx = host->g_in (g, 0);

  (void) user;
  if (!low && !high)
    dx = kt_identity (host, g, dx);
  if (low)
    dx = masked (host, g, dx, kt_less (host, g, x, low));
  if (high)
    dx = masked (host, g, dx, kt_greater (host, g, x, high));
  return host->g_set (g, 0, dx);
}

const kt_operator kette_op_clip_grad = {
  .op     = { KT_OP ("ClipGrad", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_clip_infer, .body = clip_grad_body, .user = (void *) 1 },
  .kernel = clip_grad_kernel,
};
