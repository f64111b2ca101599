/* SPDX-License-Identifier: Apache-2.0
 * Recording file calls, and building from them what a disk may hold after a loss of power.
 *
 * The model of a disk: what is written into a file is safe once the file was synced; names
 * (made, linked, renamed, removed) are safe once their folder was synced. Until then each
 * change of a name may be there or not, whatever became of those before it, and of the written
 * bytes none, half, all, or zeros in their place.
 */
#include "record.h"
#include "base/system.h"
#include <fcntl.h>
#include <string.h>

typedef enum
{
  CALL_CREATE,
  CALL_WRITE,
  CALL_SYNC,        /* of a file */
  CALL_SYNC_FOLDER, /* of all names */
  CALL_LINK,
  CALL_RENAME,
  CALL_UNLINK
} CallKind;

static const char *const names[]
    = { "create", "write", "sync", "sync-folder", "link", "rename", "unlink" };

typedef struct
{
  CallKind kind;
  guint inode;
  char *name, *to;
  GBytes *data;
} Call;

#define MOST_DESCRIPTORS 1024

static KetteSystem real;
static GArray *calls;          /* Call */
static GHashTable *folder_now; /* name -> inode: what the program sees */
static guint n_inodes;         /* 0 is none */
static guint inode_of[MOST_DESCRIPTORS];

static void
add (CallKind kind, guint inode, const char *name, const char *to, GBytes *data)
{
  const Call call = { kind, inode, g_strdup (name), g_strdup (to), data };

  g_array_append_val (calls, call);
}

static guint
find (const char *name)
{
  return GPOINTER_TO_UINT (g_hash_table_lookup (folder_now, name));
}

static void
set (GHashTable *folder, const char *name, guint inode)
{
  if (inode)
    g_hash_table_replace (folder, g_strdup (name), GUINT_TO_POINTER (inode));
  else
    g_hash_table_remove (folder, name);
}

static int
rec_openat (int folder, const char *name, int flags, mode_t mode)
{
  const int fd              = real.openat (folder, name, flags, mode);
  g_autofree char *basename = g_path_get_basename (name);

  if (fd < 0)
    return fd;
  g_assert_cmpint (fd, <, MOST_DESCRIPTORS);
  inode_of[fd] = find (basename);
  if ((flags & O_CREAT) && !inode_of[fd])
    {
      inode_of[fd] = ++n_inodes;
      set (folder_now, basename, n_inodes);
      add (CALL_CREATE, n_inodes, basename, NULL, NULL);
    }
  return fd;
}

static int
rec_dup (int fd)
{
  const int copy = real.dup (fd);

  if (copy >= 0)
    inode_of[copy] = inode_of[fd];
  return copy;
}

static ssize_t
rec_write (int fd, const void *data, size_t n)
{
  const ssize_t done = real.write (fd, data, n);

  if (done > 0)
    add (CALL_WRITE, inode_of[fd], NULL, NULL, g_bytes_new (data, (gsize) done));
  return done;
}

static int
rec_fsync (int fd)
{
  const int result = real.fsync (fd);

  if (result == 0)
    add (inode_of[fd] ? CALL_SYNC : CALL_SYNC_FOLDER, inode_of[fd], NULL, NULL, NULL);
  return result;
}

static int
rec_renameat (int folder, const char *from, const char *to)
{
  const int result  = real.renameat (folder, from, to);
  const guint inode = find (from);

  if (result == 0 && inode != find (to)) /* else it does nothing */
    {
      set (folder_now, to, inode);
      set (folder_now, from, 0);
      add (CALL_RENAME, inode, from, to, NULL);
    }
  return result;
}

static int
rec_linkat (int folder, const char *from, const char *to)
{
  const int result = real.linkat (folder, from, to);

  if (result == 0)
    {
      set (folder_now, to, find (from));
      add (CALL_LINK, find (from), from, to, NULL);
    }
  return result;
}

static int
rec_unlinkat (int folder, const char *name)
{
  const int result = real.unlinkat (folder, name);

  if (result == 0)
    {
      add (CALL_UNLINK, find (name), name, NULL, NULL);
      set (folder_now, name, 0);
    }
  return result;
}

static int
rec_close (int fd)
{
  if (fd >= 0 && fd < MOST_DESCRIPTORS)
    inode_of[fd] = 0;
  return real.close (fd);
}

static void
free_call (gpointer data)
{
  Call *call = data;

  g_free (call->name);
  g_free (call->to);
  if (call->data)
    g_bytes_unref (call->data);
}

void
record_begin (void)
{
  calls = g_array_new (FALSE, FALSE, sizeof (Call));
  g_array_set_clear_func (calls, free_call);
  folder_now = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  n_inodes   = 0;
  memset (inode_of, 0, sizeof inode_of);
  real                   = _kette_system;
  _kette_system.openat   = rec_openat;
  _kette_system.dup      = rec_dup;
  _kette_system.write    = rec_write;
  _kette_system.fsync    = rec_fsync;
  _kette_system.renameat = rec_renameat;
  _kette_system.linkat   = rec_linkat;
  _kette_system.unlinkat = rec_unlinkat;
  _kette_system.close    = rec_close;
}

void
record_end (void)
{
  _kette_system = real;
}

guint
record_length (void)
{
  return calls->len;
}

/* -- replaying ---------------------------------------------------------------------------- */

typedef struct
{
  GByteArray *data;
  guint synced;
} Inode;

struct _RecordDisk
{
  GHashTable *folder; /* name -> inode: synced */
  GPtrArray *pending; /* const Call *: changes of names that are not */
  Inode *inodes;
};

static void
change (GHashTable *folder, const Call *call)
{
  const guint from
      = call->name ? GPOINTER_TO_UINT (g_hash_table_lookup (folder, call->name)) : 0;

  if (call->kind == CALL_CREATE)
    set (folder, call->name, call->inode);
  else if (call->kind == CALL_UNLINK)
    set (folder, call->name, 0);
  else if (call->kind == CALL_LINK)
    set (folder, call->to, call->inode);
  else if (call->kind == CALL_RENAME)
    {
      set (folder, call->to, call->inode);
      if (from == call->inode)
        set (folder, call->name, 0);
    }
}

RecordDisk *
record_disk (guint n, const char *without)
{
  RecordDisk *disk = g_new (RecordDisk, 1);

  disk->folder  = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  disk->pending = g_ptr_array_new ();
  disk->inodes  = g_new0 (Inode, n_inodes + 1);
  for (guint i = 0; i <= n_inodes; i++)
    disk->inodes[i].data = g_byte_array_new ();
  for (guint i = 0; i < n; i++)
    {
      const Call *call = &g_array_index (calls, Call, i);

      if (g_strcmp0 (without, names[call->kind]) == 0)
        continue;
      if (call->kind == CALL_WRITE)
        g_byte_array_append (disk->inodes[call->inode].data,
                             g_bytes_get_data (call->data, NULL),
                             (guint) g_bytes_get_size (call->data));
      else if (call->kind == CALL_SYNC)
        disk->inodes[call->inode].synced = disk->inodes[call->inode].data->len;
      else if (call->kind == CALL_SYNC_FOLDER)
        {
          for (guint k = 0; k < disk->pending->len; k++)
            change (disk->folder, disk->pending->pdata[k]);
          g_ptr_array_set_size (disk->pending, 0);
        }
      else
        g_ptr_array_add (disk->pending, (gpointer) call);
    }
  return disk;
}

void
record_disk_free (RecordDisk *disk)
{
  for (guint i = 0; i <= n_inodes; i++)
    g_byte_array_unref (disk->inodes[i].data);
  g_free (disk->inodes);
  g_hash_table_unref (disk->folder);
  g_ptr_array_unref (disk->pending);
  g_free (disk);
}

guint
record_pending (const RecordDisk *disk)
{
  return disk->pending->len;
}

static GBytes *
content (const Inode *inode, int lost)
{
  const guint all = inode->data->len, half = inode->synced + (all - inode->synced) / 2;
  const guint good = lost == LOST_NOTHING                          ? all
                     : lost == LOST_HALF || lost == LOST_HALF_ZERO ? half
                                                                   : inode->synced;
  const guint n    = lost == LOST_ZERO || lost == LOST_HALF_ZERO ? all : good;
  guint8 *data     = g_malloc0 (n + 1);

  if (good > 0)
    memcpy (data, inode->data->data, good);
  return g_bytes_new_take (data, n);
}

/* The names, some of the changes done. */
static GHashTable *
folder_with (const RecordDisk *disk, guint64 subset)
{
  GHashTable *out = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GHashTableIter iter;
  gpointer name, inode;

  g_hash_table_iter_init (&iter, disk->folder);
  while (g_hash_table_iter_next (&iter, &name, &inode))
    set (out, name, GPOINTER_TO_UINT (inode));
  for (guint k = 0; k < disk->pending->len; k++)
    if (subset >> k & 1)
      change (out, disk->pending->pdata[k]);
  return out;
}

char *
record_key (const RecordDisk *disk, guint64 subset, int lost)
{
  g_autoptr (GHashTable) folder = folder_with (disk, subset);
  g_autoptr (GList) list
      = g_list_sort (g_hash_table_get_keys (folder), (GCompareFunc) strcmp);
  GString *key = g_string_new (NULL);

  for (GList *l = list; l; l = l->next)
    {
      const guint i      = GPOINTER_TO_UINT (g_hash_table_lookup (folder, l->data));
      const Inode *inode = &disk->inodes[i];

      if (record_is_temporary (l->data))
        continue;
      g_string_append_printf (key, "%s %u %u", (const char *) l->data, i,
                              inode->data->len);
      if (inode->synced < inode->data->len)
        g_string_append_printf (key, " %u %d", inode->synced, lost);
      g_string_append_c (key, '\n');
    }
  return g_string_free (key, FALSE);
}

GHashTable *
record_state (const RecordDisk *disk, guint64 subset, int lost)
{
  GHashTable *out               = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                                         (GDestroyNotify) g_bytes_unref);
  g_autoptr (GHashTable) folder = folder_with (disk, subset);
  GHashTableIter iter;
  gpointer name, inode;

  g_hash_table_iter_init (&iter, folder);
  while (g_hash_table_iter_next (&iter, &name, &inode))
    if (!record_is_temporary (name))
      g_hash_table_replace (out, g_strdup (name),
                            content (&disk->inodes[GPOINTER_TO_UINT (inode)], lost));
  return out;
}

gboolean
record_is_temporary (const char *name)
{
  return strstr (name, ".kette-tmp-") != NULL;
}

void
record_free (void)
{
  g_array_unref (calls);
  g_hash_table_unref (folder_now);
}
