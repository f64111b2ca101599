/* SPDX-License-Identifier: Apache-2.0
 * The writer of files where the system is not as kind as usual: names that are taken, locks
 * that somebody else holds, links, folders that cannot be synced. The old or the new content
 * is there afterwards, and nothing of other programs is removed.
 */
#include "base/system.h"
#include "io/io-private.h"
#include "io/writer.h"
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static KetteSystem sound;
static int left; /* how many calls are to fail */

/* A folder with the file f.txt, which says "old". */
typedef struct
{
  char *folder, *file;
} Place;

static char *
path_of (const Place *p, const char *name)
{
  return g_build_filename (p->folder, name, NULL);
}

static void
put (const char *file, const char *text)
{
  g_assert_true (g_file_set_contents (file, text, -1, NULL));
}

static void
place_make (Place *p)
{
  sound     = _kette_system;
  p->folder = g_dir_make_tmp ("kette-XXXXXX", NULL);
  p->file   = path_of (p, "f.txt");
  put (p->file, "old");
}

static void
place_clear (Place *p)
{
  GDir *dir = g_dir_open (p->folder, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)))
    {
      g_autofree char *file = path_of (p, name);

      g_unlink (file);
    }
  g_dir_close (dir);
  g_assert_cmpint (g_rmdir (p->folder), ==, 0);
  g_free (p->folder);
  g_free (p->file);
}

static guint
n_files (const Place *p)
{
  GDir *dir = g_dir_open (p->folder, 0, NULL);
  guint n   = 0;

  while (g_dir_read_name (dir))
    n++;
  g_dir_close (dir);
  return n;
}

static void
expect (const char *file, const char *want)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents (file, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, want);
}

static gboolean
say_new (KetteWriter *writer, gpointer user, GError **error)
{
  (void) user, (void) error;
  return _kette_writer_add (writer, "n", 1) && _kette_writer_add (writer, "", 0)
         && _kette_writer_add (writer, "ew", 2);
}

/* Writes "new"; WANT: the end of the error. */
static void
try_write (const char *file, unsigned keep, const char *want)
{
  g_autoptr (GError) error = NULL;
  const gboolean ok        = _kette_write_file (file, keep, say_new, NULL, &error);

  _kette_system = sound;
  if (!want)
    {
      g_assert_no_error (error);
      g_assert_true (ok);
      return;
    }
  g_assert_false (ok);
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_IO);
  g_assert_true (g_str_has_prefix (error->message, file));
  if (!g_str_has_suffix (error->message, want))
    g_test_fail_printf ("\"%s\" instead of \"%s\"", error->message, want);
}

/* -- names -------------------------------------------------------------------------------- */

/* A link to nothing is replaced itself; one in a circle is an error. */
static void
test_links (void)
{
  Place p;
  g_autofree char *link = NULL, *circle = NULL;

  place_make (&p);
  link   = path_of (&p, "link");
  circle = path_of (&p, "circle");
  g_assert_cmpint (symlink ("nothing", link), ==, 0);
  g_assert_cmpint (symlink ("circle", circle), ==, 0);
  try_write (link, 0, NULL);
  g_assert_false (g_file_test (link, G_FILE_TEST_IS_SYMLINK));
  expect (link, "new");
  try_write (circle, 0, "cannot follow the link: Too many levels of symbolic links");
  g_assert_true (g_file_test (circle, G_FILE_TEST_IS_SYMLINK));
  g_assert_cmpuint (n_files (&p), ==, 3);
  place_clear (&p);
}

static void
test_kinds (void)
{
  Place p;
  g_autofree char *fifo = NULL, *in_file = NULL;

  place_make (&p);
  fifo    = path_of (&p, "fifo");
  in_file = g_build_filename (p.file, "x", NULL);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  try_write (fifo, 0, "io: is not a regular file");
  try_write (p.folder, 0, "io: is a directory");
  try_write (in_file, 0, "cannot look at the old file: Not a directory");
  g_assert_cmpuint (n_files (&p), ==, 2);
  expect (p.file, "old");
  place_clear (&p);
}

/* What looks like an orphan, but is held by somebody, is no file, or is called otherwise, is
 * left alone. */
static void
test_orphans (void)
{
  Place p;
  g_autofree char *held = NULL, *orphan = NULL, *link = NULL, *other = NULL;
  int fd;

  place_make (&p);
  held   = path_of (&p, ".f.txt.kette-tmp-held00");
  orphan = path_of (&p, ".f.txt.kette-tmp-orphan");
  link   = path_of (&p, ".f.txt.kette-tmp-link00");
  other  = path_of (&p, ".g.txt.kette-tmp-orphan");
  put (held, "");
  put (orphan, "");
  put (other, "");
  g_assert_cmpint (symlink ("f.txt", link), ==, 0);
  fd = open (held, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (flock (fd, LOCK_EX | LOCK_NB), ==, 0);
  try_write (p.file, 0, NULL);
  close (fd);
  g_assert_true (g_file_test (held, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (link, G_FILE_TEST_IS_SYMLINK));
  g_assert_true (g_file_test (other, G_FILE_TEST_EXISTS));
  g_assert_false (g_file_test (orphan, G_FILE_TEST_EXISTS));
  expect (p.file, "new");
  place_clear (&p);
}

/* -- the temporary file ------------------------------------------------------------------- */

static int
taken_openat (int folder, const char *name, int flags, mode_t mode)
{
  if (!(flags & O_CREAT) || left == 0)
    return sound.openat (folder, name, flags, mode);
  left--;
  errno = EEXIST;
  return -1;
}

static void
test_names_taken (void)
{
  Place p;

  place_make (&p);
  left                 = 99;
  _kette_system.openat = taken_openat;
  try_write (p.file, 0, NULL);
  expect (p.file, "new");
  put (p.file, "old");
  left                 = 100;
  _kette_system.openat = taken_openat;
  try_write (p.file, 0, "io: cannot find a free name beside it");
  expect (p.file, "old");
  g_assert_cmpuint (n_files (&p), ==, 1);
  place_clear (&p);
}

static int reason;

static int
failing_flock (int fd, int operation)
{
  if (left == 0)
    return sound.flock (fd, operation);
  left--;
  errno = reason;
  return -1;
}

/* Another program takes the new file for an orphan: it is being removed, and another one is
 * made. Without locks the first one is good. */
static void
test_locks (void)
{
  Place p;

  place_make (&p);
  left                = 1;
  reason              = EWOULDBLOCK;
  _kette_system.flock = failing_flock;
  try_write (p.file, 0, NULL);
  expect (p.file, "new");
  /* Whoever holds it removes it. */
  g_assert_cmpuint (n_files (&p), ==, 2);
  try_write (p.file, 0, NULL);
  g_assert_cmpuint (n_files (&p), ==, 1);
  put (p.file, "old");
  left                = 1000;
  reason              = ENOTSUP;
  _kette_system.flock = failing_flock;
  try_write (p.file, 0, NULL);
  expect (p.file, "new");
  g_assert_cmpuint (n_files (&p), ==, 1);
  place_clear (&p);
}

static int
nameless_fstat (int fd, struct stat *out)
{
  const int result = sound.fstat (fd, out);

  if (left > 0)
    {
      left--;
      out->st_nlink = 0;
    }
  return result;
}

static void
test_removed (void)
{
  Place p;

  place_make (&p);
  left                = 2;
  _kette_system.fstat = nameless_fstat;
  try_write (p.file, 0, NULL);
  g_assert_cmpint (left, ==, 0);
  expect (p.file, "new");
  place_clear (&p);
}

/* -- writing and renaming ----------------------------------------------------------------- */

static ssize_t
failing_write (int fd, const void *data, size_t n)
{
  (void) fd, (void) data, (void) n;
  errno = reason;
  return reason ? -1 : 0;
}

static void
test_write (void)
{
  Place p;

  place_make (&p);
  reason              = EFAULT;
  _kette_system.write = failing_write;
  try_write (p.file, 0,
             "io: cannot write: a mapped file became shorter while it was in use");
  reason              = 0;
  _kette_system.write = failing_write;
  try_write (p.file, 0, "io: cannot write: No space left on device");
  expect (p.file, "old");
  g_assert_cmpuint (n_files (&p), ==, 1);
  place_clear (&p);
}

/* Folders of some file systems cannot be synced. */
static int
failing_fsync (int fd)
{
  struct stat st;

  if (sound.fstat (fd, &st) == 0 && !S_ISDIR (st.st_mode))
    return sound.fsync (fd);
  errno = reason;
  return -1;
}

static void
test_sync_folder (void)
{
  Place p;

  place_make (&p);
  reason              = EINVAL;
  _kette_system.fsync = failing_fsync;
  try_write (p.file, 0, NULL);
  expect (p.file, "new");
  put (p.file, "old");
  reason              = EIO;
  _kette_system.fsync = failing_fsync;
  try_write (p.file, 0, "io: written, but cannot sync its folder: Input/output error");
  expect (p.file, "new");
  place_clear (&p);
}

static int
failing_linkat (int folder, const char *from, const char *to)
{
  (void) folder, (void) from, (void) to;
  errno = reason;
  return -1;
}

static int
failing_renameat (int folder, const char *from, const char *to)
{
  if (left == 0)
    return sound.renameat (folder, from, to);
  left--;
  errno = reason;
  return -1;
}

/* Old files: f.txt.1 is the last one. */
static void
test_keep (void)
{
  Place p;
  g_autofree char *one = NULL, *two = NULL, *three = NULL;

  place_make (&p);
  one   = path_of (&p, "f.txt.1");
  two   = path_of (&p, "f.txt.2");
  three = path_of (&p, "f.txt.3");
  put (one, "older");
  put (two, "oldest");
  left                   = 1;
  reason                 = EACCES;
  _kette_system.renameat = failing_renameat;
  try_write (p.file, 3, "io: cannot keep an older file: Permission denied");
  expect (p.file, "old");
  expect (one, "older");
  g_assert_cmpuint (n_files (&p), ==, 3);
  try_write (p.file, 3, NULL);
  expect (p.file, "new");
  expect (one, "old");
  expect (two, "older");
  expect (three, "oldest");
  g_assert_cmpuint (n_files (&p), ==, 4);
  put (p.file, "old");
  reason               = EPERM;
  _kette_system.linkat = failing_linkat;
  try_write (p.file, 1, "io: cannot keep the old file: Operation not permitted");
  expect (p.file, "old");
  /* Somebody has removed it meanwhile: nothing is to be kept. */
  reason               = ENOENT;
  _kette_system.linkat = failing_linkat;
  try_write (p.file, 1, NULL);
  expect (p.file, "new");
  place_clear (&p);
}

/* -- the caller's function ---------------------------------------------------------------- */

/* Goes on behind a failure, as protobuf-c does, which cannot be told of one. */
static gboolean
say_much (KetteWriter *writer, gpointer user, GError **error)
{
  static const char zeros[100000];

  (void) user, (void) error;
  for (int i = 0; i < 3; i++)
    {
      _kette_writer_add (writer, zeros, sizeof zeros);
      _kette_writer_add (writer, "x", 1);
    }
  return TRUE;
}

static gboolean
say_nothing (KetteWriter *writer, gpointer user, GError **error)
{
  if (*(int *) user)
    _kette_fail (error, KETTE_ERROR_VALUE, NULL, "no");
  return *(int *) user == 0 && !_kette_writer_add (writer, "x", 1);
}

static void
test_function (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;
  int told                 = 1;
  Place p;

  place_make (&p);
  reason              = EIO;
  _kette_system.write = failing_write;
  g_assert_false (_kette_write_file (p.file, 0, say_much, NULL, &error));
  _kette_system = sound;
  g_assert_true (
      g_str_has_suffix (error->message, "io: cannot write: Input/output error"));
  g_clear_error (&error);
  expect (p.file, "old");
  g_assert_null (_kette_write_bytes (say_nothing, &told, &error));
  g_assert_cmpstr (error->message, ==, "value: no");
  g_clear_error (&error);
  told = 0;
  g_assert_null (_kette_write_bytes (say_nothing, &told, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_INTERNAL);
  bytes = _kette_write_bytes (say_much, NULL, NULL);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, 300003);
  place_clear (&p);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/io/writer/links", test_links);
  g_test_add_func ("/io/writer/kinds", test_kinds);
  g_test_add_func ("/io/writer/orphans", test_orphans);
  g_test_add_func ("/io/writer/names-taken", test_names_taken);
  g_test_add_func ("/io/writer/locks", test_locks);
  g_test_add_func ("/io/writer/removed", test_removed);
  g_test_add_func ("/io/writer/write", test_write);
  g_test_add_func ("/io/writer/sync-folder", test_sync_folder);
  g_test_add_func ("/io/writer/keep", test_keep);
  g_test_add_func ("/io/writer/function", test_function);
  return g_test_run ();
}
