/* SPDX-License-Identifier: Apache-2.0
 * Model files: load, save, load gives the same; damaged ones never crash; files are written
 * whole or not at all.
 */
#include "base/system.h"
#include "graph/graph-private.h"
#include "io/io-private.h"
#include "onnx.pb-c.h"
#include "pack.h"
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* All files of a folder and those below whose names end in ".onnx", sorted. */
static void
collect (const char *folder, GPtrArray *out)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    {
      char *path = g_build_filename (folder, name, NULL);

      if (g_file_test (path, G_FILE_TEST_IS_DIR))
        collect (path, out);
      else if (g_str_has_suffix (name, ".onnx"))
        {
          g_ptr_array_add (out, path);
          continue;
        }
      g_free (path);
    }
  if (dir)
    g_dir_close (dir);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* KETTE_SHARED, or a folder of that name beside the source. */
static char *
shared_folder (void)
{
  const char *given = g_getenv ("KETTE_SHARED"), *source = g_getenv ("KETTE_SOURCE");

  if (given)
    return g_strdup (given);
  return source ? g_build_filename (source, "..", "shared", NULL) : g_strdup ("");
}

static GPtrArray *
all_models (void)
{
  GPtrArray *files        = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *shared = shared_folder ();
  g_autofree char *zoo    = g_build_filename (shared, "zoo", NULL);
  g_autofree char *onnx   = g_build_filename (shared, "onnx", NULL);

  collect ("/usr/share/libonnx-testdata", files);
  collect (zoo, files);
  collect (onnx, files);
  g_ptr_array_sort (files, compare_names);
  return files;
}

/* What saving changes on purpose is made equal: producer, and the order of metadata. */
static void
neutral (Onnx__ModelProto *model)
{
  model->producer_name    = NULL;
  model->producer_version = NULL;
  model->n_metadata_props = 0;
}

static GBytes *
repacked (GBytes *bytes)
{
  gsize n;
  const guint8 *data      = g_bytes_get_data (bytes, &n);
  Onnx__ModelProto *model = onnx__model_proto__unpack (NULL, n, data);
  Onnx__ModelProto copy;
  guint8 *out;

  g_assert_nonnull (model);
  copy = *model;
  neutral (&copy);
  n   = onnx__model_proto__get_packed_size (&copy);
  out = g_malloc (n + 1);
  onnx__model_proto__pack (&copy, out);
  onnx__model_proto__free_unpacked (model, NULL);
  return g_bytes_new_take (out, n);
}

static void
round_trip (const char *file)
{
  g_autoptr (GError) error   = NULL;
  g_autoptr (GBytes) raw     = _kette_read_file (file, &error);
  g_autoptr (KetteGraph) one = kette_graph_load (file, &error);
  g_autoptr (KetteGraph) two = NULL;
  g_autoptr (GBytes) first = NULL, second = NULL, before = NULL, after = NULL;

  g_assert_no_error (error);
  first = _kette_graph_to_bytes (one, &error);
  g_assert_no_error (error);
  two = kette_graph_load_bytes (first, &error);
  g_assert_no_error (error);
  second = _kette_graph_to_bytes (two, &error);
  g_assert_no_error (error);
  if (!g_bytes_equal (first, second))
    g_test_message ("%s: the second save differs", file);
  g_assert_true (g_bytes_equal (first, second));
  before = repacked (raw);
  after  = repacked (first);
  /* Files whose nodes are out of order are sorted; of those only the size is the same. */
  if (g_bytes_get_size (before) != g_bytes_get_size (after))
    g_test_message ("%s: %zu bytes became %zu", file, g_bytes_get_size (before),
                    g_bytes_get_size (after));
  g_assert_cmpuint (g_bytes_get_size (before), ==, g_bytes_get_size (after));
}

static void
test_round_trip (void)
{
  g_autoptr (GPtrArray) files = all_models ();

  if (files->len == 0)
    {
      g_test_skip ("no model files here");
      return;
    }
  for (guint i = 0; i < files->len; i++)
    round_trip (files->pdata[i]);
  g_test_message ("%u models", files->len);
}

/* Fields that no schema knows, at three levels, come back. */
static void
test_unknown_fields (void)
{
  g_autoptr (GBytes) bytes     = pack ("1:8 8:{2:13 77:'o'} 7:{" INPUT ("x") OUTPUT (
          "y") "1:{1:'x' 2:'y' 4:'Relu' 99:'n'} 14:{1:'x'} 10:'doc' 88:5} 100:'m'");
  g_autoptr (GError) error     = NULL;
  g_autoptr (KetteGraph) graph = kette_graph_load_bytes (bytes, &error);
  g_autoptr (GBytes) saved = NULL, before = repacked (bytes), after = NULL;

  g_assert_no_error (error);
  saved = _kette_graph_to_bytes (graph, &error);
  g_assert_no_error (error);
  after = repacked (saved);
  g_assert_true (g_bytes_equal (before, after));
}

static void
test_roles (void)
{
  g_autoptr (GBytes) bytes = pack (MODEL (INPUT ("x") "11:{1:'w' 2:{1:{1:1}}} " OUTPUT (
      "y") "1:{1:'x' 1:'w' 2:'y' 4:'Add'} 5:{1:1 2:1 8:'w' 9:x0000803f} "));
  g_autoptr (GError) error = NULL;
  g_autoptr (KetteGraph) graph = kette_graph_load_bytes (bytes, &error);
  KetteValue *w;

  g_assert_no_error (error);
  g_assert_cmpuint (kette_graph_get_n_inputs (graph), ==, 1);
  g_assert_cmpuint (graph->n_inputs, ==, 2);
  w = _kette_graph_find (graph, "w");
  g_assert_cmpint (w->flags & (KETTE_VALUE_INPUT | KETTE_VALUE_INITIALIZER), ==,
                   KETTE_VALUE_INPUT | KETTE_VALUE_INITIALIZER);
  g_assert_cmpfloat (_kette_tensor_get_double (kette_graph_get_parameter (graph, "w"), 0),
                     ==, 1);
}

/* A changed parameter is what is saved. */
static void
test_changed (void)
{
  g_autoptr (GBytes) bytes = pack (MODEL (WEIGHT ("1:2 2:1 4:f1 4:f2 8:'w' 12:'kept'")));
  g_autoptr (GError) error = NULL;
  g_autoptr (KetteGraph) one = kette_graph_load_bytes (bytes, &error);
  g_autoptr (KetteGraph) two = NULL;
  g_autoptr (GBytes) saved   = NULL;
  KetteTensor *w;

  g_assert_no_error (error);
  _kette_tensor_set_double (kette_graph_get_parameter (one, "w"), 1, 7);
  saved = _kette_graph_to_bytes (one, &error);
  g_assert_no_error (error);
  two = kette_graph_load_bytes (saved, &error);
  g_assert_no_error (error);
  w = kette_graph_get_parameter (two, "w");
  g_assert_cmpfloat (_kette_tensor_get_double (w, 0), ==, 1);
  g_assert_cmpfloat (_kette_tensor_get_double (w, 1), ==, 7);
}

/* Each model changed at random places many times over. */
static void
test_mutants (void)
{
  g_autoptr (GPtrArray) files = all_models ();
  const guint rounds          = g_test_slow () ? 2000 : 150;
  guint loaded                = 0;

  if (files->len == 0)
    {
      g_test_skip ("no model files here");
      return;
    }
  for (guint i = 0; i < 24; i++)
    {
      const char *file      = files->pdata[(gsize) i * files->len / 24];
      g_autofree char *data = NULL;
      gsize n;

      if (!g_file_get_contents (file, &data, &n, NULL) || n > 200000)
        continue;
      for (guint k = 0; k < rounds; k++)
        {
          g_autofree guint8 *copy      = g_memdup2 (data, n);
          g_autoptr (GBytes) bytes     = NULL;
          g_autoptr (KetteGraph) graph = NULL;
          const int changes            = g_test_rand_int_range (1, 5);

          for (int c = 0; c < changes; c++)
            copy[g_test_rand_int_range (0, (gint32) n)]
                = (guint8) g_test_rand_int_range (0, 256);
          bytes = g_bytes_new (copy,
                               k % 3 ? n : (gsize) g_test_rand_int_range (0, (gint32) n));
          graph = kette_graph_load_bytes (bytes, NULL);
          if (graph)
            {
              g_autoptr (GBytes) saved = _kette_graph_to_bytes (graph, NULL);

              loaded++;
              g_assert_nonnull (saved);
            }
        }
    }
  g_test_message ("%u mutants loaded", loaded);
}

static void
test_checksums (void)
{
  g_autofree char *folder      = g_dir_make_tmp ("kette-XXXXXX", NULL);
  g_autofree char *file        = g_build_filename (folder, "m.onnx", NULL);
  g_autoptr (GBytes) bytes     = pack (MODEL (
          WEIGHT ("1:1 2:1 8:'w' 9:x00000000")) "20:{2:{1:{1:'w' 2:'v' 4:'Neg'} 12:{1:'v'}} "
                                                    "4:{1:'w' 2:'v'}}");
  g_autoptr (GError) error     = NULL;
  g_autoptr (KetteGraph) graph = kette_graph_load_bytes (bytes, &error);
  g_autoptr (KetteGraph) again = NULL;
  g_autoptr (GBytes) saved = NULL, damaged = NULL;
  const KetteSaveOptions options
      = { .size = sizeof options, .flags = KETTE_SAVE_CHECKSUMS };
  gboolean present;
  guint8 *copy;
  gsize n;

  g_assert_no_error (error);
  g_assert_true (_kette_check_sha256 (bytes, &present, &error) && !present);
  g_assert_true (kette_graph_save_full (graph, file, &options, &error));
  saved = _kette_read_file (file, &error);
  g_assert_true (_kette_check_sha256 (saved, &present, &error) && present);
  again = kette_graph_load (file, &error);
  g_assert_no_error (error);
  /* CRC-32C of four zero bytes, and of the standard's check text. */
  g_assert_cmpstr (_kette_model_get_meta (again->model, "kette.crc.w"), ==, "48674bc7");
  g_assert_cmphex (_kette_crc32c (0, "123456789", 9), ==, 0xe3069283);
  copy = g_memdup2 (g_bytes_get_data (saved, &n), g_bytes_get_size (saved));
  n    = g_bytes_get_size (saved);
  copy[10] ^= 1;
  damaged = g_bytes_new_take (copy, n);
  g_assert_false (_kette_check_sha256 (damaged, &present, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_FORMAT);
  g_unlink (file);
  g_rmdir (folder);
}

/* -- the writer ----------------------------------------------------------------------- */

static int calls_left, call_error;

static gboolean
fails (void)
{
  if (calls_left-- != 0)
    return FALSE;
  errno = call_error;
  return TRUE;
}

static KetteSystem real;

static int
bad_openat (int folder, const char *name, int flags, mode_t mode)
{
  return fails () ? -1 : real.openat (folder, name, flags, mode);
}

/* Now and then a short count, which is no failure. */
static ssize_t
bad_write (int fd, const void *data, size_t n)
{
  return fails () ? -1 : real.write (fd, data, n > 100 ? n / 2 : n);
}

static int
bad_fsync (int fd)
{
  return fails () ? -1 : real.fsync (fd);
}

static int
bad_renameat (int folder, const char *from, const char *to)
{
  return fails () ? -1 : real.renameat (folder, from, to);
}

static int
bad_linkat (int folder, const char *from, const char *to)
{
  return fails () ? -1 : real.linkat (folder, from, to);
}

static int
bad_fstat (int fd, struct stat *st)
{
  return fails () ? -1 : real.fstat (fd, st);
}

static guint
count_files (const char *folder)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  guint n   = 0;

  while (dir && g_dir_read_name (dir))
    n++;
  if (dir)
    g_dir_close (dir);
  return n;
}

static gboolean
write_text (KetteWriter *writer, gpointer user, G_GNUC_UNUSED GError **error)
{
  const GString *text = user;

  return _kette_writer_add (writer, text->str, text->len);
}

static void
check_content (const char *file, const char *want, gsize n)
{
  g_autofree char *data = NULL;
  gsize size;

  g_assert_true (g_file_get_contents (file, &data, &size, NULL));
  g_assert_cmpmem (data, size, want, n);
}

static void
test_writer_faults (void)
{
  g_autofree char *folder = g_dir_make_tmp ("kette-XXXXXX", NULL);
  g_autofree char *file   = g_build_filename (folder, "f", NULL);
  g_autofree char *kept   = g_build_filename (folder, "f.1", NULL);
  g_autoptr (GString) big = g_string_new (NULL);
  gboolean done           = FALSE;

  for (int i = 0; i < 50000; i++)
    g_string_append (big, "0123456789");
  real                   = _kette_system;
  _kette_system.openat   = bad_openat;
  _kette_system.write    = bad_write;
  _kette_system.fsync    = bad_fsync;
  _kette_system.renameat = bad_renameat;
  _kette_system.linkat   = bad_linkat;
  _kette_system.fstat    = bad_fstat;
  /* Until so many calls are let through that none is left to fail. */
  for (int n = 0; !done; n++)
    for (int e = 0; e < 3; e++)
      {
        g_autoptr (GError) error = NULL;
        gboolean ok;

        g_assert_cmpint (n, <, 1000);
        g_assert_true (g_file_set_contents (file, "old", 3, NULL));
        g_unlink (kept);
        calls_left = n;
        call_error = (int[]){ EIO, ENOSPC, EINTR }[e];
        ok         = _kette_write_file (file, TRUE, write_text, big, &error);
        done       = calls_left >= 0;
        if (ok)
          {
            check_content (file, big->str, big->len);
            check_content (kept, "old", 3);
            g_assert_cmpuint (count_files (folder), ==, 2);
            continue;
          }
        g_assert_error (error, KETTE_ERROR, KETTE_ERROR_IO);
        g_assert_true (g_str_has_prefix (error->message, file));
        g_assert_nonnull (strstr (error->message, g_strerror (call_error)));
        /* The old file is there, or, when only the folder was not synced, the new one. */
        if (!strstr (error->message, "written, but"))
          check_content (file, "old", 3);
        g_assert_cmpuint (count_files (folder), <=, 2);
      }
  _kette_system = real;
  g_unlink (file);
  g_unlink (kept);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

static void
test_writer (void)
{
  g_autofree char *folder  = g_dir_make_tmp ("kette-XXXXXX", NULL);
  g_autofree char *file    = g_build_filename (folder, "f", NULL);
  g_autofree char *orphan  = g_build_filename (folder, ".f.kette-tmp-abcdef", NULL);
  g_autofree char *link    = g_build_filename (folder, "link", NULL);
  g_autoptr (GString) text = g_string_new ("hello");
  g_autoptr (GError) error = NULL;
  struct stat st;

  g_assert_true (g_file_set_contents (file, "old", 3, NULL));
  g_assert_true (g_file_set_contents (orphan, "half", 4, NULL));
  g_assert_cmpint (g_chmod (file, 0640), ==, 0);
  g_assert_true (_kette_write_file (file, FALSE, write_text, text, &error));
  g_assert_no_error (error);
  check_content (file, "hello", 5);
  g_assert_cmpint (g_stat (file, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0640);
  g_assert_cmpuint (count_files (folder), ==, 1);
  /* A link stays one. */
  g_assert_cmpint (symlink ("f", link), ==, 0);
  g_string_assign (text, "again");
  g_assert_true (_kette_write_file (link, FALSE, write_text, text, &error));
  g_assert_true (g_file_test (link, G_FILE_TEST_IS_SYMLINK));
  check_content (file, "again", 5);
  g_assert_false (_kette_write_file (folder, FALSE, write_text, text, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_IO);
  g_unlink (link);
  g_unlink (file);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/io/models/round-trip", test_round_trip);
  g_test_add_func ("/io/models/unknown-fields", test_unknown_fields);
  g_test_add_func ("/io/models/roles", test_roles);
  g_test_add_func ("/io/models/changed", test_changed);
  g_test_add_func ("/io/models/checksums", test_checksums);
  g_test_add_func ("/io/models/mutants", test_mutants);
  g_test_add_func ("/io/writer/plain", test_writer);
  g_test_add_func ("/io/writer/faults", test_writer_faults);
  return g_test_run ();
}
