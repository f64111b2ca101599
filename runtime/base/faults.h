/* SPDX-License-Identifier: Apache-2.0
 * Faults on purpose, for tests: the N-th allocation or file call fails.
 *
 * Compiled in with -Dfaults=true only; otherwise the hooks are nothing. What fails is said by
 * the environment, KETTE_FAIL, counted from the start of the process, or by
 * _kette_faults_set(), counted from that call:
 *   alloc:N       the N-th allocation, counted from 1, is refused
 *   alloc:N+      from the N-th on, for ever
 *   io:N:ENOSPC   the N-th file call fails with that number; +: for ever
 *   io:N:SHORT    the N-th file call, if it reads or writes, moves about half of the bytes
 */
#pragma once
#include "base/error.h"
#include "base/faults-config.h"
#include <stdint.h>

typedef enum
{
  KETTE_FAULT_ALLOC,
  KETTE_FAULT_IO
} KetteFaultKind;

#define KETTE_FAULT_SHORT -1

#if KETTE_FAULTS
/* NULL: nothing fails. Counting begins anew. FALSE with `value`: TEXT says nothing known. */
gboolean _kette_faults_set (const char *text, GError **error);
/* How many there were since the last _kette_faults_set(). */
uint64_t _kette_faults_count (KetteFaultKind kind);

/* The hooks. */
gboolean _kette_fault_alloc (void);
int _kette_fault_io (void); /* 0, an errno, or KETTE_FAULT_SHORT */
#else
static inline gboolean
_kette_fault_alloc (void)
{
  return FALSE;
}
static inline int
_kette_fault_io (void)
{
  return 0;
}
#endif
