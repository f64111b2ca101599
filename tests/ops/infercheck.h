/* SPDX-License-Identifier: Apache-2.0
 * Checks of a case's shape rules; NULL: sound.
 */
#pragma once
#include "case.h"

/* With less known of the inputs. */
GError *infercheck_less (const Case *c);
/* Where the host refuses a call, or memory ends. */
GError *infercheck_refusal (const Case *c);
