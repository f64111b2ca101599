/* SPDX-License-Identifier: Apache-2.0
 *
 * device.c: the kind "cuda": which devices there are, opening them, and what their errors
 * mean.
 */
#include "device.h"
#include <stdio.h>
#include <string.h>

const kt_host *cu_host;
static CuDevice devices[CU_MOST];
static _Atomic bool opened[CU_MOST];

CuDevice *
cu_opened (int i)
{
  return opened[i] ? &devices[i] : NULL;
}

/* -- errors -------------------------------------------------------------------------------- */

bool
cu_is_lost (cudaError_t error)
{
  switch ((int) error)
    {
    case 226: /* cudaErrorContained, 721: cudaErrorTensorMemoryLeak: since CUDA 12.8 */
    case 721:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorContextIsDestroyed:
    case cudaErrorExternalDevice:
    case cudaErrorMpsClientTerminated:
    case cudaErrorUnknown:
      return true;
    default:
      return false;
    }
}

cudaError_t
cu_use (const CuDevice *d)
{
  static _Thread_local int current = -1;
  cudaError_t error;

  /* Nobody else in this process but cuDNN and cuBLASLt calls CUDA, which leave it as it is. */
  if (current == d->index)
    return cudaSuccess;
  error   = cu.SetDevice (d->index);
  current = error == cudaSuccess ? d->index : -1;
  return error;
}

static kt_status
tell_lost (kt_call *call, const CuDevice *d)
{
  return cu_fail (cu_host, call, KT_E_DEVICE,
                  "the device is lost (%s); only a new process can use it again",
                  cu.GetErrorString ((cudaError_t) d->lost));
}

kt_status
cu_told (kt_call *call, CuDevice *d, cudaError_t error, const char *what)
{
  if (error == cudaSuccess)
    return KT_OK;
  cu.GetLastError (); /* the next call starts without it */
  if (cu_is_lost (error))
    {
      d->lost = (int) error;
      return tell_lost (call, d);
    }
  return cu_fail (cu_host, call,
                  error == cudaErrorMemoryAllocation ? KT_E_NOMEM : KT_E_DEVICE, "%s: %s",
                  what, cu.GetErrorString (error));
}

kt_status
cu_enter (kt_call *call, CuDevice *d)
{
  return d->lost ? tell_lost (call, d) : cu_told (call, d, cu_use (d), "cudaSetDevice");
}

/* -- the kind ------------------------------------------------------------------------------ */

static kt_status
probe (const kt_host *host, kt_call *call, void *user, int32_t *n)
{
  int count = 0;
  cudaError_t error;

  (void) user;
  *n = 0;
  if (!cu.driver ())
    return cu_fail (host, call, KT_E_DEVICE, "no driver: libcuda.so.1 cannot be opened");
  error = cu.GetDeviceCount (&count);
  if (error != cudaSuccess)
    {
      cu.GetLastError ();
      return cu_fail (host, call, KT_E_DEVICE, "no device: %s",
                      cu.GetErrorString (error));
    }
  if (count < 1)
    return cu_fail (host, call, KT_E_DEVICE, "no device: the driver knows of none");
  *n = count < CU_MOST ? count : CU_MOST;
  return KT_OK;
}

static bool
get_segment (void *user, size_t bytes, void **memory)
{
  CuDevice *d             = user;
  const cudaError_t error = cu.Malloc (memory, bytes);

  if (error == cudaSuccess)
    return true;
  cu.GetLastError ();
  if (cu_is_lost (error))
    d->lost = (int) error;
  return false;
}

static void
put_segment (void *user, void *memory)
{
  (void) user;
  cu.Free (memory);
}

/* Lets D read and write the memory of OTHER directly, if that can be. */
static void
reach (CuDevice *d, const CuDevice *other)
{
  int can = 0;

  if (cu.DeviceCanAccessPeer (&can, d->index, other->index) == cudaSuccess && can
      && cu_use (d) == cudaSuccess)
    {
      const cudaError_t error = cu.DeviceEnablePeerAccess (other->index, 0);
      d->peer[other->index]
          = error == cudaSuccess || error == cudaErrorPeerAccessAlreadyEnabled;
    }
  cu.GetLastError ();
}

/* Which of the devices that are open reach each other's memory. */
static void
meet_peers (CuDevice *d)
{
  for (int i = 0; i < CU_MOST; i++)
    {
      CuDevice *other = cu_opened (i);
      if (!other || other == d)
        continue;
      reach (d, other);
      reach (other, d);
      cu_use (d);
    }
}

static kt_status
open_device (const kt_host *host, kt_call *call, void *user, int32_t i, void **device)
{
  CuDevice *d = &devices[i];
  int major = 0, minor = 0;
  cudaError_t error;

  (void) host;
  (void) user;
  *device = NULL;
  memset (d, 0, sizeof *d);
  d->index = i;
  d->pool  = (CuPool){ .get = get_segment, .put = put_segment, .user = d };
  error    = cu_use (d);
  if (error == cudaSuccess)
    error = cu.DeviceGetAttribute (&d->processors, cudaDevAttrMultiProcessorCount, i);
  if (error == cudaSuccess)
    error = cu.DeviceGetAttribute (&major, cudaDevAttrComputeCapabilityMajor, i);
  if (error == cudaSuccess)
    error = cu.DeviceGetAttribute (&minor, cudaDevAttrComputeCapabilityMinor, i);
  if (error != cudaSuccess)
    return cu_told (call, d, error, "cannot be opened");
  d->capability = 10 * major + minor;
  if (d->capability < 75)
    return cu_fail (cu_host, call, KT_E_UNSUPPORTED,
                    "a card of sm_%d; this plugin has code for sm_75 and later",
                    d->capability);
  error = cu.StreamCreateWithFlags (&d->service, cudaStreamNonBlocking);
  if (error != cudaSuccess)
    return cu_told (call, d, error, "cudaStreamCreate");
  pthread_mutex_init (&d->lock, NULL);
  opened[i] = true;
  meet_peers (d);
  *device = d;
  return KT_OK;
}

static void
close_device (void *device)
{
  CuDevice *d = device;

  opened[d->index] = false;
  cu_use (d);
  cu_libraries_clear (d);
  cu_streams_clear (d);
  cu_memory_clear (d);
  cu.StreamDestroy (d->service);
  pthread_mutex_destroy (&d->lock);
}

static kt_status
describe (kt_call *call, void *device, char *text, size_t size)
{
  CuDevice *d = device;
  size_t left, all;
  char name[256];
  kt_status status = cu_memory (call, d, &left, &all);

  if (status == KT_OK)
    status = cu_told (call, d, cu.name (d->index, name, sizeof name), "no name");
  if (status == KT_OK)
    {
      snprintf (text, size, "%s, %zu GiB, sm_%d", name, all >> 30, d->capability);
      cu_libraries_describe (text, size);
    }
  return status;
}

/* Tensor cores for tf32 and bf16 came with sm_80. */
static int32_t
rounds (void *device, int32_t precision)
{
  const CuDevice *d = device;

  return d->capability >= 80
         && (precision == KT_ROUND_TF32 || precision == KT_ROUND_BF16);
}

/* Costs: from data sheets of cards like the H200, what a launch takes of the host, and what kernels
 * of a recording take one behind the other. They
 * are constants so that a graph is placed in the same way every day; they have not been
 * measured yet (docs/gpu.md). */
const kt_device cu_kind = {
  .struct_size    = sizeof (kt_device),
  .name           = "cuda",
  .dl_type        = KT_CUDA,
  .flags          = KT_D_PEER,
  .costs          = { .launch_us           = 3,
                      .copy_us             = 10,
                      .link_bytes_per_us   = 25e3,
                      .memory_bytes_per_us = 3e6,
                      .flops_per_us        = 40e6,
                      .kernel_us           = 2 },
  .probe          = probe,
  .open           = open_device,
  .close          = close_device,
  .describe       = describe,
  .memory         = cu_memory,
  .alloc          = cu_alloc,
  .release        = cu_release,
  .alloc_pinned   = cu_alloc_pinned,
  .release_pinned = cu_release_pinned,
  .stream_new     = cu_stream_new,
  .stream_free    = cu_stream_free,
  .event_new      = cu_event_new,
  .event_free     = cu_event_free,
  .copy           = cu_copy,
  .record         = cu_record,
  .wait           = cu_wait,
  .wait_host      = cu_wait_host,
  .synchronize    = cu_synchronize,
  .capture_begin  = cu_capture_begin,
  .capture_end    = cu_capture_end,
  .replay         = cu_replay,
  .recording_free = cu_recording_free,
  .rounds         = rounds,
};
