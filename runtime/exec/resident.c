/* SPDX-License-Identifier: Apache-2.0
 * Copies of tensors on devices. Each content has a number that grows with every change; a copy,
 * and the tensor itself, know the number of theirs. So parameters go to a device once, stay
 * there while training rewrites them, and come back when somebody reads them on the host.
 */
#include "base/tensor-private.h"
#include "exec/places.h"

typedef struct _Shared Shared;

struct _KetteResident
{
  KetteResident *next; /* of the same tensor */
  Shared *shared;
  KetteUnit *unit;
  void *memory;
  uint64_t version; /* 0: nothing yet */
  size_t users;
};

struct _Shared
{
  Shared *next, **link;
  KetteTensor *tensor;
  uint64_t latest, host; /* versions */
  KetteResident *copies;
};

gint _kette_stale_tensors, _kette_resident_tensors;
static GMutex lock;
static Shared *all;

static gboolean
copy (KetteUnit *unit, int direction, void *to, const void *from, size_t bytes,
      GError **error)
{
  const kt_device *d = unit->device;
  kt_stream *stream  = NULL;
  KetteCall call;
  gboolean ok;

  if (bytes == 0)
    return TRUE;
  _kette_call_init (&call);
  ok = _kette_call_check (&call, unit, d->stream_new (&call.call, unit->handle, &stream),
                          NULL, error);
  if (!ok)
    return FALSE;
  ok = _kette_call_check (
      &call, unit,
      d->copy (&call.call, stream, direction, to, from, bytes, NULL, "a parameter"), NULL,
      error);
  /* Also to have the stream's error, if there was one. */
  ok = _kette_call_check (&call, unit, d->synchronize (&call.call, stream), NULL,
                          ok ? error : NULL)
       && ok;
  d->stream_free (stream);
  return ok;
}

static void
set_host (Shared *s, uint64_t version)
{
  const gboolean was = s->host < s->latest, is = version < s->latest;

  s->host = version;
  g_atomic_int_add (&_kette_stale_tensors, (is ? 1 : 0) - (was ? 1 : 0));
}

static void
set_latest (Shared *s, uint64_t latest)
{
  const gboolean was = s->host < s->latest, is = s->host < latest;

  s->latest = latest;
  g_atomic_int_add (&_kette_stale_tensors, (is ? 1 : 0) - (was ? 1 : 0));
}

static gboolean
update_host (Shared *s, GError **error)
{
  const KetteResident *r = s->copies;

  if (s->host == s->latest)
    return TRUE;
  while (r && r->version != s->latest)
    r = r->next;
  if (!r)
    return _kette_fail (error, KETTE_ERROR_INTERNAL, NULL, "a parameter was lost");
  if (!copy (r->unit, KT_COPY_OUT, s->tensor->data, r->memory, s->tensor->bytes, error))
    return FALSE;
  set_host (s, s->latest);
  return TRUE;
}

static Shared *
find_shared (KetteTensor *tensor, GError **error)
{
  Shared *s = tensor->copies;

  if (s || !(s = _kette_alloc (_kette_account_process (), 1, sizeof *s, error)))
    return s;
  _kette_tensor_newest = _kette_tensor_update;

  s->tensor = kette_tensor_ref (tensor);
  s->latest = s->host = 1;
  s->next             = all;
  s->link             = &all;
  if (all)
    all->link = &s->next;
  all            = s;
  tensor->copies = s;
  g_atomic_int_inc (&_kette_resident_tensors);
  return s;
}

static void
drop_shared (Shared *s)
{
  if (s->copies)
    return;
  set_host (s, s->latest); /* what could not be written back is lost */
  *s->link = s->next;
  if (s->next)
    s->next->link = s->link;
  s->tensor->copies = NULL;
  kette_tensor_unref (s->tensor);
  _kette_free (s);
  g_atomic_int_add (&_kette_resident_tensors, -1);
}

static KetteResident *
add (Shared *s, KetteUnit *unit, GError **error)
{
  KetteResident *r = _kette_alloc (_kette_account_process (), 1, sizeof *r, error);
  KetteCall call;

  if (!r)
    return NULL;
  _kette_call_init (&call);
  if (!_kette_call_check (&call, unit,
                          unit->device->alloc (&call.call, unit->handle,
                                               MAX (s->tensor->bytes, 1), &r->memory),
                          NULL, error))
    {
      _kette_free (r);
      return NULL;
    }
  r->shared = s;
  r->unit   = unit;
  r->next   = s->copies;
  s->copies = r;
  return r;
}

KetteResident *
_kette_resident_acquire (KetteTensor *tensor, KetteUnit *unit, GError **error)
{
  KetteResident *r = NULL;

  g_mutex_lock (&lock);
  Shared *s = find_shared (tensor, error);
  if (s)
    {
      for (r = s->copies; r && r->unit != unit;)
        r = r->next;
      if (!r)
        r = add (s, unit, error);
      if (r)
        r->users++;
      drop_shared (s);
    }
  g_mutex_unlock (&lock);
  return r;
}

void
_kette_resident_release (KetteResident *self)
{
  if (!self)
    return;
  g_mutex_lock (&lock);
  if (--self->users == 0)
    {
      Shared *s         = self->shared;
      KetteResident **p = &s->copies;

      if (self->version == s->latest)
        (void) update_host (s, NULL);
      while (*p != self)
        p = &(*p)->next;
      *p = self->next;
      self->unit->device->release (self->unit->handle, self->memory);
      _kette_free (self);
      drop_shared (s);
    }
  g_mutex_unlock (&lock);
}

void *
_kette_resident_memory (const KetteResident *self)
{
  return self->memory;
}

gboolean
_kette_resident_update (KetteResident *self, GError **error)
{
  gboolean ok = TRUE;

  g_mutex_lock (&lock);
  Shared *s = self->shared;
  if (self->version != s->latest)
    {
      ok = update_host (s, error)
           && copy (self->unit, KT_COPY_IN, self->memory, s->tensor->data,
                    s->tensor->bytes, error);
      if (ok)
        self->version = s->latest;
    }
  g_mutex_unlock (&lock);
  return ok;
}

void
_kette_resident_written (KetteResident *self)
{
  g_mutex_lock (&lock);
  set_latest (self->shared, self->shared->latest + 1);
  self->version = self->shared->latest;
  g_mutex_unlock (&lock);
}

gboolean
_kette_tensor_update (KetteTensor *tensor, GError **error)
{
  gboolean ok = TRUE;

  g_mutex_lock (&lock);
  if (tensor->copies)
    ok = update_host (tensor->copies, error);
  g_mutex_unlock (&lock);
  return ok;
}

void
_kette_tensor_written (KetteTensor *tensor)
{
  g_mutex_lock (&lock);
  Shared *s = tensor->copies;
  if (s)
    {
      set_latest (s, s->latest + 1);
      set_host (s, s->latest);
    }
  g_mutex_unlock (&lock);
}

gboolean
_kette_residents_write_back (GError **error)
{
  gboolean ok = TRUE;

  if (g_atomic_int_get (&_kette_stale_tensors) == 0)
    return TRUE;
  g_mutex_lock (&lock);
  for (Shared *s = all; ok && s; s = s->next)
    ok = update_host (s, error);
  g_mutex_unlock (&lock);
  return ok;
}
