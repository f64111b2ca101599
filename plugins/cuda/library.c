/* SPDX-License-Identifier: Apache-2.0
 *
 * library.c: opens cuBLASLt and cuDNN. They are looked for where the dynamic linker looks
 * (LD_LIBRARY_PATH), under the major versions that this plugin was compiled with.
 */
#include "library.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define TEXT(x) TEXT_OF (x)
#define TEXT_OF(x) #x
#define LT_LIBRARY "libcublasLt.so." TEXT (CUBLAS_VER_MAJOR)
#define DNN_LIBRARY "libcudnn.so." TEXT (CUDNN_MAJOR)

Lt lt;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

typedef struct
{
  const char *symbol;
  void **field;
} Entry;

/* Fills ENTRIES, which end with symbol NULL, from library NAME, which stays open. */
static bool
open_library (const char *name, const Entry *entries)
{
  void *library = dlopen (name, RTLD_NOW | RTLD_LOCAL);

  for (const Entry *e = entries; library && e->symbol; e++)
    if (!(*e->field = dlsym (library, e->symbol)))
      {
        dlclose (library);
        library = NULL;
      }
  return library != NULL;
}

/* Once in the process: 0 not tried, 1 there, -1 not. Under the lock. */
static bool
open_lt (void)
{
  static int state;
  static const Entry entries[] = {
#define ENTRY(NAME) { "cublasLt" #NAME, (void **) &lt.NAME },
    LT_CALLS (ENTRY)
#undef ENTRY
        { NULL, NULL }
  };

  if (state == 0)
    state = open_library (LT_LIBRARY, entries) ? 1 : -1;
  return state > 0;
}

cublasLtHandle_t
lt_handle (CuDevice *d)
{
  pthread_mutex_lock (&lock);
  if (!d->lt && open_lt () && cu_use (d) == cudaSuccess)
    {
      cublasLtHandle_t handle;
      if (lt.Create (&handle) == CUBLAS_STATUS_SUCCESS)
        d->lt = handle;
    }
  pthread_mutex_unlock (&lock);
  return d->lt;
}

#ifdef KETTE_CUDNN
Dnn dnn;

static bool
open_dnn (void)
{
  static int state;
  static const Entry entries[] = {
#define ENTRY(NAME) { "cudnn" #NAME, (void **) &dnn.NAME },
    DNN_CALLS (ENTRY)
#undef ENTRY
        { NULL, NULL }
  };

  if (state == 0)
    state = open_library (DNN_LIBRARY, entries) ? 1 : -1;
  return state > 0;
}

cudnnHandle_t
dnn_handle (CuDevice *d)
{
  pthread_mutex_lock (&lock);
  if (!d->dnn && open_dnn () && cu_use (d) == cudaSuccess)
    {
      cudnnHandle_t handle;
      if (dnn.Create (&handle) == CUDNN_STATUS_SUCCESS)
        d->dnn = handle;
    }
  pthread_mutex_unlock (&lock);
  return d->dnn;
}
#endif

void
cu_libraries_clear (CuDevice *d)
{
  if (d->lt)
    lt.Destroy (d->lt);
  d->lt = NULL;
#ifdef KETTE_CUDNN
  if (d->dnn)
    dnn.Destroy (d->dnn);
#endif
  d->dnn = NULL;
}

/* ", NAME 13.1.0", or that LIBRARY cannot be had. */
static void
add (char *text, size_t size, const char *name, const char *library, size_t version)
{
  const size_t n = strlen (text);

  if (version)
    snprintf (text + n, size - n, ", %s %zu.%zu.%zu", name, version / 10000,
              version / 100 % 100, version % 100);
  else
    snprintf (text + n, size - n, ", without %s (%s)", name, library);
}

void
cu_libraries_describe (char *text, size_t size)
{
  pthread_mutex_lock (&lock);
  add (text, size, "cuBLASLt", LT_LIBRARY, open_lt () ? lt.GetVersion () : 0);
#ifdef KETTE_CUDNN
  add (text, size, "cuDNN", DNN_LIBRARY, open_dnn () ? dnn.GetVersion () : 0);
#else
  add (text, size, "cuDNN", "not when this was compiled", 0);
#endif
  pthread_mutex_unlock (&lock);
}
