/* SPDX-License-Identifier: Apache-2.0
 * Public: tensors.
 */
#pragma once
#include "base/kette-base.h"

G_BEGIN_DECLS

/**
 * KetteTensor:
 *
 * A block of numbers with an element type and a shape, row-major, reference counted. The
 * element types are ONNX's numbers (1 = float32, 7 = int64, 11 = float64, ...).
 */
typedef struct _KetteTensor KetteTensor;
#define KETTE_TYPE_TENSOR (kette_tensor_get_type ())
KETTE_EXPORT GType kette_tensor_get_type (void);

/**
 * kette_tensor_new:
 * @dtype: element type, ONNX's number
 * @dims: (array length=rank) (nullable): the shape
 * @rank: number of dims; 0 makes a scalar
 * @error: return location
 *
 * Makes a tensor of zeros, aligned to 64 bytes.
 *
 * Returns: (transfer full) (nullable): the tensor, or %NULL (`memory`, `limit`)
 */
KETTE_EXPORT KetteTensor *kette_tensor_new (int dtype, const gint64 *dims, guint rank,
                                            GError **error);
/**
 * kette_tensor_ref:
 * @self: a tensor
 * Returns: (transfer full): @self
 */
KETTE_EXPORT KetteTensor *kette_tensor_ref (KetteTensor *self);
/**
 * kette_tensor_unref:
 * @self: (transfer full) (nullable): a tensor
 */
KETTE_EXPORT void kette_tensor_unref (KetteTensor *self);
/**
 * kette_tensor_get_data: (skip)
 * @self: a tensor
 * Returns: the first element; of a string tensor, an array of kt_str
 */
KETTE_EXPORT void *kette_tensor_get_data (const KetteTensor *self);
/**
 * kette_tensor_get_dtype:
 * @self: a tensor
 * Returns: the element type, ONNX's number
 */
KETTE_EXPORT int kette_tensor_get_dtype (const KetteTensor *self);
/**
 * kette_tensor_get_dims:
 * @self: a tensor
 * @rank: (out): number of dims
 * Returns: (array length=rank) (transfer none): the shape
 */
KETTE_EXPORT const gint64 *kette_tensor_get_dims (const KetteTensor *self, guint *rank);
/**
 * kette_tensor_get_count:
 * @self: a tensor
 * Returns: the number of elements
 */
KETTE_EXPORT gsize kette_tensor_get_count (const KetteTensor *self);
/**
 * kette_tensor_rows:
 * @self: a tensor of rank 1 or more
 * @begin: first index along dim 0
 * @n: how many
 * @error: return location
 *
 * Returns: (transfer full) (nullable): a copy of these rows, or %NULL (`shape`)
 */
KETTE_EXPORT KetteTensor *kette_tensor_rows (const KetteTensor *self, gsize begin,
                                             gsize n, GError **error);
/**
 * kette_tensor_to_string:
 * @self: a tensor
 * @limit: how many elements to print at most, 0 for all
 *
 * A readable text: type and shape, then the elements in nested brackets.
 *
 * Returns: (transfer full) (nullable): the text; %NULL when memory is refused
 */
KETTE_EXPORT char *kette_tensor_to_string (const KetteTensor *self, guint limit);

/**
 * kette_tensor_element_to_string:
 * @self: a tensor
 * @i: index of an element in row-major order
 *
 * Returns: (transfer full) (nullable): the element as text, which reads back as the same
 *   number; %NULL beyond the last one or when memory is refused
 */
KETTE_EXPORT char *kette_tensor_element_to_string (const KetteTensor *self, gsize i);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KetteTensor, kette_tensor_unref)
G_END_DECLS
