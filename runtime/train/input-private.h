/* SPDX-License-Identifier: Apache-2.0
 * Fitting data to inputs: shared by kette_input_prepare and by training.
 */
#pragma once
#include "graph/graph-private.h"
#include "train/input.h"

/* The shape that DATA gets as input of type TYPE: the same samples, each reshaped. *dims has
 * room for KETTE_MAX_RANK. ONE: data without dim 0 may be one sample. */
gboolean _kette_input_fit (const kt_type *type, const char *name, const KetteTensor *data,
                           gboolean one, int64_t *dims, int *rank, GError **error);
/* out[i] = in[i] * factor + offset, of RECIPE. */
void _kette_scale_bytes_f32 (const uint8_t *in, size_t n, const KetteInputRecipe *recipe,
                             float *out);
void _kette_scale_bytes_f64 (const uint8_t *in, size_t n, const KetteInputRecipe *recipe,
                             double *out);
/* DATA as element type DTYPE (numbers only). */
KetteTensor *_kette_tensor_convert (KetteTensor *data, int dtype, GError **error);
