/* SPDX-License-Identifier: Apache-2.0
 *
 * test-cublas.c: descriptors of products, given to the real cuBLASLt, which makes them without a
 * card: it takes sizes, types and attributes as they are. Skipped where it is not.
 */
#include "../../../plugins/cuda/lt.c"
#include <dlfcn.h>
#include <glib.h>

#define TEXT(x) TEXT_OF (x)
#define TEXT_OF(x) #x
#define LIBRARY "libcublasLt.so." TEXT (CUBLAS_VER_MAJOR)

Lt lt;

cublasLtHandle_t
lt_handle (CuDevice *d)
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
#define FILL(NAME) *(void **) &lt.NAME = dlsym (library, "cublasLt" #NAME);
  LT_CALLS (FILL)
#define THERE(NAME) g_assert_nonnull (lt.NAME);
  LT_CALLS (THERE)
  return true;
}

static void
test_describe (void)
{
  static const int dtypes[] = { KT_F32, KT_F64, KT_F16, KT_BF16 };

  for (size_t k = 0; k < G_N_ELEMENTS (dtypes); k++)
    for (int turns = 0; turns < 4; turns++)
      for (int round = KT_ROUND_NONE; round <= KT_ROUND_BF16; round++)
        for (int64_t count = 1; count <= 5; count += 4)
          {
            Product p = { .m = 3, .n = 5, .k = 7, .has_c = true, .c_col = 1, .beta = 1 };
            const CuBatch b = { .count = count, .calls = 1, .a_step = 21, .b_step = 35 };
            CuLt l          = { .addend = CU_BIAS };
            Types t;

            p.turn_a = turns & 1, p.turn_b = turns >> 1 & 1;
            p.lda = p.turn_a ? 3 : 7, p.ldb = p.turn_b ? 7 : 5;
            g_assert_true (types_of (dtypes[k], round, &t));
            g_assert_true (describe (&l, &p, &t, &b));
            l.addend = CU_NO_C;
            g_assert_true (describe (&l, &p, &t, &b));
          }
}

static void
test_types (void)
{
  Types t;

  g_assert_false (types_of (KT_I32, KT_ROUND_NONE, &t));
  g_assert_true (types_of (KT_F32, KT_ROUND_NONE, &t));
  g_assert_cmpint (t.compute, ==, CUBLAS_COMPUTE_32F);
  g_assert_true (types_of (KT_F32, KT_ROUND_TF32, &t));
  g_assert_cmpint (t.compute, ==, CUBLAS_COMPUTE_32F_FAST_TF32);
  g_assert_true (types_of (KT_F32, KT_ROUND_BF16, &t));
  g_assert_cmpint (t.compute, ==, CUBLAS_COMPUTE_32F_FAST_16BF);
  g_assert_cmpint (t.scale, ==, CUDA_R_32F);
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
  g_test_add_func ("/cuda/cublas/describe", test_describe);
  g_test_add_func ("/cuda/cublas/types", test_types);
  return g_test_run ();
}
