/* SPDX-License-Identifier: Apache-2.0
 *
 * work.c: what streams are given, and the threads that do it.
 */
#include "guard.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum
{
  SPINS = 4000 /* about 20 us without work, then a thread sleeps */
};

/* Which ones of the faults to be found are this operation's. */
static void
spoil (Op *op, const kt_range *ranges, int32_t n)
{
  bool writes = false, ends = false;

  for (int32_t k = 0; k < n; k++)
    {
      writes = writes || ranges[k].write;
      ends   = ends || ranges[k].dead;
    }
  op->spills  = writes && guard_count (&guard_known.spill);
  op->lingers = ends && guard_count (&guard_known.stale);
}

kt_status
guard_execute (kt_call *call, kt_stream *stream, kt_task *task, void *arg,
               const kt_range *ranges, int32_t n, const char *label)
{
  Stream *s = (Stream *) stream;
  Op *op    = guard_op (call, s, OP_TASK, label);

  if (!op)
    return KT_E_NOMEM;
  op->task  = task;
  op->arg   = arg;
  op->fails = guard_count (&guard_known.fail);
  if (op->fails && s->capture)
    {
      guard_op_free (op);
      return guard_forbid (call, "a launch failed on demand");
    }
  if (n > MOST_LISTED && !(op->ranges = malloc ((size_t) n * sizeof *ranges)))
    {
      guard_op_free (op);
      return guard_fail (call, KT_E_NOMEM, "no memory for an operation");
    }
  op->n_ranges = n;
  if (guard_known.spill > 0 || guard_known.stale > 0)
    spoil (op, ranges, n);
  if (n > 0)
    memcpy (op->ranges ? op->ranges : op->listed, ranges, (size_t) n * sizeof *ranges);
  guard_give (s, op);
  return KT_OK;
}

kt_status
guard_copy (kt_call *call, kt_stream *stream, int32_t direction, void *to,
            const void *from, size_t bytes, void *peer, const char *label)
{
  Stream *s = (Stream *) stream;

  if (direction < KT_COPY_IN || direction > KT_COPY_PEER
      || (direction == KT_COPY_PEER && !peer))
    return guard_fail (call, KT_E_INTERNAL, "a copy goes nowhere");
  if (s->capture
      && ((direction == KT_COPY_IN && !guard_is_pinned (from, bytes))
          || (direction == KT_COPY_OUT && !guard_is_pinned (to, bytes))))
    return guard_forbid (call, "a copy used memory of the host that is not pinned");
  Op *op = guard_op (call, s, OP_COPY, label);
  if (!op)
    return KT_E_NOMEM;
  op->fails = guard_count (&guard_known.fail);
  if (op->fails && s->capture)
    {
      guard_op_free (op);
      return guard_forbid (call, "a copy failed on demand");
    }
  op->is_lost = (direction == KT_COPY_IN || direction == KT_COPY_PEER)
                && guard_count (&guard_known.lost);
  op->to          = to;
  op->from        = from;
  op->bytes       = bytes;
  op->to_device   = direction == KT_COPY_OUT    ? NULL
                    : direction == KT_COPY_PEER ? peer
                                                : s->device;
  op->from_device = direction == KT_COPY_IN ? NULL : s->device;
  guard_give (s, op);
  return KT_OK;
}

void
guard_op_free (Op *op)
{
  free (op->ranges);
  free (op);
}

static uint64_t
draw (Stream *s)
{
  s->random ^= s->random << 13;
  s->random ^= s->random >> 7;
  s->random ^= s->random << 17;
  return s->random;
}

static void
pause_us (uint64_t us)
{
  const struct timespec time = { (time_t) (us / 1000000), (long) (us % 1000000) * 1000 };

  nanosleep (&time, NULL);
}

/* Lets others go first, now and then. */
static void
disturb (Stream *s)
{
  if (s->knobs.delay && draw (s) % 4 == 0)
    pause_us (draw (s) % s->knobs.delay);
  if (s->knobs.reorder && draw (s) % 2 == 0)
    for (uint64_t n = draw (s) % 8; n > 0; n--)
      sched_yield ();
  if (s->knobs.reorder && draw (s) % 8 == 0)
    pause_us (draw (s) % 50);
}

static bool
check_copy (const Stream *s, const Op *op, const Clock *clock, char *text)
{
  const kt_range from = { op->from, op->bytes, 0, 0 }, to = { op->to, op->bytes, 1, 0 };

  return (!op->from_device
          || guard_check (false, &from, 1, op->from_device, s->id, clock, op->label,
                          text))
         && (!op->to_device
             || guard_check (false, &to, 1, op->to_device, s->id, clock, op->label,
                             text));
}

/* What a kernel that is wrong would do: go beyond what it writes, or else use what is dead. */
static void
misbehave (const Device *of, const kt_range *ranges, int32_t n, bool spills)
{
  for (int32_t k = 0; k < n; k++)
    if (ranges[k].bytes && (spills ? ranges[k].write : ranges[k].dead))
      {
        volatile uint8_t *at = guard_alias ((void *) (uintptr_t) of, ranges[k].memory);
        if (spills)
          at[ranges[k].bytes] = 7;
        else
          (void) at[0];
        return;
      }
}

static bool
run_task (Stream *s, const Device *of, const Op *op, const Clock *clock,
          kt_status *status, char *text)
{
  const kt_range *ranges = op->ranges ? op->ranges : op->listed;
  const int32_t n        = op->n_ranges;
  const char *label      = op->label ? op->label : "?";

  if (!guard_check (false, ranges, n, of, s->id, clock, label, text))
    return false;
  *status = op->task (op->arg);
  if (op->spills)
    misbehave (of, ranges, n, true);
  if (!guard_inspect (s, ranges, n, label, text))
    return false;
  if (*status != KT_OK)
    {
      snprintf (text, TEXT, "\"%.80s\" failed", label);
      return false;
    }
  if (!guard_check (true, ranges, n, of, s->id, clock, label, text))
    return false;
  for (int32_t k = 0; k < n; k++)
    if (ranges[k].dead && ranges[k].bytes)
      guard_bury (&ranges[k]);
  if (op->lingers)
    {
      misbehave (of, ranges, n, false);
      return guard_inspect (s, ranges, n, label, text);
    }
  return true;
}

/* Anything but a recording. OF: whose stream it was given to. */
static void
run_one (Stream *s, const Op *op, const Clock *clock, const Device *of)
{
  char text[TEXT];
  kt_status status = KT_OK;

  if (s->status != KT_OK && op->kind != OP_WAIT)
    return;
  if (op->fails)
    {
      snprintf (text, sizeof text, "\"%.80s\" failed on demand",
                op->label ? op->label : "?");
      guard_stream_failed (s, KT_E_DEVICE, text);
      return;
    }
  switch (op->kind)
    {
    case OP_WAIT:
      guard_await (op->of, op->seq, s);
      break;
    case OP_TASK:
      if (!run_task (s, of, op, clock, &status, text))
        guard_stream_failed (s, status != KT_OK ? status : KT_E_DEVICE, text);
      break;
    case OP_COPY:
      if (op->is_lost)
        break;
      if (!check_copy (s, op, clock, text))
        guard_stream_failed (s, KT_E_DEVICE, text);
      else if (op->bytes)
        memcpy (op->to_device ? guard_alias (op->to_device, op->to) : op->to,
                op->from_device ? guard_alias (op->from_device, op->from) : op->from,
                op->bytes);
      break;
    case OP_REPLAY:
      break;
    }
}

static void
run_op (Stream *s, const Op *op, const Clock *clock)
{
  const bool works = s->status == KT_OK;

  run_one (s, op, clock, s->device);
  if (works && !op->fails && op->kind == OP_REPLAY)
    for (const Op *each = op->recording->first; each; each = each->next)
      run_one (s, each, clock, each->of->device);
}

static inline void
relax (void)
{
#if defined(__x86_64__)
  __builtin_ia32_pause ();
#endif
}

/* The next operation; sleeps until there is one. */
static Op *
take (Stream *s)
{
  for (int i = 0;
       i < SPINS && __atomic_load_n (&s->released, __ATOMIC_ACQUIRE) == s->done; i++)
    relax ();
  if (__atomic_load_n (&s->released, __ATOMIC_ACQUIRE) == s->done)
    {
      pthread_mutex_lock (&s->lock);
      __atomic_store_n (&s->sleeping, true, __ATOMIC_SEQ_CST);
      while (__atomic_load_n (&s->released, __ATOMIC_SEQ_CST) == s->done)
        pthread_cond_wait (&s->wake, &s->lock);
      __atomic_store_n (&s->sleeping, false, __ATOMIC_SEQ_CST);
      pthread_mutex_unlock (&s->lock);
    }
  return __atomic_load_n (&s->done_last->next, __ATOMIC_ACQUIRE);
}

/* OP is done. It stays, because the next one will hang on it; the one before goes back. */
static void
give_back (Stream *s, Op *op)
{
  Op *before = s->done_last;

  s->done_last = op;
  before->next = __atomic_load_n (&s->returned, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n (&s->returned, &before->next, before, false,
                                       __ATOMIC_RELEASE, __ATOMIC_RELAXED))
    ;
  __atomic_store_n (&s->done, s->done + 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n (&s->wanted, __ATOMIC_SEQ_CST) > s->done)
    return;
  pthread_mutex_lock (&s->lock);
  __atomic_store_n (&s->wanted, UINT64_MAX, __ATOMIC_SEQ_CST);
  pthread_cond_broadcast (&s->progress);
  pthread_mutex_unlock (&s->lock);
}

void *
guard_work (void *stream)
{
  Stream *s = stream;

  for (;;)
    {
      Op *op = take (s);

      disturb (s);
      run_op (s, op, &op->clock);
      free (op->ranges);
      give_back (s, op);
    }
  return NULL;
}
