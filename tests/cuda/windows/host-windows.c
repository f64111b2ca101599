/* SPDX-License-Identifier: Apache-2.0
 *
 * host-windows.c: the CUDA plugin's own products, convolutions, pools and normalisation as
 * kernels of the CPU that go before its own: what kernels.h asks for, and no library of CUDA's.
 */
#include "../../../plugins/cuda/dnn.h"
#include "../../../plugins/cuda/product.h"
#include "kernels.h"

__attribute__ ((visibility ("default"))) kt_entry kette_plugin_v0;

void *
kt_gpu_stream (const kt_host *host, kt_run *run)
{
  (void) host, (void) run;
  return NULL;
}

kt_status
kt_gpu_launched (const kt_host *host, kt_run *run, const char *what)
{
  (void) host, (void) run, (void) what;
  return KT_OK;
}

kt_status
cu_lt_prepare (const kt_host *host, kt_prep *prep, const Product *p, int32_t dtype,
               CuLt **out)
{
  (void) host, (void) prep, (void) p, (void) dtype;
  *out = NULL;
  return KT_OK;
}

CuAddend
cu_lt_addend (const CuLt *l)
{
  (void) l;
  return CU_NO_C;
}

kt_status
cu_lt_run (const kt_host *host, kt_run *run, CuLt *l, const Product *p, const void *c)
{
  (void) l, (void) p, (void) c;
  return kt_fail (host, run, KT_E_INTERNAL, "there is no cuBLASLt on the host");
}

kt_status
cu_dnn_prepare (const kt_host *host, kt_prep *prep, const CuConv *p, CuDnnConv **out)
{
  (void) host, (void) prep, (void) p;
  *out = NULL;
  return KT_OK;
}

kt_status
cu_dnn_run (const kt_host *host, kt_run *run, CuDnnConv *d, const CuConv *p)
{
  (void) d, (void) p;
  return kt_fail (host, run, KT_E_INTERNAL, "there is no cuDNN on the host");
}

void
cu_dnn_free (CuDnnConv *d)
{
  (void) d;
}

/* On the CPU, what was not absorbed is done by the host. */
static kt_status
product_and_rest (const kt_host *host, kt_run *run, void *state)
{
  KT_TRY (product_run (host, run, state));
  return host->epilogue (run, 0, kt_count (run->out[0].shape, run->out[0].ndim), 0);
}

extern const kt_kernel cu_conv_kernels[], cu_norms_kernels[], cu_pools_kernels[],
    cu_product_kernels[];

kt_status
kette_plugin_v0 (const kt_host *host, kt_reg *reg)
{
  const kt_kernel *const tables[]
      = { cu_conv_kernels, cu_norms_kernels, cu_pools_kernels, cu_product_kernels };

  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
    for (const kt_kernel *k = tables[i]; k->name; k++)
      {
        kt_kernel ours = *k;
        ours.device    = "cpu";
        ours.priority  = 900;
        ours.host_in = ours.host_out = 0;
        if (ours.run == product_run)
          ours.run = product_and_rest;
        KT_TRY (host->add_kernel (reg, &ours));
      }
  return KT_OK;
}
