/* SPDX-License-Identifier: Apache-2.0
 *
 * test-blocks.c: the CUDA plugin's memory in blocks: cutting, merging, reuse, running out.
 */
#include "pool.h"
#include <glib.h>
#include <stdint.h>

typedef struct
{
  size_t left; /* that may still be had */
  int n_got, n_put;
} Source;

static bool
get (void *user, size_t bytes, void **memory)
{
  Source *s = user;

  if (bytes > s->left)
    return false;
  s->left -= bytes;
  s->n_got++;
  *memory             = g_malloc (bytes);
  *(size_t *) *memory = bytes;
  return true;
}

static void
put (void *user, void *memory)
{
  Source *s = user;

  s->n_put++;
  g_free (memory);
}

static void
test_reuse (void)
{
  Source s    = { .left = 1 << 30 };
  CuPool pool = { .get = get, .put = put, .user = &s };
  uint8_t *a = cu_pool_take (&pool, 1000), *b = cu_pool_take (&pool, 1),
          *c = cu_pool_take (&pool, 5000);

  g_assert_cmpint (s.n_got, ==, 1);
  g_assert_cmpuint ((uintptr_t) (b - a), ==, 1024);
  g_assert_cmpuint ((uintptr_t) (c - b), ==, CU_UNIT);
  g_assert_cmpuint (pool.used, ==, 1024 + 256 + 5120);
  g_assert_true (cu_pool_give (&pool, b));
  g_assert_false (cu_pool_give (&pool, b));
  g_assert_false (cu_pool_give (&pool, &s));
  g_assert_true (cu_pool_take (&pool, 200) == b); /* the smallest that fits */
  g_assert_true (cu_pool_give (&pool, a));
  g_assert_true (cu_pool_give (&pool, b)); /* a and b are one block again */
  g_assert_true (cu_pool_take (&pool, 1280) == a);
  g_assert_true (cu_pool_give (&pool, a));
  g_assert_true (cu_pool_give (&pool, c));
  g_assert_cmpuint (pool.used, ==, 0);
  g_assert_true (cu_pool_take (&pool, CU_SEGMENT) == a); /* the whole segment */
  g_assert_cmpint (s.n_got, ==, 1);
  cu_pool_clear (&pool);
  g_assert_cmpint (s.n_put, ==, 1);
}

static void
test_large (void)
{
  Source s    = { .left = 1 << 30 };
  CuPool pool = { .get = get, .put = put, .user = &s };
  void *large = cu_pool_take (&pool, 5 * (size_t) CU_SEGMENT + 1);

  g_assert_cmpuint (pool.held, ==, 6 * (size_t) CU_SEGMENT);
  g_assert_true (cu_pool_give (&pool, large));
  /* A small piece does not cut the large one up. */
  void *small = cu_pool_take (&pool, 100);
  g_assert_true (cu_pool_take (&pool, 5 * (size_t) CU_SEGMENT + 1) == large);
  g_assert_cmpint (s.n_got, ==, 2);
  g_assert_true (cu_pool_give (&pool, small));
  g_assert_true (cu_pool_give (&pool, large));
  cu_pool_trim (&pool);
  g_assert_cmpint (s.n_put, ==, 2);
  g_assert_cmpuint (pool.held, ==, 0);
  g_assert_null (pool.first);
}

static void
test_out_of_memory (void)
{
  Source s    = { .left = 8 * (size_t) CU_SEGMENT };
  CuPool pool = { .get = get, .put = put, .user = &s };
  void *a     = cu_pool_take (&pool, 4 * (size_t) CU_SEGMENT);
  void *b     = cu_pool_take (&pool, 4 * (size_t) CU_SEGMENT);

  g_assert_null (cu_pool_take (&pool, 1));
  g_assert_null (cu_pool_take (&pool, 0));
  g_assert_null (cu_pool_take (&pool, SIZE_MAX));
  g_assert_null (cu_pool_take (&pool, SIZE_MAX - CU_UNIT + 1));
  g_assert_true (cu_pool_give (&pool, a));
  /* What is free goes back before it is said that there is no memory. */
  s.left = 0;
  g_assert_null (cu_pool_take (&pool, 5 * (size_t) CU_SEGMENT));
  g_assert_cmpint (s.n_put, ==, 1);
  g_assert_true (cu_pool_give (&pool, b));
  g_assert_true (cu_pool_take (&pool, 3 * (size_t) CU_SEGMENT) == b);
  cu_pool_clear (&pool);
  g_assert_cmpint (s.n_put, ==, 2);
}

/* Pieces at random: none overlaps another, and at the end all is one again. */
static void
test_random (void)
{
  enum
  {
    MOST = 64
  };
  Source s           = { .left = 1 << 28 };
  CuPool pool        = { .get = get, .put = put, .user = &s };
  uint8_t *at[MOST]  = { NULL };
  size_t bytes[MOST] = { 0 };
  GRand *random      = g_rand_new_with_seed (7);

  for (int round = 0; round < 4000; round++)
    {
      const int i = g_rand_int_range (random, 0, MOST);
      if (at[i])
        {
          g_assert_true (cu_pool_give (&pool, at[i]));
          at[i] = NULL;
          continue;
        }
      bytes[i]
          = (size_t) g_rand_int_range (random, 1, 1 << g_rand_int_range (random, 1, 20));
      at[i] = cu_pool_take (&pool, bytes[i]);
      g_assert_nonnull (at[i]);
      for (int j = 0; j < MOST; j++)
        g_assert_true (j == i || !at[j] || at[j] + bytes[j] <= at[i]
                       || at[i] + bytes[i] <= at[j]);
    }
  for (int i = 0; i < MOST; i++)
    if (at[i])
      g_assert_true (cu_pool_give (&pool, at[i]));
  g_assert_cmpuint (pool.used, ==, 0);
  cu_pool_trim (&pool);
  g_assert_null (pool.first);
  g_assert_cmpint (s.n_got, ==, s.n_put);
  g_rand_free (random);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cuda/blocks/reuse", test_reuse);
  g_test_add_func ("/cuda/blocks/large", test_large);
  g_test_add_func ("/cuda/blocks/out-of-memory", test_out_of_memory);
  g_test_add_func ("/cuda/blocks/random", test_random);
  return g_test_run ();
}
