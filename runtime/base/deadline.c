/* SPDX-License-Identifier: Apache-2.0
 * Deadlines: a GCancellable with a point in time and a word that signal handlers may set.
 */
#include "base/deadline-private.h"
#include <math.h>
#include <signal.h>
#include <stdatomic.h>

struct _KetteDeadline
{
  GCancellable parent;
  double seconds;    /* 0: no limit */
  gint64 start, end; /* microseconds; end 0: none */
  atomic_int signal;
};

G_DEFINE_FINAL_TYPE (KetteDeadline, kette_deadline, G_TYPE_CANCELLABLE)

_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "signal handlers need a lock-free int");

static void
kette_deadline_class_init (KetteDeadlineClass *class)
{
  (void) class;
}

static void
kette_deadline_init (KetteDeadline *self)
{
  self->start = g_get_monotonic_time ();
}

void
kette_deadline_set_seconds (KetteDeadline *self, double seconds)
{
  const double most = 1e9; /* 30 years: what is longer needs no end */
  const gboolean is = seconds > 0 && seconds < most;

  self->seconds = is ? seconds : 0;
  self->end     = is ? self->start + MAX ((gint64) (seconds * 1e6), 1) : 0;
}

KetteDeadline *
kette_deadline_new (double seconds)
{
  KetteDeadline *self = g_object_new (KETTE_TYPE_DEADLINE, NULL);

  kette_deadline_set_seconds (self, seconds);
  return self;
}

void
kette_deadline_interrupt (KetteDeadline *self, int number)
{
  atomic_store (&self->signal, number);
}

int
kette_deadline_get_signal (KetteDeadline *self)
{
  return atomic_load_explicit (&self->signal, memory_order_relaxed);
}

/* The type is final: one comparison, no walk through its ancestors. */
static KetteDeadline *
as_deadline (GCancellable *c)
{
  return G_TYPE_FROM_INSTANCE (c) == kette_deadline_get_type () ? (KetteDeadline *) c
                                                                : NULL;
}

gboolean
_kette_stopped (GCancellable *c)
{
  KetteDeadline *deadline;

  if (!c)
    return FALSE;
  if (g_cancellable_is_cancelled (c))
    return TRUE;
  if (!(deadline = as_deadline (c)))
    return FALSE;
  return kette_deadline_get_signal (deadline) != 0
         || (deadline->end && g_get_monotonic_time () >= deadline->end);
}

static const char *
signal_name (int number)
{
  switch (number)
    {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    default:
      return "a signal";
    }
}

gboolean
_kette_check_stop (GCancellable *c, const char *where, GError **error)
{
  KetteDeadline *deadline;

  if (G_LIKELY (!_kette_stopped (c)))
    return TRUE;
  deadline = as_deadline (c);
  if (deadline && kette_deadline_get_signal (deadline))
    return _kette_fail (error, KETTE_ERROR_CANCEL, where, "stopped by %s",
                        signal_name (kette_deadline_get_signal (deadline)));
  if (g_cancellable_is_cancelled (c))
    return _kette_fail (error, KETTE_ERROR_CANCEL, where, "cancelled");
  return _kette_fail (error, KETTE_ERROR_TIMEOUT, where,
                      "the time limit of %g s passed after %.2f s", deadline->seconds,
                      (double) (g_get_monotonic_time () - deadline->start) / 1e6);
}

gboolean
kette_deadline_check (KetteDeadline *self, const char *where, GError **error)
{
  return _kette_check_stop (G_CANCELLABLE (self), where, error);
}

GCancellable *
_kette_stop_of (GCancellable *given)
{
  return given ? given : g_cancellable_get_current ();
}
