/* SPDX-License-Identifier: Apache-2.0
 * Descriptions of plans, for session.c.
 */
#pragma once
#include "exec/plan.h"

void _kette_plan_describe (const KettePlan *plan, KettePlanInfo *info);
char *_kette_plan_text (const KettePlan *plan); /* g_free */
