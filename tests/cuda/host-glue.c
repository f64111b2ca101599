/* SPDX-License-Identifier: Apache-2.0
 *
 * host-glue.c: the GPU's kernels as kernels of the CPU. Their .cu files are compiled as C++ here
 * and go through all threads of a grid one after another; this file has what kernels.h asks for
 * and registers them before the CPU's own. So the operators' tests run through the code that a
 * GPU will: parameters, index arithmetic, order of sums, formulas.
 */
#include "kernels.h"
#include "shape.h"
#include <stdlib.h>

kt_status
kt_gpu_upload (const kt_host *host, kt_prep *prep, const void *data, size_t bytes,
               void **out)
{
  *out = malloc (bytes ? bytes : 1);
  if (!*out)
    return kt_fail (host, prep, KT_E_NOMEM, "no memory");
  memcpy (*out, data, bytes);
  return KT_OK;
}

void
kt_gpu_give (void *memory)
{
  free (memory);
}

kt_status
kt_gpu_copy (const kt_host *host, kt_run *run, void *to, const void *from, size_t bytes)
{
  (void) host, (void) run;
  if (bytes > 0 && to != from)
    memcpy (to, from, bytes);
  return KT_OK;
}

typedef struct
{
  int64_t told[2]; /* first: kernels know its address only */
  const kt_fault_text *text;
} Fault;

kt_status
kt_gpu_fault_new (const kt_host *host, kt_prep *prep, const kt_fault_text *text,
                  int64_t **fault)
{
  Fault *const f = calloc (1, sizeof *f);

  if (!f)
    return kt_fail (host, prep, KT_E_NOMEM, "no memory");
  f->text = text;
  *fault  = f->told;
  return KT_OK;
}

void
kt_gpu_fault_free (int64_t *fault)
{
  free (fault);
}

kt_status
kt_gpu_fault_check (const kt_host *host, kt_run *run, int64_t *fault, const kt_tensor *t)
{
  const Fault *const f = (const Fault *) (const void *) fault;
  char text[256], place[256];

  if (f->told[0] == 0)
    return KT_OK;
  kt_fault_write (f->text, f->told, kt_position (t, (f->told[0] - 1) / 2, place), text,
                  sizeof text);
  fault[0] = 0;
  return kt_fail (host, run, KT_E_VALUE, "%s", text);
}

#define TABLE(NAME) cu_##NAME##_kernels,
static const kt_kernel *const tables[] = { KT_GPU_FAMILIES (TABLE) };

__attribute__ ((visibility ("default"))) kt_entry kette_plugin_v0;

kt_status
kette_plugin_v0 (const kt_host *host, kt_reg *reg)
{
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
    for (const kt_kernel *k = tables[i]; k->name; k++)
      {
        kt_kernel kernel = *k;
        kernel.device    = "cpu";
        kernel.priority += 1000;
        if (host->add_kernel (reg, &kernel) != KT_OK)
          { /* or the tests would pass without what they are for */
            fprintf (stderr, "the host refuses the kernel of %s\n", k->name);
            exit (1);
          }
      }
  return KT_OK;
}
