/* SPDX-License-Identifier: Apache-2.0
 * Data sets: samples and targets as the inputs of the step want them, and the gathering of
 * mini-batches into a run's memory, which neither allocates nor enters the kernel.
 */
#include "base/pool.h"
#include "exec/plan.h"
#include "train/input-private.h"
#include "train/train-private.h"
#include <string.h>

static void
release_tensor (gpointer owner)
{
  kette_tensor_unref (owner);
}

static gboolean
is_integer (int dtype)
{
  const KetteDtype *row = _kette_dtype (dtype);
  return (row && row->is_integer) || dtype == KT_BOOL;
}

/* The class of every sample, checked, as int32 or, for an input of labels, int64. */
static KetteTensor *
make_labels (const KetteTensor *t, const char *name, int64_t classes, int dtype,
             GError **error)
{
  KetteTensor *out = _kette_tensor_new_raw (dtype, t->dims, t->rank, error);

  for (size_t i = 0; out && i < t->count; i++)
    {
      const int64_t label = _kette_tensor_get_int (t, i);

      if (label < 0 || (classes >= 0 ? label >= classes : label > INT32_MAX))
        {
          _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                       "input %s: label %" G_GINT64_FORMAT
                       " of sample %zu is not in 0..%" G_GINT64_FORMAT,
                       KETTE_QUOTE (name), label, i,
                       (classes >= 0 ? classes : (int64_t) 1 << 31) - 1);
          kette_tensor_unref (out);
          return NULL;
        }
      if (dtype == KT_I32)
        ((int32_t *) out->data)[i] = (int32_t) label;
      else
        ((int64_t *) out->data)[i] = label;
    }
  return out;
}

/* Labels of rank 1 (or [n,1]) for an input of rows [N,K], K > 1. */
static gboolean
wants_one_hot (const KetteDataColumn *c, const KetteTensor *data, const kt_type *type,
               uint32_t length)
{
  if ((c->dtype != KT_F32 && c->dtype != KT_F64) || type->ndim != 2
      || !is_integer (data->dtype) || data->rank < 1
      || data->count != (size_t) data->dims[0])
    return FALSE;
  return type->dims[1] > 1 || (type->dims[1] < 0 && length > 0);
}

static gboolean
init_one_hot (KetteDataColumn *c, KetteTensor *data, const kt_type *type,
              const char *name, uint32_t length, GError **error)
{
  const int64_t classes = type->dims[1] > 0 ? type->dims[1] : (int64_t) length;

  if (length > 0 && classes != (int64_t) length)
    return _kette_fail (error, KETTE_ERROR_SHAPE, NULL,
                        "input %s has rows of %" G_GINT64_FORMAT
                        ", one-hot rows were to have %u",
                        KETTE_QUOTE (name), classes, length);
  c->one_hot = TRUE;
  c->rank    = 2;
  c->dims[0] = data->dims[0];
  c->dims[1] = classes;
  c->data    = make_labels (data, name, classes, KT_I32, error);
  return c->data != NULL;
}

/* The input's element type, except bytes, which are scaled on their way into a batch. */
static KetteTensor *
convert (KetteDataColumn *c, KetteTensor *data, const char *name, const KetteScaling *s,
         GError **error)
{
  const gboolean wants_float = _kette_dtype (c->dtype)->is_float;
  KetteTensor *out;

  if (data->dtype == KT_STRING)
    {
      _kette_fail (error, KETTE_ERROR_TYPE, NULL, "input %s: the data are strings",
                   KETTE_QUOTE (name));
      return NULL;
    }
  if (data->dtype == KT_U8 && (c->dtype == KT_F32 || c->dtype == KT_F64))
    {
      if (s)
        {
          c->recipe = s->bytes;
          return kette_tensor_ref (data);
        }
      return _kette_tensor_convert (data, c->dtype, error);
    }
  if (!wants_float && is_integer (c->dtype) && _kette_dtype (data->dtype)->is_float)
    {
      _kette_fail (error, KETTE_ERROR_TYPE, NULL, "input %s is %s, the data are %s",
                   KETTE_QUOTE (name), _kette_dtype (c->dtype)->name,
                   _kette_dtype (data->dtype)->name);
      return NULL;
    }
  if (!s || !s->scales_others || !wants_float)
    return _kette_tensor_convert (data, c->dtype, error);

  out = data->dtype == c->dtype ? _kette_tensor_copy (data, error)
                                : _kette_tensor_convert (data, c->dtype, error);
  for (size_t i = 0; out && i < out->count; i++)
    _kette_tensor_set_double (
        out, i,
        (_kette_tensor_get_double (out, i) * s->others.scale - s->others.mean)
            / s->others.std);
  return out;
}

/* The same elements under the column's dims. */
static gboolean
reshape (KetteDataColumn *c, GError **error)
{
  KetteTensor *view;

  if (c->rank == c->data->rank
      && memcmp (c->dims, c->data->dims, sizeof *c->dims * (size_t) c->rank) == 0)
    return TRUE;
  view = _kette_tensor_new_view (c->data->dtype, c->dims, c->rank, c->data->data,
                                 release_tensor, c->data, error);
  if (!view)
    return FALSE;
  c->data = view;
  return TRUE;
}

/* S: how samples are scaled; NULL: a target. */
static gboolean
init_column (KetteDataColumn *c, KetteTensor *data, const kt_type *type, const char *name,
             const KetteScaling *s, uint32_t length, GError **error)
{
  *c        = (KetteDataColumn){ .dtype = type->dtype };
  c->recipe = (KetteInputRecipe){ 1, 0, 1 };
  if (type->kind != KT_TENSOR || !_kette_dtype (type->dtype))
    return _kette_fail (error, KETTE_ERROR_TYPE, NULL, "input %s is no tensor",
                        KETTE_QUOTE (name));
  if (data->rank < 1)
    return _kette_fail (error, KETTE_ERROR_SHAPE, NULL,
                        "input %s: the data are a scalar, dim 0 must count samples",
                        KETTE_QUOTE (name));
  if (!s && wants_one_hot (c, data, type, length))
    {
      if (!init_one_hot (c, data, type, name, length, error))
        return FALSE;
    }
  else if (!_kette_input_fit (type, name, data, FALSE, c->dims, &c->rank, error))
    return FALSE;
  else
    {
      c->data = !s && c->dtype == KT_I64 && is_integer (data->dtype)
                    ? make_labels (data, name, -1, KT_I64, error)
                    : convert (c, data, name, s, error);
      if (!c->data || !reshape (c, error))
        return FALSE;
    }
  if (!_kette_count (c->dims + 1, c->rank - 1, &c->row))
    return _kette_fail (error, KETTE_ERROR_LIMIT, NULL, "input %s: the rows are too long",
                        KETTE_QUOTE (name));
  return TRUE;
}

gboolean
_kette_dataset_init (KetteDataset *self, KetteTensor *x, KetteTensor *t,
                     const kt_type *types, const char *const *names, size_t n_types,
                     const KetteScaling *scaling, uint32_t one_hot, GError **error)
{
  KetteTensor *const data[] = { x, t };

  *self = (KetteDataset){ 0 };
  if (n_types < 1 || n_types > 2)
    return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, NULL,
                        "the training step has %zu inputs; samples and targets are two",
                        n_types);
  if (n_types == 2 && !t)
    return _kette_fail (error, KETTE_ERROR_VALUE, NULL, "no data for input %s",
                        KETTE_QUOTE (names[1]));
  if (n_types == 1 && t)
    return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                        "the training step reads no target");
  for (size_t i = 0; i < n_types; i++)
    {
      self->n_columns = i + 1;
      if (!init_column (&self->columns[i], data[i], &types[i], names[i],
                        i ? NULL : scaling, one_hot, error))
        goto failed;
    }
  self->n = (size_t) self->columns[0].dims[0];
  if (n_types == 2 && self->columns[1].dims[0] != self->columns[0].dims[0])
    {
      _kette_fail (error, KETTE_ERROR_SHAPE, NULL,
                   "there are %zu samples and %" G_GINT64_FORMAT " targets", self->n,
                   self->columns[1].dims[0]);
      goto failed;
    }
  if (self->n == 0 || self->n > UINT32_MAX)
    {
      _kette_fail (error, KETTE_ERROR_VALUE, NULL, "there are %zu samples, needs 1..%u",
                   self->n, UINT32_MAX);
      goto failed;
    }
  return TRUE;

failed:
  _kette_dataset_clear (self);
  return FALSE;
}

void
_kette_dataset_clear (KetteDataset *self)
{
  for (size_t i = 0; i < self->n_columns; i++)
    kette_tensor_unref (self->columns[i].data);
  *self = (KetteDataset){ 0 };
}

void
_kette_dataset_types (KetteDataset *self, size_t n, kt_type *types)
{
  for (size_t i = 0; i < self->n_columns; i++)
    {
      KetteDataColumn *c = &self->columns[i];

      c->dims[0] = (int64_t) n;
      types[i]   = (kt_type){
          .kind = KT_TENSOR, .dtype = c->dtype, .ndim = c->rank, .dims = c->dims
      };
    }
}

typedef struct
{
  const KetteDataColumn *column;
  const uint32_t *rows;
  size_t first;
  uint8_t *out;
  size_t bytes; /* of one element of the input */
} Gather;

static void
one_hot_row (const KetteDataColumn *c, int32_t label, void *out)
{
  if (c->dtype == KT_F32)
    {
      memset (out, 0, c->row * sizeof (float));
      ((float *) out)[label] = 1;
    }
  else
    {
      memset (out, 0, c->row * sizeof (double));
      ((double *) out)[label] = 1;
    }
}

static void
gather_rows (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Gather *g          = arg;
  const KetteDataColumn *c = g->column;

  (void) worker;
  for (int64_t i = begin; i < end; i++)
    {
      const size_t sample = g->rows ? g->rows[i] : g->first + (size_t) i;
      void *out           = g->out + (size_t) i * c->row * g->bytes;

      if (c->one_hot)
        one_hot_row (c, ((const int32_t *) c->data->data)[sample], out);
      else if (c->data->dtype == c->dtype)
        memcpy (out, (const uint8_t *) c->data->data + sample * c->row * g->bytes,
                c->row * g->bytes);
      else if (c->dtype == KT_F32)
        _kette_scale_bytes_f32 ((const uint8_t *) c->data->data + sample * c->row, c->row,
                                &c->recipe, out);
      else
        _kette_scale_bytes_f64 ((const uint8_t *) c->data->data + sample * c->row, c->row,
                                &c->recipe, out);
    }
}

void
_kette_column_gather (const KetteDataColumn *self, const uint32_t *rows, size_t first,
                      size_t n, void *out)
{
  enum
  {
    PIECE = 1 << 17
  }; /* elements: about 30 us */
  Gather g = { .column = self, .rows = rows, .first = first, .out = out };

  (void) _kette_dtype_bytes (self->dtype, 1, &g.bytes);
  if (n * self->row <= PIECE)
    gather_rows (&g, 0, (int64_t) n, 0);
  else
    _kette_pool_for ((int64_t) n, (int64_t) MAX (PIECE / MAX (self->row, 1), 1),
                     gather_rows, &g);
}

/* The samples as they lie there, where they may be read as the input of RUN. Binding goes
 * through all operands of the plan, copying through all bytes. */
static void *
in_place (const KetteDataColumn *self, const KettePlan *plan, const uint32_t *rows,
          size_t first, size_t n)
{
  const KetteTensor *data = self->data;
  size_t bytes;
  uint8_t *at;

  if (rows || self->one_hot || data->dtype != self->dtype
      || !plan->device->shares_host_memory || plan->n_units > 0
      || !_kette_dtype_bytes (self->dtype, self->row, &bytes))
    return NULL;
  at = (uint8_t *) data->data + first * bytes;
  return ((uintptr_t) at & 63) == 0 && n * bytes / 32 >= plan->n_tensors ? at : NULL;
}

void
_kette_dataset_feed (const KetteDataset *self, KetteRun *run, const uint32_t *rows,
                     size_t first, size_t n)
{
  for (size_t i = 0; i < self->n_columns; i++)
    {
      const KetteDataColumn *column = &self->columns[i];
      void *input                   = in_place (column, run->plan, rows, first, n);
      if (input)
        _kette_run_bind_input (run, i, input);
      else if ((input = _kette_run_input (run, i)))
        _kette_column_gather (column, rows, first, n, input);
    }
}

int64_t
_kette_column_class (const KetteDataColumn *self, size_t i)
{
  const KetteTensor *data = self->data;
  size_t best             = 0;

  if (self->one_hot)
    return ((const int32_t *) data->data)[i];
  if (self->dtype == KT_I64 && self->row == 1)
    return ((const int64_t *) data->data)[i];
  if (self->rank != 2 || self->row < 2)
    return -1;
  for (size_t k = 1; k < self->row; k++)
    if (_kette_tensor_get_double (data, i * self->row + k)
        > _kette_tensor_get_double (data, i * self->row + best))
      best = k;
  return (int64_t) best;
}
