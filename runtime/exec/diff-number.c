/* SPDX-License-Identifier: Apache-2.0
 * How far apart two tensors of one type and shape are.
 */
#include "base/tensor-private.h"
#include "exec/diff-private.h"
#include <math.h>
#include <string.h>

void
_kette_tensor_shell (KetteTensor *out, const kt_tensor *view)
{
  *out = (KetteTensor){ .ref   = 1,
                        .dtype = _kette_dtype_of_view (view),
                        .rank  = MIN (view->ndim, KETTE_MAX_RANK),
                        .data
                        = view->data ? (char *) view->data + view->byte_offset : NULL };
  if (out->rank > 0)
    memcpy (out->dims, view->shape, (size_t) out->rank * sizeof *out->dims);
  if (!_kette_dtype (out->dtype) || !_kette_count (out->dims, out->rank, &out->count)
      || !_kette_dtype_bytes (out->dtype, out->count, &out->bytes))
    out->count = out->bytes = 0;
  if (out->dtype == KT_STRING)
    out->bytes = out->count * sizeof (kt_str);
}

static void
compare_strings (KetteDistance *out, const KetteTensor *a, const KetteTensor *b)
{
  const kt_str *x = a->data, *y = b->data;

  for (size_t i = 0; i < a->count; i++)
    out->differing
        += x[i].n != y[i].n || (x[i].n && memcmp (x[i].s, y[i].s, x[i].n) != 0);
}

/* Types that are no numbers to us: whole elements are the same or not. */
static void
compare_elements (KetteDistance *out, const KetteTensor *a, const KetteTensor *b)
{
  const size_t width = a->count ? a->bytes / a->count : 0;

  for (size_t i = 0; width && i < a->count; i++)
    out->differing += memcmp ((const char *) a->data + i * width,
                              (const char *) b->data + i * width, width)
                      != 0;
}

/* |x - y| of element I; *SIZE: the larger of |x| and |y|. */
static double
apart (const KetteTensor *a, const KetteTensor *b, size_t i, gboolean integer,
       double *from, double *size)
{
  if (integer)
    {
      const gint64 x = _kette_tensor_get_int (a, i), y = _kette_tensor_get_int (b, i);

      *from = (double) x;
      *size = MAX (fabs ((double) x), fabs ((double) y));
      return (double) (x > y ? (guint64) x - (guint64) y : (guint64) y - (guint64) x);
    }
  const double x = _kette_tensor_get_double (a, i), y = _kette_tensor_get_double (b, i);

  *from = x;
  *size = MAX (fabs (x), fabs (y));
  if (x == y || (isnan (x) && isnan (y)))
    return 0;
  return isnan (x) || isnan (y) ? INFINITY : fabs (x - y);
}

void
_kette_distance (KetteDistance *out, const KetteTensor *a, const KetteTensor *b,
                 double rtol, double atol, double *largest)
{
  const KetteDtype *type = _kette_dtype (a->dtype);
  double sum = 0, square = 0;

  *out = (KetteDistance){ .norm = -1, .count = a->count };
  if (a->dtype == KT_STRING)
    compare_strings (out, a, b);
  else if (a->bytes == 0 || memcmp (a->data, b->data, a->bytes) == 0)
    return;
  else if (a->dtype == KT_C64 || a->dtype == KT_C128)
    compare_elements (out, a, b);
  if (a->dtype == KT_STRING || a->dtype == KT_C64 || a->dtype == KT_C128)
    return;
  for (size_t i = 0; i < a->count; i++)
    {
      double from, size;
      const double difference = apart (a, b, i, type->is_integer, &from, &size);

      if (isfinite (from))
        square += from * from;
      if (difference == 0)
        continue;
      sum += difference * difference;
      if (difference <= atol + rtol * size)
        {
          *largest = MAX (*largest, difference);
          continue;
        }
      out->differing++;
      out->max_abs = MAX (out->max_abs, difference);
      out->max_rel
          = MAX (out->max_rel, isfinite (difference) ? difference / size : INFINITY);
    }
  if (square > 0)
    out->norm = sqrt (sum / square);
}
