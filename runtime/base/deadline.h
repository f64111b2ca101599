/* SPDX-License-Identifier: Apache-2.0
 * Public: a cancellable that also stops at a point in time, or by a signal.
 */
#pragma once
#include "base/kette-base.h"

G_BEGIN_DECLS

/**
 * KetteDeadline:
 *
 * A #GCancellable for everything in Kette that takes one. Work that was given it ends with
 * `cancel` when it is cancelled or kette_deadline_interrupt() was called, and with `timeout`
 * when its time is over. Functions without a parameter for it look at the one that
 * g_cancellable_push_current() made the thread's own.
 */
#define KETTE_TYPE_DEADLINE (kette_deadline_get_type ())
KETTE_EXPORT GType kette_deadline_get_type (void);
G_DECLARE_FINAL_TYPE (KetteDeadline, kette_deadline, KETTE, DEADLINE, GCancellable)

/**
 * kette_deadline_new:
 * @seconds: how long the work may take, from now on; 0: no time limit
 *
 * Returns: (transfer full): a deadline
 */
KETTE_EXPORT KetteDeadline *kette_deadline_new (double seconds);
/**
 * kette_deadline_set_seconds:
 * @self: a deadline that no work was given yet
 * @seconds: how long the work may take, from the making of @self on; 0: no time limit
 */
KETTE_EXPORT void kette_deadline_set_seconds (KetteDeadline *self, double seconds);
/**
 * kette_deadline_interrupt:
 * @self: a deadline
 * @signal: why: the number of a signal, not 0
 *
 * Stops the work as g_cancellable_cancel() does, but may be called by a signal handler: it
 * sets one lock-free word.
 */
KETTE_EXPORT void kette_deadline_interrupt (KetteDeadline *self, int signal);
/**
 * kette_deadline_get_signal:
 * @self: a deadline
 *
 * May be called by a signal handler.
 *
 * Returns: what kette_deadline_interrupt() was given last, or 0
 */
KETTE_EXPORT int kette_deadline_get_signal (KetteDeadline *self);
/**
 * kette_deadline_check:
 * @self: a deadline
 * @where: (nullable): the WHERE of the error
 * @error: return location
 *
 * For a program's own long work.
 *
 * Returns: %FALSE with `cancel` or `timeout` when it is time to stop
 */
KETTE_EXPORT gboolean kette_deadline_check (KetteDeadline *self, const char *where,
                                            GError **error);

G_END_DECLS
