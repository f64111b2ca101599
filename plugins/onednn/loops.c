/* SPDX-License-Identifier: Apache-2.0
 *
 * loops.c: the loops of pools for each kind of vectors, and which this processor has.
 */
#include "pool.h"
#include <math.h>
#include <string.h>

/* The channels of a position: floats, what comparing them gives, and doubles to add them in. */
#define VECTORS(BLOCK)                                                                   \
  typedef float Floats##BLOCK                                                            \
      __attribute__ ((vector_size (4 * BLOCK), aligned (4), may_alias));                 \
  typedef int32_t Bits##BLOCK __attribute__ ((vector_size (4 * BLOCK)));                 \
  typedef double Doubles##BLOCK __attribute__ ((vector_size (8 * BLOCK)));

VECTORS (8)
VECTORS (16)

/* The sanitizer of gcc before 13 lays vectors of 64 bytes at multiples of 32 (its bug 110027). */
#if defined(__SANITIZE_ADDRESS__) && !defined(__clang__) && __GNUC__ < 13
#define UNCHECKED __attribute__ ((no_sanitize_address))
#else
#define UNCHECKED
#endif

#define TARGET UNCHECKED
#define ISA plain
#include "loops.h"

#if defined(__x86_64__)
#define TARGET UNCHECKED __attribute__ ((target ("avx2")))
#define ISA avx2
#include "loops.h"

#define TARGET UNCHECKED __attribute__ ((target ("avx512f,avx512bw,avx512vl,avx512dq")))
#define ISA avx512
#include "loops.h"
#endif

const Loops *
loops_get (void)
{
#if defined(__x86_64__)
  if (__builtin_cpu_supports ("avx512f") && __builtin_cpu_supports ("avx512bw")
      && __builtin_cpu_supports ("avx512vl") && __builtin_cpu_supports ("avx512dq"))
    return &loops_all_avx512;
  if (__builtin_cpu_supports ("avx2"))
    return &loops_all_avx2;
#endif
  return &loops_all_plain;
}
