/* SPDX-License-Identifier: Apache-2.0
 *
 * GlobalAveragePool: the mean of each plane.  Source: ONNX GlobalAveragePool-22.
 */
#include "pool-global.h"
#include "sum.h"

#define MEAN(a, n) ((double) (a) / (double) (n))

KT_REDUCE_FLOATS (mean, float, 0, KT_ITSELF, KT_PLUS, MEAN)

static const kt_reduce_loops mean_loops[] = { KT_REDUCE_FLOAT_ROWS (mean, float), { 0 } };

KT_GLOBAL_KERNEL (mean)

/* dE/dx = dE/dy over the number of cells, repeated. */
static kt_status
mean_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), dy = host->g_seed (g, 0);
  const kt_type t  = kt_in_type (host, g, 0);
  const kt_attr to = { .name = "to", .kind = KT_A_INT, .i = t.dtype };
  int64_t n        = KT_DIM (0);
  kt_value cells, size[2];

  (void) user;
  if (t.kind && t.ndim >= 3)
    KT_TRY (kt_product (host, g, t.dims + 2, t.ndim - 2, &n));
  if (kt_dim_known (n))
    cells = kt_scalar (host, g, t.dtype, (double) n);
  else
    {
      size[0] = kt_node (host, g, "Size", &x, 1, NULL, 0);
      size[1] = kt_node (host, g, "Size", &dy, 1, NULL, 0);
      cells   = kt_div (host, g, kt_node (host, g, "Cast", &size[0], 1, &to, 1),
                        kt_node (host, g, "Cast", &size[1], 1, &to, 1));
    }
  return host->g_set (
      g, 0, kt_expand (host, g, kt_div (host, g, dy, cells), kt_shape_of (host, g, x)));
}

const kt_operator kette_op_global_average_pool = {
  .op = { KT_OP ("GlobalAveragePool", 1), .flags = KT_OP_PURE, .infer = kt_global_infer,
          .gradient = mean_gradient },
  .kernel = mean_kernel,
};
