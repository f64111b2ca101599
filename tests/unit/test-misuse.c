/* SPDX-License-Identifier: Apache-2.0
 * Operators that misuse the host: whatever a plugin asks for or reports, the host refuses it
 * with an error that names the node.
 */
#include "strange.h"

static void
test_register (void)
{
  char *long_name = g_strnfill (300, 'n');
  kt_op op        = operator_named ("Strange");
  kt_kernel k     = kernel_named ("Strange");

  g_assert_cmpint (add (&op, NULL, "registered already"), !=, KT_OK);
  g_assert_cmpint (add (NULL, &k, "has the priority"), !=, KT_OK);
  k.priority = 7;
  k.types    = "T=f64";
  g_assert_cmpint (add (NULL, &k, NULL), ==, KT_OK);
  for (int i = 0; i < 6; i++)
    {
      op = operator_named ("Faulty");
      if (i == 0)
        op.domain = NULL;
      else if (i == 1)
        op.name = NULL;
      else if (i == 2)
        op.since = 0;
      else if (i == 3)
        op.n_in = -1;
      else if (i == 4)
        op.n_out = -1;
      else
        op.n_attr = -1;
      g_assert_cmpint (add (&op, NULL, "no domain, name or version"), !=, KT_OK);
    }
  for (int i = 0; i < 4; i++)
    {
      k = kernel_named ("Faulty");
      if (i == 0)
        k.domain = NULL;
      else if (i == 1)
        k.name = NULL;
      else if (i == 2)
        k.device = NULL;
      else
        k.run = NULL;
      g_assert_cmpint (add (NULL, &k, "no domain, name, device or run"), !=, KT_OK);
    }
  op = operator_named (long_name);
  k  = kernel_named (long_name);
  add (&op, NULL, NULL);
  add (NULL, &k, NULL);
  g_free (long_name);
}

/* x -> NAME (what, status) -> y, float64[2]. */
static KetteGraph *
graph_of (const char *name, int what, int status, KetteValue **y)
{
  const kt_attr attrs[]    = { { .name = "what", .kind = KT_A_INT, .i = what },
                               { .name = "status", .kind = KT_A_INT, .i = status },
                               { .name = "seed", .kind = KT_A_INT, .i = 3 } };
  KetteGraph *graph        = graph_new (18);
  KetteValue *x            = graph_input (graph, "x", KT_F64, 1, (const int64_t[]){ 2 });
  g_autoptr (GError) error = NULL;

  g_assert_true (_kette_model_set_opset (graph->model, "test", 1, NULL));
  *y = _kette_graph_add_value (graph, "y", NULL);
  g_assert_nonnull (_kette_graph_add_node (graph, "odd", "test", name, 1, &x, 1, y, 1,
                                           attrs, 3, &error));
  g_assert_true (_kette_graph_add_output (graph, *y, NULL));
  return graph;
}

static void
session_fails (const char *name, int what, int status, KetteErrorCode code,
               const char *text)
{
  KetteValue *y;
  g_autoptr (GError) error         = NULL;
  g_autoptr (KetteGraph) graph     = graph_of (name, what, status, &y);
  g_autoptr (KetteSession) session = kette_session_new (graph, &error);
  g_autoptr (KetteTensor) x        = tensor_f64 (2, (const double[]){ 1, 2 });
  g_autoptr (KetteTensor) result   = NULL;

  if (session)
    kette_session_run (session, &x, &result, NULL, &error);
  if (code == 0)
    {
      g_assert_no_error (error);
      g_assert_nonnull (result);
      return;
    }
  g_assert_error (error, KETTE_ERROR, (int) code);
  if (!strstr (error->message, text) || !strstr (error->message, "node \"odd\""))
    g_error ("\"%s\" has not \"%s\"", error->message, text);
}

static void
test_infer (void)
{
  static const struct
  {
    int status;
    KetteErrorCode code;
    const char *text;
  } rows[] = {
    { KT_E_ATTR, KETTE_ERROR_ATTR, "an attribute is wrong" },
    { KT_E_VALUE, KETTE_ERROR_VALUE, "the content of an input is wrong" },
    { KT_E_TYPE, KETTE_ERROR_TYPE, "element types do not fit" },
    { KT_E_SHAPE, KETTE_ERROR_SHAPE, "shapes do not fit" },
    { KT_E_NOMEM, KETTE_ERROR_MEMORY, "memory was refused" },
    { KT_E_DEVICE, KETTE_ERROR_DEVICE, "the device failed" },
    { KT_E_UNSUPPORTED, KETTE_ERROR_UNSUPPORTED, "not supported" },
    { KT_E_INTERNAL, KETTE_ERROR_INTERNAL, "please report it" },
    { KT_E_CANCELLED, KETTE_ERROR_CANCEL, "cancelled" },
    { 77, KETTE_ERROR_PLUGIN, "77" },
  };

  session_fails ("Strange", GOOD, 0, 0, NULL);
  session_fails ("Strange", INFER_OUTSIDE, 0, 0, NULL);
  session_fails ("Strange", INFER_RANK, 0, KETTE_ERROR_SHAPE, "more than 32 dims");
  session_fails ("Strange", INFER_NEGATIVE, 0, KETTE_ERROR_SHAPE,
                 "dim 1 of output 0 is -7");
  session_fails ("Strange", INFER_TWICE, 0, KETTE_ERROR_VALUE, "the first");
  session_fails ("Strange", INFER_FAIL_OK, 0, KETTE_ERROR_ATTR, "only told");
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
    session_fails ("Strange", INFER_STATUS, rows[i].status, rows[i].code, rows[i].text);
}

static void
test_prepare (void)
{
  session_fails ("Strange", PREPARE_WORKSPACE, 0, KETTE_ERROR_MEMORY, "beyond counting");
  session_fails ("Strange", PREPARE_KEEP, 0, KETTE_ERROR_MEMORY, "needs");
  session_fails ("Strange", PREPARE_STATUS, KT_E_DEVICE, KETTE_ERROR_DEVICE,
                 "the device failed");
}

static void
test_run (void)
{
  session_fails ("Strange", RUN_HOST, 0, 0, NULL);
  session_fails ("Strange", RUN_OUTSIDE, 0, KETTE_ERROR_INTERNAL, "no such output");
  session_fails ("Strange", RUN_SHAPE, 0, KETTE_ERROR_SHAPE,
                 "output 0 is [5], declared as [2]");
  session_fails ("Strange", RUN_STATUS, KT_E_VALUE, KETTE_ERROR_VALUE, "is wrong");
  session_fails ("Strange", RUN_STATUS, 99, KETTE_ERROR_PLUGIN, "99");
}

static void
gradient_fails (int what, KetteErrorCode code, const char *text)
{
  KetteValue *y, *gradient;
  g_autoptr (GError) error     = NULL;
  g_autoptr (KetteGraph) graph = graph_of ("Strange", what, 0, &y);

  g_assert_true (_kette_pass_check (graph, &error) && _kette_pass_infer (graph, &error));
  _kette_pass_gradient (graph, y, NULL, &graph->inputs[0], 1, &gradient, &error);
  if (code == 0)
    {
      g_assert_no_error (error);
      return;
    }
  g_assert_error (error, KETTE_ERROR, (int) code);
  if (!strstr (error->message, text))
    g_error ("\"%s\" has not \"%s\"", error->message, text);
}

static void
test_emit (void)
{
  static const struct
  {
    int what;
    KetteErrorCode code;
    const char *text;
    gboolean body; /* wrong in a body alone */
  } rows[] = {
    { EMIT_NO_OUTPUT, KETTE_ERROR_INTERNAL, "no output", FALSE },
    { EMIT_UNKNOWN, KETTE_ERROR_UNSUPPORTED, "NoSuchOperator", FALSE },
    { EMIT_SHAPE, 0, "perm", FALSE },
    { EMIT_SET_NOTHING, KETTE_ERROR_INTERNAL, "given no value", FALSE },
    { EMIT_FAIL_FIRST, KETTE_ERROR_UNSUPPORTED, "not for these", FALSE },
    { EMIT_NOTHING, KETTE_ERROR_PLUGIN, "does not make output 0", TRUE },
    { EMIT_SET_TWICE, KETTE_ERROR_INTERNAL, "sets an output twice", TRUE },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const KetteErrorCode code = rows[i].code ? rows[i].code : KETTE_ERROR_ATTR;

      session_fails ("StrangeBody", rows[i].what, 0, code, rows[i].text);
      gradient_fails (rows[i].what, rows[i].body ? 0 : code, rows[i].text);
    }
  session_fails ("StrangeBody", EMIT_SET_OUTSIDE, 0, 0, NULL);
  gradient_fails (EMIT_SET_OUTSIDE, 0, NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  register_all ();
  g_test_add_func ("/misuse/register", test_register);
  g_test_add_func ("/misuse/infer", test_infer);
  g_test_add_func ("/misuse/prepare", test_prepare);
  g_test_add_func ("/misuse/run", test_run);
  g_test_add_func ("/misuse/emit", test_emit);
  return g_test_run ();
}
