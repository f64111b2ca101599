/* SPDX-License-Identifier: Apache-2.0
 *
 * loops.h: the loops of pools and of batch normalisation for one kind of vectors. loops.c includes it once for each, with
 * TARGET, an attribute of functions, and ISA, a word for their names. (Not target_clones, for
 * which gcc takes comparisons of vectors apart.) No fused multiply-add is made
 * (-ffp-contract=off): all kinds give the same bits.
 */

#define PASTE_(A, B, C) A##_##B##_##C
#define PASTE(A, B, C) PASTE_ (A, B, C)
#define NAMED(NAME, BLOCK) PASTE (NAME, BLOCK, ISA)

/* For each cell of a window, in order, DO with the pointer at. */
#define EACH_CELL(P, Z, Y, X, PLANE, BLOCK, DO)                                          \
  for (int64_t a = (Z)->from; a < (Z)->to; a++)                                          \
    for (int64_t b = (Y)->from; b < (Y)->to; b++)                                        \
      {                                                                                  \
        int64_t at = ((((Z)->first + a * (P)->dilation[0]) * (P)->large[1] + (Y)->first  \
                       + b * (P)->dilation[1])                                           \
                          * (P)->large[2]                                                \
                      + (X)->first + (X)->from * (P)->dilation[2])                       \
                     * BLOCK;                                                            \
        for (int64_t c = (X)->from; c < (X)->to; c++, at += (P)->dilation[2] * BLOCK)    \
          {                                                                              \
            DO;                                                                          \
          }                                                                              \
      }

#define LOAD(BLOCK, P) (*(const Floats##BLOCK *) (P))
#define STORE(BLOCK, P, V) (*(Floats##BLOCK *) (P) = (V))
#define WIDE(BLOCK, V) __builtin_convertvector(V, Doubles##BLOCK)
#define NARROW(BLOCK, V) __builtin_convertvector(V, Floats##BLOCK)
/* Where MASK is set A, else B. */
#define CHOOSE(TYPE, BLOCK, MASK, A, B)                                                  \
  ((TYPE##BLOCK) (((MASK) & (Bits##BLOCK) (A)) | (~(MASK) & (Bits##BLOCK) (B))))

/* Rows of places FIRST .. END - 1 of all planes. */
#define EACH_PLACE(P, FIRST, END, DO)                                                    \
  for (int64_t i = FIRST, rows = (P)->small[0] * (P)->small[1]; i < END; i++)            \
    for (int64_t q = 0; q < (P)->small[2]; q++)                                          \
      {                                                                                  \
        const Reach *const z                                                             \
            = &(P)->reach[0][i % rows / (P)->small[1]],                                  \
            *const y = &(P)->reach[1][i % (P)->small[1]], *const x = &(P)->reach[2][q];  \
        DO;                                                                              \
      }

#define FORWARD(BLOCK)                                                                   \
  /* A NaN stays. */                                                                     \
  TARGET static void NAMED (max, BLOCK) (const Pool *p, const float *from, float *to,    \
                                         int64_t first, int64_t end)                     \
  {                                                                                      \
    const int64_t large = p->large[0] * p->large[1] * p->large[2] * BLOCK;               \
                                                                                         \
    EACH_PLACE (                                                                         \
        p, first, end, const float *const plane = from + i / rows * large;               \
        Floats##BLOCK best = (Floats##BLOCK){ 0 } - INFINITY; EACH_CELL (                \
            p, z, y, x, plane, BLOCK, const Floats##BLOCK v = LOAD (BLOCK, plane + at);  \
            best = CHOOSE (Floats, BLOCK, (v > best) | (v != v), v, best));              \
        STORE (BLOCK, to + (i * p->small[2] + q) * BLOCK, best));                        \
  }                                                                                      \
  TARGET static void NAMED (average, BLOCK) (const Pool *p, const float *from,           \
                                             float *to, int64_t first, int64_t end)      \
  {                                                                                      \
    const int64_t large = p->large[0] * p->large[1] * p->large[2] * BLOCK;               \
                                                                                         \
    EACH_PLACE (p, first, end, const float *const plane = from + i / rows * large;       \
                Doubles##BLOCK sum = { 0 };                                              \
                EACH_CELL (p, z, y, x, plane, BLOCK,                                     \
                           sum += WIDE (BLOCK, LOAD (BLOCK, plane + at)));               \
                sum /= z->cells * y->cells * x->cells;                                   \
                STORE (BLOCK, to + (i * p->small[2] + q) * BLOCK, NARROW (BLOCK, sum))); \
  }                                                                                      \
  TARGET static void NAMED (global, BLOCK) (const Global *g, const float *from,          \
                                            float *to, int64_t first, int64_t end)       \
  {                                                                                      \
    for (int64_t p = first; p < end; p++)                                                \
      {                                                                                  \
        Doubles##BLOCK sum = { 0 };                                                      \
        for (int64_t i = 0; i < g->spots; i++)                                           \
          sum += WIDE (BLOCK, LOAD (BLOCK, from + (p * g->spots + i) * BLOCK));          \
        sum /= (double) g->spots;                                                        \
        STORE (BLOCK, to + p * BLOCK, NARROW (BLOCK, sum));                              \
      }                                                                                  \
  }

/* Gradients: planes FIRST .. END - 1 of the large side, which is zeroed first. */
#define BACKWARD(BLOCK)                                                                  \
  /* To the first of the largest cells, as MaxPool's Indices say. */                     \
  TARGET static void NAMED (max_grad, BLOCK) (const Pool *p, const float *from,          \
                                              const float *dy, float *dx, int64_t first, \
                                              int64_t end)                               \
  {                                                                                      \
    const int64_t large = p->large[0] * p->large[1] * p->large[2] * BLOCK;               \
    const int64_t n     = p->small[0] * p->small[1];                                     \
                                                                                         \
    memset (dx + first * large, 0, (size_t) ((end - first) * large) * sizeof *dx);       \
    EACH_PLACE (                                                                         \
        p, first *n, end *n, const float *const plane = from + i / rows * large;         \
        float *const to          = dx + i / rows * large;                                \
        const float *const slope = dy + (i * p->small[2] + q) * BLOCK;                   \
        Floats##BLOCK best = (Floats##BLOCK){ 0 }; Bits##BLOCK where = { 0 };            \
        Bits##BLOCK none = ~(Bits##BLOCK){ 0 }; EACH_CELL (                              \
            p, z, y, x, plane, BLOCK, const Floats##BLOCK v = LOAD (BLOCK, plane + at);  \
            const Bits##BLOCK take = none | (v > best) | ((v != v) & (best == best));    \
            best                   = CHOOSE (Floats, BLOCK, take, v, best);              \
            where = (take & (int32_t) at) | (~take & where); none = (Bits##BLOCK){ 0 }); \
        for (int c = 0; c < BLOCK; c++) to[where[c] + c] += slope[c]);                   \
  }                                                                                      \
  TARGET static void NAMED (average_grad, BLOCK) (const Pool *p, const float *from,      \
                                                  const float *dy, float *dx,            \
                                                  int64_t first, int64_t end)            \
  {                                                                                      \
    const int64_t large = p->large[0] * p->large[1] * p->large[2] * BLOCK;               \
    const int64_t n     = p->small[0] * p->small[1];                                     \
                                                                                         \
    (void) from;                                                                         \
    memset (dx + first * large, 0, (size_t) ((end - first) * large) * sizeof *dx);       \
    EACH_PLACE (p, first *n, end *n, float *const to = dx + i / rows * large;            \
                const Floats##BLOCK part                                                 \
                = LOAD (BLOCK, dy + (i * p->small[2] + q) * BLOCK)                       \
                  / (float) (z->cells * y->cells * x->cells);                            \
                EACH_CELL (p, z, y, x, to, BLOCK,                                        \
                           STORE (BLOCK, to + at, LOAD (BLOCK, to + at) + part)));       \
  }

/* Batch normalisation. */
#define CHUNK 128 /* positions that stay in the first cache */
#define NORM(BLOCK)                                                                               \
  /* Mean, sum of (x - mean)^2, sum of dy, sum of dy (x - mean): chunks in two passes, joined   \
   * (Chan, Golub, LeVeque 1979). */ \
  TARGET static void NAMED (moments, BLOCK) (const float *x, const float *dy,                     \
                                             int64_t spots, double *out)                          \
  {                                                                                               \
    Doubles##BLOCK mean = { 0 }, m2 = { 0 }, sum = { 0 }, dot = { 0 };                            \
    double n = 0;                                                                                 \
                                                                                                  \
    for (int64_t first = 0; first < spots; first += CHUNK)                                        \
      {                                                                                           \
        const int64_t end = spots - first < CHUNK ? spots : first + CHUNK;                        \
        const double k = (double) (end - first), all = n + k;                                     \
        Doubles##BLOCK s = { 0 }, q = { 0 }, g = { 0 }, p = { 0 };                                \
        for (int64_t i = first; i < end; i++)                                                     \
          s += WIDE (BLOCK, LOAD (BLOCK, x + i * BLOCK));                                         \
        s /= k;                                                                                   \
        for (int64_t i = first; i < end; i++)                                                     \
          {                                                                                       \
            const Doubles##BLOCK d = WIDE (BLOCK, LOAD (BLOCK, x + i * BLOCK)) - s;               \
            q += d * d;                                                                           \
            if (dy)                                                                               \
              {                                                                                   \
                const Doubles##BLOCK v = WIDE (BLOCK, LOAD (BLOCK, dy + i * BLOCK));              \
                g += v;                                                                           \
                p += v * d;                                                                       \
              }                                                                                   \
          }                                                                                       \
        const Doubles##BLOCK delta = s - mean, joined = mean + delta * (k / all);                 \
        m2 += q + delta * delta * (n * k / all);                                                  \
        dot += (mean - joined) * sum + p + (s - joined) * g;                                      \
        sum += g;                                                                                 \
        mean = joined;                                                                            \
        n    = all;                                                                               \
      }                                                                                           \
    memcpy (out, &mean, sizeof mean);                                                             \
    memcpy (out + BLOCK, &m2, sizeof m2);                                                         \
    memcpy (out + 2 * BLOCK, &sum, sizeof sum);                                                   \
    memcpy (out + 3 * BLOCK, &dot, sizeof dot);                                                   \
  }                                                                                               \
  /* y = (x - m) a + b, with DY + dy c. */                                                        \
  TARGET static void NAMED (map, BLOCK) (const float *x, const float *dy, float *y,               \
                                         int64_t spots, const float *line)                        \
  {                                                                                               \
    const Floats##BLOCK m = LOAD (BLOCK, line), a = LOAD (BLOCK, line + BLOCK),                   \
                        b = LOAD (BLOCK, line + 2 * BLOCK);                                       \
                                                                                                  \
    if (dy)                                                                                       \
      {                                                                                           \
        const Floats##BLOCK c = LOAD (BLOCK, line + 3 * BLOCK);                                   \
        for (int64_t i = 0; i < spots * BLOCK; i += BLOCK)                                        \
          STORE (BLOCK, y + i,                                                                    \
                 (LOAD (BLOCK, x + i) - m) * a + b + LOAD (BLOCK, dy + i) * c);                   \
      }                                                                                           \
    else                                                                                          \
      for (int64_t i = 0; i < spots * BLOCK; i += BLOCK)                                          \
        STORE (BLOCK, y + i, (LOAD (BLOCK, x + i) - m) * a + b);                                  \
  }

FORWARD (8)
FORWARD (16)
BACKWARD (8)
BACKWARD (16)
NORM (8)
NORM (16)

static const Loops NAMED (loops, all)
    = { .max          = { NAMED (max, 8), NAMED (max, 16) },
        .average      = { NAMED (average, 8), NAMED (average, 16) },
        .global       = { NAMED (global, 8), NAMED (global, 16) },
        .max_grad     = { NAMED (max_grad, 8), NAMED (max_grad, 16) },
        .average_grad = { NAMED (average_grad, 8), NAMED (average_grad, 16) },
        .moments      = { NAMED (moments, 8), NAMED (moments, 16) },
        .map          = { NAMED (map, 8), NAMED (map, 16) } };

#undef PASTE_
#undef PASTE
#undef NAMED
#undef EACH_CELL
#undef LOAD
#undef STORE
#undef WIDE
#undef NARROW
#undef CHOOSE
#undef EACH_PLACE
#undef FORWARD
#undef BACKWARD
#undef CHUNK
#undef NORM
#undef TARGET
#undef ISA
