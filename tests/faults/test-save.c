/* SPDX-License-Identifier: Apache-2.0
 * Every file call fails once, and from it on for ever, while files are written: afterwards the
 * old or the new file is there and loads, the text names the file and the reason, no descriptor
 * is left open, and the next save leaves no orphan. Then the same with a limit of file sizes,
 * and on a full disk.
 */
#include "../train/networks.h"
#include "base/faults.h"
#include "base/pool.h"
#include "io/io-private.h"
#include "models.h"
#include "op/plugins.h"
#include <errno.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if KETTE_FAULTS

static GPtrArray *models;
static const FaultModel *network; /* what is saved */

/* -- saving ------------------------------------------------------------------------------ */

/* Something that writes FILE, with the content that it writes. */
typedef struct
{
  const char *name;
  gboolean keep;
  gboolean (*write) (const char *file, GError **error);
} Writing;

static KetteGraph *graph, *wide; /* wide: with weights of some size */
static KetteTrainer *trainer;

static gboolean
write_plain (const char *file, GError **error)
{
  return kette_graph_save (graph, file, error);
}

static gboolean
write_keeping (const char *file, GError **error)
{
  const KetteSaveOptions options
      = { .size = sizeof options, .flags = KETTE_SAVE_KEEP_OLD | KETTE_SAVE_CHECKSUMS };

  return kette_graph_save_full (graph, file, &options, error);
}

/* Large weights go into a file beside the model, which is written first. */
static gboolean
write_outside (const char *file, GError **error)
{
  const KetteSaveOptions options
      = { .size  = sizeof options,
          .flags = KETTE_SAVE_EXTERNAL_DATA | KETTE_SAVE_KEEP_OLD };

  return kette_graph_save_full (wide, file, &options, error);
}

static gboolean
write_checkpoint (const char *file, GError **error)
{
  return kette_trainer_save (trainer, file, error);
}

static gboolean
write_tensor (const char *file, GError **error)
{
  return kette_tensor_save (kette_graph_get_parameter (graph, "w0"), file, error);
}

static const Writing writings[] = {
  { "plain", FALSE, write_plain },          { "keep", TRUE, write_keeping },
  { "checkpoint", TRUE, write_checkpoint }, { "tensor", FALSE, write_tensor },
  { "outside", TRUE, write_outside },
};

static GBytes *
content (const char *file)
{
  char *data;
  gsize n;

  return g_file_get_contents (file, &data, &n, NULL) ? g_bytes_new_take (data, n) : NULL;
}

static void
put (const char *file, GBytes *bytes)
{
  FILE *f = fopen (file, "w");

  g_assert_cmpuint (
      fwrite (g_bytes_get_data (bytes, NULL), 1, g_bytes_get_size (bytes), f), ==,
      g_bytes_get_size (bytes));
  g_assert_cmpint (fclose (f), ==, 0);
}

static gboolean
has (const char *file, GBytes *want)
{
  g_autoptr (GBytes) is = content (file);

  return is && g_bytes_equal (is, want);
}

static void
assert_loads (const char *file)
{
  g_autoptr (GError) error = NULL;

  if (g_str_has_suffix (file, ".npy"))
    {
      KetteTensor *t = kette_tensor_load (file, &error);

      kette_tensor_unref (t);
    }
  else
    {
      g_autoptr (KetteGraph) loaded = kette_graph_load (file, &error);
    }
  g_assert_no_error (error);
}

/* The paths of one kind of writing, the content before, and what is written. */
typedef struct
{
  const Writing *how;
  char *file, *kept;
  GBytes *old, *new;
} Scene;

static void
scene_init (Scene *s, const Writing *how, const char *folder)
{
  const char *suffix = how->write == write_tensor ? "npy" : "onnx";
  GError *error      = NULL;

  s->how  = how;
  s->file = g_strdup_printf ("%s/scene.%s", folder, suffix);
  s->kept = g_strconcat (s->file, ".1", NULL);
  how->write (s->file, &error);
  g_assert_no_error (error);
  s->new = content (s->file);
  if (how->write == write_tensor)
    {
      g_autoptr (KetteTensor) other = network_rows (KT_F64, 3, 3, 9);

      g_assert_true (kette_tensor_save (other, s->file, NULL));
      s->old = content (s->file);
    }
  else
    s->old = g_bytes_ref (network->bytes);
}

static void
scene_clear (Scene *s)
{
  g_unlink (s->file);
  g_unlink (s->kept);
  g_bytes_unref (s->old);
  g_bytes_unref (s->new);
  g_free (s->file);
  g_free (s->kept);
}

static guint
orphans (const Scene *s)
{
  g_autofree char *folder = g_path_get_dirname (s->file);

  return fault_count_files (folder, ".kette-tmp-");
}

/* Files of weights; those of the model that is kept and of the newest one are one and the same
 * here, because the old model has its weights inside. */
static guint
data_files (const Scene *s)
{
  g_autofree char *folder = g_path_get_dirname (s->file);

  return fault_count_files (folder, ".data");
}

/* One attempt has ended, without the faults: was anything harmed? */
static void
judge (const Scene *s, gboolean ok, const GError *error, const char *reason,
       const char *what)
{
  g_assert_true (ok == !error);
  if (ok)
    g_assert_true (has (s->file, s->new));
  else
    {
      if (error->domain != KETTE_ERROR || error->code != KETTE_ERROR_IO
          || !g_str_has_prefix (error->message, s->file)
          || (reason && !strstr (error->message, reason)))
        g_test_fail_printf ("%s, %s: %s", s->how->name, what, error->message);
      if (!has (s->file, s->old)
          && !(strstr (error->message, "written, but") && has (s->file, s->new)))
        g_test_fail_printf ("%s, %s: the file is neither the old nor the new one: %s",
                            s->how->name, what, error->message);
    }
  assert_loads (s->file);
  if (g_file_test (s->kept, G_FILE_TEST_EXISTS))
    g_assert_true (has (s->kept, s->old));
  else if (s->how->keep && ok)
    g_test_fail_printf ("%s, %s: succeeds without keeping the old file", s->how->name,
                        what);
}

static guint attempts;

static void
try_save (const Scene *s, guint64 n, gboolean forever, gsize e)
{
  g_autofree char *fault   = g_strdup_printf ("io:%" G_GUINT64_FORMAT "%s:%s", n,
                                            forever ? "+" : "", fault_errors[e].name);
  const guint open         = fault_descriptors ();
  const gsize used         = _kette_account_process ()->used;
  g_autoptr (GError) error = NULL;
  gboolean ok;

  put (s->file, s->old);
  g_unlink (s->kept);
  g_assert_true (_kette_faults_set (fault, NULL));
  ok = s->how->write (s->file, &error);
  _kette_faults_set (NULL, NULL);
  attempts++;
  if (!ok && fault_errors[e].number == 0)
    g_test_fail_printf ("%s, %s: a short count is no error: %s", s->how->name, fault,
                        error->message);
  judge (s, ok, error, g_strerror (fault_errors[e].number), fault);
  g_assert_cmpuint (fault_descriptors (), ==, open);
  g_assert_cmpuint (_kette_account_process ()->used, ==, used);
  if (!s->how->write (s->file, NULL) || !has (s->file, s->new))
    g_test_fail_printf ("%s, %s: the next save fails", s->how->name, fault);
  if (orphans (s) != 0 || data_files (s) > 1)
    g_test_fail_printf ("%s, %s: an orphan is left", s->how->name, fault);
}

static void
test_save (gconstpointer data)
{
  Scene s;
  guint64 calls;

  attempts = 0;
  scene_init (&s, data, fault_folder ());
  put (s.file, s.old);
  _kette_faults_set (NULL, NULL);
  g_assert_true (s.how->write (s.file, NULL));
  calls = _kette_faults_count (KETTE_FAULT_IO);
  for (guint64 n = 1; n <= calls; n++)
    for (gsize e = 0; e < FAULT_ERRORS; e++)
      {
        try_save (&s, n, FALSE, e);
        if (fault_errors[e].can_last)
          try_save (&s, n, TRUE, e);
      }
  g_test_message ("%" G_GUINT64_FORMAT " calls, %u faults", calls, attempts);
  scene_clear (&s);
}

/* Through a link: it stays one, and what it points to is replaced or not. */
static void
test_link (void)
{
  Scene s;
  g_autofree char *link = g_build_filename (fault_folder (), "link.onnx", NULL);

  scene_init (&s, &writings[1], fault_folder ());
  g_assert_cmpint (symlink ("scene.onnx", link), ==, 0);
  for (guint64 n = 1; n <= 30; n++)
    {
      g_autofree char *fault = g_strdup_printf ("io:%" G_GUINT64_FORMAT ":EIO", n);

      put (s.file, s.old);
      g_assert_true (_kette_faults_set (fault, NULL));
      write_keeping (link, NULL);
      _kette_faults_set (NULL, NULL);
      if (!g_file_test (link, G_FILE_TEST_IS_SYMLINK))
        g_test_fail_printf ("%s: the link is none any more", fault);
      g_assert_true (has (s.file, s.old) || has (s.file, s.new));
      g_unlink (link);
      g_assert_cmpint (symlink ("scene.onnx", link), ==, 0);
    }
  g_assert_true (write_keeping (link, NULL));
  g_unlink (link);
  scene_clear (&s);
}

/* -- limits of the system ---------------------------------------------------------------- */

static void
test_file_size (void)
{
  struct rlimit before, limit;

  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  for (gsize w = 0; w < G_N_ELEMENTS (writings); w++)
    {
      Scene s;
      gsize size;

      scene_init (&s, &writings[w], fault_folder ());
      size = g_bytes_get_size (s.new);
      for (gsize i = 0; i < 5; i++)
        {
          g_autoptr (GError) error = NULL;
          gboolean ok;

          put (s.file, s.old);
          g_unlink (s.kept);
          limit          = before;
          limit.rlim_cur = (gsize[]){ 0, 1, size / 2, size - 1, size }[i];
          if (i == 4 && s.how->write == write_outside)
            limit = before; /* the other file is larger */
          g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
          ok = s.how->write (s.file, &error);
          g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
          g_assert_true (ok == (i == 4));
          judge (&s, ok, error, g_strerror (EFBIG), "file size");
          g_assert_cmpuint (orphans (&s), ==, 0);
        }
      scene_clear (&s);
    }
  signal (SIGXFSZ, SIG_DFL);
}

/* In a file system of 1 MiB with less and less space. */
static void
fill_disk (const char *folder)
{
  g_autofree char *filler = g_build_filename (folder, "filler", NULL);
  Scene s;
  guint refused = 0;

  scene_init (&s, &writings[1], folder);
  put (s.file, s.old);
  for (gsize left = 0; left <= 64; left += 4)
    {
      g_autofree char *zeros   = g_malloc0 ((gsize) 1 << 20);
      g_autoptr (GError) error = NULL;
      FILE *f                  = fopen (filler, "w");
      gboolean ok;

      fwrite (zeros, 1, (gsize) 1 << 20, f); /* as much as there is room for */
      fclose (f);
      {
        struct stat st;

        g_assert_cmpint (stat (filler, &st), ==, 0);
        if (truncate (filler, MAX (st.st_size / 4096 * 4096 - (off_t) left * 1024, 0))
            != 0)
          g_assert_not_reached ();
      }
      put (s.file, s.old);
      g_unlink (s.kept);
      ok = s.how->write (s.file, &error);
      refused += !ok;
      judge (&s, ok, error, g_strerror (ENOSPC), "full disk");
      g_unlink (filler);
      g_assert_true (s.how->write (s.file, NULL));
      g_assert_cmpuint (orphans (&s), ==, 0);
    }
  g_assert_cmpuint (refused, >, 0);
  scene_clear (&s);
}

static void
test_full_disk (void)
{
  g_autofree char *folder = g_build_filename (fault_folder (), "disk", NULL);
  pid_t child;
  int status;

  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  child = fork ();
  if (child == 0)
    {
      /* Nobody else sees this file system. */
      if (unshare (CLONE_NEWNS) != 0
          || mount ("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0
          || mount ("none", folder, "tmpfs", 0, "size=1m,mode=700") != 0)
        _exit (77);
      fill_disk (folder);
      _exit (g_test_failed ());
    }
  g_assert_cmpint (child, >, 0);
  while (waitpid (child, &status, 0) < 0 && errno == EINTR)
    ;
  if (WIFEXITED (status) && WEXITSTATUS (status) == 77)
    g_test_skip ("a small file system can only be mounted by root");
  else
    g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);
}

static void
make_trainer (void)
{
  KetteTrainOptions options;
  KetteTensor *x, *t;

  const int sizes[] = { 64, 40, 3 };

  wide  = network_new (KT_F32, sizes, 2, NULL);
  graph = kette_graph_load_bytes (network->bytes, NULL);
  _kette_tensor_set_double (kette_graph_get_parameter (graph, "w0"), 0, 7);
  {
    g_autoptr (KetteGraph) mine = kette_graph_load_bytes (network->bytes, NULL);

    fault_options (network, &options);
    fault_samples (network, mine, &x, &t);
    trainer = network_trainer (mine, &options, x, t);
    g_assert_true (kette_trainer_epoch (trainer, NULL, NULL, NULL));
    kette_tensor_unref (x);
    kette_tensor_unref (t);
  }
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  _kette_pool_set_threads (1);
  kette_plugins_get (NULL);
  models = fault_models ();
  for (guint i = 0; i < models->len; i++)
    if (strcmp (((FaultModel *) models->pdata[i])->name, "mlp") == 0)
      network = models->pdata[i];
  make_trainer ();
  g_test_set_nonfatal_assertions ();
  for (gsize i = 0; i < G_N_ELEMENTS (writings); i++)
    {
      g_autofree char *path = g_strconcat ("/faults/save/", writings[i].name, NULL);

      g_test_add_data_func (path, &writings[i], test_save);
    }
  g_test_add_func ("/faults/save/link", test_link);
  g_test_add_func ("/faults/save/file-size", test_file_size);
  g_test_add_func ("/faults/save/full-disk", test_full_disk);
  status = g_test_run ();
  kette_trainer_unref (trainer);
  kette_graph_unref (graph);
  kette_graph_unref (wide);
  fault_models_free (models);
  return status;
}

#else

int
main (void)
{
  puts ("1..0 # SKIP built without -Dfaults=true");
  return 0;
}
#endif
