/* SPDX-License-Identifier: Apache-2.0
 *
 * resize-nodes.c: old forms of Resize as its newest one.
 */
#include "emit.h"
#include "resize.h"

kt_status
kt_resize_from_corner (const kt_host *host, kt_graph *g, kt_value scales)
{
  /* "bilinear" in Upsample-1. */
  const bool nearest  = kt_attr_is (host, g, "mode", "nearest");
  const kt_value in[] = { host->g_in (g, 0), 0, scales };
  const kt_attr attrs[]
      = { { .name = "mode",
            .kind = KT_A_STRING,
            .v    = nearest ? "nearest" : "linear",
            .n    = nearest ? 7 : 6 },
          { .name = "coordinate_transformation_mode",
            .kind = KT_A_STRING,
            .v    = "asymmetric",
            .n    = 10 },
          { .name = "nearest_mode", .kind = KT_A_STRING, .v = "floor", .n = 5 } };

  if (!nearest && !kt_attr_is (host, g, "mode", "linear")
      && !kt_attr_is (host, g, "mode", "bilinear"))
    return kt_fail (host, g, KT_E_ATTR, "mode is neither nearest nor linear");
  return host->g_set (g, 0, kt_node (host, g, "Resize", in, 3, attrs, 3));
}
