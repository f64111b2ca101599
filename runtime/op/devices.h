/* SPDX-License-Identifier: Apache-2.0
 * Devices that plugins brought: kinds ("guard"), and what was opened of them ("guard:0"). The
 * host's processor is no unit: where a unit is asked for, NULL means it.
 */
#pragma once
#include "kette-device.h"
#include "op/context.h"

typedef struct _KetteUnit KetteUnit;

typedef struct
{
  kt_device device;
  const char *plugin; /* file */
  int32_t n;          /* how many there are; -1: not asked yet */
  char reason[256];   /* why there are none */
  KetteUnit **units;  /* NULL entries: not opened */
} KetteDeviceKind;

struct _KetteUnit
{
  KetteDeviceKind *kind;
  const kt_device *device;
  int32_t index;
  void *handle;
  char name[64]; /* "guard:0" */
};

/* A call of a device's function: pass &call->call, then look at what became of it. */
struct kt_call
{
  KetteContext *context;
};

typedef struct
{
  kt_call call;
  KetteContext context;
  KetteFailure failure;
} KetteCall;

void _kette_call_init (KetteCall *call);
/* Turns STATUS and what was reported into *error, "device: guard:0: ..."; forgets the report;
 * TRUE for KT_OK. NODE may be NULL. */
gboolean _kette_call_check (KetteCall *call, const KetteUnit *unit, kt_status status,
                            const KetteNode *node, GError **error);

/* Kinds in order of registration; NULL beyond the last. */
const KetteDeviceKind *_kette_device_kind_nth (size_t i);
/* How many devices of the kind there are; asks once. */
int32_t _kette_device_kind_count (const KetteDeviceKind *kind);
/* The unit of "NAME" or "NAME:INDEX", opened if need be. "cpu": *unit = NULL. */
gboolean _kette_unit_get (const char *text, KetteUnit **unit, GError **error);

/* Whose kernels UNIT runs: for round 0 its own, for round 1 those of another device, if any. */
static inline const char *
_kette_unit_kernels (const KetteUnit *unit, int round)
{
  if (!unit)
    return round == 0 ? "cpu" : NULL;
  return round == 0 ? unit->device->name : round == 1 ? unit->device->kernels : NULL;
}

kt_status _kette_devices_add (kt_reg *reg, const kt_device *given);
