/* SPDX-License-Identifier: Apache-2.0
 * Interleaved measuring: A B A B ..., the median of the ratios of neighbours. Times jitter on
 * a shared machine; ratios within one run do so far less.
 */
#pragma once

typedef void bench_step (void *user);

typedef struct
{
  const char *name;
  bench_step *step;
  void *user;
} bench_subject;

enum
{
  BENCH_MOST = 8
};

typedef struct
{
  double median[BENCH_MOST]; /* microseconds per step                      */
  double ratio[BENCH_MOST];  /* median over rounds of time / time of the first */
  double least[BENCH_MOST], most[BENCH_MOST]; /* of those ratios            */
} bench_result;

/* ROUNDS rounds of at least SECONDS per subject, after a warm-up. */
void bench_measure (const bench_subject *subjects, int n, int rounds, double seconds,
                    bench_result *result);
double bench_now (void); /* seconds */
