/* SPDX-License-Identifier: Apache-2.0
 *
 * Gradient: outputs dy/dx for the values that its attributes xs and y name.
 * Source: ONNX ai.onnx.preview.training Gradient-1.
 *
 * It has no kernel: the host replaces it by the nodes of the backward pass before planning.
 */
#include "operator.h"

/* Each output has the type of the input at its place. */
static kt_status
gradient_infer (const kt_host *host, kt_infer *infer, void *user)
{
  int32_t n_in, n_out;

  (void) user;
  KT_TRY (host->arity (infer, &n_in, &n_out, NULL));
  for (int32_t i = 0; i < n_out && i < n_in; i++)
    {
      const kt_type t = kt_in_type (host, infer, i);
      if (t.kind != 0)
        KT_TRY (host->out_type (infer, i, &t));
    }
  return KT_OK;
}

const kt_operator kette_op_gradient = {
  .op = { KT_OP ("Gradient", 1), .flags = KT_OP_CONTROL, .infer = gradient_infer },
};
