/* SPDX-License-Identifier: Apache-2.0
 *
 * Scatter: the old name of ScatterElements without reductions.  Source: ONNX Scatter-11.
 */
#include "elements.h"
#include "emit.h"

static kt_status
scatter_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0), at = kt_in_type (host, infer, 1);
  int32_t axis;

  (void) user;
  KT_TRY (kt_elements_check (host, infer, &x, &at, &axis));
  return kt_infer_same (host, infer, NULL);
}

static kt_status
scatter_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_attr axis
      = { .name = "axis", .kind = KT_A_INT, .i = kt_attr_int (host, g, "axis", 0) };
  const kt_value in[] = { host->g_in (g, 0), host->g_in (g, 1), host->g_in (g, 2) };

  (void) user;
  return host->g_set (g, 0, kt_node (host, g, "ScatterElements", in, 3, &axis, 1));
}

const kt_operator kette_op_scatter = {
  .op = { KT_OP ("Scatter", 9), .flags = KT_OP_PURE, .infer = scatter_infer,
          .body = scatter_body },
};
