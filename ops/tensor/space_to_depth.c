/* SPDX-License-Identifier: Apache-2.0
 *
 * SpaceToDepth: the cells of b x b blocks become b * b channels.  Source: ONNX SpaceToDepth-28.
 */
#include "blocks.h"

static const kt_blocks to_depth = { false };

static const kt_kernel space_to_depth_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .user = (void *) &to_depth,
    .prepare = kt_blocks_prepare, .run = kt_blocks_run },
  { 0 },
};

const kt_operator kette_op_space_to_depth = {
  .op     = { KT_OP ("SpaceToDepth", 1), .flags = KT_OP_PURE, .user = (void *) &to_depth,
              .infer = kt_blocks_infer, .gradient = kt_blocks_gradient },
  .kernel = space_to_depth_kernel,
};
