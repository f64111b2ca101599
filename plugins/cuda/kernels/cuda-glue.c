/* SPDX-License-Identifier: Apache-2.0
 *
 * cuda-glue.c: what kernels.h asks for, on a CUDA device. Faults are words of pinned memory, which
 * kernels reach under the same address; whoever waits for the device looks at them.
 */
#include "../device.h"
#include "faults.h"
#include "kernels.h"

enum
{
  MOST = 1024 /* faults at a time */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static int64_t *words;                   /* two per fault; 0: nothing to tell */
static const kt_fault_text *texts[MOST]; /* NULL: not in use */
static int n_used;

void *
kt_gpu_stream (const kt_host *host, kt_run *run)
{
  return cu_stream (host, run);
}

kt_status
kt_gpu_launched (const kt_host *host, kt_run *run, const char *what)
{
  return cu_launched (host, run, what);
}

kt_status
kt_gpu_upload (const kt_host *host, kt_prep *prep, const void *data, size_t bytes,
               void **out)
{
  return cu_upload (host, prep, data, bytes, out);
}

void
kt_gpu_give (void *memory)
{
  cu_give (memory);
}

kt_status
kt_gpu_copy (const kt_host *host, kt_run *run, void *to, const void *from, size_t bytes)
{
  if (bytes == 0 || to == from)
    return KT_OK;
  return cu_check (
      host, run,
      cu.MemcpyAsync (to, from, bytes, cudaMemcpyDeviceToDevice, cu_stream (host, run)),
      "cudaMemcpyAsync");
}

kt_status
kt_gpu_fault_new (const kt_host *host, kt_prep *prep, const kt_fault_text *text,
                  int64_t **fault)
{
  void *memory = NULL;
  int i        = 0;

  *fault = NULL;
  if (!cu_device (host, prep))
    return cu_fail (host, prep, KT_E_INTERNAL, "a kernel of cuda outside its device");
  pthread_mutex_lock (&lock);
  if (!words
      && cu.HostAlloc (&memory, 2 * MOST * sizeof *words,
                       cudaHostAllocMapped | cudaHostAllocPortable)
             == cudaSuccess)
    {
      memset (memory, 0, 2 * MOST * sizeof *words);
      words = memory;
    }
  while (i < MOST && texts[i])
    i++;
  if (words && i < MOST)
    {
      texts[i]     = text;
      words[2 * i] = 0;
      *fault       = &words[2 * i];
      n_used       = i < n_used ? n_used : i + 1;
    }
  pthread_mutex_unlock (&lock);
  return *fault ? KT_OK
                : cu_fail (host, prep, KT_E_UNSUPPORTED,
                           "no pinned memory to report errors by");
}

void
kt_gpu_fault_free (int64_t *fault)
{
  if (!fault)
    return;
  pthread_mutex_lock (&lock);
  texts[(fault - words) / 2] = NULL;
  pthread_mutex_unlock (&lock);
}

/* The kernel runs later: cu_faults looks at it. */
kt_status
kt_gpu_fault_check (const kt_host *host, kt_run *run, int64_t *fault, const kt_tensor *t)
{
  (void) host, (void) run, (void) fault, (void) t;
  return KT_OK;
}

kt_status
cu_faults (kt_call *call)
{
  kt_status status = KT_OK;

  pthread_mutex_lock (&lock);
  for (int i = 0; i < n_used; i++)
    {
      volatile const int64_t *const word = words + 2 * i;
      const int64_t told[2]              = { word[0], word[1] };
      char text[256], place[32];
      if (told[0] == 0)
        continue;
      words[2 * i] = 0;
      if (status != KT_OK || !texts[i])
        continue;
      snprintf (place, sizeof place, "%lld", (long long) ((told[0] - 1) / 2));
      kt_fault_write (texts[i], told, place, text, sizeof text);
      status = cu_fail (cu_host, call, KT_E_VALUE, "%s", text);
    }
  pthread_mutex_unlock (&lock);
  return status;
}
