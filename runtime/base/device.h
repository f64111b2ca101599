/* SPDX-License-Identifier: Apache-2.0
 * Devices, as the executor sees them: where a run's memory lies, and how contents get there
 * and back. The executor touches memory through these functions only; whether an address
 * means anything to the host is the device's business.
 */
#pragma once
#include "base/alloc.h"
#include "kette-plugin.h"

typedef struct
{
  const char *name;       /* "cpu": what kernels name */
  int32_t dl_type, dl_id; /* DLPack's                 */
  /* Uninitialised, aligned to 64 bytes; NULL with `memory`. */
  void *(*alloc) (size_t bytes, GError **error);
  void (*release) (void *memory);
  void (*copy_in) (void *device, const void *host, size_t bytes);
  void (*copy_out) (void *host, const void *device, size_t bytes);
  void (*copy) (void *to, const void *from, size_t bytes); /* may overlap */
  /* May a kernel read the host's memory where it is? Then inputs and constants need no copy. */
  gboolean shares_host_memory;
} KetteDevice;

const KetteDevice *_kette_device_cpu (void);
