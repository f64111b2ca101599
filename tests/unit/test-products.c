/* SPDX-License-Identifier: Apache-2.0
 * Matrix products of sizes that are cut into tiles: right numbers, the same bits for any
 * number of threads, and right ones when several sessions compute at once.
 */
#include <math.h>
#include <string.h>

#include "base/pool.h"
#include "exec/session-private.h"
#include "graphs.h"

typedef struct
{
  const char *name;
  int rank_a, rank_b, dtype;
  int64_t a[3], b[3];
} Shape;

static const Shape shapes[] = {
  { "small", 2, 2, KT_F32, { 10, 784 }, { 784, 30 } },
  { "two tiles", 2, 2, KT_F32, { 64, 784 }, { 784, 128 } },
  { "many tiles", 2, 2, KT_F32, { 200, 500 }, { 500, 700 } },
  { "odd", 2, 2, KT_F64, { 131, 257 }, { 257, 197 } },
  { "tall", 2, 2, KT_F32, { 3001, 100 }, { 100, 17 } },
  { "flat", 2, 2, KT_F64, { 3, 700 }, { 700, 2011 } },
  { "deep", 2, 2, KT_F32, { 5, 40000 }, { 40000, 33 } },
  { "row", 2, 2, KT_F32, { 1, 2000 }, { 2000, 3000 } },
  { "column", 2, 2, KT_F64, { 3000, 2000 }, { 2000, 1 } },
  { "batch", 3, 3, KT_F32, { 70, 40, 50 }, { 70, 50, 40 } },
  { "vector and batch", 1, 3, KT_F64, { 600 }, { 9, 600, 500 } },
};

static KetteTensor *
random_tensor (int dtype, int rank, const int64_t *dims, uint32_t *state)
{
  KetteTensor *t = kette_tensor_new (dtype, dims, (guint) rank, NULL);

  g_assert_nonnull (t);
  for (size_t i = 0; i < t->count; i++)
    {
      *state = *state * 1664525 + 1013904223;
      _kette_tensor_set_double (t, i, (double) (*state >> 16) / 32768 - 1);
    }
  return t;
}

static KetteSession *
product_session (const Shape *s, const char *op)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *a                = graph_input (graph, "a", s->dtype, s->rank_a, s->a);
  KetteValue *b                = graph_input (graph, "b", s->dtype, s->rank_b, s->b);
  GError *error                = NULL;

  g_assert_true (_kette_graph_add_output (graph, graph_node (graph, "", op, a, b), NULL));
  KetteSession *session = kette_session_new (graph, &error);
  g_assert_no_error (error);
  return session;
}

static KetteTensor *
product (KetteSession *session, KetteTensor *a, KetteTensor *b)
{
  KetteTensor *y = NULL;
  GError *error  = NULL;

  g_assert_true (
      kette_session_run (session, (KetteTensor *[]){ a, b }, &y, NULL, &error));
  g_assert_no_error (error);
  return y;
}

/* Some elements of y against sums in double. */
static void
check_numbers (const Shape *s, const KetteTensor *a, const KetteTensor *b,
               const KetteTensor *y)
{
  const int64_t k = s->a[s->rank_a - 1], n = s->b[s->rank_b - 1];
  const int64_t m = s->rank_a > 1 ? s->a[s->rank_a - 2] : 1;

  g_assert_cmpint (k, ==, s->b[s->rank_b - 2]);
  for (size_t i = 0; i < y->count; i += 1 + y->count / 997)
    {
      const int64_t batch = (int64_t) i / (m * n), row = (int64_t) i / n % m;
      const int64_t from_a = (s->rank_a == 3 ? batch * m * k : 0) + row * k;
      const int64_t from_b = (s->rank_b == 3 ? batch * k * n : 0) + (int64_t) i % n;
      double sum = 0, size = 0;
      for (int64_t q = 0; q < k; q++)
        {
          const double p = _kette_tensor_get_double (a, (size_t) (from_a + q))
                           * _kette_tensor_get_double (b, (size_t) (from_b + q * n));
          sum += p;
          size += fabs (p);
        }
      g_assert_cmpfloat (fabs (_kette_tensor_get_double (y, i) - sum), <=,
                         (s->dtype == KT_F32 ? 1e-6 : 1e-14) * size);
    }
}

static void
test_shape (gconstpointer data)
{
  static const int threads[]   = { 1, 2, 3, 8 };
  const Shape *s               = data;
  uint32_t state               = 1;
  g_autoptr (KetteTensor) a    = random_tensor (s->dtype, s->rank_a, s->a, &state);
  g_autoptr (KetteTensor) b    = random_tensor (s->dtype, s->rank_b, s->b, &state);
  g_autoptr (KetteTensor) once = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    {
      _kette_pool_set_threads (threads[i]);
      g_autoptr (KetteSession) session = product_session (s, "MatMul");
      g_autoptr (KetteTensor) y        = product (session, a, b);
      if (!once)
        {
          check_numbers (s, a, b, y);
          once = kette_tensor_ref (y);
        }
      g_assert_cmpmem (y->data, y->bytes, once->data, once->bytes);
    }
}

/* What follows a product: a row is added, or the product to a matrix by kette.SGD. */
static KetteSession *
followed_session (const Shape *s, gboolean descent, gboolean fused, KettePlanInfo *info)
{
  const int64_t m = s->a[0], n = s->b[1], dims[][2] = { { m, n }, { n, 0 }, { 1, 0 } };
  const kt_type types[]
      = { { .kind = KT_TENSOR, .dtype = s->dtype, .ndim = 2, .dims = s->a },
          { .kind = KT_TENSOR, .dtype = s->dtype, .ndim = 2, .dims = s->b },
          { .kind  = KT_TENSOR,
            .dtype = s->dtype,
            .ndim  = descent ? 2 : 1,
            .dims  = dims[descent ? 0 : 1] },
          { .kind = KT_TENSOR, .dtype = s->dtype, .ndim = 0, .dims = dims[2] } };
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *a                = graph_input (graph, "a", s->dtype, 2, s->a);
  KetteValue *b                = graph_input (graph, "b", s->dtype, 2, s->b);
  KetteValue *x    = graph_input (graph, "x", s->dtype, types[2].ndim, types[2].dims);
  KetteValue *rate = graph_input (graph, "rate", s->dtype, 0, dims[2]);
  KetteValue *y    = graph_node (graph, "", "MatMul", a, b);
  GError *error    = NULL;

  if (descent)
    {
      KetteValue *out = _kette_graph_add_value (graph, NULL, NULL);
      g_assert_nonnull (_kette_graph_add_node (graph, "", "kette", "SGD", 1,
                                               (KetteValue *[]){ rate, x, y }, 3, &out, 1,
                                               NULL, 0, &error));
      y = out;
    }
  else
    y = graph_node (graph, "", "Relu", graph_node (graph, "", "Add", y, x), NULL);
  g_assert_true (_kette_graph_add_output (graph, y, NULL));
  KetteSession *session = kette_session_new_with_flags (
      graph, fused ? (KetteSessionFlags) 0 : KETTE_SESSION_NO_FUSION, &error);
  g_assert_no_error (error);
  g_assert_true (_kette_session_plan_info (session, types, info, &error));
  return session;
}

/* Taken over by the product or not, with any number of threads: the same bits. */
static void
test_followers (void)
{
  static const Shape sizes[] = { { "", 2, 2, KT_F32, { 10, 784 }, { 784, 30 } },
                                 { "", 2, 2, KT_F64, { 61, 20 }, { 20, 37 } },
                                 { "", 2, 2, KT_F32, { 300, 250 }, { 250, 512 } },
                                 { "", 2, 2, KT_F32, { 150, 900 }, { 900, 256 } } };
  guint absorbed             = 0;

  for (size_t i = 0; i < 4 * G_N_ELEMENTS (sizes); i++)
    {
      const Shape *s               = &sizes[i / 4];
      const gboolean descent       = i & 1;
      const int64_t dims[]         = { s->a[0], s->b[1] };
      uint32_t state               = 5;
      g_autoptr (KetteTensor) a    = random_tensor (s->dtype, 2, s->a, &state);
      g_autoptr (KetteTensor) b    = random_tensor (s->dtype, 2, s->b, &state);
      g_autoptr (KetteTensor) rate = random_tensor (s->dtype, 0, NULL, &state);
      g_autoptr (KetteTensor) x
          = random_tensor (s->dtype, descent ? 2 : 1, dims + !descent, &state);
      g_autoptr (KetteTensor) fused = NULL, plain = NULL;
      GError *error = NULL;
      KettePlanInfo info;

      _kette_pool_set_threads (i & 2 ? 3 : 1);
      g_autoptr (KetteSession) one = followed_session (s, descent, TRUE, &info);
      absorbed += (guint) info.n_absorbed;
      g_autoptr (KetteSession) two = followed_session (s, descent, FALSE, &info);
      g_assert_cmpuint (info.n_absorbed, ==, 0);
      kette_session_run (one, (KetteTensor *[]){ a, b, x, rate }, &fused, NULL, &error);
      g_assert_no_error (error);
      kette_session_run (two, (KetteTensor *[]){ a, b, x, rate }, &plain, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpmem (fused->data, fused->bytes, plain->data, plain->bytes);
    }
  if (!g_getenv ("KETTE_VECTORS")
#if defined(__x86_64__)
      && __builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma")
#else
      && FALSE
#endif
  )
    g_assert_cmpuint (absorbed, >=, 4);
}

/* MatMul and Relu; B a constant where TENSOR is given. */
static KetteSession *
relu_session (const Shape *s, KetteTensor *tensor, gboolean fused)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *a                = graph_input (graph, "a", s->dtype, s->rank_a, s->a);
  KetteValue *b = tensor ? _kette_graph_add_constant (graph, NULL, tensor, NULL)
                         : graph_input (graph, "b", s->dtype, s->rank_b, s->b);
  GError *error = NULL;
  KetteValue *y
      = graph_node (graph, "", "Relu", graph_node (graph, "", "MatMul", a, b), NULL);

  g_assert_true (_kette_graph_add_output (graph, y, NULL));
  KetteSession *session = kette_session_new_with_flags (
      graph, fused ? (KetteSessionFlags) 0 : KETTE_SESSION_NO_FUSION, &error);
  g_assert_no_error (error);
  return session;
}

/* A product that takes over the Relu behind it gives the bits of the two nodes, NaN and the sign
 * of zeros included. */
static void
test_relu (gconstpointer data)
{
  const Shape *s            = data;
  uint32_t state            = 9;
  g_autoptr (KetteTensor) a = random_tensor (s->dtype, s->rank_a, s->a, &state);
  g_autoptr (KetteTensor) b = random_tensor (s->dtype, s->rank_b, s->b, &state);
  const size_t k            = (size_t) s->a[s->rank_a - 1];

  _kette_tensor_set_double (s->b[s->rank_b - 1] > 1 ? b : a, 0,
                            NAN);                     /* a column or a row */
  for (size_t i = 0; i < k && a->count >= 2 * k; i++) /* a row of zeros with a sign */
    _kette_tensor_set_double (a, k + i, -0.0);
  for (int constant = 0; constant < 2; constant++)
    {
      KetteTensor *const known         = constant ? b : NULL;
      g_autoptr (KetteSession) one     = relu_session (s, known, TRUE);
      g_autoptr (KetteSession) two     = relu_session (s, known, FALSE);
      g_autoptr (KetteTensor) together = product (one, a, constant ? NULL : b);
      g_autoptr (KetteTensor) apart    = product (two, a, constant ? NULL : b);
      size_t zeros = 0, nans = 0;
      g_assert_cmpmem (together->data, together->bytes, apart->data, apart->bytes);
      for (size_t i = 0; i < together->count; i++)
        {
          const double y = _kette_tensor_get_double (together, i);
          zeros += y == 0;
          nans += isnan (y);
          g_assert_false (y < 0);
        }
      g_assert_cmpuint (zeros, >, 0);
      g_assert_cmpuint (nans, >, 0);
    }
}

typedef struct
{
  KetteTensor *a, *b, *expected;
  KetteSession *session;
} Job;

static gpointer
compute_often (gpointer data)
{
  const Job *job = data;
  size_t wrong   = 0;

  for (int i = 0; i < 2000; i++)
    {
      g_autoptr (KetteTensor) y = product (job->session, job->a, job->b);
      wrong += memcmp (y->data, job->expected->data, y->bytes) != 0;
    }
  return GSIZE_TO_POINTER (wrong);
}

/* Threads of the program's own, each with a session, and all at one session. */
static void
test_at_once (void)
{
  static const Shape s = { "", 2, 2, KT_F32, { 100, 130 }, { 130, 120 } };
  GThread *threads[8];
  Job jobs[8];
  uint32_t state = 7;

  _kette_pool_set_threads (2);
  for (size_t i = 0; i < G_N_ELEMENTS (jobs); i++)
    {
      jobs[i].a        = random_tensor (s.dtype, 2, s.a, &state);
      jobs[i].b        = random_tensor (s.dtype, 2, s.b, &state);
      jobs[i].session  = i % 2 ? kette_session_ref (jobs[0].session)
                               : product_session (&s, i % 4 ? "Gemm" : "MatMul");
      jobs[i].expected = product (jobs[i].session, jobs[i].a, jobs[i].b);
    }
  for (size_t i = 0; i < G_N_ELEMENTS (jobs); i++)
    threads[i] = g_thread_new ("product", compute_often, &jobs[i]);
  for (size_t i = 0; i < G_N_ELEMENTS (jobs); i++)
    {
      g_assert_cmpuint (GPOINTER_TO_SIZE (g_thread_join (threads[i])), ==, 0);
      kette_tensor_unref (jobs[i].a);
      kette_tensor_unref (jobs[i].b);
      kette_tensor_unref (jobs[i].expected);
      kette_session_unref (jobs[i].session);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (shapes); i++)
    {
      g_autofree char *path = g_strdup_printf ("/products/%s", shapes[i].name);
      g_autofree char *relu = g_strconcat (path, "/relu", NULL);
      g_test_add_data_func (path, &shapes[i], test_shape);
      g_test_add_data_func (relu, &shapes[i], test_relu);
    }
  g_test_add_func ("/products/followers", test_followers);
  g_test_add_func ("/products/at once", test_at_once);
  return g_test_run ();
}
