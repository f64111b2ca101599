/* SPDX-License-Identifier: Apache-2.0
 * Nodes that a device refuses when their kernels are prepared are the CPU's, and that is said;
 * what is wrong stays an error.
 */
#include "../unit/graphs.h"
#include "exec/session-private.h"
#include <string.h>
#include <unistd.h>

static const float x_data[] = { 1.5f, -2.5f, 3, -1.25f, 7, 8 };

/* y = ... OPS[1] (OPS[0] (x)) */
static KetteGraph *
chain_of (const char *const *ops)
{
  const int64_t dims[] = { 6 };
  KetteGraph *graph    = graph_new (18);
  KetteValue *last     = graph_input (graph, "x", KT_F32, 1, dims);

  for (; *ops; ops++)
    last = graph_node (graph, "", *ops, last, NULL);
  g_assert_true (_kette_graph_add_output (graph, last, NULL));
  return graph;
}

static KetteTensor *
run_on (const char *const *ops, const char *device, const char *const *place, char **plan,
        GError **error)
{
  g_autoptr (KetteGraph) graph = chain_of (ops);
  const int64_t dims[]         = { 6 };
  g_autoptr (KetteTensor) x    = kette_tensor_new (KT_F32, dims, 1, NULL);
  g_autoptr (KetteSession) session
      = kette_session_new_on (graph, 0, device, place, error);
  KetteTensor *y = NULL;

  memcpy (x->data, x_data, sizeof x_data);
  for (int i = 0; session && i < 3; i++)
    {
      kette_tensor_unref (y);
      if (!kette_session_run (session, &x, &y, NULL, error))
        return NULL;
    }
  if (session && plan)
    *plan = kette_session_explain (session, &x, NULL, NULL);
  return y;
}

/* Runs OPS there, wants what the CPU has, and all of TEXTS, a list that ends with NULL. */
static void
check (const char *const *ops, const char *device, const char *const *place,
       const char *const *texts)
{
  GError *error                  = NULL;
  g_autofree char *plan          = NULL;
  g_autoptr (KetteTensor) wanted = run_on (ops, "cpu", NULL, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (KetteTensor) y = run_on (ops, device, place, &plan, &error);

  g_assert_no_error (error);
  g_assert_cmpmem (y->data, y->bytes, wanted->data, wanted->bytes);
  for (; *texts; texts++)
    if (!strstr (plan, *texts))
      g_error ("\"%s\" is not in\n%s", *texts, plan);
}

static void
test_one (void)
{
  const char *const ops[] = { "Neg", "Ceil", "Neg", NULL };
  const char *const texts[]
      = { "launch:0: 2 steps", "copies: 2 in, 2 out, 0 between devices",
          "cpu      kette-math.so    float32[6]  (fell back to the CPU: launch:0: not on "
          "such a day)",
          "on the cpu though asked for elsewhere:\nnode ", NULL };
  const char *const place[] = { "*=launch", NULL };

  check (ops, "launch", NULL, texts);
  check (ops, NULL, place, texts);
}

/* Several, some of them behind a product that asks who follows. */
static void
test_many (void)
{
  const char *const ops[]
      = { "Ceil", "Floor", "Ceil", "Floor", "Neg", "Ceil", "Ceil", NULL };
  const char *const texts[]
      = { "launch:0: 2 steps", "Floor+Neg", "copies: 2 in, 2 out, 0 between devices",
          "cpu: 4 steps", NULL };

  check (ops, "launch", NULL, texts);
}

/* Nothing is left for the device: the reason is told all the same. */
static void
test_all (void)
{
  const char *const ops[]   = { "Ceil", NULL };
  const char *const texts[] = { "copies: 0 in, 0 out, 0 between devices",
                                "(Ceil): fell back to the CPU: launch:0: not on", NULL };

  check (ops, "launch", NULL, texts);
}

/* A kernel that fails while its steps are recorded, and says why: they run the usual way. */
static void
test_recorded (void)
{
  const char *const ops[]   = { "Relu", "Relu", NULL };
  const char *const texts[] = { "launch:0: 2 steps", NULL };

  check (ops, "launch", NULL, texts);
}

/* A device that refuses says nothing about another one. */
static void
test_other (void)
{
  const char *const ops[]   = { "Neg", "Ceil", NULL };
  const char *const place[] = { "Ceil=guard", NULL };
  const char *const texts[] = { "guard:0: 1 steps", "launch:0: 1 steps", NULL };

  check (ops, "launch", place, texts);
}

static void
test_wrong (void)
{
  const char *const ops[]  = { "Neg", "Sign", "Ceil", NULL };
  g_autoptr (GError) error = NULL;

  g_assert_null (run_on (ops, "launch", NULL, NULL, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_VALUE);
  g_assert_nonnull (strstr (error->message, "(Sign): a wrong number"));
}

/* What prepare made is destroyed where the kernel is not taken after all. */
static void
test_destroyed (void)
{
  const char *const erf[] = { "Erf", NULL }, *const root[] = { "Sqrt", NULL };
  const char *const texts[] = { "fell back to the CPU: launch:0: of no use", NULL };
  g_autoptr (GError) error  = NULL;

  check (erf, "launch", NULL, texts);
  g_assert_nonnull (g_getenv ("LAUNCH_DESTROYED"));
  g_unsetenv ("LAUNCH_DESTROYED");
  g_assert_null (run_on (root, "launch", NULL, NULL, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_VALUE);
  g_assert_nonnull (g_getenv ("LAUNCH_DESTROYED"));
  g_unsetenv ("LAUNCH_DESTROYED");
}

/* Scratch memory is where memory is, also where each value has its own. */
static void
test_scratch (void)
{
  const char *const ops[] = { "Reciprocal", NULL };

  for (int i = 0; i < 2; i++)
    {
      GError *error             = NULL;
      g_autoptr (KetteTensor) y = run_on (ops, "launch", NULL, NULL, &error);
      g_assert_no_error (error);
      g_setenv ("LAUNCH_SEPARATE", "1", TRUE);
    }
  g_unsetenv ("LAUNCH_SEPARATE");
}

/* A device without what the plan itself puts behind its kernels. */
static void
test_stuck (void)
{
  const int64_t dims[]         = { 1, 8, 2, 2 };
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *x                = graph_input (graph, "x", KT_F32, 4, dims);
  g_autoptr (KetteTensor) in   = kette_tensor_new (KT_F32, dims, 4, NULL);
  g_autoptr (GError) error     = NULL;
  KetteTensor *y               = NULL;

  g_assert_true (
      _kette_graph_add_output (graph, graph_node (graph, "", "Softsign", x, NULL), NULL));
  alarm (60);
  g_autoptr (KetteSession) session
      = kette_session_new_on (graph, 0, "launch", NULL, &error);
  g_assert_false (session && kette_session_run (session, &in, &y, NULL, &error));
  alarm (0);
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_UNSUPPORTED);
  if (!strstr (error->message, "(Reorder): nothing else can do what its device refused "
                               "(launch:0: "))
    g_error ("%s", error->message);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  g_test_init (&argc, &argv, NULL);
  g_setenv ("KETTE_GUARD", "lazy", TRUE);
  kette_plugins_get (&error);
  g_assert_no_error (error);
  g_assert_true (kette_plugins_add_file (g_getenv ("KETTE_LAUNCH"), TRUE, &error));
  g_test_add_func ("/refuse/one", test_one);
  g_test_add_func ("/refuse/many", test_many);
  g_test_add_func ("/refuse/all", test_all);
  g_test_add_func ("/refuse/other", test_other);
  g_test_add_func ("/refuse/recorded", test_recorded);
  g_test_add_func ("/refuse/stuck", test_stuck);
  g_test_add_func ("/refuse/destroyed", test_destroyed);
  g_test_add_func ("/refuse/scratch", test_scratch);
  g_test_add_func ("/refuse/wrong", test_wrong);
  return g_test_run ();
}
