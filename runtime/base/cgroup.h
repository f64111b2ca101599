/* SPDX-License-Identifier: Apache-2.0
 * What the process may use: limits of control groups, version 2.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The smallest number in FILE ("memory.max") of the process' own group and all above it;
 * UINT64_MAX: no limit. A file of two numbers ("cpu.max") counts as the first divided by the
 * second, rounded up. */
uint64_t _kette_cgroup_limit (const char *file);
