/* SPDX-License-Identifier: Apache-2.0
 * What the fuzz targets share: limits, a deadline, and what every call must keep to.
 */
#include "base/deadline.h"
#include "base/faults.h"
#include "base/pool.h"
#include "fuzz.h"
#include "op/plugins.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY ((size_t) 256 << 20)
#define MOST_SECONDS 3

struct FuzzReached fuzz_reached;

static size_t used_before;
static uint64_t state;          /* of fuzz_random */
static KetteDeadline *deadline; /* of the current input */
static gboolean failing;        /* an allocation is made to fail */

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

/* Warnings of loading are part of what is tried, but nobody reads them. */
static void
be_quiet (const char *domain, GLogLevelFlags level, const char *text, gpointer user)
{
  if (level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR))
    g_log_default_handler (domain, level, text, user);
}

int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  GError *error = NULL;

  (void) argc;
  (void) argv;
  g_log_set_default_handler (be_quiet, NULL);
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR);
  _kette_account_process ()->cap = MEMORY;
  _kette_pool_set_threads (1);
  if (!kette_plugins_get (&error))
    fuzz_fault ("%s", error->message);
  return 0;
}

void
fuzz_begin (const uint8_t *data, size_t n)
{
  state = UINT64_C (0xcbf29ce484222325) ^ n;
  for (size_t i = 0; i < n; i++)
    state = (state ^ data[i]) * UINT64_C (0x100000001b3);
  failing     = FALSE;
  deadline    = kette_deadline_new (MOST_SECONDS);
  used_before = _kette_account_process ()->used;
  g_cancellable_push_current (G_CANCELLABLE (deadline));
}

void
fuzz_end (void)
{
  const size_t used = _kette_account_process ()->used;

#if KETTE_FAULTS
  _kette_faults_set (NULL, NULL);
#endif
  g_cancellable_pop_current (G_CANCELLABLE (deadline));
  g_clear_object (&deadline);
  if (used != used_before)
    fuzz_fault ("%zu bytes were in use, now %zu", used_before, used);
}

void
fuzz_fail_allocations (uint64_t most)
{
#if KETTE_FAULTS
  const uint64_t r = fuzz_random ();
  char text[64];

  if (r & 1)
    return;
  /* Small numbers as often as large ones. */
  g_snprintf (text, sizeof text, "alloc:%" G_GUINT64_FORMAT "%s",
              1 + fuzz_random () % (1 + (most >> (r >> 8 & 7))), r & 2 ? "+" : "");
  failing = _kette_faults_set (text, NULL);
#else
  (void) most;
#endif
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

gboolean
fuzz_judge (gboolean ok, GError **error)
{
  const char *text;

  if (ok)
    {
      if (*error)
        fuzz_fault ("success with an error: %s", (*error)->message);
      return TRUE;
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
  return FALSE;
}

gboolean
fuzz_expect (gboolean ok, GError **error, const char *what)
{
  if (!ok && *error
      && !(failing && g_error_matches (*error, KETTE_ERROR, KETTE_ERROR_MEMORY))
      && !g_error_matches (*error, KETTE_ERROR, KETTE_ERROR_TIMEOUT))
    fuzz_fault ("%s: %s", what, (*error)->message);
  return fuzz_judge (ok, error);
}
