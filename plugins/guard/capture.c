/* SPDX-License-Identifier: Apache-2.0
 *
 * capture.c: recordings. While one is open it is as strict as the strictest device: no waiting,
 * no allocation, no memory of the host that may move, no edge to work outside.
 */
#include "guard.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int guard_captures;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Recording *open_one; /* one at a time */

kt_status
guard_forbid_all (kt_call *call, const char *what)
{
  pthread_mutex_lock (&lock);
  if (open_one && !open_one->broken)
    {
      open_one->broken = true;
      snprintf (open_one->text, sizeof open_one->text, "%s while work was recorded",
                what);
    }
  pthread_mutex_unlock (&lock);
  return guard_fail (call, KT_E_DEVICE, "%s while work was recorded", what);
}

kt_status
guard_capture_begin (kt_call *call, kt_stream *stream)
{
  Stream *s    = (Stream *) stream;
  Recording *r = NULL;

  if (s->knobs.no_capture)
    return guard_fail (call, KT_E_UNSUPPORTED, "recording is switched off");
  pthread_mutex_lock (&lock);
  if (!open_one && (r = calloc (1, sizeof *r)))
    {
      r->origin  = s;
      r->last    = &r->first;
      open_one   = r;
      s->capture = r;
      guard_captures++;
      guard_hand_out (1);
    }
  pthread_mutex_unlock (&lock);
  return r ? KT_OK
           : guard_fail (call, KT_E_DEVICE, "another recording is open, or no memory");
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
  if (!r || r->origin != s)
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
  pthread_mutex_lock (&lock);
  open_one = NULL;
  guard_captures--;
  pthread_mutex_unlock (&lock);
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
