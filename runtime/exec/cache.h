/* SPDX-License-Identifier: Apache-2.0
 * A session's fields, for session.c and its cache of plans.
 */
#pragma once
#include "exec/plan.h"

struct _KetteSession
{
  gint ref;
  KetteGraph *graph;
  KetteSessionOptions options;
  KetteBinding *updates; /* in graph */
  size_t n_updates,
      n_outputs; /* outputs that are results, before those that are updates */
  /* By input: its default; NULL: none, or it is a constant here. */
  KetteTensor **defaults;
  uint8_t *has_default; /* by input: the caller need not feed it */
  KettePlaces *places;  /* NULL: all on the host */
  GMutex lock;
  KettePlan *plans; /* latest first */
  size_t n_plans;
};

/* The plan for these inputs; valid until the session is used again. */
const KettePlan *_kette_session_plan (KetteSession *self, const kt_type *types,
                                      GError **error);
