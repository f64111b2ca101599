/* SPDX-License-Identifier: Apache-2.0
 * The lowest floor: errors, accounts, regions, random numbers.
 */
#include "base/random.h"
#include "base/tensor-private.h"
#include <errno.h>
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

/* What an error says in its text it says in parts, too. */
static void
test_error_parts (void)
{
  GError *error         = NULL, *copy;
  g_autofree char *node = NULL, *op = NULL, *value = NULL, *none = NULL;

  _kette_fail (&error, KETTE_ERROR_SHAPE,
               "node \"if \\\"0\\\" node #1\" (If), then_branch, node #12 (Add)",
               "%d and %d differ", 3, 4);
  _kette_error_in_file (&error, "m.onnx");
  copy = g_error_copy (error);
  g_clear_error (&error);
  g_assert_cmpstr (kette_error_get_file (copy), ==, "m.onnx");
  g_assert_cmpstr (kette_error_get_what (copy), ==, "3 and 4 differ");
  g_assert_true (g_str_has_prefix (kette_error_get_where (copy), "node \"if"));
  g_assert_cmpint (kette_error_get_byte (copy), ==, -1);
  g_assert_cmpint (kette_error_get_errno (copy), ==, 0);
  node = kette_error_dup_node (copy);
  op   = kette_error_dup_operator (copy);
  none = kette_error_dup_value (copy);
  g_assert_cmpstr (node, ==, "#12");
  g_assert_cmpstr (op, ==, "Add");
  g_assert_null (none);
  g_error_free (copy);

  _kette_fail_errno (&error, ENOSPC, "initializer \"w (x)\"", "cannot write");
  value = kette_error_dup_value (error);
  g_assert_cmpstr (value, ==, "w (x)");
  g_assert_cmpint (kette_error_get_errno (error), ==, ENOSPC);
  g_assert_null (kette_error_get_file (error));
  g_clear_error (&error);

  _kette_fail (&error, KETTE_ERROR_FORMAT, "byte 17", "x");
  g_assert_cmpint (kette_error_get_byte (error), ==, 17);
  g_clear_error (&error);
  g_set_error (&error, KETTE_ERROR, KETTE_ERROR_IO, "made elsewhere");
  g_assert_null (kette_error_get_where (error));
  g_clear_error (&error);
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
  g_test_add_func ("/base/error/parts", test_error_parts);
  g_test_add_func ("/base/error/codes", test_error_codes);
  g_test_add_func ("/base/error/quote", test_quote);
  g_test_add_func ("/base/memory/account", test_account);
  g_test_add_func ("/base/memory/cap", test_cap_of_process);
  g_test_add_func ("/base/memory/grow", test_grow);
  g_test_add_func ("/base/memory/region", test_region);
  g_test_add_func ("/base/memory/count", test_count);
  g_test_add_func ("/base/random/philox", test_philox);
  g_test_add_func ("/base/random/streams", test_streams);
  return g_test_run ();
}
