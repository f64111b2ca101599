/* SPDX-License-Identifier: Apache-2.0
 * The thread pool: one per process, used through parallel loops only.
 *
 * The pieces of a loop depend on n and grain alone, never on the number of threads, so that
 * results have the same bits for any number of them. The calling thread takes part; workers
 * spin for about 30 us after a loop and then sleep. A loop inside a loop runs inline.
 */
#pragma once
#include "base/deadline-private.h"
#include "kette-plugin.h"

/* Sets the number of threads, callers included: 1..256; 0: as many as the process may use
 * (affinity mask, cgroup quota). Takes effect at the next loop. Not while one runs. */
void _kette_pool_set_threads (int threads);
int _kette_pool_get_threads (void);
/* Processors of the machine, at least 1, whatever the process may use of them. */
int32_t _kette_pool_get_processors (void);
/* Spin time of idle workers in microseconds; 0: they sleep at once. */
void _kette_pool_set_spin (int microseconds);
void _kette_pool_for (int64_t n, int64_t grain, kt_body *body, void *arg);
/* The same, but STOP (or NULL) is asked before each piece; FALSE: pieces were left out. */
gboolean _kette_pool_for_until (int64_t n, int64_t grain, kt_body *body, void *arg,
                                GCancellable *stop);
