/* SPDX-License-Identifier: Apache-2.0
 * How a model is loaded: a caller's options with all defaults filled in.
 */
#pragma once
#include "base/error.h"
#include "base/limits-private.h"
#include "io/io.h"

typedef struct
{
  KetteLimits limits;
  KetteLoadFlags flags;
  const char *const *data_roots; /* NULL: none */
  GCancellable *cancellable;     /* or NULL */
  KetteFaults *faults;           /* NULL: the first fault ends loading */
} KetteLoading;
