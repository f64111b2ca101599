/* SPDX-License-Identifier: Apache-2.0
 * Central differences against the emitted gradient.
 */
#pragma once
#include "case.h"

/* NULL: they agree. */
GError *gradcheck_case (const Case *c);
