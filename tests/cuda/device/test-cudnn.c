/* SPDX-License-Identifier: Apache-2.0
 *
 * test-cudnn.c: descriptors of convolutions, given to the real cuDNN, which makes them without a
 * card: it takes them, and its idea of the result's shape is ours. Skipped where it is not.
 */
#include "../../../plugins/cuda/dnn.c"
#include "geometry.h"
#include <dlfcn.h>
#include <glib.h>

#define TEXT(x) TEXT_OF (x)
#define TEXT_OF(x) #x
#define LIBRARY "libcudnn.so." TEXT (CUDNN_MAJOR)

Dnn dnn;
static __typeof__ (&cudnnGetConvolutionNdForwardOutputDim) output_dim;

cudnnHandle_t
dnn_handle (CuDevice *d)
{
  (void) d;
  return NULL;
}

static bool
open_library (void)
{
  void *library = dlopen (LIBRARY, RTLD_NOW | RTLD_LOCAL);

  if (!library)
    return false;
#define FILL(NAME) *(void **) &dnn.NAME = dlsym (library, "cudnn" #NAME);
  DNN_CALLS (FILL)
#define THERE(NAME) g_assert_nonnull (dnn.NAME);
  DNN_CALLS (THERE)
  *(void **) &output_dim = dlsym (library, "cudnnGetConvolutionNdForwardOutputDim");
  return output_dim != NULL;
}

/* N spatial dims. */
static CuConv
conv_of (int n, const int64_t *large, const int *kernel, int stride, int dilation,
         int begin, int group)
{
  kt_window w = { .n = n };
  CuConv p    = { .batch = 2,
                  .group = group,
                  .m     = 6,
                  .c     = 4,
                  .parts = 1,
                  .role  = KT_CONV_ROLE_SMALL,
                  .dtype = KT_F32 };

  for (int d = 0; d < n; d++)
    {
      w.large[d] = large[d], w.kernel[d] = kernel[d];
      w.stride[d] = stride, w.dilation[d] = dilation, w.begin[d] = w.end[d] = begin;
      w.small[d] = (large[d] + 2 * begin - (kernel[d] - 1) * dilation - 1) / stride + 1;
    }
  g_assert_true (cu_geometry (&w, &p.g));
  return p;
}

static void
check (CuConv p)
{
  static const int dtypes[] = { KT_F32, KT_F64, KT_F16, KT_BF16 };
  const int first = first_dim (&p.g), n = 2 + CU_DIMS - first;

  g_assert_true (cu_dnn_fits (&p));
  for (int role = KT_CONV_ROLE_LARGE; role <= KT_CONV_ROLE_WEIGHTS; role++)
    for (size_t k = 0; k < G_N_ELEMENTS (dtypes); k++)
      for (int round = KT_ROUND_NONE; round <= KT_ROUND_BF16; round++)
        {
          CuDnnConv *d = calloc (1, sizeof *d);
          int dims[5]  = { 0 };

          g_assert_nonnull (d);
          p.role  = role;
          p.dtype = dtypes[k];
          p.round = round;
          g_assert_true (describe (d, &p));
          g_assert_cmpint (output_dim (d->conv, d->large, d->weights, n, dims), ==,
                           CUDNN_STATUS_SUCCESS);
          g_assert_cmpint (dims[0], ==, p.batch);
          g_assert_cmpint (dims[1], ==, p.group * p.m);
          for (int i = first; i < CU_DIMS; i++)
            g_assert_cmpint (dims[2 + i - first], ==, p.g.small[i]);
          cu_dnn_free (d);
        }
}

static void
test_shapes (void)
{
  static const int64_t sizes[][3]
      = { { 9, 11, 7 }, { 28, 28, 28 }, { 5, 1, 6 }, { 12, 8, 5 } };
  static const int kernels[][3] = { { 3, 3, 3 }, { 1, 1, 1 }, { 5, 1, 2 }, { 2, 3, 1 } };

  for (int n = 1; n <= 3; n++)
    for (size_t s = 0; s < G_N_ELEMENTS (sizes); s++)
      for (size_t k = 0; k < G_N_ELEMENTS (kernels); k++)
        for (int stride = 1; stride <= 3; stride++)
          for (int dilation = 1; dilation <= 2; dilation++)
            for (int begin = 0; begin <= 2; begin++)
              for (int group = 1; group <= 2; group++)
                {
                  bool room = true;
                  for (int d = 0; d < n; d++)
                    room = room
                           && sizes[s][d] + 2 * begin > (kernels[k][d] - 1) * dilation;
                  if (room)
                    check (conv_of (n, sizes[s], kernels[k], stride, dilation, begin,
                                    group));
                }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (!open_library ())
    {
      g_print ("1..0 # SKIP skipped: " LIBRARY " is not here\n");
      return 0;
    }
  g_test_add_func ("/cuda/cudnn/shapes", test_shapes);
  return g_test_run ();
}
