/* SPDX-License-Identifier: Apache-2.0
 * Tensors from files of any known kind, and to files.
 */
#include "base/guard-private.h"
#include "io/io-private.h"
#include "io/tensor-file.h"
#include <string.h>

gboolean
_kette_file_size (int dtype, const int64_t *dims, int rank, size_t have, size_t *count,
                  size_t *bytes, GError **error)
{
  char text[256];
  const char *name = _kette_dtype (dtype)->name;

  if (!_kette_tensor_size (dtype, dims, rank, NULL, count, bytes, error))
    return FALSE;
  if (have != SIZE_MAX && have != *bytes)
    return _kette_fail (error, KETTE_ERROR_TENSOR, NULL,
                        "%s%s needs %zu bytes, the file has %zu", name,
                        _kette_dims_text (dims, (size_t) rank, text), *bytes, have);
  return TRUE;
}

static KetteTensor *
parse (GBytes *bytes, GError **error)
{
  size_t n;
  const uint8_t *data = g_bytes_get_data (bytes, &n);

  if (n == 0)
    {
      _kette_fail (error, KETTE_ERROR_FORMAT, "byte 0", "the file is empty");
      return NULL;
    }
  if (n >= 6 && memcmp (data, "\x93NUMPY", 6) == 0)
    return _kette_npy_parse (bytes, error);
  /* No TensorProto begins like that: as tags these bytes are field 0 and wire type 7. */
  if (n >= 2 && ((data[0] == 0 && data[1] == 0) || (data[0] == 0x1f && data[1] == 0x8b)))
    return _kette_idx_parse (bytes, error);
  return _kette_tensor_pb_parse (bytes, error);
}

KetteTensor *
kette_tensor_load (const char *file, GError **error)
{
  GBytes *bytes = _kette_read_file (file, error);
  KetteTensor *tensor;

  if (!bytes)
    return NULL;
  tensor = parse (bytes, error);
  if (!_kette_guard_outcome_at (g_bytes_get_data (bytes, NULL), tensor != NULL, error))
    g_clear_pointer (&tensor, kette_tensor_unref);
  g_bytes_unref (bytes);
  if (!tensor)
    _kette_error_in_file (error, file);
  return tensor;
}

gboolean
kette_tensor_save (KetteTensor *self, const char *file, GError **error)
{
  return _kette_write_file (
      file, 0, g_str_has_suffix (file, ".pb") ? _kette_tensor_pb_write : _kette_npy_write,
      self, error);
}
