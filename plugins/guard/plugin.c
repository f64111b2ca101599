/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin.c: the plugin's entry, its knobs, the table of its functions.
 */
#include "guard.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__ ((visibility ("default"))) kt_entry kette_plugin_v0;

const kt_host *guard_host;
static Device devices[MOST_DEVICES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char known[512]; /* the text that the knobs are of */
static int n_devices = 2;
Knobs guard_known    = { .seed = 1 };

kt_status
guard_fail (kt_call *call, kt_status status, const char *format, ...)
{
  char text[TEXT + 100];
  va_list args;

  va_start (args, format);
  const int n = vsnprintf (text, sizeof text, format, args);
  va_end (args);
  return guard_host->fail (call, status, text,
                           n < (int) sizeof text ? (size_t) n : sizeof text - 1);
}

static void
set_knob (const char *word, size_t n)
{
  const char *equals = memchr (word, '=', n);
  const size_t name  = equals ? (size_t) (equals - word) : n;
  const long value   = equals ? strtol (equals + 1, NULL, 10) : 1;

#define IS(text) (name == sizeof (text) - 1 && memcmp (word, text, name) == 0)
  if (IS ("devices"))
    n_devices = value < 0 ? 0 : value > MOST_DEVICES ? MOST_DEVICES : (int) value;
  else if (IS ("delay"))
    guard_known.delay = value < 0 || value > 1000000 ? 0 : (unsigned) value;
  else if (IS ("reorder"))
    guard_known.reorder = value != 0;
  else if (IS ("lazy"))
    guard_known.lazy = value != 0;
  else if (IS ("shared"))
    guard_known.shared = value != 0;
  else if (IS ("lost"))
    guard_known.lost = value;
  else if (IS ("spill"))
    guard_known.spill = value;
  else if (IS ("stale"))
    guard_known.stale = value;
  else if (IS ("nocapture"))
    guard_known.no_capture = value != 0;
  else if (IS ("seed"))
    guard_known.seed = (uint64_t) value;
  else if (IS ("oom"))
    guard_known.oom = value;
  else if (IS ("deaf"))
    guard_known.deaf = value;
  else if (IS ("fail"))
    guard_known.fail = value;
#undef IS
}

static void
read_knobs (void)
{
  const char *text = getenv ("KETTE_GUARD");

  text = text ? text : "";
  if (strncmp (text, known, sizeof known - 1) == 0)
    return;
  snprintf (known, sizeof known, "%s", text);
  guard_known = (Knobs){ .seed = 1 };
  n_devices   = 2;
  for (const char *word = known; word; word = strchr (word, ','))
    {
      word += *word == ',';
      set_knob (word, strcspn (word, ","));
    }
}

Knobs *
guard_knobs (void)
{
  pthread_mutex_lock (&lock);
  read_knobs ();
  pthread_mutex_unlock (&lock);
  return &guard_known;
}

bool
guard_count (long *counter)
{
  if (__atomic_load_n (counter, __ATOMIC_RELAXED) <= 0)
    return false;
  pthread_mutex_lock (&lock);
  const bool now = *counter > 0 && --*counter == 0;
  pthread_mutex_unlock (&lock);
  return now;
}

static kt_status
probe (const kt_host *host, kt_call *call, void *user, int32_t *n)
{
  static const char none[] = "KETTE_GUARD says devices=0";

  (void) user;
  pthread_mutex_lock (&lock);
  read_knobs ();
  *n = n_devices;
  pthread_mutex_unlock (&lock);
  return *n ? KT_OK : host->fail (call, KT_E_DEVICE, none, sizeof none - 1);
}

static kt_status
open_device (const kt_host *host, kt_call *call, void *user, int32_t i, void **device)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  (void) host;
  (void) call;
  (void) user;
  pthread_once (&once, guard_watch);
  devices[i].index = i;
  *device          = &devices[i];
  return KT_OK;
}

static int32_t
separate (void *device)
{
  (void) device;
  return !guard_knobs ()->shared;
}

static kt_status
describe (kt_call *call, void *device, char *text, size_t size)
{
  (void) call;
  (void) device;
  snprintf (text, size, "a device of threads that checks what it is given");
  return KT_OK;
}

/* Costs: those of a middling GPU, so that placement can be looked at without one. */
static const kt_device guard = {
  .struct_size    = sizeof (kt_device),
  .name           = "guard",
  .kernels        = "cpu",
  .dl_type        = KT_EXT,
  .flags          = KT_D_PEER | KT_D_ASKED,
  .costs          = { .launch_us           = 1,
                      .copy_us             = 10,
                      .link_bytes_per_us   = 20e3,
                      .memory_bytes_per_us = 1e6,
                      .flops_per_us        = 10e6,
                      .kernel_us           = 4 },
  .probe          = probe,
  .open           = open_device,
  .describe       = describe,
  .memory         = guard_memory,
  .alloc          = guard_alloc,
  .release        = guard_release,
  .alloc_pinned   = guard_alloc_pinned,
  .release_pinned = guard_release_pinned,
  .stream_new     = guard_stream_new,
  .stream_free    = guard_stream_free,
  .event_new      = guard_event_new,
  .event_free     = guard_event_free,
  .copy           = guard_copy,
  .record         = guard_record,
  .wait           = guard_wait,
  .wait_host      = guard_wait_host,
  .synchronize    = guard_synchronize,
  .execute        = guard_execute,
  .alias          = guard_alias,
  .capture_begin  = guard_capture_begin,
  .capture_end    = guard_capture_end,
  .replay         = guard_replay,
  .recording_free = guard_recording_free,
  .separate       = separate,
};

kt_status
kette_plugin_v0 (const kt_host *host, kt_reg *reg)
{
  static const char old[] = "this Kette is too old for devices";

  guard_host = host;
  if (!KT_HAS (kt_host, host, add_device))
    return host->fail (reg, KT_E_UNSUPPORTED, old, sizeof old - 1);
  return host->add_device (reg, &guard);
}
