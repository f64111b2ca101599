/* SPDX-License-Identifier: Apache-2.0
 * Making model functions of operators' bodies.
 */
#pragma once
#include "pass/pass.h"

#define KETTE_OWN_DOMAIN "kette"

/* A function with the body of CALL's definition (resolved, types known) for inputs of the
 * same element types and ranks, with their dims too where EXACT. */
KetteFunction *_kette_export_function (KetteModel *model, const KetteNode *call,
                                       gboolean exact, GError **error);
