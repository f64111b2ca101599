/* SPDX-License-Identifier: Apache-2.0
 * The host's processor as a device.
 */
#include "base/device.h"
#include <string.h>

static void *
cpu_alloc (size_t bytes, GError **error)
{
  return _kette_alloc_raw (_kette_account_process (), MAX (bytes, 1), 1, error);
}

static void
cpu_copy (void *to, const void *from, size_t bytes)
{
  if (bytes)
    memmove (to, from, bytes);
}

const KetteDevice *
_kette_device_cpu (void)
{
  static const KetteDevice cpu = { .name               = "cpu",
                                   .dl_type            = KT_CPU,
                                   .alloc              = cpu_alloc,
                                   .release            = _kette_free,
                                   .copy_in            = cpu_copy,
                                   .copy_out           = cpu_copy,
                                   .copy               = cpu_copy,
                                   .shares_host_memory = TRUE };

  return &cpu;
}
