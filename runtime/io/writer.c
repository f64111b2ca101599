/* SPDX-License-Identifier: Apache-2.0
 * The writer of all files: into a temporary file beside the target, synced, then renamed
 * over it. Nothing is ever written in place, because the old file may be mapped.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "io/writer.h"
#include "base/alloc.h"
#include "base/system.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define BUFFER_SIZE ((size_t) 1 << 16)

struct _KetteWriter
{
  int fd; /* -1: into memory */
  uint8_t *buffer;
  size_t n, capacity;
  GError *error; /* the first */
};

static gboolean
write_all (KetteWriter *self, const uint8_t *data, size_t n)
{
  while (n > 0)
    {
      /* One call moves at most 2^31 - 4096 bytes anyway. */
      ssize_t done = _kette_system.write (self->fd, data, MIN (n, (size_t) 1 << 30));

      if (done < 0 && errno == EINTR)
        continue;
      if (done <= 0)
        {
          /* Memory of our own is always there; maps of files may not be. */
          if (done < 0 && errno == EFAULT)
            return _kette_fail (&self->error, KETTE_ERROR_IO, NULL,
                                "cannot write: a mapped file became shorter while it was "
                                "in use");
          return _kette_fail_errno (&self->error, done < 0 ? errno : ENOSPC, NULL,
                                    "cannot write");
        }
      data += done;
      n -= (size_t) done;
    }
  return TRUE;
}

static gboolean
writer_flush (KetteWriter *self)
{
  const size_t n = self->n;

  if (self->error)
    return FALSE;
  self->n = 0;
  return write_all (self, self->buffer, n);
}

gboolean
_kette_writer_add (KetteWriter *self, const void *data, size_t n)
{
  size_t need;

  if (self->error)
    return FALSE;
  if (n == 0)
    return TRUE;
  if (self->fd < 0)
    {
      if (!_kette_add (self->n, n, &need))
        return _kette_fail (&self->error, KETTE_ERROR_MEMORY, NULL, "too many bytes");
      if (need > self->capacity
          && !_kette_grow (&self->buffer, &self->capacity, need, 1, &self->error))
        return FALSE;
    }
  else if (n > BUFFER_SIZE - self->n)
    {
      if (!writer_flush (self))
        return FALSE;
      if (n >= BUFFER_SIZE)
        return write_all (self, data, n);
    }
  memcpy (self->buffer + self->n, data, n);
  self->n += n;
  return TRUE;
}

/* Runs FUNC; its own error, or the writer's, is the result. */
static gboolean
writer_run (KetteWriter *self, KetteWriteFunc func, gpointer user, GError **error)
{
  GError *inner     = NULL;
  const gboolean ok = func (self, user, &inner) && (self->fd < 0 || writer_flush (self));

  if (self->error)
    {
      g_clear_error (&inner);
      g_propagate_error (error, g_steal_pointer (&self->error));
      return FALSE;
    }
  if (!ok)
    {
      if (inner)
        g_propagate_error (error, inner);
      else
        _kette_fail (error, KETTE_ERROR_INTERNAL, NULL,
                     "a writer failed without a reason; please report this");
      return FALSE;
    }
  g_clear_error (&inner);
  return TRUE;
}

GBytes *
_kette_write_bytes (KetteWriteFunc func, gpointer user, GError **error)
{
  KetteWriter w = { .fd = -1 };

  if (!writer_run (&w, func, user, error))
    {
      _kette_free (w.buffer);
      return NULL;
    }
  return g_bytes_new_with_free_func (w.buffer, w.n, _kette_free, w.buffer);
}

/* Where a file goes. */
typedef struct
{
  char *resolved, *folder_name, *name;
  char prefix[230], temporary[256]; /* of temporary files, at most NAME_MAX */
  int folder, fd, lock; /* lock: a second descriptor, which holds the lock to the end */
  gboolean exists;
  unsigned keep; /* old files */
  mode_t mode;
} Target;

static void
target_clear (Target *t)
{
  if (t->fd >= 0)
    _kette_system.close (t->fd);
  if (*t->temporary)
    _kette_system.unlinkat (t->folder, t->temporary);
  if (t->lock >= 0)
    _kette_system.close (t->lock);
  if (t->folder >= 0)
    _kette_system.close (t->folder);
  free (t->resolved);
  g_free (t->folder_name);
  g_free (t->name);
}

/* FALSE: it is not known whether there is a file. */
static gboolean
look_at (const char *file, int flags, struct stat *st, gboolean *exists, GError **error)
{
  *exists = _kette_system.fstatat (AT_FDCWD, file, st, flags) == 0;
  if (!*exists && errno != ENOENT)
    return _kette_fail_errno (error, errno, NULL, "cannot look at the old file");
  return TRUE;
}

/* A link stays a link: what it points to is replaced. One that points to nothing is replaced
 * itself. */
static gboolean
follow_link (Target *t, const char *file, GError **error)
{
  struct stat st;
  gboolean exists;

  if (!look_at (file, AT_SYMLINK_NOFOLLOW, &st, &exists, error))
    return FALSE;
  if (!exists || !S_ISLNK (st.st_mode))
    return TRUE;
  t->resolved = _kette_system.realpath (file);
  if (!t->resolved && errno != ENOENT)
    return _kette_fail_errno (error, errno, NULL, "cannot follow the link");
  return TRUE;
}

static gboolean
target_open (Target *t, const char *file, GError **error)
{
  struct stat st;

  if (!follow_link (t, file, error))
    return FALSE;
  if (t->resolved)
    file = t->resolved;
  t->folder_name = g_path_get_dirname (file);
  t->name        = g_path_get_basename (file);
  g_snprintf (t->prefix, sizeof t->prefix, ".%.200s.kette-tmp-", t->name);
  if (!look_at (file, 0, &st, &t->exists, error))
    return FALSE;
  if (t->exists && !S_ISREG (st.st_mode))
    return _kette_fail (error, KETTE_ERROR_IO, NULL, "is %s",
                        S_ISDIR (st.st_mode) ? "a directory" : "not a regular file");
  t->mode   = t->exists ? st.st_mode & 07777 : 0;
  t->folder = _kette_system.openat (AT_FDCWD, t->folder_name,
                                    O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (t->folder < 0)
    return _kette_fail_errno (error, errno, NULL, "cannot open its folder");
  return TRUE;
}

/* Temporary files that nobody holds are what a killed process left. */
static void
remove_orphans (const Target *t)
{
  DIR *dir = _kette_system.opendir (t->folder_name);
  const struct dirent *entry;

  if (!dir)
    return;
  while ((entry = _kette_system.readdir (dir)))
    {
      int fd;

      if (strncmp (entry->d_name, t->prefix, strlen (t->prefix)) != 0)
        continue;
      fd = _kette_system.openat (t->folder, entry->d_name,
                                 O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
      if (fd < 0)
        continue;
      if (_kette_system.flock (fd, LOCK_EX | LOCK_NB) == 0)
        _kette_system.unlinkat (t->folder, entry->d_name);
      _kette_system.close (fd);
    }
  _kette_system.closedir (dir);
}

static void
temporary_name (const Target *t, char *out, size_t size)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  char random[7]              = "";

  for (int i = 0; i < 6; i++)
    random[i] = letters[g_random_int_range (0, (gint32) sizeof letters - 1)];
  g_snprintf (out, size, "%s%s", t->prefix, random);
}

/* A new file that is locked and still has its name: between the making and the lock
 * somebody else may have taken it for an orphan. */
static gboolean
temporary_make (Target *t, GError **error)
{
  for (int i = 0; i < 100; i++)
    {
      struct stat st;
      char name[sizeof t->temporary];

      temporary_name (t, name, sizeof name);
      t->fd = _kette_system.openat (
          t->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
      if (t->fd < 0 && errno == EEXIST)
        continue;
      if (t->fd < 0)
        return _kette_fail_errno (error, errno, NULL, "cannot create a file beside it");
      g_strlcpy (t->temporary, name, sizeof t->temporary);
      /* Some file systems have no locks; then there are no orphans to protect from. */
      if (_kette_system.flock (t->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        st.st_nlink = 0;
      else if (_kette_system.fstat (t->fd, &st) != 0)
        return _kette_fail_errno (error, errno, NULL, "cannot look at the new file");
      if (st.st_nlink == 0)
        {
          _kette_system.close (t->fd);
          t->fd         = -1;
          *t->temporary = '\0';
          continue;
        }
      t->lock = _kette_system.dup (t->fd);
      if (t->lock < 0)
        return _kette_fail_errno (error, errno, NULL, "cannot hold the new file");
      if (t->exists && _kette_system.fchmod (t->fd, t->mode) != 0)
        return _kette_fail_errno (error, errno, NULL, "cannot set the new file's mode");
      return TRUE;
    }
  return _kette_fail (error, KETTE_ERROR_IO, NULL, "cannot find a free name beside it");
}

/* FILE.1 becomes FILE.2 and so on, from the last on. Killed in between, all are still there. */
static gboolean
move_older (const Target *t, GError **error)
{
  for (unsigned k = MIN (t->keep, KETTE_MOST_KEPT); k > 1; k--)
    {
      char from[NAME_MAX + 8], to[NAME_MAX + 8];

      g_snprintf (from, sizeof from, "%s.%u", t->name, k - 1);
      g_snprintf (to, sizeof to, "%s.%u", t->name, k);
      if (_kette_system.renameat (t->folder, from, to) != 0 && errno != ENOENT)
        return _kette_fail_errno (error, errno, NULL, "cannot keep an older file");
    }
  return TRUE;
}

/* The old file gets the second name FILE.1, in place of an older one. */
static gboolean
keep_old (const Target *t, GError **error)
{
  char name[sizeof t->temporary];
  g_autofree char *kept = g_strconcat (t->name, ".1", NULL);

  if (!t->keep || !t->exists)
    return TRUE;
  if (!move_older (t, error))
    return FALSE;
  temporary_name (t, name, sizeof name);
  if (_kette_system.linkat (t->folder, t->name, name) != 0)
    {
      if (errno == ENOENT)
        return TRUE;
      return _kette_fail_errno (error, errno, NULL, "cannot keep the old file");
    }
  if (_kette_system.renameat (t->folder, name, kept) != 0)
    {
      _kette_fail_errno (error, errno, NULL, "cannot keep the old file");
      _kette_system.unlinkat (t->folder, name);
      return FALSE;
    }
  /* rename does nothing when both names are of one file already. */
  _kette_system.unlinkat (t->folder, name);
  return TRUE;
}

static gboolean
target_commit (Target *t, GError **error)
{
  int fd = t->fd;

  if (_kette_system.fsync (fd) != 0)
    return _kette_fail_errno (error, errno, NULL, "cannot sync");
  t->fd = -1;
  if (_kette_system.close (fd) != 0)
    return _kette_fail_errno (error, errno, NULL, "cannot close");
  if (!keep_old (t, error))
    return FALSE;
  if (_kette_system.renameat (t->folder, t->temporary, t->name) != 0)
    return _kette_fail_errno (error, errno, NULL, "cannot rename the new file");
  *t->temporary = '\0';
  /* Some file systems cannot sync a folder and say EINVAL. */
  if (_kette_system.fsync (t->folder) != 0 && errno != EINVAL)
    return _kette_fail_errno (error, errno, NULL, "written, but cannot sync its folder");
  return TRUE;
}

gboolean
_kette_write_file (const char *file, unsigned keep, KetteWriteFunc func, gpointer user,
                   GError **error)
{
  Target t      = { .folder = -1, .fd = -1, .lock = -1, .keep = keep };
  KetteWriter w = { .fd = -1 };
  gboolean ok   = FALSE;

  if (target_open (&t, file, error))
    {
      remove_orphans (&t);
      w.buffer = _kette_alloc_raw (_kette_account_process (), BUFFER_SIZE, 1, error);
      if (w.buffer && temporary_make (&t, error))
        {
          w.fd = t.fd;
          ok   = writer_run (&w, func, user, error) && target_commit (&t, error);
        }
    }
  _kette_free (w.buffer);
  target_clear (&t);
  if (!ok)
    _kette_error_in_file (error, file);
  return ok;
}
