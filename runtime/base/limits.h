/* SPDX-License-Identifier: Apache-2.0
 * Public: how large a model file, and what it unpacks to, may be.
 */
#pragma once
#include "base/kette-base.h"

G_BEGIN_DECLS

/**
 * KetteLimits:
 * @size: sizeof (KetteLimits), set by kette_limits_init()
 * @file_bytes: size of a model file; at most 2^31 - 1, protobuf's own limit
 * @depth: messages in messages; 100, at most 256
 * @subgraph_depth: subgraphs in subgraphs; 32, at most 80
 * @type_depth: types in types (sequence of optional of ...); 16, at most 64
 * @unpacked_bytes: memory of the unpacked message, weights not counted; 0: 8 times the
 *   file's size and 256 MiB
 * @name_bytes: names, operators, domains, keys; 65,536, at most 1 MiB
 * @text_bytes: doc strings and metadata values; 16 MiB, at most 256 MiB
 * @rank: dims of a tensor; 32, which is also the most
 * @nodes: nodes of all graphs, counted after functions are inlined; 1,000,000, at most 2^31 - 1
 * @call_depth: functions that call functions; 100, at most 1,000
 * @external_files: files with external data; 4,096, at most 32,768
 *
 * The limits that loading keeps to. A file that passes one is refused with `limit`. Memory
 * as a whole is limited by kette_set_memory_limit(), time by a #KetteDeadline.
 */
typedef struct
{
  gsize size;
  guint64 file_bytes, depth, subgraph_depth, type_depth, unpacked_bytes, name_bytes,
      text_bytes, rank, nodes, call_depth, external_files;
} KetteLimits;

/**
 * kette_limits_init:
 * @self: (out caller-allocates): receives the defaults
 */
KETTE_EXPORT void kette_limits_init (KetteLimits *self);
/**
 * kette_limits_set:
 * @self: limits
 * @name: "file-bytes", "depth", ... : the field's name with hyphens
 * @value: from 1 to the limit's own maximum
 * @error: return location
 *
 * Returns: %FALSE with `limit` for an unknown name or a value that is not allowed
 */
KETTE_EXPORT gboolean kette_limits_set (KetteLimits *self, const char *name,
                                        guint64 value, GError **error);
/**
 * kette_set_memory_limit:
 * @bytes: what tensors, models and plans of the whole process may take together; 0: the
 *   default, 75 % of the memory of the machine or of the control group
 */
KETTE_EXPORT void kette_set_memory_limit (guint64 bytes);

G_END_DECLS
