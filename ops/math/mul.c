/* SPDX-License-Identifier: Apache-2.0
 *
 * Mul: y = a b, element by element, with broadcasting; integers wrap.  Source: ONNX Mul-14.
 */
#include "arithmetic.h"
#include "emit.h"

KETTE_ARITHMETIC (mul, a, b, a *b)

/* dE/da = dE/dy * b and dE/db = dE/dy * a, summed back over broadcast dims. */
static kt_status
mul_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_seed (g, 0);

  (void) user;
  for (int32_t i = 0; i < 2; i++)
    if (host->g_wanted (g, i))
      {
        const kt_value v = kt_mul (host, g, dy, host->g_in (g, 1 - i));
        KT_TRY (host->g_set (g, i, kt_sum_to (host, g, v, host->g_in (g, i))));
      }
  return KT_OK;
}

const kt_operator kette_op_mul = {
  .op
  = { KT_OP ("Mul", 7), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
      .infer = kt_infer_broadcast, .gradient = mul_gradient, .formula = "$0 \\cdot $1" },
  .kernel = mul_kernel,
  .old    = KT_OLD_BROADCAST ("Mul"),
};
