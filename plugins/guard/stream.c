/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.c: the host's side of streams and events. Clocks are set while work is given, because
 * they follow from what the host said, not from when something ran.
 */
#include "guard.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Stream *streams[MOST_STREAMS]; /* threads that are there stay */
uint32_t guard_n_streams;

static Stream *
start (uint32_t id)
{
  Stream *s = calloc (1, sizeof *s);

  if (!s)
    return NULL;
  s->id        = id;
  s->wanted    = UINT64_MAX;
  s->done_last = s->last = calloc (1, sizeof (Op)); /* done before there was any */
  if (!s->last)
    {
      free (s);
      return NULL;
    }
  pthread_mutex_init (&s->lock, NULL);
  pthread_cond_init (&s->wake, NULL);
  pthread_cond_init (&s->progress, NULL);
  if (pthread_create (&s->thread, NULL, guard_work, s) == 0)
    return s;
  free (s->last);
  free (s);
  return NULL;
}

bool
guard_is_stream (pthread_t thread)
{
  const uint32_t n = __atomic_load_n (&guard_n_streams, __ATOMIC_ACQUIRE);

  for (uint32_t i = 0; i < n; i++)
    if (pthread_equal (streams[i]->thread, thread))
      return true;
  return false;
}

kt_status
guard_stream_new (kt_call *call, void *device, kt_stream **stream)
{
  const Knobs knobs = *guard_knobs ();
  Stream *s         = NULL;

  pthread_mutex_lock (&lock);
  for (uint32_t i = 0; i < guard_n_streams && !s; i++)
    if (!streams[i]->taken)
      s = streams[i];
  if (!s && guard_n_streams < MOST_STREAMS && (s = start (guard_n_streams)))
    {
      streams[guard_n_streams] = s;
      __atomic_store_n (&guard_n_streams, guard_n_streams + 1, __ATOMIC_RELEASE);
    }
  if (s)
    {
      s->device = device;
      s->taken  = true;
      s->random = (knobs.seed * 2654435761u + s->id * 40503u) | 1;
      s->knobs  = knobs;
    }
  pthread_mutex_unlock (&lock);
  guard_hand_out (s ? 1 : 0);
  *stream = (kt_stream *) s;
  return s ? KT_OK
           : guard_fail (call, KT_E_NOMEM, "there are %u streams already",
                         guard_n_streams);
}

void
guard_stream_free (kt_stream *stream)
{
  Stream *s = (Stream *) stream;

  guard_await (s, s->given, NULL);
  guard_hand_out (-1);
  pthread_mutex_lock (&lock);
  s->taken   = false;
  s->status  = KT_OK;
  s->sick    = 0;
  s->capture = NULL;
  pthread_mutex_unlock (&lock);
}

void
guard_leave (const Recording *recording)
{
  pthread_mutex_lock (&lock);
  for (uint32_t i = 0; i < guard_n_streams; i++)
    if (streams[i]->capture == recording)
      streams[i]->capture = NULL;
  pthread_mutex_unlock (&lock);
}

kt_status
guard_event_new (kt_call *call, void *device, kt_event **event)
{
  (void) device;
  *event = calloc (1, sizeof (Event));
  guard_hand_out (*event ? 1 : 0);
  return *event ? KT_OK : guard_fail (call, KT_E_NOMEM, "no memory for an event");
}

void
guard_event_free (kt_event *event)
{
  guard_hand_out (event ? -1 : 0);
  free (event);
}

void
guard_stream_failed (Stream *stream, kt_status status, const char *text)
{
  pthread_mutex_lock (&stream->lock);
  if (stream->status == KT_OK)
    {
      stream->status = stream->last_status = status;
      stream->sick                         = stream->done + 1;
      stream->well                         = UINT64_MAX;
      snprintf (stream->text, sizeof stream->text, "%s", text);
    }
  pthread_mutex_unlock (&stream->lock);
}

static kt_status
told (kt_call *call, Stream *s, bool forget)
{
  char text[TEXT];

  pthread_mutex_lock (&s->lock);
  const kt_status status = s->status;
  memcpy (text, s->text, sizeof text);
  if (forget && s->status != KT_OK)
    {
      s->status = KT_OK;
      s->well   = s->given;
    }
  pthread_mutex_unlock (&s->lock);
  return status == KT_OK ? KT_OK : guard_fail (call, status, "%s", text);
}

Op *
guard_op (kt_call *call, Stream *s, OpKind kind, const char *label)
{
  Op *op = s->spare;

  if (!op)
    op = __atomic_exchange_n (&s->returned, NULL, __ATOMIC_ACQUIRE);
  s->spare = op ? op->next : NULL;
  if (!op && !(op = calloc (1, sizeof *op)))
    {
      guard_fail (call, KT_E_NOMEM, "no memory for an operation");
      return NULL;
    }
  op->next        = NULL;
  op->kind        = kind;
  op->label       = label;
  op->fails       = false;
  op->is_lost     = false;
  op->spills      = false;
  op->lingers     = false;
  op->n_ranges    = 0;
  op->ranges      = NULL;
  op->to_device   = NULL;
  op->from_device = NULL;
  return op;
}

void
guard_give (Stream *s, Op *op)
{
  pthread_mutex_lock (&guard_clocks);
  guard_merge (&s->clock, &guard_host_clock);
  s->clock.at[s->id]++;
  guard_set_clock (&op->clock, &s->clock);
  pthread_mutex_unlock (&guard_clocks);
  if (s->capture)
    {
      guard_record_op (s, op);
      return;
    }
  __atomic_store_n (&s->last->next, op, __ATOMIC_RELEASE);
  s->last = op;
  s->given++;
  if (s->knobs.lazy)
    return;
  __atomic_store_n (&s->released, s->given, __ATOMIC_SEQ_CST);
  if (__atomic_load_n (&s->sleeping, __ATOMIC_SEQ_CST))
    {
      pthread_mutex_lock (&s->lock);
      pthread_cond_signal (&s->wake);
      pthread_mutex_unlock (&s->lock);
    }
}

void
guard_await (Stream *s, uint64_t seq, Stream *into)
{
  char text[TEXT];

  pthread_mutex_lock (&s->lock);
  if (__atomic_load_n (&s->released, __ATOMIC_SEQ_CST) < seq)
    {
      __atomic_store_n (&s->released, seq, __ATOMIC_SEQ_CST);
      pthread_cond_signal (&s->wake);
    }
  for (;;)
    { /* said before it is looked at, so that one of the two sees the other */
      if (seq < __atomic_load_n (&s->wanted, __ATOMIC_RELAXED))
        __atomic_store_n (&s->wanted, seq, __ATOMIC_SEQ_CST);
      if (__atomic_load_n (&s->done, __ATOMIC_SEQ_CST) >= seq)
        break;
      pthread_cond_wait (&s->progress, &s->lock);
    }
  const kt_status status
      = s->sick && seq >= s->sick && seq <= s->well ? s->last_status : KT_OK;
  memcpy (text, s->text, sizeof text);
  pthread_mutex_unlock (&s->lock);
  if (into && status != KT_OK)
    guard_stream_failed (into, status, text);
}

kt_status
guard_record (kt_call *call, kt_stream *stream, kt_event *event)
{
  Stream *s = (Stream *) stream;
  Event *e  = (Event *) event;

  (void) call;
  e->stream   = s;
  e->seq      = s->given;
  e->recorded = s->capture ? s->capture->id : 0;
  pthread_mutex_lock (&guard_clocks);
  guard_set_clock (&e->clock, &s->clock);
  pthread_mutex_unlock (&guard_clocks);
  return KT_OK;
}

kt_status
guard_wait (kt_call *call, kt_stream *stream, kt_event *event)
{
  Stream *s = (Stream *) stream;
  Event *e  = (Event *) event;

  if (!e->stream || guard_count (&guard_known.deaf))
    return KT_OK;
  Recording *r = e->recorded ? guard_recording () : NULL;
  if (e->recorded && (!r || r->id != e->recorded))
    return guard_forbid (call, "a stream was to wait for an event of another recording");
  if (e->recorded && !s->capture)
    s->capture = r;
  if (s->capture && s->capture->id != e->recorded)
    return guard_forbid (call,
                         "a stream was to wait for what is not part of the recording");
  if (!s->capture)
    {
      Op *op = guard_op (call, s, OP_WAIT, NULL);
      if (!op)
        return KT_E_NOMEM;
      op->of  = e->stream;
      op->seq = e->seq;
      guard_give (s, op);
    }
  pthread_mutex_lock (&guard_clocks);
  guard_merge (&s->clock, &e->clock);
  pthread_mutex_unlock (&guard_clocks);
  return KT_OK;
}

kt_status
guard_wait_host (kt_call *call, kt_event *event)
{
  Event *e = (Event *) event;

  if (guard_recording () || e->recorded)
    return guard_forbid (call, "the host waited for an event");
  if (!e->stream)
    return KT_OK;
  guard_await (e->stream, e->seq, NULL);
  pthread_mutex_lock (&guard_clocks);
  guard_merge (&guard_host_clock, &e->clock);
  pthread_mutex_unlock (&guard_clocks);
  return told (call, e->stream, false);
}

kt_status
guard_synchronize (kt_call *call, kt_stream *stream)
{
  Stream *s = (Stream *) stream;

  if (guard_recording () || s->capture)
    return guard_forbid (call, "the host waited for a stream");
  guard_await (s, s->given, NULL);
  pthread_mutex_lock (&guard_clocks);
  guard_merge (&guard_host_clock, &s->clock);
  pthread_mutex_unlock (&guard_clocks);
  return told (call, s, true);
}
