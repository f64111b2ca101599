/* SPDX-License-Identifier: Apache-2.0
 *
 * elements.c: the walk of GatherElements and ScatterElements. Places in the data are computed
 * for a block of indices at a time; a loop by element type then does the work.
 */
#include "elements.h"

#define BLOCK 512   /* places at a time */
#define PIECE 16384 /* elements that make a piece of work, some 30 us */

kt_status
kt_elements_check (const kt_host *host, const void *ctx, const kt_type *data,
                   const kt_type *indices, int32_t *axis)
{
  const kt_type *any = data->kind && data->ndim >= 0 ? data : indices;

  *axis = 0;
  if (any->kind == 0 || any->ndim < 0)
    return KT_OK;
  if (any->ndim == 0)
    return kt_fail (host, ctx, KT_E_SHAPE, "the input is a scalar");
  KT_TRY (kt_axis (host, ctx, KT_E_ATTR, kt_attr_int (host, ctx, "axis", 0), any->ndim,
                   axis));
  if (any == indices || indices->kind == 0 || indices->ndim < 0)
    return KT_OK;
  if (data->ndim != indices->ndim)
    return kt_fail (host, ctx, KT_E_SHAPE, "the input has rank %d, indices %d",
                    (int) data->ndim, (int) indices->ndim);
  for (int32_t d = 0; d < data->ndim; d++)
    if (d != *axis && kt_dim_known (data->dims[d]) && kt_dim_known (indices->dims[d])
        && indices->dims[d] > data->dims[d])
      return kt_fail (host, ctx, KT_E_SHAPE,
                      "dim %d of indices is %lld, of the input %lld", (int) d,
                      (long long) indices->dims[d], (long long) data->dims[d]);
  return KT_OK;
}

int32_t
kt_elements_merge (kt_elements *e, const kt_type *data, const kt_type *indices,
                   int32_t axis)
{
  int64_t at[KT_MAX_RANK], in[KT_MAX_RANK];
  int32_t place = 0;

  kt_strides (indices->dims, indices->ndim, at);
  kt_strides (data->dims, data->ndim, in);
  e->ndim = 0;
  for (int32_t d = 0; d < data->ndim; d++)
    {
      const int64_t dim  = indices->dims[d];
      const int32_t last = e->ndim - 1;
      if (d == axis)
        place = e->ndim;
      else if (dim == 1)
        continue;
      else if (last >= 0 && !(d > axis && last == place) && e->at[last] == at[d] * dim
               && e->data[last] == in[d] * dim)
        {
          e->dims[last] *= dim;
          e->at[last]   = at[d];
          e->data[last] = in[d];
          continue;
        }
      e->dims[e->ndim] = dim;
      e->at[e->ndim]   = at[d];
      e->data[e->ndim] = in[d];
      e->ndim++;
    }
  return place;
}

/* Takes dim D out of those that units are counted along. */
static void
remove_dim (kt_elements *e, int32_t d)
{
  e->ndim--;
  for (; d < e->ndim; d++)
    {
      e->dims[d] = e->dims[d + 1];
      e->at[d]   = e->at[d + 1];
      e->data[d] = e->data[d + 1];
    }
}

void
kt_elements_plan (kt_elements *e, const kt_type *data, const kt_type *indices,
                  int32_t axis, bool ordered)
{
  *e = (kt_elements){ .n = data->dims[axis], .rounds = 1, .grain = 1 };
  if (kt_count (indices->dims, indices->ndim) == 0)
    return;

  int32_t place   = kt_elements_merge (e, data, indices, axis);
  const bool last = place == e->ndim - 1;
  e->step         = e->data[place];
  if (!last)
    {
      e->rounds   = e->dims[place];
      e->at_round = e->at[place];
      remove_dim (e, place);
    }
  e->ndim--;
  e->width     = e->dims[e->ndim];
  e->data_step = last ? 0 : e->data[e->ndim];
  e->chunk     = last && ordered ? e->width : last ? PIECE : BLOCK;
  e->n_chunks  = (e->width + e->chunk - 1) / e->chunk;
  e->n_units   = kt_count (e->dims, e->ndim) * e->n_chunks;

  const int64_t chunk = e->chunk < e->width ? e->chunk : e->width;
  e->grain            = PIECE / chunk / e->rounds;
  e->grain += e->grain == 0;
}

typedef struct
{
  const kt_elements *e;
  const kt_tensor *at;
  kt_elements_loop *loop;
  void *data;
  char *side;
  size_t size;
} Job;

/* Walks N indices from AT on; the first one's line in the data begins at BASE. */
static void
walk (const Job *job, int64_t at, int64_t base, int64_t n)
{
  const kt_elements *e = job->e;
  int64_t places[BLOCK];

  for (int64_t first = 0; first < n; first += BLOCK)
    {
      const int64_t count = n - first < BLOCK ? n - first : BLOCK, begin = at + first;
      const int64_t start = base + first * e->data_step;
      if (job->at->bits == 32)
        {
          const int32_t *index = (const int32_t *) job->at->data + begin;
          for (int64_t i = 0; i < count; i++)
            places[i] = start + i * e->data_step + kt_wrap (index[i], e->n) * e->step;
        }
      else
        {
          const int64_t *index = (const int64_t *) job->at->data + begin;
          for (int64_t i = 0; i < count; i++)
            places[i] = start + i * e->data_step + kt_wrap (index[i], e->n) * e->step;
        }
      job->loop (job->data, places, job->side + (size_t) begin * job->size, count);
    }
}

static void
walk_units (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job       = arg;
  const kt_elements *e = job->e;

  (void) worker;
  for (int64_t unit = begin; unit < end; unit++)
    {
      const int64_t first = unit % e->n_chunks * e->chunk;
      const int64_t n     = e->width - first < e->chunk ? e->width - first : e->chunk;
      int64_t rest = unit / e->n_chunks, at = first, base = first * e->data_step;

      for (int32_t d = e->ndim - 1; d >= 0; d--)
        {
          at += rest % e->dims[d] * e->at[d];
          base += rest % e->dims[d] * e->data[d];
          rest /= e->dims[d];
        }
      for (int64_t r = 0; r < e->rounds; r++)
        walk (job, at + r * e->at_round, base, n);
    }
}

kt_status
kt_elements_run (const kt_host *host, kt_run *run, const kt_elements *e,
                 const kt_tensor *at, kt_elements_loop *loop, void *data, void *side,
                 size_t size)
{
  Job job = { e, at, loop, data, side, size };

  KT_TRY (kt_check_indices (host, run, at, e->n));
  if (e->n_units > e->grain)
    return host->parallel_for (run, e->n_units, e->grain, walk_units, &job);
  walk_units (&job, 0, e->n_units, 0);
  return KT_OK;
}
