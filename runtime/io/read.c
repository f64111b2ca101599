/* SPDX-License-Identifier: Apache-2.0
 * Opening files: regular files only, never waiting for one. Small ones are read, large ones
 * are mapped; the map is private and read-only.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_PATH */
#endif
#include "io/read.h"
#include "base/alloc.h"
#include "base/guard-private.h"
#include "io/io-private.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define READ_MAX ((size_t) 1 << 20) /* larger files are mapped */

gboolean
_kette_is_map (const void *p)
{
  return _kette_guard_find (p) != 0;
}

static void
map_free (gpointer data)
{
  size_t *slot = data;

  _kette_guard_unmap (*slot);
  _kette_free (slot);
}

static gboolean
read_all (int fd, uint8_t *data, size_t size, const char *where, GError **error)
{
  size_t done = 0;

  while (done < size)
    {
      ssize_t n = _kette_system.read (fd, data + done, size - done);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return _kette_fail_errno (error, errno, where, "cannot read");
      if (n == 0)
        return _kette_fail (error, KETTE_ERROR_IO, where,
                            "became shorter while it was read: has %zu bytes, needs %zu",
                            done, size);
      done += (size_t) n;
    }
  return TRUE;
}

GBytes *
_kette_fd_bytes (int fd, size_t size, uint64_t group, const char *name, const char *where,
                 GError **error)
{
  size_t *slot;
  void *data;

  if (size <= READ_MAX)
    {
      data = _kette_alloc_raw (_kette_account_process (), size, 1, error);
      if (!data)
        return NULL;
      if (!read_all (fd, data, size, where, error))
        {
          _kette_free (data);
          return NULL;
        }
      return g_bytes_new_with_free_func (data, size, _kette_free, data);
    }
  slot = _kette_alloc (_kette_account_process (), 1, sizeof *slot, error);
  if (!slot)
    return NULL;
  data = _kette_guard_map (fd, size, group, name, where, slot, error);
  if (!data)
    {
      _kette_free (slot);
      return NULL;
    }
  return g_bytes_new_with_free_func (data, size, map_free, slot);
}

gboolean
_kette_regular (const struct stat *st, const char *where, GError **error)
{
  const char *kind;

  switch (st->st_mode & S_IFMT)
    {
    case S_IFREG:
      return TRUE;
    case S_IFDIR:
      kind = "directory";
      break;
    case S_IFIFO:
      kind = "named pipe";
      break;
    case S_IFSOCK:
      kind = "socket";
      break;
    case S_IFCHR:
      kind = "character device";
      break;
    case S_IFBLK:
      kind = "block device";
      break;
    case S_IFLNK:
      kind = "symbolic link";
      break;
    default:
      kind = "file of an unknown kind";
      break;
    }
  return _kette_fail (error, KETTE_ERROR_IO, where, "is a %s", kind);
}

/* The descriptor of the folder that FILE names. */
static int
open_folder (const char *file)
{
  g_autofree char *folder = g_path_get_dirname (file);

  return _kette_system.openat (AT_FDCWD, folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}

gboolean
_kette_file_open (KetteFile *self, const char *file, size_t max, GError **error)
{
  *self    = (KetteFile){ .fd = -1, .folder = -1 };
  self->fd = _kette_system.openat (AT_FDCWD, file,
                                   O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
  if (self->fd < 0 && errno == ENXIO)
    return _kette_fail (error, KETTE_ERROR_IO, NULL, "is a socket");
  if (self->fd < 0)
    return _kette_fail_errno (error, errno, NULL, "cannot open");
  if (_kette_system.fstat (self->fd, &self->stat) != 0)
    {
      _kette_fail_errno (error, errno, NULL, "cannot look at it");
      goto failed;
    }
  if (!_kette_regular (&self->stat, NULL, error))
    goto failed;
  if (self->stat.st_size < 0 || (uintmax_t) self->stat.st_size > max)
    {
      _kette_fail (error, KETTE_ERROR_LIMIT, NULL, "has %jd bytes, file-bytes allows %zu",
                   (intmax_t) self->stat.st_size, max);
      goto failed;
    }
  self->bytes = _kette_fd_bytes (self->fd, (size_t) self->stat.st_size,
                                 _kette_guard_group (), NULL, NULL, error);
  if (!self->bytes)
    goto failed;
  self->folder = open_folder (file);
  return TRUE;

failed:
  _kette_file_close (self);
  return FALSE;
}

gboolean
_kette_file_unchanged (const KetteFile *self, GError **error)
{
  const struct stat *a = &self->stat;
  struct stat b;

  if (_kette_system.fstat (self->fd, &b) != 0)
    return _kette_fail_errno (error, errno, NULL, "cannot look at it again");
  if (a->st_dev != b.st_dev || a->st_ino != b.st_ino || a->st_size != b.st_size
      || a->st_mtim.tv_sec != b.st_mtim.tv_sec || a->st_mtim.tv_nsec != b.st_mtim.tv_nsec
      || (a->st_nlink == b.st_nlink
          && (a->st_ctim.tv_sec != b.st_ctim.tv_sec
              || a->st_ctim.tv_nsec != b.st_ctim.tv_nsec)))
    return _kette_fail (error, KETTE_ERROR_IO, NULL, "changed while it was read");
  return TRUE;
}

void
_kette_file_close (KetteFile *self)
{
  _kette_system.close (self->fd);
  if (self->folder >= 0)
    _kette_system.close (self->folder);
  g_clear_pointer (&self->bytes, g_bytes_unref);
  self->fd = self->folder = -1;
}

GBytes *
_kette_read_file (const char *file, GError **error)
{
  KetteFile f;
  GBytes *bytes;

  if (!_kette_file_open (&f, file, PTRDIFF_MAX, error))
    {
      _kette_error_in_file (error, file);
      return NULL;
    }
  bytes = g_bytes_ref (f.bytes);
  _kette_file_close (&f);
  return bytes;
}
