/* SPDX-License-Identifier: Apache-2.0
 * Sparse tensors: coordinates and values, checked. They stay sparse until a session needs them
 * dense; what is saved again is the message.
 */
#include "graph/sparse.h"
#include "io/build.h"

typedef struct
{
  KetteTensor *values, *indices;
  const int64_t *dims;
  int rank;
  size_t n, count; /* entries; elements of the dense tensor */
} Sparse;

static gboolean
sparse_shape (const Onnx__SparseTensorProto *proto, const KetteTensorSource *source,
              Sparse *s, const char *where, GError **error)
{
  char text[256];

  s->dims  = proto->dims;
  s->count = 1;
  if (proto->n_dims > source->limits->rank)
    return _kette_fail (error, KETTE_ERROR_LIMIT, where,
                        "has rank %zu, rank allows %" G_GUINT64_FORMAT, proto->n_dims,
                        source->limits->rank);
  s->rank = (int) proto->n_dims;
  for (int i = 0; i < s->rank; i++)
    if (proto->dims[i] < 0)
      return _kette_fail (error, KETTE_ERROR_TENSOR, where,
                          "shape %s: dim %d is negative",
                          _kette_dims_text (proto->dims, proto->n_dims, text), i);
  for (int i = 0; i < s->rank; i++)
    if (!_kette_mul (s->count, (size_t) proto->dims[i], &s->count)
        || s->count > INT64_MAX)
      return _kette_fail (error, KETTE_ERROR_TENSOR, where, "shape %s is too large",
                          _kette_dims_text (proto->dims, proto->n_dims, text));
  return TRUE;
}

/* values are [n], indices int64 [n] or [n,rank]. */
static gboolean
sparse_agree (Sparse *s, const char *where, GError **error)
{
  char text[256];

  if (s->values->rank != 1)
    return _kette_fail (
        error, KETTE_ERROR_TENSOR, where,
        "the values of a sparse tensor have shape %s, must be a vector",
        _kette_dims_text (s->values->dims, (size_t) s->values->rank, text));
  if (s->values->dtype == KT_STRING || _kette_dtype (s->values->dtype)->bits < 8)
    return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, where, "a sparse tensor of %s",
                        _kette_dtype (s->values->dtype)->name);
  s->n = s->values->count;
  if (s->indices->dtype != KT_I64)
    return _kette_fail (error, KETTE_ERROR_TENSOR, where, "indices are %s, must be int64",
                        _kette_dtype (s->indices->dtype)->name);
  if (s->indices->rank < 1 || s->indices->rank > 2 || (size_t) s->indices->dims[0] != s->n
      || (s->indices->rank == 2 && s->indices->dims[1] != s->rank))
    return _kette_fail (
        error, KETTE_ERROR_TENSOR, where,
        "indices have shape %s, must be [%zu] or [%zu,%d]",
        _kette_dims_text (s->indices->dims, (size_t) s->indices->rank, text), s->n, s->n,
        s->rank);
  return TRUE;
}

/* The place of entry I among the elements of the dense tensor. */
static gboolean
sparse_place (const Sparse *s, size_t i, int64_t *place, const char *where,
              GError **error)
{
  const int64_t *index = s->indices->data;
  int64_t at           = 0;

  if (s->indices->rank == 1)
    {
      if (index[i] < 0 || (uint64_t) index[i] >= s->count)
        return _kette_fail (error, KETTE_ERROR_TENSOR, where,
                            "index %" G_GINT64_FORMAT
                            " at position [%zu] is not in 0..%zd",
                            index[i], i, (gssize) s->count - 1);
      *place = index[i];
      return TRUE;
    }
  for (int k = 0; k < s->rank; k++)
    {
      const int64_t v = index[i * (size_t) s->rank + (size_t) k];

      if (v < 0 || v >= s->dims[k])
        return _kette_fail (error, KETTE_ERROR_TENSOR, where,
                            "index %" G_GINT64_FORMAT
                            " at position [%zu,%d] is not in 0..%" G_GINT64_FORMAT,
                            v, i, k, s->dims[k] - 1);
      at = at * s->dims[k] + v;
    }
  *place = at;
  return TRUE;
}

/* Every entry has a place of its own, in order. */
static gboolean
check_places (const Sparse *s, const char *where, GError **error)
{
  int64_t last = -1, place = 0;

  for (size_t i = 0; i < s->n; i++)
    {
      if (!sparse_place (s, i, &place, where, error))
        return FALSE;
      if (place <= last)
        return _kette_fail (error, KETTE_ERROR_TENSOR, where,
                            "indices are not ascending at position [%zu]", i);
      last = place;
    }
  return TRUE;
}

/* Numbers in a mapped file may stand anywhere; these are read as numbers. */
static gboolean
align_indices (Sparse *s, GError **error)
{
  KetteTensor *copy;

  if (((uintptr_t) s->indices->data & 7) == 0)
    return TRUE;
  copy = _kette_tensor_copy (s->indices, error);
  if (!copy)
    return FALSE;
  kette_tensor_unref (s->indices);
  s->indices = copy;
  return TRUE;
}

KetteSparse *
_kette_sparse_from_proto (const Onnx__SparseTensorProto *proto,
                          const KetteTensorSource *source, const char *where,
                          GError **error)
{
  Sparse s         = { 0 };
  KetteSparse *out = NULL;

  if (!proto->values || !proto->indices)
    {
      _kette_fail (error, KETTE_ERROR_TENSOR, where, "a sparse tensor without %s",
                   proto->values ? "indices" : "values");
      return NULL;
    }
  if (!sparse_shape (proto, source, &s, where, error))
    return NULL;
  s.values = _kette_tensor_from_proto (proto->values, source, where, error);
  if (s.values)
    s.indices = _kette_tensor_from_proto (proto->indices, source, where, error);
  if (s.indices && sparse_agree (&s, where, error) && align_indices (&s, error)
      && check_places (&s, where, error))
    out = _kette_sparse_new (s.dims, s.rank, s.count, s.values, s.indices, proto, error);
  kette_tensor_unref (s.values);
  kette_tensor_unref (s.indices);
  return out;
}
