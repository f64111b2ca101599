/* SPDX-License-Identifier: Apache-2.0
 * Differentiation of whole graphs: sums over several ways, ladders, long chains, limits.
 */
#include <math.h>
#include <string.h>

#include "exec/transform.h"
#include "graphs.h"

/* d (sum of TARGET) / dx at X by the graph's own nodes. */
static double
derivative (KetteGraph *graph, KetteValue *target, KetteValue *x, double at)
{
  GError *error = NULL;
  KetteValue *grad;

  g_assert_true (_kette_pass_check (graph, &error));
  g_assert_true (_kette_pass_infer (graph, &error));
  g_assert_true (_kette_pass_gradient (graph, target, NULL, &x, 1, &grad, &error));
  g_assert_no_error (error);
  g_assert_true (_kette_graph_add_output (graph, grad, NULL));

  g_autoptr (KetteSession) session = kette_session_new (graph, &error);
  g_autoptr (KetteTensor) in       = tensor_f64 (1, &at);
  KetteTensor *out[2]              = { NULL, NULL };
  g_assert_no_error (error);
  g_assert_true (kette_session_run (session, &in, out, NULL, &error));
  const double slope = _kette_tensor_get_double (out[graph->n_outputs - 1], 0);
  kette_tensor_unref (out[0]);
  kette_tensor_unref (out[1]);
  return slope;
}

static KetteValue *
scalar_input (KetteGraph *graph)
{
  const int64_t dims[] = { 1 };

  return graph_input (graph, "x", KT_F64, 1, dims);
}

static void
test_several_uses (void)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *x                = scalar_input (graph);
  /* y = x x + x: two uses in one node, one in another */
  KetteValue *y = graph_node (graph, "", "Add", graph_node (graph, "", "Mul", x, x), x);

  g_assert_true (_kette_graph_add_output (graph, y, NULL));
  g_assert_cmpfloat_with_epsilon (derivative (graph, y, x, 3), 7, 1e-12);
}

/* 64 rungs of y <- sigmoid (y) - (-y), by two ways each: 2^64 paths from one end to the other, and
 * the derivative in one walk. */
static void
test_diamond_ladder (void)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *x = scalar_input (graph), *y = x;

  for (int i = 0; i < 64; i++)
    {
      KetteValue *left  = graph_node (graph, "", "Sigmoid", y, NULL);
      KetteValue *right = graph_node (graph, "", "Neg", y, NULL);
      y                 = graph_node (graph, "", "Sub", left, right);
    }
  g_assert_true (_kette_graph_add_output (graph, y, NULL));

  double v = 0.1, slope = 1;
  for (int i = 0; i < 64; i++)
    {
      const double s = 1 / (1 + exp (-v));
      slope *= s * (1 - s) + 1;
      v += s;
    }
  const double got = derivative (graph, y, x, 0.1);
  g_assert_cmpfloat_with_epsilon (got / slope, 1, 1e-9);
  g_assert_cmpuint (graph->n_nodes, <, 64 * 12);
}

/* 100,000 nodes: every walk is a loop, time and memory stay in proportion. */
static void
test_long_chain (void)
{
  enum
  {
    LENGTH = 100000
  };
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *x = scalar_input (graph), *y = x;
  const gint64 begin = g_get_monotonic_time ();

  for (int i = 0; i < LENGTH; i++)
    y = graph_node (graph, "", i % 2 ? "Neg" : "Identity", y, NULL);
  g_assert_true (_kette_graph_add_output (graph, y, NULL));
  g_assert_cmpfloat (derivative (graph, y, x, 2), ==, LENGTH / 2 % 2 ? -1 : 1);
  g_test_message ("%.2f s", (double) (g_get_monotonic_time () - begin) / 1e6);
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 60 * G_USEC_PER_SEC);
}

/* A float input that no gradient can pass, on the way to a wanted value. */
static void
test_not_differentiable (void)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *x                = scalar_input (graph);
  KetteValue *y                = graph_node (graph, "", "Sigmoid", x, NULL);
  KetteValue *bits             = _kette_graph_add_value (graph, NULL, NULL);
  const kt_attr to             = { .name = "to", .kind = KT_A_INT, .i = KT_I64 };
  KetteValue *grad;
  GError *error = NULL;

  /* through integers the gradient stops, silently and rightly: it is zero */
  g_assert_nonnull (
      _kette_graph_add_node (graph, "", "", "Cast", 18, &y, 1, &bits, 1, &to, 1, NULL));
  KetteValue *back    = _kette_graph_add_value (graph, NULL, NULL);
  const kt_attr again = { .name = "to", .kind = KT_A_INT, .i = KT_F64 };
  g_assert_nonnull (_kette_graph_add_node (graph, "", "", "Cast", 18, &bits, 1, &back, 1,
                                           &again, 1, NULL));
  g_assert_true (_kette_graph_add_output (graph, back, NULL));
  g_assert_true (_kette_pass_check (graph, &error) && _kette_pass_infer (graph, &error));
  g_assert_true (_kette_pass_gradient (graph, back, NULL, &x, 1, &grad, &error));
  g_assert_no_error (error);

  /* an integer target has no derivative at all */
  g_assert_false (_kette_pass_gradient (graph, bits, NULL, &x, 1, &grad, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_TYPE);
  g_clear_error (&error);
}

/* The gradient of a gradient: d2/dx2 of x^3 = 6 x. */
static void
test_second_order (void)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *x                = scalar_input (graph);
  KetteValue *y = graph_node (graph, "", "Mul", graph_node (graph, "", "Mul", x, x), x);
  KetteValue *first;
  GError *error = NULL;

  g_assert_true (_kette_pass_check (graph, &error) && _kette_pass_infer (graph, &error));
  g_assert_true (_kette_pass_gradient (graph, y, NULL, &x, 1, &first, &error));
  g_assert_no_error (error);
  g_assert_true (_kette_graph_add_output (graph, first, NULL));
  g_assert_cmpfloat_with_epsilon (derivative (graph, first, x, 2), 12, 1e-12);
}

/* Second order through a fused operator of domain kette: by its body. */
static void
test_second_order_fused (void)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *x                = scalar_input (graph);
  KetteValue *y                = graph_node (graph, "", "Sigmoid", x, NULL);
  KetteValue *first;
  GError *error  = NULL;
  const double s = 1 / (1 + exp (-0.7));

  g_assert_true (_kette_pass_check (graph, &error) && _kette_pass_infer (graph, &error));
  g_assert_true (_kette_pass_gradient (graph, y, NULL, &x, 1, &first, &error));
  g_assert_true (_kette_graph_add_output (graph, first, NULL));
  g_assert_cmpfloat_with_epsilon (derivative (graph, first, x, 0.7),
                                  s * (1 - s) * (1 - 2 * s), 1e-12);
}

/* What cannot be done leaves the graph as it was, and what can be done can be done then. */
static void
test_refused (void)
{
  const int64_t two[]          = { 2 };
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *x                = graph_input (graph, "x", KT_F64, 1, two);
  KetteValue *h                = graph_node (graph, "", "Sigmoid", x, NULL);
  KetteValue *y;
  size_t nodes, values;
  GError *error = NULL;

  y = graph_node (graph, "", "Gather", h, graph_input (graph, "i", KT_I64, 1, two));
  g_assert_true (_kette_graph_add_output (graph, y, NULL));
  nodes  = graph->n_nodes;
  values = graph->n_values;
  g_assert_false (kette_graph_add_gradients (graph, NULL, (const char *[]){ "z", NULL },
                                             (KetteGradientFlags) 0, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_cmpuint (graph->n_nodes, ==, nodes);
  g_assert_cmpuint (graph->n_values, ==, values);
  g_assert_cmpuint (graph->n_outputs, ==, 1);
  g_assert_true (kette_graph_add_gradients (graph, NULL, (const char *[]){ "x", NULL },
                                            (KetteGradientFlags) 0, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (graph->n_outputs, ==, 2);
}

/* Where several inputs are the largest or the smallest they share: of x and x^2 at 1 the
 * slopes 1 and 2 count half each. */
static void
test_shared (void)
{
  static const char *const ops[] = { "Max", "Min" };

  for (int i = 0; i < 2; i++)
    {
      g_autoptr (KetteGraph) graph = graph_new (18);
      KetteValue *x                = scalar_input (graph);
      KetteValue *y
          = graph_node (graph, "", ops[i], x, graph_node (graph, "", "Mul", x, x));

      g_assert_true (_kette_graph_add_output (graph, y, NULL));
      g_assert_cmpfloat_with_epsilon (derivative (graph, y, x, 1), 1.5, 1e-12);
    }
}

/* ONNX's Gradient names what it differentiates, which nobody else needs to read: that stays when
 * another node, of a superseded form, is replaced. */
static void
test_only_named (void)
{
  const kt_str xs            = { "x", 1 };
  const kt_attr attrs[]      = { { .name = "xs", .kind = KT_A_STRINGS, .v = &xs, .n = 1 },
                                 { .name = "y", .kind = KT_A_STRING, .v = "y", .n = 1 } };
  static const char domain[] = "ai.onnx.preview.training";
  g_autoptr (KetteGraph) graph = graph_new (13);
  KetteValue *x                = scalar_input (graph);
  KetteValue *const twice[]    = { x, x };
  KetteValue *y                = _kette_graph_add_value (graph, "y", NULL),
             *most             = _kette_graph_add_value (graph, "most", NULL),
             *grad             = _kette_graph_add_value (graph, "grad", NULL);
  KetteTensor *out[2]          = { NULL, NULL };
  const double at              = 3;
  GError *error                = NULL;

  g_assert_true (_kette_model_set_opset (graph->model, domain, 1, NULL));
  _kette_graph_add_node (graph, "", "", "Mul", 13, twice, 2, &y, 1, NULL, 0, &error);
  _kette_graph_add_node (graph, "", "", "ReduceMax", 13, &x, 1, &most, 1, NULL, 0,
                         &error);
  _kette_graph_add_node (graph, "", domain, "Gradient", 1, &x, 1, &grad, 1, attrs, 2,
                         &error);
  g_assert_no_error (error);
  g_assert_true (_kette_graph_add_output (graph, most, NULL));
  g_assert_true (_kette_graph_add_output (graph, grad, NULL));

  g_autoptr (KetteSession) session = kette_session_new (graph, &error);
  g_autoptr (KetteTensor) in       = tensor_f64 (1, &at);
  g_assert_no_error (error);
  g_assert_true (kette_session_run (session, &in, out, NULL, &error));
  g_assert_cmpfloat (_kette_tensor_get_double (out[0], 0), ==, 3);
  g_assert_cmpfloat (_kette_tensor_get_double (out[1], 0), ==, 6);
  kette_tensor_unref (out[0]);
  kette_tensor_unref (out[1]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/gradient/several-uses", test_several_uses);
  g_test_add_func ("/gradient/diamond-ladder", test_diamond_ladder);
  g_test_add_func ("/gradient/long-chain", test_long_chain);
  g_test_add_func ("/gradient/not-differentiable", test_not_differentiable);
  g_test_add_func ("/gradient/second-order", test_second_order);
  g_test_add_func ("/gradient/second-order-fused", test_second_order_fused);
  g_test_add_func ("/gradient/only-named", test_only_named);
  g_test_add_func ("/gradient/refused", test_refused);
  g_test_add_func ("/gradient/shared", test_shared);
  return g_test_run ();
}
