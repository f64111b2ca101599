/* SPDX-License-Identifier: Apache-2.0
 *
 * fake.c: what fake.h says.
 */
#include "fake.h"
#include "kernels/faults.h"
#include <glib.h>
#include <stdio.h>
#include <string.h>

Fake fake;
char told[512];
kt_status told_code;

typedef struct
{
  int device;
} Stream;

typedef struct
{
  int device;
  bool captured; /* the last record was one of a recording */
} Event;

static int current; /* device */

/* What a lazy CUDA has still to do. */
typedef struct
{
  void *to;
  const void *from;
  size_t bytes;
  cudaHostFn_t function; /* of TO */
} Work;

static Work queue[64];
static int n_queue;

static void
flush (void)
{
  for (int i = 0; i < n_queue; i++)
    if (queue[i].function)
      queue[i].function (queue[i].to);
    else
      memcpy (queue[i].to, queue[i].from, queue[i].bytes);
  n_queue = 0;
}

static void
push (const Work work)
{
  g_assert_cmpint (n_queue, <, (int) G_N_ELEMENTS (queue));
  queue[n_queue++] = work;
  if (!fake.lazy)
    flush ();
}

/* A call of the driver: its error. */
static cudaError_t
call (void)
{
  if (fake.sticky)
    return fake.sticky;
  if (fake.fail_at > 0 && --fake.fail_at == 0)
    {
      if (cu_is_lost (fake.error))
        fake.sticky = fake.error;
      return fake.error;
    }
  return cudaSuccess;
}

#define CALL()                                                                           \
  {                                                                                      \
    const cudaError_t error = call ();                                                   \
    if (error != cudaSuccess)                                                            \
      return error;                                                                      \
  }

static bool
driver (void)
{
  return !fake.no_driver;
}

static cudaError_t
name (int i, char *text, size_t size)
{
  CALL ()
  snprintf (text, size, "Fake %d", i);
  return cudaSuccess;
}

static cudaError_t
get_device_count (int *n)
{
  *n = fake.devices;
  return fake.count_error;
}

static cudaError_t
get_attribute (int *value, enum cudaDeviceAttr attribute, int device)
{
  (void) device;
  CALL ()
  *value = attribute == cudaDevAttrMultiProcessorCount      ? 4
           : attribute == cudaDevAttrComputeCapabilityMajor ? fake.capability / 10
                                                            : fake.capability % 10;
  return cudaSuccess;
}

static cudaError_t
set_device (int i)
{
  CALL ()
  current = i;
  return cudaSuccess;
}

static cudaError_t
can_access (int *can, int a, int b)
{
  *can = a != b;
  return cudaSuccess;
}

static cudaError_t
enable_peer (int i, unsigned flags)
{
  (void) flags;
  g_assert_cmpint (i, !=, current);
  return cudaErrorPeerAccessAlreadyEnabled;
}

static const char *
error_string (cudaError_t error)
{
  return error == cudaErrorMemoryAllocation ? "out of memory"
         : error == cudaErrorIllegalAddress ? "an illegal memory access was encountered"
                                            : "some error";
}

static cudaError_t
last_error (void)
{
  return cudaSuccess;
}

static cudaError_t
take (void **memory, size_t bytes)
{
  CALL ()
  if (fake.capturing)
    return cudaErrorStreamCaptureUnsupported;
  if (bytes > fake.memory)
    return cudaErrorMemoryAllocation;
  fake.memory -= bytes;
  fake.blocks++;
  *memory                  = (size_t *) g_malloc (bytes + 256) + 32;
  ((size_t *) *memory)[-1] = bytes;
  return cudaSuccess;
}

static cudaError_t
give (void *memory)
{
  fake.memory += ((size_t *) memory)[-1];
  fake.blocks--;
  g_free ((size_t *) memory - 32);
  return fake.sticky;
}

static cudaError_t
host_alloc (void **memory, size_t bytes, unsigned flags)
{
  CALL ()
  g_assert_cmpuint (flags & cudaHostAllocPortable, !=, 0);
  if (fake.capturing)
    return cudaErrorStreamCaptureUnsupported;
  fake.pinned++;
  *memory = g_malloc (bytes);
  return cudaSuccess;
}

static cudaError_t
free_host (void *memory)
{
  fake.pinned--;
  g_free (memory);
  return cudaSuccess;
}

static cudaError_t
mem_info (size_t *left, size_t *all)
{
  CALL ()
  *left = fake.memory;
  *all  = (size_t) 1 << 30;
  return cudaSuccess;
}

static cudaError_t
memcpy_async (void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
              cudaStream_t stream)
{
  (void) kind, (void) stream;
  CALL ()
  fake.copies++;
  push ((Work){ .to = to, .from = from, .bytes = bytes });
  return cudaSuccess;
}

static cudaError_t
memcpy_peer (void *to, int there, const void *from, int here, size_t bytes,
             cudaStream_t stream)
{
  g_assert_cmpint (there, !=, here);
  return memcpy_async (to, from, bytes, cudaMemcpyDefault, stream);
}

static cudaError_t
launch_host (cudaStream_t stream, cudaHostFn_t function, void *arg)
{
  (void) stream;
  CALL ()
  fake.host_functions++;
  push ((Work){ .to = arg, .function = function });
  return cudaSuccess;
}

static cudaError_t
stream_create (cudaStream_t *stream, unsigned flags)
{
  g_assert_cmpuint (flags, ==, cudaStreamNonBlocking);
  CALL ()
  fake.streams++;
  Stream *s = g_new (Stream, 1);
  s->device = current;
  *stream   = (cudaStream_t) s;
  return cudaSuccess;
}

static cudaError_t
stream_destroy (cudaStream_t stream)
{
  fake.streams--;
  g_free (stream);
  return cudaSuccess;
}

static cudaError_t
stream_synchronize (cudaStream_t stream)
{
  (void) stream;
  CALL ()
  if (fake.capturing)
    return cudaErrorStreamCaptureUnsupported;
  flush ();
  return cudaSuccess;
}

static cudaError_t
stream_wait (cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
  (void) stream, (void) flags;
  g_assert_nonnull (event);
  return call ();
}

static cudaError_t
event_create (cudaEvent_t *event, unsigned flags)
{
  g_assert_cmpuint (flags, ==, cudaEventDisableTiming);
  CALL ()
  fake.events++;
  Event *e  = g_new (Event, 1);
  e->device = current;
  *event    = (cudaEvent_t) e;
  return cudaSuccess;
}

static cudaError_t
event_destroy (cudaEvent_t event)
{
  fake.events--;
  g_free (event);
  return cudaSuccess;
}

static cudaError_t
event_record (cudaEvent_t event, cudaStream_t stream)
{
  Event *e = (Event *) event;

  CALL ()
  if (e->device != ((const Stream *) stream)->device)
    return cudaErrorInvalidResourceHandle;
  e->captured = fake.capturing;
  return cudaSuccess;
}

static cudaError_t
event_synchronize (cudaEvent_t event)
{
  CALL ()
  if (((const Event *) event)->captured)
    return cudaErrorCapturedEvent;
  flush ();
  return cudaSuccess;
}

static cudaError_t
begin_capture (cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
  (void) stream;
  g_assert_cmpint (mode, ==, cudaStreamCaptureModeThreadLocal);
  CALL ()
  fake.capturing = true;
  return cudaSuccess;
}

static cudaError_t
end_capture (cudaStream_t stream, cudaGraph_t *graph)
{
  (void) stream;
  fake.capturing = false;
  CALL ()
  fake.graphs++;
  *graph = g_malloc (1);
  return cudaSuccess;
}

static cudaError_t
is_capturing (cudaStream_t stream, enum cudaStreamCaptureStatus *status)
{
  (void) stream;
  *status = fake.capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}

static cudaError_t
instantiate (cudaGraphExec_t *out, cudaGraph_t graph)
{
  (void) graph;
  CALL ()
  fake.graphs++;
  *out = g_malloc (1);
  return cudaSuccess;
}

static cudaError_t
graph_destroy (cudaGraph_t graph)
{
  fake.graphs--;
  g_free (graph);
  return cudaSuccess;
}

static cudaError_t
exec_destroy (cudaGraphExec_t exec)
{
  fake.graphs--;
  g_free (exec);
  return cudaSuccess;
}

static cudaError_t
graph_launch (cudaGraphExec_t exec, cudaStream_t stream)
{
  (void) exec, (void) stream;
  CALL ()
  fake.launches++;
  return cudaSuccess;
}

Cuda cu = {
  .DeviceCanAccessPeer    = can_access,
  .DeviceEnablePeerAccess = enable_peer,
  .DeviceGetAttribute     = get_attribute,
  .EventCreateWithFlags   = event_create,
  .EventDestroy           = event_destroy,
  .EventRecord            = event_record,
  .EventSynchronize       = event_synchronize,
  .Free                   = give,
  .FreeHost               = free_host,
  .GetDeviceCount         = get_device_count,
  .GetErrorString         = error_string,
  .GetLastError           = last_error,
  .GraphDestroy           = graph_destroy,
  .GraphExecDestroy       = exec_destroy,
  .GraphLaunch            = graph_launch,
  .HostAlloc              = host_alloc,
  .LaunchHostFunc         = launch_host,
  .Malloc                 = take,
  .MemGetInfo             = mem_info,
  .MemcpyAsync            = memcpy_async,
  .MemcpyPeerAsync        = memcpy_peer,
  .SetDevice              = set_device,
  .StreamBeginCapture     = begin_capture,
  .StreamCreateWithFlags  = stream_create,
  .StreamDestroy          = stream_destroy,
  .StreamEndCapture       = end_capture,
  .StreamIsCapturing      = is_capturing,
  .StreamSynchronize      = stream_synchronize,
  .StreamWaitEvent        = stream_wait,
  .driver                 = driver,
  .name                   = name,
  .instantiate            = instantiate,
};

/* -- the rest of the plugin, and the host ---------------------------------------------------- */

void
cu_libraries_clear (CuDevice *d)
{
  (void) d;
}

void
cu_libraries_describe (char *text, size_t size)
{
  g_strlcat (text, ", no libraries", size);
}

kt_status
cu_faults (kt_call *c)
{
  (void) c;
  return KT_OK;
}

static kt_status
host_fail (const void *ctx, kt_status code, const char *text, size_t n)
{
  (void) ctx;
  g_snprintf (told, sizeof told, "%.*s", (int) n, text);
  told_code = code;
  return code;
}

const kt_host fake_host = { .struct_size = sizeof (kt_host), .fail = host_fail };
