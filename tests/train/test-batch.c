/* SPDX-License-Identifier: Apache-2.0
 * Batch sizes that exporters fixed: in the dims of inputs, in shapes that are initializers,
 * Constants, or put together by Concat, with allowzero and without.
 */
#include "exec/session.h"
#include "networks.h"
#include "pass/pass.h"
#include <string.h>

enum
{
  BATCH = 8
};

static KetteTensor *
ints (size_t n, const int64_t *values)
{
  const gint64 dims[] = { (gint64) n };
  KetteTensor *t      = kette_tensor_new (KT_I64, dims, 1, NULL);

  memcpy (kette_tensor_get_data (t), values, n * sizeof *values);
  return t;
}

static KetteValue *
constant (KetteGraph *graph, const char *name, size_t n, const int64_t *values)
{
  g_autoptr (KetteTensor) t = ints (n, values);
  GError *error             = NULL;
  KetteValue *value         = _kette_graph_add_constant (graph, name, t, &error);

  g_assert_no_error (error);
  return value;
}

static KetteValue *
node (KetteGraph *graph, const char *op, KetteValue *const *in, size_t n_in,
      const kt_attr *attrs, size_t n_attrs)
{
  GError *error   = NULL;
  KetteValue *out = _kette_graph_add_value (graph, NULL, &error);

  g_assert_nonnull (_kette_graph_add_node (graph, "", "", op, 18, in, n_in, &out, 1,
                                           attrs, n_attrs, &error));
  g_assert_no_error (error);
  return out;
}

typedef struct
{
  const char *name;
  int64_t first, second; /* of the shape that [8,2,3] gets */
  gboolean concat, allowzero;
  gboolean frees;
} Case;

static const Case cases[] = {
  { "initializer", BATCH, 6, FALSE, FALSE, TRUE },
  { "initializer-rest", BATCH, -1, FALSE, FALSE, TRUE },
  { "initializer-rest-allowzero", BATCH, -1, FALSE, TRUE, TRUE },
  { "concat", BATCH, 6, TRUE, FALSE, TRUE },
  { "concat-allowzero", BATCH, 6, TRUE, TRUE, TRUE },
  { "concat-rest-allowzero", BATCH, -1, TRUE, TRUE, TRUE },
  { "merged", BATCH * 2, 3, FALSE, FALSE, FALSE },
  { "merged-concat", BATCH * 2, 3, TRUE, FALSE, FALSE },
};

/* x [8,2,3], reshaped. */
static KetteGraph *
make_graph (const Case *c)
{
  const int64_t dims[] = { BATCH, 2, 3 };
  const kt_attr zero   = { .name = "allowzero", .kind = KT_A_INT, .i = c->allowzero },
                axis   = { .name = "axis", .kind = KT_A_INT };
  GError *error        = NULL;
  KetteModel *model    = _kette_model_new ("batch", &error);
  KetteGraph *graph    = _kette_graph_new (model, "batch", &error);
  KetteValue *x        = _kette_graph_add_value (graph, "x", &error), *shape, *y;

  _kette_model_unref (model);
  g_assert_true (_kette_model_set_opset (model, "", 18, &error));
  g_assert_true (_kette_value_set_tensor_type (x, KT_F32, dims, 3, &error));
  g_assert_true (_kette_graph_add_input (graph, x, &error));
  if (c->concat)
    {
      KetteValue *parts[] = { constant (graph, "first", 1, &c->first),
                              constant (graph, "second", 1, &c->second) };
      shape               = node (graph, "Concat", parts, 2, &axis, 1);
    }
  else
    shape = constant (graph, "shape", 2, (const int64_t[]){ c->first, c->second });
  y = node (graph, "Reshape", (KetteValue *[]){ x, shape }, 2, &zero, 1);
  g_assert_true (_kette_graph_add_output (graph, y, &error));
  g_assert_no_error (error);
  return graph;
}

static void
test_free (gconstpointer user)
{
  const Case *c                = user;
  g_autoptr (GError) error     = NULL;
  g_autoptr (KetteGraph) graph = make_graph (c);
  gboolean freed               = FALSE;
  const gboolean ok            = _kette_pass_free_batch (graph, &freed, &error);

  g_assert_true (ok == c->frees && freed == c->frees);
  if (!c->frees)
    {
      g_assert_error (error, KETTE_ERROR, KETTE_ERROR_UNSUPPORTED);
      return;
    }
  g_assert_no_error (error);
  g_autoptr (KetteSession) session = kette_session_new (graph, &error);
  g_assert_no_error (error);
  for (gint64 n = 1; n <= BATCH + 1; n += 4)
    {
      const gint64 dims[]       = { n, 2, 3 };
      g_autoptr (KetteTensor) x = kette_tensor_new (KT_F32, dims, 3, NULL);
      g_autoptr (KetteTensor) y = NULL;
      guint rank;

      g_assert_true (kette_session_run (session, &x, &y, NULL, &error));
      g_assert_no_error (error);
      const gint64 *got = kette_tensor_get_dims (y, &rank);
      g_assert_cmpuint (rank, ==, 2);
      g_assert_cmpint (got[0], ==, n);
      g_assert_cmpint (got[1], ==, 6);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/train/batch/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_free);
    }
  return g_test_run ();
}
