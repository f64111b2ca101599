/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu.h: how the kernels of this folder are written, so that the same text runs on a GPU and,
 * compiled as plain C++, on the host, thread after thread (tests/cuda does that with all of the
 * operators' tests).
 *
 * A kernel is a function of one struct of parameters. Two kinds:
 *
 *   kt_launch         threads that know nothing of each other; each does the elements
 *                     KT_FIRST, KT_FIRST + KT_STEP, ... below the number that it is given
 *   kt_launch_blocks  blocks of KT_THREADS threads in phases: what stands in KT_EACH (t) { }
 *                     is done by all threads t; what one phase leaves in memory, KT_SHARED or
 *                     other, is there in the next one; variables are not. Variables outside of KT_EACH have
 *                     the same value for all threads. KT_PHASES: a function of such phases.
 *
 * There are no atomics and no warps: the order of all sums is that of the CPU's code.
 */
#pragma once
#include "half.h"
#include "kette-plugin.h"
#include "params.h"

#define KT_THREADS 256

#ifdef __CUDACC__

#define KT_HD static __host__ __device__ __forceinline__
#define KT_HD_MEMBER static __host__ __device__ __forceinline__
#define KT_GLOBAL __global__
#define KT_PHASES static __device__ __forceinline__
#define KT_SHARED __shared__
#define KT_BLOCK_INDEX ((int64_t) blockIdx.x)
#define KT_N_BLOCKS ((int64_t) gridDim.x)
#define KT_FIRST ((int64_t) blockIdx.x * KT_THREADS + threadIdx.x)
#define KT_STEP ((int64_t) gridDim.x * KT_THREADS)
#define KT_EACH(t)                                                                       \
  for (int t = (__syncthreads (), (int) threadIdx.x), kt_once = 1; kt_once; kt_once = 0)

/* At most this many blocks; kernels go through the rest in steps. */
#define KT_MOST_BLOCKS 8192

template <class P>
static void
kt_launch_blocks (void (*kernel) (P), int64_t blocks, const P &p, void *stream)
{
  const unsigned grid = (unsigned) (blocks < 1                ? 1
                                    : blocks < KT_MOST_BLOCKS ? blocks
                                                              : KT_MOST_BLOCKS);

  /* clang-format off */
  kernel<<<grid, KT_THREADS, 0, (cudaStream_t) stream>>> (p);
  /* clang-format on */
}

template <class P>
static void
kt_launch (void (*kernel) (P), int64_t n, const P &p, void *stream)
{
  kt_launch_blocks (kernel, (n + KT_THREADS - 1) / KT_THREADS, p, stream);
}

#else /* the host */

#define KT_HD static inline
#define KT_HD_MEMBER static inline
#define KT_GLOBAL
#define KT_PHASES static inline
#define KT_SHARED static thread_local
extern thread_local int64_t kt_block_index, kt_n_blocks, kt_thread_index;
#define KT_BLOCK_INDEX kt_block_index
#define KT_N_BLOCKS kt_n_blocks
#define KT_FIRST (kt_block_index * KT_THREADS + kt_thread_index)
#define KT_STEP (kt_n_blocks * KT_THREADS)
#define KT_EACH(t) for (int t = 0; t < KT_THREADS; t++)

/* Few, so that small tests reach the second step. */
#define KT_MOST_BLOCKS 3

/* -1; where a test wants one block (or thread) of a grid alone, however far behind, its index. */
extern thread_local int64_t kt_alone;

template <class P>
static void
kt_launch_blocks (void (*kernel) (P), int64_t blocks, const P &p, void *stream)
{
  (void) stream;
  kt_n_blocks    = kt_alone >= 0             ? (int64_t) 1 << 40
                   : blocks < 1              ? 1
                   : blocks < KT_MOST_BLOCKS ? blocks
                                             : KT_MOST_BLOCKS;
  kt_block_index = kt_alone >= 0 ? kt_alone : 0;
  do
    kernel (p);
  while (kt_alone < 0 && ++kt_block_index < kt_n_blocks);
}

template <class P>
static void
kt_launch (void (*kernel) (P), int64_t n, const P &p, void *stream)
{
  const int64_t blocks = (n + KT_THREADS - 1) / KT_THREADS;

  (void) stream;
  if (kt_alone >= 0)
    {
      kt_n_blocks     = (int64_t) 1 << 40;
      kt_block_index  = kt_alone / KT_THREADS;
      kt_thread_index = kt_alone % KT_THREADS;
      kernel (p);
      return;
    }
  kt_n_blocks = blocks < 1 ? 1 : blocks < KT_MOST_BLOCKS ? blocks : KT_MOST_BLOCKS;
  for (kt_block_index = 0; kt_block_index < kt_n_blocks; kt_block_index++)
    for (kt_thread_index = 0; kt_thread_index < KT_THREADS; kt_thread_index++)
      kernel (p);
}

#endif

/* A / B; 64-bit divisions take several times as long. */
KT_HD int64_t
kt_over (int64_t a, int64_t b)
{
  return ((uint64_t) a | (uint64_t) b) >> 32 ? a / b
                                             : (int64_t) ((uint32_t) a / (uint32_t) b);
}

/* Tells that VALUE at PLACE will not do, for the reason WHICH (0 or 1). Of several threads one wins;
 * mostly, on the host always, the smallest place. */
KT_HD void
kt_tell (int64_t *fault, int64_t place, int which, int64_t value)
{
  volatile int64_t *const f = fault;
  const int64_t told        = place * 2 + which + 1;

  if (f[0] == 0 || told < f[0])
    {
      f[1] = value;
      f[0] = told;
    }
}

/* The first N of LANE, one per thread, joined in runs of LANES (a power of two) in a tree; results are
 * in the first of each run. */
template <class T>
KT_PHASES void
kt_sum_lanes (T *lane, int lanes, int n)
{
  for (int half = lanes / 2; half > 0; half /= 2)
    KT_EACH (t)
    {
      if (t < n && t % lanes < half)
        lane[t] += lane[t + half];
    }
}

template <class T>
KT_PHASES void
kt_max_lanes (T *lane, int lanes, int n)
{
  for (int half = lanes / 2; half > 0; half /= 2)
    KT_EACH (t)
    {
      if (t < n && t % lanes < half)
        lane[t] = kt_max (lane[t], lane[t + half]);
    }
}

/* Elements ------------------------------------------------------------------------------- */

/* How memory is read and written for a formula that computes in W. */
template <class W> struct KtMemory
{
  KT_HD_MEMBER W
  load (const void *x, int64_t i, int32_t dtype)
  {
    (void) dtype;
    return ((const W *) x)[i];
  }
  KT_HD_MEMBER void
  store (void *y, int64_t i, int32_t dtype, W v)
  {
    (void) dtype;
    ((W *) y)[i] = v;
  }
};

/* float: f32, f16, bf16. */
template <> struct KtMemory<float>
{
  KT_HD_MEMBER float
  load (const void *x, int64_t i, int32_t dtype)
  {
    return dtype == KT_F32   ? ((const float *) x)[i]
           : dtype == KT_F16 ? kt_f16_to_f32 (((const uint16_t *) x)[i])
                             : kt_bf16_to_f32 (((const uint16_t *) x)[i]);
  }
  KT_HD_MEMBER void
  store (void *y, int64_t i, int32_t dtype, float v)
  {
    if (dtype == KT_F32)
      ((float *) y)[i] = v;
    else
      ((uint16_t *) y)[i] = dtype == KT_F16 ? kt_f32_to_f16 (v) : kt_f32_to_bf16 (v);
  }
};

/* Integers as 64 bits; what is stored is cut, so they wrap as theirs do. */
KT_HD uint64_t
kt_load_whole (const void *x, int64_t i, int32_t dtype)
{
  switch (dtype)
    {
    case KT_I8:
      return (uint64_t) (int64_t) ((const int8_t *) x)[i];
    case KT_I16:
      return (uint64_t) (int64_t) ((const int16_t *) x)[i];
    case KT_I32:
      return (uint64_t) (int64_t) ((const int32_t *) x)[i];
    case KT_U8:
    case KT_BOOL:
      return ((const uint8_t *) x)[i];
    case KT_U16:
      return ((const uint16_t *) x)[i];
    case KT_U32:
      return ((const uint32_t *) x)[i];
    default:
      return ((const uint64_t *) x)[i];
    }
}

KT_HD void
kt_store_whole (void *y, int64_t i, int32_t dtype, uint64_t v)
{
  switch (dtype)
    {
    case KT_I8:
    case KT_U8:
    case KT_BOOL:
      ((uint8_t *) y)[i] = (uint8_t) v;
      break;
    case KT_I16:
    case KT_U16:
      ((uint16_t *) y)[i] = (uint16_t) v;
      break;
    case KT_I32:
    case KT_U32:
      ((uint32_t *) y)[i] = (uint32_t) v;
      break;
    default:
      ((uint64_t *) y)[i] = v;
    }
}

template <> struct KtMemory<int64_t>
{
  KT_HD_MEMBER int64_t
  load (const void *x, int64_t i, int32_t dtype)
  {
    return (int64_t) kt_load_whole (x, i, dtype);
  }
  KT_HD_MEMBER void
  store (void *y, int64_t i, int32_t dtype, int64_t v)
  {
    kt_store_whole (y, i, dtype, (uint64_t) v);
  }
};

template <> struct KtMemory<uint64_t>
{
  KT_HD_MEMBER uint64_t
  load (const void *x, int64_t i, int32_t dtype)
  {
    return kt_load_whole (x, i, dtype);
  }
  KT_HD_MEMBER void
  store (void *y, int64_t i, int32_t dtype, uint64_t v)
  {
    kt_store_whole (y, i, dtype, v);
  }
};

KT_HD bool
kt_is_real (int32_t dtype)
{
  return dtype == KT_F32 || dtype == KT_F64 || dtype == KT_F16 || dtype == KT_BF16;
}

KT_HD double
kt_load_real (const void *x, int64_t i, int32_t dtype)
{
  return dtype == KT_F64 ? ((const double *) x)[i]
                         : (double) KtMemory<float>::load (x, i, dtype);
}

/* Elements that are only moved: 16 bytes. */
struct KtPair
{
  uint64_t a, b;
};

/* Launches KERNEL for elements of P->size bytes. */
#define KT_BY_SIZE(KERNEL, P, N, STREAM)                                                 \
  switch ((P)->size)                                                                     \
    {                                                                                    \
    case 1:                                                                              \
      kt_launch (KERNEL<uint8_t>, N, *(P), STREAM);                                      \
      break;                                                                             \
    case 2:                                                                              \
      kt_launch (KERNEL<uint16_t>, N, *(P), STREAM);                                     \
      break;                                                                             \
    case 4:                                                                              \
      kt_launch (KERNEL<uint32_t>, N, *(P), STREAM);                                     \
      break;                                                                             \
    case 8:                                                                              \
      kt_launch (KERNEL<uint64_t>, N, *(P), STREAM);                                     \
      break;                                                                             \
    default:                                                                             \
      kt_launch (KERNEL<KtPair>, N, *(P), STREAM);                                       \
    }

/* Launches KERNEL for what elements of type P->dtype are computed in; BOOL: what bools are. */
#define KT_BY_CLASS(KERNEL, BOOL, P, N, STREAM)                                          \
  switch ((P)->dtype)                                                                    \
    {                                                                                    \
    case KT_F32:                                                                         \
    case KT_F16:                                                                         \
    case KT_BF16:                                                                        \
      kt_launch (KERNEL<float>, N, *(P), STREAM);                                        \
      break;                                                                             \
    case KT_F64:                                                                         \
      kt_launch (KERNEL<double>, N, *(P), STREAM);                                       \
      break;                                                                             \
    case KT_I8:                                                                          \
    case KT_I16:                                                                         \
    case KT_I32:                                                                         \
    case KT_I64:                                                                         \
      kt_launch (KERNEL<int64_t>, N, *(P), STREAM);                                      \
      break;                                                                             \
    case KT_BOOL:                                                                        \
      kt_launch (KERNEL<BOOL>, N, *(P), STREAM);                                         \
      break;                                                                             \
    default:                                                                             \
      kt_launch (KERNEL<uint64_t>, N, *(P), STREAM);                                     \
    }

/* Four floats that are loaded and stored together. */
struct alignas (16) KtFour { float v[4]; };

KT_HD bool
kt_aligned (const void *p)
{
  return ((uintptr_t) p & 15) == 0;
}
