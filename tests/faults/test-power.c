/* SPDX-License-Identifier: Apache-2.0
 * Loss of power: training with checkpoints is recorded, and for each moment everything is
 * built that a disk may hold then. What is there under the file's name loads, and is the
 * checkpoint before or the one that was being written; one whose writing was reported is not
 * lost any more.
 */
#include "../train/networks.h"
#include "base/pool.h"
#include "io/io-private.h"
#include "op/plugins.h"
#include "record.h"
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define SAVES 4
#define NAME "run.onnx"

/* When each save began and ended, in recorded calls, and what it wrote. */
typedef struct
{
  gboolean training, outside; /* outside: weights in a file of their own */
  guint begin[SAVES], end[SAVES];
  char *digest[SAVES];
  GHashTable *seen; /* state -> what it holds: "DIGEST DIGEST", "fault ..." */
  guint64 built;
} Story;

static char *folder, *stage; /* where saves are recorded; where states are tried */

static void
empty (const char *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)))
    {
      g_autofree char *file = g_build_filename (path, name, NULL);

      g_unlink (file);
    }
  g_dir_close (dir);
}

/* Trains, or only changes weights, and saves now and then. */
static void
tell (Story *story, gboolean training, gboolean outside)
{
  const KetteSaveOptions save
      = { .size = sizeof save, .flags = KETTE_SAVE_EXTERNAL_DATA | KETTE_SAVE_KEEP_OLD };
  const int sizes[]                = { 200, 40, 3 };
  g_autoptr (KetteGraph) graph     = network_new (KT_F32, sizes, 2, NULL);
  g_autoptr (KetteTensor) x        = network_rows (KT_F32, 8, 200, 1);
  g_autoptr (KetteTensor) t        = network_rows (KT_F32, 8, 3, 2);
  g_autoptr (KetteTrainer) trainer = NULL;
  g_autofree char *file            = g_build_filename (folder, NAME, NULL);
  GError *error                    = NULL;
  KetteTrainOptions options;

  *story = (Story){ .training = training, .outside = outside };
  kette_train_options_init (&options);
  options.optimizer = "adam";
  options.batch     = 4;
  if (training)
    trainer = network_trainer (graph, &options, x, t);
  empty (folder);
  record_begin ();
  for (int i = 0; i < SAVES; i++)
    {
      if (training)
        g_assert_true (kette_trainer_step (trainer, NULL, NULL, &error));
      else
        _kette_tensor_set_double (kette_graph_get_parameter (graph, "w0"), 0, i);
      story->begin[i]  = record_length ();
      story->digest[i] = network_digest (graph);
      if (training)
        kette_trainer_save (trainer, file, &error);
      else
        kette_graph_save_full (graph, file, outside ? &save : NULL, &error);
      g_assert_no_error (error);
      story->end[i] = record_length ();
    }
  record_end ();
  story->seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

static void
story_clear (Story *story)
{
  for (int i = 0; i < SAVES; i++)
    g_free (story->digest[i]);
  g_hash_table_unref (story->seen);
  record_free ();
}

/* The weights in a file of the stage; "none" where there is no such file. */
static char *
weights (const Story *story, const char *name)
{
  g_autofree char *file        = g_build_filename (stage, name, NULL);
  g_autoptr (GError) error     = NULL;
  g_autoptr (KetteGraph) graph = NULL;
  g_autoptr (GBytes) bytes     = NULL;
  gboolean present;

  if (!g_file_test (file, G_FILE_TEST_EXISTS))
    return g_strdup ("none");
  graph = kette_graph_load (file, &error);
  bytes = graph ? _kette_read_file (file, &error) : NULL;
  if (!bytes || !_kette_check_sha256 (bytes, &present, &error)
      || (story->training && (!present || !kette_graph_is_checkpoint (graph))))
    return g_strconcat ("fault: ", error ? error->message : "no checkpoint", NULL);
  return network_digest (graph);
}

/* What a state holds under its two names; each kind of state is tried once. */
static const char *
holds (Story *story, const RecordDisk *disk, guint64 subset, int lost)
{
  g_autofree char *key         = record_key (disk, subset, lost);
  const char *known            = g_hash_table_lookup (story->seen, key);
  g_autoptr (GHashTable) state = NULL;
  g_autofree char *file = NULL, *kept = NULL;
  GHashTableIter iter;
  gpointer name, bytes;
  char *text;

  if (known)
    return known;
  state = record_state (disk, subset, lost);
  empty (stage);
  g_hash_table_iter_init (&iter, state);
  while (g_hash_table_iter_next (&iter, &name, &bytes))
    {
      g_autofree char *path = g_build_filename (stage, name, NULL);
      gsize n;
      const char *data = g_bytes_get_data (bytes, &n);

      g_assert_true (g_file_set_contents (path, data, (gssize) n, NULL));
    }
  file = weights (story, NAME);
  kept = weights (story, NAME ".1");
  text = g_strconcat (file, " | ", kept, NULL);
  g_hash_table_insert (story->seen, g_steal_pointer (&key), text);
  return text;
}

/* May the file hold this after N calls? The save that ended last, or the one under way; the
 * kept one: any save before. */
static gboolean
is_right (const Story *story, guint n, const char *text)
{
  int last             = -1, next;
  g_auto (GStrv) parts = g_strsplit (text, " | ", 2);
  gboolean ok, kept = g_str_equal (parts[1], "none");

  while (last + 1 < SAVES && story->end[last + 1] <= n)
    last++;
  next = last + 1 < SAVES && story->begin[last + 1] < n ? last + 1 : last;
  ok   = last < 0 && g_str_equal (parts[0], "none");
  for (int i = MAX (last, 0); i <= next; i++)
    ok = ok || g_str_equal (parts[0], story->digest[i]);
  for (int i = 0; i < next; i++)
    kept = kept || g_str_equal (parts[1], story->digest[i]);
  return ok && kept;
}

/* All states of one moment; the number of wrong ones, which are LOUD or end it. */
static guint64
replay_one (Story *story, guint n, const char *without, gboolean loud)
{
  RecordDisk *disk = record_disk (n, without);
  /* Where nothing is synced there are many: of the last six all, those before are done. */
  const guint pending = record_pending (disk), all = MIN (pending, 6);
  const guint64 done = ((guint64) 1 << (pending - all)) - 1;
  guint64 wrong      = 0;

  for (guint64 subset = 0; subset < (guint64) 1 << all && (loud || !wrong); subset++)
    for (int lost = 0; lost < LOST_VARIANTS; lost++)
      {
        const guint64 mask = subset << (pending - all) | done;
        const char *text   = holds (story, disk, mask, lost);

        story->built++;
        if (is_right (story, n, text))
          continue;
        wrong++;
        if (loud)
          g_test_fail_printf ("after %u calls, names %" G_GINT64_MODIFIER
                              "x, lost %d: %s",
                              n, mask, lost, text);
      }
  record_disk_free (disk);
  return wrong;
}

static guint64
replay (Story *story, const char *without, gboolean loud)
{
  guint64 wrong = 0;

  for (guint n = 0; n <= record_length () && (loud || !wrong); n++)
    wrong += replay_one (story, n, without, loud);
  return wrong;
}

static void
test_replay (gconstpointer kind)
{
  Story story;

  tell (&story, GPOINTER_TO_INT (kind) == 0, GPOINTER_TO_INT (kind) == 2);
  g_assert_cmpuint (replay (&story, NULL, TRUE), ==, 0);
  g_test_message ("%u calls, %" G_GUINT64_FORMAT " states, %u different",
                  record_length (), story.built, g_hash_table_size (story.seen));
  story_clear (&story);
}

/* The test itself: a writer that does not sync is found out. */
static void
test_itself (void)
{
  Story story;

  tell (&story, TRUE, FALSE);
  g_assert_cmpuint (replay (&story, "sync", FALSE), >, 0);
  g_assert_cmpuint (replay (&story, "sync-folder", FALSE), >, 0);
  story_clear (&story);
}

/* In memory where that is possible. */
static char *
make_folder (void)
{
  return g_access ("/dev/shm", W_OK) == 0 ? g_mkdtemp (g_strdup ("/dev/shm/kette-XXXXXX"))
                                          : g_dir_make_tmp ("kette-XXXXXX", NULL);
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  _kette_pool_set_threads (1);
  kette_plugins_get (NULL);
  folder = make_folder ();
  stage  = make_folder ();
  g_test_set_nonfatal_assertions ();
  g_test_add_data_func ("/faults/power/checkpoints", GINT_TO_POINTER (0), test_replay);
  g_test_add_data_func ("/faults/power/models", GINT_TO_POINTER (1), test_replay);
  g_test_add_data_func ("/faults/power/outside", GINT_TO_POINTER (2), test_replay);
  g_test_add_func ("/faults/power/itself", test_itself);
  status = g_test_run ();
  empty (folder);
  empty (stage);
  g_rmdir (folder);
  g_rmdir (stage);
  g_free (folder);
  g_free (stage);
  return status;
}
