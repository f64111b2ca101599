/* SPDX-License-Identifier: Apache-2.0
 * What a file that could not be read as a model might be instead, told by its first bytes.
 */
#include "io/loading.h"
#include "io/read.h"
#include "io/scan.h"
#include "onnx.pb-c.h"
#include <string.h>

typedef struct
{
  size_t at, n;
  const char *magic, *text;
} Magic;

static const Magic magics[] = {
  { 0, 2, "\x1f\x8b", "this is a gzip archive: unpack it first" },
  { 0, 4, "PK\3\4", "this is a zip archive, such as PyTorch and Keras write, not ONNX" },
  { 0, 8, "\x89HDF\r\n\x1a\n", "this is an HDF5 file, such as Keras writes, not ONNX" },
  { 0, 4,
    "\x7f"
    "ELF",
    "this is a program or a library" },
  { 0, 4, "GGUF", "this is a GGUF file, not ONNX" },
  { 4, 4, "TFL3", "this is a TensorFlow Lite file, not ONNX" },
  { 0, 6, "\x93NUMPY", "this is a NumPy file: a tensor, not a model" },
  { 0, 23, "version https://git-lfs", "this is a Git LFS pointer, not the model itself" },
  { 0, 11, "ir_version:", "this is ONNX's text form: convert it to the binary form" },
  { 0, 6, "7z\xbc\xaf\x27\x1c", "this is a 7-zip archive: unpack it first" },
  { 0, 4, "\x28\xb5\x2f\xfd", "this is a zstd archive: unpack it first" },
  { 0, 6,
    "\xfd"
    "7zXZ",
    "this is an xz archive: unpack it first" },
  { 0, 1, "{", "this looks like JSON, not ONNX" },
  { 0, 2, "<!", "this looks like a web page, not ONNX" },
  { 0, 5, "<html", "this looks like a web page, not ONNX" },
};

static gboolean
is_pickle (const uint8_t *data, size_t n)
{
  return n >= 4 && data[0] == 0x80 && data[1] >= 2 && data[1] <= 5
         && (data[2] == 0x95 || data[2] == '}' || data[2] == ']' || data[2] == '('
             || data[2] == 'c' || data[2] == 0x8a);
}

/* safetensors: the length of a JSON text, then the text. */
static gboolean
is_safetensors (const uint8_t *data, size_t n)
{
  uint64_t length;

  if (n < 10)
    return FALSE;
  memcpy (&length, data, sizeof length);
  length = GUINT64_FROM_LE (length);
  return length >= 2 && length <= n - 8 && data[8] == '{' && data[9] == '"';
}

static gboolean
is_tensor (GBytes *bytes)
{
  KetteMessage *m = _kette_message_new (bytes, &onnx__tensor_proto__descriptor,
                                        _kette_limits_default (), NULL);
  gboolean yes    = FALSE;

  if (m)
    {
      const Onnx__TensorProto *t = (const Onnx__TensorProto *) m->root;

      yes = t->has_data_type && t->data_type > 0 && t->data_type < 64
            && t->base.n_unknown_fields == 0;
    }
  _kette_message_free (m);
  return yes;
}

static gboolean
is_text (const uint8_t *data, size_t n)
{
  n = MIN (n, 256);
  for (size_t i = 0; i < n; i++)
    if ((data[i] < ' ' && data[i] != '\n' && data[i] != '\r' && data[i] != '\t')
        || data[i] >= 0x7f)
      return FALSE;
  return n > 0;
}

const char *
_kette_hint (GBytes *bytes)
{
  size_t n;
  const uint8_t *data = g_bytes_get_data (bytes, &n);

  for (size_t i = 0; i < G_N_ELEMENTS (magics); i++)
    if (n >= magics[i].at + magics[i].n
        && memcmp (data + magics[i].at, magics[i].magic, magics[i].n) == 0)
      return magics[i].text;
  if (is_pickle (data, n))
    return "this is a Python pickle, such as PyTorch writes, not ONNX";
  if (is_safetensors (data, n))
    return "this is a safetensors file: weights without a graph";
  if (is_text (data, n))
    return "this is text, not ONNX";
  if (is_tensor (bytes))
    return "this is a tensor (TensorProto), not a model";
  return NULL;
}
