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

/* The options of a public call. FAULTS is used when the caller wants all faults. */
void _kette_loading_init (KetteLoading *self, const KetteLoadOptions *options,
                          KetteFaults *faults);
/* What loading without options means; it does not change. */
const KetteLoading *_kette_loading_default (void);
/* All limits at their hard maxima: for what was loaded before. */
const KetteLoading *_kette_loading_most (void);
