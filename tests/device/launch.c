/* SPDX-License-Identifier: Apache-2.0
 * A device whose kernels launch themselves, as a GPU's do: its memory is the host's under another
 * name (each address is off by OFF), a stream does at once what it is given. It has kernels for
 * Neg and Floor, for Reshape with the shape on the host, for Ceil, which refuses, for Sign, which
 * fails, for Relu, which fails while it is recorded, for Softsign in blocks that nothing here makes.
 */
#include "kette-device.h"
#include <stdlib.h>
#include <string.h>

#define OFF ((uintptr_t) 1 << 62)

__attribute__ ((visibility ("default"))) kt_entry kette_plugin_v0;

enum
{
  MOST = 256
};

static int device, stream, event, capturing;
static struct
{
  const uint8_t *memory;
  size_t bytes;
} blocks[MOST]; /* that are allocated */

static void *
real (const void *memory)
{
  return (void *) ((uintptr_t) memory - OFF);
}

static kt_status
probe (const kt_host *host, kt_call *call, void *user, int32_t *n)
{
  (void) host, (void) call, (void) user;
  *n = 1;
  return KT_OK;
}

static kt_status
open_device (const kt_host *host, kt_call *call, void *user, int32_t i, void **out)
{
  (void) host, (void) call, (void) user, (void) i;
  *out = &device;
  return KT_OK;
}

static kt_status
alloc (kt_call *call, void *dev, size_t bytes, void **memory)
{
  void *block = aligned_alloc (256, (bytes + 255) / 256 * 256);

  (void) call, (void) dev;
  for (size_t i = 0; block && i < MOST; i++)
    if (!blocks[i].memory)
      {
        blocks[i].memory = (const uint8_t *) ((uintptr_t) block + OFF);
        blocks[i].bytes  = bytes;
        break;
      }
  *memory = block ? (void *) ((uintptr_t) block + OFF) : NULL;
  return block ? KT_OK : KT_E_NOMEM;
}

static void
release (void *dev, void *memory)
{
  (void) dev;
  for (size_t i = 0; i < MOST; i++)
    if (blocks[i].memory == memory)
      blocks[i].memory = NULL;
  free (real (memory));
}

static kt_status
stream_new (kt_call *call, void *dev, kt_stream **out)
{
  (void) call, (void) dev;
  *out = (kt_stream *) &stream;
  return KT_OK;
}

static void
stream_free (kt_stream *s)
{
  (void) s;
}

static kt_status
event_new (kt_call *call, void *dev, kt_event **out)
{
  (void) call, (void) dev;
  *out = (kt_event *) &event;
  return KT_OK;
}

static void
event_free (kt_event *e)
{
  (void) e;
}

static kt_status
copy (kt_call *call, kt_stream *s, int32_t direction, void *to, const void *from,
      size_t bytes, void *peer, const char *label)
{
  (void) call, (void) s, (void) peer, (void) label;
  memcpy (direction == KT_COPY_OUT ? to : real (to),
          direction == KT_COPY_IN ? from : real (from), bytes);
  return KT_OK;
}

static kt_status
with_event (kt_call *call, kt_stream *s, kt_event *e)
{
  (void) call, (void) s, (void) e;
  return KT_OK;
}

static kt_status
wait_host (kt_call *call, kt_event *e)
{
  (void) call, (void) e;
  return KT_OK;
}

static kt_status
synchronize (kt_call *call, kt_stream *s)
{
  (void) call, (void) s;
  return KT_OK;
}

/* Memory of the host that copies of recordings need. */
static kt_status
alloc_pinned (kt_call *call, void *dev, size_t bytes, void **memory)
{
  (void) call, (void) dev;
  *memory = aligned_alloc (256, (bytes + 255) / 256 * 256);
  return *memory ? KT_OK : KT_E_NOMEM;
}

static void
release_pinned (void *dev, void *memory)
{
  (void) dev;
  free (memory);
}

static kt_status
capture_begin (kt_call *call, kt_stream *s)
{
  (void) call, (void) s;
  capturing = 1;
  return KT_OK;
}

static kt_status
capture_end (kt_call *call, kt_stream *s, kt_recording **recording)
{
  (void) call, (void) s;
  capturing  = 0;
  *recording = (kt_recording *) &event;
  return KT_OK;
}

/* Nothing is recorded to the end. */
static kt_status
replay (kt_call *call, kt_stream *s, kt_recording *recording)
{
  (void) call, (void) s, (void) recording;
  return KT_E_INTERNAL;
}

static void
recording_free (kt_recording *recording)
{
  (void) recording;
}

static size_t
count (const kt_tensor *t)
{
  size_t n = 1;

  for (int32_t d = 0; d < t->ndim; d++)
    n *= (size_t) t->shape[d];
  return n;
}

/* It says that it rounds, where that is wished. */
static kt_status
neg_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  (void) user;
  *state = NULL;
  return host->precision (prep) ? host->rounds (prep, host->precision (prep)) : KT_OK;
}

static kt_status
neg_run (const kt_host *host, kt_run *run, void *state)
{
  const float *x = real (run->in[0].data);
  float *y       = real (run->out[0].data);

  (void) state;
  if (host->native_stream (run) != &stream || host->device (run) != &device
      || run->in[0].device_type != KT_EXT)
    return KT_E_INTERNAL;
  for (size_t i = 0, n = count (&run->in[0]); i < n; i++)
    y[i] = -x[i];
  return KT_OK;
}

static kt_status
relu_run (const kt_host *host, kt_run *run, void *state)
{
  static const char text[] = "not while it is recorded";
  const float *x           = real (run->in[0].data);
  float *y                 = real (run->out[0].data);

  (void) state;
  if (capturing)
    return host->fail (run, KT_E_UNSUPPORTED, text, sizeof text - 1);
  for (size_t i = 0, n = count (&run->in[0]); i < n; i++)
    y[i] = x[i] > 0 ? x[i] : 0;
  return KT_OK;
}

/* Is the scratch memory within what was allocated? */
static kt_status
scratch_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  (void) user;
  *state = NULL;
  return host->want_workspace (prep, 128, 0);
}

static kt_status
scratch_run (const kt_host *host, kt_run *run, void *state)
{
  size_t bytes;
  const uint8_t *piece = host->workspace (run, -1, &bytes);

  (void) state;
  for (size_t i = 0; i < MOST; i++)
    if (blocks[i].memory && piece >= blocks[i].memory
        && piece + bytes <= blocks[i].memory + blocks[i].bytes)
      return KT_OK;
  return KT_E_INTERNAL;
}

static int32_t
separate (void *dev)
{
  (void) dev;
  return getenv ("LAUNCH_SEPARATE") != NULL;
}

/* A kernel that does not notice that it has failed. */
static kt_status
erf_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  static const char text[] = "of no use";

  *state = malloc (16);
  (void) host->fail (prep, user ? KT_E_VALUE : KT_E_UNSUPPORTED, text, sizeof text - 1);
  return KT_OK;
}

static void
erf_destroy (void *state)
{
  free (state);
  setenv ("LAUNCH_DESTROYED", "1", 1);
}

/* Rounds down, and does the Neg behind it, too. */
static kt_status
floor_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  kt_follower next;
  kt_status status = host->follower (prep, 0, &next);

  (void) user;
  *state = NULL;
  if (status == KT_OK && next.op && strcmp (next.op, "Neg") == 0)
    {
      *state = &device;
      status = host->absorb (prep, 1);
    }
  return status;
}

static kt_status
floor_run (const kt_host *host, kt_run *run, void *state)
{
  const float *x = real (run->in[0].data);
  float *y       = real (run->out[0].data);

  (void) host;
  for (size_t i = 0, n = count (&run->in[0]); i < n; i++)
    {
      const float whole = (float) (int) x[i], down = whole > x[i] ? whole - 1 : whole;
      y[i] = state ? -down : down;
    }
  return KT_OK;
}

/* What a device finds out late: it cannot (USER NULL), or something is wrong. */
static kt_status
late_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  static const char cannot[] = "not on such a day", wrong[] = "a wrong number";

  (void) state;
  return user ? host->fail (prep, KT_E_VALUE, wrong, sizeof wrong - 1)
              : host->fail (prep, KT_E_UNSUPPORTED, cannot, sizeof cannot - 1);
}

/* For the guard device: a kernel that forgets how much memory it wanted. */
static kt_status
greedy_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  (void) user;
  *state = NULL;
  return host->want_workspace (prep, 128, 0);
}

static kt_status
greedy_run (const kt_host *host, kt_run *run, void *state)
{
  size_t bytes, n = count (&run->in[0]);
  volatile char *piece = host->workspace (run, -1, &bytes);

  (void) state;
  memcpy (run->out[0].data, run->in[0].data, n * sizeof (float));
  piece[bytes - 1] = 0;
  if (n > 4)
    piece[bytes] = 0;
  return KT_OK;
}

/* The shape is read where the host has it. */
static kt_status
reshape_run (const kt_host *host, kt_run *run, void *state)
{
  const int64_t *shape = run->in[1].data;

  (void) host, (void) state;
  if (run->in[1].device_type != KT_CPU || shape[0] != run->out[0].shape[0])
    return KT_E_INTERNAL;
  memcpy (real (run->out[0].data), real (run->in[0].data),
          count (&run->in[0]) * sizeof (float));
  return KT_OK;
}

static int32_t
rounds (void *dev, int32_t precision)
{
  return dev == &device && precision == KT_ROUND_TF32;
}

static const kt_device launch = {
  .struct_size = sizeof (kt_device),
  .name        = "launch",
  .dl_type     = KT_EXT,
  .flags       = KT_D_ASKED,
  .probe       = probe,
  .open        = open_device,
  .alloc       = alloc,
  .release     = release,
  .stream_new  = stream_new,
  .stream_free = stream_free,
  .event_new   = event_new,
  .event_free  = event_free,
  .copy        = copy,
  .record      = with_event,
  .wait        = with_event,
  .wait_host   = wait_host,
  .synchronize = synchronize,
  .rounds      = rounds,
  .separate    = separate,

  .alloc_pinned   = alloc_pinned,
  .release_pinned = release_pinned,
  .capture_begin  = capture_begin,
  .capture_end    = capture_end,
  .replay         = replay,
  .recording_free = recording_free,
};

static const kt_kernel kernels[] = {
  { .struct_size = sizeof (kt_kernel),
    .domain      = "",
    .name        = "Softplus",
    .device      = "guard",
    .types       = "T=f32",
    .since       = 1,
    .prepare     = greedy_prepare,
    .run         = greedy_run },
  { .struct_size = sizeof (kt_kernel),
    .domain      = "",
    .name        = "Neg",
    .device      = "launch",
    .types       = "T=f32",
    .since       = 1,
    .flags       = KT_K_TILEABLE,
    .prepare     = neg_prepare,
    .run         = neg_run },
  { .struct_size = sizeof (kt_kernel),
    .domain      = "",
    .name        = "Floor",
    .device      = "launch",
    .types       = "T=f32",
    .since       = 1,
    .flags       = KT_K_EPILOGUE,
    .prepare     = floor_prepare,
    .run         = floor_run },
  { .struct_size = sizeof (kt_kernel),
    .domain      = "",
    .name        = "Relu",
    .device      = "launch",
    .types       = "T=f32",
    .since       = 1,
    .flags       = KT_K_CAPTURABLE,
    .run         = relu_run },
  { .struct_size = sizeof (kt_kernel),
    .domain      = "",
    .name        = "Reciprocal",
    .device      = "launch",
    .types       = "T=f32",
    .since       = 1,
    .prepare     = scratch_prepare,
    .run         = scratch_run },
  { .struct_size = sizeof (kt_kernel),
    .domain      = "",
    .name        = "Erf",
    .device      = "launch",
    .types       = "T=f32",
    .since       = 1,
    .prepare     = erf_prepare,
    .run         = neg_run,
    .destroy     = erf_destroy },
  { .struct_size = sizeof (kt_kernel),
    .domain      = "",
    .name        = "Sqrt",
    .device      = "launch",
    .types       = "T=f32",
    .since       = 1,
    .user        = &stream,
    .prepare     = erf_prepare,
    .run         = neg_run,
    .destroy     = erf_destroy },
  { .struct_size = sizeof (kt_kernel),
    .domain      = "",
    .name        = "Softsign",
    .device      = "launch",
    .types       = "T=f32",
    .since       = 1,
    .layout      = "c8>c8",
    .run         = neg_run },
  { .struct_size = sizeof (kt_kernel),
    .domain      = "",
    .name        = "Ceil",
    .device      = "launch",
    .since       = 1,
    .flags       = KT_K_TILEABLE,
    .prepare     = late_prepare,
    .run         = neg_run },
  { .struct_size = sizeof (kt_kernel),
    .domain      = "",
    .name        = "Sign",
    .device      = "launch",
    .since       = 1,
    .user        = &stream,
    .prepare     = late_prepare,
    .run         = neg_run },
  { .struct_size = sizeof (kt_kernel),
    .domain      = "",
    .name        = "Reshape",
    .device      = "launch",
    .types       = "T=f32",
    .since       = 1,
    .host_in     = 1 << 1,
    .run         = reshape_run },
};

kt_status
kette_plugin_v0 (const kt_host *host, kt_reg *reg)
{
  kt_status status = host->add_device (reg, &launch);

  for (size_t i = 0; status == KT_OK && i < sizeof kernels / sizeof *kernels; i++)
    status = host->add_kernel (reg, &kernels[i]);
  return status;
}
