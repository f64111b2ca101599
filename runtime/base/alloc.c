/* SPDX-License-Identifier: Apache-2.0
 * Blocks of memory that are charged to an account.
 *
 * In front of each block lies a header with the start of what malloc gave, the account and
 * the size. Every account but the process' own is a part of it: both are charged.
 */
#include "base/alloc.h"
#include "base/cgroup.h"
#include "base/faults.h"
#include "base/limits.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum
{
  ALIGNMENT = 64,
  LARGE     = 4 << 20 /* two pages of 2 MiB */
};

typedef struct
{
  void *start; /* for free */
  KetteAccount *account;
  size_t bytes; /* charged */
} Header;

/* 75 % of what the machine or the control group has. */
static size_t
default_cap (void)
{
  const long pages = sysconf (_SC_PHYS_PAGES), page = sysconf (_SC_PAGESIZE);
  uint64_t most = _kette_cgroup_limit ("memory.max");

  if (pages > 0 && page > 0)
    most = MIN (most, (uint64_t) pages * (uint64_t) page);
  return (size_t) (MIN (most, (uint64_t) PTRDIFF_MAX) / 4 * 3);
}

KetteAccount *
_kette_account_process (void)
{
  static KetteAccount account;
  static gsize once;

  if (g_once_init_enter (&once))
    {
      __atomic_store_n (&account.cap, default_cap (), __ATOMIC_RELAXED);
      g_once_init_leave (&once, 1);
    }
  return &account;
}

void
kette_set_memory_limit (guint64 bytes)
{
  const size_t cap = bytes == 0 ? default_cap () : (size_t) MIN (bytes, PTRDIFF_MAX);

  __atomic_store_n (&_kette_account_process ()->cap, cap, __ATOMIC_RELAXED);
}

static gboolean
charge (KetteAccount *account, size_t bytes, GError **error)
{
  const size_t cap = __atomic_load_n (&account->cap, __ATOMIC_RELAXED);
  size_t used      = __atomic_load_n (&account->used, __ATOMIC_RELAXED), next, peak;

  do
    {
      if (__builtin_add_overflow (used, bytes, &next) || next > cap)
        return _kette_fail (error, KETTE_ERROR_MEMORY, NULL,
                            "needs %zu bytes more, %zu of %zu are in use", bytes, used,
                            cap);
    }
  while (!__atomic_compare_exchange_n (&account->used, &used, next, TRUE,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  peak = __atomic_load_n (&account->peak, __ATOMIC_RELAXED);
  while (peak < next
         && !__atomic_compare_exchange_n (&account->peak, &peak, next, TRUE,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    ;
  return TRUE;
}

static void
discharge (KetteAccount *account, size_t bytes)
{
  __atomic_fetch_sub (&account->used, bytes, __ATOMIC_RELAXED);
}

static gboolean
charge_both (KetteAccount *account, size_t bytes, GError **error)
{
  KetteAccount *process = _kette_account_process ();

  if (!charge (account, bytes, error))
    return FALSE;
  if (account == process || charge (process, bytes, error))
    return TRUE;
  discharge (account, bytes);
  return FALSE;
}

static void
discharge_both (KetteAccount *account, size_t bytes)
{
  KetteAccount *process = _kette_account_process ();

  discharge (account, bytes);
  if (account != process)
    discharge (process, bytes);
}

/* Large pages for a large block: weights that are read once per run cost a tenth less when
 * the processor translates fewer addresses. Only advice: a system without them goes on. */
static void
advise (char *start, size_t bytes)
{
  if (bytes < LARGE)
    return;
  const uintptr_t page  = (uintptr_t) sysconf (_SC_PAGESIZE);
  const uintptr_t begin = ((uintptr_t) start + page - 1) & ~(page - 1);

  (void) madvise ((void *) begin, ((uintptr_t) start + bytes - begin) & ~(page - 1),
                  MADV_HUGEPAGE);
}

static void *
allocate (KetteAccount *account, size_t count, size_t size, gboolean zero, GError **error)
{
  size_t bytes, whole;
  char *start, *block;

  if (!account)
    account = _kette_account_process ();
  if (!_kette_mul (count, size, &bytes) || bytes > PTRDIFF_MAX
      || !_kette_add (bytes, sizeof (Header) + ALIGNMENT, &whole))
    {
      _kette_fail (error, KETTE_ERROR_MEMORY, NULL,
                   "%zu elements of %zu bytes are more than can be addressed", count,
                   size);
      return NULL;
    }
  if (_kette_fault_alloc ())
    {
      _kette_fail (error, KETTE_ERROR_MEMORY, NULL, "%zu bytes are refused on purpose",
                   whole);
      return NULL;
    }
  if (!charge_both (account, whole, error))
    return NULL;
  start = zero ? calloc (1, whole) : malloc (whole);
  if (!start)
    {
      discharge_both (account, whole);
      _kette_fail (error, KETTE_ERROR_MEMORY, NULL, "the system refused %zu bytes",
                   whole);
      return NULL;
    }
  advise (start, whole);
  block = start + sizeof (Header);
  block += (ALIGNMENT - (uintptr_t) block % ALIGNMENT) % ALIGNMENT;
  ((Header *) (void *) block)[-1] = (Header){ start, account, whole };
  return block;
}

void *
_kette_alloc (KetteAccount *account, size_t count, size_t size, GError **error)
{
  return allocate (account, count, size, TRUE, error);
}

void *
_kette_alloc_raw (KetteAccount *account, size_t count, size_t size, GError **error)
{
  return allocate (account, count, size, FALSE, error);
}

void
_kette_free (void *block)
{
  if (!block)
    return;
  const Header header = ((const Header *) block)[-1];
  free (header.start);
  discharge_both (header.account, header.bytes);
}

gboolean
_kette_grow (void *array, size_t *capacity, size_t need, size_t size, GError **error)
{
  void *old, *new;
  size_t next;

  if (need <= *capacity)
    return TRUE;
  memcpy (&old, array, sizeof old);
  if (!_kette_add (*capacity, *capacity / 2, &next))
    next = need;
  next = MAX (MAX (next, need), 8);
  new = _kette_alloc (old ? ((const Header *) old)[-1].account : NULL, next, size, error);
  if (!new)
    return FALSE;
  if (*capacity > 0)
    memcpy (new, old, *capacity * size);
  _kette_free (old);
  memcpy (array, &new, sizeof new);
  *capacity = next;
  return TRUE;
}

gboolean
_kette_count (const int64_t *dims, int rank, size_t *count)
{
  size_t n      = 1;
  gboolean zero = FALSE;

  for (int i = 0; i < rank; i++)
    zero |= dims[i] == 0;
  for (int i = 0; i < rank; i++)
    if (dims[i] < 0)
      return FALSE;
    else if (!zero && !_kette_mul (n, (size_t) dims[i], &n))
      return FALSE;
  *count = zero ? 0 : n;
  return TRUE;
}
