/* SPDX-License-Identifier: Apache-2.0
 *
 * Softsign: y = x / (1 + |x|), element by element.  Source: ONNX Softsign-22.
 */
#include "elementwise.h"
#include "emit.h"

KETTE_MAP (softsign, x, x / (1 + kt_abs (x)))

/* 1 + |x| */
static kt_value
denominator (const kt_host *host, kt_graph *g)
{
  const kt_value x = host->g_in (g, 0), one = kt_scalar_like (host, g, x, 1);

  return kt_add (host, g, one, kt_node (host, g, "Abs", &x, 1, NULL, 0));
}

/* dE/dx = dE/dy / (1 + |x|)^2. */
static kt_status
softsign_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value d = denominator (host, g);

  (void) user;
  return host->g_set (g, 0,
                      kt_div (host, g, kt_div (host, g, host->g_seed (g, 0), d), d));
}

static kt_status
softsign_body (const kt_host *host, kt_graph *g, void *user)
{
  (void) user;
  return host->g_set (g, 0, kt_div (host, g, host->g_in (g, 0), denominator (host, g)));
}

const kt_operator kette_op_softsign = {
  .op     = { KT_OP ("Softsign", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_same, .gradient = softsign_gradient, .body = softsign_body,
              .formula = "\\frac{$0}{1 + |$0|}" },
  .kernel = softsign_kernel,
};
