/* SPDX-License-Identifier: Apache-2.0
 * The file calls of the library in one table, so that tests can make the N-th of them fail.
 */
#pragma once
#include "base/error.h"
#include <sys/stat.h>
#include <sys/types.h>

typedef struct
{
  int (*openat) (int folder, const char *name, int flags, mode_t mode);
  int (*fstat) (int fd, struct stat *out);
  ssize_t (*read) (int fd, void *data, size_t n);
  ssize_t (*write) (int fd, const void *data, size_t n);
  int (*fsync) (int fd);
  int (*renameat) (int folder, const char *from, const char *to);
  int (*linkat) (int folder, const char *from, const char *to);
  int (*unlinkat) (int folder, const char *name);
  int (*close) (int fd);
  void *(*map) (int fd, size_t n);
} KetteSystem;

extern KetteSystem _kette_system;
