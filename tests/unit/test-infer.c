/* SPDX-License-Identifier: Apache-2.0
 * Inference of one node: what the file declared against what the operator says, contents that
 * become constants, and shape rules that no case file can reach.
 */
#include "host.h"

/* The next inference of test:Host tells this. */
static kt_type told;
static const int64_t *told_ints;
static size_t n_told;

static kt_status
tell (const kt_host *h, kt_infer *infer, void *user)
{
  (void) user;
  if (told.kind)
    h->out_type (infer, 0, &told);
  return told_ints ? h->out_ints (infer, 0, told_ints, n_told) : KT_OK;
}

static void
infer_fails (KetteNode *node, KetteErrorCode code, const char *text)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (_kette_node_infer (node, &error));
  g_assert_error (error, KETTE_ERROR, (int) code);
  if (!strstr (error->message, text))
    g_error ("\"%s\" has not \"%s\"", error->message, text);
}

static void
test_declared (void)
{
  static const int64_t two[] = { 2 }, three[] = { 3 }, open[] = { KT_DIM (0) };
  const kt_type f64[] = {
    { KT_TENSOR, KT_F64, 1, 0, two, NULL },  { KT_TENSOR, KT_F64, 1, 0, three, NULL },
    { KT_TENSOR, KT_F64, 1, 0, open, NULL }, { KT_TENSOR, KT_F64, -1, 0, NULL, NULL },
    { KT_TENSOR, KT_F32, 1, 0, two, NULL },  { 0 },
    { KT_SEQUENCE, 0, 0, 0, NULL, &f64[0] }
  };
  /* The declared type, what the operator says, what comes of it; code: as a graph output. */
  static const struct
  {
    int declared, told, result;
    KetteErrorCode code;
  } rows[] = {
    { 0, 0, 0, 0 },
    { 0, 2, 0, 0 },
    { 2, 0, 0, 0 },
    { 3, 0, 0, 0 },
    { 0, 3, 0, 0 },
    { 5, 0, 0, 0 },
    { 0, 5, 0, 0 },
    { 6, 0, 0, 0 },
    { 0, 6, 6, 0 },
    { 2, 3, 2, 0 },
    { 1, 0, 0, KETTE_ERROR_SHAPE },
    { 4, 0, 0, KETTE_ERROR_TYPE },
  };

  for (size_t i = 0; i < 2 * G_N_ELEMENTS (rows); i++)
    {
      told      = (kt_type){ 0 };
      told_ints = NULL;

      g_autoptr (KetteGraph) graph = graph_new (18);
      KetteNode *node              = node_of (graph, "n", 1, TRUE);
      const kt_type *result        = &f64[rows[i / 2].result];
      KetteValue *a                = node->out[0];

      told = f64[rows[i / 2].told];
      a->flags |= KETTE_VALUE_DECLARED;
      g_assert_true (_kette_value_set_type (a, &f64[rows[i / 2].declared], NULL));
      if (i % 2)
        g_assert_true (_kette_graph_add_output (graph, a, NULL));
      g_test_message ("row %zu", i);
      if (i % 2 && rows[i / 2].code)
        infer_fails (node, rows[i / 2].code, "is declared as");
      else if (result->kind == KT_SEQUENCE)
        infer_fails (node, KETTE_ERROR_TYPE, "output 0 (a) is seq");
      else
        {
          g_assert_true (_kette_node_infer (node, NULL));
          g_assert_cmpint (a->type.dtype, ==, result->dtype);
          g_assert_cmpint (a->type.ndim, ==, result->ndim);
          g_assert_true (a->type.dims[0] == result->dims[0]);
        }
    }
  told = (kt_type){ 0 };
}

static void
test_settled (void)
{
  static const int64_t ints[] = { 1, INT64_C (1) << 40 }, odd[] = { 1, KT_DIM (0) },
                       less[] = { 1, -(INT64_C (1) << 40) }, small[] = { 4, -5 };
  static const int64_t two[] = { 2 }, three[] = { 3 }, open[] = { KT_DIM (0) },
                       huge[] = { INT64_C (1) << 40, INT64_C (1) << 40 };
  static const struct
  {
    int dtype, ndim;
    const int64_t *dims, *ints;
    gboolean settles;
  } rows[] = {
    { KT_I64, 1, two, ints, TRUE },   { KT_I64, 1, two, odd, FALSE },
    { KT_I32, 1, two, ints, FALSE },  { KT_I32, 1, two, less, FALSE },
    { KT_I32, 1, two, small, TRUE },  { KT_I64, 1, three, ints, FALSE },
    { KT_I64, 1, open, ints, FALSE }, { KT_I64, -1, NULL, ints, FALSE },
    { KT_F64, 1, two, ints, FALSE },  { KT_I64, 2, huge, ints, FALSE },
    { 0, 0, NULL, ints, FALSE },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      told      = (kt_type){ 0 };
      told_ints = NULL;

      g_autoptr (KetteGraph) graph = graph_new (18);
      KetteNode *node              = node_of (graph, "n", 1, TRUE);
      const gboolean is_float      = rows[i].dtype == KT_F64;

      /* Inputs and output share their type. */
      for (int k = 0; k < 2 && !is_float; k++)
        node->in[k]->type = (kt_type){ 0 };
      told      = (kt_type){ .kind  = rows[i].dtype ? KT_TENSOR : 0,
                             .dtype = rows[i].dtype,
                             .ndim  = rows[i].ndim,
                             .dims  = rows[i].dims };
      told_ints = rows[i].ints;
      n_told    = 2;
      g_test_message ("row %zu", i);
      g_assert_true (_kette_node_infer (node, NULL));
      const KetteTensor *data = node->out[0]->data;
      g_assert_cmpint (data != NULL, ==, rows[i].settles);
      for (size_t k = 0; data && k < 2; k++)
        g_assert_cmpint (_kette_tensor_get_int (data, k), ==, rows[i].ints[k]);
      g_assert_true (_kette_node_infer (node, NULL)); /* once more: it stays so */
      g_assert_true (node->out[0]->data == data);
    }
  told      = (kt_type){ 0 };
  told_ints = NULL;
}

/* ONNX's Gradient: the names of xs and zs against the inputs. */
static void
test_gradient (void)
{
  static const kt_str names[] = { { "x0", 2 }, { "x1", 2 }, { "x2", 2 } };
  static const struct
  {
    size_t n_xs, n_zs;
    int dtype, n_out;
    KetteErrorCode code;
    const char *text;
  } rows[] = {
    { 2, 0, KT_F64, 2, 0, NULL },
    { 1, 1, KT_F64, 1, 0, NULL },
    { 2, 0, 0, 2, 0, NULL },
    { 3, 0, KT_F64, 1, KETTE_ERROR_ATTR, "name 3 values, there are 2 inputs" },
    { 1, 1, KT_F64, 2, KETTE_ERROR_ATTR, "xs names 1 values, there are 2 outputs" },
    { 2, 0, KT_I64, 1, KETTE_ERROR_TYPE, "there is no gradient by it" },
  };
  static const char domain[] = "ai.onnx.preview.training";

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (KetteGraph) graph = graph_new (18);
      const int64_t two[]          = { 2 };
      KetteValue *in_[]            = { graph_input (graph, "x0", KT_F64, 1, two),
                                       graph_input (graph, "x1", KT_F64, 1, two) },
                 *out_[]           = { _kette_graph_add_value (graph, NULL, NULL),
                                       _kette_graph_add_value (graph, NULL, NULL) };
      const kt_attr attrs[]
          = { { .name = "xs", .kind = KT_A_STRINGS, .v = names, .n = rows[i].n_xs },
              { .name = "y", .kind = KT_A_STRING, .v = "y", .n = 1 },
              { .name = "zs", .kind = KT_A_STRINGS, .v = names + 1, .n = rows[i].n_zs } };
      GError *error = NULL;

      for (int k = 0; k < 2; k++)
        if (rows[i].dtype)
          in_[k]->type.dtype = rows[i].dtype;
        else
          in_[k]->type = (kt_type){ 0 };
      g_assert_true (_kette_model_set_opset (graph->model, domain, 1, NULL));
      KetteNode *node
          = _kette_graph_add_node (graph, "n", domain, "Gradient", 1, in_, 2, out_,
                                   rows[i].n_out, attrs, rows[i].n_zs ? 3 : 2, &error);
      g_assert_true (node && _kette_node_resolve (node, &error));
      g_test_message ("row %zu", i);
      if (rows[i].code)
        {
          infer_fails (node, rows[i].code, rows[i].text);
          continue;
        }
      g_assert_true (_kette_node_infer (node, &error));
      g_assert_cmpint (out_[0]->type.dtype, ==, rows[i].dtype);
    }
}

/* More elements than can be counted: no tensor, but a type. */
static void
test_uncountable (void)
{
  static const int64_t huge[]  = { INT64_C (1) << 40, INT64_C (1) << 40 };
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *x                = graph_input (graph, "x", KT_F64, 2, huge);
  KetteNode *node              = graph_node (graph, "", "Size", x, NULL)->producer;

  g_assert_true (_kette_node_resolve (node, NULL));
  infer_fails (node, KETTE_ERROR_LIMIT, "exceeds 2^63");
}

int
main (int argc, char **argv)
{
  kt_op op;

  g_test_init (&argc, &argv, NULL);
  host     = _kette_host ();
  op       = op_named ("test", "Host", 5);
  op.infer = tell;
  g_assert_nonnull (kette_plugins_get (NULL));
  g_assert_cmpint (add_as ("a", FALSE, &op, NULL), ==, KT_OK);
  g_test_add_func ("/infer/declared", test_declared);
  g_test_add_func ("/infer/settled", test_settled);
  g_test_add_func ("/infer/gradient", test_gradient);
  g_test_add_func ("/infer/uncountable", test_uncountable);
  return g_test_run ();
}
