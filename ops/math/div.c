/* SPDX-License-Identifier: Apache-2.0
 *
 * Div: y = a / b, element by element, with broadcasting; integers truncate, and what has no
 * quotient is an error.  Source: ONNX Div-14.
 */
#include "arithmetic.h"
#include "emit.h"

/* First place with b = 0, or with the least number of T by -1: twice the index, plus 1 for
 * the latter. */
#define CHECK(SUFFIX, T, IS_LEAST)                                                       \
  static int64_t div_check_##SUFFIX (const void *a_data, int64_t a_step,                 \
                                     const void *b_data, int64_t b_step, int64_t n)      \
  {                                                                                      \
    const T *const a_array = a_data, *const b_array = b_data;                            \
                                                                                         \
    for (int64_t i = 0; i < n; i++)                                                      \
      {                                                                                  \
        const T a = a_array[i * a_step], b = b_array[i * b_step];                        \
        (void) a;                                                                        \
        if (b == 0)                                                                      \
          return 2 * i;                                                                  \
        if (IS_LEAST)                                                                    \
          return 2 * i + 1;                                                              \
      }                                                                                  \
    return -1;                                                                           \
  }
#define ROW(TYPE, SUFFIX)                                                                \
  {                                                                                      \
    .in = TYPE, .out = TYPE, .loop = div_##SUFFIX, .check = div_check_##SUFFIX           \
  }

KETTE_ZIP_LOOP (div, f32, float, float, float, a, b, a / b)
KETTE_ZIP_LOOP (div, f64, double, double, double, a, b, a / b)
KT_FOR_INTEGERS (KT_ZIP_PLAIN, div, a, b, a / b)
CHECK (i8, int8_t, b == -1 && a == INT8_MIN)
CHECK (i16, int16_t, b == -1 && a == INT16_MIN)
CHECK (i32, int32_t, b == -1 && a == INT32_MIN)
CHECK (i64, int64_t, b == -1 && a == INT64_MIN)
CHECK (u8, uint8_t, false)
CHECK (u16, uint16_t, false)
CHECK (u32, uint32_t, false)
CHECK (u64, uint64_t, false)

static const kt_zip_loops div_loops
    = { .fault = { "division by 0", "division of the least number by -1" },
        .loop  = { KT_FLOAT_ROWS (div), ROW (KT_I8, i8), ROW (KT_I16, i16),
                   ROW (KT_I32, i32), ROW (KT_I64, i64), ROW (KT_U8, u8),
                   ROW (KT_U16, u16), ROW (KT_U32, u32), ROW (KT_U64, u64) } };
KT_ZIP_KERNEL (div, KT_NUMBER_TYPES)

/* dE/da = dE/dy / b and dE/db = -dE/dy * y / b, summed back over broadcast dims. */
static kt_status
div_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value b = host->g_in (g, 1), slope = kt_div (host, g, host->g_seed (g, 0), b);

  (void) user;
  if (host->g_wanted (g, 0))
    KT_TRY (host->g_set (g, 0, kt_sum_to (host, g, slope, host->g_in (g, 0))));
  if (host->g_wanted (g, 1))
    {
      const kt_value v = kt_mul (host, g, slope, host->g_out (g, 0));
      KT_TRY (host->g_set (g, 1, kt_neg (host, g, kt_sum_to (host, g, v, b))));
    }
  return KT_OK;
}

const kt_operator kette_op_div = {
  .op     = { KT_OP ("Div", 7), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_broadcast, .gradient = div_gradient,
              .formula = "\\frac{$0}{$1}" },
  .kernel = div_kernel,
  .old    = KT_OLD_BROADCAST ("Div"),
};
