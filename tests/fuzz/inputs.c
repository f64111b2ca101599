/* SPDX-License-Identifier: Apache-2.0
 * Inputs for models that nobody knows: small tensors of the types that the graph asks for.
 */
#include "inputs.h"

static int64_t
dim_of (int64_t dim)
{
  if (!KT_IS_DIM (dim))
    return dim;
  /* 1, 2 or 3; nothing now and then. */
  return dim == KT_DIM (0) ? (int64_t) (fuzz_random () % 16 ? fuzz_random () % 3 + 1 : 0)
                           : (int64_t) ((uint64_t) dim % 3) + 1;
}

static double
number (int dtype)
{
  static const double odd[] = { 0, 1, -1, 127, 128, 255, 1e10, -1e10, 0.5, -0.0 };
  const uint64_t r          = fuzz_random ();

  if (dtype == KT_BOOL)
    return (double) (r & 1);
  if (r % 16 == 0)
    return odd[r / 16 % G_N_ELEMENTS (odd)];
  return _kette_dtype (dtype)->is_float ? (double) (int64_t) (r / 16 % 4096) / 1024 - 2
                                        : (double) (r / 16 % 5);
}

KetteTensor *
fuzz_tensor (const kt_type *type, int64_t batch)
{
  const KetteDtype *dtype = type->kind == KT_TENSOR ? _kette_dtype (type->dtype) : NULL;
  int64_t dims[KETTE_MAX_RANK];
  int rank = type->ndim;
  size_t count;
  GError *error = NULL;
  KetteTensor *out;

  if (!dtype || rank > KETTE_MAX_RANK)
    return NULL;
  if (rank < 0)
    rank = (int) (fuzz_random () % 4);
  for (int i = 0; i < rank; i++)
    dims[i] = i == 0 && batch ? batch : type->ndim < 0 ? 2 : dim_of (type->dims[i]);
  if (!_kette_count (dims, rank, &count) || count > FUZZ_MOST_ELEMENTS)
    return NULL;
  out = kette_tensor_new (type->dtype, dims, (guint) rank, &error);
  fuzz_judge (out != NULL, &error);
  if (out && type->dtype != KT_STRING)
    for (size_t i = 0; i < out->count; i++)
      _kette_tensor_set_double (out, i, number (type->dtype));
  return out;
}
