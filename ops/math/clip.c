/* SPDX-License-Identifier: Apache-2.0
 *
 * Clip: y = min (max (x, low), high), element by element; a bound that is absent does not
 * bind; NaN stays NaN; the upper bound wins where they cross.  Source: ONNX Clip-13.
 */
#include "clip.h"
#include "arithmetic.h"
#include "emit.h"
#include "shape.h"

/* UP and DOWN keep an x that is NaN and compile to vector code; a bound that is NaN makes all
 * NaN. */
#define CLIP(SUFFIX, T, LEAST, MOST, IS_NAN)                                             \
  KT_VECTOR static void clip_##SUFFIX (const void *x_data, const void *unused,           \
                                       void *y_data, int64_t n, const void *low_data,    \
                                       const void *high_data)                            \
  {                                                                                      \
    const T *const x = x_data;                                                           \
    T *const y       = y_data;                                                           \
    const T low      = low_data ? *(const T *) low_data : LEAST;                         \
    const T high     = high_data ? *(const T *) high_data : MOST;                        \
                                                                                         \
    (void) unused;                                                                       \
    if (IS_NAN (low) || IS_NAN (high))                                                   \
      {                                                                                  \
        for (int64_t i = 0; i < n; i++)                                                  \
          y[i] = (T) (low + high);                                                       \
        return;                                                                          \
      }                                                                                  \
    KT_LOOP for (int64_t i = 0; i < n; i++) { y[i] = DOWN (UP (x[i], low), high); }      \
  }

#define UP(a, b) ((a) < (b) ? (b) : (a))
#define DOWN(a, b) ((a) > (b) ? (b) : (a))
#define IS_NAN(x) ((x) != (x))
#define NEVER(x) 0

CLIP (f32, float, -INFINITY, INFINITY, IS_NAN)
CLIP (f64, double, (double) -INFINITY, (double) INFINITY, IS_NAN)
CLIP (i8, int8_t, INT8_MIN, INT8_MAX, NEVER)
CLIP (i16, int16_t, INT16_MIN, INT16_MAX, NEVER)
CLIP (i32, int32_t, INT32_MIN, INT32_MAX, NEVER)
CLIP (i64, int64_t, INT64_MIN, INT64_MAX, NEVER)
CLIP (u8, uint8_t, 0, UINT8_MAX, NEVER)
CLIP (u16, uint16_t, 0, UINT16_MAX, NEVER)
CLIP (u32, uint32_t, 0, UINT32_MAX, NEVER)
CLIP (u64, uint64_t, 0, UINT64_MAX, NEVER)

static const kt_clip_loops clip_loops = { .loop = { { KT_F32, clip_f32 },
                                                    { KT_F64, clip_f64 },
                                                    { KT_I8, clip_i8 },
                                                    { KT_I16, clip_i16 },
                                                    { KT_I32, clip_i32 },
                                                    { KT_I64, clip_i64 },
                                                    { KT_U8, clip_u8 },
                                                    { KT_U16, clip_u16 },
                                                    { KT_U32, clip_u32 },
                                                    { KT_U64, clip_u64 } } };

static const kt_kernel clip_kernel[]
    = { { KT_KERNEL, .types = KT_NUMBER_TYPES, .flags = KT_CPU_FLAGS | KT_K_TILEABLE,
          .layout = "*,,>*", .user = (void *) &clip_loops, .n_alias = 1,
          .alias = &(const kt_alias){ 0, 0, 0, 0 }, .prepare = kt_clip_prepare,
          .run = kt_clip_run, .tile = kt_clip_tile },
        { 0 } };

/* dE/dx = dE/dy where x passes, the ends included, else 0: kette.ClipGrad. */
static kt_status
clip_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value low = host->g_in (g, 1), high = host->g_in (g, 2);
  const kt_value in[] = { host->g_seed (g, 0), host->g_in (g, 0), low, high };

  (void) user;
  return host->g_set (g, 0,
                      kt_own (host, g, "ClipGrad", in,
                              high  ? 4
                              : low ? 3
                                    : 2,
                              NULL, 0));
}

/* The bound V as a scalar: one of rank 1 would raise the rank of a scalar x. */
static kt_value
scalar_bound (const kt_host *host, kt_graph *g, kt_value v)
{
  kt_type t = { 0 };

  host->g_type (g, v, &t);
  return t.kind == KT_TENSOR && t.ndim == 0
             ? v
             : kt_reshape_as (host, g, v, kt_ints (host, g, NULL, 0));
}

static kt_status
clip_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value low = host->g_in (g, 1), high = host->g_in (g, 2);
  kt_value y = host->g_in (g, 0);

  (void) user;
  if (low)
    y = kt_max_of (host, g, y, scalar_bound (host, g, low));
  if (high)
    y = kt_min_of (host, g, y, scalar_bound (host, g, high));
  return host->g_set (g, 0, low || high ? y : kt_identity (host, g, y));
}

/* Versions 1-10: the bounds are attributes. */
static kt_status
clip_old (const kt_host *host, kt_graph *g, void *user)
{
  kt_value in[3] = { host->g_in (g, 0), 0, 0 };
  int32_t n      = 1;
  kt_attr a;

  (void) user;
  if (kt_in_type (host, g, 0).kind == 0)
    return kt_fail (host, g, KT_E_UNSUPPORTED, "the element type of x is not known");
  if (host->attr (g, "min", &a) == KT_OK && a.kind == KT_A_FLOAT)
    {
      in[1] = kt_scalar_like (host, g, in[0], a.f);
      n     = 2;
    }
  if (host->attr (g, "max", &a) == KT_OK && a.kind == KT_A_FLOAT)
    {
      in[2] = kt_scalar_like (host, g, in[0], a.f);
      n     = 3;
    }
  return host->g_set (g, 0, kt_node (host, g, "Clip", in, n, NULL, 0));
}

const kt_operator kette_op_clip = {
  .op     = { KT_OP ("Clip", 11), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_clip_infer, .gradient = clip_gradient, .body = clip_body },
  .kernel = clip_kernel,
  .old
  = (const kt_op[]){ { KT_OLD ("Clip", 1, 10), .flags = KT_OP_PURE, .body = clip_old },
                     { 0 } },
};
