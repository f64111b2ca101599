/* SPDX-License-Identifier: Apache-2.0
 *
 * Compress: the slices of x along `axis` (without it: the elements of x, flattened) for which
 * the condition holds; a condition may be shorter than the axis.  Source: ONNX Compress-11.
 */
#include "emit.h"
#include "shape.h"

static kt_status
compress_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);
  int64_t dims[KT_MAX_RANK], n;
  int32_t axis = 0;
  kt_attr given;

  (void) user;
  KT_TRY (kt_length_of (host, infer, 1, &n)); /* a vector? */
  KT_TRY (host->attr (infer, "axis", &given));
  if (x.kind == 0)
    return KT_OK;
  if (given.kind != KT_A_INT)
    return kt_set_unknown (host, infer, 0, x.dtype, 1);
  if (x.ndim < 0)
    return kt_set_unknown (host, infer, 0, x.dtype, -1);
  KT_TRY (kt_axis (host, infer, KT_E_ATTR, given.i, x.ndim, &axis));
  if (n >= 0 && kt_dim_known (x.dims[axis]) && n > x.dims[axis])
    return kt_fail (host, infer, KT_E_SHAPE,
                    "condition has %lld elements, axis %d has %lld", (long long) n,
                    (int) axis, (long long) x.dims[axis]);
  for (int32_t d = 0; d < x.ndim; d++)
    dims[d] = d == axis ? KT_DIM (0) : x.dims[d];
  return kt_set_out (host, infer, 0, x.dtype, dims, x.ndim);
}

/* A Gather of the places where the condition holds. */
static kt_status
compress_body (const kt_host *host, kt_graph *g, void *user)
{
  const int64_t all   = -1;
  const kt_value flat = kt_ints (host, g, &all, 1), condition = host->g_in (g, 1);
  const kt_value where = kt_node (host, g, "NonZero", &condition, 1, NULL, 0);
  kt_value in[]        = { host->g_in (g, 0), kt_reshape (host, g, where, flat) };
  kt_attr axis;

  (void) user;
  KT_TRY (host->attr (g, "axis", &axis));
  if (axis.kind != KT_A_INT)
    {
      axis  = (kt_attr){ .kind = KT_A_INT };
      in[0] = kt_reshape (host, g, in[0], flat);
    }
  axis.name = "axis";
  return host->g_set (g, 0, kt_node (host, g, "Gather", in, 2, &axis, 1));
}

const kt_operator kette_op_compress = {
  .op = { KT_OP ("Compress", 9), .flags = KT_OP_PURE, .infer = compress_infer,
          .body = compress_body },
};
