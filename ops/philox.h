/* SPDX-License-Identifier: Apache-2.0
 *
 * philox.h: Philox 4x32-10 and what is made of its words (random.h), in C and in CUDA.
 */
#pragma once
#include "vmath.h"

typedef struct kt_stream
{
  uint32_t key[2], step[2];
} kt_stream;

KT_INLINE void
kt_philox (const kt_stream *stream, uint64_t block, uint32_t out[4])
{
  uint32_t k0 = stream->key[0], k1 = stream->key[1];
  uint32_t x0 = (uint32_t) block, x1 = (uint32_t) (block >> 32);
  uint32_t x2 = stream->step[0], x3 = stream->step[1];

  for (int round = 0; round < 10; round++)
    {
      const uint64_t a = (uint64_t) 0xd2511f53 * x0, b = (uint64_t) 0xcd9e8d57 * x2;
      x0 = (uint32_t) (b >> 32) ^ x1 ^ k0;
      x1 = (uint32_t) b;
      x2 = (uint32_t) (a >> 32) ^ x3 ^ k1;
      x3 = (uint32_t) a;
      k0 += 0x9e3779b9;
      k1 += 0xbb67ae85;
    }
  out[0] = x0;
  out[1] = x1;
  out[2] = x2;
  out[3] = x3;
}

/* Uniform in [0, 1): 24 bits of a word, 53 bits of two. */
KT_INLINE double
kt_uniform_24 (uint32_t word)
{
  return (double) (word >> 8) * 0x1p-24;
}

KT_INLINE double
kt_uniform_53 (uint32_t high, uint32_t low)
{
  return ((double) (high >> 5) * 0x1p26 + (double) (low >> 6)) * 0x1p-53;
}

/* Sine and cosine of 2 pi TURN, 0 <= TURN < 1: Taylor's series of the angle in the eighth of a
 * turn round the nearest quarter, to below the last bit of a double. */
KT_INLINE void
kt_circle (double turn, double *sine, double *cosine)
{
  const double quarter = __builtin_floor (4 * turn + 0.5);
  const double x = (4 * turn - quarter) * 0x1.921fb54442d18p0, q = x * x;
  const double s
      = x
        * (1
           + q
                 * (-1.0 / 6
                    + q
                          * (1.0 / 120
                             + q
                                   * (-1.0 / 5040
                                      + q
                                            * (1.0 / 362880
                                               + q
                                                     * (-1.0 / 39916800
                                                        + q
                                                              * (1.0 / 6227020800
                                                                 + q
                                                                       * (-1.0
                                                                          / 1307674368000))))))));
  const double c
      = 1
        + q
              * (-1.0 / 2
                 + q
                       * (1.0 / 24
                          + q
                                * (-1.0 / 720
                                   + q
                                         * (1.0 / 40320
                                            + q
                                                  * (-1.0 / 3628800
                                                     + q
                                                           * (1.0 / 479001600
                                                              + q
                                                                    * (-1.0 / 87178291200
                                                                       + q / 20922789888000)))))));

  switch ((int) quarter & 3)
    {
    case 0:
      *sine   = s;
      *cosine = c;
      break;
    case 1:
      *sine   = c;
      *cosine = -s;
      break;
    case 2:
      *sine   = -s;
      *cosine = -c;
      break;
    default:
      *sine   = -c;
      *cosine = s;
    }
}

/* Two normal numbers by Box and Muller from 0 < U <= 1 and 0 <= V < 1. */
KT_INLINE void
kt_normal_pair (double u, double v, double out[2])
{
  const double radius = __builtin_sqrt (-2 * kt_log_f64 (u));

  kt_circle (v, &out[1], &out[0]);
  out[0] *= radius;
  out[1] *= radius;
}
