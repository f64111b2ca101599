/* SPDX-License-Identifier: Apache-2.0
 *
 * put.h: what becomes of an element A and an element B that is put into it by the attribute
 * "reduction", for C and CUDA. Floats: NaN goes on through max and min.
 */
#pragma once

#define KT_PUT_ADD(a, b) ((a) + (b))
#define KT_PUT_MUL(a, b) ((a) * (b))
#define KT_PUT_MAX(a, b) ((a) > (b) ? (a) : (b))
#define KT_PUT_MIN(a, b) ((a) < (b) ? (a) : (b))
#define KT_PUT_MAX_FLOAT(a, b) ((a) > (b) || (a) != (a) ? (a) : (b))
#define KT_PUT_MIN_FLOAT(a, b) ((a) < (b) || (a) != (a) ? (a) : (b))
#define KT_PUT_ADD_BOOL(a, b) ((a) | (b))
#define KT_PUT_MUL_BOOL(a, b) ((a) & (b))
