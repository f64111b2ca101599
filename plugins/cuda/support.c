/* SPDX-License-Identifier: Apache-2.0
 *
 * support.c: what kernels need of the host and of their device, in few words.
 */
#include "device.h"
#include <stdarg.h>
#include <stdio.h>

kt_status
cu_fail (const kt_host *host, const void *ctx, kt_status code, const char *format, ...)
{
  char text[400];
  va_list args;

  va_start (args, format);
  const int n = vsnprintf (text, sizeof text, format, args);
  va_end (args);
  return host->fail (ctx, code, text,
                     n < (int) sizeof text ? (size_t) n : sizeof text - 1);
}

kt_status
cu_check (const kt_host *host, const void *ctx, cudaError_t error, const char *what)
{
  if (error == cudaSuccess)
    return KT_OK;

  CuDevice *d = host->device (ctx);
  if (d && cu_is_lost (error))
    d->lost = (int) error;
  cu.GetLastError (); /* the next call starts without it */
  return cu_fail (host, ctx,
                  error == cudaErrorMemoryAllocation ? KT_E_NOMEM : KT_E_DEVICE, "%s: %s",
                  what, cu.GetErrorString (error));
}

CuDevice *
cu_device (const kt_host *host, const void *ctx)
{
  CuDevice *d = host->device (ctx);

  if (d)
    cu_use (d);
  return d;
}

cudaStream_t
cu_stream (const kt_host *host, kt_run *run)
{
  const kt_stream *s = host->native_stream (run);

  cu_use (s->device);
  return s->handle;
}

kt_status
cu_launched (const kt_host *host, kt_run *run, const char *what)
{
  const cudaError_t error = cu.GetLastError ();

  return error == cudaSuccess ? KT_OK : cu_check (host, run, error, what);
}

unsigned
cu_grid (const kt_host *host, const void *ctx, int64_t n, int threads)
{
  const CuDevice *d    = host->device (ctx);
  const int64_t most   = (int64_t) (d ? d->processors : 1) * (2048 / threads) * 4;
  const int64_t blocks = n / threads + (n % threads != 0);

  return (unsigned) (blocks < 1 ? 1 : blocks < most ? blocks : most);
}

kt_status
cu_upload (const kt_host *host, kt_prep *prep, const void *data, size_t bytes, void **out)
{
  CuDevice *d = cu_device (host, prep);
  cudaError_t error;

  *out = NULL;
  if (!d)
    return cu_fail (host, prep, KT_E_INTERNAL, "a kernel of cuda outside its device");
  pthread_mutex_lock (&d->lock);
  *out = cu_pool_take (&d->pool, bytes);
  pthread_mutex_unlock (&d->lock);
  if (!*out)
    return cu_fail (host, prep, KT_E_NOMEM, "no memory for %zu bytes on cuda:%d", bytes,
                    d->index);
  error = cu.MemcpyAsync (*out, data, bytes, cudaMemcpyHostToDevice, d->service);
  if (error == cudaSuccess)
    error = cu.StreamSynchronize (d->service);
  if (error == cudaSuccess)
    return KT_OK;
  cu_give (*out);
  *out = NULL;
  return cu_check (host, prep, error, "cudaMemcpyAsync");
}

void
cu_give (void *memory)
{
  bool done = !memory;

  for (int i = 0; i < CU_MOST && !done; i++)
    {
      CuDevice *d = cu_opened (i);
      if (!d)
        continue;
      pthread_mutex_lock (&d->lock);
      done = cu_pool_give (&d->pool, memory);
      pthread_mutex_unlock (&d->lock);
    }
}

kt_type
cu_type (const kt_host *host, const void *ctx, int32_t is_out, int32_t i)
{
  kt_type type;

  return host->type (ctx, is_out, i, &type) == KT_OK ? type : (kt_type){ 0 };
}

int64_t
cu_int (const kt_host *host, const void *ctx, const char *name, int64_t absent)
{
  kt_attr a;

  return host->attr (ctx, name, &a) == KT_OK && a.kind == KT_A_INT ? a.i : absent;
}

double
cu_float (const kt_host *host, const void *ctx, const char *name, double absent)
{
  kt_attr a;

  return host->attr (ctx, name, &a) == KT_OK && a.kind == KT_A_FLOAT ? a.f : absent;
}

int64_t
cu_count (const kt_type *type)
{
  int64_t n = type->kind == KT_TENSOR && type->ndim >= 0;

  for (int32_t d = 0; d < type->ndim; d++)
    n *= type->dims[d]; /* the host has counted them already: it fits */
  return n;
}

size_t
cu_size (int32_t dtype)
{
  switch (dtype)
    {
    case KT_U8:
    case KT_I8:
    case KT_BOOL:
    case KT_F8E4M3FN:
    case KT_F8E4M3FNUZ:
    case KT_F8E5M2:
    case KT_F8E5M2FNUZ:
    case KT_F8E8M0:
      return 1;
    case KT_U16:
    case KT_I16:
    case KT_F16:
    case KT_BF16:
      return 2;
    case KT_F32:
    case KT_I32:
    case KT_U32:
      return 4;
    case KT_I64:
    case KT_U64:
    case KT_F64:
    case KT_C64:
      return 8;
    case KT_C128:
      return 16;
    default:
      return 0;
    }
}
