/* SPDX-License-Identifier: Apache-2.0
 *
 * capture.c: recordings, each of the thread that began it. While it is open that thread is held as
 * strictly as by the strictest device: no waiting, no allocation, no memory of the host that may
 * move, no edge to work outside.
 */
#include "guard.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Recording *open_ones;
static int n_open;

Recording *
guard_recording (void)
{
  Recording *r;

  if (__atomic_load_n (&n_open, __ATOMIC_ACQUIRE) == 0)
    return NULL;
  pthread_mutex_lock (&lock);
  for (r = open_ones; r && !pthread_equal (r->owner, pthread_self ());)
    r = r->next;
  pthread_mutex_unlock (&lock);
  return r;
}

static void
enter (Recording *r)
{
  pthread_mutex_lock (&lock);
  r->owner  = pthread_self ();
  r->next   = open_ones;
  open_ones = r;
  __atomic_add_fetch (&n_open, 1, __ATOMIC_RELEASE);
  pthread_mutex_unlock (&lock);
}

static void
leave (const Recording *r)
{
  Recording **at = &open_ones;

  pthread_mutex_lock (&lock);
  while (*at != r)
    at = &(*at)->next;
  *at = r->next;
  __atomic_sub_fetch (&n_open, 1, __ATOMIC_RELEASE);
  pthread_mutex_unlock (&lock);
}

static void
spoil (Recording *r, const char *what)
{
  if (!r || r->broken)
    return;
  r->broken = true;
  snprintf (r->text, sizeof r->text, "%s while work was recorded", what);
}

kt_status
guard_forbid (kt_call *call, const char *what)
{
  spoil (guard_recording (), what);
  return guard_fail (call, KT_E_DEVICE, "%s while work was recorded", what);
}

kt_status
guard_capture_begin (kt_call *call, kt_stream *stream)
{
  static uint64_t last_id;
  Stream *s = (Stream *) stream;
  Recording *r;

  if (s->knobs.no_capture)
    return guard_fail (call, KT_E_UNSUPPORTED, "recording is switched off");
  if (guard_recording () || s->capture)
    return guard_fail (call, KT_E_DEVICE, "another recording is open");
  if (!(r = calloc (1, sizeof *r)))
    return guard_fail (call, KT_E_NOMEM, "no memory for a recording");
  r->id      = __atomic_add_fetch (&last_id, 1, __ATOMIC_RELAXED);
  r->origin  = s;
  r->last    = &r->first;
  s->capture = r;
  enter (r);
  guard_hand_out (1);
  return KT_OK;
}

void
guard_record_op (Stream *stream, Op *op)
{
  Recording *r = stream->capture;

  *r->last = op;
  r->last  = &op->next;
  r->n++;
  op->of = stream;
}

/* Nothing in R races with anything in R: the clocks are there, and all of memory is new. */
static bool
check (Recording *r, char *text)
{
  typedef struct
  {
    const void *memory;
    size_t bytes;
    const Op *op;
    bool write;
  } Touch;
  size_t n = 0, most = 0;
  bool ok = true;

  for (const Op *op = r->first; op; op = op->next)
    most += op->kind == OP_COPY ? 2 : (size_t) op->n_ranges;
  Touch *all = malloc ((most + 1) * sizeof *all);
  for (const Op *op = r->first; all && op && ok; op = op->next)
    {
      const size_t before = n;
      if (op->kind == OP_COPY && op->from_device)
        all[n++] = (Touch){ op->from, op->bytes, op, false };
      if (op->kind == OP_COPY && op->to_device)
        all[n++] = (Touch){ op->to, op->bytes, op, true };
      for (int32_t k = 0; op->kind == OP_TASK && k < op->n_ranges; k++)
        {
          const kt_range *x = &(op->ranges ? op->ranges : op->listed)[k];
          all[n++]          = (Touch){ x->memory, x->bytes, op, x->write || x->dead };
        }
      for (size_t i = before; i < n && ok; i++)
        for (size_t k = 0; k < before && ok; k++)
          {
            const Op *other = all[k].op;
            const char *a = all[i].memory, *b = all[k].memory;
            const bool order
                = op->clock.at[other->of->id] >= other->clock.at[other->of->id];
            if (order || (!all[i].write && !all[k].write) || a + all[i].bytes <= b
                || b + all[k].bytes <= a)
              continue;
            snprintf (text, TEXT,
                      "race: \"%.80s\" and \"%.80s\" touch the same memory, "
                      "and no event says who is first",
                      op->label ? op->label : "?", other->label ? other->label : "?");
            ok = false;
          }
    }
  free (all);
  return ok;
}

kt_status
guard_capture_end (kt_call *call, kt_stream *stream, kt_recording **recording)
{
  Stream *s    = (Stream *) stream;
  Recording *r = s->capture;
  char text[TEXT];

  *recording = NULL;
  if (!r || r->origin != s || r != guard_recording ())
    return guard_fail (call, KT_E_DEVICE, "this stream records nothing");
  /* All that took part has been waited for. */
  for (const Op *op = r->first; op && !r->broken; op = op->next)
    if (s->clock.at[op->of->id] < op->clock.at[op->of->id])
      {
        r->broken = true;
        snprintf (r->text, sizeof r->text,
                  "\"%.80s\" was recorded, and the first stream did not wait for it",
                  op->label ? op->label : "?");
      }
  if (!r->broken && !check (r, text))
    {
      r->broken = true;
      memcpy (r->text, text, sizeof text);
    }
  guard_leave (r);
  leave (r);
  if (r->broken)
    {
      const kt_status status = guard_fail (call, KT_E_DEVICE, "%s", r->text);
      guard_recording_free ((kt_recording *) r);
      return status;
    }
  *recording = (kt_recording *) r;
  return KT_OK;
}

kt_status
guard_replay (kt_call *call, kt_stream *stream, kt_recording *recording)
{
  Stream *s = (Stream *) stream;
  Op *op    = guard_op (call, s, OP_REPLAY, "replay");

  if (!op)
    return KT_E_NOMEM;
  op->fails     = guard_count (&guard_known.fail);
  op->recording = (Recording *) recording;
  guard_give (s, op);
  return KT_OK;
}

void
guard_recording_free (kt_recording *recording)
{
  Recording *r = (Recording *) recording;

  for (Op *op = r->first, *next; op; op = next)
    {
      next = op->next;
      guard_op_free (op);
    }
  guard_hand_out (-1);
  free (r);
}
