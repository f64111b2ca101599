/* SPDX-License-Identifier: Apache-2.0
 * A plugin that is refused, for the way that VARIANT says: 1 has no entry function, 2 reports
 * an error without a text, 3 one with a text, 4 is sound and empty.
 */
#include <kette-plugin.h>

#if VARIANT == 1
kt_status kette_plugin_other (const kt_host *host, kt_reg *reg);
#define kette_plugin_v0 kette_plugin_other
#else
kt_status kette_plugin_v0 (const kt_host *host, kt_reg *reg);
#endif

__attribute__ ((visibility ("default"))) kt_status
kette_plugin_v0 (const kt_host *host, kt_reg *reg)
{
#if VARIANT == 3
  return host->fail (reg, KT_E_DEVICE, "no card in this machine", 23);
#else
  (void) host;
  (void) reg;
  return VARIANT == 4 ? KT_OK : KT_E_INTERNAL;
#endif
}
