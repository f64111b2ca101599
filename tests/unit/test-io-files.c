/* SPDX-License-Identifier: Apache-2.0
 * Reading files: what is no model and what it is instead, what is no regular file, what
 * changes while it is read.
 */
#include "base/system.h"
#include "io/io-private.h"
#include "io/loading.h"
#include "io/read.h"
#include "pack.h"
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* -- hints -------------------------------------------------------------------------------- */

#define PICKLE "this is a Python pickle, such as PyTorch writes, not ONNX"
#define SAFETENSORS "this is a safetensors file: weights without a graph"
#define TEXT "this is text, not ONNX"
#define TENSOR "this is a tensor (TensorProto), not a model"
#define HINT(data, hint)                                                                 \
  {                                                                                      \
    data, sizeof data - 1, hint                                                          \
  }

static const struct
{
  const char *data;
  gsize n;
  const char *hint;
} hints[] = {
  HINT ("", NULL), HINT ("P", TEXT), HINT ("PK\3", NULL),
  HINT ("PK\3\4", "this is a zip archive, such as PyTorch and Keras write, not ONNX"),
  /* Each protocol begins with another instruction. */
  HINT ("\x80\2}q", PICKLE), HINT ("\x80\2]q", PICKLE), HINT ("\x80\2(K", PICKLE),
  HINT ("\x80\2cx", PICKLE), HINT ("\x80\2\x8a\n", PICKLE), HINT ("\x80\4\x95\2", PICKLE),
  HINT ("\x80\5\x95\2", PICKLE), HINT ("\x80\1}q", NULL), HINT ("\x80\6}q", NULL),
  HINT ("\x80\2xq", NULL), HINT ("\x80\2}", NULL),
  HINT ("\2\0\0\0\0\0\0\0{\"", SAFETENSORS), HINT ("\1\0\0\0\0\0\0\0{\"", NULL),
  HINT ("\3\0\0\0\0\0\0\0{\"", NULL), HINT ("\2\0\0\0\0\0\0\0[\"", NULL),
  HINT ("\2\0\0\0\0\0\0\0{ ", NULL), HINT ("a\tb\r\nc", TEXT), HINT ("a\x7f", NULL),
  HINT ("a\vb", NULL), HINT ("\x10\1", TENSOR), HINT ("\x10\0", NULL), /* no type */
  HINT ("\x10\x40", NULL),       /* one that is none */
  HINT ("\x42\1w", NULL),        /* a name alone */
  HINT ("\x10\1\xf8\7\1", NULL), /* a field that tensors have not */
};

static void
test_hints (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (hints); i++)
    {
      g_autoptr (GBytes) bytes = g_bytes_new_static (hints[i].data, hints[i].n);

      if (g_strcmp0 (_kette_hint (bytes), hints[i].hint) != 0)
        g_test_fail_printf ("hint %zu: %s", i, _kette_hint (bytes));
    }
}

/* -- files -------------------------------------------------------------------------------- */

static KetteSystem sound;
static int at;                           /* the call of fstat that is changed */
static void (*change) (struct stat *st); /* how */

static int
changed_fstat (int fd, struct stat *out)
{
  const int result = sound.fstat (fd, out);

  if (--at == 0)
    change (out);
  return result;
}

/* Loads FILE where call N of fstat tells something else; WANT: what the error ends with. */
static void
try_load (const char *file, int n, void (*how) (struct stat *st), const char *want)
{
  g_autoptr (GError) error     = NULL;
  g_autoptr (KetteGraph) graph = NULL;

  sound               = _kette_system;
  at                  = n;
  change              = how;
  _kette_system.fstat = changed_fstat;
  graph               = kette_graph_load (file, &error);
  _kette_system       = sound;
  g_assert_cmpint (at, <=, 0);
  if (!want)
    {
      g_assert_no_error (error);
      return;
    }
  g_assert_null (graph);
  g_assert_nonnull (error);
  if (!g_str_has_prefix (error->message, file)
      || !g_str_equal (error->message + strlen (file) + 2, want))
    g_test_fail_printf ("\"%s\" instead of \"%s\"", error->message, want);
}

static char *
model_file (const char *folder)
{
  g_autoptr (GBytes) bytes = pack (MODEL (RELU));
  char *file               = g_build_filename (folder, "m.onnx", NULL);
  gsize n;
  const char *data = g_bytes_get_data (bytes, &n);

  g_assert_true (g_file_set_contents (file, data, (gssize) n, NULL));
  return file;
}

#define KIND(word, mode)                                                                 \
  static void be_##word (struct stat *st) { st->st_mode = (mode) | 0600; }

KIND (socket, S_IFSOCK)
KIND (block, S_IFBLK)
KIND (link, S_IFLNK)
KIND (strange, 0)

static void
be_negative (struct stat *st)
{
  st->st_size = -1;
}

static void
be_longer (struct stat *st)
{
  st->st_size += 7;
}

static void
test_kinds (void)
{
  g_autofree char *folder      = g_dir_make_tmp ("kette-XXXXXX", NULL);
  g_autofree char *file        = model_file (folder);
  g_autofree char *name        = g_build_filename (folder, "s", NULL);
  g_autoptr (GError) error     = NULL;
  struct sockaddr_un address   = { .sun_family = AF_UNIX };
  KetteLimits limits           = { 0 };
  KetteLoadOptions options     = { .size = sizeof options, .limits = &limits };
  const int s                  = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_autofree char *want_longer = NULL;
  struct stat st;

  g_strlcpy (address.sun_path, name, sizeof address.sun_path);
  g_assert_cmpint (bind (s, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_null (kette_graph_load (name, &error));
  g_assert_true (g_str_has_suffix (error->message, "/s: io: is a socket"));
  g_clear_error (&error);
  close (s);
  g_unlink (name);
  try_load (file, 1, be_socket, "io: is a socket");
  try_load (file, 1, be_block, "io: is a block device");
  try_load (file, 1, be_link, "io: is a symbolic link");
  try_load (file, 1, be_strange, "io: is a file of an unknown kind");
  try_load (file, 1, be_negative, "limit: has -1 bytes, file-bytes allows 2147483647");
  g_assert_cmpint (g_stat (file, &st), ==, 0);
  want_longer
      = g_strdup_printf ("io: became shorter while it was read: has %jd bytes, needs %jd",
                         (intmax_t) st.st_size, (intmax_t) st.st_size + 7);
  try_load (file, 1, be_longer, want_longer);
  kette_limits_init (&limits);
  limits.file_bytes = (guint64) st.st_size - 1;
  g_assert_null (kette_graph_load_full (file, &options, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_LIMIT);
  g_unlink (file);
  g_rmdir (folder);
}

/* Each field in which a changed file may differ. */
#define MOVE(field)                                                                      \
  static void move_##field (struct stat *st) { st->st_##field++; }
#define MOVE_TIME(field, part)                                                           \
  static void move_##field##_##part (struct stat *st) { st->st_##field.tv_##part++; }

MOVE (dev)
MOVE (ino)
MOVE (size)
MOVE_TIME (mtim, sec)
MOVE_TIME (mtim, nsec)
MOVE_TIME (ctim, sec)
MOVE_TIME (ctim, nsec)

/* Somebody gives it a second name, which is no change of its content. */
static void
be_linked (struct stat *st)
{
  st->st_nlink++;
  st->st_ctim.tv_sec++;
}

static void
test_changes (void)
{
  static void (*const moves[]) (struct stat *)
      = { move_dev,       move_ino,      move_size,     move_mtim_sec,
          move_mtim_nsec, move_ctim_sec, move_ctim_nsec };
  g_autofree char *folder = g_dir_make_tmp ("kette-XXXXXX", NULL);
  g_autofree char *file   = model_file (folder);

  for (gsize i = 0; i < G_N_ELEMENTS (moves); i++)
    try_load (file, 2, moves[i], "io: changed while it was read");
  try_load (file, 2, be_linked, NULL);
  g_unlink (file);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/io/files/hints", test_hints);
  g_test_add_func ("/io/files/kinds", test_kinds);
  g_test_add_func ("/io/files/changes", test_changes);
  return g_test_run ();
}
