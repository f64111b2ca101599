/* SPDX-License-Identifier: Apache-2.0
 * The lowest floor: errors, accounts, regions, element types, tensors, random numbers.
 */
#include "base/random.h"
#include "base/tensor-private.h"
#include <math.h>
#include <string.h>

#define assert_text(text, expected) g_assert_cmpstr (text, ==, expected)

static void
test_error_form (void)
{
  GError *error = NULL;
  char *name    = g_strnfill (500, 'a');

  g_assert_false (_kette_fail (&error, KETTE_ERROR_SHAPE, "node \"n0\" (MatMul)",
                               "%d and %d differ", 3, 4));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_SHAPE);
  assert_text (error->message, "shape: node \"n0\" (MatMul): 3 and 4 differ");
  _kette_fail (&error, KETTE_ERROR_IO, NULL, "a second one"); /* the first one stays */
  _kette_error_in_file (&error, "m\n\xff.onnx");
  assert_text (error->message,
               "m\\x0a\\xff.onnx: shape: node \"n0\" (MatMul): 3 and 4 differ");
  _kette_error_in_file (&error, "other.onnx");
  g_assert_true (g_str_has_prefix (error->message, "m\\x0a"));
  g_clear_error (&error);

  _kette_fail_errno (&error, ENOENT, NULL, "cannot open");
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_IO);
  g_assert_true (g_str_has_prefix (error->message, "io: cannot open: "));
  g_clear_error (&error);

  /* One line of UTF-8 of at most 1,024 bytes, whatever comes in. */
  _kette_fail (&error, KETTE_ERROR_GRAPH, name, "\n\x80%s%s%s", name, name,
               "\xe2\x82\xac");
  g_assert_cmpuint (strlen (error->message), <=, 1024);
  _kette_error_in_file (&error, name);
  g_assert_cmpuint (strlen (error->message), <=, 1024);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_null (strchr (error->message, '\n'));
  g_assert_true (g_str_has_suffix (error->message, "..."));
  g_clear_error (&error);
  g_assert_false (_kette_fail (NULL, KETTE_ERROR_IO, NULL, "nobody asks"));
  g_free (name);
}

static void
test_error_codes (void)
{
  static const char *const names[]
      = { "format",  "graph",  "unsupported", "attr",   "tensor",  "type",
          "shape",   "value",  "io",          "path",   "limit",   "memory",
          "timeout", "cancel", "plugin",      "device", "internal" };

  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    assert_text (_kette_error_code_name ((KetteErrorCode) i), names[i]);
  g_assert_cmpint (G_N_ELEMENTS (names), ==, KETTE_ERROR_INTERNAL + 1);
}

static void
test_quote (void)
{
  char *line    = g_strnfill (81, 'x');
  char *dots    = g_strdup_printf ("\"%.80s...\"", line);
  GString *wide = g_string_new (NULL);

  assert_text (KETTE_QUOTE ("w"), "\"w\"");
  assert_text (KETTE_QUOTE (NULL), "\"\"");
  assert_text (KETTE_QUOTE ("a\"b\\c"), "\"a\\\"b\\\\c\"");
  assert_text (KETTE_QUOTE ("\x1b[31m\n\x7f"), "\"\\x1b[31m\\x0a\\x7f\"");
  assert_text (KETTE_QUOTE ("\xff\xc3\xa4\xc3"), "\"\\xff\xc3\xa4\\xc3\"");
  assert_text (KETTE_QUOTE ("\xc2\x85"), "\"\\xc2\\x85\"");          /* next line */
  assert_text (KETTE_QUOTE ("\xe2\x80\xae"), "\"\\xe2\\x80\\xae\""); /* right to left */
  assert_text (_kette_quote_n (&(KetteQuoted){ "" }, "a\0b", 3), "\"a\\x00b\"");
  assert_text (KETTE_QUOTE (line), dots);
  g_assert_cmpuint (strlen (KETTE_QUOTE (line + 1)), ==, 82);
  /* 80 of the widest characters fit. */
  for (int i = 0; i < 90; i++)
    g_string_append (wide, "\xf0\x9f\x8d\x80");
  g_assert_cmpuint (strlen (KETTE_QUOTE (wide->str)), ==, 80 * 4 + 5);
  g_string_free (wide, TRUE);
  g_free (dots);
  g_free (line);
}

static void
test_account (void)
{
  KetteAccount account = { .cap = 10000 };
  const size_t before  = _kette_account_process ()->used;
  GError *error        = NULL;
  char *a, *b;

  a = _kette_alloc (&account, 100, 50, &error);
  g_assert_no_error (error);
  g_assert_cmpuint ((uintptr_t) a % 64, ==, 0);
  for (int i = 0; i < 5000; i++)
    g_assert_cmpint (a[i], ==, 0);
  g_assert_cmpuint (account.used, >=, 5000);
  g_assert_cmpuint (_kette_account_process ()->used, ==, before + account.used);

  b = _kette_alloc (&account, 1, 6000, &error);
  g_assert_null (b);
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_MEMORY);
  g_assert_true (g_str_has_prefix (error->message, "memory: needs "));
  g_clear_error (&error);
  g_assert_null (_kette_alloc (&account, SIZE_MAX / 2, 3, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_MEMORY);
  g_clear_error (&error);
  g_assert_null (_kette_alloc (NULL, SIZE_MAX / 4, 1, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_MEMORY);
  g_clear_error (&error);

  b = _kette_alloc_raw (&account, 0, 8, &error);
  g_assert_nonnull (b);
  _kette_free (a);
  _kette_free (b);
  _kette_free (NULL);
  g_assert_cmpuint (account.used, ==, 0);
  g_assert_cmpuint (account.peak, <=, account.cap);
  g_assert_cmpuint (_kette_account_process ()->used, ==, before);
}

/* The whole process at its cap: every way to ask gets `memory`, and nothing leaks. */
static void
test_cap_of_process (void)
{
  KetteAccount *process = _kette_account_process ();
  const size_t cap = process->cap, used = process->used;
  const int64_t dims[] = { 1000, 1000 };
  GError *error        = NULL;
  int32_t *array       = NULL;
  size_t capacity      = 0;
  KetteRegion *region  = _kette_region_new (&error);

  g_assert_cmpuint (cap, >, 0);
  process->cap = process->used + 64;
  g_assert_null (kette_tensor_new (KT_F32, dims, 2, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_MEMORY);
  g_clear_error (&error);
  g_assert_null (_kette_region_alloc (region, 100, 1, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_MEMORY);
  g_clear_error (&error);
  g_assert_false (_kette_grow (&array, &capacity, 100, sizeof *array, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_MEMORY);
  g_clear_error (&error);
  g_assert_null (array);
  process->cap = cap;
  _kette_region_free (region);
  g_assert_cmpuint (process->used, ==, used);
}

static void
test_grow (void)
{
  const size_t used = _kette_account_process ()->used;
  int64_t *array    = NULL;
  size_t capacity   = 0;

  for (size_t i = 0; i < 10000; i++)
    {
      g_assert_true (_kette_grow (&array, &capacity, i + 1, sizeof *array, NULL));
      g_assert_cmpint (array[i], ==, 0);
      array[i] = (int64_t) i;
    }
  for (size_t i = 0; i < 10000; i++)
    g_assert_cmpint (array[i], ==, (int64_t) i);
  g_assert_false (_kette_grow (&array, &capacity, SIZE_MAX / 2, sizeof *array, NULL));
  g_assert_cmpint (array[9999], ==, 9999);
  _kette_free (array);
  g_assert_cmpuint (_kette_account_process ()->used, ==, used);
}

static void
test_region (void)
{
  const size_t used   = _kette_account_process ()->used;
  KetteRegion *region = _kette_region_new (NULL);
  const int numbers[] = { 1, 2, 3 };
  int *copy;

  g_assert_nonnull (_kette_region_alloc (region, 0, 4, NULL));
  for (size_t n = 1; n < 3000; n++)
    {
      char *p = _kette_region_alloc (region, n, 3, NULL);

      g_assert_cmpuint ((uintptr_t) p % 16, ==, 0);
      for (size_t i = 0; i < 3 * n; i++)
        g_assert_cmpint (p[i], ==, 0);
      memset (p, 0xff, 3 * n);
    }
  assert_text (_kette_region_strdup (region, "name", NULL), "name");
  copy = _kette_region_dup (region, numbers, 3, sizeof (int), NULL);
  g_assert_cmpint (copy[2], ==, 3);
  g_assert_null (_kette_region_alloc (region, SIZE_MAX, 1, NULL));
  g_assert_null (_kette_region_alloc (region, SIZE_MAX / 8, 9, NULL));
  _kette_region_free (region);
  g_assert_cmpuint (_kette_account_process ()->used, ==, used);
}

static void
test_count (void)
{
  size_t n = 1;

  g_assert_true (_kette_count (NULL, 0, &n) && n == 1);
  g_assert_true (_kette_count ((const int64_t[]){ 2, 3, 4 }, 3, &n) && n == 24);
  /* An empty tensor is empty, however large its other dims are. */
  g_assert_true (_kette_count ((const int64_t[]){ INT64_MAX, INT64_MAX, 0 }, 3, &n)
                 && n == 0);
  g_assert_false (_kette_count ((const int64_t[]){ INT64_MAX, 3 }, 2, &n));
  g_assert_false (_kette_count ((const int64_t[]){ 2, -1 }, 2, &n));
  g_assert_false (_kette_count ((const int64_t[]){ 0, KT_DIM (0) }, 2, &n));
}

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

static void
test_philox (void)
{
  static const uint32_t expected[2][4]
      = { { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } };
  const uint32_t counter[2][4] = { { 0 }, { ~0u, ~0u, ~0u, ~0u } };
  const uint32_t pi_key[]      = { 0xa4093822, 0x299f31d0 };
  const uint32_t pi[]          = { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 };
  const uint32_t key[2][2]     = { { 0 }, { ~0u, ~0u } };
  uint32_t out[4];

  for (int i = 0; i < 2; i++)
    {
      _kette_philox (key[i], counter[i], out);
      g_assert_cmpmem (out, sizeof out, expected[i], sizeof expected[i]);
    }
  _kette_philox (pi_key, pi, out);
  g_assert_cmphex (out[0], ==, 0xd16cfe09);
  g_assert_cmphex (out[1], ==, 0x94fdcceb);
  g_assert_cmphex (out[2], ==, 0x5001e420);
  g_assert_cmphex (out[3], ==, 0x24126ea1);
}

static void
test_streams (void)
{
  enum
  {
    N      = 1000,
    ROUNDS = 24000
  };
  uint32_t a[2], b[2], order[N], small[3];
  uint8_t seen[N] = { 0 };
  int counts[27]  = { 0 };
  double sum      = 0;

  _kette_random_key (1, "shuffle", a);
  _kette_random_key (1, "shufflf", b);
  g_assert_true (a[0] != b[0] && a[1] != b[1]);
  _kette_random_permutation (a, 7, order, N);
  for (int i = 0; i < N; i++)
    {
      g_assert_cmpuint (order[i], <, N);
      g_assert_false (seen[order[i]]);
      seen[order[i]] = 1;
    }
  _kette_random_permutation (a, 7, order, 0);
  /* All six orders of three come equally often: 4,000 times, five standard deviations. */
  for (uint64_t step = 0; step < ROUNDS; step++)
    {
      _kette_random_permutation (a, step, small, 3);
      counts[small[0] * 9 + small[1] * 3 + small[2]]++;
    }
  for (int i = 0; i < 27; i++)
    if (counts[i])
      g_assert_cmpint (ABS (counts[i] - ROUNDS / 6), <, 5 * 58);
  for (uint64_t i = 0; i < 10000; i++)
    {
      const float u = _kette_random_uniform (a, 3, i);

      g_assert_true (u >= 0 && u < 1);
      sum += (double) u;
    }
  g_assert_cmpfloat (fabs (sum / 10000 - 0.5), <, 0.015);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/base/error/form", test_error_form);
  g_test_add_func ("/base/error/codes", test_error_codes);
  g_test_add_func ("/base/error/quote", test_quote);
  g_test_add_func ("/base/memory/account", test_account);
  g_test_add_func ("/base/memory/cap", test_cap_of_process);
  g_test_add_func ("/base/memory/grow", test_grow);
  g_test_add_func ("/base/memory/region", test_region);
  g_test_add_func ("/base/memory/count", test_count);
  g_test_add_func ("/base/dtype/table", test_dtypes);
  g_test_add_func ("/base/dtype/text", test_type_text);
  g_test_add_func ("/base/tensor/life", test_tensor);
  g_test_add_func ("/base/tensor/strings", test_strings);
  g_test_add_func ("/base/tensor/view", test_view_of_other_memory);
  g_test_add_func ("/base/tensor/text", test_text);
  g_test_add_func ("/base/tensor/small-floats", test_small_floats);
  g_test_add_func ("/base/random/philox", test_philox);
  g_test_add_func ("/base/random/streams", test_streams);
  return g_test_run ();
}
