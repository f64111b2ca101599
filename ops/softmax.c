/* SPDX-License-Identifier: Apache-2.0
 *
 * softmax.c: cutting tensors into slices, and what the operators of softmax.h emit alike.
 */
#include "softmax.h"
#include "emit.h"
#include "loss.h"

#define GRAIN 16384 /* elements in a piece of work */

typedef struct
{
  kt_softmax_loop *rows, *columns;
  int64_t outer, length, inner, blocks; /* blocks: of columns, per outer index */
  int64_t size;                         /* bytes of an element */
  int32_t half;                         /* KT_F16, KT_BF16 or 0 */
} State;

typedef struct
{
  const kt_host *host;
  kt_run *run;
  const State *state;
} Work;

kt_status
kt_softmax_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type a = kt_in_type (host, infer, 0);
  int32_t axis, n_in, n_out;

  (void) user;
  KT_TRY (host->arity (infer, &n_in, &n_out, NULL));
  if (n_in > 1)
    KT_TRY (kt_same_dims (host, infer, 0, "dy", 1, "y"));
  if (a.kind == 0)
    return KT_OK;
  if (a.ndim >= 0)
    KT_TRY (kt_axis (host, infer, KT_E_ATTR, kt_attr_int (host, infer, "axis", -1),
                     a.ndim, &axis));
  return host->out_type (infer, 0, &a);
}

/* Slices that are worked on together. */
static size_t
width_of (const State *s)
{
  return s->inner == 1                   ? 1
         : s->inner < KT_SOFTMAX_COLUMNS ? (size_t) s->inner
                                         : KT_SOFTMAX_COLUMNS;
}

kt_status
kt_softmax_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_softmax_loops *const loops = user;
  const kt_type a                     = kt_in_type (host, prep, 0);
  int32_t axis                        = 0;

  KT_TRY (kt_axis (host, prep, KT_E_ATTR, kt_attr_int (host, prep, "axis", -1), a.ndim,
                   &axis));
  KT_TRY (host->keep (prep, sizeof (State), state));

  State *const s = *state;
  s->rows        = a.dtype == KT_F64 ? loops->rows_f64 : loops->rows_f32;
  s->columns     = a.dtype == KT_F64 ? loops->columns_f64 : loops->columns_f32;
  s->size        = (int64_t) kt_size_of (a.dtype);
  s->outer       = kt_count (a.dims, axis);
  s->length      = a.dims[axis];
  s->inner       = kt_count (a.dims + axis + 1, a.ndim - axis - 1);
  s->blocks      = (s->inner + KT_SOFTMAX_COLUMNS - 1) / KT_SOFTMAX_COLUMNS;
  if (a.dtype != KT_F16 && a.dtype != KT_BF16)
    return KT_OK;
  /* Room for the slices of a piece of both inputs as floats. */
  s->half = a.dtype;
  return host->want_workspace (prep,
                               2 * sizeof (float) * (size_t) s->length * width_of (s), 1);
}

/* N slices of 16-bit floats side by side, elements STEP apart; with STEP 1 one slice. */
static void
half_slices (const Work *work, const uint16_t *a, const uint16_t *b, uint16_t *y,
             int64_t n, int64_t step, int32_t worker)
{
  const State *const s = work->state;
  float *const x       = work->host->workspace (work->run, worker, NULL);
  float *const z       = x + n * s->length;
  const int64_t each = step == 1 ? s->length : n, runs = step == 1 ? 1 : s->length;

  for (int64_t i = 0; i < runs; i++)
    {
      kt_widen (s->half, a + i * step, x + i * each, each);
      if (b)
        kt_widen (s->half, b + i * step, z + i * each, each);
    }
  (step == 1 ? s->rows : s->columns) (x, b ? z : NULL, x, n, s->length, n);
  for (int64_t i = 0; i < runs; i++)
    kt_narrow (s->half, x + i * each, y + i * step, each);
}

/* N slices from element FIRST on. */
static void
slices (const Work *work, int64_t first, int64_t n, int32_t worker)
{
  const State *const s  = work->state;
  const kt_run *const r = work->run;
  const int64_t at      = first * s->size;
  const char *const a   = (const char *) r->in[0].data + at;
  const char *const b   = r->n_in > 1 ? (const char *) r->in[1].data + at : NULL;
  char *const y         = (char *) r->out[0].data + at;

  if (s->half && s->inner == 1)
    for (int64_t i = 0; i < n; i++)
      {
        const int64_t row = i * s->length * s->size;
        half_slices (work, (const void *) (a + row), b ? (const void *) (b + row) : NULL,
                     (void *) (y + row), 1, 1, worker);
      }
  else if (s->half)
    half_slices (work, (const void *) a, (const void *) b, (void *) y, n, s->inner,
                 worker);
  else if (s->inner == 1)
    s->rows (a, b, y, n, s->length, 1);
  else
    s->columns (a, b, y, n, s->length, s->inner);
}

static void
rows_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Work *const work = arg;

  slices (work, begin * work->state->length, end - begin, worker);
}

static void
columns_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Work *const work = arg;
  const State *const s   = work->state;

  for (int64_t i = begin; i < end; i++)
    {
      const int64_t first = i % s->blocks * KT_SOFTMAX_COLUMNS, rest = s->inner - first;
      slices (work, i / s->blocks * s->length * s->inner + first,
              rest < KT_SOFTMAX_COLUMNS ? rest : KT_SOFTMAX_COLUMNS, worker);
    }
}

kt_status
kt_softmax_run (const kt_host *host, kt_run *run, void *state)
{
  const State *const s = state;
  kt_body *const body  = s->inner == 1 ? rows_piece : columns_piece;
  const int64_t n      = s->inner == 1 ? s->outer : s->outer * s->blocks;
  const int64_t each   = s->length * (s->inner == 1 ? 1 : KT_SOFTMAX_COLUMNS);
  const int64_t grain  = 1 + GRAIN / (each + 1);
  Work work            = { host, run, s };

  if (s->length == 0)
    return KT_OK;
  if (n > grain)
    return host->parallel_for (run, n, grain, body, &work);
  body (&work, 0, n, 0);
  return KT_OK;
}

kt_status
kt_softmax_old (const kt_host *host, kt_graph *g, void *user)
{
  const int64_t axis = kt_attr_int (host, g, "axis", 1);
  const kt_value x   = host->g_in (g, 0);
  const kt_attr last = { .name = "axis", .kind = KT_A_INT, .i = -1 };
  const kt_attr at   = { .name = "axis", .kind = KT_A_INT, .i = axis };
  kt_type t          = { 0 };

  host->g_type (g, x, &t);
  if (t.kind && t.ndim >= 0 && (axis == t.ndim - 1 || axis == -1))
    return host->g_set (g, 0, kt_node (host, g, user, &x, 1, &last, 1));

  const kt_value flat = kt_node (host, g, "Flatten", &x, 1, &at, 1);
  const kt_value y    = kt_node (host, g, user, &flat, 1, &last, 1);
  return host->g_set (g, 0, kt_reshape (host, g, y, kt_shape_of (host, g, x)));
}

kt_value
kt_softmax_reduced (const kt_host *host, kt_graph *g, const char *op, kt_value x)
{
  const int64_t axis  = kt_attr_int (host, g, "axis", -1);
  const kt_value in[] = { x, kt_ints (host, g, &axis, 1) };

  return kt_node (host, g, op, in, 2, NULL, 0);
}
