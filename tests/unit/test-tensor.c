/* SPDX-License-Identifier: Apache-2.0
 * Element types and tensors.
 */
#include "base/tensor-private.h"
#include <math.h>
#include <string.h>

#define assert_text(text, expected) g_assert_cmpstr (text, ==, expected)

static void
test_dtypes (void)
{
  size_t bytes;

  for (int i = 1; i <= KETTE_DTYPE_LAST; i++)
    {
      const KetteDtype *row = _kette_dtype (i);
      const kt_tensor view  = { .code = row->code, .bits = row->bits };

      g_assert_cmpint (_kette_dtype_from_brief (row->brief, strlen (row->brief)), ==, i);
      g_assert_cmpint (_kette_dtype_of_view (&view), ==, i);
    }
  g_assert_null (_kette_dtype (0));
  g_assert_null (_kette_dtype (KETTE_DTYPE_LAST + 1));
  g_assert_null (_kette_dtype (-1));
  g_assert_cmpint (_kette_dtype_from_brief ("f3", 2), ==, 0);
  g_assert_true (_kette_dtype_bytes (KT_F32, 3, &bytes) && bytes == 12);
  g_assert_true (_kette_dtype_bytes (KT_I4, 3, &bytes) && bytes == 2);
  g_assert_true (_kette_dtype_bytes (KT_U2, 5, &bytes) && bytes == 2);
  g_assert_true (_kette_dtype_bytes (KT_C128, 2, &bytes) && bytes == 32);
  g_assert_false (_kette_dtype_bytes (KT_F64, SIZE_MAX / 4, &bytes));
}

static void
test_type_text (void)
{
  const int64_t dims[]        = { 2, KT_DIM (0), KT_DIM (1), KT_DIM (2) };
  const char *const symbols[] = { "batch", "a b" };
  const kt_type tensor        = { KT_TENSOR, KT_F32, 3, 0, dims, NULL };
  const kt_type sequence      = { .kind = KT_SEQUENCE, .elem = &tensor };
  const kt_type optional      = { .kind = KT_OPTIONAL, .elem = &sequence };
  const kt_type map           = { .kind = KT_MAP, .key = KT_I64, .elem = &tensor };
  const kt_type open          = { KT_TENSOR, KT_I64, -1, 0, NULL, NULL };
  char out[128];

  assert_text (_kette_shape_text (out, sizeof out, dims, 4, symbols),
               "[2,?,batch,\"a b\"]");
  assert_text (_kette_shape_text (out, sizeof out, NULL, 0, NULL), "[]");
  assert_text (_kette_type_text (out, sizeof out, &tensor, NULL), "float32[2,?,?]");
  assert_text (_kette_type_text (out, sizeof out, &open, symbols), "int64[...]");
  assert_text (_kette_type_text (out, sizeof out, &optional, symbols),
               "optional(sequence(float32[2,?,batch]))");
  assert_text (_kette_type_text (out, sizeof out, &map, symbols),
               "map(int64,float32[2,?,batch])");
  assert_text (_kette_type_text (out, 12, &tensor, symbols), "float32[2,?");
}

static void
test_tensor (void)
{
  const size_t used   = _kette_account_process ()->used;
  const gint64 dims[] = { 2, 3 };
  GError *error       = NULL;
  KetteTensor *t      = kette_tensor_new (KT_F32, dims, 2, &error), *copy, *again;
  int64_t deep[40]    = { 0 };
  kt_tensor view;
  guint rank;
  char *text;

  g_assert_no_error (error);
  g_assert_cmpuint ((uintptr_t) kette_tensor_get_data (t) % 64, ==, 0);
  g_assert_cmpint (kette_tensor_get_dtype (t), ==, KT_F32);
  g_assert_cmpint (kette_tensor_get_dims (t, &rank)[1], ==, 3);
  g_assert_cmpuint (rank, ==, 2);
  g_assert_cmpuint (kette_tensor_get_count (t), ==, 6);
  for (size_t i = 0; i < 6; i++)
    _kette_tensor_set_double (t, i, (double) i / 10 - 0.2);
  text = kette_tensor_to_string (t, 0);
  assert_text (text, "float32[2,3]\n[[-0.2, -0.1, 0],\n [0.1, 0.2, 0.3]]");
  g_free (text);
  text = kette_tensor_to_string (t, 3);
  assert_text (text, "float32[2,3]\n[[-0.2, -0.1, 0],\n ...]");
  g_free (text);
  text = kette_tensor_to_string (t, 4);
  assert_text (text, "float32[2,3]\n[[-0.2, -0.1, 0],\n [0.1, ...]]");
  g_free (text);

  copy = _kette_tensor_copy (t, NULL);
  g_assert_true (_kette_tensor_equal (t, copy));
  _kette_tensor_view (copy, &view);
  again = _kette_tensor_from_view (&view, KT_F32, &error);
  g_assert_true (_kette_tensor_equal (t, again));
  g_assert_null (_kette_tensor_from_view (&view, KT_F64, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_INTERNAL);
  g_clear_error (&error);
  _kette_tensor_set_double (copy, 5, 7);
  g_assert_false (_kette_tensor_equal (t, copy));
  kette_tensor_unref (kette_tensor_ref (t));
  kette_tensor_unref (t);
  kette_tensor_unref (copy);
  kette_tensor_unref (again);
  kette_tensor_unref (NULL);

  g_assert_null (_kette_tensor_new_raw (KT_F32, deep, 33, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_LIMIT);
  g_clear_error (&error);
  g_assert_null (kette_tensor_new (KT_F32, deep, 40, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_LIMIT);
  g_clear_error (&error);
  deep[0] = -1;
  g_assert_null (_kette_tensor_new_raw (KT_F32, deep, 1, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_SHAPE);
  g_clear_error (&error);
  deep[0] = deep[1] = INT64_MAX / 2;
  g_assert_null (_kette_tensor_new_raw (KT_F32, deep, 2, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_MEMORY);
  g_clear_error (&error);
  g_assert_null (_kette_tensor_new_raw (99, deep, 0, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_TYPE);
  g_clear_error (&error);
  g_assert_cmpuint (_kette_account_process ()->used, ==, used);
}

static void
test_strings (void)
{
  const kt_str texts[]  = { { "a\"", 2 }, { NULL, 0 }, { "\xc3\xa4", 2 } };
  const int64_t three[] = { 3 };
  KetteTensor *t        = _kette_tensor_new_strings (texts, three, 1, NULL);
  KetteTensor *copy     = _kette_tensor_copy (t, NULL), *empty;
  const kt_str *s       = kette_tensor_get_data (copy);
  char *text            = kette_tensor_to_string (copy, 0);

  g_assert_true (_kette_tensor_equal (t, copy));
  g_assert_true (s[0].s != texts[0].s && s[0].s[2] == '\0');
  assert_text (text, "string[3]\n[\"a\\\"\", \"\", \"\xc3\xa4\"]");
  g_free (text);
  empty = kette_tensor_new (KT_STRING, three, 1, NULL);
  g_assert_false (_kette_tensor_equal (t, empty));
  text = kette_tensor_to_string (empty, 0);
  assert_text (text, "string[3]\n[\"\", \"\", \"\"]");
  g_free (text);
  kette_tensor_unref (empty);
  kette_tensor_unref (copy);
  kette_tensor_unref (t);
}

static void
count_release (gpointer owner)
{
  ++*(int *) owner;
}

static void
test_view_of_other_memory (void)
{
  char bytes[17]       = { 0 };
  const int64_t four[] = { 4 };
  int released         = 0;
  const float one      = 1;
  KetteTensor *t = _kette_tensor_new_view (KT_F32, four, 1, bytes + 1, count_release,
                                           &released, NULL);
  char *text;

  memcpy (bytes + 1 + 4, &one, 4); /* unaligned, as in a mapped file */
  g_assert_cmpfloat (_kette_tensor_get_double (t, 1), ==, 1);
  text = kette_tensor_to_string (t, 2);
  assert_text (text, "float32[4]\n[0, 1, ...]");
  g_free (text);
  kette_tensor_unref (t);
  g_assert_cmpint (released, ==, 1);
  g_assert_null (
      _kette_tensor_new_view (KT_F32, four, 1, NULL, count_release, &released, NULL));
  g_assert_cmpint (released, ==, 1);
}

static void
check_text (int dtype, const double *values, size_t n, const char *expected)
{
  const int64_t dims[] = { (int64_t) n };
  KetteTensor *t       = kette_tensor_new (dtype, dims, 1, NULL);
  char *text;

  for (size_t i = 0; i < n; i++)
    _kette_tensor_set_double (t, i, values[i]);
  text = kette_tensor_to_string (t, 0);
  assert_text (strchr (text, '\n') + 1, expected);
  g_free (text);
  kette_tensor_unref (t);
}

static void
test_text (void)
{
  const double reals[] = { NAN, -INFINITY, -0.0, 1e30, 1.0 / 3 };
  const double whole[] = { -200, 300, 1.9, NAN, 255 };
  const double pair[]  = { 0, 2 };
  KetteTensor *scalar  = kette_tensor_new (KT_I64, NULL, 0, NULL), *empty, *complex;
  const int64_t none[] = { 2, 0 };
  const float parts[]  = { 1, -2.5f };
  char *text           = kette_tensor_to_string (scalar, 0);

  check_text (KT_F32, reals, 5, "[nan, -inf, -0, 1e+30, 0.33333334]");
  check_text (KT_F64, reals, 5, "[nan, -inf, -0, 1e+30, 0.3333333333333333]");
  check_text (KT_U8, whole, 5, "[0, 255, 1, 0, 255]");
  check_text (KT_I8, whole, 5, "[-128, 127, 1, 0, 127]");
  check_text (KT_I4, whole, 5, "[-8, 7, 1, 0, 7]");
  check_text (KT_U2, whole, 5, "[0, 3, 1, 0, 3]");
  check_text (KT_U64, (const double[]){ -1, 0x1p63, 0x1p65 }, 3,
              "[0, 9223372036854775808, 18446744073709551615]");
  check_text (KT_BOOL, pair, 2, "[false, true]");
  assert_text (text, "int64[] 0");
  g_free (text);
  kette_tensor_unref (scalar);
  empty = kette_tensor_new (KT_F32, none, 2, NULL);
  text  = kette_tensor_to_string (empty, 0);
  assert_text (text, "float32[2,0]\n[]");
  g_free (text);
  kette_tensor_unref (empty);
  complex = kette_tensor_new (KT_C64, NULL, 0, NULL);
  memcpy (complex->data, parts, sizeof parts);
  text = kette_tensor_to_string (complex, 0);
  assert_text (text, "complex64[] 1-2.5j");
  g_free (text);
  kette_tensor_unref (complex);
}

/* Every code of a small float survives the way to double and back; values between two codes
 * go to the nearest, ties to even. */
static void
test_small_floats (void)
{
  static const int types[] = { KT_F16,    KT_BF16,       KT_F8E4M3FN, KT_F8E4M3FNUZ,
                               KT_F8E5M2, KT_F8E5M2FNUZ, KT_F4E2M1,   KT_F8E8M0 };

  for (size_t k = 0; k < G_N_ELEMENTS (types); k++)
    {
      const unsigned bits = _kette_dtype (types[k])->bits;
      const int64_t one[] = { 1 };
      KetteTensor *a      = kette_tensor_new (types[k], one, 1, NULL);
      KetteTensor *b      = kette_tensor_new (types[k], one, 1, NULL);

      for (uint32_t code = 0; code < 1u << bits; code++)
        {
          double v;

          memcpy (a->data, &code, bits == 16 ? 2 : 1);
          v = _kette_tensor_get_double (a, 0);
          _kette_tensor_set_double (b, 0, v);
          if (isnan (v))
            g_assert_true (isnan (_kette_tensor_get_double (b, 0)));
          else if (isinf (v) && bits == 8) /* ONNX: conversions to 8 bits saturate */
            g_assert_cmpfloat (fabs (_kette_tensor_get_double (b, 0)), ==, 57344);
          else
            g_assert_cmpmem (a->data, a->bytes, b->data, b->bytes);
        }
      kette_tensor_unref (a);
      kette_tensor_unref (b);
    }
  check_text (KT_F16,
              (const double[]){ 65504, 65519, 65520, 0x1p-25, 0x1.8p-25, 2049, 2051 }, 7,
              "[65504, 65504, inf, 0, 5.9604645e-08, 2048, 2052]");
  check_text (KT_BF16, (const double[]){ 1.00390625, 1.01171875, 3.4e38 }, 3,
              "[1, 1.015625, inf]");
  check_text (KT_F8E4M3FN, (const double[]){ 448, 464, 1e9, -INFINITY, NAN }, 5,
              "[448, 448, 448, -448, nan]");
  check_text (KT_F4E2M1, (const double[]){ 0.25, 0.75, 5, 7, NAN, -6 }, 6,
              "[0, 1, 4, 6, 0, -6]");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/base/dtype/table", test_dtypes);
  g_test_add_func ("/base/dtype/text", test_type_text);
  g_test_add_func ("/base/tensor/life", test_tensor);
  g_test_add_func ("/base/tensor/strings", test_strings);
  g_test_add_func ("/base/tensor/view", test_view_of_other_memory);
  g_test_add_func ("/base/tensor/text", test_text);
  g_test_add_func ("/base/tensor/small-floats", test_small_floats);
  return g_test_run ();
}
