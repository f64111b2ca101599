/* SPDX-License-Identifier: Apache-2.0
 *
 * host-threads.cc: which thread of which block runs, where the host plays the GPU (gpu.h).
 */
#include "gpu.h"

thread_local int64_t kt_block_index, kt_n_blocks, kt_thread_index, kt_alone = -1;
