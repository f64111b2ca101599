/* SPDX-License-Identifier: Apache-2.0
 *
 * Equal: y = (a = b), element by element, with broadcasting; NaN equals nothing, strings by
 * their bytes.  Source: ONNX Equal-19.
 */
#include "arithmetic.h"

KETTE_COMPARE_LOOPS (equal, a, b, a == b)
KETTE_ZIP_PLAIN_LOOP (equal, bool, uint8_t, uint8_t, uint8_t, a, b, (a != 0) == (b != 0))

static void
equal_string (const void *a_data, int64_t a_step, const void *b_data, int64_t b_step,
              void *y_data, int64_t n, const double *attributes)
{
  const kt_str *const a = a_data, *const b = b_data;
  uint8_t *const y = y_data;

  (void) attributes;
  for (int64_t i = 0; i < n; i++)
    {
      const kt_str *const l = &a[i * a_step], *const r = &b[i * b_step];
      y[i] = l->n == r->n && (l->n == 0 || memcmp (l->s, r->s, l->n) == 0);
    }
}

static const kt_zip_loops equal_loops
    = { .loop = { KT_BOOL_ROWS (equal), KT_ROW (KT_BOOL, KT_BOOL, equal_bool),
                  KT_ROW (KT_STRING, KT_BOOL, equal_string) } };
KT_COMPARE_KERNEL (equal, NULL)

const kt_operator kette_op_equal = {
  .op
  = { KT_OP ("Equal", 7), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE | KT_OP_ZERO_GRADIENT,
      .infer = kt_infer_compare, .formula = "$0 = $1" },
  .kernel = equal_kernel,
  .old    = KT_OLD_BROADCAST ("Equal"),
};
