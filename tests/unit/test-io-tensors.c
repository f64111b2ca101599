/* SPDX-License-Identifier: Apache-2.0
 * Tensor files: what is written is read again; every cut and many changes are refused or
 * read, never a crash.
 */
#include "base/tensor-private.h"
#include "io/build.h"
#include "io/io-private.h"
#include "io/io.h"
#include <glib/gstdio.h>
#include <string.h>

static char *
temporary (const char *name)
{
  g_autofree char *folder = g_dir_make_tmp ("kette-XXXXXX", NULL);

  return g_build_filename (folder, name, NULL);
}

static void
forget (const char *file)
{
  g_autofree char *folder = g_path_get_dirname (file);

  g_unlink (file);
  g_rmdir (folder);
}

static KetteTensor *
sample (int dtype, int rank)
{
  const gint64 dims[] = { 3, 2, 4 };
  KetteTensor *tensor = kette_tensor_new (dtype, dims, (guint) rank, NULL);

  g_assert_nonnull (tensor);
  for (gsize i = 0; i < tensor->bytes; i++)
    ((guint8 *) tensor->data)[i] = (guint8) (dtype == KT_BOOL ? i % 2 : i * 7 + 1);
  return tensor;
}

static void
round_trip (int dtype, const char *name)
{
  g_autofree char *file = temporary (name);

  for (int rank = 0; rank <= 3; rank++)
    {
      g_autoptr (KetteTensor) a = sample (dtype, rank);
      g_autoptr (KetteTensor) b = NULL;
      g_autoptr (GError) error  = NULL;

      kette_tensor_save (a, file, &error);
      g_assert_no_error (error);
      b = kette_tensor_load (file, &error);
      g_assert_no_error (error);
      g_assert_true (_kette_tensor_equal (a, b));
    }
  forget (file);
}

static void
test_npy (void)
{
  static const int types[] = { KT_F16, KT_F32, KT_F64, KT_I8,  KT_I16, KT_I32,
                               KT_I64, KT_U8,  KT_U16, KT_U32, KT_U64, KT_BOOL };

  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    round_trip (types[i], "t.npy");
}

static void
test_pb (void)
{
  for (int dtype = 1; dtype <= KETTE_DTYPE_LAST; dtype++)
    if (dtype != KT_STRING && _kette_dtype (dtype)->bits >= 8)
      round_trip (dtype, "t.pb");
}

static void
test_strings (void)
{
  const kt_str texts[]      = { { "a\0b", 3 }, { "", 0 } };
  const gint64 dims[]       = { 2 };
  g_autofree char *file     = temporary ("t.pb");
  g_autoptr (GError) error  = NULL;
  g_autoptr (KetteTensor) a = _kette_tensor_new_strings (texts, dims, 1, &error);
  g_autoptr (KetteTensor) b = NULL;

  g_assert_no_error (error);
  g_assert_true (kette_tensor_save (a, file, &error));
  b = kette_tensor_load (file, &error);
  g_assert_no_error (error);
  g_assert_true (_kette_tensor_equal (a, b));
  forget (file);
}

typedef KetteTensor *(*Parse) (GBytes *bytes, GError **error);

/* All shorter files, and many changed ones. */
static void
hurt (Parse parse, GBytes *bytes)
{
  gsize n;
  const guint8 *data        = g_bytes_get_data (bytes, &n);
  g_autoptr (KetteTensor) t = parse (bytes, NULL);

  g_assert_nonnull (t);
  for (gsize k = 0; k < n; k++)
    {
      g_autoptr (GBytes) cut   = g_bytes_new (data, k);
      g_autoptr (GError) error = NULL;
      KetteTensor *tensor      = parse (cut, &error);

      g_assert_null (tensor);
      g_assert_nonnull (error);
    }
  for (int k = 0; k < 3000; k++)
    {
      guint8 *copy           = g_memdup2 (data, n);
      g_autoptr (GBytes) bad = NULL;

      copy[g_test_rand_int_range (0, (gint32) MIN (n, 160))]
          = (guint8) g_test_rand_int_range (0, 256);
      bad = g_bytes_new_take (copy, n);
      kette_tensor_unref (parse (bad, NULL));
    }
}

static GBytes *
saved (const char *name)
{
  g_autofree char *file     = temporary (name);
  g_autoptr (KetteTensor) a = sample (KT_F32, 2);
  GBytes *bytes;

  g_assert_true (kette_tensor_save (a, file, NULL));
  bytes = _kette_read_file (file, NULL);
  g_assert_nonnull (bytes);
  forget (file);
  return bytes;
}

static const guint8 idx[]
    = { 0, 0, 0x0b, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 0, 2, 0xff, 0xff, 1, 0 };

static GBytes *
zipped (const void *data, gsize n)
{
  g_autoptr (GZlibCompressor) gz
      = g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP, -1);
  char out[4096];
  gsize read, written;
  GConverterResult result
      = g_converter_convert (G_CONVERTER (gz), data, n, out, sizeof out,
                             G_CONVERTER_INPUT_AT_END, &read, &written, NULL);

  g_assert_cmpint (result, ==, G_CONVERTER_FINISHED);
  return g_bytes_new (out, written);
}

static void
check_idx (GBytes *bytes)
{
  g_autoptr (GError) error  = NULL;
  g_autoptr (KetteTensor) t = _kette_idx_parse (bytes, &error);

  g_assert_no_error (error);
  g_assert_cmpint (t->dtype, ==, KT_I16);
  g_assert_cmpint (t->rank, ==, 2);
  g_assert_cmpint (_kette_tensor_get_int (t, 1), ==, 2);
  g_assert_cmpint (_kette_tensor_get_int (t, 2), ==, -1);
  g_assert_cmpint (_kette_tensor_get_int (t, 3), ==, 256);
}

static void
test_idx (void)
{
  g_autoptr (GBytes) plain = g_bytes_new_static (idx, sizeof idx);
  g_autoptr (GBytes) gz    = zipped (idx, sizeof idx);
  g_autoptr (GBytes) more = NULL, more_gz = NULL, huge = NULL, huge_gz = NULL;
  g_autoptr (GError) error      = NULL;
  guint8 longer[sizeof idx + 1] = { 0 };
  guint8 large[20] = { 0, 0, 8, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

  check_idx (plain);
  check_idx (gz);
  memcpy (longer, idx, sizeof idx);
  more    = g_bytes_new (longer, sizeof longer);
  more_gz = zipped (longer, sizeof longer);
  g_assert_null (_kette_idx_parse (more, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_TENSOR);
  g_clear_error (&error);
  g_assert_null (_kette_idx_parse (more_gz, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_FORMAT);
  g_clear_error (&error);
  memset (large + 4, 0xff, 16);
  huge    = g_bytes_new (large, sizeof large);
  huge_gz = zipped (large, sizeof large);
  g_assert_null (_kette_idx_parse (huge, NULL));
  g_assert_null (_kette_idx_parse (huge_gz, NULL));
  hurt (_kette_idx_parse, plain);
  hurt (_kette_idx_parse, gz);
}

/* More elements than the header takes: the archive is unpacked in two steps. */
static void
test_idx_large (void)
{
  guint8 data[4 + 4 + 400 + 1] = { 0, 0, 8, 1, 0, 0, 1, 0x90 };
  g_autoptr (GBytes) gz = NULL, few = NULL, more = NULL, none = NULL;
  g_autoptr (GError) error  = NULL;
  g_autoptr (KetteTensor) t = NULL;

  for (gsize i = 8; i < sizeof data; i++)
    data[i] = (guint8) g_test_rand_int_range (0, 256);
  gz   = zipped (data, sizeof data - 1);
  few  = zipped (data, sizeof data - 2);
  more = zipped (data, sizeof data);
  t    = _kette_idx_parse (gz, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (t->data, t->bytes, data + 8, 400);
  hurt (_kette_idx_parse, gz);
  g_assert_null (_kette_idx_parse (few, &error));
  g_assert_cmpstr (error->message, ==, "format: needs 408 bytes, unpacked it has 407");
  g_clear_error (&error);
  g_assert_null (_kette_idx_parse (more, &error));
  g_assert_cmpstr (error->message, ==,
                   "format: unpacked it has more than the 408 bytes that it needs");
  g_clear_error (&error);
  /* No elements, with and without gzip. */
  data[6] = data[7] = 0;
  for (int i = 0; i < 2; i++)
    {
      g_autoptr (KetteTensor) empty = NULL;

      g_clear_pointer (&none, g_bytes_unref);
      none  = i ? zipped (data, 8) : g_bytes_new (data, 8);
      empty = _kette_idx_parse (none, &error);
      g_assert_no_error (error);
      g_assert_cmpint (empty->rank, ==, 1);
      g_assert_cmpuint (empty->count, ==, 0);
    }
}

static void
test_hurt (void)
{
  g_autoptr (GBytes) npy = saved ("t.npy"), pb = saved ("t.pb");

  hurt (_kette_npy_parse, npy);
  hurt (_kette_tensor_pb_parse, pb);
}

/* Headers in words that NumPy does not write, but allows; and what it does not allow. */
static void
test_npy_headers (void)
{
  static const struct
  {
    const char *header, *want;
    guint8 version, n_data;
  } cases[] = {
    { "\n{\t\"descr\":'|u1','fortran_order':False,'shape':(2)}", NULL, 1, 2 },
    { "{'descr': '=u1', 'fortran_order': True, 'shape': (2,), }", NULL, 1, 2 },
    { "{'descr': '>b1', 'fortran_order': True, 'shape': (), }", NULL, 2, 1 },
    { "{'descr': '>c8', 'fortran_order': False, 'shape': (1,), }", NULL, 3, 8 },
    { "{'descr': '>c16', 'fortran_order': False, 'shape': (1,), }", NULL, 3, 16 },
    { "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }", NULL, 1, 0 },
    { "{'descr': '<f4', 'fortran_order': True, 'shape': (0, 3), }", NULL, 1, 0 },
    { "", "format: NPY header: \"{\" is missing at character 0", 1, 0 },
    { "{", "format: NPY header: a text is missing at character 1", 1, 0 },
    { "{x", "format: NPY header: a text is missing at character 1", 1, 0 },
    { "{'descr", "format: NPY header: a text does not end at character 7", 1, 0 },
    { "{'a text that is longer than every key is'",
      "format: NPY header: a text does not end at character 33", 1, 0 },
    { "{'descr' '", "format: NPY header: \":\" is missing at character 9", 1, 0 },
    { "{'descr': ''", "unsupported: NPY element type \"\"", 1, 0 },
    { "{'descr': '?u1'", "unsupported: NPY element type \"?u1\"", 1, 0 },
    { "{'descr': '|u3'", "unsupported: NPY element type \"|u3\"", 1, 0 },
    { "{'fortran_order': Fals",
      "format: NPY header: True or False is missing at character 18", 1, 0 },
    { "{'fortran_order': Falsy",
      "format: NPY header: True or False is missing at character 18", 1, 0 },
    { "{'fortran_order': Tru",
      "format: NPY header: True or False is missing at character 18", 1, 0 },
    { "{'fortran_order': True, 'fortran_order'",
      "format: NPY header: \":\" is missing at character 39", 1, 0 },
    { "{'fortran_order': True, 'fortran_order': True",
      "format: NPY header: the key \"fortran_order\" is unknown or there twice", 1, 0 },
    { "{'shape': (), 'shape': ()",
      "format: NPY header: the key \"shape\" is unknown or there twice", 1, 0 },
    { "{'descr': '|u1', 'descr': '|u1'",
      "format: NPY header: the key \"descr\" is unknown or there twice", 1, 0 },
    { "{'shape': 3", "format: NPY header: \"(\" is missing at character 10", 1, 0 },
    { "{'shape': (3 4", "format: NPY header: \",\" is missing at character 13", 1, 0 },
    { "{'shape': (x", "format: NPY header: a number is missing at character 11", 1, 0 },
    { "{'shape': (9223372036854775808", "limit: NPY header: a dim beyond 2^63 - 1", 1,
      0 },
    { "{'shape': (92233720368547758070", "limit: NPY header: a dim beyond 2^63 - 1", 1,
      0 },
    { "{'shape': () 'descr'", "format: NPY header: \"}\" is missing at character 13", 1,
      0 },
    { "{}", "format: NPY header: descr is missing", 1, 0 },
    { "{'descr': '|u1'}", "format: NPY header: fortran_order is missing", 1, 0 },
    { "{'descr': '|u1', 'fortran_order': True}", "format: NPY header: shape is missing",
      1, 0 },
    { "{}", "unsupported: NPY version 0", 0, 0 },
    { "{}", "unsupported: NPY version 4", 4, 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const guint8 n            = (guint8) strlen (cases[i].header);
      g_autoptr (GByteArray) a  = g_byte_array_new ();
      g_autoptr (GError) error  = NULL;
      g_autoptr (GBytes) bytes  = NULL;
      g_autoptr (KetteTensor) t = NULL;
      const guint8 head[12] = { 0x93, 'N', 'U', 'M', 'P', 'Y', cases[i].version, 0, n };
      const guint8 data[16] = { 0x3f, 0xf0, 0, 1 };

      g_byte_array_append (a, head, cases[i].version > 1 ? 12 : 10);
      g_byte_array_append (a, (const guint8 *) cases[i].header, n);
      g_byte_array_append (a, data, cases[i].n_data);
      bytes = g_bytes_new (a->data, a->len);
      t     = _kette_npy_parse (bytes, &error);
      if (!cases[i].want)
        {
          g_assert_no_error (error);
          g_assert_cmpuint (t->bytes, ==, cases[i].n_data);
          g_assert_true (t->dtype != KT_C64 || ((guint8 *) t->data)[0] == 1);
          g_assert_true (t->dtype != KT_C128 || ((guint8 *) t->data)[7] == 0x3f);
          g_assert_true (t->dtype != KT_BOOL || ((guint8 *) t->data)[0] == 1);
          continue;
        }
      g_assert_null (t);
      g_assert_cmpstr (error->message, ==, cases[i].want);
    }
}

/* Column-major, big-endian, and the headers of versions 2 and 3. */
static void
test_npy_forms (void)
{
  static const char *const headers[]
      = { "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }",
          "{ \"shape\":(2,3) , \"descr\":\">i2\",\"fortran_order\":True}\n" };
  /* Columns (1,4), (2,5), (3,6). */
  static const guint8 data[] = { 0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6 };

  for (guint8 version = 1; version <= 3; version++)
    {
      g_autoptr (GByteArray) file = g_byte_array_new ();
      g_autoptr (GBytes) bytes    = NULL;
      g_autoptr (GError) error    = NULL;
      g_autoptr (KetteTensor) t   = NULL;
      const char *text            = headers[version % 2];
      const guint8 head[]         = { version, 0, (guint8) strlen (text), 0, 0, 0 };

      g_byte_array_append (file, (const guint8 *) "\x93NUMPY", 6);
      g_byte_array_append (file, head, version == 1 ? 4 : 6);
      g_byte_array_append (file, (const guint8 *) text, (guint) strlen (text));
      g_byte_array_append (file, data, sizeof data);
      bytes = g_byte_array_free_to_bytes (g_steal_pointer (&file));
      t     = _kette_npy_parse (bytes, &error);
      g_assert_no_error (error);
      for (gsize i = 0; i < 6; i++)
        g_assert_cmpint (_kette_tensor_get_int (t, i), ==, (int) i + 1);
    }
}

static void
test_swap (void)
{
  guint8 data[] = { 1, 2, 3, 4, 5, 6, 7, 8 };

  _kette_swap_bytes (data, 2, 4);
  g_assert_cmpmem (data, 8, "\4\3\2\1\10\7\6\5", 8);
  _kette_swap_bytes (data, 1, 8);
  g_assert_cmpmem (data, 8, "\5\6\7\10\1\2\3\4", 8);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/io/tensors/npy", test_npy);
  g_test_add_func ("/io/tensors/npy-forms", test_npy_forms);
  g_test_add_func ("/io/tensors/pb", test_pb);
  g_test_add_func ("/io/tensors/strings", test_strings);
  g_test_add_func ("/io/tensors/idx", test_idx);
  g_test_add_func ("/io/tensors/idx-large", test_idx_large);
  g_test_add_func ("/io/tensors/npy-headers", test_npy_headers);
  g_test_add_func ("/io/tensors/hurt", test_hurt);
  g_test_add_func ("/io/tensors/swap", test_swap);
  return g_test_run ();
}
