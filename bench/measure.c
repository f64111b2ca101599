/* SPDX-License-Identifier: Apache-2.0
 * Interleaved measuring.
 */
#include "measure.h"
#include <stdlib.h>
#include <time.h>

double
bench_now (void)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static int
compare (const void *a, const void *b)
{
  const double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

static double
timed (const bench_subject *subject, long steps)
{
  const double begin = bench_now ();

  for (long i = 0; i < steps; i++)
    subject->step (subject->user);
  return (bench_now () - begin) / (double) steps;
}

/* How many steps last about SECONDS; warms up on the way. */
static long
calibrate (const bench_subject *subject, double seconds)
{
  long steps = 1;

  while (timed (subject, steps) * (double) steps < seconds / 4)
    steps *= 2;
  return steps * 4;
}

void
bench_measure (const bench_subject *subjects, int n, int rounds, double seconds,
               bench_result *result)
{
  enum
  {
    MOST_ROUNDS = 64
  };
  static double times[BENCH_MOST][MOST_ROUNDS], ratios[BENCH_MOST][MOST_ROUNDS];
  long steps[BENCH_MOST];

  if (rounds > MOST_ROUNDS)
    rounds = MOST_ROUNDS;
  for (int i = 0; i < n; i++)
    steps[i] = calibrate (&subjects[i], seconds);
  for (int r = 0; r < rounds; r++)
    for (int i = 0; i < n; i++)
      {
        times[i][r]  = timed (&subjects[i], steps[i]) * 1e6;
        ratios[i][r] = times[i][r] / times[0][r];
      }
  for (int i = 0; i < n; i++)
    {
      qsort (times[i], (size_t) rounds, sizeof **times, compare);
      qsort (ratios[i], (size_t) rounds, sizeof **ratios, compare);
      result->median[i] = times[i][rounds / 2];
      result->ratio[i]  = ratios[i][rounds / 2];
      result->least[i]  = ratios[i][0];
      result->most[i]   = ratios[i][rounds - 1];
    }
}
