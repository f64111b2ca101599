/* SPDX-License-Identifier: Apache-2.0
 *
 * kernels.h: what the C files of this folder share: prepare and run of kernels that the .cu files
 * hold. They know CUDA by these few functions only; cuda-glue.c has them for the device, and
 * tests/cuda/host-glue.c for running the same kernels on the host.
 */
#pragma once
#include "broadcast.h"
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
   * "index % at position @ is not in <..>". Lives as long as the program. */
  const char *which[2];
  int64_t low, high;
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
  size_t n = 0;

  out[0] = 0;
  for (const char *c = text->which[(fault[0] - 1) & 1]; *c && n + 1 < size; c++)
    {
      int m = *c == '%'   ? snprintf (out + n, size - n, "%lld", (long long) fault[1])
              : *c == '@' ? snprintf (out + n, size - n, "%s", place)
              : *c == '<' ? snprintf (out + n, size - n, "%lld", (long long) text->low)
              : *c == '>' ? snprintf (out + n, size - n, "%lld", (long long) text->high)
                          : snprintf (out + n, size - n, "%c", *c);
      n += m > 0 ? (size_t) m : 0;
    }
}

/* The paths of the node's first N inputs; KT_E_UNSUPPORTED: too many dims. */
kt_status kt_paths_prepare (const kt_host *host, kt_prep *prep, int32_t n, kt_paths *p);

/* The first fields of a kernel's descriptor. */
#define KT_GPU_FLAGS (KT_K_CAPTURABLE | KT_K_DETERMINISTIC | KT_K_REENTRANT)
#define KT_GPU_AS(DOMAIN, NAME, SINCE, FLAGS)                                            \
  .struct_size = sizeof (kt_kernel), .domain = DOMAIN, .name = NAME, .since = SINCE,     \
  .device = "cuda", .flags = FLAGS
#define KT_GPU(DOMAIN, NAME, SINCE) KT_GPU_AS (DOMAIN, NAME, SINCE, KT_GPU_FLAGS)
#define KT_GPU_ONCE(DOMAIN, NAME, SINCE)                                                 \
  .struct_size = sizeof (kt_kernel), .domain = DOMAIN, .name = NAME, .since = SINCE,     \
  .device = "cuda", .flags = KT_K_DETERMINISTIC | KT_K_REENTRANT

/* Reports a node that this kernel leaves to the CPU. */
#define KT_GPU_LEAVE(WHY) kt_fail (host, prep, KT_E_UNSUPPORTED, WHY)

/* The tables of kernels, each ended by name NULL. */
#define KT_GPU_FAMILIES(X)                                                               \
  X (elementwise) X (loss) X (move) X (pick) X (reduce) X (spatial) X (value)
#define KT_GPU_DECLARE(NAME) extern const kt_kernel cu_##NAME##_kernels[];
KT_GPU_FAMILIES (KT_GPU_DECLARE)
