/* SPDX-License-Identifier: Apache-2.0
 *
 * bands.c: bands of rows of an image whose channels lie in blocks of 16.
 */
#include "conv.h"
#include <string.h>

void
bands_init (Bands *b, Shape *s, int64_t count)
{
  Window *w = &s->w;

  b->count      = count;
  b->blocks_in  = s->x_channels / 16;
  b->blocks_out = s->y_channels / 16;
  b->rows       = w->large[0];
  b->pad        = w->begin[0];
  b->rows_out   = w->small[0] / count;
  b->rows_in    = b->rows_out + w->kernel[0] - 1;
  b->row_in     = (size_t) w->large[1] * 16;
  b->row_out    = (size_t) w->small[1] * 16;

  w->small[0] = b->rows_out;
  w->large[0] = b->rows_in;
  w->begin[0] = w->end[0] = 0;
}

size_t
bands_in (const Bands *b)
{
  return (size_t) (b->blocks_in * b->rows_in) * b->row_in;
}

size_t
bands_out (const Bands *b)
{
  return (size_t) (b->blocks_out * b->rows_out) * b->row_out;
}

void
bands_get (const Bands *b, const float *image, int64_t band, float *in)
{
  const int64_t first = band * b->rows_out - b->pad, last = first + b->rows_in;
  const int64_t from = first < 0         ? 0
                       : first > b->rows ? b->rows
                                         : first,
                to   = last < from      ? from
                       : last > b->rows ? b->rows
                                        : last;
  const size_t above = (size_t) (from - first) * b->row_in,
               rows  = (size_t) (to - from) * b->row_in,
               below = (size_t) (last - to) * b->row_in;

  for (int64_t c = 0; c < b->blocks_in; c++, in += above + rows + below)
    {
      memset (in, 0, above * sizeof *in);
      memcpy (in + above, image + (size_t) (c * b->rows + from) * b->row_in,
              rows * sizeof *in);
      memset (in + above + rows, 0, below * sizeof *in);
    }
}

void
bands_put (const Bands *b, const kt_host *host, kt_run *run, const float *out,
           int64_t band, int32_t worker)
{
  const size_t n = (size_t) b->rows_out * b->row_out;
  float *y       = run->out[0].data;

  for (int64_t c = 0; c < b->blocks_out; c++, out += n)
    {
      const size_t at = (size_t) (c * b->count + band) * n;
      memcpy (y + at, out, n * sizeof *y);
      host->epilogue (run, (int64_t) at, (int64_t) (at + n), worker);
    }
}
