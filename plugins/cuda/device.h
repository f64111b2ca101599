/* SPDX-License-Identifier: Apache-2.0
 *
 * device.h: the device itself: what device.c, memory.c, stream.c and capture.c share. They
 * call CUDA through the table cu, which tests fill with functions of their own.
 */
#ifndef KETTE_CUDA_DEVICE_H
#define KETTE_CUDA_DEVICE_H

#include "cuda.h"
#include "pool.h"
#include <pthread.h>
#include <stdbool.h>

#define CU_CALLS(X)                                                                      \
  X (DeviceCanAccessPeer)                                                                \
  X (DeviceEnablePeerAccess)                                                             \
  X (DeviceGetAttribute)                                                                 \
  X (EventCreateWithFlags)                                                               \
  X (EventDestroy)                                                                       \
  X (EventRecord)                                                                        \
  X (EventSynchronize)                                                                   \
  X (Free)                                                                               \
  X (FreeHost)                                                                           \
  X (GetDeviceCount)                                                                     \
  X (GetErrorString)                                                                     \
  X (GetLastError)                                                                       \
  X (GraphDestroy)                                                                       \
  X (GraphExecDestroy)                                                                   \
  X (GraphLaunch)                                                                        \
  X (HostAlloc)                                                                          \
  X (LaunchHostFunc)                                                                     \
  X (Malloc)                                                                             \
  X (MemGetInfo)                                                                         \
  X (MemcpyAsync)                                                                        \
  X (MemcpyPeerAsync)                                                                    \
  X (SetDevice)                                                                          \
  X (StreamBeginCapture)                                                                 \
  X (StreamCreateWithFlags)                                                              \
  X (StreamDestroy)                                                                      \
  X (StreamEndCapture)                                                                   \
  X (StreamIsCapturing)                                                                  \
  X (StreamSynchronize)                                                                  \
  X (StreamWaitEvent)

/* cu.Malloc is cudaMalloc, and so on. driver: can libcuda be opened? name: of device i.
 * instantiate: the graph as something to launch. */
typedef struct
{
#define CU_FIELD(NAME) __typeof__ (&cuda##NAME) NAME;
  CU_CALLS (CU_FIELD)
#undef CU_FIELD
  bool (*driver) (void);
  cudaError_t (*name) (int i, char *text, size_t size);
  cudaError_t (*instantiate) (cudaGraphExec_t *out, cudaGraph_t graph);
} Cuda;
extern Cuda cu;

enum
{
  CU_MOST = 16 /* devices */
};

/* Pinned memory through which pageable memory is copied. */
typedef struct CuStage
{
  struct CuStage *next;
  unsigned char *memory;
  size_t used;
} CuStage;

typedef struct CuPinned
{
  struct CuPinned *next;
  unsigned char *memory;
  size_t bytes;
} CuPinned;

struct CuDevice
{
  int index, processors, capability; /* 90: sm_90 */
  _Atomic int lost;     /* the cudaError_t after which nothing works; 0: none */
  pthread_mutex_t lock; /* of all below */
  CuPool pool;
  kt_stream *idle_streams;
  kt_event *idle_events;
  CuStage *idle_stages;
  CuPinned *pinned;
  cudaStream_t service; /* for uploads */
  bool peer[CU_MOST];   /* may it reach that one's memory? */
  void *lt, *dnn;       /* handles of cuBLASLt and cuDNN (library.h) */
};

struct kt_stream
{
  cudaStream_t handle;
  CuDevice *device;
  kt_stream *next;
  CuStage *stages; /* in use until the next synchronize */
  size_t n_stages;
};

/* CUDA's events belong to one device each; these may be recorded on any, so that they are made
 * where that happens first. */
struct kt_event
{
  cudaEvent_t handles[CU_MOST]; /* by device; NULL: none yet */
  CuDevice *device;
  int recorded; /* the device of the last record; -1: none */
  kt_event *next;
};

struct kt_recording
{
  cudaGraphExec_t exec;
  CuDevice *device;
};

extern const kt_device cu_kind;
/* The host's table, from the entry on. */
extern const kt_host *cu_host;

/* device.c: makes D this thread's device. */
cudaError_t cu_use (const CuDevice *d);
/* KT_OK, or what went wrong with D: explained to CALL, remembered where D is lost by it. */
kt_status cu_told (kt_call *call, CuDevice *d, cudaError_t error, const char *what);
/* Is D usable? Else explains it. Makes it this thread's device. */
kt_status cu_enter (kt_call *call, CuDevice *d);
/* After this error nothing works any more in this process. */
bool cu_is_lost (cudaError_t error);
/* Device I if it is open, else NULL. */
CuDevice *cu_opened (int i);

/* memory.c */
kt_status cu_alloc (kt_call *call, void *device, size_t bytes, void **memory);
void cu_release (void *device, void *memory);
kt_status cu_alloc_pinned (kt_call *call, void *device, size_t bytes, void **memory);
void cu_release_pinned (void *device, void *memory);
kt_status cu_memory (kt_call *call, void *device, size_t *free_bytes, size_t *all_bytes);
bool cu_is_pinned (CuDevice *d, const void *memory, size_t bytes);
/* BYTES of pinned memory, as long as STREAM is not synchronized; NULL: too much, or none. */
void *cu_stage (kt_stream *stream, size_t bytes);
/* The stages of STREAM are free again. */
void cu_unstage (kt_stream *stream);
/* The rest of a device that is closed. */
void cu_memory_clear (CuDevice *d);

/* stream.c */
kt_status cu_stream_new (kt_call *call, void *device, kt_stream **stream);
void cu_stream_free (kt_stream *stream);
kt_status cu_event_new (kt_call *call, void *device, kt_event **event);
void cu_event_free (kt_event *event);
kt_status cu_copy (kt_call *call, kt_stream *stream, int32_t direction, void *to,
                   const void *from, size_t bytes, void *peer, const char *label);
kt_status cu_record (kt_call *call, kt_stream *stream, kt_event *event);
kt_status cu_wait (kt_call *call, kt_stream *stream, kt_event *event);
kt_status cu_wait_host (kt_call *call, kt_event *event);
kt_status cu_synchronize (kt_call *call, kt_stream *stream);
void cu_streams_clear (CuDevice *d);

/* capture.c */
kt_status cu_capture_begin (kt_call *call, kt_stream *stream);
kt_status cu_capture_end (kt_call *call, kt_stream *stream, kt_recording **recording);
kt_status cu_replay (kt_call *call, kt_stream *stream, kt_recording *recording);
void cu_recording_free (kt_recording *recording);

/* library.c: gives back what was opened for a device. */
void cu_libraries_clear (CuDevice *d);
/* Appends what of cuBLASLt and cuDNN there is: ", cuBLASLt 13.1.0, cuDNN 9.19.0". */
void cu_libraries_describe (char *text, size_t size);

#endif /* KETTE_CUDA_DEVICE_H */
