/* SPDX-License-Identifier: Apache-2.0
 * Descriptions of plans, for session.c.
 */
#pragma once
#include "exec/plan.h"

void _kette_plan_describe (const KettePlan *plan, KettePlanInfo *info);
char *_kette_plan_text (const KettePlan *plan); /* g_free */
/* Which rules say nothing of the plan's graph (names that were misspelt, most likely), "" if there
 * are none or no plan; g_free. */
char *_kette_plan_idle_rules (const KettePlan *plan);
