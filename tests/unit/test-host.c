/* SPDX-License-Identifier: Apache-2.0
 * The host's functions one by one, as a plugin may call them: with operands that are not there,
 * contents that are not known, memory that ends.
 */
#include "host.h"

/* -- what is known of operands ---------------------------------------------------------------- */

static void
test_contents (void)
{
  static const int64_t three[] = { 7, INT64_MIN, -1 };
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteNode *node              = node_of (graph, "n", 2, TRUE);
  g_autoptr (KetteTensor) ints = tensor_i64 (3, three),
                          real = tensor_f64 (1, &(double){ 2 }),
                          many
                          = kette_tensor_new (KT_I64, (const gint64[]){ 65537 }, 1, NULL);
  KetteValue *x  = node->in[0];
  kt_infer infer = { &context };
  const int64_t *v;
  kt_tensor content;
  kt_type type;
  size_t n;

  _kette_value_set_data (x, ints);
  x->flags |= KETTE_VALUE_STATE; /* a training step rewrites it: nothing is known */
  host->constant (&infer, 0, &content);
  g_assert_null (content.data);
  g_assert_cmpint (host->ints (&infer, 0, &v, &n), ==, KT_OK);
  g_assert_null (v);
  x->flags &= ~(uint32_t) KETTE_VALUE_STATE;
#if KETTE_FAULTS
  _kette_faults_set ("alloc:1", NULL);
  g_assert_cmpint (host->ints (&infer, 0, &v, &n), ==, KT_E_NOMEM);
  assert_failed (KT_E_NOMEM, "known contents");
  g_assert_null (v);
  _kette_faults_set ("alloc:1", NULL);
  g_assert_cmpint (host->out_ints (&infer, 0, three, 0), ==, KT_E_NOMEM);
  assert_failed (KT_E_NOMEM, "known contents");
  _kette_faults_set (NULL, NULL);
#endif
  x->flags |= KETTE_VALUE_SOFT; /* who looks is noted */
  host->constant (&infer, 0, &content);
  g_assert_true (content.data == ints->data);
  g_assert_true (x->flags & KETTE_VALUE_ASKED);
  x->flags &= ~(uint32_t) KETTE_VALUE_ASKED;
  g_assert_cmpint (host->ints (&infer, 0, &v, &n), ==, KT_OK);
  g_assert_true (x->flags & KETTE_VALUE_ASKED);
  g_assert_cmpuint (n, ==, 3);
  g_assert_cmpint (v[0], ==, 7);
  g_assert_false (KT_IS_DIM (v[1])); /* a number of the file is no symbol */
  g_assert_cmpint (v[2], ==, -1);

  x->ints = NULL;
  _kette_value_set_data (x, real);
  g_assert_cmpint (host->ints (&infer, 0, &v, &n), ==, KT_OK);
  g_assert_null (v);
  _kette_value_set_data (x, many);
  g_assert_cmpint (host->ints (&infer, 0, &v, &n), ==, KT_OK);
  g_assert_null (v);

  host->type (&infer, 0, 7, &type);
  g_assert_true (type.kind == 0 && type.ndim == 0);
  x->type = (kt_type){ 0 };
  host->type (&infer, 0, 0, &type);
  g_assert_true (type.kind == 0 && type.ndim == -1);
  g_assert_cmpint (host->out_ints (&infer, 1, three, 2), ==, KT_OK);
  g_assert_cmpuint (node->out[1]->n_ints, ==, 2);
}

/* A function of a later stage, called while a plugin registers. */
static void
test_no_node (void)
{
  KetteContext none = { NULL, &failure };
  kt_reg reg        = { .context = &none };
  int32_t n_in = 5, n_out = 5, version = 5;
  kt_type type;
  kt_attr a;

  g_assert_cmpint (host->attr (&reg, "seed", &a), ==, KT_OK);
  g_assert_cmpint (a.kind, ==, 0);
  g_assert_cmpint (host->arity (&reg, &n_in, &n_out, &version), ==, KT_OK);
  g_assert_true (n_in == 0 && n_out == 0 && version == 0);
  host->type (&reg, 0, 0, &type);
  g_assert_cmpint (type.kind, ==, 0);
  g_test_expect_message ("Kette", G_LOG_LEVEL_WARNING, "plugin: hot");
  host->log (&reg, 1, "hot", 3);
  g_test_assert_expected_messages ();
}

static void
test_attributes (void)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  kt_infer infer               = { &context };
  int32_t n_in, n_out, version;
  kt_attr a;

  node_of (graph, "n", 2, TRUE);
  host->arity (&infer, &n_in, &n_out, &version);
  g_assert_true (n_in == 2 && n_out == 2 && version == 5);
  host->attr (&infer, "odd", &a); /* a default that has no text form */
  g_assert_cmpint (a.kind, ==, 0);
  host->attr (&infer, "list", &a);
  g_assert_true (a.kind == KT_A_INTS && a.n == 2 && ((const int64_t *) a.v)[1] == 5);
}

/* -- run ------------------------------------------------------------------------------------- */

static void
add_one (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  (void) worker;
  g_atomic_int_add ((gint *) arg, (gint) (end - begin));
}

static void
test_run (void)
{
  static const int64_t two[] = { 2 }, other[] = { 3 };
  g_autoptr (KetteGraph) graph         = graph_new (18);
  KetteNode *node                      = node_of (graph, "", 2, TRUE);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  const KetteRunShared shared = { .seed = 3, .step = 1, .cancellable = cancellable };
  kt_tensor outs[3]           = { { .device_type = KT_CPU, .ndim = 1, .shape = two },
                                  { .device_type = 0 },
                                  { .device_type = KT_CPU } };
  uint8_t memory[64];
  KetteStepRun self = { .head            = { .out = outs, .n_out = 3 },
                        .context         = context,
                        .shared          = &shared,
                        .workspace       = memory,
                        .workspace_bytes = 32 };
  kt_run *run       = &self.head;
  uint32_t key[5][2], counter[2];
  kt_tensor got;
  gint done = 0;

  self.head.context = &self.context;
  /* The context of a run is the struct itself: its first pointer. */
  run->context = &context;
  g_assert_cmpint (host->output_sized (run, 0, two, 1, &got), ==, KT_OK);
  g_assert_cmpint (host->output_sized (run, 1, two, 1, &got), ==, KT_OK);
  g_assert_cmpint (host->output_sized (run, 2, NULL, 0, &got), ==, KT_OK);
  g_assert_cmpint (host->output_sized (run, 0, two, 0, &got), ==, KT_E_SHAPE);
  assert_failed (KT_E_SHAPE, "declared as [2]");
  g_assert_cmpint (host->output_sized (run, 0, other, 1, &got), ==, KT_E_SHAPE);
  assert_failed (KT_E_SHAPE, "output 0 is [3]");
  g_assert_cmpint (host->output_sized (run, -1, two, 1, &got), ==, KT_E_INTERNAL);
  assert_failed (KT_E_INTERNAL, "no such output");
  g_assert_cmpint (host->output_sized (run, 3, two, 1, &got), ==, KT_E_INTERNAL);
  assert_failed (KT_E_INTERNAL, "no such output");

  g_assert_true (host->workspace (run, 1, NULL) == memory); /* one piece for all */
  self.per_worker = TRUE;
  g_assert_true (host->workspace (run, 1, NULL) == memory + 32);
  g_assert_true (host->workspace (run, -1, NULL) == memory);

  /* The key follows from the name of the node, of the file's node, of the first output. */
  host->random (run, key[0], counter);
  node->name = "other";
  host->random (run, key[1], counter);
  node->origin = "first";
  host->random (run, key[2], counter);
  node->name = node->origin = "";
  node->out[0]              = NULL;
  host->random (run, key[3], counter);
  node->n_out = 0;
  host->random (run, key[4], counter);
  for (int i = 0; i < 3; i++)
    for (int j = i + 1; j < 4; j++)
      g_assert_true (memcmp (key[i], key[j], sizeof key[i]) != 0);
  g_assert_cmpmem (key[3], sizeof key[3], key[4], sizeof key[4]);
  /* A seed of its own: the kinds that the operators have. */
  node->attrs   = (kt_attr[]){ { .name = "seed", .kind = KT_A_INT, .i = 3 } };
  node->n_attrs = 1;
  host->random (run, key[0], counter);
  node->attrs = (kt_attr[]){ { .name = "seed", .kind = KT_A_FLOAT, .f = 3 } };
  host->random (run, key[1], counter);
  g_assert_cmpmem (key[0], sizeof key[0], key[3], sizeof key[3]);
  g_assert_true (memcmp (key[0], key[1], sizeof key[0]) != 0);
  node->n_attrs = 0;
  g_assert_cmpuint (counter[0], ==, 1);

  g_assert_cmpint (host->parallel_for (run, 5, 2, add_one, &done), ==, KT_OK);
  g_assert_cmpint (done, ==, 5);
  g_cancellable_cancel (cancellable);
  g_assert_cmpint (host->cancelled (run), ==, 1);
  for (int i = 0; i < 2; i++)
    g_assert_cmpint (host->parallel_for (run, 5, 2, add_one, &done), ==, KT_E_CANCELLED);
  assert_failed (KT_E_CANCELLED, "");
}

/* -- emitting nodes ----------------------------------------------------------------------- */

static void
test_emit (void)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteNode *node              = node_of (graph, "", 2, TRUE);
  const uint8_t wanted[3]      = { 1, 0, 0 };
  KetteValue *set[3]           = { NULL };
  kt_graph g                   = { .context = &context,
                                   .graph   = graph,
                                   .emit    = KETTE_EMIT_GRADIENT,
                                   .in      = node->in,
                                   .wanted  = wanted,
                                   .set     = set };
  const double half            = 0.5;
  const kt_tensor scalar       = { .data        = (void *) (uintptr_t) &half,
                                   .device_type = KT_CPU,
                                   .code        = 2,
                                   .bits        = 64,
                                   .lanes       = 1 };
  kt_value v = 0, w = 0, x = host->g_in (&g, 0);
  kt_type type;

  g_assert_cmpint (host->g_seed (&g, 0), ==, 0); /* there are no seeds */
  g.seeds = (KetteValue *[]){ node->in[1], NULL };
  g_assert_cmpint (host->g_seed (&g, 0), !=, 0);
  g_assert_cmpint (host->g_seed (&g, 1), ==, 0);
  g_assert_cmpint (host->g_seed (&g, -1), ==, 0);
  g_assert_cmpint (host->g_wanted (&g, 0), ==, 1);
  g_assert_cmpint (host->g_wanted (&g, 1), ==, 0);
  g_assert_cmpint (host->g_set (&g, 1, x), ==, KT_OK); /* nobody wants it */
  g_assert_null (set[1]);

  /* A constant, nodes named after the first output, a sum of two contributions. */
  g_assert_cmpint (host->g_constant (&g, &scalar, &v), ==, KT_OK);
  g_assert_cmpint (
      host->g_node (&g, "", "Mul", 18, (const kt_value[]){ x, v }, 2, &w, 1, NULL, 0), ==,
      KT_OK);
  const KetteNode *mul = graph->values[w - 1]->producer;
  g_assert_cmpstr (mul->name, ==, "grad/a/Mul");
  g_assert_cmpstr (mul->origin, ==, "a");
  host->g_type (&g, w, &type);
  g_assert_true (type.dtype == KT_F64 && type.ndim == 1);
  g_assert_cmpint (host->g_set (&g, 0, w), ==, KT_OK);
  g_assert_cmpint (host->g_set (&g, 0, x), ==, KT_OK);
  g_assert_cmpstr (set[0]->producer->op, ==, "Add");

  /* An output that nobody made: it is made now. */
  g_assert_cmpint (node->n_out, ==, 2);
#if KETTE_FAULTS
  for (int n = 1; n < 4; n++)
    {
      g_autofree char *text = g_strdup_printf ("alloc:%d", n);

      node->n_out = 2;
      _kette_faults_set (text, NULL);
      g_assert_cmpint (host->g_out (&g, 2), ==, 0);
      _kette_faults_set (NULL, NULL);
      assert_failed (KT_E_NOMEM, "on purpose");
    }
  node->n_out = 2;
#endif
  w = host->g_out (&g, 2);
  g_assert_cmpint (w, !=, 0);
  g_assert_cmpint (node->n_out, ==, 3);
  g_assert_cmpint (host->g_out (&g, 2), ==, w);
  host->g_type (&g, w, &type);
  g_assert_cmpint (type.dtype, ==, KT_F64);
  g_assert_cmpint (host->g_out (&g, 3), ==, 0);

#if KETTE_FAULTS
  /* Memory ends: the first failure stays. */
  for (int n = 1; n < 30; n++)
    {
      g_autofree char *text = g_strdup_printf ("alloc:%d", n);

      _kette_faults_set (text, NULL);
      const kt_status status
          = n % 2 ? host->g_node (&g, "", "Mul", 18, (const kt_value[]){ x, v }, 2, &w, 1,
                                  NULL, 0)
                  : host->g_constant (&g, &scalar, &w);
      const gboolean all = _kette_faults_count (KETTE_FAULT_ALLOC) < (uint64_t) n;
      _kette_faults_set (NULL, NULL);
      g_assert_cmpint (status, ==, all ? KT_OK : KT_E_NOMEM);
      if (!all)
        {
          g_assert_cmpint (w, ==, 0);
          g_assert_cmpint (host->g_set (&g, 0, x), ==, KT_E_NOMEM);
          g_assert_cmpint (host->g_out (&g, 9), ==, 0);
          g_assert_cmpint (host->g_out (&g, 0), !=, 0);
          assert_failed (KT_E_NOMEM, "on purpose");
        }
    }
#endif
  g_assert_cmpint (host->g_node (&g, "", "Neg", 18, &x, -1, &w, 1, NULL, 0), ==,
                   KT_E_INTERNAL);
  assert_failed (KT_E_INTERNAL, "no output");
}

/* Names of emitted nodes, where the node has none. */
static void
test_emit_names (void)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteNode *node              = node_of (graph, "", 1, TRUE);
  kt_graph g                   = {
                      .context = &context, .graph = graph, .emit = KETTE_EMIT_GRADIENT, .in = node->in
  };
  kt_value w = 0, x = host->g_in (&g, 0);

  node->out[0] = NULL;
  g_assert_cmpint (host->g_node (&g, "", "Neg", 18, &x, 1, &w, 1, NULL, 0), ==, KT_OK);
  g_assert_cmpstr (graph->values[w - 1]->producer->origin, ==, "");
  node->n_out = 0;
  g_assert_cmpint (host->g_node (&g, "", "Neg", 18, &x, 1, &w, 1, NULL, 0), ==, KT_OK);
  g_assert_cmpstr (graph->values[w - 1]->producer->name, ==, "grad//Neg");

  g.emit = KETTE_EMIT_BODY; /* a body has no outputs to ask for */
  g_assert_cmpint (host->g_out (&g, 0), ==, 0);
  node->name = "grad/n";
  g_assert_cmpint (host->g_node (&g, "", "Neg", 18, &x, 1, &w, 1, NULL, 0), ==, KT_OK);
  g_assert_cmpstr (graph->values[w - 1]->producer->name, ==, "grad/grad/n/Neg");
}

int
main (int argc, char **argv)
{
  kt_op op;

  g_test_init (&argc, &argv, NULL);
  host = _kette_host ();
  op   = op_named ("test", "Host", 5);
  g_assert_nonnull (kette_plugins_get (NULL));
  g_assert_cmpint (add_as ("a", FALSE, &op, NULL), ==, KT_OK);
  g_test_add_func ("/host/contents", test_contents);
  g_test_add_func ("/host/no-node", test_no_node);
  g_test_add_func ("/host/attributes", test_attributes);
  g_test_add_func ("/host/run", test_run);
  g_test_add_func ("/host/emit", test_emit);
  g_test_add_func ("/host/emit-names", test_emit_names);
  return g_test_run ();
}
