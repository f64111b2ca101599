/* SPDX-License-Identifier: Apache-2.0
 *
 * cuda.h: what the files of this plugin share, in C and in CUDA.
 *
 * A kernel's run is called on the host's thread. It launches into cu_stream (host, run) and
 * returns cu_launched (host, run, "Name"); it neither waits nor allocates. What prepare takes
 * of the device goes through cu_upload, and destroy gives it back by cu_give.
 */
#ifndef KETTE_CUDA_H
#define KETTE_CUDA_H

#include "kernels/families.h"
#include "kette-device.h"
#include "kette-plugin.h"
#include <cuda_runtime_api.h>

#if defined(__GNUC__)
#define CU_PRINTF(a, b) __attribute__ ((format (printf, a, b)))
#else
#define CU_PRINTF(a, b)
#endif

KT_BEGIN_DECLS

typedef struct CuDevice CuDevice;

/* The kernels: every file that has some ends with a table `const kt_kernel cu_NAME_kernels[]`
 * whose last entry is all zeros (name NULL), and NAME stands here, or in kernels/families.h. */
#define CU_FAMILIES(X) X (conv) X (norms) X (pools) X (product) KT_GPU_FAMILIES (X)

#define CU_DECLARE(NAME) extern const kt_kernel cu_##NAME##_kernels[];
CU_FAMILIES (CU_DECLARE)
#undef CU_DECLARE

/* prepare, run: host->fail with a formatted text; returns CODE. */
kt_status cu_fail (const kt_host *host, const void *ctx, kt_status code,
                   const char *format, ...) CU_PRINTF (4, 5);
/* KT_OK, or what went wrong: KT_E_NOMEM for memory, else KT_E_DEVICE. WHAT: "cudaMalloc". */
kt_status cu_check (const kt_host *host, const void *ctx, cudaError_t error,
                    const char *what);

/* prepare, run: the node's device, made this thread's current one (cudaSetDevice). */
CuDevice *cu_device (const kt_host *host, const void *ctx);
/* run: the stream to launch into; its device is made this thread's current one. */
cudaStream_t cu_stream (const kt_host *host, kt_run *run);
/* Did the launches before go well? WHAT names the operator. */
kt_status cu_launched (const kt_host *host, kt_run *run, const char *what);

/* A grid for N items in blocks of THREADS, at most a few waves of the card: the kernel goes
 * through the rest in steps of gridDim.x * blockDim.x. At least 1. */
unsigned cu_grid (const kt_host *host, const void *ctx, int64_t n, int threads);

/* prepare: a copy of host memory on the node's device (complete on return). BYTES > 0.
 * cu_give takes NULL too; it is for destroy, when no run uses it any more. */
kt_status cu_upload (const kt_host *host, kt_prep *prep, const void *data, size_t bytes,
                     void **out);
void cu_give (void *memory);

/* Attributes and types, as prepare needs them. */
kt_type cu_type (const kt_host *host, const void *ctx, int32_t is_out, int32_t i);
int64_t cu_int (const kt_host *host, const void *ctx, const char *name, int64_t absent);
double cu_float (const kt_host *host, const void *ctx, const char *name, double absent);
/* The number of elements of a known type; 0 if it is absent. */
int64_t cu_count (const kt_type *type);
/* Bytes of an element; 0: not a type of whole bytes. */
size_t cu_size (int32_t dtype);

KT_END_DECLS
#endif /* KETTE_CUDA_H */
