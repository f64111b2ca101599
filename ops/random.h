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
