/* SPDX-License-Identifier: Apache-2.0
 * Target scan: the bytes are a ModelProto: wire scan, thinned copy, capped unpacking.
 */
#include "io/scan.h"
#include "fuzz.h"
#include "onnx.pb-c.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t n)
{
  static KetteLimits limits;
  GBytes *bytes = g_bytes_new (data, n);
  GError *error = NULL;
  KetteMessage *message;

  if (!limits.size)
    _kette_limits_complete (NULL, &limits);
  fuzz_begin (data, MIN (n, 64));
  fuzz_fail_allocations (8);
  message = _kette_message_new (bytes, &onnx__model_proto__descriptor, &limits, &error);
  if (message && message->used > message->cap)
    fuzz_fault ("unpacked: %zu bytes, allowed %zu", message->used, message->cap);
  if (message && protobuf_c_message_get_packed_size (message->root) > 16 * n + 64)
    fuzz_fault ("%zu bytes became more when unpacked", n);
  fuzz_judge (message != NULL, &error);
  _kette_message_free (message);
  fuzz_end ();
  g_bytes_unref (bytes);
  return 0;
}
