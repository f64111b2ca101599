/* SPDX-License-Identifier: Apache-2.0
 * Limits, as the loader reads them.
 */
#pragma once
#include "base/limits.h"

/* Hard maxima that fixed arrays have room for. */
#define KETTE_MOST_DEPTH 256
#define KETTE_MOST_SUBGRAPH_DEPTH 80
#define KETTE_MOST_RANK 32

/* A caller's limits, or the defaults where there are none. A field that a shorter
 * struct of an older caller lacks, or that is 0, has its default; none is above its maximum. */
void _kette_limits_complete (const KetteLimits *limits, KetteLimits *out);
/* What stands behind a text that tells a passed limit: "; --limit NAME=VALUE allows more", or
 * that the limit is as high as it may be. Returns OUT. */
const char *_kette_limits_hint (const char *name, guint64 value, char out[96]);
/* The defaults; they do not change. */
const KetteLimits *_kette_limits_default (void);
/* All at their hard maxima: for what was loaded before. */
const KetteLimits *_kette_limits_most (void);
