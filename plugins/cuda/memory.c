/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.c: memory of the device from a pool, pinned memory, and the pinned stages through
 * which pageable memory is copied without waiting.
 */
#include "device.h"
#include <stdlib.h>

enum
{
  STAGE       = 1024 * 1024, /* bytes of a stage; a larger piece is left to the driver */
  MOST_STAGES = 16           /* of a stream between two synchronizes                   */
};

kt_status
cu_alloc (kt_call *call, void *device, size_t bytes, void **memory)
{
  CuDevice *d      = device;
  kt_status status = cu_enter (call, d);

  *memory = NULL;
  if (status != KT_OK)
    return status;
  pthread_mutex_lock (&d->lock);
  *memory = cu_pool_take (&d->pool, bytes);
  pthread_mutex_unlock (&d->lock);
  if (*memory)
    return KT_OK;

  size_t left, all;
  status = cu_memory (call, d, &left, &all);
  if (status != KT_OK) /* it is not the memory: the device is lost */
    return status;
  return cu_fail (cu_host, call, KT_E_NOMEM,
                  "no memory for %zu bytes: %zu of %zu are free", bytes, left, all);
}

void
cu_release (void *device, void *memory)
{
  CuDevice *d = device;

  pthread_mutex_lock (&d->lock);
  cu_pool_give (&d->pool, memory);
  pthread_mutex_unlock (&d->lock);
}

kt_status
cu_memory (kt_call *call, void *device, size_t *free_bytes, size_t *all_bytes)
{
  CuDevice *d      = device;
  kt_status status = cu_enter (call, d);

  *free_bytes = *all_bytes = 0;
  if (status == KT_OK)
    status = cu_told (call, d, cu.MemGetInfo (free_bytes, all_bytes), "cudaMemGetInfo");
  pthread_mutex_lock (&d->lock);
  *free_bytes += d->pool.held - d->pool.used;
  pthread_mutex_unlock (&d->lock);
  return status;
}

/* -- pinned memory ------------------------------------------------------------------------- */

kt_status
cu_alloc_pinned (kt_call *call, void *device, size_t bytes, void **memory)
{
  CuDevice *d      = device;
  kt_status status = cu_enter (call, d);
  CuPinned *p;

  *memory = NULL;
  if (status != KT_OK)
    return status;
  if (!(p = malloc (sizeof *p)))
    return cu_fail (cu_host, call, KT_E_NOMEM, "no memory");
  status = cu_told (call, d, cu.HostAlloc (memory, bytes, cudaHostAllocPortable),
                    "cudaHostAlloc");
  if (status != KT_OK)
    {
      free (p);
      *memory = NULL;
      return status;
    }
  p->memory = *memory;
  p->bytes  = bytes;
  pthread_mutex_lock (&d->lock);
  p->next   = d->pinned;
  d->pinned = p;
  pthread_mutex_unlock (&d->lock);
  return KT_OK;
}

void
cu_release_pinned (void *device, void *memory)
{
  CuDevice *d = device;
  CuPinned *p, **at;

  pthread_mutex_lock (&d->lock);
  for (at = &d->pinned; *at && (*at)->memory != memory; at = &(*at)->next)
    ;
  if ((p = *at))
    *at = p->next;
  pthread_mutex_unlock (&d->lock);
  if (!p)
    return;
  cu_use (d);
  cu.FreeHost (p->memory);
  free (p);
}

static bool
has_pinned (CuDevice *d, const void *memory, size_t bytes)
{
  const unsigned char *m = memory;
  const CuPinned *p;

  pthread_mutex_lock (&d->lock);
  for (p = d->pinned; p; p = p->next)
    if (m >= p->memory && bytes <= p->bytes
        && (size_t) (m - p->memory) <= p->bytes - bytes)
      break;
  pthread_mutex_unlock (&d->lock);
  return p != NULL;
}

/* What one device has pinned is pinned for all (cudaHostAllocPortable). */
bool
cu_is_pinned (CuDevice *d, const void *memory, size_t bytes)
{
  bool found = has_pinned (d, memory, bytes);

  for (int i = 0; i < CU_MOST && !found; i++)
    {
      CuDevice *other = cu_opened (i);
      found           = other && other != d && has_pinned (other, memory, bytes);
    }
  return found;
}

/* -- stages -------------------------------------------------------------------------------- */

static CuStage *
stage_new (CuDevice *d)
{
  CuStage *s;
  void *memory;

  pthread_mutex_lock (&d->lock);
  if ((s = d->idle_stages))
    d->idle_stages = s->next;
  pthread_mutex_unlock (&d->lock);
  if (s || !(s = calloc (1, sizeof *s)))
    return s;
  if (cu.HostAlloc (&memory, STAGE, cudaHostAllocPortable) != cudaSuccess)
    {
      cu.GetLastError ();
      free (s);
      return NULL;
    }
  s->memory = memory;
  return s;
}

void *
cu_stage (kt_stream *stream, size_t bytes)
{
  CuStage *s = stream->stages;
  unsigned char *at;

  if (bytes > STAGE)
    return NULL;
  bytes = (bytes + 63) & ~(size_t) 63;
  if (!s || STAGE - s->used < bytes)
    {
      if (stream->n_stages == MOST_STAGES || !(s = stage_new (stream->device)))
        return NULL;
      s->used        = 0;
      s->next        = stream->stages;
      stream->stages = s;
      stream->n_stages++;
    }
  at = s->memory + s->used;
  s->used += bytes;
  return at;
}

void
cu_unstage (kt_stream *stream)
{
  CuDevice *d = stream->device;

  if (!stream->stages)
    return;
  pthread_mutex_lock (&d->lock);
  while (stream->stages)
    {
      CuStage *s     = stream->stages;
      stream->stages = s->next;
      s->next        = d->idle_stages;
      d->idle_stages = s;
    }
  pthread_mutex_unlock (&d->lock);
  stream->n_stages = 0;
}

void
cu_memory_clear (CuDevice *d)
{
  while (d->idle_stages)
    {
      CuStage *s     = d->idle_stages;
      d->idle_stages = s->next;
      cu.FreeHost (s->memory);
      free (s);
    }
  while (d->pinned)
    cu_release_pinned (d, d->pinned->memory);
  cu_pool_clear (&d->pool);
}
