/* SPDX-License-Identifier: Apache-2.0
 *
 * index.c: what operators that take indices share.
 */
#include "index.h"
#include "elementwise.h"

/* The smallest and the largest of V[0 .. n-1], n > 0. */
#define EXTREMES(SUFFIX, T)                                                              \
  KT_VECTOR static void extremes_##SUFFIX (const T *v, int64_t n, int64_t *low,          \
                                           int64_t *high)                                \
  {                                                                                      \
    T least = v[0], most = v[0];                                                         \
                                                                                         \
    for (int64_t i = 0; i < n; i++)                                                      \
      {                                                                                  \
        least = v[i] < least ? v[i] : least;                                             \
        most  = v[i] > most ? v[i] : most;                                               \
      }                                                                                  \
    *low  = least;                                                                       \
    *high = most;                                                                        \
  }

EXTREMES (i32, int32_t)
EXTREMES (i64, int64_t)

static kt_status
bad_index (const kt_host *host, kt_run *run, const kt_tensor *at, int64_t i, int64_t n)
{
  char text[256];

  return kt_fail (host, run, KT_E_VALUE, "index %lld at position %s is not in %lld..%lld",
                  (long long) kt_int_at (at, i), kt_position (at, i, text),
                  -(long long) n, (long long) n - 1);
}

kt_status
kt_check_indices (const kt_host *host, kt_run *run, const kt_tensor *at, int64_t n)
{
  const int64_t count = kt_count (at->shape, at->ndim);
  int64_t low, high;

  if (count == 0)
    return KT_OK;
  if (at->bits == 32)
    extremes_i32 (at->data, count, &low, &high);
  else
    extremes_i64 (at->data, count, &low, &high);
  if (low >= -n && high < n)
    return KT_OK;
  for (int64_t i = 0; i < count; i++)
    if (kt_int_at (at, i) < -n || kt_int_at (at, i) >= n)
      return bad_index (host, run, at, i, n);
  return KT_OK;
}

kt_status
kt_tuples_check (const kt_host *host, const void *ctx, const kt_type *data,
                 const kt_type *indices, int64_t batch_dims, int32_t *k)
{
  const bool ranks = data->kind && data->ndim >= 0 && indices->kind && indices->ndim >= 0;

  *k = -1;
  if ((data->kind && data->ndim == 0) || (indices->kind && indices->ndim == 0))
    return kt_fail (host, ctx, KT_E_SHAPE, "%s is a scalar",
                    data->kind && data->ndim == 0 ? "the input" : "indices");
  if (!ranks)
    return KT_OK;
  if (batch_dims < 0 || batch_dims >= data->ndim || batch_dims >= indices->ndim)
    return kt_fail (host, ctx, KT_E_ATTR,
                    "batch_dims is %lld, the input has rank %d, indices %d",
                    (long long) batch_dims, (int) data->ndim, (int) indices->ndim);
  for (int32_t d = 0; d < batch_dims; d++)
    if (kt_dim_known (data->dims[d]) && kt_dim_known (indices->dims[d])
        && data->dims[d] != indices->dims[d])
      return kt_fail (host, ctx, KT_E_SHAPE,
                      "dim %d of the input is %lld, of indices %lld", (int) d,
                      (long long) data->dims[d], (long long) indices->dims[d]);

  const int64_t length = indices->dims[indices->ndim - 1];
  if (!kt_dim_known (length))
    return KT_OK;
  if (length < 1 || length > data->ndim - batch_dims)
    return kt_fail (host, ctx, KT_E_SHAPE,
                    "the last dim of indices is %lld, must be in 1..%d",
                    (long long) length, (int) (data->ndim - batch_dims));
  *k = (int32_t) length;
  return KT_OK;
}

void
kt_tuples_plan (kt_tuples *t, const kt_type *data, const kt_type *indices,
                int32_t batch_dims)
{
  const int64_t *dims = data->dims + batch_dims;
  const int64_t batch = kt_count (indices->dims, batch_dims);

  t->k          = (int32_t) indices->dims[indices->ndim - 1];
  t->count      = kt_count (indices->dims, indices->ndim - 1);
  t->per_batch  = batch ? t->count / batch : 0;
  t->batch_rows = kt_count (dims, t->k);
  memcpy (t->dims, dims, (size_t) t->k * sizeof *dims);
  kt_strides (dims, t->k, t->rows);
}

kt_status
kt_tuples_resolve (const kt_host *host, kt_run *run, const kt_tuples *t,
                   const kt_tensor *at, int64_t *list)
{
  for (int64_t i = 0; i < t->count; i++)
    {
      int64_t row = i / t->per_batch * t->batch_rows;
      for (int32_t j = 0; j < t->k; j++)
        {
          const int64_t index = kt_int_at (at, i * t->k + j), n = t->dims[j];
          if (index < -n || index >= n)
            return bad_index (host, run, at, i * t->k + j, n);
          row += kt_wrap (index, n) * t->rows[j];
        }
      list[i] = row;
    }
  return KT_OK;
}
