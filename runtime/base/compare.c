/* SPDX-License-Identifier: Apache-2.0
 * Comparing tensors with a tolerance.
 */
#include "base/compare.h"
#include "base/tensor-private.h"
#include <math.h>
#include <string.h>

static gboolean
check_type (const KetteTensor *a, const KetteTensor *e, GError **error)
{
  char x[256], y[256];

  if (a->dtype == e->dtype && a->rank == e->rank
      && (a->rank == 0
          || memcmp (a->dims, e->dims, (size_t) a->rank * sizeof *a->dims) == 0))
    return TRUE;
  _kette_type_text (
      x, sizeof x,
      &(kt_type){
          .kind = KT_TENSOR, .dtype = a->dtype, .ndim = a->rank, .dims = a->dims },
      NULL);
  _kette_type_text (
      y, sizeof y,
      &(kt_type){
          .kind = KT_TENSOR, .dtype = e->dtype, .ndim = e->rank, .dims = e->dims },
      NULL);
  return _kette_fail (error, a->dtype == e->dtype ? KETTE_ERROR_SHAPE : KETTE_ERROR_TYPE,
                      NULL, "is %s, expected %s", x, y);
}

/* The error of element I in units of its bound. */
static double
excess (const KetteTensor *a, const KetteTensor *e, size_t i, double rtol, double atol)
{
  if (_kette_dtype (e->dtype)->is_integer)
    {
      const gint64 x = _kette_tensor_get_int (a, i), y = _kette_tensor_get_int (e, i);
      const guint64 difference
          = x > y ? (guint64) x - (guint64) y : (guint64) y - (guint64) x;
      return difference == 0 ? 0
                             : (double) difference / (atol + rtol * fabs ((double) y));
    }
  const double x = _kette_tensor_get_double (a, i), y = _kette_tensor_get_double (e, i);
  if (isnan (x) || isnan (y))
    return isnan (x) && isnan (y) ? 0 : INFINITY;
  if (isinf (x) || isinf (y))
    return x == y ? 0 : INFINITY;
  return x == y ? 0 : fabs (x - y) / (atol + rtol * fabs (y));
}

static gboolean
compare_strings (const KetteTensor *a, const KetteTensor *e, GError **error)
{
  const kt_str *x = a->data, *y = e->data;

  for (size_t i = 0; i < e->count; i++)
    if (x[i].n != y[i].n || (x[i].n && memcmp (x[i].s, y[i].s, x[i].n) != 0))
      {
        KetteQuoted p, q;
        return _kette_fail (
            error, KETTE_ERROR_VALUE, NULL, "element %zu is %s, expected %s", i,
            _kette_quote_n (&p, x[i].s, x[i].n), _kette_quote_n (&q, y[i].s, y[i].n));
      }
  return TRUE;
}

gboolean
kette_tensor_compare (const KetteTensor *actual, const KetteTensor *expected, double rtol,
                      double atol, double *worst, GError **error)
{
  double largest = 0;
  size_t at = 0, n_wrong = 0;

  if (worst)
    *worst = 0;
  if (!check_type (actual, expected, error))
    return FALSE;
  if (expected->dtype == KT_STRING)
    return compare_strings (actual, expected, error);
  if (expected->dtype == KT_C64 || expected->dtype == KT_C128)
    return memcmp (actual->data, expected->data, expected->bytes) == 0
           || _kette_fail (error, KETTE_ERROR_VALUE, NULL, "complex elements differ");
  for (size_t i = 0; i < expected->count; i++)
    {
      const double x = excess (actual, expected, i, rtol, atol);
      n_wrong += x > 1;
      if (x > largest)
        {
          largest = x;
          at      = i;
        }
    }
  if (worst)
    *worst = largest;
  if (n_wrong == 0)
    return TRUE;
  return _kette_fail (
      error, KETTE_ERROR_VALUE, NULL,
      "%zu of %zu elements differ, worst is element %zu: %.9g, expected %.9g "
      "(%.3g times the tolerance)",
      n_wrong, expected->count, at, _kette_tensor_get_double (actual, at),
      _kette_tensor_get_double (expected, at), largest);
}
