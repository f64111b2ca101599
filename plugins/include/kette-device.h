/* SPDX-License-Identifier: Apache-2.0
 *
 * kette-device.h: the part of the plugin ABI that makes a device: memory that is not the
 * host's, and streams of work on it. A plugin that only has operators needs kette-plugin.h
 * alone. The same rules for growth hold.
 *
 *   kind     what a plugin adds with host->add_device: a kt_device, "cuda"
 *   device   one of a kind, "cuda:0": what open returned
 *   stream   work in order; what the host enqueues returns before it is done
 *   event    a place in a stream that another stream, or the host, can wait for
 *
 * Errors: a function that returns a status explains it by host->fail (call, ...). What goes
 * wrong while a stream works surfaces where the host waits for it: wait_host, synchronize.
 * The host then drops the run; streams and devices must stay usable, or say so again (a lost
 * device) at every later call. KT_E_NOMEM: memory was refused; KT_E_DEVICE: all else. A kernel
 * whose prepare says KT_E_UNSUPPORTED has no error: it cannot do this node, and if no other one of
 * the device can, the host does it.
 *
 * The host calls functions of one stream from one thread at a time, of different streams and
 * of the device at once from several.
 *
 * Two ways of running a kernel:
 *   launches   (no `execute`) kt_kernel.run is called on the host's thread and enqueues into
 *              host->native_stream (run), which is the kt_stream; run->in and run->out hold
 *              addresses of the device. It neither waits nor allocates.
 *   execute    the kernels are host code: the host gives a closure to the stream, whose own
 *              thread runs it. The closure reaches memory under the addresses that `alias` gives.
 */
#ifndef KETTE_DEVICE_H
#define KETTE_DEVICE_H

#include "kette-plugin.h"

KT_BEGIN_DECLS

typedef struct kt_call kt_call;     /* the context of a device's functions, for fail */
typedef struct kt_stream kt_stream; /* these three are the plugin's */
typedef struct kt_event kt_event;
typedef struct kt_recording kt_recording;

enum /* kt_device.flags */
{
  KT_D_PEER  = 1, /* copies between two devices of the kind go directly  */
  KT_D_ASKED = 2  /* used where it is asked for, never chosen by itself */
};

/* What placement reckons with: constants of the kind, measured once, never at run time, so
 * that the same graph is placed in the same way every day. */
typedef struct kt_costs
{
  double launch_us;         /* of the host, per kernel                              */
  double copy_us;           /* a copy over the host's link: at least this long      */
  double link_bytes_per_us; /* and then so fast                                     */
  double memory_bytes_per_us;
  double flops_per_us; /* f32, large products                                  */
  double kernel_us;    /* a kernel that does nothing: latency on the device    */
} kt_costs;

/* Memory that a task reads or, with write, writes. memory: as alloc gave it, or within. With dead
 * the task need not touch it: behind the task nobody reads what is there. */
typedef struct kt_range
{
  const void *memory;
  size_t bytes;
  uint32_t write, dead;
} kt_range;

/* Host code that a stream runs; not KT_OK: the stream has failed. */
typedef kt_status kt_task (void *arg);

/* kt_copy directions */
enum
{
  KT_COPY_IN     = 1, /* from the host to this device */
  KT_COPY_OUT    = 2, /* from this device to the host */
  KT_COPY_WITHIN = 3, /* the ranges do not overlap    */
  KT_COPY_PEER   = 4  /* from this device to another one of the kind (KT_D_PEER) */
};

typedef struct kt_device
{
  size_t struct_size;
  const char *name; /* "cuda": what kernels name, and --device                          */
  const char
      *kernels; /* "cpu": it also runs that device's kernels, after its own; NULL: no */
  int32_t dl_type,
      reserved; /* kt_tensor.device_type of its memory                        */
  uint64_t flags;
  void *user;
  kt_costs costs;

  /* How many devices there are. None: *n = 0, and one line of reason through fail with any
   * status, which is not taken for an error: it is shown where the device is asked for. */
  kt_status (*probe) (const kt_host *, kt_call *, void *user, int32_t *n);
  /* Opens device i, once in a process. *device: the handle that host->device gives to kernels. */
  kt_status (*open) (const kt_host *, kt_call *, void *user, int32_t i, void **device);
  void (*close) (void *device); /* at the end of the process, if at all */
  /* One line about it ("NVIDIA H200, 139 GiB, sm_90"), and its memory in bytes. */
  kt_status (*describe) (kt_call *, void *device, char *text, size_t size);
  kt_status (*memory) (kt_call *, void *device, size_t *free_bytes, size_t *all_bytes);

  /* Memory of the device, aligned to 256 bytes, bytes > 0; no content is promised. The host
   * asks for few, large pieces and releases them when no stream uses them any more. */
  kt_status (*alloc) (kt_call *, void *device, size_t bytes, void **memory);
  void (*release) (void *device, void *memory);
  /* Host memory that the device copies from and to quickly; NULL: there is no such thing. */
  kt_status (*alloc_pinned) (kt_call *, void *device, size_t bytes, void **memory);
  void (*release_pinned) (void *device, void *memory);

  kt_status (*stream_new) (kt_call *, void *device, kt_stream **stream);
  void (*stream_free) (kt_stream *); /* after a synchronize */
  kt_status (*event_new) (kt_call *, void *device, kt_event **event);
  void (*event_free) (kt_event *);

  /* Enqueues a copy. direction: KT_COPY_*. Host memory may be pageable; it stays untouched
   * until the copy is done. peer: the other device, of KT_COPY_PEER. label: the node, for
   * messages; lives as long as the stream. */
  kt_status (*copy) (kt_call *, kt_stream *, int32_t direction, void *to,
                     const void *from, size_t bytes, void *peer, const char *label);
  /* The event is what STREAM has been given so far. It may be recorded again and again. */
  kt_status (*record) (kt_call *, kt_stream *, kt_event *);
  /* STREAM goes on only behind the event's last record; of any stream of the kind. */
  kt_status (*wait) (kt_call *, kt_stream *, kt_event *);
  /* The host waits: for the event; for all that the stream was given. Both tell the first error
   * of the stream; behind synchronize it has none any more. */
  kt_status (*wait_host) (kt_call *, kt_event *);
  kt_status (*synchronize) (kt_call *, kt_stream *);

  /* NULL where kernels launch themselves. Runs task (arg) on the stream's thread. ranges: all
   * memory of the device that it touches; copied. arg and label live until it is done. */
  kt_status (*execute) (kt_call *, kt_stream *, kt_task *task, void *arg,
                        const kt_range *ranges, int32_t n, const char *label);
  /* With execute: where the streams' threads reach the device's MEMORY (within an allocation).
   * The host hands this to kernels and never looks there itself. */
  void *(*alias) (void *device, const void *memory);

  /* Recording what streams are given, to replay it with one call; all NULL: cannot. Between
   * begin and end nothing runs; streams that wait for an event recorded in the recording join it,
   * and STREAM must have waited for all of them at the end. Refused meanwhile: allocation,
   * wait_host, synchronize, and copies from or to host memory that is not pinned. */
  kt_status (*capture_begin) (kt_call *, kt_stream *);
  kt_status (*capture_end) (kt_call *, kt_stream *, kt_recording **recording);
  kt_status (*replay) (kt_call *, kt_stream *, kt_recording *);
  void (*recording_free) (kt_recording *);

  /* Has DEVICE kernels that round factors to PRECISION (KT_ROUND_*, kette-plugin.h)? NULL: it
   * computes f32 as f32 only. */
  int32_t (*rounds) (void *device, int32_t precision);

  /* Not 0: no two values of a plan share an allocation, so that what goes beyond one can be
   * found; such memory need only be aligned to the largest power of two that divides its
   * bytes. Asked for each plan. NULL: they do. */
  int32_t (*separate) (void *device);
} kt_device;

KT_END_DECLS
#endif /* KETTE_DEVICE_H */
