/* SPDX-License-Identifier: Apache-2.0
 * The table of file calls as it is outside tests. Where faults are compiled in, each call asks
 * first whether it is the one to fail; what gives something back does so all the same.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/system.h"
#include "base/faults.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Returns RESULT, with errno set, when this call is to fail. */
#define FAIL_HERE(result)                                                                \
  do                                                                                     \
    {                                                                                    \
      const int number_ = _kette_fault_io ();                                            \
      if (number_ > 0)                                                                   \
        {                                                                                \
          errno = number_;                                                               \
          return result;                                                                 \
        }                                                                                \
    }                                                                                    \
  while (0)

static int
system_openat (int folder, const char *name, int flags, mode_t mode)
{
  FAIL_HERE (-1);
  return openat (folder, name, flags, mode);
}

static int
system_openat2 (int folder, const char *name, uint64_t flags, uint64_t resolve)
{
  struct open_how how = { .flags = flags, .resolve = resolve };

  FAIL_HERE (-1);
  return (int) syscall (SYS_openat2, folder, name, &how, sizeof how);
}

static int
system_fstat (int fd, struct stat *out)
{
  FAIL_HERE (-1);
  return fstat (fd, out);
}

static int
system_fstatat (int folder, const char *name, struct stat *out, int flags)
{
  FAIL_HERE (-1);
  return fstatat (folder, name, out, flags);
}

static char *
system_realpath (const char *name)
{
  FAIL_HERE (NULL);
  return realpath (name, NULL);
}

static ssize_t
system_read (int fd, void *data, size_t n)
{
  const int number = _kette_fault_io ();

  if (number > 0)
    {
      errno = number;
      return -1;
    }
  return read (fd, data, number == KETTE_FAULT_SHORT ? n - n / 2 : n);
}

static ssize_t
system_write (int fd, const void *data, size_t n)
{
  const int number = _kette_fault_io ();

  if (number > 0)
    {
      errno = number;
      return -1;
    }
  return write (fd, data, number == KETTE_FAULT_SHORT ? n - n / 2 : n);
}

static int
system_fsync (int fd)
{
  FAIL_HERE (-1);
  return fsync (fd);
}

static int
system_fchmod (int fd, mode_t mode)
{
  FAIL_HERE (-1);
  return fchmod (fd, mode);
}

static int
system_flock (int fd, int operation)
{
  FAIL_HERE (-1);
  return flock (fd, operation);
}

static int
system_dup (int fd)
{
  FAIL_HERE (-1);
  return fcntl (fd, F_DUPFD_CLOEXEC, 3);
}

static int
system_renameat (int folder, const char *from, const char *to)
{
  FAIL_HERE (-1);
  return renameat (folder, from, folder, to);
}

static int
system_linkat (int folder, const char *from, const char *to)
{
  FAIL_HERE (-1);
  return linkat (folder, from, folder, to, 0);
}

static ssize_t
system_readlinkat (int folder, const char *name, char *out, size_t n)
{
  FAIL_HERE (-1);
  return readlinkat (folder, name, out, n);
}

static int
system_unlinkat (int folder, const char *name)
{
  FAIL_HERE (-1);
  return unlinkat (folder, name, 0);
}

static int
system_close (int fd)
{
  const int result = close (fd);

  FAIL_HERE (-1);
  return result;
}

static void *
system_map (int fd, size_t n)
{
  FAIL_HERE (MAP_FAILED);
  return mmap (NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
}

static int
system_unmap (void *data, size_t n)
{
  const int result = munmap (data, n);

  FAIL_HERE (-1);
  return result;
}

static DIR *
system_opendir (const char *name)
{
  FAIL_HERE (NULL);
  return opendir (name);
}

static struct dirent *
system_readdir (DIR *dir)
{
  FAIL_HERE (NULL);
  return readdir (dir);
}

static int
system_closedir (DIR *dir)
{
  const int result = closedir (dir);

  FAIL_HERE (-1);
  return result;
}

KetteSystem _kette_system = {
  .openat     = system_openat,
  .openat2    = system_openat2,
  .fstat      = system_fstat,
  .fstatat    = system_fstatat,
  .realpath   = system_realpath,
  .read       = system_read,
  .write      = system_write,
  .fsync      = system_fsync,
  .fchmod     = system_fchmod,
  .flock      = system_flock,
  .dup        = system_dup,
  .renameat   = system_renameat,
  .linkat     = system_linkat,
  .unlinkat   = system_unlinkat,
  .readlinkat = system_readlinkat,
  .close      = system_close,
  .map        = system_map,
  .unmap      = system_unmap,
  .opendir    = system_opendir,
  .readdir    = system_readdir,
  .closedir   = system_closedir,
};
