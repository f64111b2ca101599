/* SPDX-License-Identifier: Apache-2.0
 * Random numbers as a pure function: Philox 4x32-10 (Salmon et al., SC 2011).
 *
 * key = seed + 64-bit hash of the stream's name; counter = (element / 4, step), 64 bits each.
 * No state to store: a resumed run, or one with more threads, draws the same numbers.
 */
#pragma once
#include "base/error.h"
#include <stdint.h>

void _kette_philox (const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);
/* Key of the stream NAME in a run with SEED. */
void _kette_random_key (uint64_t seed, const char *name, uint32_t key[2]);
/* A permutation of 0..n-1 (Fisher-Yates) of the stream key at STEP. */
void _kette_random_permutation (const uint32_t key[2], uint64_t step, uint32_t *order,
                                uint32_t n);
/* Element I of the stream at STEP: uniform in [0,1), 24 bits; normal by Box-Muller. */
float _kette_random_uniform (const uint32_t key[2], uint64_t step, uint64_t i);
