/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin.c: the plugin's entry: the kind of device, and all its kernels.
 */
#include "device.h"

__attribute__ ((visibility ("default"))) kt_entry kette_plugin_v0;

kt_status
kette_plugin_v0 (const kt_host *host, kt_reg *reg)
{
#define CU_TABLE(NAME) cu_##NAME##_kernels,
  static const kt_kernel *const tables[] = { CU_FAMILIES (CU_TABLE) NULL };
#undef CU_TABLE

  cu_host = host;
  if (!KT_HAS (kt_host, host, device))
    return cu_fail (host, reg, KT_E_UNSUPPORTED, "this Kette is too old for devices");
  kt_status status = host->add_device (reg, &cu_kind);
  for (const kt_kernel *const *table = tables; *table && status == KT_OK; table++)
    for (const kt_kernel *k = *table; k->name && status == KT_OK; k++)
      status = host->add_kernel (reg, k);
  return status;
}
