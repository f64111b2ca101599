/* SPDX-License-Identifier: Apache-2.0
 *
 * reduce.h: the family of reductions over any axes.
 *
 * The order of a sum is fixed by the shape, never by threads: the elements that make one
 * output are cut into blocks of 4,096 in index order; a block has 16 interleaved partial
 * results (element i belongs to number i mod 16), joined in a tree; blocks are joined
 * pairwise. Where several reduced dims do not adjoin in memory, each run along the innermost
 * of them begins at partial result 0. Sums over rows and over columns follow the same rule.
 */
#pragma once
#include "emit.h"
#include "half.h"
#include "shape.h"

#define KT_BLOCK 4096 /* elements */
#define KT_LANES 16   /* partial results */
#define KT_COLUMNS 64 /* neighbouring outputs that are worked on together */
#define KT_SHORT 16   /* rows up to this length are worked on together like columns */

typedef struct kt_reduce
{
  int64_t outs, count; /* outputs; elements per output */
  int64_t columns,
      step; /* outputs worked on together, or 1; distance of their elements */
  int64_t run, stride, runs; /* a run: elements, their distance; runs per output */
  int64_t parts, group;      /* blocks of a long run; short runs of a block */
  int64_t blocks;            /* per output */
  int64_t wide, chunks, units, grain; /* outputs of a chunk of columns; pieces of work */
  int32_t lanes, n_kept, n_outer;
  bool rows; /* the elements of a run adjoin, and are more than a few */
  int64_t kept_dims[KT_MAX_RANK],
      kept[KT_MAX_RANK]; /* outer dims that stay, their strides */
  int64_t outer_dims[KT_MAX_RANK], outer[KT_MAX_RANK]; /* outer reduced dims */
} kt_reduce;

/* A block of an output: elements begin .. begin + n - 1 of the runs first .. end - 1; of
 * `width` outputs side by side. */
typedef struct kt_piece
{
  int64_t first, end, begin, n, width;
  int64_t left; /* elements from where the piece begins to the end of all */
} kt_piece;

/* Reduces a piece at X; the results go to Y, or unfinished to PARTIALS, r->blocks apart. */
typedef void kt_reduce_loop (const kt_reduce *r, const void *x, const kt_piece *piece,
                             void *y, void *partials);
/* Joins the blocks of N outputs. */
typedef void kt_reduce_join (const kt_reduce *r, void *partials, int64_t n, void *y);

typedef struct kt_reduce_loops
{
  int32_t dtype;
  uint32_t size; /* bytes of a partial result */
  kt_reduce_loop *rows, *columns;
  kt_reduce_join *join;
} kt_reduce_loops; /* arrays end with rows NULL */

/* What a kernel's user points to. */
typedef struct kt_reduction
{
  const kt_reduce_loops *loops;
  bool needs_elements; /* nothing to reduce is an error for integers (a mean) */
} kt_reduction;

/* Plans a reduction of DIMS over the axes in SET. */
void kt_reduce_plan (kt_reduce *r, int32_t ndim, const int64_t *dims, uint32_t set);

/* Runs the plan R; PARTIALS: scratch of kt_reduce_bytes, NULL if that is 0. */
kt_status kt_reduce_run_plan (const kt_host *host, kt_run *run, const kt_reduce *r,
                              const kt_reduce_loops *loops, const void *x, void *y,
                              void *partials);
size_t kt_reduce_bytes (const kt_reduce *r, const kt_reduce_loops *loops);

/* Shape rule, prepare and run of Reduce*: axes in input 1, attributes keepdims and
 * noop_with_empty_axes. */
kt_status kt_reduce_infer (const kt_host *host, kt_infer *infer, void *user);
kt_status kt_reduce_prepare (const kt_host *host, kt_prep *prep, void *user,
                             void **state);
kt_status kt_reduce_run (const kt_host *host, kt_run *run, void *state);

/* V, a value in the shape of the reduction's output, in a shape that broadcasts to that of
 * its input: the reduced dims are put back as 1. */
kt_value kt_reduce_keep (const kt_host *host, kt_graph *g, kt_value v);

/* The reduction OP of X over the axes of the node, with its attributes. */
kt_value kt_reduce_node (const kt_host *host, kt_graph *g, const char *op, kt_value x);

/* Offset of reduced run I of an output, in elements. */
static inline int64_t
kt_run_offset (const kt_reduce *r, int64_t i)
{
  int64_t offset = 0;

  for (int32_t d = r->n_outer - 1; d >= 0; d--)
    {
      const int64_t rest = d ? i / r->outer_dims[d] : 0;
      offset += (i - rest * r->outer_dims[d]) * r->outer[d];
      i = rest;
    }
  return offset;
}

/* gcc unrolls a short loop before it tries vectors, and then sees only branches. */
#if defined(__GNUC__) && !defined(__clang__)
#define KT_ONE_LOOP _Pragma ("GCC unroll 1")
#else
#define KT_ONE_LOOP
#endif

/* One level of the trees of WIDTH outputs. */
#define KT_HALVE(HALF, JOIN)                                                             \
  for (int64_t c = 0; c < width; c++)                                                    \
    KT_ONE_LOOP for (int l = 0; l < HALF; l++) sums[c * KT_LANES + l]                    \
        = JOIN (sums[c * KT_LANES + l], sums[c * KT_LANES + l + HALF]);

/* The loops NAME_rows_SUFFIX, NAME_columns_SUFFIX, NAME_join_SUFFIX: elements and outputs of
 * type T, partial results of type A. MAP (LOAD (x)): an element as A; JOIN (a, b); STORE (END
 * (a, n)): the output from the joined result of n elements; START: the result of none. */
#define KT_REDUCE_LOOPS(NAME, SUFFIX, T, A, LOAD, STORE, START, MAP, JOIN, END)          \
  KT_VECTOR static void NAME##_rows_##SUFFIX (const kt_reduce *r, const void *x_data,    \
                                              const kt_piece *piece, void *y_data,       \
                                              void *partials)                            \
  {                                                                                      \
    const int64_t n = piece->n, full = n - n % KT_LANES, width = piece->width;           \
    A sums[KT_LANES * KT_COLUMNS];                                                       \
    int32_t some[KT_LANES]; /* is there such an element behind the full vectors? */      \
    T *const y = y_data;                                                                 \
                                                                                         \
    for (int l = 0; l < KT_LANES; l++)                                                   \
      some[l] = l < n - full;                                                            \
    for (int64_t k = 0; k < width * KT_LANES; k++)                                       \
      sums[k] = START;                                                                   \
    for (int64_t c = 0; c < width; c++)                                                  \
      {                                                                                  \
        A *const lane = sums + c * KT_LANES;                                             \
        for (int64_t run = piece->first; run < piece->end; run++)                        \
          {                                                                              \
            const int64_t at = c * r->step + kt_run_offset (r, run) + piece->begin;      \
            const T *x       = (const T *) x_data + at;                                  \
            A part[KT_LANES];                                                            \
            T last[KT_LANES];                                                            \
            if (full > 0)                                                                \
              KT_ONE_LOOP for (int l = 0; l < KT_LANES; l++) part[l]                     \
                  = JOIN (lane[l], MAP (LOAD (x[l])));                                   \
            else                                                                         \
              memcpy (part, lane, sizeof part);                                          \
            for (int64_t i = KT_LANES; i < full; i += KT_LANES)                          \
              KT_ONE_LOOP for (int l = 0; l < KT_LANES; l++) part[l]                     \
                  = JOIN (part[l], MAP (LOAD (x[i + l])));                               \
            if (full == n)                                                               \
              {                                                                          \
                memcpy (lane, part, sizeof part);                                        \
                continue;                                                                \
              }                                                                          \
            /* Whole vectors are read, as far as there are, and cut. */                  \
            x += full;                                                                   \
            if (piece->left - at - full < KT_LANES)                                      \
              {                                                                          \
                memset (last, 0, sizeof last);                                           \
                memcpy (last, x, (size_t) (n - full) * sizeof *x);                       \
                x = last;                                                                \
              }                                                                          \
            KT_ONE_LOOP for (int l = 0; l < KT_LANES; l++)                               \
            {                                                                            \
              const A joined = JOIN (part[l], MAP (LOAD (x[l])));                        \
              lane[l]        = some[l] ? joined : part[l];                               \
            }                                                                            \
          }                                                                              \
      }                                                                                  \
    KT_HALVE (8, JOIN)                                                                   \
    KT_HALVE (4, JOIN)                                                                   \
    KT_HALVE (2, JOIN)                                                                   \
    KT_HALVE (1, JOIN)                                                                   \
    for (int64_t c = 0; c < width; c++)                                                  \
      if (partials)                                                                      \
        ((A *) partials)[c * r->blocks] = sums[c * KT_LANES];                            \
      else                                                                               \
        y[c] = (T) STORE (END (sums[c * KT_LANES], r->count));                           \
  }                                                                                      \
                                                                                         \
  KT_VECTOR static void NAME##_columns_##SUFFIX (const kt_reduce *r, const void *x_data, \
                                                 const kt_piece *piece, void *y_data,    \
                                                 void *partials)                         \
  {                                                                                      \
    A lane[KT_LANES * KT_COLUMNS];                                                       \
    const int64_t width = piece->width, n = piece->n, all = r->lanes * width;            \
    T *const y = y_data;                                                                 \
                                                                                         \
    for (int64_t k = 0; k < all; k++)                                                    \
      lane[k] = START;                                                                   \
    for (int64_t run = piece->first; run < piece->end; run++)                            \
      {                                                                                  \
        const T *x                                                                       \
            = (const T *) x_data + kt_run_offset (r, run) + piece->begin * r->stride;    \
        if (r->step != 1) /* short rows, side by side */                                 \
          for (int64_t i = 0; i < n; i++, x += r->stride)                                \
            {                                                                            \
              A *const l = lane + (i % KT_LANES) * width;                                \
              for (int64_t c = 0; c < width; c++)                                        \
                l[c] = JOIN (l[c], MAP (LOAD (x[c * r->step])));                         \
            }                                                                            \
        else if (r->stride == width)                                                     \
          for (int64_t i = 0; i < n; i += KT_LANES, x += KT_LANES * width)               \
            {                                                                            \
              const int64_t m = (n - i < KT_LANES ? n - i : KT_LANES) * width;           \
              for (int64_t k = 0; k < m; k++)                                            \
                lane[k] = JOIN (lane[k], MAP (LOAD (x[k])));                             \
            }                                                                            \
        else                                                                             \
          for (int64_t i = 0; i < n; i++, x += r->stride)                                \
            {                                                                            \
              A *const l = lane + (i % KT_LANES) * width;                                \
              for (int64_t c = 0; c < width; c++)                                        \
                l[c] = JOIN (l[c], MAP (LOAD (x[c])));                                   \
            }                                                                            \
      }                                                                                  \
    for (int64_t half = all / 2; half >= width; half /= 2)                               \
      for (int64_t k = 0; k < half; k++)                                                 \
        lane[k] = JOIN (lane[k], lane[k + half]);                                        \
    for (int64_t c = 0; c < width; c++)                                                  \
      if (partials)                                                                      \
        ((A *) partials)[c * r->blocks] = lane[c];                                       \
      else                                                                               \
        y[c] = (T) STORE (END (lane[c], r->count));                                      \
  }                                                                                      \
                                                                                         \
  static void NAME##_join_##SUFFIX (const kt_reduce *r, void *partials, int64_t n,       \
                                    void *y)                                             \
  {                                                                                      \
    for (int64_t o = 0; o < n; o++)                                                      \
      {                                                                                  \
        A *const p = (A *) partials + o * r->blocks;                                     \
        for (int64_t step = 1; step < r->blocks; step *= 2)                              \
          for (int64_t b = 0; b + step < r->blocks; b += 2 * step)                       \
            p[b] = JOIN (p[b], p[b + step]);                                             \
        ((T *) y)[o] = (T) STORE (END (r->blocks ? p[0] : START, r->count));             \
      }                                                                                  \
  }

#define KT_REDUCE_ROW(NAME, SUFFIX, DTYPE, A)                                            \
  {                                                                                      \
    DTYPE, sizeof (A), NAME##_rows_##SUFFIX, NAME##_columns_##SUFFIX,                    \
        NAME##_join_##SUFFIX                                                             \
  }

/* LOAD and STORE. */
#define KT_ITSELF(x) (x)
#define KT_STORE_F16(v) kt_f64_to_f16 ((double) (v))
#define KT_STORE_BF16(v) kt_f64_to_bf16 ((double) (v))

/* The four float types; partial results of type A, double for f64. */
#define KT_REDUCE_FLOATS(NAME, A, ...)                                                   \
  KT_REDUCE_LOOPS (NAME, f32, float, A, KT_ITSELF, KT_ITSELF, __VA_ARGS__)               \
  KT_REDUCE_LOOPS (NAME, f64, double, double, KT_ITSELF, KT_ITSELF, __VA_ARGS__)         \
  KT_REDUCE_LOOPS (NAME, f16, uint16_t, A, kt_f16_to_f32, KT_STORE_F16, __VA_ARGS__)     \
  KT_REDUCE_LOOPS (NAME, bf16, uint16_t, A, kt_bf16_to_f32, KT_STORE_BF16, __VA_ARGS__)
#define KT_REDUCE_FLOAT_ROWS(NAME, A)                                                    \
  KT_REDUCE_ROW (NAME, f32, KT_F32, A), KT_REDUCE_ROW (NAME, f64, KT_F64, double),       \
      KT_REDUCE_ROW (NAME, f16, KT_F16, A), KT_REDUCE_ROW (NAME, bf16, KT_BF16, A)

/* An integer type T. */
#define KT_REDUCE_WHOLE(NAME, SUFFIX, T, A, ...)                                         \
  KT_REDUCE_LOOPS (NAME, SUFFIX, T, A, KT_ITSELF, KT_ITSELF, __VA_ARGS__)

/* The kernel NAME_kernel for the loops NAME_loops. */
#define KT_REDUCE_KERNEL(NAME, TYPES, NEEDS_ELEMENTS)                                    \
  static const kt_reduction NAME##_reduction = { NAME##_loops, NEEDS_ELEMENTS };         \
  static const kt_kernel NAME##_kernel[]                                                 \
      = { { KT_KERNEL, .flags = KT_CPU_FLAGS, .types = TYPES,                            \
            .user    = (void *) (uintptr_t) &NAME##_reduction,                           \
            .prepare = kt_reduce_prepare, .run = kt_reduce_run },                        \
          { 0 } };

/* Versions before the axes became an input. */
#define KT_OLD_REDUCE(NAME, UNTIL)                                                       \
  (const kt_op[])                                                                        \
  {                                                                                      \
    { KT_OLD (NAME, 1, UNTIL), .flags = KT_OP_PURE, .body = kt_old_axes,                 \
      .user = (void *) (NAME) },                                                         \
    {                                                                                    \
      0                                                                                  \
    }                                                                                    \
  }
