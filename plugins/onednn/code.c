/* SPDX-License-Identifier: Apache-2.0
 *
 * code.c: the frame of the kernels of convolutions: whether oneDNN has code for a shape, and
 * the state with it.
 */
#include "conv.h"
#include <stdlib.h>

int32_t
code_suits (const ConvCode *code, const kt_host *host, const void *ctx, const void *user)
{
  void *state = calloc (1, code->size);
  bool found  = false;
  Descriptors d;

  if (state && code->read (host, ctx, user, state) && dnn_open ())
    {
      const int before                 = dnn_begin ();
      const dnnl_primitive_desc_t desc = code->describe (state, &d);
      if ((found = desc != NULL))
        dnn.primitive_desc_destroy (desc);
      dnn_end (before);
    }
  free (state);
  return found;
}

kt_status
code_prepare (const ConvCode *code, const kt_host *host, kt_prep *prep, const void *user,
              void **state)
{
  kt_status status;

  if (!dnn_open ())
    return dnn_fail (host, prep, KT_E_UNSUPPORTED, "oneDNN cannot be opened");
  if ((status = host->keep (prep, code->size, state)) != KT_OK)
    return status;
  if (!code->read (host, prep, user, *state))
    return dnn_fail (host, prep, KT_E_UNSUPPORTED, "a shape that oneDNN does not serve");

  const int before = dnn_begin ();
  status           = code->init (host, prep, *state);
  if (status != KT_OK)
    code->clear (*state);
  dnn_end (before);
  return status;
}
