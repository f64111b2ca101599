/* SPDX-License-Identifier: Apache-2.0
 * Public: comparing tensors with a tolerance.
 */
#pragma once
#include "base/tensor.h"

G_BEGIN_DECLS

/**
 * kette_tensor_compare:
 * @actual: what came out
 * @expected: what should have
 * @rtol: relative tolerance
 * @atol: absolute tolerance
 * @worst: (out) (optional): the largest error in units of its bound; above 1 fails
 * @error: return location
 *
 * Equal if type and shape are the same and, element by element, |a - e| <= atol + rtol |e|,
 * computed in double. NaN equals NaN, infinities must agree in sign, integers are compared by
 * their exact difference, strings by their bytes. Source: ONNX's backend test runner.
 *
 * Returns: %FALSE with `type`, `shape` or `value` and the first element that differs
 */
KETTE_EXPORT gboolean kette_tensor_compare (const KetteTensor *actual,
                                            const KetteTensor *expected, double rtol,
                                            double atol, double *worst, GError **error);

G_END_DECLS
