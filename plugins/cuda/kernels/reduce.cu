/* SPDX-License-Identifier: Apache-2.0
 *
 * reduce.cu: reductions over any axes in the order that ops/reduce.h fixes: the elements of an
 * output in blocks of 4,096, a block in 16 interleaved partial results (here: 16 threads), joined
 * in a tree; blocks joined pairwise. So the bits are those of the CPU.
 */
#include "formula.h"
#include "reduce-formulas.h"

/* The sum of the coordinates of I in DIMS times STRIDES. */
KT_HD int64_t
offset_of (int64_t i, int32_t n, const int64_t *dims, const int64_t *strides)
{
  int64_t offset = 0;

  for (int d = n - 1; d >= 0; d--)
    {
      const int64_t rest = d ? kt_over (i, dims[d]) : 0;
      offset += (i - rest * dims[d]) * strides[d];
      i = rest;
    }
  return offset;
}

/* Partial result LANE of block BLOCK of output OUT. */
template <class F>
KT_HD typename F::acc
lane_of (const kt_reduce_params &r, int64_t out, int64_t block, int lane)
{
  const typename F::in *x = (const typename F::in *) r.x;
  typename F::acc a       = F::start ();
  const int64_t kept      = kt_over (out, r.columns);
  int64_t first, end, begin = 0, n = r.run;

  x += offset_of (kept, r.n_kept, r.kept_dims, r.kept)
       + (out - kept * r.columns) * r.step;
  if (r.parts > 1)
    {
      first = kt_over (block, r.parts);
      end   = first + 1;
      begin = (block - first * r.parts) * KT_BLOCK;
      n     = r.run - begin < KT_BLOCK ? r.run - begin : KT_BLOCK;
    }
  else
    {
      first = block * r.group;
      end   = r.runs - first < r.group ? r.runs : first + r.group;
    }
  for (int64_t run = first; run < end; run++)
    {
      const typename F::in *p
          = x + offset_of (run, r.n_outer, r.outer_dims, r.outer) + begin * r.stride;
      for (int64_t i = lane; i < n; i += KT_LANES)
        a = F::with (a, p[i * r.stride]);
    }
  return a;
}

/* 16 blocks of outputs per block of threads. Neighbouring threads read neighbours: the lanes of
 * a row, or the same lane of columns side by side. */
template <class F>
KT_GLOBAL void
lanes_kernel (const kt_reduce_params r)
{
  typedef typename F::acc A;
  KT_SHARED A lane[KT_THREADS];
  const int64_t all = r.outs * r.blocks;

  for (int64_t b = KT_BLOCK_INDEX; b * KT_LANES < all; b += KT_N_BLOCKS)
    {
      KT_EACH (t)
      {
        const int l     = r.rows ? t % KT_LANES : t / KT_LANES,
                  g     = r.rows ? t / KT_LANES : t % KT_LANES;
        const int64_t i = b * KT_LANES + g, block = kt_over (i, r.outs);
        lane[g * KT_LANES + l]
            = i < all ? lane_of<F> (r, i - block * r.outs, block, l) : F::start ();
      }
      for (int half = KT_LANES / 2; half > 0; half /= 2)
        KT_EACH (t)
        {
          if (t % KT_LANES < half)
            lane[t] = F::join (lane[t], lane[t + half]);
        }
      KT_EACH (t)
      {
        const int64_t i = b * KT_LANES + t;
        if (t < KT_LANES && i < all)
          {
            const int64_t block = kt_over (i, r.outs), out = i - block * r.outs;
            if (r.blocks > 1)
              ((A *) r.partials)[out * r.blocks + block] = lane[t * KT_LANES];
            else
              ((typename F::in *) r.y)[out] = F::end (lane[t * KT_LANES], r.count);
          }
      }
    }
}

/* Joins the blocks of an output per block of threads. */
template <class F>
KT_GLOBAL void
join_kernel (const kt_reduce_params r)
{
  typedef typename F::acc A;

  for (int64_t out = KT_BLOCK_INDEX; out < r.outs; out += KT_N_BLOCKS)
    {
      A *const p = (A *) r.partials + out * r.blocks;
      for (int64_t step = 1; step < r.blocks; step *= 2)
        KT_EACH (t)
        {
          for (int64_t b = t * 2 * step; b + step < r.blocks; b += KT_THREADS * 2 * step)
            p[b] = F::join (p[b], p[b + step]);
        }
      KT_EACH (t)
      {
        if (t == 0)
          ((typename F::in *) r.y)[out] = F::end (r.blocks ? p[0] : F::start (), r.count);
      }
    }
}

template <class F>
static void
reduce_launch (const kt_reduce_params *r, void *stream)
{
  if (r->blocks > 0)
    kt_launch_blocks (lanes_kernel<F>, (r->outs * r->blocks + KT_LANES - 1) / KT_LANES,
                      *r, stream);
  if (r->blocks != 1)
    kt_launch_blocks (join_kernel<F>, r->outs, *r, stream);
}

#define ROW(WORD, SUFFIX, DTYPE)                                                         \
  {                                                                                      \
#WORD, DTYPE, sizeof(op_##WORD::WORD##_##SUFFIX::acc),                               \
        reduce_launch < op_##WORD::WORD##_##SUFFIX>                                      \
  }
#define FLOATS(WORD)                                                                     \
  ROW (WORD, f32, KT_F32), ROW (WORD, f64, KT_F64), ROW (WORD, f16, KT_F16),             \
      ROW (WORD, bf16, KT_BF16)
/* Integers as unsigned ones, or each as it is. */
#define WRAPPED(WORD)                                                                    \
  FLOATS (WORD), ROW (WORD, u32, KT_I32), ROW (WORD, u32, KT_U32),                       \
      ROW (WORD, u64, KT_I64), ROW (WORD, u64, KT_U64)
#define WHOLE(WORD)                                                                      \
  FLOATS (WORD), ROW (WORD, i32, KT_I32), ROW (WORD, u32, KT_U32),                       \
      ROW (WORD, i64, KT_I64), ROW (WORD, u64, KT_U64)
#define EXTREME(WORD)                                                                    \
  WHOLE (WORD), ROW (WORD, i8, KT_I8), ROW (WORD, u8, KT_U8), ROW (WORD, b8, KT_BOOL)

const kt_reduce_row kt_reduce_table[] = {
  WRAPPED (reduce_sum), WRAPPED (reduce_sum_square), WHOLE (reduce_mean),
  WHOLE (reduce_l1),    WHOLE (reduce_l2),           EXTREME (reduce_max),
  EXTREME (reduce_min), { nullptr, 0, 0, nullptr },
};
