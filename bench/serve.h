/* SPDX-License-Identifier: Apache-2.0
 * A program that the driver (bench.py) holds at the other end of two pipes, so that its rounds
 * alternate with those of other programs. Lines in:
 *
 *   run SUBJECT STEPS   ->  {"seconds": S}
 *   check FILE          ->  {"floats": N}: what must be equal in all programs, as f32
 *   the end of the file ->  the program ends
 *
 * The first line out is {"ready": [SUBJECT, ...], "version": "..."}, after the first step.
 */
#pragma once
#include "measure.h"
#include <stdio.h>

/* Writes the numbers to compare; how many, or -1. */
typedef long bench_check (void *user, FILE *file);
int bench_serve (const bench_subject *subjects, int n, bench_check *check, void *user,
                 const char *version);
