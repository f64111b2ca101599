/* SPDX-License-Identifier: Apache-2.0
 *
 * Size: the number of elements of x, as a scalar.  Source: ONNX Size-13.
 */
#include "shape.h"

static kt_status
size_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);
  int64_t size    = KT_DIM (0);

  (void) user;
  KT_TRY (kt_set_out (host, infer, 0, KT_I64, NULL, 0));
  if (x.kind != 0 && x.ndim >= 0)
    KT_TRY (kt_product (host, infer, x.dims, x.ndim, &size));
  return host->out_ints (infer, 0, &size, 1);
}

static kt_status
size_run (const kt_host *host, kt_run *run, void *state)
{
  (void) host;
  (void) state;
  *(int64_t *) run->out[0].data = kt_count (run->in[0].shape, run->in[0].ndim);
  return KT_OK;
}

static const kt_kernel size_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .run = size_run },
  { 0 },
};

const kt_operator kette_op_size = {
  .op
  = { KT_OP ("Size", 1), .flags = KT_OP_PURE | KT_OP_ZERO_GRADIENT, .infer = size_infer },
  .kernel = size_kernel,
};
