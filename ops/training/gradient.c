/* SPDX-License-Identifier: Apache-2.0
 *
 * Gradient: dy/dx for every x in xs; xs, zs and y are names of values of the graph, the inputs
 * their values. It has no kernel: a pass puts the nodes in its place that compute it.
 * Source: ONNX ai.onnx.preview.training Gradient-1.
 */
#include "operator.h"

static kt_status
gradient_infer (const kt_host *host, kt_infer *infer, void *user)
{
  int32_t n_in, n_out;
  kt_attr xs, zs;

  (void) user;
  KT_TRY (host->arity (infer, &n_in, &n_out, NULL));
  KT_TRY (host->attr (infer, "xs", &xs));
  KT_TRY (host->attr (infer, "zs", &zs));
  if (xs.kind != KT_A_STRINGS)
    return KT_OK; /* inside a function the caller gives it */

  const size_t names = xs.n + (zs.kind == KT_A_STRINGS ? zs.n : 0);
  if (names != (size_t) n_in)
    return kt_fail (host, infer, KT_E_ATTR,
                    "xs and zs name %zu values, there are %d inputs", names, (int) n_in);
  if ((size_t) n_out > xs.n)
    return kt_fail (host, infer, KT_E_ATTR, "xs names %zu values, there are %d outputs",
                    xs.n, (int) n_out);
  for (int32_t i = 0; i < n_out; i++)
    {
      const kt_type x = kt_in_type (host, infer, i);
      if (x.kind && !kt_is_float (x.dtype))
        return kt_fail (host, infer, KT_E_TYPE,
                        "input %d is no float, there is no gradient by it", (int) i);
      if (x.kind)
        KT_TRY (host->out_type (infer, i, &x));
    }
  return KT_OK;
}

const kt_operator kette_op_gradient = {
  .op = { KT_OP ("Gradient", 1), .flags = KT_OP_CONTROL, .infer = gradient_infer },
};
