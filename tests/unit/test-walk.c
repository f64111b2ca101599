/* SPDX-License-Identifier: Apache-2.0
 * Whole graphs: order, cycles, uses, replacements, sweeping, clones; large ones too.
 */
#include "make-graph.h"

static void
test_sort (void)
{
  KetteGraph *graph           = new_graph ();
  const uint32_t before[1][2] = { { 3, 1 } };
  const uint32_t wrong[1][2]  = { { 3, 9 } };
  GError *error               = NULL;

  node (graph, "d", "Add", "b,c", "y");
  node (graph, "b", "Neg", "a", "b");
  node (graph, "c", "Neg", "a", "c");
  node (graph, "a", "Neg", "x", "a");
  node (graph, "e", "Neg", "x", "e");
  g_assert_true (_kette_graph_sort (graph, NULL, 0, NULL));
  assert_order (graph, "a b c d e");
  end_graph (graph);

  /* What is free stands where it stood; an extra edge moves what it has to. */
  graph = new_graph ();
  node (graph, "p", "Neg", "x", "p");
  node (graph, "q", "Neg", "x", "q");
  node (graph, "r", "Neg", "x", "r");
  node (graph, "s", "Neg", "x", "s");
  g_assert_true (_kette_graph_sort (graph, before, 1, NULL));
  assert_order (graph, "p r s q");
  g_assert_false (_kette_graph_sort (graph, wrong, 1, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_INTERNAL);
  g_clear_error (&error);
  end_graph (graph);
}

static void
test_sort_branches (void)
{
  KetteGraph *graph = new_graph (), *sub, *deep;
  KetteNode *if0    = node (graph, "if0", "If", "c", "y"), *if1;
  char where[KETTE_WHERE_SIZE];
  KetteValue *in_deep, *in_sub;
  KetteUses *uses;

  sub  = add_branch (if0, "then_branch");
  if1  = node (sub, "", "If", "d", "z");
  deep = add_branch (if1, "else_branch");
  node (graph, "late", "Neg", "x", "t");
  in_deep = _kette_graph_capture (deep, value (graph, "t"), NULL);
  g_assert_true (in_deep->graph == deep && in_deep->outer->graph == sub);
  in_sub = in_deep->outer;
  g_assert_true (in_sub->outer == value (graph, "t"));
  g_assert_true (_kette_graph_capture (deep, value (graph, "t"), NULL) == in_deep);
  g_assert_true (_kette_graph_capture (sub, value (graph, "t"), NULL) == in_sub);
  assert_text (in_deep->name, "t");
  /* A name that is taken inside does not hinder. */
  value (sub, "u");
  g_assert_true (_kette_graph_capture (sub, value (graph, "u"), NULL)->outer
                 == value (graph, "u"));

  g_assert_true (_kette_graph_sort (graph, NULL, 0, NULL));
  assert_order (graph, "late if0");
  uses = _kette_uses_new (graph, NULL);
  g_assert_cmpuint (uses->start[value (graph, "t")->index + 1]
                        - uses->start[value (graph, "t")->index],
                    ==, 1);
  g_assert_true (uses->nodes[uses->start[value (graph, "t")->index]] == if0);
  _kette_uses_free (uses);
  assert_text (_kette_node_where (if1, where),
               "node \"if0\" (If), then_branch, node #0 (If)");
  assert_text (_kette_graph_where (deep, where),
               "node \"if0\" (If), then_branch, node #0 (If), else_branch");
  end_graph (graph);
}

static void
test_uses (void)
{
  KetteGraph *graph = new_graph ();
  KetteNode *a, *b;
  KetteUses *uses;
  const uint32_t *start;

  a = node (graph, "a", "Mul", "x,x", "y");
  b = node (graph, "b", "Add", "x,y", "z");
  _kette_node_kill (node (graph, "c", "Neg", "x", "t"));
  uses  = _kette_uses_new (graph, NULL);
  start = uses->start + value (graph, "x")->index;
  g_assert_cmpuint (start[1] - start[0], ==, 3);
  g_assert_true (uses->nodes[start[0]] == a && uses->nodes[start[0] + 1] == a
                 && uses->nodes[start[0] + 2] == b);
  start = uses->start + value (graph, "z")->index;
  g_assert_cmpuint (start[1] - start[0], ==, 0);
  _kette_uses_free (uses);
  end_graph (graph);
}

static void
test_cycles (void)
{
  KetteGraph *graph         = new_graph (), *sub;
  const uint32_t loop[2][2] = { { 0, 1 }, { 1, 0 } };
  GError *error             = NULL;
  char in[32], out[32];

  node (graph, "first", "Neg", "x", "w");
  node (graph, "n0", "Mul", "w,z", "xw");
  node (graph, "n1", "Neg", "xw", "z");
  node (graph, "n2", "Neg", "z", "y");
  g_assert_false (_kette_graph_sort (graph, NULL, 0, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_GRAPH);
  assert_text (error->message,
               "graph: cycle: \"n0\" -> \"xw\" -> \"n1\" -> \"z\" -> \"n0\"");
  g_clear_error (&error);
  g_assert_false (_kette_graph_sort (graph, NULL, 0, NULL));
  end_graph (graph);

  graph = new_graph ();
  node (graph, "", "Neg", "y", "y");
  g_assert_false (_kette_graph_sort (graph, NULL, 0, &error));
  assert_text (error->message, "graph: cycle: #0 -> \"y\" -> #0");
  g_clear_error (&error);
  end_graph (graph);

  graph = new_graph ();
  node (graph, "a", "Neg", "x", "y");
  node (graph, "b", "Neg", "x", "z");
  g_assert_false (_kette_graph_sort (graph, loop, 2, &error));
  assert_text (error->message, "graph: cycle: \"a\" -> \"b\" -> \"a\"");
  g_clear_error (&error);
  assert_order (graph, "a b"); /* as it was */
  end_graph (graph);

  /* A long one is told up to ten names; one in a branch with the way there. */
  graph = new_graph ();
  sub   = add_branch (node (graph, "if0", "If", "c", "y"), "then_branch");
  for (int i = 0; i < 50; i++)
    {
      g_snprintf (in, sizeof in, "v%d", i);
      g_snprintf (out, sizeof out, "v%d", (i + 1) % 50);
      node (sub, "n", "Neg", in, out);
    }
  g_assert_false (_kette_graph_sort (sub, NULL, 0, &error));
  assert_text (
      error->message,
      "graph: node \"if0\" (If), then_branch: cycle: \"n\" -> \"v1\" -> \"n\" -> \"v2\""
      " -> \"n\" -> \"v3\" -> \"n\" -> \"v4\" -> \"n\" -> ... -> \"n\"");
  g_clear_error (&error);
  end_graph (graph);
}

static void
test_replacements (void)
{
  KetteGraph *graph = new_graph (), *sub;
  KetteNode *use    = node (graph, "use", "Add", "a,b", "y");
  KetteNode *if0    = node (graph, "if0", "If", "c", "z");
  KetteValue *a = value (graph, "a"), *b = value (graph, "b"), *c = value (graph, "c2");
  KetteValue *y = value (graph, "y"), *d = value (graph, "d"), *inside;

  sub    = add_branch (if0, "then_branch");
  inside = _kette_graph_capture (sub, a, NULL);
  _kette_graph_add_output (graph, y, NULL);
  a->replacement = b;
  b->replacement = c;
  y->replacement = d;
  _kette_graph_apply_replacements (graph);
  g_assert_true (use->in[0] == c && use->in[1] == c && inside->outer == c);
  g_assert_true (graph->outputs[0] == d && (d->flags & KETTE_VALUE_OUTPUT)
                 && !(y->flags & KETTE_VALUE_OUTPUT));
  /* A mistake of a pass does not hang. */
  c->replacement = a;
  _kette_graph_apply_replacements (graph);
  g_assert_true (use->in[0] == c);
  end_graph (graph);
}

static void
test_sweep (void)
{
  KetteGraph *graph = new_graph (), *sub;
  KetteNode *if0;
  KetteValue *keep;

  node (graph, "a", "Neg", "x", "a");
  node (graph, "unused", "Neg", "a", "u");
  node (graph, "captured", "Neg", "x", "t");
  if0 = node (graph, "if0", "If", "a", "y");
  node (graph, "kept", "Neg", "a", "k");
  add_branch (node (graph, "gone", "If", "u", "v"), "then_branch");
  sub  = add_branch (if0, "then_branch");
  keep = value (graph, "k");
  _kette_graph_capture (sub, value (graph, "t"), NULL);
  _kette_graph_add_output (graph, value (graph, "y"), NULL);
  g_assert_true (_kette_graph_sweep (graph, &keep, 1, NULL));
  assert_order (graph, "a captured if0 kept");
  g_assert_null (value (graph, "u")->producer);
  g_assert_true (value (graph, "k")->producer->index == 3);
  _kette_node_kill (graph->nodes[3]);
  g_assert_true (_kette_graph_sweep (graph, &keep, 1, NULL));
  assert_order (graph, "a captured if0");
  end_graph (graph);
}

static void
test_clone (void)
{
  KetteGraph *graph    = new_graph (), *sub, *deep, *copy, *copied;
  const int64_t two[]  = { 2, 3 };
  const int64_t ints[] = { 5 };
  KetteTensor *data    = kette_tensor_new (KT_F32, two, 2, NULL);
  KetteNode *if0, *n;
  kt_tensor view;
  kt_attr attr = { .name = "t", .kind = KT_A_TENSOR, .v = &view, .n = 1 };
  KetteValue **map, *x;

  node (graph, "a", "Neg", "x", "t");
  if0  = node (graph, "if0", "If", "c", "y");
  sub  = add_branch (if0, "then_branch");
  n    = node (sub, "if1", "If", "d", "z");
  deep = add_branch (n, "else_branch");
  _kette_graph_capture (deep, value (graph, "t"), NULL);
  _kette_tensor_view (data, &view);
  g_assert_true (_kette_node_set_attr (graph->nodes[0], &attr, NULL));
  _kette_graph_add_constant (graph, "w", data, NULL);
  x = value (graph, "x");
  _kette_graph_add_input (graph, x, NULL);
  _kette_graph_add_output (graph, value (graph, "y"), NULL);
  _kette_value_set_tensor_type (x, KT_F32, two, 2, NULL);
  x->ints                         = ints;
  x->n_ints                       = 1;
  value (graph, "c")->replacement = x;

  copy    = _kette_graph_clone (graph, &map, NULL);
  x->ints = NULL;
  kette_graph_unref (graph);
  kette_tensor_unref (data);

  g_assert_cmpuint (copy->n_nodes, ==, 2);
  x = _kette_graph_find (copy, "x");
  g_assert_true (map[x->index] == x && copy->inputs[0] == x && x->type.dims[1] == 3
                 && x->ints[0] == 5 && copy->nodes[0]->in[0] == x);
  g_assert_true (value (copy, "c")->replacement == x);
  g_assert_true (value (copy, "t")->producer == copy->nodes[0]);
  g_assert_true (copy->outputs[0]->producer == copy->nodes[1]);
  g_assert_true (kette_graph_get_parameter (copy, "w") == data);
  g_assert_cmpint (((const kt_tensor *) copy->nodes[0]->attrs[0].v)->shape[1], ==, 3);
  g_assert_cmpfloat (
      ((const float *) ((const kt_tensor *) copy->nodes[0]->attrs[0].v)->data)[5], ==, 0);
  copied = copy->nodes[1]->subgraphs[0];
  g_assert_true (copied->parent == copy
                 && value (copied, "t")->outer == value (copy, "t"));
  copied = copied->nodes[0]->subgraphs[0];
  g_assert_true (value (copied, "t")->outer->graph == copied->parent);
  g_assert_true (_kette_graph_owner (copied, NULL) == copied->parent->nodes[0]);
  _kette_free (map);
  end_graph (copy);
}

/* A chain from its end to its start: sorting, cloning and sweeping take time and stack that
 * do not explode. */
static void
test_chain (void)
{
  enum
  {
    N = 100000
  };
  KetteGraph *graph  = new_graph (), *copy;
  const gint64 start = g_get_monotonic_time ();
  char in[16], out[16];
  KetteUses *uses;

  for (int i = N; i-- > 0;)
    {
      g_snprintf (in, sizeof in, "v%d", i);
      g_snprintf (out, sizeof out, "v%d", i + 1);
      node (graph, out, "Neg", in, out);
    }
  _kette_graph_add_output (graph, value (graph, "v100000"), NULL);
  g_assert_true (_kette_graph_sort (graph, NULL, 0, NULL));
  for (size_t i = 0; i < N; i++)
    g_assert_true (i == 0 || graph->nodes[i]->in[0] == graph->nodes[i - 1]->out[0]);
  copy = _kette_graph_clone (graph, NULL, NULL);
  g_assert_true (_kette_graph_sweep (copy, NULL, 0, NULL));
  g_assert_cmpuint (copy->n_nodes, ==, N);
  uses = _kette_uses_new (copy, NULL);
  g_assert_cmpuint (uses->start[copy->n_values], ==, N);
  _kette_uses_free (uses);
  for (int i = 0; i < N; i++)
    value (copy, copy->nodes[i]->name)->replacement = copy->nodes[i]->in[0];
  _kette_graph_apply_replacements (copy);
  assert_text (kette_graph_get_output_name (copy, 0), "v0");
  g_assert_true (_kette_graph_sweep (copy, NULL, 0, NULL));
  g_assert_cmpuint (copy->n_nodes, ==, 0);
  kette_graph_unref (copy);
  end_graph (graph);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 5 * G_USEC_PER_SEC);
}

/* 64 rungs: 2^64 ways through, 128 nodes. */
static void
test_ladder (void)
{
  KetteGraph *graph  = new_graph (), *copy;
  const gint64 start = g_get_monotonic_time ();
  char in[32], out[32];

  for (int i = 64; i-- > 0;)
    {
      g_snprintf (in, sizeof in, "x%d,y%d", i, i);
      g_snprintf (out, sizeof out, "x%d", i + 1);
      node (graph, out, "Add", in, out);
      g_snprintf (out, sizeof out, "y%d", i + 1);
      node (graph, out, "Mul", in, out);
    }
  _kette_graph_add_output (graph, value (graph, "x64"), NULL);
  g_assert_true (_kette_graph_sort (graph, NULL, 0, NULL));
  copy = _kette_graph_clone (graph, NULL, NULL);
  g_assert_true (_kette_graph_sweep (copy, NULL, 0, NULL));
  g_assert_cmpuint (copy->n_nodes, ==, 127);
  kette_graph_unref (copy);
  end_graph (graph);
  g_assert_cmpint (g_get_monotonic_time () - start, <, G_USEC_PER_SEC);
}

/* Branches in branches, deeper than any loader allows: nothing recurses. */
static void
test_deep_branches (void)
{
  enum
  {
    DEEP = 20000
  };
  KetteGraph *graph = new_graph (), *at = graph, *copy;
  char where[KETTE_WHERE_SIZE];

  for (int i = 0; i < DEEP; i++)
    at = add_branch (node (at, "if", "If", "c", "y"), "then_branch");
  g_assert_nonnull (
      _kette_graph_capture (graph->nodes[0]->subgraphs[0], value (graph, "c"), NULL));
  g_assert_cmpuint (strlen (_kette_graph_where (at, where)), <, KETTE_WHERE_SIZE);
  copy = _kette_graph_clone (graph, NULL, NULL);
  kette_graph_unref (copy);
  end_graph (graph);
}

/* Memory is refused at one point after the other: always the error, never a leak. */
static void
test_refusals (void)
{
  KetteAccount *process = _kette_account_process ();
  const size_t cap      = process->cap;
  KetteGraph *graph     = new_graph ();
  gboolean done         = FALSE;
  size_t used;

  for (int i = 0; i < 300; i++)
    {
      char in[16], out[16];

      g_snprintf (in, sizeof in, "v%d", 300 - i);
      g_snprintf (out, sizeof out, "v%d", 301 - i);
      node (graph, out, "Neg", in, out);
    }
  add_branch (graph->nodes[5], "then_branch");
  used = process->used;
  for (size_t extra = 0; !done; extra += 500)
    {
      GError *error = NULL;
      KetteGraph *copy;

      process->cap = used + extra;
      copy         = _kette_graph_clone (graph, NULL, &error);
      done         = copy && _kette_graph_sort (copy, NULL, 0, &error)
             && _kette_graph_sweep (copy, NULL, 0, &error);
      g_assert_true (done == !error);
      if (error)
        g_assert_error (error, KETTE_ERROR, KETTE_ERROR_MEMORY);
      g_clear_error (&error);
      kette_graph_unref (copy);
      g_assert_cmpuint (process->used, ==, used);
    }
  process->cap = cap;
  end_graph (graph);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/graph/sort/order", test_sort);
  g_test_add_func ("/graph/sort/branches", test_sort_branches);
  g_test_add_func ("/graph/sort/cycles", test_cycles);
  g_test_add_func ("/graph/uses", test_uses);
  g_test_add_func ("/graph/replacements", test_replacements);
  g_test_add_func ("/graph/sweep", test_sweep);
  g_test_add_func ("/graph/clone", test_clone);
  g_test_add_func ("/graph/large/chain", test_chain);
  g_test_add_func ("/graph/large/ladder", test_ladder);
  g_test_add_func ("/graph/large/branches", test_deep_branches);
  g_test_add_func ("/graph/refusals", test_refusals);
  return g_test_run ();
}
