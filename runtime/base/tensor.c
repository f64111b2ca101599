/* SPDX-License-Identifier: Apache-2.0
 * Tensors: one block that begins with the fields and goes on with the data, or fields over
 * memory of somebody else.
 */
#include "base/tensor-private.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

G_DEFINE_BOXED_TYPE (KetteTensor, kette_tensor, kette_tensor_ref, kette_tensor_unref)

/* The data follow the fields at a multiple of 64 bytes. */
#define DATA_OFFSET ((sizeof (KetteTensor) + 63) / 64 * 64)

static gboolean
measure (int dtype, const int64_t *dims, int rank, size_t *count, size_t *bytes,
         GError **error)
{
  const KetteDtype *row = _kette_dtype (dtype);
  char shape[256];

  if (!row)
    return _kette_fail (error, KETTE_ERROR_TYPE, NULL, "there is no element type %d",
                        dtype);
  if (rank < 0 || rank > KETTE_MAX_RANK)
    return _kette_fail (error, KETTE_ERROR_LIMIT, NULL,
                        "a tensor has %d dims, at most %d", rank, KETTE_MAX_RANK);
  for (int i = 0; i < rank; i++)
    if (dims[i] < 0)
      return _kette_fail (error, KETTE_ERROR_SHAPE, NULL,
                          "dim %d of %s is no number >= 0", i,
                          _kette_shape_text (shape, sizeof shape, dims, rank, NULL));
  if (!_kette_count (dims, rank, count) || !_kette_dtype_bytes (dtype, *count, bytes)
      || *bytes > PTRDIFF_MAX)
    return _kette_fail (error, KETTE_ERROR_MEMORY, NULL,
                        "%s%s has more bytes than can be addressed", row->name,
                        _kette_shape_text (shape, sizeof shape, dims, rank, NULL));
  return TRUE;
}

static void
fill_in (KetteTensor *self, int dtype, const int64_t *dims, int rank, size_t count,
         size_t bytes)
{
  memset (self, 0, sizeof *self);
  self->ref   = 1;
  self->dtype = dtype;
  self->rank  = rank;
  self->count = count;
  self->bytes = bytes;
  if (rank > 0)
    memcpy (self->dims, dims, (size_t) rank * sizeof *dims);
}

/* With EXTRA bytes behind the data. */
static KetteTensor *
make (int dtype, const int64_t *dims, int rank, size_t extra, gboolean zero,
      GError **error)
{
  size_t count, bytes, whole;
  KetteTensor *self;

  if (!measure (dtype, dims, rank, &count, &bytes, error))
    return NULL;
  if (!_kette_add (bytes, extra, &whole) || !_kette_add (whole, DATA_OFFSET, &whole))
    {
      _kette_fail (error, KETTE_ERROR_MEMORY, NULL, "more bytes than can be addressed");
      return NULL;
    }
  self = zero ? _kette_alloc (NULL, 1, whole, error)
              : _kette_alloc_raw (NULL, 1, whole, error);
  if (!self)
    return NULL;
  fill_in (self, dtype, dims, rank, count, bytes);
  self->data = (char *) self + DATA_OFFSET;
  return self;
}

KetteTensor *
kette_tensor_new (int dtype, const gint64 *dims, guint rank, GError **error)
{
  int64_t copy[KETTE_MAX_RANK];

  for (guint i = 0; i < MIN (rank, (guint) KETTE_MAX_RANK); i++)
    copy[i] = dims[i];
  return make (dtype, copy, (int) MIN (rank, (guint) INT_MAX), 0, TRUE, error);
}

KetteTensor *
_kette_tensor_new_raw (int dtype, const int64_t *dims, int rank, GError **error)
{
  /* Pointers that were never set must not be followed. */
  return make (dtype, dims, rank, 0, dtype == KT_STRING, error);
}

KetteTensor *
_kette_tensor_new_view (int dtype, const int64_t *dims, int rank, void *data,
                        void (*release) (gpointer), gpointer owner, GError **error)
{
  size_t count, bytes;
  KetteTensor *self;

  if (!measure (dtype, dims, rank, &count, &bytes, error))
    return NULL;
  if (!data && bytes > 0)
    {
      _kette_fail (error, KETTE_ERROR_INTERNAL, NULL,
                   "a tensor of %zu bytes has no memory", bytes);
      return NULL;
    }
  self = _kette_alloc_raw (NULL, 1, sizeof *self, error);
  if (!self)
    return NULL;
  fill_in (self, dtype, dims, rank, count, bytes);
  self->data    = data;
  self->release = release;
  self->owner   = owner;
  return self;
}

KetteTensor *
_kette_tensor_new_strings (const kt_str *strings, const int64_t *dims, int rank,
                           GError **error)
{
  size_t count, bytes, extra = 0;
  KetteTensor *self;
  kt_str *out;
  char *at;

  if (!measure (KT_STRING, dims, rank, &count, &bytes, error))
    return NULL;
  for (size_t i = 0; i < count; i++)
    if (!_kette_add (extra, strings[i].n, &extra) || !_kette_add (extra, 1, &extra))
      {
        _kette_fail (error, KETTE_ERROR_MEMORY, NULL, "more bytes than can be addressed");
        return NULL;
      }
  self = make (KT_STRING, dims, rank, extra, FALSE, error);
  if (!self)
    return NULL;
  out = self->data;
  at  = (char *) self->data + bytes;
  for (size_t i = 0; i < count; i++)
    {
      const size_t n = strings[i].n;

      if (n > 0)
        memcpy (at, strings[i].s, n);
      at[n]  = '\0';
      out[i] = (kt_str){ at, n };
      at += n + 1;
    }
  return self;
}

void
_kette_tensor_read (const KetteTensor *self, void *out)
{
  const size_t page = (size_t) sysconf (_SC_PAGESIZE), piece = (size_t) 1 << 20;
  const char *data  = self->data;
  uintptr_t dropped = ((uintptr_t) data + page - 1) / page * page;

  if (!self->mapped)
    {
      if (self->bytes > 0)
        memcpy (out, data, self->bytes);
      return;
    }
  for (size_t at = 0; at < self->bytes; at += piece)
    {
      const size_t n      = MIN (piece, self->bytes - at);
      const uintptr_t end = (uintptr_t) (data + at + n) / page * page;

      memcpy ((char *) out + at, data + at, n);
      /* They stay in the system's cache; who reads them again gets them again. */
      if (end > dropped)
        madvise ((void *) dropped, end - dropped, MADV_DONTNEED);
      dropped = MAX (dropped, end);
    }
}

KetteTensor *
_kette_tensor_copy (const KetteTensor *self, GError **error)
{
  KetteTensor *copy;

  if (self->dtype == KT_STRING)
    return _kette_tensor_new_strings (self->data, self->dims, self->rank, error);
  copy = _kette_tensor_new_raw (self->dtype, self->dims, self->rank, error);
  if (copy)
    _kette_tensor_read (self, copy->data);
  return copy;
}

void
_kette_tensor_view (const KetteTensor *self, kt_tensor *out)
{
  const KetteDtype *row = _kette_dtype (self->dtype);

  *out = (kt_tensor){ .data        = self->data,
                      .device_type = KT_CPU,
                      .ndim        = self->rank,
                      .code        = row->code,
                      .bits        = row->bits,
                      .lanes       = 1,
                      .shape       = self->dims };
}

/* Strides that are there must say what compact ones would. */
static gboolean
is_compact (const kt_tensor *view)
{
  int64_t step = 1;

  for (int i = view->ndim; view->strides && i-- > 0;)
    {
      if (view->shape[i] != 1 && view->strides[i] != step)
        return FALSE;
      if (__builtin_mul_overflow (step, view->shape[i], &step))
        return FALSE;
    }
  return TRUE;
}

KetteTensor *
_kette_tensor_from_view (const kt_tensor *view, int dtype, GError **error)
{
  const KetteDtype *row = _kette_dtype (dtype);
  size_t count, bytes;
  KetteTensor *copy;
  const char *data;

  if (!measure (dtype, view->shape, view->ndim, &count, &bytes, error))
    return NULL;
  if (view->device_type != KT_CPU || view->code != row->code || view->bits != row->bits
      || view->lanes > 1 || (!view->data && bytes > 0)
      || (bytes > 0 && !is_compact (view)))
    {
      _kette_fail (error, KETTE_ERROR_INTERNAL, NULL,
                   "a view is no compact %s tensor in the CPU's memory", row->name);
      return NULL;
    }
  data = view->data ? (const char *) view->data + view->byte_offset : NULL;
  if (dtype == KT_STRING)
    return _kette_tensor_new_strings ((const kt_str *) (const void *) data, view->shape,
                                      view->ndim, error);
  copy = _kette_tensor_new_raw (dtype, view->shape, view->ndim, error);
  if (copy && bytes > 0)
    memcpy (copy->data, data, bytes);
  return copy;
}

gboolean
_kette_tensor_equal (const KetteTensor *a, const KetteTensor *b)
{
  if (a == b)
    return TRUE;
  if (a->dtype != b->dtype || a->rank != b->rank || a->bytes != b->bytes)
    return FALSE;
  for (int i = 0; i < a->rank; i++)
    if (a->dims[i] != b->dims[i])
      return FALSE;
  if (a->dtype != KT_STRING)
    return a->bytes == 0 || memcmp (a->data, b->data, a->bytes) == 0;
  for (size_t i = 0; i < a->count; i++)
    {
      const kt_str *x = (const kt_str *) a->data + i, *y = (const kt_str *) b->data + i;

      if (x->n != y->n || (x->n > 0 && memcmp (x->s, y->s, x->n) != 0))
        return FALSE;
    }
  return TRUE;
}

KetteTensor *
kette_tensor_ref (KetteTensor *self)
{
  g_atomic_int_inc (&self->ref);
  return self;
}

void
kette_tensor_unref (KetteTensor *self)
{
  if (!self || !g_atomic_int_dec_and_test (&self->ref))
    return;
  if (self->release)
    self->release (self->owner);
  _kette_free (self);
}

gboolean (*_kette_tensor_newest) (KetteTensor *tensor, GError **error);

void *
kette_tensor_get_data (const KetteTensor *self)
{
  if (G_UNLIKELY (self->copies))
    (void) _kette_tensor_newest ((KetteTensor *) (uintptr_t) self, NULL);
  return self->data;
}

int
kette_tensor_get_dtype (const KetteTensor *self)
{
  return self->dtype;
}

const gint64 *
kette_tensor_get_dims (const KetteTensor *self, guint *rank)
{
  if (rank)
    *rank = (guint) self->rank;
  return (const gint64 *) self->dims;
}

gsize
kette_tensor_get_count (const KetteTensor *self)
{
  return self->count;
}
