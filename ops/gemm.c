/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm.c: matrix products as MatMul and Gemm have them: micro-kernels where the processor and
 * the type allow it, else the loop nest; 16-bit floats by way of float.
 */
#include "gemm.h"
#include "half.h"
#include <stdatomic.h>

#define HALF_GRAIN 65536 /* elements to widen or narrow, likewise */

/* A factor that an integer type can hold: the products then wrap like all its arithmetic. */
static bool
is_whole (double v)
{
  return v >= -0x1p62 && v <= 0x1p62 && v == (double) (int64_t) v;
}

void
kt_dims_text (char *out, size_t size, const kt_type *t)
{
  size_t n = (size_t) snprintf (out, size, "[");

  for (int32_t d = 0; d < t->ndim && n + 24 < size; d++)
    n += (size_t) (kt_dim_known (t->dims[d])
                       ? snprintf (out + n, size - n, d ? ",%lld" : "%lld",
                                   (long long) t->dims[d])
                       : snprintf (out + n, size - n, d ? ",?" : "?"));
  snprintf (out + n, size - n, "]");
}

kt_status
kt_gemm_mismatch (const kt_host *host, const void *ctx, const kt_type *a,
                  const kt_type *b, int64_t k_a, int64_t k_b)
{
  char left[160], right[160];

  kt_dims_text (left, sizeof left, a);
  kt_dims_text (right, sizeof right, b);
  return kt_fail (host, ctx, KT_E_SHAPE, "%s x %s: %lld and %lld differ", left, right,
                  (long long) k_a, (long long) k_b);
}

/* One column: as one row, which is vector code. */
static void
swap_operands (kt_gemm *g)
{
  kt_gemm t = *g;

  t.m = 1, t.n = g->m;
  t.a_row = g->b_col, t.a_col = g->b_row, t.b_row = g->a_col, t.b_col = g->a_row;
  t.c_row = g->c_col, t.c_col = g->c_row;
  memcpy (t.a_step, g->b_step, sizeof t.a_step);
  memcpy (t.b_step, g->a_step, sizeof t.b_step);
  t.swapped = !g->swapped;
  *g        = t;
}

/* What the first node behind the product is, if the product can take it over: a step of
 * gradient descent X - R (alpha A B), where the product is added to X, or the addition of a
 * row. In one pass along k, so that the bits are those of the two nodes one by one. */
static kt_status
absorb (const kt_host *host, kt_prep *prep, kt_gemm *g, bool *absorbed)
{
  const kt_type y = kt_out_type (host, prep, 0);
  int32_t n_in, n_out, version;
  kt_follower next;
  kt_type row;

  *absorbed = false;
  if (!g->is_fast || g->half || g->has_c || g->fast.depth < g->k || g->fast.strip < g->k
      || host->follower (prep, 0, &next) != KT_OK || !next.op)
    return KT_OK;
  KT_TRY (host->arity (prep, &n_in, &n_out, &version));
  if (strcmp (next.domain, "kette") == 0 && strcmp (next.op, "SGD") == 0
      && next.operand == 2 && g->alpha == 1)
    {
      g->rate  = n_in;
      g->start = n_in + 1;
      g->c_row = g->n;
    }
  else if (strcmp (next.domain, "") == 0 && strcmp (next.op, "Add") == 0 && next.n_in == 2
           && !g->swapped)
    {
      KT_TRY (host->follower_type (prep, 0, 1 - next.operand, &row));
      if (row.kind != KT_TENSOR || row.ndim < 1 || row.ndim > y.ndim
          || row.dims[row.ndim - 1] != g->n || kt_count (row.dims, row.ndim) != g->n)
        return KT_OK;
      g->start = n_in;
      g->c_row = 0;
    }
  else
    return KT_OK;
  g->c_col  = 1;
  g->beta   = 1;
  *absorbed = true;
  return KT_OK;
}

/* Is what follows, the first N nodes aside, a Relu? */
static bool
ends_in_relu (const kt_host *host, const kt_prep *prep, int32_t n)
{
  kt_follower next;

  return host->follower (prep, n, &next) == KT_OK && next.op
         && strcmp (next.domain, "") == 0 && strcmp (next.op, "Relu") == 0;
}

/* Blocks of the whole batch that one thread takes at a time. */
static void
choose_grain (kt_gemm *g)
{
  const double block = kt_fast_cost (&g->fast, g->n, g->k)
                       / (double) (g->fast.row_blocks * g->fast.col_blocks);

  g->row_tiles = g->fast.row_blocks;
  g->col_tiles = g->fast.col_blocks;
  g->grain     = block < 1 ? (int64_t) (1 / block) : 1;
}

/* Room for the operands as floats, one behind the other, and what the product itself needs. */
static kt_status
half_workspace (const kt_host *host, kt_prep *prep, kt_gemm *g, size_t scratch)
{
  size_t n = (scratch + 63) / 64 * 16;

  for (int32_t i = 0; i < 4; i++)
    {
      const kt_type t  = i < 3 ? kt_in_type (host, prep, i) : kt_out_type (host, prep, 0);
      g->half_count[i] = t.kind ? kt_count (t.dims, t.ndim) : 0;
      g->half_at[i]    = n;
      n += ((size_t) g->half_count[i] + 15) / 16 * 16;
    }
  return host->want_workspace (prep, n * sizeof (float), 0);
}

/* Without micro-kernels, an operand that lies turned would need room for each worker: there
 * is one piece only, and b is turned as it is widened. */
static void
turn_half (kt_gemm *g)
{
  g->half_turned = !g->is_fast && g->b_col != 1 && g->n > 1 && g->k > 0;
  if (g->half_turned)
    g->b_row = g->n, g->b_col = 1;
}

/* Work is cut for two threads at least: nobody knows how many there will be. */
static int32_t
shared (const kt_host *host)
{
  const int32_t n = host->processors ();

  return n < 2 ? 2 : n;
}

/* Packs a B that will not change. */
static kt_status
prepack (const kt_host *host, kt_prep *prep, kt_gemm *g)
{
  kt_tensor b = { 0 };
  size_t bytes;

  if (!g->is_fast || g->half || g->n_dims > 0
      || host->constant (prep, g->swapped ? 0 : 1, &b) != KT_OK || !b.data || b.strides
      || b.device_type != KT_CPU
      || (bytes = kt_fast_prepack (&g->fast, shared (host))) == 0)
    return KT_OK;
  KT_TRY (host->keep (prep, bytes, &g->packed));
  kt_fast_pack (&g->fast, (const char *) b.data + b.byte_offset, g->packed);
  return KT_OK;
}

kt_status
kt_gemm_prepare (const kt_host *host, kt_prep *prep, kt_gemm *g, int32_t dtype, bool best)
{
  const bool half = dtype == KT_F16 || dtype == KT_BF16;
  bool absorbed   = false;

  g->half    = half ? dtype : 0;
  g->dtype   = half ? KT_F32 : dtype;
  g->n_batch = kt_count (g->dims, g->n_dims);
  g->start   = g->has_c ? 2 : 0;
  if (!kt_is_float (dtype) && (!is_whole (g->alpha) || !is_whole (g->beta)))
    return kt_fail (host, prep, KT_E_UNSUPPORTED,
                    "alpha %g and beta %g must be whole numbers for integer matrices",
                    g->alpha, g->beta);
  if (g->n == 1 && g->m > 1 && !(half && g->n_dims))
    swap_operands (g);
  g->spread  = g->has_c && g->c_col == 0 && g->n > 1;
  g->fast    = (kt_fast){ .m     = g->m,
                          .n     = g->n,
                          .k     = g->k,
                          .a_row = g->a_row,
                          .a_col = g->a_col,
                          .b_row = g->b_row,
                          .b_col = g->b_col };
  g->is_fast = g->n_batch > 0 && kt_fast_prepare (&g->fast, g->dtype, shared (host));
  KT_TRY (absorb (host, prep, g, &absorbed));
  KT_TRY (prepack (host, prep, g));
  if (best && !(g->is_fast && (absorbed || g->packed || kt_fast_is_best (&g->fast))))
    return KT_E_UNSUPPORTED;
  g->fast.relu = g->is_fast && !half && ends_in_relu (host, prep, absorbed);
  if (absorbed || g->fast.relu)
    KT_TRY (host->absorb (prep, absorbed + g->fast.relu));
  g->fast.c_row = g->spread ? g->n : g->c_row;
  if (g->is_fast)
    choose_grain (g);
  else
    kt_loops_choose (g);
  if (half)
    {
      turn_half (g);
      return half_workspace (host, prep, g, g->is_fast ? kt_fast_scratch (&g->fast) : 0);
    }

  const size_t scratch = g->packed    ? 0
                         : g->is_fast ? kt_fast_scratch (&g->fast)
                                      : kt_loops_scratch (g);
  return scratch ? host->want_workspace (prep, scratch, !g->is_fast) : KT_OK;
}

typedef struct
{
  const kt_host *host;
  kt_run *run;
  const kt_gemm *g;
  const char *a, *b, *c;
  char *y;
  double alpha;
  _Atomic kt_status status; /* of what follows the product */
} Work;

/* Where batch entry BATCH begins in an operand with the steps STEP. */
static int64_t
batch_offset (const kt_gemm *g, const int64_t *step, int64_t batch)
{
  int64_t offset = 0;

  for (int32_t d = g->n_dims - 1; d > 0; d--)
    {
      offset += batch % g->dims[d] * step[d];
      batch /= g->dims[d];
    }
  return g->n_dims ? offset + batch * step[0] : 0;
}

static void
report (Work *work, int64_t batch, const int64_t at[4], int32_t worker)
{
  const kt_gemm *const g = work->g;
  const kt_status status
      = kt_fast_report (work->host, work->run, batch * g->m * g->n, g->n, at, worker);

  if (status != KT_OK)
    atomic_store (&work->status, status);
}

/* The operands of product BATCH; C spread over y where that is needed. */
static kt_fast_operands
operands_of (const Work *work, int64_t batch)
{
  const kt_gemm *const g = work->g;
  const int64_t s        = (int64_t) kt_size_of (g->dtype);
  char *const y          = work->y + batch * g->m * g->n * s;

  return (kt_fast_operands){ .a     = work->a + batch_offset (g, g->a_step, batch) * s,
                             .b     = work->b + batch_offset (g, g->b_step, batch) * s,
                             .c     = g->spread ? y : work->c,
                             .y     = y,
                             .alpha = work->alpha,
                             .beta  = g->spread ? 1 : g->beta };
}

static void
fast_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Work *const work       = arg;
  const kt_gemm *const g = work->g;
  const int64_t tiles    = g->row_tiles * g->col_tiles;

  for (int64_t item = begin; item < end; item++)
    {
      const int64_t batch      = tiles == 1 ? item : item / tiles;
      const kt_fast_operands o = operands_of (work, batch);
      int64_t at[4];
      kt_fast_block (&g->fast, &o, tiles == 1 ? 0 : item % tiles, at);
      report (work, batch, at, worker);
    }
}

static void
loops_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Work *const work       = arg;
  const kt_gemm *const g = work->g;
  char *const packed     = work->host->workspace (work->run, worker, NULL);

  for (int64_t item = begin; item < end; item++)
    {
      const int64_t tiles = g->row_tiles * g->col_tiles, batch = item / tiles;
      const kt_fast_operands o = operands_of (work, batch);
      const int64_t i          = item % tiles / g->col_tiles * g->tile_rows;
      const int64_t j          = item % g->col_tiles * g->tile_cols;
      const int64_t rows       = g->m - i < g->tile_rows ? g->m - i : g->tile_rows;
      const int64_t cols       = g->n - j < g->tile_cols ? g->n - j : g->tile_cols;
      kt_loops_tile (g, o.a, o.b, work->c, o.y, packed, (const int64_t[]){ i, j },
                     (const int64_t[]){ rows, cols });
      report (work, batch, (const int64_t[]){ i, i + rows, j, j + cols }, worker);
    }
}

/* Products that need more than one pass, one after the other. */
static kt_status
run_passes (Work *work)
{
  const kt_gemm *const g = work->g;
  void *const scratch
      = g->packed ? g->packed : work->host->workspace (work->run, -1, NULL);

  for (int64_t batch = 0; batch < g->n_batch; batch++)
    {
      const kt_fast_operands o = operands_of (work, batch);
      KT_TRY (kt_fast_run (work->host, work->run, &g->fast, &o, scratch,
                           batch * g->m * g->n));
    }
  return KT_OK;
}

static kt_status
multiply (Work *work)
{
  const kt_gemm *const g = work->g;
  const int64_t n        = g->n_batch * g->row_tiles * g->col_tiles;
  kt_body *const body    = g->is_fast ? fast_piece : loops_piece;

  if (g->is_fast && g->spread)
    for (int64_t batch = 0; batch < g->n_batch; batch++)
      kt_loops_start (g, work->c, operands_of (work, batch).y);
  if (g->is_fast && !kt_fast_is_direct (&g->fast))
    return run_passes (work);
  if (n > g->grain)
    KT_TRY (work->host->parallel_for (work->run, n, g->grain, body, work));
  else
    body (work, 0, n, 0);
  return atomic_load (&work->status);
}

/* -- 16-bit floats ------------------------------------------------------------------------- */

typedef struct
{
  const kt_host *host;
  kt_run *run;
  const kt_gemm *g;
  const uint16_t *from;
  float *wide;
  uint16_t *to;
  _Atomic kt_status status;
} Half;

static void
widen_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Half *const h = arg;

  (void) worker;
  kt_widen (h->g->half, h->from + begin, h->wide + begin, end - begin);
}

/* Columns of b become rows. */
static void
widen_turned (const Half *h)
{
  const kt_gemm *const g = h->g;

  for (int64_t j = 0; j < g->n; j++)
    for (int64_t p = 0; p < g->k; p++)
      kt_widen (g->half, h->from + j * g->k + p, h->wide + p * g->n + j, 1);
}

static void
narrow_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Half *const h = arg;

  kt_narrow (h->g->half, h->wide + begin, h->to + begin, end - begin);

  const kt_status status = h->host->epilogue (h->run, begin, end, worker);
  if (status != KT_OK)
    atomic_store (&h->status, status);
}

static kt_status
nothing_follows (kt_run *run, int64_t begin, int64_t end, int32_t worker)
{
  (void) run, (void) begin, (void) end, (void) worker;
  return KT_OK;
}

static kt_status
run_half (const kt_host *host, Work *work)
{
  const kt_gemm *const g = work->g;
  float *const memory    = host->workspace (work->run, -1, NULL);
  Half h        = { host, work->run, g, NULL, NULL, work->run->out[0].data, KT_OK };
  kt_host quiet = *host; /* elements are not final before they are narrow */

  for (int32_t i = 0; i < 3; i++)
    if (g->half_count[i] > 0)
      {
        h.from = work->run->in[i].data;
        h.wide = memory + g->half_at[i];
        if (g->half_turned && i == (g->swapped ? 0 : 1))
          widen_turned (&h);
        else
          KT_TRY (host->parallel_for (work->run, g->half_count[i], HALF_GRAIN,
                                      widen_piece, &h));
      }
  quiet.epilogue = nothing_follows;
  work->host     = &quiet;
  work->a        = (const char *) (memory + g->half_at[g->swapped]);
  work->b        = (const char *) (memory + g->half_at[!g->swapped]);
  work->c        = g->start ? (const char *) (memory + g->half_at[2]) : NULL;
  work->y        = (char *) (memory + g->half_at[3]);
  KT_TRY (multiply (work));
  h.wide = memory + g->half_at[3];
  KT_TRY (host->parallel_for (work->run, g->half_count[3], HALF_GRAIN, narrow_piece, &h));
  return atomic_load (&h.status);
}

kt_status
kt_gemm_run (const kt_host *host, kt_run *run, void *state)
{
  const kt_gemm *const g   = state;
  const kt_tensor *const x = run->in;
  Work work                = { .host = host, .run = run, .g = g, .alpha = g->alpha };

  if (g->half)
    return run_half (host, &work);
  if (g->rate)
    work.alpha = -(g->dtype == KT_F32 ? (double) *(const float *) x[g->rate].data
                                      : *(const double *) x[g->rate].data);
  work.a = x[g->swapped].data;
  work.b = x[!g->swapped].data;
  work.c = g->start ? x[g->start].data : NULL;
  work.y = run->out[0].data;
  return multiply (&work);
}
