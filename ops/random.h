/* SPDX-License-Identifier: Apache-2.0
 *
 * random.h: random numbers as a pure function of key, step and element: Philox 4x32-10
 * (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 *
 * Key and step come from host->random; the lower half of the counter is the number of the
 * block. A block of four words makes four floats or two doubles, so that any thread can draw
 * any element.
 */
#pragma once
#include "operator.h"
#include "philox.h"

/* Sine and cosine of 2 pi TURN, 0 <= TURN < 1: Taylor's series of the angle in the eighth of a
 * turn round the nearest quarter, to below the last bit of a double. */
static inline void
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
static inline void
kt_normal_pair (double u, double v, double out[2])
{
  const double radius = __builtin_sqrt (-2 * kt_log_f64 (u));

  kt_circle (v, &out[1], &out[0]);
  out[0] *= radius;
  out[1] *= radius;
}

/* What a random generator makes: fills N elements from FIRST, a multiple of 4. */
typedef void kt_draw (const kt_stream *stream, int64_t first, int64_t n, double a,
                      double b, double *out);

/* Shape rule, prepare and run of generators with the attributes dtype and shape. user: */
typedef struct kt_generator
{
  const char *a, *b;      /* names of two FLOAT attributes */
  kt_draw *narrow, *wide; /* for types up to f32, for f64 */
} kt_generator;

kt_status kt_generator_infer (const kt_host *host, kt_infer *infer, void *user);
kt_status kt_generator_prepare (const kt_host *host, kt_prep *prep, void *user,
                                void **state);
kt_status kt_generator_run (const kt_host *host, kt_run *run, void *state);
