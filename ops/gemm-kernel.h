/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm-kernel.h: the micro-kernels of matrix products for one element type and one set of
 * instructions. Included once for each by gemm-avx2.c and gemm-avx512.c, which define:
 *
 *   T, V, MASK        element, vector, mask of a vector's first elements
 *   WIDTH             elements of a vector
 *   NAME(x)           x with the suffix of this inclusion
 *   FN                attributes of each function (target)
 *   LOAD LOADM STORE STOREM SET1 ZERO FMA MUL MAX SUMS MASK_OF TURN
 *   FULL FMA_FULL     products of tiles of at least FULL sums, which take all registers
 *   ISA MOST_ROWS MOST_VECTORS DOT_COLS EACH_TILE EACH_DOT   the table
 *
 * rows and vectors are constants wherever tile () and dot () are called, so that the loops
 * over them unroll and the sums stay in registers.
 */

/* Rows are reached from every third one: base, base + step, base + 2 step, which are
 * addresses that the processor forms by itself. */
#define FAR 64 /* steps along k in which y comes from a further cache */
#define BASES ((KT_MOST_ROWS + 2) / 3)

/* y = alpha sums + beta c. All of c is read first: y may be c, and a read next to what has
 * just been written under a mask waits for the cache. */
static inline __attribute__ ((always_inline)) FN void
NAME (finish) (const kt_tile *t, const int rows, const int vectors, MASK mask,
               const bool partial, const bool has_c, V *sums)
{
  const V alpha = SET1 ((T) t->alpha), beta = SET1 ((T) t->beta);
  const int64_t y_row = t->y_row, c_row = t->c_row;
  const T *c = t->c;
  T *y       = t->y;

#pragma GCC unroll 14
  for (int i = 0; i < rows; i++)
    {
#pragma GCC unroll 8
      for (int v = 0; v < vectors; v++)
        {
          V *const x = &sums[i * vectors + v];
          *x         = MUL (alpha, *x);
          if (has_c && partial && v == vectors - 1)
            *x = FMA (beta, LOADM (c + v * WIDTH, mask), *x);
          else if (has_c)
            *x = FMA (beta, LOAD (c + v * WIDTH), *x);
        }
      if (has_c)
        c += c_row;
    }
  if (t->relu) /* the second operand where one is NaN, or both are 0 */
#pragma GCC unroll 64
    for (int i = 0; i < rows * vectors; i++)
      sums[i] = MAX (ZERO (), sums[i]);
#pragma GCC unroll 14
  for (int i = 0; i < rows; i++)
    {
#pragma GCC unroll 8
      for (int v = 0; v < vectors; v++)
        if (partial && v == vectors - 1)
          STOREM (y + v * WIDTH, mask, sums[i * vectors + v]);
        else
          STORE (y + v * WIDTH, sums[i * vectors + v]);
      y += y_row;
    }
}

/* One step along k: A's elements U behind where its rows are, the row B of b. */
static inline __attribute__ ((always_inline)) FN void
NAME (step) (const T *const *a, int64_t a_row, const int u, const T *b, const int rows,
             const int vectors, MASK mask, const bool partial, V *sums)
{
  V row[KT_MOST_VECTORS];

#pragma GCC unroll 8
  for (int v = 0; v < vectors; v++)
    row[v] = !partial || v < vectors - 1 ? LOAD (b + v * WIDTH)
                                         : LOADM (b + v * WIDTH, mask);
#pragma GCC unroll 14
  for (int i = 0; i < rows; i++)
    {
      const V x = SET1 (a[i / 3][(i % 3) * a_row + u]);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; v++)
        if (rows * vectors >= FULL)
          FMA_FULL (sums[i * vectors + v], x, row[v]);
        else
          sums[i * vectors + v] = FMA (x, row[v], sums[i * vectors + v]);
    }
}

static inline __attribute__ ((always_inline)) FN void
NAME (tile) (const kt_tile *t, const int rows, const int vectors, const bool partial)
{
  const int64_t a_row = t->a_row, a_col = t->a_col, b_row = t->b_row;
  const MASK mask = MASK_OF (t->cols - (vectors - 1) * WIDTH);
  const T *b      = t->b;
  const T *a[BASES];
  V sums[KT_MOST_ROWS * KT_MOST_VECTORS];
  int64_t p = t->k;

#pragma GCC unroll 5
  for (int i = 0; i < (rows + 2) / 3; i++)
    a[i] = (const T *) t->a + 3 * i * a_row;
#pragma GCC unroll 64
  for (int i = 0; i < rows * vectors; i++)
    sums[i] = ZERO ();

  if (t->k >= FAR)
#pragma GCC unroll 14
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
      for (int v = 0; v < vectors; v++)
        __builtin_prefetch (
            (t->c ? (const T *) t->c + i * t->c_row : (const T *) t->y + i * t->y_row)
                + v * WIDTH,
            1, 2);
  if (a_col == 1)
    {
      /* Addresses are formed once for four steps: between the products is little room. */
      for (; p >= 4; p -= 4)
        {
#pragma GCC unroll 4
          for (int u = 0; u < 4; u++)
            NAME (step) (a, a_row, u, b + u * b_row, rows, vectors, mask, partial, sums);
          b += 4 * b_row;
#pragma GCC unroll 5
          for (int i = 0; i < (rows + 2) / 3; i++)
            a[i] += 4;
        }
    }
  for (; p > 0; p--)
    {
      NAME (step) (a, a_row, 0, b, rows, vectors, mask, partial, sums);
      b += b_row;
#pragma GCC unroll 5
      for (int i = 0; i < (rows + 2) / 3; i++)
        a[i] += a_col;
    }

  if (t->c)
    NAME (finish) (t, rows, vectors, mask, partial, true, sums);
  else
    NAME (finish) (t, rows, vectors, mask, partial, false, sums);
}

static inline __attribute__ ((always_inline)) FN void
NAME (dot_step) (const int rows, const int cols, const T *a, int64_t a_row,
                 const T *const b[8], int64_t p, const bool partial, MASK mask, V *sums)
{
  V column[8];

#pragma GCC unroll 8
  for (int j = 0; j < cols; j++)
    column[j] = partial ? LOADM (b[j] + p, mask) : LOAD (b[j] + p);
#pragma GCC unroll 4
  for (int i = 0; i < rows; i++)
    {
      const V x = partial ? LOADM (a + i * a_row, mask) : LOAD (a + i * a_row);
#pragma GCC unroll 8
      for (int j = 0; j < cols; j++)
        sums[i * cols + j] = FMA (x, column[j], sums[i * cols + j]);
    }
}

/* Columns of a turned b: each element of y is a sum along a vector. */
static inline __attribute__ ((always_inline)) FN void
NAME (dot) (const kt_tile *t, const int rows, const int cols)
{
  const int64_t whole = t->k - t->k % WIDTH;
  const MASK mask     = MASK_OF (t->k - whole);
  const T *const a    = t->a;
  const T *b[8];
  V sums[16];
  T sum[16];

#pragma GCC unroll 8
  for (int j = 0; j < cols; j++) /* columns that are not there repeat the last one */
    b[j] = (const T *) t->b + (j < t->cols ? j : t->cols - 1) * t->b_row;
#pragma GCC unroll 16
  for (int i = 0; i < rows * cols; i++)
    sums[i] = ZERO ();
  for (int64_t p = 0; p < whole; p += WIDTH)
    NAME (dot_step) (rows, cols, a + p, t->a_row, b, p, false, mask, sums);
  if (whole < t->k)
    NAME (dot_step) (rows, cols, a + whole, t->a_row, b, whole, true, mask, sums);
  SUMS (sums, rows * cols, sum);

  for (int i = 0; i < rows; i++)
    for (int j = 0; j < cols && j < t->cols; j++)
      {
        const T *const c = t->c;
        T x              = (T) t->alpha * sum[i * cols + j];
        if (c)
          x += (T) t->beta * c[i * t->c_row + j];
        ((T *) t->y)[i * t->y_row + j] = t->relu && x < 0 ? 0 : x;
      }
}

#define TILE(ROWS, VECTORS)                                                              \
  static FN void NAME (tile_##ROWS##_##VECTORS) (const kt_tile *t)                       \
  {                                                                                      \
    if (t->cols != (VECTORS) *WIDTH)                                                     \
      NAME (tile) (t, ROWS, VECTORS, true);                                              \
    else                                                                                 \
      NAME (tile) (t, ROWS, VECTORS, false);                                             \
  }
#define DOT(ROWS, COLS)                                                                  \
  static FN void NAME (dot_##ROWS) (const kt_tile *t) { NAME (dot) (t, ROWS, COLS); }
#define IN_TABLE(ROWS, VECTORS)                                                          \
  .tile[(ROWS) -1][(VECTORS) -1] = NAME (tile_##ROWS##_##VECTORS),

EACH_TILE (TILE)
EACH_DOT (DOT)

const kt_tiles NAME (kt_tiles)
    = { .name     = ISA,
        .size     = sizeof (T),
        .width    = WIDTH,
        .rows     = MOST_ROWS,
        .dot_cols = DOT_COLS,
        .vectors  = MOST_VECTORS,
        EACH_TILE (IN_TABLE).dot
        = { NAME (dot_1), NAME (dot_2), NAME (dot_3), NAME (dot_4) },
        .turn = TURN };

#undef T
#undef V
#undef MASK
#undef WIDTH
#undef NAME
#undef LOAD
#undef LOADM
#undef STORE
#undef STOREM
#undef SET1
#undef ZERO
#undef FMA
#undef FULL
#undef FMA_FULL
#undef MUL
#undef MAX
#undef SUMS
#undef MASK_OF
#undef TURN
#undef BASES
#undef FAR
#undef TILE
#undef DOT
#undef IN_TABLE
