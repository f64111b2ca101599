/* SPDX-License-Identifier: Apache-2.0
 * A tensor as text: "float32[2,2]" and below it the elements in nested brackets.
 */
#include "base/tensor-private.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Text that grows; `failed`: memory was refused, and nothing more is written. */
typedef struct
{
  char *out;
  size_t at, size;
  gboolean failed;
} Text;

static void
put_n (Text *t, const char *s, size_t n)
{
  size_t need;

  if (t->failed)
    return;
  if (!_kette_add (t->at, n + 1, &need) || need > PTRDIFF_MAX / 2)
    {
      t->failed = TRUE;
      return;
    }
  if (need > t->size)
    {
      const size_t size = MAX (need, t->size + t->size / 2);
      char *out         = g_try_realloc (t->out, size);

      if (!out)
        {
          t->failed = TRUE;
          return;
        }
      t->out  = out;
      t->size = size;
    }
  memcpy (t->out + t->at, s, n);
  t->at += n;
  t->out[t->at] = '\0';
}

static void
put (Text *t, const char *s)
{
  put_n (t, s, strlen (s));
}

/* The shortest decimal text, of 6 digits or more, that reads back as the same number. */
static void
put_real (Text *t, double v, gboolean is_double)
{
  static const char *const formats[]
      = { "%.6g", "%.7g", "%.8g", "%.9g", "%.12g", "%.15g", "%.16g", "%.17g" };
  char text[64];

  if (isnan (v) || isinf (v))
    {
      put (t, isnan (v) ? "nan" : v < 0 ? "-inf" : "inf");
      return;
    }
  for (size_t i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      double back;

      g_ascii_formatd (text, sizeof text, formats[i], v);
      back = g_ascii_strtod (text, NULL);
      if (is_double ? back == v : (float) back == (float) v)
        break;
    }
  put (t, text);
}

static void
put_complex (Text *t, const KetteTensor *self, size_t i)
{
  const gboolean is_double = self->dtype == KT_C128;
  double part[2];

  if (is_double)
    memcpy (part, (const char *) self->data + i * sizeof part, sizeof part);
  else
    {
      float narrow[2];

      memcpy (narrow, (const char *) self->data + i * sizeof narrow, sizeof narrow);
      part[0] = (double) narrow[0];
      part[1] = (double) narrow[1];
    }
  put_real (t, part[0], is_double);
  if (!signbit (part[1]) || isnan (part[1]))
    put (t, "+");
  put_real (t, part[1], is_double);
  put (t, "j");
}

static void
put_element (Text *t, const KetteTensor *self, size_t i)
{
  const KetteDtype *row = _kette_dtype (self->dtype);
  char number[32];

  if (self->dtype == KT_STRING)
    {
      const kt_str *s = (const kt_str *) self->data + i;
      KetteQuoted quoted;

      put (t, _kette_quote_n (&quoted, s->s ? s->s : "", s->s ? s->n : 0));
    }
  else if (self->dtype == KT_BOOL)
    put (t, _kette_tensor_get_int (self, i) ? "true" : "false");
  else if (self->dtype == KT_C64 || self->dtype == KT_C128)
    put_complex (t, self, i);
  else if (row->is_float)
    put_real (t, _kette_tensor_get_double (self, i), self->dtype == KT_F64);
  else
    {
      const gint64 v = _kette_tensor_get_int (self, i);

      if (self->dtype == KT_U64)
        g_snprintf (number, sizeof number, "%" G_GUINT64_FORMAT, (guint64) v);
      else
        g_snprintf (number, sizeof number, "%" G_GINT64_FORMAT, v);
      put (t, number);
    }
}

static void
put_times (Text *t, const char *s, int n)
{
  while (n-- > 0)
    put (t, s);
}

/* How many of the last dims are full when I elements are written: so many brackets close. */
static int
closing (const KetteTensor *self, size_t i)
{
  int n = 0;

  for (int k = self->rank; k-- > 0; n++)
    {
      if (i % (size_t) self->dims[k] != 0)
        break;
      i /= (size_t) self->dims[k];
    }
  return n;
}

char *
kette_tensor_to_string (const KetteTensor *self, guint limit)
{
  const size_t shown = limit > 0 ? MIN (self->count, (size_t) limit) : self->count;
  Text t             = { 0 };
  char shape[1024];
  int open;

  put (&t, _kette_dtype (self->dtype)->name);
  put (&t, _kette_shape_text (shape, sizeof shape, self->dims, self->rank, NULL));
  put (&t, self->rank == 0 ? " " : "\n");
  open = self->count > 0 ? self->rank : 1;
  put_times (&t, "[", open);
  for (size_t i = 0; i < shown && !t.failed; i++)
    {
      const int n = closing (self, i + 1);

      put_element (&t, self, i);
      put_times (&t, "]", n);
      open = self->rank - n;
      if (i + 1 == self->count)
        break;
      put (&t, ",");
      put (&t, n > 0 ? "\n" : " ");
      if (i + 1 == shown)
        break;
      put_times (&t, " ", n > 0 ? open : 0);
      put_times (&t, "[", n);
      open = self->rank;
    }
  if (shown < self->count)
    {
      put_times (&t, " ", t.at > 0 && t.out && t.out[t.at - 1] == '\n' ? open : 0);
      put (&t, "...");
    }
  put_times (&t, "]", open);
  if (!t.failed)
    return t.out;
  g_free (t.out);
  return NULL;
}

char *
kette_tensor_element_to_string (const KetteTensor *self, gsize i)
{
  Text t = { 0 };

  if (i >= self->count)
    return NULL;
  put_element (&t, self, i);
  if (!t.failed)
    return t.out;
  g_free (t.out);
  return NULL;
}
