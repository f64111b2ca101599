/* SPDX-License-Identifier: Apache-2.0
 * Layouts: where a plan converts values, how often, which kernels it takes, and that results are
 * those of rows. The operators here add the number of the channel to each element, so that a
 * wrong layout shows: test:Rows row-major, test:Wide in blocks wherever there are channels for
 * them, test:Follow where its input lies in blocks already.
 */
#include "graphs.h"
#include "host.h"
#include <stdio.h>

enum
{
  IMAGES = 2,
  SPOTS  = 6
};

static const kt_param one_in[]  = { { .name = "x", .type = "T" } },
                      one_out[] = { { .name = "y", .type = "T" } },
                      one_var[] = { { .name = "T", .type = "f32" } };

/* y = x + channel, for channels in blocks of *STATE, or in rows. */
static kt_status
add_channel (const kt_host *h, kt_run *run, void *state)
{
  const int64_t block = *(const int64_t *) state, channels = run->in[0].shape[1];
  const int64_t n = run->in[0].shape[0] * channels;
  int64_t spots   = 1;

  (void) h;
  for (int32_t d = 2; d < run->in[0].ndim; d++)
    spots *= run->in[0].shape[d];
  for (int64_t i = 0; i < n * spots; i++)
    {
      const int64_t c                 = block
                                            ? i / (spots * block) % (channels / block) * block + i % block
                                            : i / spots % channels;
      ((float *) run->out[0].data)[i] = ((const float *) run->in[0].data)[i] + (float) c;
    }
  return KT_OK;
}

/* Not for one image. */
static int32_t
suits_batches (const kt_host *h, const void *ctx, void *user)
{
  kt_type type;

  (void) user;
  h->type (ctx, 0, 0, &type);
  return type.dims[0] > 1;
}

static void
add_op (const char *name)
{
  static const int64_t blocks[] = { 0, 8, 16 };
  kt_op op                      = { .struct_size = sizeof op,
                                    .domain      = "test",
                                    .name        = name,
                                    .since       = 1,
                                    .n_in        = 1,
                                    .n_out       = 1,
                                    .in          = one_in,
                                    .out         = one_out,
                                    .n_var       = 1,
                                    .var         = one_var,
                                    .infer       = all_same };
  kt_kernel k                   = kernel_named ("test", name, NULL);

  g_assert_cmpint (add_as ("t", FALSE, &op, NULL), ==, KT_OK);
  k.run  = add_channel;
  k.user = (void *) (uintptr_t) &blocks[0];
  g_assert_cmpint (add_as ("t", FALSE, NULL, &k), ==, KT_OK);
  for (int i = 1; i < 3 && strcmp (name, "Rows") != 0; i++)
    {
      k.user     = (void *) (uintptr_t) &blocks[i];
      k.priority = 10 * i;
      k.layout   = i == 1 ? "c8>c8" : "c16>c16";
      k.flags    = strcmp (name, "Follow") == 0 ? KT_K_FOLLOWS : 0;
      k.suits    = suits_batches;
      g_assert_cmpint (add_as ("t", FALSE, NULL, &k), ==, KT_OK);
    }
}

static void
test_tags (void)
{
  const char *const good[] = { "", ">", "c8>c8", "c16,,>c16,", "*,c8>*", ",,>*", "*" },
                    *const bad[] = { "c4", "c8>c8>c8", "c16,**", "c", "x>y", "c8 >c8" };
  kt_kernel k                    = kernel_named ("test", "Tags", NULL);

  g_assert_true (_kette_layout_check (NULL));
  for (size_t i = 0; i < G_N_ELEMENTS (good); i++)
    g_assert_true (_kette_layout_check (good[i]));
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      k.layout = bad[i];
      g_assert_false (_kette_layout_check (bad[i]));
      g_assert_cmpint (add_as ("t", FALSE, NULL, &k), ==, KT_E_INTERNAL);
      assert_failed (KT_E_INTERNAL, "a kernel of test:Tags has the layout \"");
    }
  k.layout = "c8,,*>c16,*";
  g_assert_cmpint (_kette_layout_tag (&k, FALSE, 0), ==, 8);
  g_assert_cmpint (_kette_layout_tag (&k, FALSE, 1), ==, 0);
  g_assert_cmpint (_kette_layout_tag (&k, FALSE, 2), ==, KETTE_LAYOUT_ANY);
  g_assert_cmpint (_kette_layout_tag (&k, FALSE, 3), ==, 0);
  g_assert_cmpint (_kette_layout_tag (&k, TRUE, 0), ==, 16);
  g_assert_cmpint (_kette_layout_tag (&k, TRUE, 1), ==, KETTE_LAYOUT_ANY);
  g_assert_cmpint (_kette_layout_tag (&k, TRUE, 2), ==, 0);
  k.layout = "c8";
  g_assert_cmpint (_kette_layout_tag (&k, TRUE, 0), ==, 0);
  k.layout = NULL;
  g_assert_cmpint (_kette_layout_tag (&k, FALSE, 0), ==, 0);
}

static KetteGraph *
graph_of (int64_t images, int64_t channels, KetteValue **x)
{
  KetteGraph *graph    = graph_new (18);
  const int64_t dims[] = { images, channels, 2, 3 };

  g_assert_true (_kette_model_set_opset (graph->model, "test", 1, NULL));
  g_assert_true (_kette_model_set_opset (graph->model, "kette", 1, NULL));
  *x = graph_input (graph, "x", KT_F32, 4, dims);
  return graph;
}

static KetteValue *
apply (KetteGraph *graph, const char *op, KetteValue *x)
{
  return graph_node (graph, strcmp (op, "Relu") == 0 ? "" : "test", op, x, NULL);
}

/* Runs GRAPH, whose outputs are OFFSET[i] + SLOPE[i] * channel for input 0 (after Relu's), and
 * compares the operators of its steps, in order, with STEPS. */
static void
expect (KetteGraph *graph, const char *steps, const double *slope, size_t n_outputs)
{
  const KetteSessionOptions options = { .struct_size = sizeof options };
  const kt_type *type               = &graph->inputs[0]->type;
  GError *error                     = NULL;
  g_autoptr (KetteSession) session  = _kette_session_new_full (graph, &options, &error);
  g_autoptr (KetteTensor) x         = kette_tensor_new (KT_F32, type->dims, 4, NULL);
  KetteTensor *y[4]                 = { NULL };

  g_assert_no_error (error);
  g_autofree char *text   = _kette_session_plan_text (session, type, &error);
  g_auto (GStrv) lines    = g_strsplit (text, "\n", -1);
  g_autoptr (GString) ops = g_string_new (NULL);
  for (char **line = lines; *line && **line; line++)
    {
      char name[64];
      if (sscanf (*line, "%*d + %63s", name) != 1) /* "+": the step before goes on */
        g_assert_cmpint (sscanf (*line, "%*d %63s", name), ==, 1);
      g_string_append_printf (ops, "%s%s", ops->len ? " " : "", name);
    }
  g_assert_cmpstr (ops->str, ==, steps);

  for (size_t i = 0; i < x->count; i++)
    ((float *) x->data)[i] = (float) (i % SPOTS);
  g_assert_true (kette_session_run (session, &x, y, NULL, &error));
  g_assert_no_error (error);
  for (size_t k = 0; k < n_outputs; k++)
    {
      for (size_t i = 0; i < x->count; i++)
        g_assert_cmpfloat (((const float *) y[k]->data)[i], ==,
                           (double) (i % SPOTS)
                               + slope[k]
                                     * (double) (i / SPOTS % (size_t) type->dims[1]));
      kette_tensor_unref (y[k]);
    }
}

/* Blocks between the first and the last kernel that wants them, through elementwise ones. */
static void
test_chain (void)
{
  KetteValue *x;
  g_autoptr (KetteGraph) graph = graph_of (IMAGES, 32, &x);
  KetteValue *y = apply (graph, "Relu", apply (graph, "Wide", apply (graph, "Rows", x)));

  y = apply (graph, "Rows", apply (graph, "Follow", apply (graph, "Wide", y)));
  g_assert_true (_kette_graph_add_output (graph, y, NULL));
  expect (graph, "Rows Reorder Wide Relu Wide Follow Reorder Rows", (const double[]){ 5 },
          1);
}

/* One conversion serves all readers; an output is converted behind its kernel, and who reads
 * it on takes the blocks. */
static void
test_once (void)
{
  KetteValue *x;
  g_autoptr (KetteGraph) graph = graph_of (IMAGES, 16, &x);
  KetteValue *a = apply (graph, "Wide", x), *b = apply (graph, "Wide", x),
             *c = apply (graph, "Rows", a), *d = apply (graph, "Wide", a);

  g_assert_true (_kette_graph_add_output (graph, a, NULL));
  g_assert_true (_kette_graph_add_output (graph, b, NULL));
  g_assert_true (_kette_graph_add_output (graph, c, NULL));
  g_assert_true (_kette_graph_add_output (graph, d, NULL));
  expect (graph, "Reorder Wide Reorder Wide Reorder Rows Wide Reorder",
          (const double[]){ 1, 1, 2, 2 }, 4);
}

/* Two operands of an elementwise kernel are brought into one layout; a sum with rows too. */
static void
test_zip (void)
{
  KetteValue *x;
  g_autoptr (KetteGraph) graph = graph_of (IMAGES, 16, &x);
  KetteValue *wide             = apply (graph, "Wide", apply (graph, "Wide", x));
  KetteValue *difference = graph_node (graph, "", "Sub", wide, apply (graph, "Rows", x));
  KetteValue *sum        = graph_node (graph, "", "Add", difference, x);

  g_assert_true (_kette_graph_add_output (graph, sum, NULL));
  expect (graph, "Reorder Wide Wide Rows Reorder Sub Add Reorder", (const double[]){ 1 },
          1);
}

/* What is repeated along an operand lies in rows: so does all else then. */
static void
test_repeated (void)
{
  KetteValue *x;
  g_autoptr (KetteGraph) graph = graph_of (IMAGES, 16, &x);
  g_autoptr (KetteTensor) t
      = kette_tensor_new (KT_F32, (const gint64[]){ 16, 1, 1 }, 3, NULL);
  g_autoptr (KetteTensor) one = kette_tensor_new (KT_F32, (const gint64[]){ 1 }, 1, NULL);
  KetteValue *y               = apply (graph, "Wide", x);

  for (int i = 0; i < 16; i++)
    ((float *) t->data)[i] = (float) i;
  ((float *) one->data)[0] = 1;
  y                        = graph_node (graph, "", "Mul", y,
                                         _kette_graph_add_constant (graph, NULL, one, NULL));
  y = graph_node (graph, "", "Add", y, _kette_graph_add_constant (graph, NULL, t, NULL));
  g_assert_true (_kette_graph_add_output (graph, y, NULL));
  expect (graph, "Reorder Wide Mul Reorder Add", (const double[]){ 2 }, 1);
}

/* Where no kernel has blocks, or they do not serve, nothing is converted; 8 where 16 is too
 * much. */
static void
test_none (void)
{
  static const struct
  {
    int64_t images, channels;
    const char *steps;
  } cases[] = { { IMAGES, 12, "Wide Follow Rows" },
                { 1, 16, "Wide Follow Rows" },
                { IMAGES, 24, "Reorder Wide Follow Reorder Rows" } };

  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      KetteValue *x;
      g_autoptr (KetteGraph) graph = graph_of (cases[i].images, cases[i].channels, &x);
      KetteValue *y
          = apply (graph, "Rows", apply (graph, "Follow", apply (graph, "Wide", x)));
      g_assert_true (_kette_graph_add_output (graph, y, NULL));
      expect (graph, cases[i].steps, (const double[]){ 3 }, 1);
    }
  KetteValue *x;
  g_autoptr (KetteGraph) graph = graph_of (IMAGES, 16, &x);
  KetteValue *y                = apply (graph, "Follow", apply (graph, "Follow", x));
  g_assert_true (_kette_graph_add_output (graph, y, NULL));
  expect (graph, "Follow Follow", (const double[]){ 2 }, 1);
}

/* With one position per channel all layouts are the same memory. */
static void
test_flat (void)
{
  KetteValue *x;
  g_autoptr (KetteGraph) graph = graph_new (18);
  const int64_t dims[]         = { IMAGES, 16, 1, 1 };
  GError *error                = NULL;

  g_assert_true (_kette_model_set_opset (graph->model, "test", 1, NULL));
  x             = graph_input (graph, "x", KT_F32, 4, dims);
  KetteValue *y = apply (graph, "Rows", apply (graph, "Wide", x));
  g_assert_true (_kette_graph_add_output (graph, y, NULL));
  g_autoptr (KetteSession) session = kette_session_new (graph, &error);
  KettePlanInfo info;
  g_assert_no_error (error);
  g_assert_true (
      _kette_session_plan_info (session, &graph->inputs[0]->type, &info, NULL));
  g_assert_cmpuint (info.n_steps, ==, 2);
}

/* A trace sees every value, in rows. */
static void
test_trace (void)
{
  KetteValue *x;
  g_autoptr (KetteGraph) graph = graph_of (IMAGES, 16, &x);
  KetteValue *a = apply (graph, "Wide", x), *b = apply (graph, "Wide", a);
  g_autoptr (KetteTensor) t = kette_tensor_new (KT_F32, x->type.dims, 4, NULL);
  GError *error             = NULL;

  memset (t->data, 0, t->bytes);
  g_assert_true (_kette_graph_add_output (graph, b, NULL));
  KetteTensor **values = _kette_trace (graph, &t, &error);
  g_assert_no_error (error);
  for (size_t i = 0; i < t->count; i++)
    {
      const float c = (float) (i / SPOTS % 16);
      g_assert_cmpfloat (((const float *) values[a->index]->data)[i], ==, c);
      g_assert_cmpfloat (((const float *) values[b->index]->data)[i], ==, 2 * c);
    }
  _kette_trace_free (values, graph->n_values);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  host = _kette_host ();
  g_assert_nonnull (kette_plugins_get (NULL));
  add_op ("Rows");
  add_op ("Wide");
  add_op ("Follow");
  g_test_add_func ("/layout/tags", test_tags);
  g_test_add_func ("/layout/chain", test_chain);
  g_test_add_func ("/layout/once", test_once);
  g_test_add_func ("/layout/zip", test_zip);
  g_test_add_func ("/layout/repeated", test_repeated);
  g_test_add_func ("/layout/none", test_none);
  g_test_add_func ("/layout/flat", test_flat);
  g_test_add_func ("/layout/trace", test_trace);
  return g_test_run ();
}
