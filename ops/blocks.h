/* SPDX-License-Identifier: Apache-2.0
 *
 * blocks.h: DepthToSpace and SpaceToDepth: blocks of b x b cells of a plane against b * b
 * channels, in both directions, in the order of channels that "mode" says.
 */
#pragma once
#include "move.h"

/* What one of the two is and where it goes; user of their kt_op and kt_kernel. */
typedef struct kt_blocks
{
  bool to_space;
} kt_blocks;

kt_status kt_blocks_infer (const kt_host *host, kt_infer *infer, void *user);
kt_status kt_blocks_prepare (const kt_host *host, kt_prep *prep, void *user,
                             void **state);
kt_status kt_blocks_run (const kt_host *host, kt_run *run, void *state);
kt_status kt_blocks_gradient (const kt_host *host, kt_graph *g, void *user);
