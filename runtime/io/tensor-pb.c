/* SPDX-License-Identifier: Apache-2.0
 * Files that hold one TensorProto, as in ONNX's test directories.
 */
#include "io/loading.h"
#include "io/save.h"
#include "io/tensor-file.h"

KetteTensor *
_kette_tensor_pb_parse (GBytes *bytes, GError **error)
{
  KetteMessage *message = _kette_message_new (bytes, &onnx__tensor_proto__descriptor,
                                              _kette_limits_default (), error);
  const KetteTensorSource source = { .bytes = bytes, .limits = _kette_limits_default () };
  KetteTensor *tensor            = NULL;

  if (message)
    tensor = _kette_tensor_from_proto ((const Onnx__TensorProto *) message->root, &source,
                                       NULL, error);
  _kette_message_free (message);
  return tensor;
}

typedef struct
{
  ProtobufCBuffer base;
  KetteWriter *writer;
} Stream;

static void
stream_append (ProtobufCBuffer *buffer, size_t n, const uint8_t *data)
{
  _kette_writer_add (((Stream *) buffer)->writer, data, n);
}

gboolean
_kette_tensor_pb_write (KetteWriter *writer, gpointer user, GError **error)
{
  const KetteTensor *tensor = user;
  KetteRegion *region       = _kette_region_new (error);
  Stream stream             = { .base = { .append = stream_append }, .writer = writer };
  Onnx__TensorProto *proto  = NULL;
  gboolean ok               = FALSE;
  size_t n;

  if (region)
    proto = _kette_tensor_to_proto (region, tensor, "", error);
  if (proto)
    {
      n  = protobuf_c_message_get_packed_size (&proto->base);
      ok = n <= KETTE_FILE_MAX
           || _kette_fail (error, KETTE_ERROR_LIMIT, NULL,
                           "the tensor needs %zu bytes, a TensorProto may have %zu", n,
                           KETTE_FILE_MAX);
    }
  if (ok)
    protobuf_c_message_pack_to_buffer (&proto->base, &stream.base);
  _kette_region_free (region);
  return ok;
}
