/* SPDX-License-Identifier: Apache-2.0
 * Faults on purpose: what fails, and how many allocations and file calls there were.
 */
#include "base/faults.h"

#if KETTE_FAULTS
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* What fails, and the counters. A set while other threads allocate is a mistake of the test;
 * counting is not. */
static struct
{
  _Atomic uint64_t first; /* 0: nothing fails */
  _Atomic gboolean forever;
  _Atomic int number; /* an errno, or KETTE_FAULT_SHORT */
  _Atomic uint64_t count;
} faults[2];

static const struct
{
  const char *name;
  int number;
} numbers[] = {
  { "EACCES", EACCES }, { "EAGAIN", EAGAIN }, { "EDQUOT", EDQUOT },
  { "EFBIG", EFBIG },   { "EINTR", EINTR },   { "EINVAL", EINVAL },
  { "EIO", EIO },       { "EMFILE", EMFILE }, { "ENOENT", ENOENT },
  { "ENOMEM", ENOMEM }, { "ENOSPC", ENOSPC }, { "ENOSYS", ENOSYS },
  { "EPERM", EPERM },   { "EROFS", EROFS },   { "SHORT", KETTE_FAULT_SHORT },
};

static gboolean
parse_number (const char *text, int *out)
{
  for (size_t i = 0; i < G_N_ELEMENTS (numbers); i++)
    if (strcmp (text, numbers[i].name) == 0)
      {
        *out = numbers[i].number;
        return TRUE;
      }
  return FALSE;
}

static gboolean
parse (const char *text, GError **error)
{
  const KetteFaultKind kind
      = g_str_has_prefix (text, "alloc:") ? KETTE_FAULT_ALLOC : KETTE_FAULT_IO;
  const char *p    = text;
  char *end        = NULL;
  uint64_t first   = 0;
  gboolean forever = FALSE;
  int number       = ENOMEM;

  if (kind == KETTE_FAULT_ALLOC || g_str_has_prefix (text, "io:"))
    {
      p     = strchr (text, ':') + 1;
      first = g_ascii_isdigit (*p) ? g_ascii_strtoull (p, &end, 10) : 0;
    }
  if (first > 0)
    {
      forever = *end == '+';
      p       = end + forever;
      if (kind == KETTE_FAULT_IO)
        p = *p == ':' && parse_number (p + 1, &number) ? "" : "?";
    }
  /* Nobody has to expect that a call is interrupted for ever. */
  if (first == 0 || *p || (forever && number == EINTR))
    return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                        "fault %s: must be alloc:N, alloc:N+, io:N:ERRNO, io:N+:ERRNO or "
                        "io:N:SHORT",
                        KETTE_QUOTE (text));
  atomic_store (&faults[kind].forever, forever);
  atomic_store (&faults[kind].number, number);
  atomic_store (&faults[kind].first, first);
  return TRUE;
}

/* What the environment asks for, once. */
static void
begin (void)
{
  static gsize once;

  if (g_once_init_enter (&once))
    {
      const char *text         = g_getenv ("KETTE_FAIL");
      g_autoptr (GError) error = NULL;

      if (text && *text && !parse (text, &error))
        g_warning ("KETTE_FAIL: %s", error->message);
      g_once_init_leave (&once, 1);
    }
}

gboolean
_kette_faults_set (const char *text, GError **error)
{
  begin ();
  for (int i = 0; i < 2; i++)
    {
      atomic_store (&faults[i].first, 0);
      atomic_store (&faults[i].count, 0);
    }
  return !text || parse (text, error);
}

uint64_t
_kette_faults_count (KetteFaultKind kind)
{
  return atomic_load (&faults[kind].count);
}

static int
fault (KetteFaultKind kind)
{
  uint64_t n, first;

  begin ();
  n     = atomic_fetch_add (&faults[kind].count, 1) + 1;
  first = atomic_load (&faults[kind].first);
  if (first == 0 || n < first || (n > first && !atomic_load (&faults[kind].forever)))
    return 0;
  return atomic_load (&faults[kind].number);
}

gboolean
_kette_fault_alloc (void)
{
  return fault (KETTE_FAULT_ALLOC) != 0;
}

int
_kette_fault_io (void)
{
  return fault (KETTE_FAULT_IO);
}
#endif
