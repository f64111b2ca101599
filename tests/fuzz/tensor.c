/* SPDX-License-Identifier: Apache-2.0
 * Target tensor: the bytes are a TensorProto, an NPY or an IDX file, packed by gzip or not.
 * What can be read can be written, and is the same when read again.
 */
#include "fuzz.h"
#include "io/tensor-file.h"
#include "io/writer.h"
#include <string.h>

typedef KetteTensor *(*Parse) (GBytes *bytes, GError **error);

static gboolean
equal (const KetteTensor *a, const KetteTensor *b)
{
  if (a->dtype != b->dtype || a->rank != b->rank || a->count != b->count
      || memcmp (a->dims, b->dims, (size_t) a->rank * sizeof *a->dims) != 0)
    return FALSE;
  if (a->dtype != KT_STRING)
    return a->bytes == b->bytes
           && (a->bytes == 0 || !memcmp (a->data, b->data, a->bytes));
  for (size_t i = 0; i < a->count; i++)
    {
      const kt_str *s = (const kt_str *) a->data + i, *t = (const kt_str *) b->data + i;

      if (s->n != t->n || (s->n > 0 && memcmp (s->s, t->s, s->n) != 0))
        return FALSE;
    }
  return TRUE;
}

static void
again (KetteTensor *tensor, KetteWriteFunc write, Parse parse)
{
  GError *error = NULL;
  GBytes *bytes = _kette_write_bytes (write, tensor, &error);
  KetteTensor *copy;

  if (!bytes && error && g_error_matches (error, KETTE_ERROR, KETTE_ERROR_UNSUPPORTED))
    {
      g_clear_error (&error);
      return;
    }
  if (!fuzz_expect (bytes != NULL, &error, "cannot be written"))
    return;
  copy = parse (bytes, &error);
  if (fuzz_expect (copy != NULL, &error, "cannot be read again") && !equal (tensor, copy))
    fuzz_fault ("changed on its way through a file");
  kette_tensor_unref (copy);
  g_bytes_unref (bytes);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t n)
{
  static const Parse parsers[]
      = { _kette_tensor_pb_parse, _kette_npy_parse, _kette_idx_parse };
  GBytes *bytes = g_bytes_new (data, n);

  fuzz_begin (data, n);
  fuzz_fail_allocations (24);
  for (size_t i = 0; i < G_N_ELEMENTS (parsers); i++)
    {
      GError *error       = NULL;
      KetteTensor *tensor = parsers[i](bytes, &error);

      if (!fuzz_judge (tensor != NULL, &error))
        continue;
      again (tensor, _kette_tensor_pb_write, _kette_tensor_pb_parse);
      again (tensor, _kette_npy_write, _kette_npy_parse);
      kette_tensor_unref (tensor);
    }
  g_bytes_unref (bytes);
  fuzz_end ();
  return 0;
}
