/* SPDX-License-Identifier: Apache-2.0
 * Saving with external data: what goes outside and comes back, which data files are written,
 * used again, kept and removed.
 */
#include "base/system.h"
#include "exec/session.h"
#include "io/io-private.h"
#include "pack.h"
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define N 1280 /* floats of a large tensor: 5,120 bytes */

/* FIELDS, then N numbers that begin with FIRST, as raw data or as float_data. */
static char *
large (const char *fields, int first, gboolean raw)
{
  GString *text = g_string_new (fields);

  g_string_append_printf (text, " 1:%d 2:1 ", N);
  if (raw)
    g_string_append (text, "9:x");
  for (int i = 0; i < N; i++)
    {
      const float v = (float) (first + i % 7);
      guint32 bits;

      memcpy (&bits, &v, 4);
      if (raw)
        g_string_append_printf (text, "%08x", GUINT32_SWAP_LE_BE (bits));
      else
        g_string_append_printf (text, "4:f%d ", first + i % 7);
    }
  return g_string_free (text, FALSE);
}

/* y = x + a + b + small + c + f (x) with large tensors everywhere: initializers raw and typed,
 * a Constant, one in a function, one in a branch, one in a training step. */
static GBytes *
model_bytes (int first)
{
  g_autofree char *a = large ("8:'a'", first, TRUE), *b = large ("8:'b'", 2, FALSE),
                  *c = large ("", 3, FALSE), *f = large ("", 4, TRUE),
                  *t = large ("8:'t'", 5, TRUE), *s = large ("8:'s'", 6, TRUE);
  g_autofree char *text = g_strdup_printf (
      "1:8 8:{2:13} 8:{1:'l' 2:1} 7:{2:'g' 11:{1:'x' 2:{1:{1:1 2:{1:{1:%d}}}}} "
      "11:{1:'cond' 2:{1:{1:9 2:{}}}} 12:{1:'y' 2:{1:{1:1 2:{1:{1:%d}}}}} "
      "1:{1:'x' 1:'a' 1:'b' 1:'small' 1:'c' 1:'q' 2:'y' 3:'sum' 4:'Sum'} "
      "1:{2:'c' 3:'const' 4:'Constant' 5:{1:'value' 5:{%s} 20:4}} "
      "1:{1:'x' 2:'q' 3:'call' 4:'f' 7:'l'} "
      "1:{1:'cond' 2:'z' 3:'if' 4:'If' "
      "5:{1:'then_branch' 6:{2:'then' 1:{1:'t' 2:'u' 4:'Neg'} 5:{%s} 12:{1:'u'}} 20:5} "
      "5:{1:'else_branch' 6:{2:'else' 1:{1:'a' 2:'v' 4:'Neg'} 12:{1:'v'}} 20:5}} "
      "5:{%s} 5:{%s} 5:{1:1 2:1 8:'small' 4:f7}} "
      "20:{2:{2:'step' 1:{1:'s' 1:'a' 2:'n' 4:'Add'} 5:{%s} 12:{1:'n'}} 4:{1:'a' 2:'n'}} "
      "25:{1:'f' 4:'p' 5:'r' 7:{2:'k' 4:'Constant' 5:{1:'value' 5:{%s} 20:4}} "
      "7:{1:'p' 1:'k' 2:'r' 4:'Mul'} 9:{2:13} 10:'l'} ",
      N, N, c, t, a, b, s, f);

  return pack (text);
}

static KetteGraph *
load (const char *file)
{
  g_autoptr (GError) error = NULL;
  KetteGraph *graph        = kette_graph_load (file, &error);

  g_assert_no_error (error);
  return graph;
}

static KetteGraph *
load_model (int first)
{
  g_autoptr (GBytes) bytes = model_bytes (first);
  g_autoptr (GError) error = NULL;
  KetteGraph *graph        = kette_graph_load_bytes (bytes, &error);

  g_assert_no_error (error);
  return graph;
}

static void
save (KetteGraph *graph, const char *file, KetteSaveFlags flags)
{
  const KetteSaveOptions options = { .size = sizeof options, .flags = flags };
  g_autoptr (GError) error       = NULL;

  g_assert_true (kette_graph_save_full (graph, file, &options, &error));
  g_assert_no_error (error);
}

/* The names in FOLDER, sorted, with a blank behind each. */
static char *
names_in (const char *folder)
{
  GDir *dir      = g_dir_open (folder, 0, NULL);
  GSList *list   = NULL;
  GString *names = g_string_new ("");
  const char *name;

  while ((name = g_dir_read_name (dir)))
    list = g_slist_insert_sorted (list, g_strdup (name), (GCompareFunc) strcmp);
  for (GSList *at = list; at; at = at->next)
    g_string_append_printf (names, "%s ", (char *) at->data);
  g_slist_free_full (list, g_free);
  g_dir_close (dir);
  return g_string_free (names, FALSE);
}

static void
expect_names (const char *folder, const char *pattern)
{
  g_autofree char *names = names_in (folder);

  if (!g_pattern_match_simple (pattern, names))
    g_test_message ("%s", names);
  g_assert_true (g_pattern_match_simple (pattern, names));
}

#define DATA "m.onnx-????????????????.data "

static void
remove_folder (char *folder)
{
  g_autofree char *command = g_strdup_printf ("rm -rf '%s'", folder);

  g_assert_cmpint (system (command), ==, 0);
  g_free (folder);
}

/* Element 8 of y. The branches are left out: a plugin need not have If. */
static void
expect_run (KetteGraph *graph, int first)
{
  g_autoptr (GError) error         = NULL;
  g_autoptr (KetteGraph) copy      = _kette_graph_clone (graph, NULL, &error);
  g_autoptr (KetteSession) session = NULL;
  const gint64 dims[]              = { N };
  g_autoptr (KetteTensor) x        = kette_tensor_new (KT_F32, dims, 1, NULL);
  g_autoptr (KetteTensor) cond     = kette_tensor_new (KT_BOOL, NULL, 0, NULL);
  KetteTensor *const in[]          = { x, cond };
  g_autoptr (KetteTensor) y        = NULL;

  g_assert_no_error (error);
  g_assert_true (_kette_graph_sweep (copy, NULL, 0, &error));
  session = kette_session_new (copy, &error);
  g_assert_no_error (error);
  for (int i = 0; i < N; i++)
    _kette_tensor_set_double (x, (size_t) i, 2);
  g_assert_true (kette_session_run (session, in, &y, NULL, &error));
  /* x + a + b + small + c + x f, each large one with +1 at element 8 */
  g_assert_cmpfloat (_kette_tensor_get_double (y, 8), ==,
                     2 + (first + 1) + 3 + 7 + 4 + 2 * 5);
}

static void
test_round (void)
{
  char *folder                 = g_dir_make_tmp ("kette-XXXXXX", NULL);
  g_autofree char *file        = g_build_filename (folder, "m.onnx", NULL);
  g_autofree char *other       = g_build_filename (folder, "o.onnx", NULL);
  g_autoptr (KetteGraph) graph = load_model (1), outside = NULL, inside = NULL;
  g_autoptr (GBytes) a = NULL, b = NULL;
  struct stat st;

  expect_run (graph, 1);
  save (graph, file, KETTE_SAVE_EXTERNAL_DATA);
  expect_names (folder, "m.onnx " DATA);
  g_assert_cmpint (g_stat (file, &st), ==, 0);
  g_assert_cmpint (st.st_size, <, 4096);
  outside = load (file);
  expect_run (outside, 1);
  /* As it was loaded, and all inside again. */
  save (outside, other, 0);
  expect_names (folder, "m.onnx " DATA "o.onnx o.onnx-????????????????.data ");
  save (outside, other, KETTE_SAVE_INTERNAL_DATA);
  expect_names (folder, "m.onnx " DATA "o.onnx ");
  inside = load (other);
  expect_run (inside, 1);
  a = _kette_graph_to_bytes (inside, NULL);
  b = _kette_graph_to_bytes (outside, NULL);
  g_assert_true (g_bytes_equal (a, b));
  g_assert_cmpint (g_stat (other, &st), ==, 0);
  g_assert_cmpint (st.st_size, ==, g_bytes_get_size (a));
  remove_folder (folder);
}

/* The bytes of a file that one of the names in FOLDER matches. */
static char *
find (const char *folder, const char *pattern, GBytes **bytes, struct stat *st)
{
  g_autofree char *all = names_in (folder);
  g_auto (GStrv) names = g_strsplit (all, " ", -1);

  for (gsize i = 0; names[i]; i++)
    if (*names[i] && g_pattern_match_simple (pattern, names[i]))
      {
        char *path = g_build_filename (folder, names[i], NULL);

        *bytes = _kette_read_file (path, NULL);
        g_assert_cmpint (g_stat (path, st), ==, 0);
        return path;
      }
  g_assert_not_reached ();
}

static void
test_data_file (void)
{
  char *folder          = g_dir_make_tmp ("kette-XXXXXX", NULL);
  g_autofree char *file = g_build_filename (folder, "m.onnx", NULL);
  g_autofree char *path = NULL, *again = NULL, *sum = NULL, *want = NULL;
  g_autoptr (KetteGraph) graph = load_model (1);
  g_autoptr (GBytes) model = NULL, data = NULL, model2 = NULL, data2 = NULL;
  struct stat st, st2;
  const uint8_t *p;

  save (graph, file, KETTE_SAVE_EXTERNAL_DATA);
  path  = find (folder, "*.data", &data, &st);
  model = _kette_read_file (file, NULL);
  /* Six tensors in graph order, 8,192 bytes apart, zeros between. */
  g_assert_cmpint (g_bytes_get_size (data), ==, 5 * 8192 + 4 * N);
  p = g_bytes_get_data (data, NULL);
  for (gsize i = 0; i < 5; i++)
    for (gsize k = 4 * N; k < 8192; k++)
      g_assert_cmpint (p[i * 8192 + k], ==, 0);
  sum  = g_compute_checksum_for_bytes (G_CHECKSUM_SHA1, data);
  want = g_strdup_printf ("%s/m.onnx-%.16s.data", folder, sum);
  g_assert_cmpstr (path, ==, want);
  /* The same again: the same bytes, and the data file is not touched. */
  save (graph, file, KETTE_SAVE_EXTERNAL_DATA);
  again  = find (folder, "*.data", &data2, &st2);
  model2 = _kette_read_file (file, NULL);
  g_assert_true (g_bytes_equal (model, model2));
  g_assert_true (g_bytes_equal (data, data2));
  g_assert_cmpint (st.st_ino, ==, st2.st_ino);
  /* A damaged one is written anew. */
  g_clear_pointer (&data2, g_bytes_unref);
  g_clear_pointer (&again, g_free);
  {
    FILE *f = g_fopen (path, "r+");

    fputc (9, f);
    fclose (f);
  }
  save (graph, file, KETTE_SAVE_EXTERNAL_DATA);
  again = find (folder, "*.data", &data2, &st2);
  g_assert_true (g_bytes_equal (data, data2));
  g_assert_cmpint (st.st_ino, !=, st2.st_ino);
  remove_folder (folder);
}

static void
test_sweep (void)
{
  char *folder            = g_dir_make_tmp ("kette-XXXXXX", NULL);
  g_autofree char *file   = g_build_filename (folder, "m.onnx", NULL);
  g_autofree char *before = g_build_filename (folder, "m.onnx.1", NULL);
  g_autofree char *mine   = g_build_filename (folder, "m.onnx-mine.data", NULL);
  g_autofree char *stray
      = g_build_filename (folder, "m.onnx-0123456789abcdef.data", NULL);

  for (int i = 1; i < 5; i++)
    {
      g_autoptr (KetteGraph) graph = load_model (i);
      g_autoptr (KetteGraph) again = NULL;

      save (graph, file, KETTE_SAVE_EXTERNAL_DATA | KETTE_SAVE_KEEP_OLD);
      expect_names (folder, i == 1 ? "m.onnx " DATA : "m.onnx " DATA DATA "m.onnx.1 ");
      again = load (file);
      expect_run (again, i);
      if (i > 1)
        {
          g_autoptr (KetteGraph) old = load (before);

          expect_run (old, i - 1);
        }
    }
  /* What is not of the pattern stays; a stray one goes. */
  g_assert_true (g_file_set_contents (mine, "x", 1, NULL));
  g_assert_true (g_file_set_contents (stray, "x", 1, NULL));
  {
    g_autoptr (KetteGraph) graph = load_model (9);

    save (graph, file, 0);
    expect_names (folder, "m.onnx " DATA "m.onnx-mine.data m.onnx.1 ");
    /* A predecessor that cannot be read may refer to anything. */
    g_assert_true (g_file_set_contents (before, "nonsense", -1, NULL));
    save (graph, file, 0);
    expect_names (folder, "m.onnx " DATA "m.onnx-mine.data m.onnx.1 ");
    g_unlink (before);
    save (graph, file, 0);
    expect_names (folder, "m.onnx m.onnx-mine.data ");
  }
  remove_folder (folder);
}

static void
expect_refusal (KetteGraph *graph, const char *file, const char *want)
{
  const KetteSaveOptions options
      = { .size = sizeof options, .flags = KETTE_SAVE_EXTERNAL_DATA };
  g_autoptr (GError) error = NULL;
  g_autofree char *full    = g_strdup_printf ("%s: %s", file, want);

  g_assert_false (kette_graph_save_full (graph, file, &options, &error));
  g_assert_cmpstr (error->message, ==, full);
}

static void
test_refused (void)
{
  char *folder                 = g_dir_make_tmp ("kette-XXXXXX", NULL);
  g_autofree char *link_name   = g_build_filename (folder, "l.onnx", NULL);
  g_autofree char *back        = g_build_filename (folder, "a\\b", NULL);
  g_autofree char *none        = g_build_filename (folder, "none", "m.onnx", NULL);
  g_autofree char *latin       = g_build_filename (folder, "m\xe9.onnx", NULL);
  g_autoptr (KetteGraph) graph = load_model (1);
  g_autoptr (GError) error     = NULL;

  g_assert_cmpint (symlink ("m.onnx", link_name), ==, 0);
  expect_refusal (graph, link_name,
                  "path: is a symbolic link; a model with external data must be written "
                  "under its own name, because they are looked for beside it");
  {
    const KetteSaveOptions options
        = { .size = sizeof options, .flags = KETTE_SAVE_EXTERNAL_DATA };

    g_assert_false (kette_graph_save_full (graph, back, &options, &error));
    g_assert_error (error, KETTE_ERROR, KETTE_ERROR_PATH);
    g_clear_error (&error);
    g_assert_false (kette_graph_save_full (graph, none, &options, &error));
    g_assert_error (error, KETTE_ERROR, KETTE_ERROR_IO);
    g_clear_error (&error);
    g_assert_false (kette_graph_save_full (graph, latin, &options, &error));
    g_assert_true (g_str_has_suffix (
        error->message, ": path: the name of a model with external data must "
                        "be UTF-8"));
  }
  expect_names (folder, "l.onnx ");
  remove_folder (folder);
}

/* -- file calls that fail -------------------------------------------------------------------- */

static KetteSystem sound;
static int calls, failing;

static gboolean
fails (void)
{
  errno = ENOSPC;
  return ++calls == failing;
}

static int
fail_openat (int folder, const char *name, int flags, mode_t mode)
{
  return fails () ? -1 : sound.openat (folder, name, flags, mode);
}

static int
fail_fstat (int fd, struct stat *out)
{
  return fails () ? -1 : sound.fstat (fd, out);
}

static ssize_t
fail_read (int fd, void *data, size_t n)
{
  return fails () ? -1 : sound.read (fd, data, n);
}

static ssize_t
fail_write (int fd, const void *data, size_t n)
{
  return fails () ? -1 : sound.write (fd, data, n);
}

static int
fail_fsync (int fd)
{
  return fails () ? -1 : sound.fsync (fd);
}

static int
fail_renameat (int folder, const char *from, const char *to)
{
  return fails () ? -1 : sound.renameat (folder, from, to);
}

static int
fail_unlinkat (int folder, const char *name)
{
  return fails () ? -1 : sound.unlinkat (folder, name);
}

/* Whichever call fails: the old or the new model is there, with its data. */
static void
test_failing (void)
{
  char *folder                  = g_dir_make_tmp ("kette-XXXXXX", NULL);
  g_autofree char *file         = g_build_filename (folder, "m.onnx", NULL);
  g_autoptr (KetteGraph) before = load_model (1), after = load_model (2);
  const KetteSaveOptions options
      = { .size = sizeof options, .flags = KETTE_SAVE_EXTERNAL_DATA };
  int n_failed = 0;

  sound = _kette_system;
  for (failing = 1; failing <= calls + 1; failing++)
    {
      g_autoptr (KetteGraph) now = NULL;
      gboolean ok;

      save (before, file, KETTE_SAVE_EXTERNAL_DATA);
      calls                  = 0;
      _kette_system.openat   = fail_openat;
      _kette_system.fstat    = fail_fstat;
      _kette_system.read     = fail_read;
      _kette_system.write    = fail_write;
      _kette_system.fsync    = fail_fsync;
      _kette_system.renameat = fail_renameat;
      _kette_system.unlinkat = fail_unlinkat;
      ok                     = kette_graph_save_full (after, file, &options, NULL);
      _kette_system          = sound;
      now                    = load (file);
      if (ok)
        expect_run (now, 2);
      else
        {
          g_autoptr (KetteTensor) a
              = kette_tensor_ref (kette_graph_get_parameter (now, "a"));

          expect_run (now, (int) _kette_tensor_get_double (a, 0));
          n_failed++;
        }
    }
  g_assert_cmpint (failing, >, 20);
  g_assert_cmpint (n_failed, >, 10);
  save (after, file, KETTE_SAVE_EXTERNAL_DATA);
  expect_names (folder, "m.onnx " DATA);
  remove_folder (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/io/save/round", test_round);
  g_test_add_func ("/io/save/data-file", test_data_file);
  g_test_add_func ("/io/save/sweep", test_sweep);
  g_test_add_func ("/io/save/refused", test_refused);
  g_test_add_func ("/io/save/failing", test_failing);
  return g_test_run ();
}
