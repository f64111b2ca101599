/* SPDX-License-Identifier: Apache-2.0
 *
 * Resize: x as a picture of other dims, by the nearest element or by linear or cubic
 * interpolation.  Source: ONNX Resize-19; version 10 has scales only and coordinates without
 * half pixels.
 */
#include "resize.h"
#include "convert.h"
#include "elementwise.h"
#include "emit.h"

#define PIECE 16384 /* elements that a thread takes at a time */

static kt_status
resize_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);
  int64_t dims[KT_MAX_RANK];
  kt_resize r;

  (void) user;
  if (x.kind == 0)
    return KT_OK;
  KT_TRY (kt_resize_read (host, infer, x.ndim, &r));
  if (x.ndim < 0)
    return kt_set_unknown (host, infer, 0, x.dtype, -1);
  KT_TRY (kt_resize_dims (host, infer, &r, 1, x.dims, dims));
  return kt_set_out (host, infer, 0, x.dtype, dims, x.ndim);
}

typedef struct
{
  kt_resize resize;
  int32_t dtype;
  size_t size;
  char ext[16]; /* the extrapolation value as an element */
} State;

static kt_status
resize_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0), y = kt_out_type (host, prep, 0);
  kt_resize *r;
  State *s;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s        = *state;
  r        = &s->resize;
  s->dtype = x.dtype;
  s->size  = kt_size_of (x.dtype);
  KT_TRY (kt_resize_prepare (host, prep, r, 1, &x, &y));
  if (kt_family_of (x.dtype) == KT_NO_NUMBER
      && (r->mode != KT_RESIZE_NEAREST || (r->crops && x.dtype != KT_STRING)))
    return kt_fail (host, prep, KT_E_UNSUPPORTED,
                    "elements that are no real numbers are only served by mode nearest");
  if (x.dtype != KT_STRING && kt_family_of (x.dtype) != KT_NO_NUMBER)
    kt_store_f64 (x.dtype, &r->extrapolation, s->ext, 1);
  if (r->mode != KT_RESIZE_NEAREST)
    return host->want_workspace (prep, kt_resize_bytes (r, x.dtype, false), 1);
  return r->late ? host->want_workspace (prep, r->table_bytes + 64, 0) : KT_OK;
}

/* Mode nearest: elements are copied, whatever they are ----------------------------------------- */

/* The innermost axis that does not stay is W; INNER elements behind it move together. */
typedef struct
{
  const State *s;
  const kt_resize *r;
  const kt_resize_axis *w;
  const char *x;
  char *y;
  int64_t rows, inner; /* rows of the result: all before W */
  int32_t n_outer;
  bool doubles; /* element i of W comes from i / 2 */
} Nearest;

#define GATHER(NAME, T)                                                                  \
  KT_VECTOR static void NAME (const void *x_data, void *y_data, const int32_t *first,    \
                              int64_t n, bool doubles)                                   \
  {                                                                                      \
    const T *const x = x_data;                                                           \
    T *const y       = y_data;                                                           \
                                                                                         \
    if (doubles)                                                                         \
      KT_LOOP for (int64_t i = 0; i < n / 2; i++)                                        \
      {                                                                                  \
        y[2 * i]     = x[i];                                                             \
        y[2 * i + 1] = x[i];                                                             \
      }                                                                                  \
    else                                                                                 \
      KT_LOOP for (int64_t i = 0; i < n; i++) y[i] = x[first[i]];                        \
  }

GATHER (gather_8, uint8_t)
GATHER (gather_16, uint16_t)
GATHER (gather_32, uint32_t)
GATHER (gather_64, uint64_t)

static void
fill (const Nearest *job, char *y, int64_t n)
{
  for (int64_t i = 0; i < n; i++)
    memcpy (y + (size_t) i * job->s->size, job->s->ext, job->s->size);
}

/* A row: x to y. */
static void
copy_row (const Nearest *job, const char *x, char *y)
{
  const kt_resize_axis *w = job->w;
  const size_t size       = job->s->size * (size_t) job->inner;

  if (job->r->crops || job->inner > 1 || size > 8)
    for (int64_t o = 0; o < w->out; o++, y += size)
      if (w->first[o] < 0)
        fill (job, y, job->inner);
      else
        memcpy (y, x + (size_t) w->first[o] * size, size);
  else
    (size == 1   ? gather_8
     : size == 2 ? gather_16
     : size == 4 ? gather_32
                 : gather_64) (x, y, w->first, w->out, job->doubles);
}

/* The element of X, over all dims before W, that row ROW of the result comes from; -1: none. */
static int64_t
source_of (const Nearest *job, int64_t row)
{
  const kt_resize *r = job->r;
  int64_t at = 0, step = 1;
  bool outside = false;

  for (int32_t d = job->n_outer - 1; d >= 0; d--)
    {
      const int64_t o = row % r->out[d];
      const int64_t i = r->axis[d].taps ? r->axis[d].first[o] : o;
      row /= r->out[d];
      outside = outside || i < 0;
      at += i * step;
      step *= r->in[d];
    }
  return outside ? -1 : at;
}

static void
nearest_rows (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Nearest *job  = arg;
  const size_t size   = job->s->size * (size_t) job->inner;
  const size_t in_row = size * (size_t) job->w->in, out_row = size * (size_t) job->w->out;
  int64_t last = -2;

  (void) worker;
  for (int64_t row = begin; row < end; row++)
    {
      char *const y        = job->y + (size_t) row * out_row;
      const int64_t source = source_of (job, row);
      if (source < 0)
        fill (job, y, job->w->out * job->inner);
      else if (source == last)
        memcpy (y, y - out_row, out_row);
      else
        copy_row (job, job->x + (size_t) source * in_row, y);
      last = source < 0 ? -2 : source;
    }
}

static kt_status
run_nearest (const kt_host *host, kt_run *run, const State *s, const kt_resize *r)
{
  Nearest job = { .s = s, .r = r, .x = run->in[0].data, .y = run->out[0].data };
  int32_t d   = r->ndim - 1;

  for (job.inner = 1; d >= 0 && r->axis[d].taps == 0; d--)
    job.inner *= r->in[d];
  job.n_outer = d;
  job.w       = &r->axis[d];
  job.rows    = kt_count (r->out, d);
  job.doubles = job.w->out == 2 * job.w->in;
  for (int64_t o = 0; o < job.w->out && job.doubles; o++)
    job.doubles = job.w->first[o] == o / 2;

  const int64_t each  = job.w->out * job.inner;
  const int64_t grain = each < PIECE ? PIECE / each : 1;
  if (job.rows > grain)
    return host->parallel_for (run, job.rows, grain, nearest_rows, &job);
  nearest_rows (&job, 0, job.rows, 0);
  return KT_OK;
}

static kt_status
resize_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s = state;
  const kt_resize *r;
  kt_resize copy;

  KT_TRY (kt_resize_late (host, run, &s->resize, 1,
                          s->resize.late ? host->workspace (run, 0, NULL) : NULL, &copy,
                          &r));
  if (kt_count (r->out, r->ndim) == 0)
    return KT_OK;
  if (r->n_stages == 0)
    memcpy (run->out[0].data, run->in[0].data,
            s->size * (size_t) kt_count (r->in, r->ndim));
  else if (r->mode == KT_RESIZE_NEAREST)
    return run_nearest (host, run, s, r);
  else
    return kt_resize_run (host, run, r, s->dtype, false, run->in[0].data,
                          run->out[0].data);
  return KT_OK;
}

static const kt_kernel resize_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = resize_prepare, .run = resize_run },
  { 0 },
};

/* The transpose of the same sums: kette.ResizeGrad. */
static kt_status
resize_gradient (const kt_host *host, kt_graph *g, void *user)
{
  static const char *const names[] = { "antialias",
                                       "axes",
                                       "coordinate_transformation_mode",
                                       "cubic_coeff_a",
                                       "exclude_outside",
                                       "extrapolation_value",
                                       "keep_aspect_ratio_policy",
                                       "mode",
                                       "nearest_mode" };
  const kt_value in[] = { host->g_seed (g, 0), kt_shape_of (host, g, host->g_in (g, 0)),
                          host->g_in (g, 1), host->g_in (g, 2), host->g_in (g, 3) };
  kt_attr attrs[sizeof names / sizeof *names];
  int32_t n = 0;

  (void) user;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    {
      KT_TRY (host->attr (g, names[i], &attrs[n]));
      attrs[n].name = names[i];
      n += attrs[n].kind != 0;
    }
  return host->g_set (g, 0, kt_own (host, g, "ResizeGrad", in, 5, attrs, n));
}

/* Version 10 begins counting at the corner of the first element. */
static kt_status
resize_10_body (const kt_host *host, kt_graph *g, void *user)
{
  (void) user;
  return kt_resize_from_corner (host, g, host->g_in (g, 1));
}

const kt_operator kette_op_resize = {
  .op     = { KT_OP ("Resize", 11), .flags = KT_OP_PURE, .infer = resize_infer,
              .gradient = resize_gradient },
  .kernel = resize_kernel,
  .old    = (const kt_op[]){ { KT_OLD ("Resize", 10, 10), .flags = KT_OP_PURE,
                               .body = resize_10_body },
                             { 0 } },
};
