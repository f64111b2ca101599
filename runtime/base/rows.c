/* SPDX-License-Identifier: Apache-2.0
 * Parts of tensors.
 */
#include "base/tensor-private.h"
#include <string.h>

KetteTensor *
kette_tensor_rows (const KetteTensor *self, gsize begin, gsize n, GError **error)
{
  int64_t dims[KETTE_MAX_RANK];
  KetteTensor *rows;

  if (self->rank < 1 || self->dtype == KT_STRING || begin > (gsize) self->dims[0]
      || n > (gsize) self->dims[0] - begin)
    {
      _kette_fail (error, KETTE_ERROR_SHAPE, NULL, "there are no %zu rows from %zu on", n,
                   begin);
      return NULL;
    }
  memcpy (dims, self->dims, sizeof dims);
  dims[0] = (int64_t) n;
  rows    = _kette_tensor_new_raw (self->dtype, dims, self->rank, error);
  if (rows && rows->bytes)
    {
      const size_t stride = self->bytes / (size_t) self->dims[0];
      memcpy (rows->data, (const uint8_t *) self->data + begin * stride, rows->bytes);
    }
  return rows;
}
