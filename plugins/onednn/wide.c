/* SPDX-License-Identifier: Apache-2.0
 *
 * wide.c: values in blocks of 8 channels for code that wants blocks of 16: the last block may
 * be half empty.
 */
#include "conv.h"
#include <string.h>

size_t
wide_floats (int64_t channels, int64_t spots)
{
  return (size_t) ((channels + 15) / 16 * 16 * spots);
}

void
wide_get (const Shape *s, const float *x, float *wide, int64_t begin, int64_t end)
{
  const int64_t spots = window_count (s->w.large, s->w.n), eights = s->x_channels / 8,
                wides = (s->x_channels + 15) / 16;

  for (int64_t i = begin; i < end; i++)
    {
      const int64_t first = i % wides * 2;
      const float *from   = x + (i / wides * eights + first) * spots * 8;
      float *to           = wide + i * spots * 16;
      for (int64_t q = 0; q < spots; q++, to += 16)
        {
          memcpy (to, from + q * 8, 8 * sizeof *to);
          if (first + 1 < eights)
            memcpy (to + 8, from + (spots + q) * 8, 8 * sizeof *to);
          else
            memset (to + 8, 0, 8 * sizeof *to);
        }
    }
}

void
wide_put (const Shape *s, const float *wide, float *y, int64_t begin, int64_t end)
{
  const int64_t spots = window_count (s->w.small, s->w.n), eights = s->y_channels / 8,
                wides = (s->y_channels + 15) / 16;

  for (int64_t i = begin; i < end; i++)
    {
      const int64_t e   = i % eights;
      const float *from = wide + (i / eights * wides + e / 2) * spots * 16 + e % 2 * 8;
      float *to         = y + i * spots * 8;
      for (int64_t q = 0; q < spots; q++)
        memcpy (to + q * 8, from + q * 16, 8 * sizeof *to);
    }
}

/* N floats and zeros up to ALL, for as long as the kernel lives. */
static kt_status
fill_up (const kt_host *host, kt_prep *prep, const float *from, size_t n, size_t all,
         const float **out)
{
  void *memory;
  const kt_status status = host->keep (prep, all * sizeof (float), &memory);

  if (status != KT_OK)
    return status;
  memcpy (memory, from, n * sizeof (float));
  memset ((float *) memory + n, 0, (all - n) * sizeof (float));
  *out = memory;
  return KT_OK;
}

kt_status
wide_fill (const kt_host *host, kt_prep *prep, Shape *s, const float **weights,
           const float **bias)
{
  const size_t all = (size_t) (s->y_channels + 15) / 16 * 16, n = (size_t) s->y_channels;
  const size_t each
      = (size_t) s->x_channels * (size_t) window_count (s->w.kernel, s->w.n);
  const bool with_bias = dnn_type (host, prep, 0, 2).kind == KT_TENSOR;
  kt_tensor w, b = { 0 };
  kt_status status;

  *weights = *bias = NULL;
  if (!s->y_wide || all == n || host->constant (prep, 1, &w) != KT_OK || !w.data
      || (with_bias && (host->constant (prep, 2, &b) != KT_OK || !b.data)))
    return KT_OK;
  status = fill_up (host, prep, w.data, n * each, all * each, weights);
  if (status == KT_OK && with_bias)
    status = fill_up (host, prep, b.data, n, all, bias);
  if (status == KT_OK)
    s->y_made = (int64_t) all;
  return status;
}
