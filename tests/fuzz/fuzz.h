/* SPDX-License-Identifier: Apache-2.0
 * What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput (), linked with
 * libFuzzer (-Dfuzz=true), or with corpus.c as a unit test over its seeds, or with loop.c.
 */
#pragma once
#include "base/alloc.h"
#include "graph/graph-private.h"

/* The names are libFuzzer's. */
int LLVMFuzzerInitialize (int *argc, char ***argv);
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t n);
size_t LLVMFuzzerCustomMutator (uint8_t *data, size_t n, size_t most, unsigned seed);
size_t LLVMFuzzerMutate (uint8_t *data, size_t n, size_t most);

/* Around one input. It has a time limit, and afterwards every byte of the process account is
 * given back. */
void fuzz_begin (const uint8_t *data, size_t n);
void fuzz_end (void);

/* Of every second input one of the next MOST allocations fails, once or from there on (in
 * builds with -Dfaults=true). */
void fuzz_fail_allocations (uint64_t most);

/* A failed call has an error, a successful one has none; the error is of the one form and is
 * not our own fault. Frees it. Returns OK. */
gboolean fuzz_judge (gboolean ok, GError **error);

/* The same for calls that may fail only for want of memory, on purpose, or of time. */
gboolean fuzz_expect (gboolean ok, GError **error, const char *what);

/* Ends the process with a message; for what must never happen. */
G_NORETURN void fuzz_fault (const char *format, ...) G_GNUC_PRINTF (1, 2);

/* How far the inputs of this process got. */
extern struct FuzzReached
{
  uint64_t loaded, planned, ran;
} fuzz_reached;

/* A number that depends on the input alone. */
uint64_t fuzz_random (void);

/* mutate.c: edits the ModelProto of N bytes and packs it again: the new size, at most MOST;
 * 0: it is no model, or the result would be too large. */
size_t fuzz_mutate_model (uint8_t *data, size_t n, size_t most, uint64_t seed);
