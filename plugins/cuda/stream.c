/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.c: streams and events, which are kept for the next run, and copies. Pageable memory
 * is copied by way of pinned stages, so that the host need not wait; the driver does that
 * itself, waiting, with what is too large for them.
 */
#include "device.h"
#include "kernels/faults.h"
#include <stdlib.h>
#include <string.h>

/* -- streams ------------------------------------------------------------------------------- */

kt_status
cu_stream_new (kt_call *call, void *device, kt_stream **stream)
{
  CuDevice *d      = device;
  kt_status status = cu_enter (call, d);
  kt_stream *s;

  *stream = NULL;
  if (status != KT_OK)
    return status;
  pthread_mutex_lock (&d->lock);
  if ((s = d->idle_streams))
    d->idle_streams = s->next;
  pthread_mutex_unlock (&d->lock);
  if (!s)
    {
      if (!(s = calloc (1, sizeof *s)))
        return cu_fail (cu_host, call, KT_E_NOMEM, "no memory");
      s->device = d;
      status    = cu_told (call, d,
                           cu.StreamCreateWithFlags (&s->handle, cudaStreamNonBlocking),
                           "cudaStreamCreate");
      if (status != KT_OK)
        {
          free (s);
          return status;
        }
    }
  *stream = s;
  return KT_OK;
}

/* A stream whose recording was broken off is no good any more. */
static bool
is_clean (const kt_stream *s)
{
  enum cudaStreamCaptureStatus capture;

  if (s->device->lost)
    return false;
  if (cu.StreamIsCapturing (s->handle, &capture) == cudaSuccess)
    return capture == cudaStreamCaptureStatusNone;
  cu.GetLastError ();
  return false;
}

void
cu_stream_free (kt_stream *s)
{
  CuDevice *d = s->device;

  cu_use (d);
  /* The last synchronize failed: what is on its way yet? Rather wait once more than give stages
   * away that are read or written. */
  if (s->stages && !d->lost)
    {
      cu.StreamSynchronize (s->handle);
      cu.GetLastError ();
    }
  cu_unstage (s);
  if (!is_clean (s))
    {
      cu.StreamDestroy (s->handle);
      cu.GetLastError ();
      free (s);
      return;
    }
  pthread_mutex_lock (&d->lock);
  s->next         = d->idle_streams;
  d->idle_streams = s;
  pthread_mutex_unlock (&d->lock);
}

kt_status
cu_synchronize (kt_call *call, kt_stream *s)
{
  kt_status status = cu_enter (call, s->device);

  if (status == KT_OK)
    status = cu_told (call, s->device, cu.StreamSynchronize (s->handle),
                      "cudaStreamSynchronize");
  if (status == KT_OK || s->device->lost) /* else work may be on its way */
    cu_unstage (s);
  return status != KT_OK ? status : cu_faults (call);
}

/* -- events -------------------------------------------------------------------------------- */

/* E's handle for what is recorded on D. */
static kt_status
handle_on (kt_call *call, CuDevice *d, kt_event *e)
{
  if (e->handles[d->index])
    return KT_OK;
  return cu_told (call, d,
                  cu.EventCreateWithFlags (&e->handles[d->index], cudaEventDisableTiming),
                  "cudaEventCreate");
}

static void
destroy_event (kt_event *e)
{
  for (int i = 0; i < CU_MOST; i++)
    if (e->handles[i])
      cu.EventDestroy (e->handles[i]);
  free (e);
}

kt_status
cu_event_new (kt_call *call, void *device, kt_event **event)
{
  CuDevice *d      = device;
  kt_status status = cu_enter (call, d);
  kt_event *e;

  *event = NULL;
  if (status != KT_OK)
    return status;
  pthread_mutex_lock (&d->lock);
  if ((e = d->idle_events))
    d->idle_events = e->next;
  pthread_mutex_unlock (&d->lock);
  if (!e)
    {
      if (!(e = calloc (1, sizeof *e)))
        return cu_fail (cu_host, call, KT_E_NOMEM, "no memory");
      e->device = d;
      status    = handle_on (call, d, e);
      if (status != KT_OK)
        {
          free (e);
          return status;
        }
    }
  e->recorded = -1;
  *event      = e;
  return KT_OK;
}

void
cu_event_free (kt_event *e)
{
  CuDevice *d = e->device;

  pthread_mutex_lock (&d->lock);
  e->next        = d->idle_events;
  d->idle_events = e;
  pthread_mutex_unlock (&d->lock);
}

kt_status
cu_record (kt_call *call, kt_stream *s, kt_event *e)
{
  CuDevice *d      = s->device;
  kt_status status = cu_enter (call, d);

  if (status == KT_OK)
    status = handle_on (call, d, e);
  if (status == KT_OK)
    status = cu_told (call, d, cu.EventRecord (e->handles[d->index], s->handle),
                      "cudaEventRecord");
  if (status == KT_OK)
    e->recorded = d->index;
  return status;
}

/* What was never recorded is no reason to wait. */
kt_status
cu_wait (kt_call *call, kt_stream *s, kt_event *e)
{
  const kt_status status = cu_enter (call, s->device);

  return status != KT_OK || e->recorded < 0
             ? status
             : cu_told (call, s->device,
                        cu.StreamWaitEvent (s->handle, e->handles[e->recorded], 0),
                        "cudaStreamWaitEvent");
}

kt_status
cu_wait_host (kt_call *call, kt_event *e)
{
  CuDevice *d      = e->recorded < 0 ? e->device : cu_opened (e->recorded);
  kt_status status = d ? cu_enter (call, d) : KT_OK;

  if (status == KT_OK && d && e->recorded >= 0)
    status = cu_told (call, d, cu.EventSynchronize (e->handles[e->recorded]),
                      "cudaEventSynchronize");
  return status != KT_OK ? status : cu_faults (call);
}

/* -- copies -------------------------------------------------------------------------------- */

/* What is left to do when the bytes have come: lies in the stage, before them. */
typedef struct
{
  void *to;
  size_t bytes;
} Delivery;

enum
{
  HEADER = 64
};

static void CUDART_CB
deliver (void *stage)
{
  const Delivery *d = stage;

  memcpy (d->to, (unsigned char *) stage + HEADER, d->bytes);
}

static cudaError_t
copy_in (kt_stream *s, void *to, const void *from, size_t bytes)
{
  void *stage = cu_is_pinned (s->device, from, bytes) ? NULL : cu_stage (s, bytes);

  if (stage)
    from = memcpy (stage, from, bytes);
  return cu.MemcpyAsync (to, from, bytes, cudaMemcpyHostToDevice, s->handle);
}

static cudaError_t
copy_out (kt_stream *s, void *to, const void *from, size_t bytes)
{
  unsigned char *stage
      = cu_is_pinned (s->device, to, bytes) ? NULL : cu_stage (s, bytes + HEADER);
  cudaError_t error;

  if (!stage)
    return cu.MemcpyAsync (to, from, bytes, cudaMemcpyDeviceToHost, s->handle);
  *(Delivery *) stage = (Delivery){ to, bytes };
  error = cu.MemcpyAsync (stage + HEADER, from, bytes, cudaMemcpyDeviceToHost, s->handle);
  return error == cudaSuccess ? cu.LaunchHostFunc (s->handle, deliver, stage) : error;
}

kt_status
cu_copy (kt_call *call, kt_stream *s, int32_t direction, void *to, const void *from,
         size_t bytes, void *peer, const char *label)
{
  CuDevice *d                          = s->device;
  const CuDevice *other                = peer;
  const kt_status status               = cu_enter (call, d);
  const void *host                     = direction == KT_COPY_IN ? from : to;
  enum cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
  cudaError_t error;

  if (status != KT_OK || bytes == 0)
    return status;
  if ((direction == KT_COPY_IN || direction == KT_COPY_OUT)
      && !cu_is_pinned (d, host, bytes)
      && cu.StreamIsCapturing (s->handle, &capture) == cudaSuccess
      && capture != cudaStreamCaptureStatusNone)
    return cu_fail (cu_host, call, KT_E_DEVICE,
                    "%s: pageable memory is copied inside a recording",
                    label ? label : "a copy");
  switch (direction)
    {
    case KT_COPY_IN:
      error = copy_in (s, to, from, bytes);
      break;
    case KT_COPY_OUT:
      error = copy_out (s, to, from, bytes);
      break;
    case KT_COPY_WITHIN:
      error = cu.MemcpyAsync (to, from, bytes, cudaMemcpyDeviceToDevice, s->handle);
      break;
    case KT_COPY_PEER:
      if (!other)
        return cu_fail (cu_host, call, KT_E_INTERNAL, "a copy to no device");
      error = cu.MemcpyPeerAsync (to, other->index, from, d->index, bytes, s->handle);
      break;
    default:
      return cu_fail (cu_host, call, KT_E_INTERNAL, "a copy in direction %d", direction);
    }
  return cu_told (call, d, error, label ? label : "cudaMemcpyAsync");
}

void
cu_streams_clear (CuDevice *d)
{
  while (d->idle_streams)
    {
      kt_stream *s    = d->idle_streams;
      d->idle_streams = s->next;
      cu.StreamDestroy (s->handle);
      free (s);
    }
  while (d->idle_events)
    {
      kt_event *e    = d->idle_events;
      d->idle_events = e->next;
      destroy_event (e);
    }
}
