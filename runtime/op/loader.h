/* SPDX-License-Identifier: Apache-2.0
 * Plugin files: what was loaded, and why others were not.
 */
#pragma once
#include "op/context.h"

typedef struct
{
  char *path, *name;
  char *reason;   /* why it is refused; NULL: loaded */
  gboolean trust; /* whoever may write it */
  gboolean again; /* memory ran out: it is tried again at the next call */
  void *handle;
  size_t n_ops, n_kernels;
} KettePluginFile;

const KettePluginFile *_kette_plugins_nth (guint i); /* NULL beyond the last */
