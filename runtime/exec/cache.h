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
  GMutex lock;
  KettePlan *plans; /* latest first */
  size_t n_plans;
};
