/* SPDX-License-Identifier: Apache-2.0
 * All file calls of the library in one table: tests make the N-th of them fail, or record
 * them. A lint test finds calls that go past it.
 */
#pragma once
#include "base/error.h"
#include <dirent.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

typedef struct
{
  int (*openat) (int folder, const char *name, int flags, mode_t mode);
  /* openat2 without a mode; -1 with ENOSYS where the kernel has none. */
  int (*openat2) (int folder, const char *name, uint64_t flags, uint64_t resolve);
  int (*fstat) (int fd, struct stat *out);
  int (*fstatat) (int folder, const char *name, struct stat *out, int flags);
  char *(*realpath) (const char *name); /* for free() */
  ssize_t (*read) (int fd, void *data, size_t n);
  ssize_t (*write) (int fd, const void *data, size_t n);
  int (*fsync) (int fd);
  int (*fchmod) (int fd, mode_t mode);
  int (*flock) (int fd, int operation);
  int (*dup) (int fd); /* closed on exec */
  int (*renameat) (int folder, const char *from, const char *to);
  int (*linkat) (int folder, const char *from, const char *to);
  int (*unlinkat) (int folder, const char *name);
  ssize_t (*readlinkat) (int folder, const char *name, char *out, size_t n);
  int (*close) (int fd); /* the descriptor is gone, whatever the result */
  void *(*map) (int fd, size_t n);
  int (*unmap) (void *data, size_t n);
  DIR *(*opendir) (const char *name);
  struct dirent *(*readdir) (DIR *dir);
  int (*closedir) (DIR *dir);
} KetteSystem;

extern KetteSystem _kette_system;
