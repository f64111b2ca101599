/* SPDX-License-Identifier: Apache-2.0
 *
 * families.h: the files of own kernels, of which each ends with a table `const kt_kernel
 * cu_NAME_kernels[]` whose last entry has no name: for the plugin, and for the tests that run them
 * on the host.
 */
#pragma once

#define KT_GPU_FAMILIES(X)                                                               \
  X (elementwise)                                                                        \
  X (index) X (loss) X (move) X (pick) X (reduce) X (resize) X (spatial) X (top) X (value)
