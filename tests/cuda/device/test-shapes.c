/* SPDX-License-Identifier: Apache-2.0
 *
 * test-shapes.c: what the CUDA plugin decides by shapes alone: which C a product takes as it is,
 * how batches are cut, which windows cuDNN can describe, how sums are cut into parts.
 */
#include "dnn.h"
#include "geometry.h"
#include "product.h"
#include <glib.h>

static void
test_addend (void)
{
  Product p = { .m = 4, .n = 6, .k = 3, .beta = 1 };

  g_assert_cmpint (cu_addend_of (&p, true), ==, CU_NO_C);
  p.has_c = true, p.c_col = 1; /* a row */
  g_assert_cmpint (cu_addend_of (&p, true), ==, CU_BIAS);
  g_assert_cmpint (cu_addend_of (&p, false), ==, CU_SPREAD);
  p.beta = 2;
  g_assert_cmpint (cu_addend_of (&p, true), ==, CU_SPREAD);
  p.c_row = 6; /* a matrix */
  g_assert_cmpint (cu_addend_of (&p, true), ==, CU_WHOLE);
  p.beta = 0; /* 0 times NaN is NaN */
  g_assert_cmpint (cu_addend_of (&p, true), ==, CU_SPREAD);
  p.beta = 1, p.c_row = 1, p.c_col = 0; /* a column */
  g_assert_cmpint (cu_addend_of (&p, true), ==, CU_SPREAD);
  p.n = 1;
  g_assert_cmpint (cu_addend_of (&p, true), ==, CU_WHOLE);
  p.n = 6, p.c_row = p.c_col = 0; /* a number */
  g_assert_cmpint (cu_addend_of (&p, true), ==, CU_SPREAD);
  p.c_col = 1, p.k = 0; /* nothing is multiplied: C alone */
  g_assert_cmpint (cu_addend_of (&p, true), ==, CU_SPREAD);
  p.k = 3, p.m = 1, p.c_row = 0, p.beta = 2; /* a row is all of Y */
  g_assert_cmpint (cu_addend_of (&p, true), ==, CU_WHOLE);
}

static void
test_batch (void)
{
  Product p = { .m = 2, .n = 2, .k = 2 };
  int64_t a, b;

  g_assert_cmpint (cu_batch_of (&p).count, ==, 1);
  g_assert_cmpint (cu_batch_of (&p).calls, ==, 1);
  p.n_dims  = 3;
  p.dims[0] = 2, p.dims[1] = 3, p.dims[2] = 5;
  p.a_step[0] = 0, p.a_step[1] = 100, p.a_step[2] = 4;
  p.b_step[0] = 7, p.b_step[1] = 0, p.b_step[2] = 1;
  g_assert_cmpint (cu_batch_of (&p).count, ==, 5);
  g_assert_cmpint (cu_batch_of (&p).calls, ==, 6);
  g_assert_cmpint (cu_batch_of (&p).a_step, ==, 4);
  g_assert_cmpint (cu_batch_of (&p).b_step, ==, 1);
  cu_batch_at (&p, 0, &a, &b);
  g_assert_true (a == 0 && b == 0);
  cu_batch_at (&p, 4, &a, &b); /* 1, 1 */
  g_assert_true (a == 100 && b == 7);
  cu_batch_at (&p, 5, &a, &b);
  g_assert_true (a == 200 && b == 7);
  g_assert_false (cu_product_is_empty (&p));
  p.dims[0] = 0;
  g_assert_true (cu_product_is_empty (&p));
}

static CuConv
conv_of (int64_t large, int64_t small, int32_t kernel, int32_t stride, int32_t begin)
{
  kt_window w = { .n = 2 };
  CuConv p    = { .batch = 1, .group = 1, .m = 8, .c = 8 };

  for (int d = 0; d < 2; d++)
    {
      w.large[d] = large, w.small[d] = small, w.kernel[d] = kernel;
      w.stride[d] = stride, w.dilation[d] = 1, w.begin[d] = w.end[d] = begin;
    }
  g_assert_true (cu_geometry (&w, &p.g));
  g_assert_cmpint (p.g.large_area, ==, large * large);
  g_assert_cmpint (p.g.cells, ==, kernel * kernel);
  return p;
}

static void
test_fits (void)
{
  CuConv p = conv_of (56, 56, 3, 1, 1);

  g_assert_true (cu_dnn_fits (&p));
  p = conv_of (224, 112, 7, 2, 3);
  g_assert_true (cu_dnn_fits (&p));
  p = conv_of (224, 112, 3, 2, 0); /* SAME_UPPER: 0 before, 1 behind */
  g_assert_false (cu_dnn_fits (&p));
  p = conv_of (5, 7, 3, 1, 2);
  g_assert_true (cu_dnn_fits (&p));
  p = conv_of (5, 6, 3, 1, 2); /* 2 before, 1 behind */
  g_assert_false (cu_dnn_fits (&p));
  p       = conv_of (5, 3, 3, 1, 0);
  p.batch = 0;
  g_assert_false (cu_dnn_fits (&p));
}

static void
test_geometry (void)
{
  kt_window w = { .n = 4 };
  CuGeometry g;

  g_assert_false (cu_geometry (&w, &g));
  w = (kt_window){ .n        = 1,
                   .kernel   = { 3 },
                   .stride   = { 2 },
                   .dilation = { 1 },
                   .begin    = { -1 },
                   .large    = { 9 },
                   .small    = { 4 } };
  g_assert_true (cu_geometry (&w, &g));
  g_assert_true (g.large[0] == 1 && g.large[1] == 1 && g.large[2] == 9);
  g_assert_true (g.kernel[2] == 3 && g.begin[2] == -1 && g.stride[0] == 1);
  w.stride[0] = (int64_t) 1 << 40;
  g_assert_false (cu_geometry (&w, &g));
}

static void
test_parts (void)
{
  /* Weights of 64 x 576 from 64 images of 56 x 56: few tiles, a long sum. */
  g_assert_cmpint (cu_conv_parts (64, 576, 1, 64 * 56 * 56), ==, 56);
  g_assert_cmpint (cu_conv_parts (64, 576, 1, 300), ==, 1);
  g_assert_cmpint (cu_conv_parts (2048, 4608, 1, 1 << 20), ==, 1);
  g_assert_cmpint (cu_conv_parts (0, 9, 1, 100), ==, 1);
  g_assert_cmpint (cu_conv_parts (1, 9, 512, 1 << 20), ==, 1);
  g_assert_cmpint (cu_norm_pieces (64, 100), ==, 1);
  g_assert_cmpint (cu_norm_pieces (64, 64 * 56 * 56), ==, 16);
  g_assert_cmpint (cu_norm_pieces (0, 0), ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cuda/shapes/addend", test_addend);
  g_test_add_func ("/cuda/shapes/batch", test_batch);
  g_test_add_func ("/cuda/shapes/fits", test_fits);
  g_test_add_func ("/cuda/shapes/geometry", test_geometry);
  g_test_add_func ("/cuda/shapes/parts", test_parts);
  return g_test_run ();
}
