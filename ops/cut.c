/* SPDX-License-Identifier: Apache-2.0
 *
 * cut.c: which elements the lists starts, ends, axes and steps of Slice mean.
 */
#include "cut.h"

enum
{
  STARTS,
  ENDS,
  AXES,
  STEPS
};

/* A start or end counted from the end, and kept within LOW .. HIGH. */
static int64_t
clamp (int64_t at, int64_t dim, int64_t low, int64_t high)
{
  if (at < 0)
    at = at < -dim ? low : at + dim;
  return at < low ? low : at > high ? high : at;
}

kt_status
kt_cut_resolve (const kt_host *host, const void *ctx, int32_t ndim, const int64_t *dims,
                const kt_cut_lists *lists, kt_cut *cut)
{
  uint32_t seen = 0;

  for (int i = ENDS; i <= STEPS; i++)
    if ((i == ENDS || lists->v[i]) && lists->n[i] != lists->n[STARTS])
      return kt_fail (host, ctx, KT_E_SHAPE, "starts has %zu elements, list %d has %zu",
                      lists->n[STARTS], i, lists->n[i]);
  for (int32_t d = 0; d < ndim; d++)
    {
      cut->first[d] = 0;
      cut->step[d]  = 1;
      cut->count[d] = dims[d];
    }
  for (size_t i = 0; i < lists->n[STARTS]; i++)
    {
      const int64_t step = lists->v[STEPS] ? lists->v[STEPS][i] : 1;
      int32_t axis       = 0;

      KT_TRY (kt_axis (host, ctx, KT_E_VALUE,
                       lists->v[AXES] ? lists->v[AXES][i] : (int64_t) i, ndim, &axis));
      if (seen >> axis & 1)
        return kt_fail (host, ctx, KT_E_VALUE, "axis %d stands twice", (int) axis);
      if (step == 0)
        return kt_fail (host, ctx, KT_E_VALUE, "the step of axis %d is 0", (int) axis);
      seen |= (uint32_t) 1 << axis;

      const int64_t dim = dims[axis], start = lists->v[STARTS][i],
                    end = lists->v[ENDS][i];
      cut->step[axis]   = step;
      if (!kt_dim_known (dim))
        {
          if (!(start == 0 && end >= INT64_MAX - 1 && step == 1))
            cut->count[axis] = KT_DIM (0);
          continue;
        }

      const bool forward  = step > 0;
      const int64_t first = clamp (start, dim, 0, forward ? dim : dim - 1);
      const int64_t stop  = clamp (end, dim, forward ? 0 : -1, forward ? dim : dim - 1);
      const uint64_t span = forward ? (stop > first ? (uint64_t) (stop - first) : 0)
                                    : (first > stop ? (uint64_t) (first - stop) : 0);
      const uint64_t pace = forward ? (uint64_t) step : 0 - (uint64_t) step;
      cut->first[axis]    = first;
      cut->count[axis]    = dim == 0 ? 0 : (int64_t) (span / pace + (span % pace != 0));
    }
  return KT_OK;
}

kt_status
kt_cut_known (const kt_host *host, const void *ctx, int32_t first, kt_cut_lists *lists,
              bool *all)
{
  *all   = true;
  *lists = (kt_cut_lists){ { NULL } };
  for (int32_t i = 0; i < 4; i++)
    {
      int64_t n;
      KT_TRY (kt_length_of (host, ctx, first + i, &n));
      KT_TRY (host->ints (ctx, first + i, &lists->v[i], &lists->n[i]));
      if (n > KT_MAX_RANK)
        return kt_fail (host, ctx, KT_E_SHAPE, "input %d has more than %d elements",
                        (int) (first + i), KT_MAX_RANK);
      if (!lists->v[i] && n != 0)
        *all = false;
      for (size_t k = 0; k < lists->n[i]; k++)
        *all = *all && !KT_IS_DIM (lists->v[i][k]);
    }
  if (!lists->v[STARTS])
    lists->n[STARTS] = 0;
  return KT_OK;
}

kt_status
kt_cut_at_run (const kt_host *host, const kt_run *run, int32_t first,
               int64_t content[4][KT_MAX_RANK], kt_cut_lists *lists)
{
  *lists = (kt_cut_lists){ { NULL } };
  for (int32_t i = 0; i < 4 && first + i < run->n_in; i++)
    {
      const kt_tensor *t = &run->in[first + i];
      if (t->device_type == 0)
        continue;
      lists->v[i] = content[i];
      lists->n[i] = (size_t) kt_count (t->shape, t->ndim);
      if (lists->n[i] > KT_MAX_RANK)
        return kt_fail (host, run, KT_E_SHAPE, "input %d has more than %d elements",
                        (int) (first + i), KT_MAX_RANK);
      for (size_t k = 0; k < lists->n[i]; k++)
        content[i][k] = kt_int_at (t, (int64_t) k);
    }
  return KT_OK;
}

int64_t
kt_cut_strides (int32_t ndim, const int64_t *dims, const kt_cut *cut,
                int64_t strides[KT_MAX_RANK])
{
  int64_t first = 0;

  kt_strides (dims, ndim, strides);
  for (int32_t d = 0; d < ndim; d++)
    {
      if (cut->count[d] > 0)
        first += cut->first[d] * strides[d];
      /* A single element may have any step; it is not walked. */
      strides[d] = cut->count[d] > 1 ? strides[d] * cut->step[d] : 0;
    }
  return first;
}
