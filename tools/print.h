/* SPDX-License-Identifier: Apache-2.0
 * Tensors for people.
 */
#pragma once
#include "verbs.h"

/* Prints "NAME = float32[2,3]" and the elements in columns; of large tensors the ends of each
 * dim. */
void kette_tool_print_tensor (const char *name, const KetteTensor *tensor);
