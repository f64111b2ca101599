/* SPDX-License-Identifier: Apache-2.0
 *
 * faults.h: what kernels have found wrong with contents (an index, a label, a divisor).
 */
#pragma once
#include "kette-device.h"

/* Behind a wait for the device: KT_OK, or the first of them; there are none any more. */
kt_status cu_faults (kt_call *call);
