/* SPDX-License-Identifier: Apache-2.0
 *
 * place.h: where the elements of a broadcast operand are.
 */
#pragma once
#include "gpu.h"

/* The places of the N operands' elements for element I of the output. */
template <int N>
KT_HD void
kt_places (const kt_paths &s, int64_t i, int64_t *at)
{
  if (s.ndim == 0)
    {
      for (int k = 0; k < N; k++)
        at[k] = i * s.in[k].step;
      return;
    }

  int64_t row      = kt_over (i, s.inner);
  const int64_t in = i - row * s.inner;
  for (int k = 0; k < N; k++)
    at[k] = in * s.in[k].step;
  for (int d = s.ndim - 1; d >= 0; d--)
    {
      const int64_t rest = d ? kt_over (row, s.dims[d]) : 0, c = row - rest * s.dims[d];
      for (int k = 0; k < N; k++)
        at[k] += c * s.in[k].stride[d];
      row = rest;
    }
}
