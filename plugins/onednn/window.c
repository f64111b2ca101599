/* SPDX-License-Identifier: Apache-2.0
 *
 * window.c: the geometry of convolutions and pools, from attributes that the definition has
 * checked already.
 */
#include "onednn.h"
#include <string.h>

int64_t
window_count (const int64_t *dims, int n)
{
  int64_t count = 1;

  for (int d = 0; d < n; d++)
    if (__builtin_mul_overflow (count, dims[d], &count))
      return INT64_MAX;
  return count;
}

/* Entry D of the INTS attribute NAME. */
static int64_t
entry (const kt_host *host, const void *ctx, const char *name, int d, int64_t absent)
{
  kt_attr a;

  return host->attr (ctx, name, &a) == KT_OK && a.kind == KT_A_INTS && (size_t) d < a.n
             ? ((const int64_t *) a.v)[d]
             : absent;
}

static bool
pads_are (const kt_attr *a, const char *text)
{
  return a->kind == KT_A_STRING && a->n == strlen (text)
         && memcmp (a->v, text, a->n) == 0;
}

bool
window_read (const kt_host *host, const void *ctx, const kt_type *large,
             const kt_type *small, const int64_t *kernel, Window *w)
{
  kt_attr pads;

  if (large->kind != KT_TENSOR || small->kind != KT_TENSOR || large->ndim < 3
      || large->ndim > 2 + MOST_DIMS || small->ndim != large->ndim
      || host->attr (ctx, "auto_pad", &pads) != KT_OK)
    return false;
  w->n = large->ndim - 2;
  for (int d = 0; d < w->n; d++)
    {
      w->large[d]    = large->dims[d + 2];
      w->small[d]    = small->dims[d + 2];
      w->kernel[d]   = kernel ? kernel[d] : entry (host, ctx, "kernel_shape", d, 1);
      w->stride[d]   = entry (host, ctx, "strides", d, 1);
      w->dilation[d] = entry (host, ctx, "dilations", d, 1);

      const int64_t span = (w->kernel[d] - 1) * w->dilation[d] + 1;
      int64_t total      = (w->small[d] - 1) * w->stride[d] + span - w->large[d];

      if (pads_are (&pads, "SAME_UPPER"))
        w->begin[d] = total > 0 ? total / 2 : 0;
      else if (pads_are (&pads, "SAME_LOWER"))
        w->begin[d] = total > 0 ? total - total / 2 : 0;
      else
        w->begin[d] = pads_are (&pads, "VALID") ? 0 : entry (host, ctx, "pads", d, 0);
      /* What windows really reach: less than was asked for where the stride steps over it. */
      w->end[d] = total - w->begin[d];
      if (w->large[d] < 1 || w->small[d] < 1 || w->kernel[d] < 1 || w->stride[d] < 1
          || w->dilation[d] < 1 || w->begin[d] < 0 || w->large[d] > INT32_MAX
          || w->small[d] > INT32_MAX)
        return false;
    }
  return true;
}
