/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.GatherGrad: zeros of shape `shape`, to which the slices of dy are added at `indices`
 * along `axis`, in the order of the indices. The gradient of Gather.
 */
#include "emit.h"
#include "half.h"
#include "scatter.h"
#include "shape.h"

#define COLUMNS 256 /* elements behind the axis that make a piece of work */

static kt_status
gather_grad_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type dy = kt_in_type (host, infer, 0), at = kt_in_type (host, infer, 1);
  const int64_t *shape;
  int64_t length;
  int32_t axis = 0;
  size_t n;

  (void) user;
  if (dy.kind == 0)
    return KT_OK;
  KT_TRY (kt_length_of (host, infer, 2, &length));
  KT_TRY (host->ints (infer, 2, &shape, &n));
  if (length > KT_MAX_RANK)
    return kt_fail (host, infer, KT_E_LIMIT, "shape has %lld dims, at most %d are served",
                    (long long) length, KT_MAX_RANK);
  if (!shape)
    return kt_set_unknown (host, infer, 0, dy.dtype, (int32_t) length);
  KT_TRY (kt_axis (host, infer, KT_E_ATTR, kt_attr_int (host, infer, "axis", 0),
                   (int32_t) n, &axis));
  for (size_t d = 0; d < n; d++)
    if (shape[d] < 0 && !KT_IS_DIM (shape[d]))
      return kt_fail (host, infer, KT_E_VALUE, "shape has %lld at %zu",
                      (long long) shape[d], d);
  if (at.kind && at.ndim >= 0 && dy.ndim >= 0 && dy.ndim != at.ndim + (int32_t) n - 1)
    return kt_fail (host, infer, KT_E_SHAPE, "dy has rank %d, must have %d",
                    (int) dy.ndim, (int) (at.ndim + (int32_t) n - 1));
  return kt_set_out (host, infer, 0, dy.dtype, shape, (int32_t) n);
}

typedef struct State State;
typedef void add_loop (const State *s, const void *dy, const kt_tensor *at, int64_t unit,
                       void *dx);

struct State
{
  int64_t outer, n, inner, indices, chunks, grain; /* dx: [outer, n, inner] */
  size_t bytes;
  add_loop *add;
};

/* Adds what unit (outer element, chunk of columns) receives. LOAD and STORE: an element as
 * the type A to add in, and back. */
#define ADD_LOOP(SUFFIX, T, A, LOAD, STORE)                                              \
  static void add_##SUFFIX (const State *s, const void *dy, const kt_tensor *at,         \
                            int64_t unit, void *dx)                                      \
  {                                                                                      \
    const int64_t outer = unit / s->chunks, first = unit % s->chunks * COLUMNS;          \
    const int64_t width = s->inner - first < COLUMNS ? s->inner - first : COLUMNS;       \
                                                                                         \
    for (int64_t i = 0; i < s->indices; i++)                                             \
      {                                                                                  \
        const int64_t index = kt_int_at (at, i);                                         \
        const int64_t row   = outer * s->n + (index < 0 ? index + s->n : index);         \
        const T *from = (const T *) dy + (outer * s->indices + i) * s->inner + first;    \
        T *to         = (T *) dx + row * s->inner + first;                               \
        for (int64_t c = 0; c < width; c++)                                              \
          {                                                                              \
            const A sum = LOAD (to[c]) + LOAD (from[c]);                                 \
            to[c]       = STORE (sum);                                                   \
          }                                                                              \
      }                                                                                  \
  }

#define ITSELF(x) (x)
#define STORE_F16(x) kt_f64_to_f16 ((double) (x))
#define STORE_BF16(x) kt_f64_to_bf16 ((double) (x))

ADD_LOOP (f32, float, float, ITSELF, ITSELF)
ADD_LOOP (f64, double, double, ITSELF, ITSELF)
ADD_LOOP (f16, uint16_t, float, kt_f16_to_f32, STORE_F16)
ADD_LOOP (bf16, uint16_t, float, kt_bf16_to_f32, STORE_BF16)

static kt_status
gather_grad_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type dy = kt_in_type (host, prep, 0), at = kt_in_type (host, prep, 1);
  const kt_type dx = kt_out_type (host, prep, 0);
  int32_t axis     = 0;
  State *s;

  (void) user;
  KT_TRY (kt_axis (host, prep, KT_E_ATTR, kt_attr_int (host, prep, "axis", 0), dx.ndim,
                   &axis));
  KT_TRY (host->keep (prep, sizeof *s, state));
  s          = *state;
  s->outer   = kt_count (dx.dims, axis);
  s->n       = dx.dims[axis];
  s->inner   = kt_count (dx.dims + axis + 1, dx.ndim - axis - 1);
  s->indices = kt_count (at.dims, at.ndim);
  s->chunks  = (s->inner + COLUMNS - 1) / COLUMNS;
  s->bytes   = (size_t) kt_count (dx.dims, dx.ndim) * kt_size_of (dx.dtype);
  s->add     = dx.dtype == KT_F32   ? add_f32
               : dx.dtype == KT_F64 ? add_f64
               : dx.dtype == KT_F16 ? add_f16
                                    : add_bf16;
  if (kt_count (dy.dims, dy.ndim) != s->outer * s->indices * s->inner)
    return kt_fail (host, prep, KT_E_SHAPE, "dy has %lld elements, must have %lld",
                    (long long) kt_count (dy.dims, dy.ndim),
                    (long long) (s->outer * s->indices * s->inner));

  const int64_t work = s->indices * (s->inner < COLUMNS ? s->inner : COLUMNS);
  s->grain           = work > 0 && work < 16384 ? 16384 / work : 1;
  return KT_OK;
}

typedef struct
{
  const State *s;
  const void *dy;
  const kt_tensor *at;
  void *dx;
} Job;

static void
add_units (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job = arg;

  (void) worker;
  for (int64_t unit = begin; unit < end; unit++)
    job->s->add (job->s, job->dy, job->at, unit, job->dx);
}

static kt_status
gather_grad_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s = state;
  Job job        = { s, run->in[0].data, &run->in[1], run->out[0].data };
  char text[256];

  for (int64_t i = 0; i < s->indices; i++)
    {
      const int64_t index = kt_int_at (job.at, i);
      if (index < -s->n || index >= s->n)
        return kt_fail (host, run, KT_E_VALUE,
                        "index %lld at position %s is not in %lld..%lld",
                        (long long) index, kt_position (job.at, i, text),
                        -(long long) s->n, (long long) s->n - 1);
    }
  if (s->bytes == 0)
    return KT_OK;
  memset (job.dx, 0, s->bytes);
  return host->parallel_for (run, s->outer * s->chunks, s->grain, add_units, &job);
}

static const kt_kernel gather_grad_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = gather_grad_prepare,
    .run = gather_grad_run },
  { 0 },
};

/* dE/d(dy): what was added is read again. */
static kt_status
gather_grad_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_attr axis
      = { .name = "axis", .kind = KT_A_INT, .i = kt_attr_int (host, g, "axis", 0) };
  const kt_value in[] = { host->g_seed (g, 0), host->g_in (g, 1) };

  (void) user;
  return host->g_set (g, 0, kt_node (host, g, "Gather", in, 2, &axis, 1));
}

static kt_status
gather_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_type at = kt_in_type (host, g, 1);
  int32_t axis     = 0;
  int64_t rank;

  (void) user;
  KT_TRY (kt_length_of (host, g, 2, &rank));
  if (rank < 0 || at.ndim < 0)
    return kt_fail (host, g, KT_E_UNSUPPORTED, "its body needs to know the ranks");
  KT_TRY (kt_axis (host, g, KT_E_ATTR, kt_attr_int (host, g, "axis", 0), (int32_t) rank,
                   &axis));
  return host->g_set (g, 0,
                      kt_add_slices (host, g, host->g_in (g, 0), host->g_in (g, 1),
                                     at.ndim, host->g_in (g, 2), axis));
}

const kt_operator kette_op_gather_grad = {
  .op     = { KT_OP ("GatherGrad", 1), .flags = KT_OP_PURE, .infer = gather_grad_infer,
              .gradient = gather_grad_gradient, .body = gather_grad_body },
  .kernel = gather_grad_kernel,
};
