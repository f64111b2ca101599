/* SPDX-License-Identifier: Apache-2.0
 *
 * openblas.c: the plugin's entry. MatMul and Gemm for float and double on OpenBLAS, held to
 * one thread per call: the threads are the host's.
 */
#include "buffer.h"
#include "product.h"
#include <cblas.h>
#include <string.h>

/* Builds without threads may lack it. */
#pragma weak openblas_set_num_threads

__attribute__ ((visibility ("default"))) kt_entry kette_plugin_v0;

static const kt_kernel kernels[] = {
  { .struct_size = sizeof (kt_kernel),
    .domain      = "",
    .name        = "MatMul",
    .device      = "cpu",
    .types       = "T=f32|f64",
    .since       = 1,
    .priority    = 100,
    .flags       = KT_K_DETERMINISTIC | KT_K_REENTRANT | KT_K_EPILOGUE,
    .prepare     = matmul_prepare,
    .run         = product_run },
  { .struct_size = sizeof (kt_kernel),
    .domain      = "",
    .name        = "Gemm",
    .device      = "cpu",
    .types       = "T=f32|f64",
    .since       = 7,
    .priority    = 100,
    .flags       = KT_K_DETERMINISTIC | KT_K_REENTRANT | KT_K_EPILOGUE,
    .prepare     = gemm_prepare,
    .run         = product_run },
};

kt_status
kette_plugin_v0 (const kt_host *host, kt_reg *reg)
{
  const int parallel = openblas_get_parallel ();

  if (parallel == OPENBLAS_OPENMP)
    return fail (
        host, reg, KT_E_UNSUPPORTED,
        "this OpenBLAS is built with OpenMP, which starts threads of its own and cannot "
        "be held to one; install the serial or the pthread build");
  if (parallel != OPENBLAS_SEQUENTIAL)
    {
      if (!openblas_set_num_threads)
        return fail (
            host, reg, KT_E_UNSUPPORTED,
            "this OpenBLAS cannot be held to one thread; install the serial build");
      openblas_set_num_threads (1);
    }
  else if (!strstr (openblas_get_config (), "USE_LOCKING"))
    buffer_one_at_a_time ();

  for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
    {
      const kt_status status = host->add_kernel (reg, &kernels[i]);
      if (status != KT_OK)
        return status;
    }
  return KT_OK;
}
