/* SPDX-License-Identifier: Apache-2.0
 *
 * kernels.h: what the C files of this folder share: prepare and run of kernels that the .cu files
 * hold. They know CUDA by these few functions only; cuda-glue.c has them for the device, and
 * tests/cuda/host-glue.c for running the same kernels on the host.
 */
#pragma once
#include "broadcast.h"
#include "families.h"
#include "operator.h"
#include "params.h"

/* The stream that the node's kernels are launched into, its device made current. */
void *kt_gpu_stream (const kt_host *host, kt_run *run);
/* Did the launches go well? WHAT: the operator. */
kt_status kt_gpu_launched (const kt_host *host, kt_run *run, const char *what);

/* prepare: bytes that the device reads, a copy of DATA. kt_gpu_give takes NULL, too. */
kt_status kt_gpu_upload (const kt_host *host, kt_prep *prep, const void *data,
                         size_t bytes, void **out);
void kt_gpu_give (void *memory);
/* Copies and zeroes BYTES of the device's memory in the order of the stream. */
kt_status kt_gpu_copy (const kt_host *host, kt_run *run, void *to, const void *from,
                       size_t bytes);

/* What kernels find wrong with contents: they tell it to a fault, two words that the host sees as
 * well: place * 2 + which + 1, and the value there. */
typedef struct kt_fault_text
{
  /* In it % is the value, @ the place, < and > the ends of what is allowed:
   * "index % at position @ is not in <..>". Lives as long as the prepared node. */
  const char *which[2];
  int64_t low, high;
  /* Of tuples: at place p, -n .. n - 1 with n = dims[p % n_dims]. */
  int32_t n_dims;
  int64_t dims[KT_GPU_RANK];
} kt_fault_text;

kt_status kt_gpu_fault_new (const kt_host *host, kt_prep *prep, const kt_fault_text *text,
                            int64_t **fault);
void kt_gpu_fault_free (int64_t *fault);
/* Behind the launches of a run. Where they are done already, reports what FAULT tells of the
 * operand T; where they are not, what waits for the stream does so. */
kt_status kt_gpu_fault_check (const kt_host *host, kt_run *run, int64_t *fault,
                              const kt_tensor *t);

/* FAULT, which tells something, in words; PLACE: "[1,2]". */
static inline void
kt_fault_write (const kt_fault_text *text, const int64_t fault[2], const char *place,
                char *out, size_t size)
{
  const int64_t at   = (fault[0] - 1) / 2;
  const int64_t dim  = text->n_dims ? text->dims[at % text->n_dims] : 0;
  const int64_t low  = text->n_dims ? -dim : text->low,
                high = text->n_dims ? dim - 1 : text->high;
  size_t n           = 0;

  out[0] = 0;
  for (const char *c = text->which[(fault[0] - 1) & 1]; *c && n + 1 < size; c++)
    {
      int m = *c == '%'   ? snprintf (out + n, size - n, "%lld", (long long) fault[1])
              : *c == '@' ? snprintf (out + n, size - n, "%s", place)
              : *c == '<' ? snprintf (out + n, size - n, "%lld", (long long) low)
              : *c == '>' ? snprintf (out + n, size - n, "%lld", (long long) high)
                          : snprintf (out + n, size - n, "%c", *c);
      n += m > 0 ? (size_t) m : 0;
    }
}

/* The paths of the node's first N inputs; KT_E_UNSUPPORTED: too many dims. */
kt_status kt_paths_plan (const kt_host *host, const void *ctx, int32_t n, kt_paths *p);

/* Operand I of N, or NULL. */
static inline void *
kt_gpu_given (const kt_tensor *t, int32_t n, int32_t i)
{
  return i < n && t[i].device_type != 0 ? t[i].data : NULL;
}

/* Are elements of this type moved by the GPU's kernels? */
static inline bool
kt_gpu_moves (int32_t dtype)
{
  return dtype != KT_STRING && kt_size_of (dtype) > 0;
}

/* Are they numbers, or bools, that they compute with? */
static inline bool
kt_gpu_computes (int32_t dtype)
{
  return kt_is_float (dtype) || (dtype >= KT_U8 && dtype <= KT_I64) || dtype == KT_BOOL
         || dtype == KT_U32 || dtype == KT_U64;
}

/* The least power of two that is not below N. */
static inline int64_t
kt_sort_length (int64_t n)
{
  int64_t length = 1;

  while (length < n && length < INT64_MAX / 64)
    length *= 2;
  return length;
}

/* The first fields of a kernel's descriptor. */
#define KT_GPU_FLAGS (KT_K_CAPTURABLE | KT_K_DETERMINISTIC | KT_K_REENTRANT)
#define KT_GPU_AS(DOMAIN, NAME, SINCE, FLAGS)                                            \
  .struct_size = sizeof (kt_kernel), .domain = DOMAIN, .name = NAME, .since = SINCE,     \
  .device = "cuda", .flags = FLAGS
#define KT_GPU(DOMAIN, NAME, SINCE) KT_GPU_AS (DOMAIN, NAME, SINCE, KT_GPU_FLAGS)
#define KT_GPU_ONCE(DOMAIN, NAME, SINCE)                                                 \
  .struct_size = sizeof (kt_kernel), .domain = DOMAIN, .name = NAME, .since = SINCE,     \
  .device = "cuda", .flags = KT_K_DETERMINISTIC | KT_K_REENTRANT

/* Reports a node that this kernel leaves to the CPU. CTX: of suits or prepare. */
#define KT_GPU_LEAVE(CTX, WHY) kt_fail (host, CTX, KT_E_UNSUPPORTED, WHY)

/* What suits and prepare share: kt_status NAME_plan (host, ctx, user, TYPE *plan) works out
 * the kernel's parameters, or refuses; it keeps nothing and changes nothing. */
#define KT_GPU_SUITS(NAME, TYPE)                                                         \
  static int32_t NAME##_suits (const kt_host *host, const void *ctx, void *user)         \
  {                                                                                      \
    TYPE plan = { 0 };                                                                   \
                                                                                         \
    return NAME##_plan (host, ctx, user, &plan) == KT_OK;                                \
  }
/* For a prepare that adds to the plan. */
#define KT_GPU_KEEP(NAME, TYPE)                                                          \
  static kt_status NAME##_keep (const kt_host *host, kt_prep *prep, void *user,          \
                                TYPE **p, void **state)                                  \
  {                                                                                      \
    TYPE plan = { 0 };                                                                   \
                                                                                         \
    KT_TRY (NAME##_plan (host, prep, user, &plan));                                      \
    KT_TRY (host->keep (prep, sizeof plan, state));                                      \
    memcpy (*state, &plan, sizeof plan);                                                 \
    *p = *state;                                                                         \
    return KT_OK;                                                                        \
  }
/* For a prepare that does not. */
#define KT_GPU_PLANNED(NAME, TYPE)                                                       \
  KT_GPU_SUITS (NAME, TYPE)                                                              \
  KT_GPU_KEEP (NAME, TYPE)                                                               \
  static kt_status NAME##_prepare (const kt_host *host, kt_prep *prep, void *user,       \
                                   void **state)                                         \
  {                                                                                      \
    TYPE *p;                                                                             \
                                                                                         \
    return NAME##_keep (host, prep, user, &p, state);                                    \
  }

#define KT_GPU_DECLARE(NAME) extern const kt_kernel cu_##NAME##_kernels[];
KT_GPU_FAMILIES (KT_GPU_DECLARE)
