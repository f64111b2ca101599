/* SPDX-License-Identifier: Apache-2.0
 *
 * host-windows.c: the CUDA plugin's own products, convolutions, pools and normalisation as
 * kernels of the CPU that go before its own: what kernels.h asks for, and no library of CUDA's.
 */
#include "../../../plugins/cuda/dnn.h"
#include "../../../plugins/cuda/product.h"
#include "kernels.h"
#include <stdlib.h>

__attribute__ ((visibility ("default"))) kt_entry kette_plugin_v0;

kt_status
cu_lt_prepare (const kt_host *host, kt_prep *prep, const Product *p, int32_t dtype,
               int32_t precision, CuLt **out)
{
  (void) host, (void) prep, (void) p, (void) dtype, (void) precision;
  *out = NULL;
  return KT_OK;
}

CuAddend
cu_lt_addend (const CuLt *l)
{
  (void) l;
  return CU_NO_C;
}

kt_status
cu_lt_run (const kt_host *host, kt_run *run, CuLt *l, const Product *p, const void *c)
{
  (void) l, (void) p, (void) c;
  return kt_fail (host, run, KT_E_INTERNAL, "there is no cuBLASLt on the host");
}

kt_status
cu_dnn_prepare (const kt_host *host, kt_prep *prep, const CuConv *p, CuDnnConv **out)
{
  (void) host, (void) prep, (void) p;
  *out = NULL;
  return KT_OK;
}

kt_status
cu_dnn_run (const kt_host *host, kt_run *run, CuDnnConv *d, const CuConv *p)
{
  (void) d, (void) p;
  return kt_fail (host, run, KT_E_INTERNAL, "there is no cuDNN on the host");
}

void
cu_dnn_free (CuDnnConv *d)
{
  (void) d;
}

/* KETTE_TEST_ROUND ("tf32", "bf16"): the kernels are told to round their factors so. */
static kt_host rounding;
static int32_t round_to, rounded_to;

static int32_t
precision (const kt_prep *prep)
{
  (void) prep;
  return round_to;
}

static kt_status
rounds (kt_prep *prep, int32_t to)
{
  (void) prep;
  rounded_to = to;
  return KT_OK;
}

/* A kernel as it was. */
typedef struct
{
  kt_status (*prepare) (const kt_host *, kt_prep *, void *, void **);
  void *user;
} Original;

static kt_status
prepare_rounding (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const Original *o = user;

  (void) host;
  rounded_to = 0;
  KT_TRY (o->prepare (&rounding, prep, o->user, state));
  return rounded_to == round_to || kt_out_type (host, prep, 0).dtype != KT_F32
             ? KT_OK
             : kt_fail (host, prep, KT_E_INTERNAL, "does not say that it rounds");
}

/* Makes K round; 0: there are too many. */
static int
make_rounding (kt_kernel *k)
{
  static Original originals[8];
  static int n;

  if (n == 8)
    return 0;
  originals[n] = (Original){ k->prepare, k->user };
  k->prepare   = prepare_rounding;
  k->user      = &originals[n++];
  k->suits     = NULL;
  return 1;
}

static void
read_round (const kt_host *host)
{
  const char *word = getenv ("KETTE_TEST_ROUND");

  rounding           = *host;
  rounding.precision = precision;
  rounding.rounds    = rounds;
  round_to           = !word                        ? KT_ROUND_NONE
                       : strcmp (word, "tf32") == 0 ? KT_ROUND_TF32
                                                    : KT_ROUND_BF16;
}

/* On the CPU, what was not absorbed is done by the host. */
static kt_status
product_and_rest (const kt_host *host, kt_run *run, void *state)
{
  KT_TRY (product_run (host, run, state));
  return host->epilogue (run, 0, kt_count (run->out[0].shape, run->out[0].ndim), 0);
}

extern const kt_kernel cu_conv_kernels[], cu_norms_kernels[], cu_pools_kernels[],
    cu_product_kernels[];

kt_status
kette_plugin_v0 (const kt_host *host, kt_reg *reg)
{
  const kt_kernel *const tables[]
      = { cu_conv_kernels, cu_norms_kernels, cu_pools_kernels, cu_product_kernels };

  read_round (host);
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
    for (const kt_kernel *k = tables[i]; k->name; k++)
      {
        kt_kernel ours = *k;
        if (round_to && i != 0 && i != 3)
          continue;
        if (round_to && !make_rounding (&ours))
          return kt_fail (host, reg, KT_E_INTERNAL, "more kernels than places");
        ours.device   = "cpu";
        ours.priority = 900;
        ours.host_in = ours.host_out = 0;
        if (ours.run == product_run)
          ours.run = product_and_rest;
        KT_TRY (host->add_kernel (reg, &ours));
      }
  return KT_OK;
}
