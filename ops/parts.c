/* SPDX-License-Identifier: Apache-2.0
 *
 * parts.c: a tensor as parts that lie one behind the other along an axis.
 */
#include "parts.h"

kt_status
kt_parts_prepare (const kt_host *host, kt_prep *prep, bool split, int32_t axis,
                  const int64_t *lengths, int32_t n, void **state)
{
  const kt_type whole = split ? kt_in_type (host, prep, 0) : kt_out_type (host, prep, 0);
  int64_t dims[KT_MAX_RANK], all[KT_MAX_RANK], part[KT_MAX_RANK], at = 0;

  KT_TRY (host->keep (prep, (size_t) n * sizeof (kt_part), state));
  memcpy (dims, whole.dims, (size_t) whole.ndim * sizeof *dims);
  kt_strides (whole.dims, whole.ndim, all);
  for (int32_t i = 0; i < n; i++)
    {
      kt_part *p = (kt_part *) *state + i;
      dims[axis] = lengths[i];
      kt_strides (dims, whole.ndim, part);
      kt_move_plan (&p->move, whole.dtype, whole.ndim, dims, split ? all : part,
                    split ? part : all);
      p->first = at * all[axis];
      at += lengths[i];
    }
  return at == whole.dims[axis]
             ? KT_OK
             : kt_fail (host, prep, KT_E_SHAPE,
                        "the parts have %lld elements along axis %d, the whole has %lld",
                        (long long) at, (int) axis, (long long) whole.dims[axis]);
}

kt_status
kt_parts_run (const kt_host *host, kt_run *run, bool split, const kt_part *parts)
{
  const kt_tensor *whole = split ? &run->in[0] : &run->out[0];
  const kt_tensor *part  = split ? run->out : run->in;
  const int32_t n        = split ? run->n_out : run->n_in;

  for (int32_t i = 0; i < n; i++)
    if (part[i].device_type)
      KT_TRY (split ? kt_move_run (host, run, &parts[i].move, whole->data, parts[i].first,
                                   part[i].data, 0)
                    : kt_move_run (host, run, &parts[i].move, part[i].data, 0,
                                   whole->data, parts[i].first));
  return KT_OK;
}
