/* SPDX-License-Identifier: Apache-2.0
 *
 * arg.h: what ArgMax and ArgMin share. NaN counts as larger than every number.
 */
#pragma once
#include "half.h"
#include "shape.h"

/* The index along the axis for `width` outputs side by side. x: element (0, first output);
 * n elements, stride apart. last: the last of equals wins, not the first. */
typedef void kt_arg_loop (const void *x, int64_t n, int64_t stride, int64_t width,
                          bool last, int64_t *y);

typedef struct kt_arg_loops
{
  int32_t dtype;
  kt_arg_loop *loop;
} kt_arg_loops; /* ended by loop NULL */

#define KT_ARG_COLUMNS 64

typedef struct
{
  kt_arg_loop *loop;
  bool last;
  int64_t n, inner, chunks, units, grain; /* inner: elements behind the axis */
  size_t size;
} kt_arg_state;

typedef struct
{
  const kt_arg_state *s;
  const char *x;
  int64_t *y;
} kt_arg_job;

static inline kt_status
kt_arg_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);
  const bool keep = kt_attr_int (host, infer, "keepdims", 1) != 0;
  int64_t dims[KT_MAX_RANK];
  int32_t axis = 0, n = 0;

  (void) user;
  if (x.kind == 0 || x.ndim < 0)
    return kt_set_unknown (host, infer, 0, KT_I64, -1);
  KT_TRY (kt_axis (host, infer, KT_E_ATTR, kt_attr_int (host, infer, "axis", 0),
                   x.ndim ? x.ndim : 1, &axis));
  for (int32_t d = 0; d < x.ndim; d++)
    if (d != axis)
      dims[n++] = x.dims[d];
    else if (keep)
      dims[n++] = 1;
  return kt_set_out (host, infer, 0, KT_I64, dims, n);
}

static inline kt_status
kt_arg_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x    = kt_in_type (host, prep, 0);
  const int32_t ndim = x.ndim ? x.ndim : 1; /* a scalar counts as [1] */
  int32_t axis       = 0;
  kt_arg_state *s;

  KT_TRY (host->keep (prep, sizeof *s, state));
  s = *state;
  for (const kt_arg_loops *l = user; l->loop; l++)
    if (l->dtype == x.dtype)
      s->loop = l->loop;
  if (!s->loop)
    return kt_fail (host, prep, KT_E_UNSUPPORTED, "no loop for this element type");
  KT_TRY (
      kt_axis (host, prep, KT_E_ATTR, kt_attr_int (host, prep, "axis", 0), ndim, &axis));
  s->last  = kt_attr_int (host, prep, "select_last_index", 0) != 0;
  s->size  = kt_size_of (x.dtype);
  s->n     = x.ndim ? x.dims[axis] : 1;
  s->inner = x.ndim ? kt_count (x.dims + axis + 1, x.ndim - axis - 1) : 1;

  const int64_t outer = kt_count (x.dims, x.ndim ? axis : 0);
  if (s->n == 0 && outer * s->inner > 0)
    return kt_fail (host, prep, KT_E_SHAPE, "axis %d has no element to choose",
                    (int) axis);
  s->chunks = (s->inner + KT_ARG_COLUMNS - 1) / KT_ARG_COLUMNS;
  s->units  = s->n ? outer * s->chunks : 0;

  const int64_t work = s->n * (s->inner < KT_ARG_COLUMNS ? s->inner : KT_ARG_COLUMNS);
  s->grain           = work < 16384 && work > 0 ? 16384 / work : 1;
  return KT_OK;
}

static inline void
kt_arg_units (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const kt_arg_job *job = arg;
  const kt_arg_state *s = job->s;

  (void) worker;
  for (int64_t unit = begin; unit < end; unit++)
    {
      const int64_t outer = unit / s->chunks, first = unit % s->chunks * KT_ARG_COLUMNS;
      const int64_t width
          = s->inner - first < KT_ARG_COLUMNS ? s->inner - first : KT_ARG_COLUMNS;
      s->loop (job->x + (size_t) (outer * s->n * s->inner + first) * s->size, s->n,
               s->inner, width, s->last, job->y + outer * s->inner + first);
    }
}

static inline kt_status
kt_arg_run (const kt_host *host, kt_run *run, void *state)
{
  const kt_arg_state *s = state;
  kt_arg_job job        = { s, run->in[0].data, run->out[0].data };

  if (s->units <= s->grain)
    {
      kt_arg_units (&job, 0, s->units, 0);
      return KT_OK;
    }
  return host->parallel_for (run, s->units, s->grain, kt_arg_units, &job);
}

/* BEATS (a, b): does a surely win over b? Elements of type T are looked at as LOAD (x) of
 * type W. */
#define KT_ARG_LOOP(NAME, SUFFIX, T, BEATS) KT_ARG_LOOP_OF (NAME, SUFFIX, T, T, , BEATS)
#define KT_ARG_LOOP_OF(NAME, SUFFIX, T, W, LOAD, BEATS)                                  \
  static void NAME##_##SUFFIX (const void *data, int64_t n, int64_t stride,              \
                               int64_t width, bool last, int64_t *y)                     \
  {                                                                                      \
    const T *x = data;                                                                   \
    W best[KT_ARG_COLUMNS];                                                              \
                                                                                         \
    for (int64_t c = 0; c < width; c++)                                                  \
      {                                                                                  \
        best[c] = LOAD (x[c]);                                                           \
        y[c]    = 0;                                                                     \
      }                                                                                  \
    for (int64_t i = 1; i < n; i++)                                                      \
      for (int64_t c = 0; c < width; c++)                                                \
        {                                                                                \
          const W v = LOAD (x[i * stride + c]);                                          \
          if (last ? !BEATS (best[c], v) : BEATS (v, best[c]))                           \
            {                                                                            \
              best[c] = v;                                                               \
              y[c]    = i;                                                               \
            }                                                                            \
        }                                                                                \
  }

#define KT_ARG_LOOPS(NAME, BEATS_FLOAT, BEATS)                                           \
  KT_ARG_LOOP (NAME, f32, float, BEATS_FLOAT)                                            \
  KT_ARG_LOOP (NAME, f64, double, BEATS_FLOAT)                                           \
  KT_ARG_LOOP_OF (NAME, f16, uint16_t, float, kt_f16_to_f32, BEATS_FLOAT)                \
  KT_ARG_LOOP_OF (NAME, bf16, uint16_t, float, kt_bf16_to_f32, BEATS_FLOAT)              \
  KT_ARG_LOOP (NAME, i8, int8_t, BEATS)                                                  \
  KT_ARG_LOOP (NAME, i16, int16_t, BEATS)                                                \
  KT_ARG_LOOP (NAME, i32, int32_t, BEATS)                                                \
  KT_ARG_LOOP (NAME, i64, int64_t, BEATS)                                                \
  KT_ARG_LOOP (NAME, u8, uint8_t, BEATS)                                                 \
  KT_ARG_LOOP (NAME, u16, uint16_t, BEATS)                                               \
  KT_ARG_LOOP (NAME, u32, uint32_t, BEATS)                                               \
  KT_ARG_LOOP (NAME, u64, uint64_t, BEATS)                                               \
  static const kt_arg_loops NAME##_loops[] = { { KT_F32, NAME##_f32 },                   \
                                               { KT_F64, NAME##_f64 },                   \
                                               { KT_F16, NAME##_f16 },                   \
                                               { KT_BF16, NAME##_bf16 },                 \
                                               { KT_I8, NAME##_i8 },                     \
                                               { KT_I16, NAME##_i16 },                   \
                                               { KT_I32, NAME##_i32 },                   \
                                               { KT_I64, NAME##_i64 },                   \
                                               { KT_U8, NAME##_u8 },                     \
                                               { KT_U16, NAME##_u16 },                   \
                                               { KT_U32, NAME##_u32 },                   \
                                               { KT_U64, NAME##_u64 },                   \
                                               { 0 } };                                  \
  static const kt_kernel NAME##_kernel[]                                                 \
      = { { KT_KERNEL, .flags = KT_CPU_FLAGS,                                            \
            .types = "T=f32|f64|f16|bf16|i8|i16|i32|i64|u8|u16|u32|u64",                 \
            .user = (void *) (uintptr_t) NAME##_loops, .prepare = kt_arg_prepare,        \
            .run = kt_arg_run },                                                         \
          { 0 } };
