/* SPDX-License-Identifier: Apache-2.0
 *
 * sort.h: sorting by bitonic networks. Which entries are compared does not depend on contents, and
 * no two entries are equal, so there is one result.
 */
#pragma once
#include "gpu.h"

#define KT_NO_ENTRY INT64_MAX /* where what fills a line up stood: behind all */

KT_HD bool
kt_is_before (const kt_sorted &a, const kt_sorted &b)
{
  return a.key < b.key || (a.key == b.key && a.at < b.at);
}

/* Pair P of the step that compares entries at DISTANCE in runs of SIZE; FIRST: the place of e[0] in
 * its line. */
KT_HD void
kt_sort_pair (kt_sorted *e, int64_t p, int64_t size, int64_t distance, int64_t first)
{
  const int64_t i   = (p & ~(distance - 1)) * 2 + (p & (distance - 1));
  const kt_sorted a = e[i], b = e[i + distance];
  const bool rises = ((first + i) & size) == 0;

  if (kt_is_before (b, a) == rises)
    {
      e[i]            = b;
      e[i + distance] = a;
    }
}

/* The steps within runs of SMALLEST .. SIZE of the N entries that a block has in fast memory; the
 * first of them stand at FIRST in lines of LENGTH. */
KT_PHASES void
kt_sort_tile (kt_sorted *e, int64_t n, int64_t smallest, int64_t size, int64_t first,
              int64_t length)
{
  for (int64_t run = smallest; run <= size; run *= 2)
    for (int64_t d = run / 2 < n / 2 ? run / 2 : n / 2; d > 0; d /= 2)
      KT_EACH (t)
      {
        for (int64_t p = t; p < n / 2; p += KT_THREADS)
          kt_sort_pair (e, p, run & (length - 1), d, first);
      }
}
