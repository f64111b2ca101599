/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin.c: the plugin's entry. Kernels in blocks of as many channels as the processor's
 * vectors have floats. libdnnl itself is opened by the first node that could use it.
 */
#include "onednn.h"

__attribute__ ((visibility ("default"))) kt_entry kette_plugin_v0;

kt_status
kette_plugin_v0 (const kt_host *host, kt_reg *reg)
{
  static const kt_kernel *const tables[][2] = { { conv_kernels_8, conv_kernels_16 },
                                                { point_kernels_8, point_kernels_16 },
                                                { weights_kernels_8, weights_kernels_16 },
                                                { pool_kernels_8, pool_kernels_16 },
                                                { norm_kernels_8, norm_kernels_16 } };
  const int wide                            = dnn_block () == 16;

  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
    for (const kt_kernel *k = tables[i][wide]; k->run; k++)
      {
        const kt_status status = host->add_kernel (reg, k);
        if (status != KT_OK)
          return status;
      }
  return KT_OK;
}
