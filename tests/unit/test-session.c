/* SPDX-License-Identifier: Apache-2.0
 * Sessions: shapes found while running, plans by shape, memory, views, states, threads,
 * cancelling, wrong inputs.
 */
#include <string.h>
#include <unistd.h>

#include "graphs.h"

static KetteValue *
open_vector (KetteGraph *graph, const char *name, int dtype)
{
  const int64_t dims[] = { KT_DIM (0) };

  return graph_input (graph, name, dtype, 1, dims);
}

/* y = Reshape (x, Concat (a, b)): the shape is computed from contents fed at run time. */
static void
test_shape_from_contents (void)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *x = open_vector (graph, "x", KT_F64), *s = open_vector (graph, "s", KT_I64);
  KetteValue *t = graph_node (graph, "", "Mul", s, s); /* no rule passes contents on */
  KetteValue *reshaped       = graph_node (graph, "", "Reshape", x, t);
  KetteValue *y              = graph_node (graph, "", "Neg", reshaped, NULL);
  const double six[]         = { 1, 2, 3, 4, 5, 6 };
  GError *error              = NULL;
  g_autoptr (KetteTensor) in = tensor_f64 (4, six);

  g_assert_true (_kette_graph_add_output (graph, y, NULL));
  g_autoptr (KetteSession) session = kette_session_new (graph, &error);
  g_assert_no_error (error);
  for (int64_t k = 1; k <= 2; k++)
    {
      const int64_t factors[]       = { k, 2 / k };
      g_autoptr (KetteTensor) shape = tensor_i64 (2, factors);
      KetteTensor *out              = NULL;
      guint rank;
      g_assert_true (kette_session_run (session, (KetteTensor *[]){ in, shape }, &out,
                                        NULL, &error));
      g_assert_no_error (error);
      const gint64 *dims = kette_tensor_get_dims (out, &rank);
      g_assert_cmpuint (rank, ==, 2);
      g_assert_cmpint (dims[0], ==, k * k);
      g_assert_cmpint (dims[0] * dims[1], ==, 4);
      g_assert_cmpfloat (((const double *) kette_tensor_get_data (out))[3], ==, -4);
      kette_tensor_unref (out);
    }
}

/* A view of a constant whose shape is fed, which a later stage reads (GATHER) or nobody does but
 * the caller: it is there in both. */
static void
check_view_of_constant (gboolean gather)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  const int64_t two            = 2;
  KetteValue *s                = graph_input (graph, "s", KT_I64, 1, &two);
  KetteValue *x                = open_vector (graph, "x", KT_F64);
  g_autoptr (KetteTensor) c    = tensor_f64 (4, (const double[]){ 1, 2, 3, 4 });
  KetteValue *constant         = _kette_graph_add_constant (graph, "c", c, NULL);
  KetteValue *view             = graph_node (graph, "", "Reshape", constant, s);
  KetteValue *at               = graph_node (graph, "", "NonZero", x, NULL);
  GError *error                = NULL;

  if (gather)
    view = graph_node (graph, "", "Gather", view,
                       graph_node (graph, "", "Squeeze", at, NULL));
  g_assert_true (_kette_graph_add_output (graph, view, NULL));
  if (!gather)
    g_assert_true (_kette_graph_add_output (graph, at, NULL));
  g_autoptr (KetteSession) session = kette_session_new (graph, &error);
  g_assert_no_error (error);
  for (int64_t run = 0; run < 3; run++)
    {
      const int64_t dims[]       = { 4, 1 };
      g_autoptr (KetteTensor) as = tensor_i64 (2, dims);
      g_autoptr (KetteTensor) in = tensor_f64 (4, (const double[]){ 0, 1, 0, 1 });
      KetteTensor *out[2]        = { NULL };
      const double *y;

      g_assert_true (
          kette_session_run (session, (KetteTensor *[]){ as, in }, out, NULL, &error));
      g_assert_no_error (error);
      y = kette_tensor_get_data (out[0]);
      g_assert_cmpuint (kette_tensor_get_count (out[0]), ==, gather ? 2 : 4);
      g_assert_cmpfloat (y[0], ==, gather ? 2 : 1);
      g_assert_cmpfloat (y[1], ==, gather ? 4 : 2);
      kette_tensor_unref (out[0]);
      kette_tensor_unref (out[1]);
    }
}

static void
test_view_of_constant (void)
{
  alarm (60); /* stages that never end */
  check_view_of_constant (TRUE);
  check_view_of_constant (FALSE);
  alarm (0);
}

/* The same session with many shapes: one plan each, the oldest are dropped. */
static void
test_many_shapes (void)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *x                = open_vector (graph, "x", KT_F64);
  GError *error                = NULL;
  double numbers[200];

  for (int i = 0; i < 200; i++)
    numbers[i] = i;
  g_assert_true (
      _kette_graph_add_output (graph, graph_node (graph, "", "Add", x, x), NULL));
  g_autoptr (KetteSession) session = kette_session_new (graph, &error);
  g_assert_no_error (error);
  for (int round = 0; round < 2; round++)
    for (size_t n = 0; n < 200; n++)
      {
        g_autoptr (KetteTensor) in = tensor_f64 (n, numbers);
        KetteTensor *out           = NULL;
        g_assert_true (kette_session_run (session, &in, &out, NULL, &error));
        g_assert_cmpuint (kette_tensor_get_count (out), ==, n);
        for (size_t i = 0; i < n; i++)
          g_assert_cmpfloat (((double *) kette_tensor_get_data (out))[i], ==,
                             2 * numbers[i]);
        kette_tensor_unref (out);
      }
}

/* One tensor at two inputs, then two different ones: inputs are bound one by one. */
static void
test_same_tensor_twice (void)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *a = open_vector (graph, "a", KT_F64), *b = open_vector (graph, "b", KT_F64);
  g_autoptr (KetteTensor) five = tensor_f64 (1, (const double[]){ 5 });
  g_autoptr (KetteTensor) two  = tensor_f64 (1, (const double[]){ 2 });
  const struct
  {
    KetteTensor *a, *b;
    double y;
  } runs[] = { { five, five, 0 }, { two, five, -3 }, { five, two, 3 }, { two, two, 0 } };

  g_assert_true (
      _kette_graph_add_output (graph, graph_node (graph, "", "Sub", a, b), NULL));
  g_autoptr (KetteSession) session = kette_session_new (graph, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (runs); i++)
    {
      KetteTensor *out = NULL;
      g_assert_true (kette_session_run (
          session, (KetteTensor *[]){ runs[i].a, runs[i].b }, &out, NULL, NULL));
      g_assert_cmpfloat (*(double *) kette_tensor_get_data (out), ==, runs[i].y);
      kette_tensor_unref (out);
    }
}

/* Outputs that are inputs, constants, views, or listed twice. */
static void
test_odd_outputs (void)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *x                = open_vector (graph, "x", KT_F64);
  g_autoptr (KetteTensor) c    = tensor_f64 (1, (const double[]){ 9 });
  KetteValue *constant         = _kette_graph_add_constant (graph, "c", c, NULL);
  KetteValue *view             = graph_node (graph, "", "Identity", x, NULL);
  KetteValue *const outputs[]  = { x, constant, view, view };
  g_autoptr (KetteTensor) in   = tensor_f64 (2, (const double[]){ 1, 2 });
  KetteTensor *out[4]          = { NULL };
  GError *error                = NULL;

  for (int i = 0; i < 4; i++)
    g_assert_true (_kette_graph_add_output (graph, outputs[i], NULL));
  g_autoptr (KetteSession) session = kette_session_new (graph, &error);
  g_assert_no_error (error);
  g_assert_true (kette_session_run (session, &in, out, NULL, &error));
  for (int i = 0; i < 4; i++)
    {
      g_assert_cmpfloat (*(double *) kette_tensor_get_data (out[i]), ==, i == 1 ? 9 : 1);
      g_assert_true (kette_tensor_get_data (out[i]) != kette_tensor_get_data (in));
      kette_tensor_unref (out[i]);
    }
}

/* Two states that exchange their contents: both are read before either is written. */
static void
test_exchanged_states (void)
{
  g_autoptr (KetteGraph) graph      = graph_new (18);
  g_autoptr (KetteTensor) one       = tensor_f64 (1, (const double[]){ 1 });
  g_autoptr (KetteTensor) two       = tensor_f64 (1, (const double[]){ 2 });
  KetteValue *a                     = _kette_graph_add_constant (graph, "a", one, NULL);
  KetteValue *b                     = _kette_graph_add_constant (graph, "b", two, NULL);
  KetteValue *next                  = graph_node (graph, "", "Add", a, b);
  const KetteBinding updates[]      = { { a, b }, { b, next } };
  const KetteSessionOptions options = {
    .struct_size = sizeof options, .live = TRUE, .updates = updates, .n_updates = 2
  };
  GError *error = NULL;
  double fib[]  = { 1, 2 };

  g_assert_true (_kette_graph_add_output (graph, next, NULL));
  g_assert_true (_kette_graph_make_live (graph, &error));
  g_autoptr (KetteSession) session = _kette_session_new_full (graph, &options, &error);
  g_assert_no_error (error);
  KetteRun *run = _kette_session_take (session, NULL, NULL, &error);
  g_assert_no_error (error);
  for (int i = 0; i < 20; i++)
    {
      const double sum = fib[0] + fib[1];
      g_assert_true (_kette_run_execute (run, KETTE_PHASE_FORWARD | KETTE_PHASE_UPDATE,
                                         NULL, &error));
      fib[0] = fib[1];
      fib[1] = sum;
      g_assert_cmpfloat (_kette_tensor_get_double (a->data, 0), ==, fib[0]);
      g_assert_cmpfloat (_kette_tensor_get_double (b->data, 0), ==, fib[1]);
    }
  _kette_session_give (session, run);
}

/* Memory is reused: a long chain of products needs room for two values, not for all. */
static void
test_memory_is_reused (void)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  const int64_t dims[]         = { 64, 64 };
  const kt_type type = { .kind = KT_TENSOR, .dtype = KT_F64, .ndim = 2, .dims = dims };
  KetteValue *x = graph_input (graph, "x", KT_F64, 2, dims), *y = x;
  KettePlanInfo info;

  for (int i = 0; i < 50; i++)
    y = graph_node (graph, "", "MatMul", y, x);
  g_assert_true (_kette_graph_add_output (graph, y, NULL));
  g_autoptr (KetteSession) session = kette_session_new (graph, NULL);
  g_assert_true (_kette_session_plan_info (session, &type, &info, NULL));
  g_assert_cmpuint (info.n_steps, ==, 50);
  g_assert_cmpuint (info.arena_bytes, ==, 2 * 64 * 64 * sizeof (double));
  g_assert_cmpuint (info.arena_bytes, <=, info.live_peak_bytes * 115 / 100);
}

typedef struct
{
  KetteSession *session;
  int id;
} Caller;

static gpointer
call_often (gpointer data)
{
  const Caller *caller = data;
  const double mine[]  = { caller->id, 1 };

  for (int i = 0; i < 500; i++)
    {
      g_autoptr (KetteTensor) in = tensor_f64 (2, mine);
      KetteTensor *out           = NULL;
      g_assert_true (kette_session_run (caller->session, &in, &out, NULL, NULL));
      g_assert_cmpfloat (*(double *) kette_tensor_get_data (out), ==, 2.0 * caller->id);
      kette_tensor_unref (out);
    }
  return NULL;
}

static void
test_many_callers (void)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *x                = open_vector (graph, "x", KT_F64);
  GThread *threads[8];
  Caller callers[8];

  g_assert_true (
      _kette_graph_add_output (graph, graph_node (graph, "", "Add", x, x), NULL));
  g_autoptr (KetteSession) session = kette_session_new (graph, NULL);
  for (int i = 0; i < 8; i++)
    {
      callers[i] = (Caller){ session, i };
      threads[i] = g_thread_new ("caller", call_often, &callers[i]);
    }
  for (int i = 0; i < 8; i++)
    g_thread_join (threads[i]);
}

static void
test_wrong_inputs (void)
{
  g_autoptr (KetteGraph) graph  = graph_new (18);
  const int64_t dims[]          = { 2 };
  KetteValue *x                 = graph_input (graph, "x", KT_F64, 1, dims);
  g_autoptr (KetteTensor) three = tensor_f64 (3, (const double[]){ 1, 2, 3 });
  g_autoptr (KetteTensor) ints  = tensor_i64 (2, (const int64_t[]){ 1, 2 });
  KetteTensor *out = NULL, *nothing = NULL;
  GError *error = NULL;

  g_assert_true (
      _kette_graph_add_output (graph, graph_node (graph, "", "Neg", x, NULL), NULL));
  g_autoptr (KetteSession) session = kette_session_new (graph, NULL);
  g_assert_false (kette_session_run (session, &three, &out, NULL, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_SHAPE);
  g_assert_cmpstr (error->message, ==,
                   "test: shape: graph input \"x\": is float64[3], must be float64[2]");
  g_clear_error (&error);
  g_assert_false (kette_session_run (session, &ints, &out, NULL, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_TYPE);
  g_clear_error (&error);
  g_assert_false (kette_session_run (session, &nothing, &out, NULL, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_TYPE);
  g_clear_error (&error);
}

static void
test_cancelled (void)
{
  g_autoptr (KetteGraph) graph    = graph_new (18);
  KetteValue *x                   = open_vector (graph, "x", KT_F64);
  g_autoptr (KetteTensor) in      = tensor_f64 (1, (const double[]){ 1 });
  g_autoptr (GCancellable) cancel = g_cancellable_new ();
  KetteTensor *out                = NULL;
  GError *error                   = NULL;

  g_assert_true (
      _kette_graph_add_output (graph, graph_node (graph, "", "Neg", x, NULL), NULL));
  g_autoptr (KetteSession) session = kette_session_new (graph, NULL);
  g_cancellable_cancel (cancel);
  g_assert_false (kette_session_run (session, &in, &out, cancel, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_CANCEL);
  g_clear_error (&error);
  g_assert_true (kette_session_run (session, &in, &out, NULL, &error));
  kette_tensor_unref (out);
}

/* Shape arithmetic folds away: Reshape (x, Concat (Shape (x)[0], -1)) is one view. */
static void
test_shape_arithmetic_folds (void)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  const int64_t open[]         = { KT_DIM (0), 2, 3 };
  const int64_t dims[]         = { 5, 2, 3 };
  const kt_type type = { .kind = KT_TENSOR, .dtype = KT_F64, .ndim = 3, .dims = dims };
  KetteValue *x      = graph_input (graph, "x", KT_F64, 3, open);
  g_autoptr (KetteTensor) zero = tensor_i64 (1, (const int64_t[]){ 0 });
  g_autoptr (KetteTensor) rest = tensor_i64 (1, (const int64_t[]){ -1 });
  KetteValue *first
      = graph_node (graph, "", "Gather", graph_node (graph, "", "Shape", x, NULL),
                    _kette_graph_add_constant (graph, "zero", zero, NULL));
  KetteValue *shape = _kette_graph_add_value (graph, NULL, NULL);
  KettePlanInfo info;
  GError *error      = NULL;
  const kt_attr axis = { .name = "axis", .kind = KT_A_INT, .i = 0 };

  g_assert_nonnull (_kette_graph_add_node (
      graph, "", "", "Concat", 18,
      (KetteValue *[]){ first, _kette_graph_add_constant (graph, "rest", rest, NULL) }, 2,
      &shape, 1, &axis, 1, NULL));
  g_assert_true (
      _kette_graph_add_output (graph, graph_node (graph, "", "Reshape", x, shape), NULL));
  g_autoptr (KetteSession) session = kette_session_new (graph, &error);
  g_assert_no_error (error);
  g_assert_true (_kette_session_plan_info (session, &type, &info, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (info.n_steps, ==, 0);
  g_assert_cmpuint (info.n_views, ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session/shape-from-contents", test_shape_from_contents);
  g_test_add_func ("/session/view-of-constant", test_view_of_constant);
  g_test_add_func ("/session/many-shapes", test_many_shapes);
  g_test_add_func ("/session/same-tensor-twice", test_same_tensor_twice);
  g_test_add_func ("/session/odd-outputs", test_odd_outputs);
  g_test_add_func ("/session/exchanged-states", test_exchanged_states);
  g_test_add_func ("/session/memory-is-reused", test_memory_is_reused);
  g_test_add_func ("/session/many-callers", test_many_callers);
  g_test_add_func ("/session/wrong-inputs", test_wrong_inputs);
  g_test_add_func ("/session/cancelled", test_cancelled);
  g_test_add_func ("/session/shape-arithmetic-folds", test_shape_arithmetic_folds);
  return g_test_run ();
}
