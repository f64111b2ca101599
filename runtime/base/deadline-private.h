/* SPDX-License-Identifier: Apache-2.0
 * Stopping: what long work asks between its steps, tiles and blocks.
 */
#pragma once
#include "base/deadline.h"
#include "base/error.h"

/* Is it time to stop? C: NULL, any GCancellable, or a KetteDeadline. A few nanoseconds, and a
 * look at the clock where there is a time limit. From any thread. */
gboolean _kette_stopped (GCancellable *c);
/* FALSE with `cancel` or `timeout` when it is time to stop. */
gboolean _kette_check_stop (GCancellable *c, const char *where, GError **error);
/* GIVEN, or where that is NULL the thread's own (g_cancellable_push_current). */
GCancellable *_kette_stop_of (GCancellable *given);
