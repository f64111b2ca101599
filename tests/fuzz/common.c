/* SPDX-License-Identifier: Apache-2.0
 * What the fuzz targets share: limits, a deadline, and what every call must keep to.
 */
#include "base/pool.h"
#include "fuzz.h"
#include "op/plugins.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMORY ((size_t) 256 << 20)
#define MOST_SECONDS 2

static size_t used_before;
static uint64_t state; /* of fuzz_random */
static GCancellable *cancellable;
static gint64 cancel_at; /* monotonic time; 0: nothing to cancel */
static GMutex lock;

void
fuzz_fault (const char *format, ...)
{
  va_list args;

  va_start (args, format);
  fputs ("fuzz: ", stderr);
  vfprintf (stderr, format, args);
  fputc ('\n', stderr);
  va_end (args);
  abort ();
}

/* Cancels the run that is too long. The thread lives as long as the process. */
static gpointer
watch (gpointer data)
{
  for (;;)
    {
      g_usleep (100000);
      g_mutex_lock (&lock);
      if (cancel_at && g_get_monotonic_time () > cancel_at)
        {
          g_cancellable_cancel (cancellable);
          cancel_at = 0;
        }
      g_mutex_unlock (&lock);
    }
  return data;
}

int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  GError *error = NULL;

  (void) argc;
  (void) argv;
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR);
  _kette_account_process ()->cap = MEMORY;
  _kette_pool_set_threads (1);
  if (!kette_plugins_get (&error))
    fuzz_fault ("%s", error->message);
  cancellable = g_cancellable_new ();
  g_thread_unref (g_thread_new ("deadline", watch, NULL));
  return 0;
}

void
fuzz_begin (const uint8_t *data, size_t n)
{
  state = UINT64_C (0xcbf29ce484222325) ^ n;
  for (size_t i = 0; i < n; i++)
    state = (state ^ data[i]) * UINT64_C (0x100000001b3);
  used_before = _kette_account_process ()->used;
}

void
fuzz_end (void)
{
  const size_t used = _kette_account_process ()->used;

  g_mutex_lock (&lock);
  cancel_at = 0;
  g_mutex_unlock (&lock);
  if (used != used_before)
    fuzz_fault ("%zu bytes were in use, now %zu", used_before, used);
}

GCancellable *
fuzz_deadline (void)
{
  g_mutex_lock (&lock);
  g_cancellable_reset (cancellable);
  cancel_at = g_get_monotonic_time () + MOST_SECONDS * G_USEC_PER_SEC;
  g_mutex_unlock (&lock);
  return cancellable;
}

/* splitmix64 */
uint64_t
fuzz_random (void)
{
  uint64_t z = state += UINT64_C (0x9e3779b97f4a7c15);

  z = (z ^ z >> 30) * UINT64_C (0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C (0x94d049bb133111eb);
  return z ^ z >> 31;
}

GBytes *
fuzz_bytes (const uint8_t *data, size_t n)
{
  return g_bytes_new (data, n);
}

void
fuzz_judge (gboolean ok, GError **error)
{
  const char *text;

  if (ok)
    {
      if (*error)
        fuzz_fault ("success with an error: %s", (*error)->message);
      return;
    }
  if (!*error)
    fuzz_fault ("failure without an error");
  text = (*error)->message;
  if ((*error)->domain != KETTE_ERROR || !*text || strlen (text) > 1024
      || !g_utf8_validate (text, -1, NULL))
    fuzz_fault ("an error of another form: %s", text);
  for (const char *p = text; *p; p++)
    if ((uint8_t) *p < ' ' || *p == 0x7f)
      fuzz_fault ("control character 0x%02x in an error: %s", (uint8_t) *p, text);
  if ((*error)->code == KETTE_ERROR_INTERNAL)
    fuzz_fault ("our own fault: %s", text);
  g_clear_error (error);
}
