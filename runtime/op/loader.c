/* SPDX-License-Identifier: Apache-2.0
 * Finding and opening plugins.
 *
 * Search path: files given by the caller, KETTE_PLUGIN_PATH, the user's data directory, the
 * installed directory; never the current directory or the program's. A file that others may
 * write is not loaded: a plugin is code. Plugins are opened once, bound to themselves
 * (RTLD_LOCAL) and never closed.
 */
#include "op/loader.h"
#include "base/system.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define ENTRY "kette_plugin_v0"

struct _KettePlugins
{
  GPtrArray *files; /* KettePluginFile, in order of loading */
};

static KettePlugins plugins;
static GMutex lock;
static gboolean searched;

/* Does a group count as the user's own: named like the user, with no other member? */
static gboolean
group_is_private (gid_t gid)
{
  const struct passwd *user = getpwuid (geteuid ());
  const struct group *group;

  if (!user || user->pw_gid != gid)
    return FALSE;
  group = getgrgid (gid);
  if (!group || strcmp (group->gr_name, user->pw_name) != 0)
    return FALSE;
  for (char **member = group->gr_mem; *member; member++)
    if (strcmp (*member, user->pw_name) != 0)
      return FALSE;
  return TRUE;
}

/* Who may write PATH: refuse unless root or the user owns it and nobody else can write. */
static gboolean
check_writers (const char *path, gboolean is_file, GError **error)
{
  struct stat st;
  const char *fault = NULL;

  if (_kette_system.fstatat (AT_FDCWD, path, &st, 0) != 0)
    return _kette_fail_errno (error, errno, NULL, path);
  if (!is_file && (st.st_mode & S_ISVTX) && st.st_uid == 0)
    return TRUE; /* like the system's temporary directory: entries belong to their owners */
  if (st.st_uid != 0 && st.st_uid != geteuid ())
    return _kette_fail (
        error, KETTE_ERROR_PLUGIN, NULL,
        "\"%s\" belongs to neither root nor you; --trust-plugin overrides", path);
  if (st.st_mode & S_IWOTH)
    fault = "everybody";
  else if ((st.st_mode & S_IWGRP) && st.st_gid != 0 && !group_is_private (st.st_gid))
    fault = "its group";
  if (fault)
    return _kette_fail (
        error, KETTE_ERROR_PLUGIN, NULL,
        "\"%s\" can be written by %s; \"chmod go-w %s\" cures it, --trust-plugin "
        "overrides",
        path, fault, path);
  return TRUE;
}

/* The file and all directories above it. */
static gboolean
check_trust (const char *path, GError **error)
{
  g_autofree char *real = _kette_system.realpath (path);

  if (!real)
    return _kette_fail_errno (error, errno, NULL, path);
  if (!check_writers (real, TRUE, error))
    return FALSE;
  for (char *slash = strrchr (real, '/'); slash; slash = strrchr (real, '/'))
    {
      *slash = '\0';
      if (!check_writers (*real ? real : "/", FALSE, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
register_plugin (KettePluginFile *file, gboolean again, GError **error)
{
  KetteFailure failure = { 0 };
  KetteContext context = { NULL, &failure };
  kt_reg reg           = { .context = &context, .file = file->path, .again = again };
  kt_entry *entry      = NULL;
  kt_status status;

  *(void **) &entry = dlsym (file->handle, ENTRY);
  if (!entry)
    return _kette_fail (error, KETTE_ERROR_PLUGIN, NULL, "has no symbol " ENTRY);
  status          = entry (_kette_host (), &reg);
  file->n_ops     = reg.n_ops;
  file->n_kernels = reg.n_kernels;
  if (status == KT_OK && failure.status == KT_OK)
    return TRUE;
  if (status == KT_E_NOMEM)
    return _kette_fail (error, KETTE_ERROR_MEMORY, NULL, "no memory for its operators");
  return _kette_fail (error, KETTE_ERROR_PLUGIN, NULL, "%s",
                      *failure.text ? failure.text : "its entry function failed");
}

static gboolean
open_plugin (KettePluginFile *file, gboolean again, GError **error)
{
  if (!file->trust && !check_trust (file->path, error))
    return FALSE;
  const KetteRunning *outer = _kette_running;
  const KetteRunning now    = { .plugin = file->path, .task = "open" };
  gboolean ok;

  _kette_running = &now;
  if (!file->handle)
    file->handle = dlopen (file->path, RTLD_NOW | RTLD_LOCAL);
  if (file->handle)
    ok = register_plugin (file, again, error);
  else
    ok = _kette_fail (error, KETTE_ERROR_PLUGIN, NULL, "%s", dlerror ());
  _kette_running = outer;
  return ok;
}

static KettePluginFile *
add_file (const char *path, gboolean trust)
{
  KettePluginFile *file = g_new0 (KettePluginFile, 1);

  file->path  = g_canonicalize_filename (path, NULL);
  file->name  = g_path_get_basename (path);
  file->trust = trust;
  g_ptr_array_add (plugins.files, file);
  return file;
}

/* Afterwards the file's operators are there, or the reason why not. */
static gboolean
try_file (KettePluginFile *file, GError **error)
{
  const gboolean again     = file->again;
  g_autoptr (GError) local = NULL;

  g_clear_pointer (&file->reason, g_free);
  file->again = FALSE;
  if (open_plugin (file, again, &local))
    return TRUE;
  file->again  = g_error_matches (local, KETTE_ERROR, KETTE_ERROR_MEMORY);
  file->reason = g_strdup (local->message);
  _kette_error_in_file (&local, file->path);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* Loads PATH unless a plugin of that base name is there already: earlier places in the
 * search path win. */
static gboolean
load_file (const char *path, gboolean trust, GError **error)
{
  g_autofree char *base = g_path_get_basename (path);

  for (guint i = 0; i < plugins.files->len; i++)
    {
      KettePluginFile *known = g_ptr_array_index (plugins.files, i);
      if (strcmp (known->name, base) == 0)
        return !known->again || try_file (known, error);
    }
  return try_file (add_file (path, trust), error);
}

/* What cannot be listed may hold the plugin that will be missed. */
static void
note_directory (const char *path, int number)
{
  if (number != 0 && number != ENOENT)
    add_file (path, FALSE)->reason
        = g_strdup_printf ("io: cannot list: %s", g_strerror (number));
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* All *.so of a directory, by name; a refused one keeps its reason and stops nothing. */
static void
load_directory (const char *path)
{
  DIR *dir = _kette_system.opendir (path);
  const struct dirent *entry;
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  if (!dir)
    {
      note_directory (path, errno);
      return;
    }
  while (errno = 0, (entry = _kette_system.readdir (dir)))
    if (g_str_has_suffix (entry->d_name, ".so"))
      g_ptr_array_add (names, g_build_filename (path, entry->d_name, NULL));
  note_directory (path, errno);
  _kette_system.closedir (dir);
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++)
    load_file (g_ptr_array_index (names, i), FALSE, NULL);
}

static gboolean
prepare (GError **error)
{
  if (!plugins.files)
    plugins.files = g_ptr_array_new ();
  return _kette_registry_init (error);
}

static void
search (void)
{
  const gboolean setuid_ = getauxval (AT_SECURE) != 0;
  const char *env        = setuid_ ? NULL : g_getenv ("KETTE_PLUGIN_PATH");
  g_auto (GStrv) dirs    = env ? g_strsplit (env, ":", -1) : NULL;

  for (char **dir = dirs; dir && *dir; dir++)
    if (g_path_is_absolute (*dir))
      load_directory (*dir);
  if (!setuid_)
    {
      g_autofree char *own
          = g_build_filename (g_get_user_data_dir (), "kette", "plugins", "0", NULL);
      load_directory (own);
    }
  load_directory (KETTE_PLUGIN_DIR);
}

/* Files that memory did not suffice for are tried again; what is refused for other reasons
 * stays so. */
static gboolean
complete (GError **error)
{
  for (guint i = 0; i < plugins.files->len; i++)
    {
      KettePluginFile *file    = g_ptr_array_index (plugins.files, i);
      g_autoptr (GError) local = NULL;

      if (!file->again || try_file (file, &local) || !file->again)
        continue;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  return TRUE;
}

KettePlugins *
kette_plugins_get (GError **error)
{
  KettePlugins *result = NULL;

  g_mutex_lock (&lock);
  if (prepare (error))
    {
      if (!searched)
        search ();
      searched = TRUE;
      result   = complete (error) ? &plugins : NULL;
    }
  g_mutex_unlock (&lock);
  return result;
}

gboolean
kette_plugins_add_file (const char *file, gboolean trust, GError **error)
{
  gboolean ok;

  g_mutex_lock (&lock);
  ok = prepare (error) && load_file (file, trust, error);
  g_mutex_unlock (&lock);
  return ok;
}

const KettePluginFile *
_kette_plugins_nth (guint i)
{
  return plugins.files && i < plugins.files->len ? g_ptr_array_index (plugins.files, i)
                                                 : NULL;
}
