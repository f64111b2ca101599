/* SPDX-License-Identifier: Apache-2.0
 * The table of file calls as it is outside tests.
 */
#include "io/system.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static int
system_openat (int folder, const char *name, int flags, mode_t mode)
{
  return openat (folder, name, flags, mode);
}

static int
system_fstat (int fd, struct stat *out)
{
  return fstat (fd, out);
}

static int
system_renameat (int folder, const char *from, const char *to)
{
  return renameat (folder, from, folder, to);
}

static int
system_linkat (int folder, const char *from, const char *to)
{
  return linkat (folder, from, folder, to, 0);
}

static int
system_unlinkat (int folder, const char *name)
{
  return unlinkat (folder, name, 0);
}

static void *
system_map (int fd, size_t n)
{
  return mmap (NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
}

KetteSystem _kette_system = {
  .openat   = system_openat,
  .fstat    = system_fstat,
  .read     = read,
  .write    = write,
  .fsync    = fsync,
  .renameat = system_renameat,
  .linkat   = system_linkat,
  .unlinkat = system_unlinkat,
  .close    = close,
  .map      = system_map,
};
