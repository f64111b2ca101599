/* SPDX-License-Identifier: Apache-2.0
 * How the command ends before its time: signals, the time limit, crashes.
 */
#pragma once
#include "kette.h"

/* Once, at the beginning. SIGINT and SIGTERM: the first ends the work at its next look, the
 * second the program at once. Crashes are reported with the plugin and node at work. */
void kette_tool_watch (void);
/* From the beginning of the command on; 0: none. */
void kette_tool_set_time_limit (double seconds);
/* What stops the verb. It is also the thread's current cancellable, so that the library's
 * calls look at it that take none. */
GCancellable *kette_tool_deadline (void);
/* The signal that stops the verb; 0: none. */
int kette_tool_signal (void);
