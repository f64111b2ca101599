/* SPDX-License-Identifier: Apache-2.0
 * Models of a chosen size, written piece by piece: for tests and measurements of loading.
 */
#pragma once
#include <stddef.h>
#include <stdio.h>

/* x + w0 + w1 + ...: N initializers of BYTES bytes as raw_data, each at a multiple of 64
 * plus OFF. How many bytes the file has; 0: it could not be written. */
size_t made_weights (FILE *file, size_t n, size_t bytes, size_t off);
/* N nodes of five operators, with names, attributes and declared types as exporters write
 * them, and no weights. */
size_t made_nodes (FILE *file, size_t n);
