/* SPDX-License-Identifier: Apache-2.0
 *
 * library.c: libdnnl is opened when the first convolution asks for it (it and what it needs
 * cost 2 ms and 4 MiB), and held to one thread: Debian's build shares work through libgomp,
 * whose number of threads belongs to the calling thread and is put back after each call.
 */
#include "onednn.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OF(X) #X
#define TEXT(X) TEXT_OF (X)

Dnn dnn;

static bool usable;
static int (*get_threads) (void);
static void (*set_threads) (int);

/* The OpenMP library that libdnnl has brought. */
static bool
find_openmp (void)
{
  static const char *const names[] = { "libgomp.so.1", "libomp.so.5", "libiomp5.so" };

  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    {
      void *handle = dlopen (names[i], RTLD_NOW | RTLD_NOLOAD);
      if (!handle)
        continue;
      *(void **) &get_threads = dlsym (handle, "omp_get_max_threads");
      *(void **) &set_threads = dlsym (handle, "omp_set_num_threads");
      if (get_threads && set_threads)
        return true;
    }
  return false;
}

static void
open_library (void)
{
  void *handle = dlopen ("libdnnl.so." TEXT (DNNL_VERSION_MAJOR), RTLD_NOW | RTLD_LOCAL);

  if (!handle)
    return;
#define FIND(NAME)                                                                       \
  if (!(*(void **) &dnn.NAME = dlsym (handle, "dnnl_" #NAME)))                           \
    return;
  DNN_CALLS (FIND)
#undef FIND
  const dnnl_version_t *version = dnn.version ();
  if (version->major != DNNL_VERSION_MAJOR
      || (version->cpu_runtime != DNNL_RUNTIME_SEQ
          && (version->cpu_runtime != DNNL_RUNTIME_OMP || !find_openmp ())))
    return;

  allocate_begin (handle);
  const int before = dnn_begin ();
  usable           = dnn.engine_create (&dnn.engine, dnnl_cpu, 0) == dnnl_success
           && dnn.stream_create (&dnn.stream, dnn.engine, dnnl_stream_default_flags)
                  == dnnl_success;
  dnn_end (before);
}

bool
dnn_open (void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  pthread_once (&once, open_library);
  return usable;
}

int
dnn_begin (void)
{
  const int before = get_threads ? get_threads () : 1;

  if (before != 1)
    set_threads (1);
  return before;
}

void
dnn_end (int before)
{
  if (before != 1)
    set_threads (before);
}

int
dnn_block (void)
{
#if defined(__x86_64__)
  const char *most = getenv ("DNNL_MAX_CPU_ISA"); /* oneDNN's own */

  if (most && !strstr (most, "AVX512") && strcmp (most, "ALL") != 0
      && strcmp (most, "DEFAULT") != 0)
    return 8;
  return __builtin_cpu_supports ("avx512f") && __builtin_cpu_supports ("avx512bw")
                 && __builtin_cpu_supports ("avx512vl")
                 && __builtin_cpu_supports ("avx512dq")
             ? 16
             : 8;
#else
  return 8;
#endif
}

kt_status
dnn_fail (const kt_host *host, const void *ctx, kt_status code, const char *text)
{
  return host->fail (ctx, code, text, strlen (text));
}

kt_status
dnn_failed (const kt_host *host, const void *ctx, dnnl_status_t status)
{
  return status == dnnl_success ? KT_OK
         : status == dnnl_out_of_memory
             ? dnn_fail (host, ctx, KT_E_NOMEM, "no memory for oneDNN")
             : dnn_fail (host, ctx, KT_E_INTERNAL, "oneDNN refused what it agreed to");
}

kt_type
dnn_type (const kt_host *host, const void *ctx, int32_t is_out, int32_t i)
{
  kt_type t = { 0 };

  if (host->type (ctx, is_out, i, &t) != KT_OK)
    t = (kt_type){ 0 };
  return t;
}

int64_t
dnn_int (const kt_host *host, const void *ctx, const char *name, int64_t absent)
{
  kt_attr a;

  return host->attr (ctx, name, &a) == KT_OK && a.kind == KT_A_INT ? a.i : absent;
}

dnnl_format_tag_t
dnn_tag (int n_spatial, int block)
{
  static const dnnl_format_tag_t tags[3][3]
      = { { dnnl_ncw, dnnl_nCw8c, dnnl_nCw16c },
          { dnnl_nchw, dnnl_nChw8c, dnnl_nChw16c },
          { dnnl_ncdhw, dnnl_nCdhw8c, dnnl_nCdhw16c } };

  return tags[n_spatial - 1][block / 8];
}
