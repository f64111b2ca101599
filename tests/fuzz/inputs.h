/* SPDX-License-Identifier: Apache-2.0
 * Inputs for models that nobody knows.
 */
#pragma once
#include "fuzz.h"

#define FUZZ_MOST_ELEMENTS ((size_t) 1 << 14)

/* A tensor of TYPE with numbers from fuzz_random (); open dims are the same wherever the same
 * symbol stands, BATCH in place of dim 0 unless it is 0. NULL: the type is too large, or none
 * that a tensor can have. */
KetteTensor *fuzz_tensor (const kt_type *type, int64_t batch);
