/* SPDX-License-Identifier: Apache-2.0
 * External data where the system tells less than usual: openat2 is forbidden, /proc is not
 * there or says something strange, the file is no file any more. What cannot be told to lie in
 * an allowed folder is not read.
 */
#include "base/system.h"
#include "io/io-private.h"
#include "pack.h"
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static KetteSystem sound;
static char *folder,
    *file; /* m.onnx, w.bin, link.bin -> w.bin, out.bin -> FOLDER-other/w.bin */

static char *
path_of (const char *name)
{
  return g_build_filename (folder, name, NULL);
}

/* Loads a model with data at LOCATION; WHAT: the end of the error, NULL: it loads. */
static void
try_load (const char *location, const KetteLoadOptions *options, const char *what)
{
  g_autofree char *text = g_strdup_printf (
      MODEL (WEIGHT ("1:2 2:1 8:'w' 14:1 13:{1:'location' 2:'%s'}")), location);
  g_autoptr (GBytes) bytes     = pack (text);
  g_autoptr (GError) error     = NULL;
  g_autoptr (KetteGraph) graph = NULL;

  g_assert_true (g_file_set_contents (file, g_bytes_get_data (bytes, NULL),
                                      (gssize) g_bytes_get_size (bytes), NULL));
  graph         = kette_graph_load_full (file, options, &error);
  _kette_system = sound;
  if (!what)
    {
      g_assert_no_error (error);
      g_assert_nonnull (graph);
      return;
    }
  g_assert_null (graph);
  g_assert_nonnull (error);
  if (!g_str_has_suffix (error->message, what))
    g_test_fail_printf ("\"%s\" instead of \"%s\"", error->message, what);
}

/* -- openat2 ------------------------------------------------------------------------------ */

static int reason;

static int
failing_openat2 (int at, const char *name, uint64_t flags, uint64_t resolve)
{
  (void) at, (void) name, (void) flags, (void) resolve;
  errno = reason;
  return -1;
}

#define LINKS                                                                            \
  "leads through a symbolic link; --allow-links accepts links to files in "              \
  "allowed folders"
#define OUTSIDE                                                                          \
  "leads through a link to a place outside the allowed folders; --data-root "            \
  "names further ones"

/* A sandbox that forbids openat2 is like a kernel without it; other errors are errors. */
static void
test_forbidden (void)
{
  const KetteLoadOptions links
      = { .size = sizeof links, .flags = KETTE_LOAD_ALLOW_LINKS };

  reason                = EPERM;
  _kette_system.openat2 = failing_openat2;
  try_load ("w.bin", NULL, NULL);
  _kette_system.openat2 = failing_openat2;
  try_load ("link.bin", NULL, LINKS);
  _kette_system.openat2 = failing_openat2;
  try_load ("link.bin", &links, NULL);
  _kette_system.openat2 = failing_openat2;
  try_load ("out.bin", &links, OUTSIDE);
  reason                = EACCES;
  _kette_system.openat2 = failing_openat2;
  try_load ("w.bin", NULL, "cannot open external data \"w.bin\": Permission denied");
  reason                = EXDEV;
  _kette_system.openat2 = failing_openat2;
  try_load ("w.bin", NULL, LINKS);
}

/* -- /proc -------------------------------------------------------------------------------- */

static const char *told; /* NULL: an error */
static int after;        /* so many calls tell the truth */

static ssize_t
strange_readlinkat (int at, const char *name, char *out, size_t n)
{
  if (after-- > 0)
    return sound.readlinkat (at, name, out, n);
  if (!told)
    {
      errno = ENOENT;
      return -1;
    }
  if (!*told)
    {
      memset (out, '/', n);
      return (ssize_t) n;
    }
  memcpy (out, told, MIN (n, strlen (told)));
  return (ssize_t) MIN (n, strlen (told));
}

/* Where a link leads, and where the folder is, must be known; "" here: too long a path. */
static void
test_unknown_place (void)
{
  static const char *const tellings[] = { NULL, "pipe:[7]", "", "/elsewhere/w.bin" };
  const KetteLoadOptions links
      = { .size = sizeof links, .flags = KETTE_LOAD_ALLOW_LINKS };

  try_load ("link.bin", &links, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tellings); i++)
    for (int truths = 0; truths < 2; truths++)
      {
        told                     = tellings[i];
        after                    = truths;
        _kette_system.readlinkat = strange_readlinkat;
        try_load ("link.bin", &links, OUTSIDE);
      }
}

/* The root as an allowed folder holds everything. */
static void
test_root (void)
{
  const char *const roots[] = { "/", NULL };
  const KetteLoadOptions options
      = { .size = sizeof options, .flags = KETTE_LOAD_ALLOW_LINKS, .data_roots = roots };

  try_load ("out.bin", &options, NULL);
}

/* -- the file ----------------------------------------------------------------------------- */

static int left;

static int
negative_fstat (int fd, struct stat *out)
{
  const int result = sound.fstat (fd, out);

  if (left-- == 0)
    out->st_size = -1;
  return result;
}

static void
test_size (void)
{
  left                = 1; /* the first one is the model's */
  _kette_system.fstat = negative_fstat;
  try_load ("w.bin", NULL, "limit: initializer \"w\": location \"w.bin\" has -1 bytes");
}

static void
test_names (void)
{
  try_load ("a\x7f", NULL, "\"a\\x7f\" holds a control character");
  try_load ("./w.bin", NULL, NULL);
  try_load ("ab", NULL,
            "cannot open external data \"ab\": No such file or directory; --data-root "
            "names further folders");
  try_load (".w", NULL,
            "cannot open external data \".w\": No such file or directory; --data-root "
            "names further folders");
}

int
main (int argc, char **argv)
{
  g_autofree char *link = NULL, *out = NULL, *data = NULL, *other = NULL, *far = NULL;
  int status;

  g_test_init (&argc, &argv, NULL);
  sound  = _kette_system;
  folder = g_dir_make_tmp ("kette-XXXXXX", NULL);
  other  = g_strconcat (folder, "-other", NULL);
  far    = g_build_filename (other, "w.bin", NULL);
  file   = path_of ("m.onnx");
  link   = path_of ("link.bin");
  out    = path_of ("out.bin");
  data   = path_of ("w.bin");
  g_assert_cmpint (g_mkdir (other, 0700), ==, 0);
  g_assert_true (g_file_set_contents (data, "\0\0\0\0\0\0\0", 8, NULL));
  g_assert_true (g_file_set_contents (far, "\0\0\0\0\0\0\0", 8, NULL));
  g_assert_cmpint (symlink ("w.bin", link), ==, 0);
  g_assert_cmpint (symlink (far, out), ==, 0);
  g_test_add_func ("/io/places/forbidden", test_forbidden);
  g_test_add_func ("/io/places/unknown", test_unknown_place);
  g_test_add_func ("/io/places/root", test_root);
  g_test_add_func ("/io/places/size", test_size);
  g_test_add_func ("/io/places/names", test_names);
  status = g_test_run ();
  g_unlink (file);
  g_unlink (link);
  g_unlink (out);
  g_unlink (data);
  g_unlink (far);
  g_rmdir (other);
  g_rmdir (folder);
  g_free (file);
  g_free (folder);
  return status;
}
