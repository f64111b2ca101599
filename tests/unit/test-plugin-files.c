/* SPDX-License-Identifier: Apache-2.0
 * Plugin files: which are refused, what for, and how that is told.
 */
#include "op/loader.h"
#include "op/plugins.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534

static char *folder;

/* A copy of VARIANT as NAME, with MODE, owned by OWNER:GROUP (as root only). */
static char *
copy_of (int variant, const char *name, mode_t mode, uid_t owner, gid_t group)
{
  char *file            = g_build_filename (folder, name, NULL);
  g_autofree char *leaf = g_strdup_printf ("variant%d.so", variant);
  g_autofree char *from
      = g_build_filename (g_getenv ("G_TEST_BUILDDIR"), "unit", leaf, NULL);
  g_autofree char *data = NULL;
  gsize n;

  g_assert_true (g_file_get_contents (from, &data, &n, NULL));
  g_assert_true (g_file_set_contents (file, data, (gssize) n, NULL));
  g_assert_cmpint (chmod (file, mode), ==, 0);
  if (geteuid () == 0)
    g_assert_cmpint (chown (file, owner, group), ==, 0);
  return file;
}

static void
refused (const char *file, gboolean trust, KetteErrorCode code, const char *text)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (kette_plugins_add_file (file, trust, &error));
  g_assert_error (error, KETTE_ERROR, (int) code);
  if (!strstr (error->message, text))
    g_error ("\"%s\" has not \"%s\"", error->message, text);
}

static void
test_content (void)
{
  g_autofree char *none   = copy_of (1, "none.so", 0644, 0, 0),
                  *silent = copy_of (2, "silent.so", 0644, 0, 0),
                  *tells  = copy_of (3, "tells.so", 0644, 0, 0),
                  *good   = copy_of (4, "good.so", 0644, 0, 0),
                  *text   = g_build_filename (folder, "text.so", NULL),
                  *absent = g_build_filename (folder, "absent.so", NULL);

  g_assert_true (g_file_set_contents (text, "no plugin", -1, NULL));
  refused (none, FALSE, KETTE_ERROR_PLUGIN, "has no symbol");
  refused (silent, FALSE, KETTE_ERROR_PLUGIN, "its entry function failed");
  refused (tells, FALSE, KETTE_ERROR_PLUGIN, "no card in this machine");
  refused (text, FALSE, KETTE_ERROR_PLUGIN, "text.so");
  refused (absent, FALSE, KETTE_ERROR_IO, "absent.so");
  g_assert_true (kette_plugins_add_file (good, FALSE, NULL));
  /* One of that name is there: nothing is loaded, and nothing is wrong. */
  g_assert_true (kette_plugins_add_file (good, FALSE, NULL));
  g_assert_true (kette_plugins_add_file (tells, FALSE, NULL));
}

static void
test_writers (void)
{
  g_autofree char *all = copy_of (4, "all.so", 0666, 0, 0), *group = NULL, *other = NULL,
                  *away = NULL, *inside = NULL;
  g_autoptr (GError) error = NULL;

  refused (all, FALSE, KETTE_ERROR_PLUGIN, "can be written by everybody");
  if (geteuid () != 0)
    {
      g_test_skip ("only root can give files away");
      return;
    }
  group = copy_of (4, "group.so", 0664, 0, NOBODY);
  other = copy_of (4, "other.so", 0644, NOBODY, 0);
  refused (group, FALSE, KETTE_ERROR_PLUGIN, "can be written by its group");
  refused (other, FALSE, KETTE_ERROR_PLUGIN, "belongs to neither root nor you");
  /* A folder above counts as the file does; a sticky one of root keeps its entries apart. */
  away   = g_build_filename (folder, "away", NULL);
  inside = copy_of (4, "inside.so", 0644, 0, 0);
  g_assert_cmpint (g_mkdir (away, 0700), ==, 0);
  g_free (inside);
  inside = copy_of (4, "away/inside.so", 0644, 0, 0);
  g_assert_cmpint (chown (away, NOBODY, 0), ==, 0);
  refused (inside, FALSE, KETTE_ERROR_PLUGIN, "away\" belongs to neither");
  g_assert_cmpint (chown (away, 0, 0), ==, 0);
  g_assert_cmpint (chmod (away, 01777), ==, 0);
  g_free (inside);
  inside = copy_of (4, "away/sticky.so", 0644, 0, 0);
  g_assert_true (kette_plugins_add_file (inside, FALSE, &error));
  g_assert_no_error (error);
  g_free (other);
  other = copy_of (4, "trusted.so", 0666, NOBODY, NOBODY);
  g_assert_true (kette_plugins_add_file (other, TRUE, &error));
  g_assert_no_error (error);
}

static void
has (const char *text, const char *words)
{
  if (!strstr (text, words))
    g_error ("\"%s\" is not in \"%s\"", words, text);
}

static void
test_told (void)
{
  g_autoptr (GError) error = NULL;
  KettePlugins *all        = kette_plugins_get (&error);
  g_autofree char *json = NULL, *text = NULL, *concat = NULL, *shape = NULL, *own = NULL,
                  *near = NULL, *far = NULL, *loss = NULL, *wrong = NULL;

  g_assert_no_error (error);
  json = kette_plugins_to_json (all);
  text = kette_plugins_to_text (all);
  has (json, "\"Concat\"");
  has (json, "no card in this machine");
  has (text, "Concat");
  has (text, "no card in this machine");
  concat = kette_plugins_explain (all, "Concat");
  shape  = kette_plugins_explain (all, "Shape");
  own    = kette_plugins_explain (all, "kette:HalfSSE");
  loss   = kette_plugins_explain (all, "SoftmaxCrossEntropyLoss");
  near   = kette_plugins_explain (all, "Concta");
  far    = kette_plugins_explain (all, "Nothing like it");
  wrong  = kette_plugins_explain (all, "nowhere:Concat");
  has (concat, "Concat");
  has (concat, "axis");
  has (shape, "Shape");
  has (own, "HalfSSE");
  has (loss, "reduction");
  has (near, "Concat");
  has (far, "Nothing like it");
  has (wrong, "nowhere");
}

static void
remove_all (const char *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *inner = g_build_filename (path, name, NULL);

      if (g_file_test (inner, G_FILE_TEST_IS_DIR))
        remove_all (inner);
      else
        g_unlink (inner);
    }
  if (dir)
    g_dir_close (dir);
  g_rmdir (path);
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("kette-plugins-XXXXXX", NULL);
  g_test_add_func ("/plugin-files/content", test_content);
  g_test_add_func ("/plugin-files/writers", test_writers);
  g_test_add_func ("/plugin-files/told", test_told);
  status = g_test_run ();
  remove_all (folder);
  g_free (folder);
  return status;
}
