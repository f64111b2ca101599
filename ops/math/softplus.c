/* SPDX-License-Identifier: Apache-2.0
 *
 * Softplus: y = ln (1 + e^x), element by element.  Source: ONNX Softplus-22.
 */
#include "elementwise.h"
#include "emit.h"

KETTE_MAP (softplus, x, kt_softplus (x))

/* dE/dx = dE/dy sigmoid (x). */
static kt_status
softplus_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value slope = kt_sigmoid (host, g, host->g_in (g, 0));

  (void) user;
  return host->g_set (g, 0, kt_mul (host, g, host->g_seed (g, 0), slope));
}

/* max (x, 0) + ln (1 + e^-|x|): e^x alone overflows. */
static kt_status
softplus_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), zero = kt_scalar_like (host, g, x, 0),
                 one  = kt_scalar_like (host, g, x, 1);
  const kt_value size = kt_node (host, g, "Abs", &x, 1, NULL, 0);
  const kt_value e    = kt_exp_of (host, g, kt_neg (host, g, size));

  (void) user;
  return host->g_set (g, 0,
                      kt_add (host, g, kt_max_of (host, g, x, zero),
                              kt_log_of (host, g, kt_add (host, g, one, e))));
}

const kt_operator kette_op_softplus = {
  .op     = { KT_OP ("Softplus", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_same, .gradient = softplus_gradient, .body = softplus_body,
              .formula = "\\ln(1 + e^{$0})" },
  .kernel = softplus_kernel,
};
