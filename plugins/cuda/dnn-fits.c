/* SPDX-License-Identifier: Apache-2.0
 *
 * dnn-fits.c: which convolutions cuDNN can describe: arithmetic that needs no device.
 */
#include "dnn.h"

bool
cu_dnn_fits (const CuConv *p)
{
  const CuGeometry *g = &p->g;

  if (p->batch < 1 || p->batch > INT32_MAX || p->group * p->m > INT32_MAX
      || p->group * p->c > INT32_MAX || g->large_area < 1 || g->small_area < 1
      || g->cells < 1)
    return false;
  for (int d = 0; d < CU_DIMS; d++)
    {
      /* What cuDNN would make of the large side with `begin` on both sides of it. */
      const int64_t room = g->large[d] + 2 * (int64_t) g->begin[d]
                           - ((int64_t) (g->kernel[d] - 1) * g->dilation[d] + 1);
      if (g->begin[d] < 0 || room < 0 || room / g->stride[d] + 1 != g->small[d])
        return false;
    }
  return true;
}
