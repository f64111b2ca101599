/* SPDX-License-Identifier: Apache-2.0
 *
 * DepthToSpace: b * b channels become the cells of b x b blocks.  Source: ONNX DepthToSpace-13.
 */
#include "blocks.h"

static const kt_blocks to_space = { true };

static const kt_kernel depth_to_space_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .user = (void *) &to_space,
    .prepare = kt_blocks_prepare, .run = kt_blocks_run },
  { 0 },
};

const kt_operator kette_op_depth_to_space = {
  .op     = { KT_OP ("DepthToSpace", 1), .flags = KT_OP_PURE, .user = (void *) &to_space,
              .infer = kt_blocks_infer, .gradient = kt_blocks_gradient },
  .kernel = depth_to_space_kernel,
};
