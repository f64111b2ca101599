/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm.c: the loop nest of gemm.h. Four rows of y take four columns of a at a time, so that
 * per load of b there is enough arithmetic; the innermost loop runs along the rows of b and
 * y and becomes vector code. A turned b is first turned back, block by block.
 */
#include "gemm.h"
#include "elementwise.h"
#include <stdatomic.h>

#define DEPTH 128        /* rows of a block of b */
#define PACKED_COLS 128  /* columns of a block of b that is turned */
#define PITCH 144        /* of such a block: no power of two, for the sake of the cache */
#define COLS 512         /* columns of a tile, at most */
#define ROWS 64          /* rows of a tile, at most */
#define TILE_WORK 0x1p20 /* additions and products that are worth a hand-over, here ... */
#define FORK_WORK 2e6    /* ... and with micro-kernels */

typedef void kt_gemm_block (const void *a, int64_t a_row, int64_t a_col, const void *b,
                            int64_t b_row, void *y, int64_t y_row, int64_t rows,
                            int64_t cols, int64_t depth, double alpha);
typedef void kt_gemm_turn (const void *b, int64_t b_row, int64_t b_col, void *out,
                           int64_t cols, int64_t depth);
typedef void kt_gemm_start (const void *c, int64_t c_row, int64_t c_col, void *y,
                            int64_t y_row, int64_t rows, int64_t cols, double v);

/* block: y += v a b; turn: out[k,j] = b[k,j] with rows of PITCH; start: y = v c, or 0. FACTOR
 * is v as an element. */
#define KETTE_GEMM(SUFFIX, T, FACTOR)                                                    \
  KT_INLINE void add_4x4_##SUFFIX (const T f[16], const T *restrict b, int64_t b_row,    \
                                   T *restrict y0, T *restrict y1, T *restrict y2,       \
                                   T *restrict y3, int64_t cols)                         \
  {                                                                                      \
    const T *const b1 = b + b_row, *const b2 = b1 + b_row, *const b3 = b2 + b_row;       \
                                                                                         \
    for (int64_t j = 0; j < cols; j++)                                                   \
      {                                                                                  \
        y0[j] = (((y0[j] + f[0] * b[j]) + f[1] * b1[j]) + f[2] * b2[j]) + f[3] * b3[j];  \
        y1[j] = (((y1[j] + f[4] * b[j]) + f[5] * b1[j]) + f[6] * b2[j]) + f[7] * b3[j];  \
        y2[j]                                                                            \
            = (((y2[j] + f[8] * b[j]) + f[9] * b1[j]) + f[10] * b2[j]) + f[11] * b3[j];  \
        y3[j] = (((y3[j] + f[12] * b[j]) + f[13] * b1[j]) + f[14] * b2[j])               \
                + f[15] * b3[j];                                                         \
      }                                                                                  \
  }                                                                                      \
  KT_INLINE void add_1x4_##SUFFIX (const T f[4], const T *restrict b, int64_t b_row,     \
                                   T *restrict y, int64_t cols)                          \
  {                                                                                      \
    const T *const b1 = b + b_row, *const b2 = b1 + b_row, *const b3 = b2 + b_row;       \
                                                                                         \
    for (int64_t j = 0; j < cols; j++)                                                   \
      y[j] = (((y[j] + f[0] * b[j]) + f[1] * b1[j]) + f[2] * b2[j]) + f[3] * b3[j];      \
  }                                                                                      \
  KT_INLINE void add_1x1_##SUFFIX (T f, const T *restrict b, T *restrict y,              \
                                   int64_t cols)                                         \
  {                                                                                      \
    for (int64_t j = 0; j < cols; j++)                                                   \
      y[j] = y[j] + f * b[j];                                                            \
  }                                                                                      \
  KT_VECTOR static void block_##SUFFIX (                                                 \
      const void *a_data, int64_t a_row, int64_t a_col, const void *b_data,              \
      int64_t b_row, void *y_data, int64_t y_row, int64_t rows, int64_t cols,            \
      int64_t depth, double v)                                                           \
  {                                                                                      \
    const T *const a = a_data, *const b = b_data;                                        \
    T *const y     = y_data;                                                             \
    const T factor = FACTOR;                                                             \
    T f[16];                                                                             \
                                                                                         \
    for (int64_t i = 0, step; i < rows; i += step)                                       \
      {                                                                                  \
        const T *const ai = a + i * a_row;                                               \
        T *const yi       = y + i * y_row;                                               \
        int64_t k         = 0;                                                           \
        step              = i + 4 <= rows ? 4 : 1;                                       \
        for (; k + 4 <= depth; k += 4)                                                   \
          {                                                                              \
            for (int64_t q = 0; q < 4 * step; q++)                                       \
              f[q] = factor * ai[(q >> 2) * a_row + (k + (q & 3)) * a_col];              \
            if (step == 4)                                                               \
              add_4x4_##SUFFIX (f, b + k * b_row, b_row, yi, yi + y_row, yi + 2 * y_row, \
                                yi + 3 * y_row, cols);                                   \
            else                                                                         \
              add_1x4_##SUFFIX (f, b + k * b_row, b_row, yi, cols);                      \
          }                                                                              \
        for (; k < depth; k++)                                                           \
          for (int64_t r = 0; r < step; r++)                                             \
            add_1x1_##SUFFIX (factor *ai[r * a_row + k * a_col], b + k * b_row,          \
                              yi + r * y_row, cols);                                     \
      }                                                                                  \
  }                                                                                      \
  static void turn_##SUFFIX (const void *b_data, int64_t b_row, int64_t b_col,           \
                             void *out, int64_t cols, int64_t depth)                     \
  {                                                                                      \
    const T *const b = b_data;                                                           \
    T *const o       = out;                                                              \
                                                                                         \
    for (int64_t j = 0; j < cols; j++)                                                   \
      for (int64_t k = 0; k < depth; k++)                                                \
        o[k * PITCH + j] = b[k * b_row + j * b_col];                                     \
  }                                                                                      \
  static void start_##SUFFIX (const void *c_data, int64_t c_row, int64_t c_col,          \
                              void *y_data, int64_t y_row, int64_t rows, int64_t cols,   \
                              double v)                                                  \
  {                                                                                      \
    const T *const c = c_data;                                                           \
    T *const y       = y_data;                                                           \
    const T factor   = FACTOR;                                                           \
                                                                                         \
    for (int64_t i = 0; i < rows; i++)                                                   \
      for (int64_t j = 0; j < cols; j++)                                                 \
        y[i * y_row + j] = c ? factor * c[i * c_row + j * c_col] : 0;                    \
  }

/* Integers wrap; signed ones are computed as unsigned ones, which gives the same bits. */
KETTE_GEMM (f32, float, (float) v)
KETTE_GEMM (f64, double, v)
KETTE_GEMM (w32, uint32_t, (uint32_t) (int64_t) v)
KETTE_GEMM (w64, uint64_t, (uint64_t) (int64_t) v)

typedef struct
{
  int32_t size;
  kt_gemm_block *block;
  kt_gemm_turn *turn;
  kt_gemm_start *start;
} Loops;

static const Loops *
loops_for (int32_t dtype)
{
  static const Loops f32 = { 4, block_f32, turn_f32, start_f32 };
  static const Loops f64 = { 8, block_f64, turn_f64, start_f64 };
  static const Loops w32 = { 4, block_w32, turn_w32, start_w32 };
  static const Loops w64 = { 8, block_w64, turn_w64, start_w64 };

  if (dtype == KT_F32 || dtype == KT_F64)
    return dtype == KT_F32 ? &f32 : &f64;
  return kt_size_of (dtype) == 4 ? &w32 : &w64;
}

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

/* Takes over a step of gradient descent X - R (alpha A B): the product is added to X. */
static kt_status
absorb_descent (const kt_host *host, kt_prep *prep, kt_gemm *g)
{
  kt_follower next;
  int32_t n_in, n_out, version;

  if (!g->is_fast || g->has_c || !KT_HAS (kt_host, host, epilogue)
      || host->follower (prep, 0, &next) != KT_OK || !next.op
      || strcmp (next.op, "SGD") != 0 || strcmp (next.domain, "kette") != 0
      || next.operand != 2)
    return KT_OK;
  KT_TRY (host->arity (prep, &n_in, &n_out, &version));
  g->rate  = n_in;
  g->start = n_in + 1;
  g->c_row = g->n, g->c_col = 1;
  g->beta = 1;
  return host->absorb (prep, 1);
}

static void
choose_tiles (kt_gemm *g)
{
  const double rows   = g->m < ROWS ? (double) g->m + 1 : ROWS;
  const double column = 2.0 * rows * (double) (g->k + 1);

  g->tile_rows = g->m < ROWS ? g->m : ROWS;
  g->tile_cols = column * COLS <= TILE_WORK ? COLS : 1 + (int64_t) (TILE_WORK / column);
  g->tile_cols = (g->tile_cols + 63) / 64 * 64;
  g->tile_cols = g->n < g->tile_cols ? g->n : g->tile_cols;
  g->row_tiles = g->tile_rows ? (g->m + g->tile_rows - 1) / g->tile_rows : 0;
  g->col_tiles = g->tile_cols ? (g->n + g->tile_cols - 1) / g->tile_cols : 0;
  g->grain     = 1 + (int64_t) (TILE_WORK / (column * (double) (g->tile_cols + 1)));
}

/* Blocks of the whole batch that one thread takes at a time. */
static void
choose_grain (kt_gemm *g)
{
  const double all   = 2.0 * (double) g->m * (double) g->n * (double) g->k;
  const double block = all / (double) (g->fast.row_blocks * g->fast.col_blocks);

  g->row_tiles = g->fast.row_blocks;
  g->col_tiles = g->fast.col_blocks;
  g->grain     = block < FORK_WORK ? (int64_t) (FORK_WORK / block) : 1;
}

kt_status
kt_gemm_prepare (const kt_host *host, kt_prep *prep, kt_gemm *g, int32_t dtype, bool best)
{
  g->dtype   = dtype;
  g->n_batch = kt_count (g->dims, g->n_dims);
  g->start   = g->has_c ? 2 : 0;
  if (!kt_is_float (dtype) && (!is_whole (g->alpha) || !is_whole (g->beta)))
    return kt_fail (host, prep, KT_E_UNSUPPORTED,
                    "alpha %g and beta %g must be whole numbers for integer matrices",
                    g->alpha, g->beta);
  if (g->n == 1 && g->m > 1)
    swap_operands (g);
  g->spread  = g->has_c && g->c_col == 0 && g->n > 1;
  g->fast    = (kt_fast){ .m     = g->m,
                          .n     = g->n,
                          .k     = g->k,
                          .a_row = g->a_row,
                          .a_col = g->a_col,
                          .b_row = g->b_row,
                          .b_col = g->b_col };
  g->is_fast = g->n_batch > 0 && kt_fast_prepare (&g->fast, dtype, true);
  if (best && !(g->is_fast && kt_fast_is_best (&g->fast)))
    return KT_E_UNSUPPORTED;
  KT_TRY (absorb_descent (host, prep, g));
  g->fast.c_row = g->spread ? g->n : g->c_row;
  if (g->is_fast)
    {
      const size_t scratch = kt_fast_scratch (&g->fast);
      choose_grain (g);
      return scratch ? host->want_workspace (prep, scratch, 0) : KT_OK;
    }
  choose_tiles (g);
  return g->b_col == 1 || g->n == 1
             ? KT_OK
             : host->want_workspace (prep, (size_t) DEPTH * PITCH * kt_size_of (dtype),
                                     1);
}

typedef struct
{
  const kt_host *host;
  kt_run *run;
  const kt_gemm *g;
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

/* Rows I .. I + ROWS - 1 and columns J .. J + COLS - 1 of one product. */
static void
compute_tile (const kt_gemm *g, const char *a, const char *b, const char *c, char *y,
              char *packed, const int64_t at[2], const int64_t size[2])
{
  const Loops *const loops = loops_for (g->dtype);
  const int64_t s = loops->size, i = at[0], j = at[1], rows = size[0], cols = size[1];
  const bool turned = g->b_col != 1 && g->n != 1;

  y += (i * g->n + j) * s;
  loops->start (c ? c + (i * g->c_row + j * g->c_col) * s : NULL, g->c_row, g->c_col, y,
                g->n, rows, cols, g->beta);
  for (int64_t k = 0; k < g->k; k += DEPTH)
    {
      const int64_t depth = g->k - k < DEPTH ? g->k - k : DEPTH;
      const char *ak      = a + (i * g->a_row + k * g->a_col) * s;
      for (int64_t q = 0, n; q < cols; q += n)
        {
          const char *bk = b + (k * g->b_row + (j + q) * g->b_col) * s;
          n              = turned && cols - q > PACKED_COLS ? PACKED_COLS : cols - q;
          if (turned)
            loops->turn (bk, g->b_row, g->b_col, packed, n, depth);
          loops->block (ak, g->a_row, g->a_col, turned ? packed : bk,
                        turned ? PITCH : g->b_row, y + q * s, g->n, rows, n, depth,
                        g->alpha);
        }
    }
}

/* The operands of product BATCH; C spread over y where that is needed. */
static kt_fast_operands
operands_of (const Work *work, int64_t batch)
{
  const kt_gemm *const g   = work->g;
  const kt_tensor *const x = work->run->in;
  const int64_t s          = kt_size_of (g->dtype);
  const kt_fast_operands o
      = { .a     = (char *) x[g->swapped].data + batch_offset (g, g->a_step, batch) * s,
          .b     = (char *) x[!g->swapped].data + batch_offset (g, g->b_step, batch) * s,
          .c     = g->start ? x[g->start].data : NULL,
          .y     = (char *) work->run->out[0].data + batch * g->m * g->n * s,
          .alpha = work->alpha,
          .beta  = g->beta };

  return o;
}

static void
fast_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Work *const work       = arg;
  const kt_gemm *const g = work->g;
  const int64_t tiles    = g->row_tiles * g->col_tiles;

  for (int64_t item = begin; item < end; item++)
    {
      const int64_t batch = tiles == 1 ? item : item / tiles;
      kt_fast_operands o  = operands_of (work, batch);
      int64_t at[4];
      if (g->spread)
        o.c = o.y, o.beta = 1;
      kt_fast_block (&g->fast, &o, tiles == 1 ? 0 : item % tiles, at);

      const kt_status status
          = kt_fast_report (work->host, work->run, batch * g->m * g->n, g->n, at, worker);
      if (status != KT_OK)
        atomic_store (&work->status, status);
    }
}

static void
gemm_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Work *const work         = arg;
  const kt_gemm *const g   = work->g;
  const kt_tensor *const x = work->run->in;
  const int64_t s          = loops_for (g->dtype)->size;
  const char *const a = x[g->swapped ? 1 : 0].data, *const b = x[g->swapped ? 0 : 1].data;
  char *const packed = work->host->workspace (work->run, worker, NULL);

  for (int64_t item = begin; item < end; item++)
    {
      const int64_t tiles = g->row_tiles * g->col_tiles, batch = item / tiles;
      const int64_t at[] = { item % tiles / g->col_tiles * g->tile_rows,
                             item % g->col_tiles * g->tile_cols };
      const int64_t size[]
          = { g->m - at[0] < g->tile_rows ? g->m - at[0] : g->tile_rows,
              g->n - at[1] < g->tile_cols ? g->n - at[1] : g->tile_cols };
      compute_tile (
          g, a + batch_offset (g, g->a_step, batch) * s,
          b + batch_offset (g, g->b_step, batch) * s, g->has_c ? x[2].data : NULL,
          (char *) work->run->out[0].data + batch * g->m * g->n * s, packed, at, size);

      const int64_t edges[]  = { at[0], at[0] + size[0], at[1], at[1] + size[1] };
      const kt_status status = kt_fast_report (work->host, work->run, batch * g->m * g->n,
                                               g->n, edges, worker);
      if (status != KT_OK)
        atomic_store (&work->status, status);
    }
}

/* Products that need more than one pass, one after the other. */
static kt_status
run_passes (Work *work)
{
  const kt_gemm *const g = work->g;
  void *const scratch    = work->host->workspace (work->run, -1, NULL);

  for (int64_t batch = 0; batch < g->n_batch; batch++)
    {
      kt_fast_operands o = operands_of (work, batch);
      if (g->spread)
        o.c = o.y, o.beta = 1;
      KT_TRY (kt_fast_run (work->host, work->run, &g->fast, &o, scratch,
                           batch * g->m * g->n));
    }
  return KT_OK;
}

kt_status
kt_gemm_run (const kt_host *host, kt_run *run, void *state)
{
  const kt_gemm *const g = state;
  const int64_t n        = g->n_batch * g->row_tiles * g->col_tiles;
  kt_body *const body    = g->is_fast ? fast_piece : gemm_piece;
  Work work              = { host, run, g, g->alpha, KT_OK };

  if (g->rate)
    work.alpha *= -(g->dtype == KT_F32 ? (double) *(const float *) run->in[g->rate].data
                                       : *(const double *) run->in[g->rate].data);
  if (g->is_fast && g->spread)
    for (int64_t batch = 0; batch < g->n_batch; batch++)
      loops_for (g->dtype)->start (run->in[2].data, g->c_row, g->c_col,
                                   operands_of (&work, batch).y, g->n, g->m, g->n,
                                   g->beta);
  if (g->is_fast && !kt_fast_is_direct (&g->fast))
    return run_passes (&work);
  if (n > g->grain)
    KT_TRY (host->parallel_for (run, n, g->grain, body, &work));
  else
    body (&work, 0, n, 0);
  return atomic_load (&work.status);
}
