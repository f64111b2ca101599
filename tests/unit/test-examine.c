/* SPDX-License-Identifier: Apache-2.0
 * kette check: graphs around operators that nobody provides, and several faults of one step.
 */
#include "exec/transform.h"
#include "io/io.h"
#include "op/context.h"
#include "pack.h"
#include "pass/pass.h"

/* float32[A,B] and the like. */
#define MATRIX(field, name, a, b)                                                        \
  field ":{1:'" name "' 2:{1:{1:1 2:{1:{1:" a "} 1:{1:" b "}}}}} "
#define FOO(name, in, out) "1:{1:'" in "' 2:'" out "' 3:'" name "' 4:'Foo' 7:'com.x'} "
#define PAIR(name, op, a, b, out)                                                        \
  "1:{1:'" a "' 1:'" b "' 2:'" out "' 3:'" name "' 4:'" op "'} "
#define MISSING(node)                                                                    \
  "unsupported: node \"" node                                                            \
  "\" (Foo): no plugin serves the domain \"com.x\" (operator "                           \
  "\"Foo\")\n"
#define MISSING_TWICE(node)                                                              \
  "unsupported: node \"" node                                                            \
  "\" (Foo): no plugin serves the domain \"com.x\" (operator "                           \
  "\"Foo\"), which 2 nodes need\n"

typedef struct
{
  const char *model;
  const char *structure, *full; /* the faults that check --structure and check tell */
  const char *missing;
} Case;

static const Case cases[] = {
  { MODEL (RELU), "", "", "" },
  /* around opaque nodes */
  { MODEL (INPUT ("x") OUTPUT ("y") FOO ("f", "x", "h") NODE ("r", "Relu", "h", "y")), "",
    MISSING ("f"), "com.x:Foo (1 node)" },
  { MODEL (INPUT ("x") OUTPUT ("y") FOO ("f", "x", "h") FOO ("g", "h", "y")), "",
    MISSING_TWICE ("f"), "com.x:Foo (2 nodes)" },
  { MODEL (INPUT ("x") OUTPUT ("y") FOO ("f", "x", "h") NODE (
        "r", "Relux", "h",
        "k") "1:{1:'k' 2:'l' 3:'b' 4:'Bar' 7:'com.x'} " NODE ("s", "Relux", "l", "m")
               FOO ("g", "m", "y")),
    "",
    MISSING_TWICE (
        "f") "unsupported: node \"r\" (Relux): no plugin has the operator \"Relux\" "
             "(domain \"\", opset 13), which 2 nodes need; did you mean \"Relu\"?\n"
             "unsupported: node \"b\" (Bar): no plugin serves the domain \"com.x\" "
             "(operator \"Bar\")\n",
    "com.x:Foo (2 nodes), Relux (2 nodes), com.x:Bar (1 node)" },
  { "1:8 8:{2:5} 7:{" INPUT ("x") OUTPUT ("y") PAIR ("w", "Where", "x", "x", "h")
        PAIR ("v", "Where", "x", "h", "y") "} ",
    "unsupported: node \"w\" (Where): \"Where\", which 2 nodes need, exists since opset "
    "9, "
    "the model imports 5\n",
    "unsupported: node \"w\" (Where): \"Where\", which 2 nodes need, exists since opset "
    "9, "
    "the model imports 5\n",
    "" },
  { MODEL (INPUT ("x") OUTPUT ("y") FOO ("f", "x", "h")
               PAIR ("r", "Relu", "h", "h", "y")),
    "graph: node \"r\" (Relu): has 2 inputs, needs 1\n",
    MISSING ("f") "graph: node \"r\" (Relu): has 2 inputs, needs 1\n",
    "com.x:Foo (1 node)" },
  { MODEL (INPUT ("x") OUTPUT ("y")
               FOO ("f", "x", "h") "1:{1:'h' 2:'y' 3:'r' 4:'Relu' 5:{1:'b' 3:1 20:2}} "),
    "attr: node \"r\" (Relu): unknown attribute \"b\"\n",
    MISSING ("f") "attr: node \"r\" (Relu): unknown attribute \"b\"\n",
    "com.x:Foo (1 node)" },
  { "1:8 8:{2:5} 7:{" INPUT ("x") OUTPUT ("y") PAIR ("u", "Unsqueeze", "x", "x", "h")
        PAIR ("w", "Where", "x", "h", "y") "} ",
    "graph: node \"u\" (Unsqueeze): has 2 inputs, needs 1\n"
    "unsupported: node \"w\" (Where): \"Where\" exists since opset 9, the model imports "
    "5\n",
    "graph: node \"u\" (Unsqueeze): has 2 inputs, needs 1\n"
    "unsupported: node \"w\" (Where): \"Where\" exists since opset 9, the model imports "
    "5\n",
    "" },
  /* types are inferred past an opaque node; what follows from it is no fault */
  { MODEL (MATRIX ("11", "a", "2", "3") MATRIX ("11", "b", "4", "5") OUTPUT ("y")
               FOO ("f", "a", "h") PAIR ("m", "MatMul", "h", "b", "k")
                   PAIR ("n", "MatMul", "a", "b", "y")),
    "shape: node \"n\" (MatMul): [2,3] x [4,5]: 3 and 4 differ\n", MISSING ("f"),
    "com.x:Foo (1 node)" },
  { MODEL (MATRIX ("11", "a", "2", "3") MATRIX ("11", "b", "4", "5") OUTPUT ("y")
               PAIR ("m", "MatMul", "a", "b", "h") PAIR ("o", "MatMul", "b", "a", "k")
                   PAIR ("s", "Add", "h", "k", "t") PAIR ("e", "MatMul", "t", "a", "y")),
    "shape: node \"m\" (MatMul): [2,3] x [4,5]: 3 and 4 differ\n"
    "shape: node \"o\" (MatMul): [4,5] x [2,3]: 5 and 2 differ\n",
    "shape: node \"m\" (MatMul): [2,3] x [4,5]: 3 and 4 differ\n"
    "shape: node \"o\" (MatMul): [4,5] x [2,3]: 5 and 2 differ\n",
    "" },
  /* an old form whose body needs a rank that nobody knows */
  { "1:8 8:{2:11} 7:{" INPUT ("x") OUTPUT ("y") FOO ("f", "x", "h")
        NODE ("s", "Softmax", "h", "y") "} ",
    "", MISSING ("f"), "com.x:Foo (1 node)" },
  /* subgraphs: branches are looked at, and may hold shapes that never come */
  { MODEL ("11:{1:'c' 2:{1:{1:9 2:{}}}} " MATRIX ("11", "a", "2", "3") OUTPUT (
        "y") "1:{1:'c' 2:'y' 3:'i' 4:'Choose' 7:'com.x' "
             "5:{1:'then' 20:5 6:{" FOO ("f", "a", "t")
                 OUTPUT ("t") "}} "
                              "5:{1:'else' 20:5 6:{" PAIR ("m", "MatMul", "a", "a", "e")
                                  OUTPUT ("e") "}}} "),
    "",
    "unsupported: node \"i\" (Choose): no plugin serves the domain \"com.x\" (operator "
    "\"Choose\")\n"
    "unsupported: node \"i\" (Choose), then, node \"f\" (Foo): no plugin serves the "
    "domain "
    "\"com.x\" (operator \"Foo\")\n",
    "com.x:Choose (1 node), com.x:Foo (1 node)" },
  { MODEL (MATRIX ("11", "a", "2", "3")
               OUTPUT ("y") "1:{1:'a' 2:'y' 3:'i' 4:'Choose' 7:'com.x' "
                            "5:{1:'then' 20:5 6:{" PAIR ("r", "Relu", "a", "a", "t")
                                OUTPUT ("t") "}}} "),
    "graph: node \"i\" (Choose), then, node \"r\" (Relu): has 2 inputs, needs 1\n",
    "unsupported: node \"i\" (Choose): no plugin serves the domain \"com.x\" (operator "
    "\"Choose\")\n"
    "graph: node \"i\" (Choose), then, node \"r\" (Relu): has 2 inputs, needs 1\n",
    "com.x:Choose (1 node)" },
  /* functions: those that nobody calls are no matter for a run */
  { MODEL (RELU) "25:{1:'f' 4:'a' 5:'b' 7:{1:'a' 2:'b' 3:'n' 4:'Foo' 7:'com.x'} "
                 "9:{1:'com.x' 2:1} 10:'l'} ",
    "", "", "" },
  { MODEL (RELU) "25:{1:'f' 4:'a' 5:'b' 7:{1:'a' 1:'a' 2:'b' 3:'n' 4:'Relu'} 9:{2:13} "
                 "10:'l'}",
    "graph: function \"l:f\", node \"n\" (Relu): has 2 inputs, needs 1\n", "", "" },
  { MODEL (INPUT ("x") OUTPUT (
        "y") "1:{1:'x' 2:'y' 3:'c' 4:'f' 7:'l'} ") "8:{1:'l' 2:1} 25:{1:'f' 4:'a' 5:'b' "
                                                   "7:{1:'a' 2:'b' 3:'n' 4:'Foo' "
                                                   "7:'com.x'} "
                                                   "9:{1:'com.x' 2:1} 10:'l'} ",
    "",
    "unsupported: function \"l:f\", node \"n\" (Foo): no plugin serves the domain "
    "\"com.x\" "
    "(operator \"Foo\")\n",
    "com.x:Foo (1 node)" },
  /* the graph, a function and a training step need the same one */
  { MODEL (WEIGHT ("1:1 2:1 8:'w' 9:x00000000") "1:{1:'x' 2:'k' 3:'c' 4:'f' 7:'l'} " FOO (
        "g", "x",
        "h")) "8:{1:'l' 2:1} 25:{1:'f' 4:'a' 5:'b' "
              "7:{1:'a' 2:'b' 3:'n' 4:'Foo' 7:'com.x'} 9:{1:'com.x' 2:1} 10:'l'} "
              "20:{2:{1:{1:'w' 2:'v' 3:'t' 4:'Foo' 7:'com.x'} 12:{1:'v'}} 4:{1:'w' "
              "2:'v'}}",
    "graph: node \"n0\" (Add): has 1 inputs, needs 2\n",
    "graph: node \"n0\" (Add): has 1 inputs, needs 2\n"
    "unsupported: node \"g\" (Foo): no plugin serves the domain \"com.x\" (operator "
    "\"Foo\"), which 3 nodes need\n",
    "com.x:Foo (3 nodes)" },
  /* the same operator of another version is another one */
  { MODEL (INPUT ("x") OUTPUT ("y") FOO (
        "f", "x", "h") "1:{1:'h' 2:'y' 3:'c' 4:'f' 7:'l'} ") "8:{1:'l' 2:1} 25:{1:'f' "
                                                             "4:'a' 5:'b' 7:{1:'a' "
                                                             "2:'b' 3:'n' 4:'Foo' "
                                                             "7:'com.x'} 9:{1:'com.x' "
                                                             "2:2} 10:'l'} ",
    "",
    MISSING ("f") "unsupported: function \"l:f\", node \"n\" (Foo): no plugin serves the "
                  "domain \"com.x\" (operator \"Foo\")\n",
    "com.x:Foo (2 nodes)" },
  /* training steps */
  { MODEL (
        WEIGHT ("1:1 2:1 8:'w' 9:x00000000")) "20:{2:{1:{1:'w' 2:'v' 3:'t' 4:'Foo' "
                                              "7:'com.x'} 12:{1:'v'}} 4:{1:'w' 2:'v'}}",
    "graph: node \"n0\" (Add): has 1 inputs, needs 2\n",
    "graph: node \"n0\" (Add): has 1 inputs, needs 2\n"
    "unsupported: training_info[0], algorithm, node \"t\" (Foo): no plugin serves the "
    "domain "
    "\"com.x\" (operator \"Foo\")\n",
    "com.x:Foo (1 node)" },
};

static void
collect (const GError *fault, gpointer user)
{
  GString *out = user;

  g_assert_true (g_str_has_prefix (fault->message, "<memory>: "));
  g_string_append (out, fault->message + strlen ("<memory>: "));
  g_string_append_c (out, '\n');
}

static void
expect (KetteGraph *graph, gboolean structure, const char *want, const char *model)
{
  g_autoptr (GError) error = NULL, first = NULL;
  g_autoptr (GString) told = g_string_new (NULL);
  const gboolean ok = kette_graph_check_full (graph, structure, collect, told, &error);

  if (strcmp (told->str, want) != 0)
    g_test_message ("%s", model);
  g_assert_cmpstr (told->str, ==, want);
  g_assert_true (ok == !*want);
  g_assert_true (kette_graph_check (graph, structure, &first) == ok);
  if (ok)
    return;
  g_assert_cmpstr (first->message, ==, error->message);
  g_assert_true (g_str_has_prefix (want, error->message + strlen ("<memory>: ")));
}

static KetteGraph *
load (const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = pack (text);
  KetteGraph *graph        = kette_graph_load_bytes (bytes, &error);

  if (!graph)
    g_test_message ("%s", text);
  g_assert_no_error (error);
  return graph;
}

/* Every domain that a case uses is imported. */
static KetteGraph *
load_case (const char *text)
{
  g_autofree char *all = g_strconcat (text, " 8:{1:'com.x' 2:1}", NULL);

  return load (all);
}

static void
test_table (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (KetteGraph) graph = load_case (cases[i].model);
      g_autofree char *missing     = kette_graph_list_missing (graph, NULL);

      expect (graph, TRUE, cases[i].structure, cases[i].model);
      expect (graph, FALSE, cases[i].full, cases[i].model);
      g_assert_cmpstr (missing, ==, cases[i].missing);
    }
}

/* Of many faults 20 are told. Each operator that is missing is needed by TIMES nodes. */
static void
tell_many (int times)
{
  g_autoptr (GString) text = g_string_new ("1:8 8:{2:13} 7:{" INPUT ("x") OUTPUT ("v29"));
  g_autoptr (GString) told = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (KetteGraph) graph = NULL;
  guint lines                  = 0;

  for (int i = 0; i < 30 * times; i++)
    g_string_append_printf (text, "1:{1:'x' 2:'v%d' 3:'f%d' 4:'Foo%d' 7:'com.x'} ", i, i,
                            i % 30);
  g_string_append (text, "}");
  graph = load_case (text->str);
  g_assert_false (kette_graph_check_full (graph, FALSE, collect, told, &error));
  for (const char *p = told->str; *p; p++)
    lines += *p == '\n';
  g_assert_cmpuint (lines, ==, 20);
  g_assert_nonnull (strstr (told->str, "node \"f19\" (Foo19)"));
  g_assert_nonnull (strstr (error->message, "node \"f0\" (Foo0)"));
  g_assert_true (g_str_has_suffix (told->str, times == 1 ? "\"Foo19\")\n"
                                                         : ", which 9 nodes need\n"));
}

static void
test_many (void)
{
  tell_many (1);
  tell_many (9);
}

static void
forget_inputs (KetteGraph *graph)
{
  for (size_t i = 0; i < graph->n_inputs; i++)
    {
      graph->inputs[i]->type = (kt_type){ 0 };
      graph->inputs[i]->flags |= KETTE_VALUE_VAGUE;
    }
}

/* No operator takes an unknown type for a fault: that would be told where the only fault is
 * that of another node. */
static void
test_unknown_types (void)
{
  const char *folder   = "/usr/lib/python3/dist-packages/onnx/backend/test/data/node";
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  guint n = 0;

  if (!dir)
    {
      g_test_skip ("skipped: ONNX's node tests are not installed");
      return;
    }
  while ((name = g_dir_read_name (dir)))
    {
      g_autofree char *file        = g_build_filename (folder, name, "model.onnx", NULL);
      g_autoptr (GError) error     = NULL;
      g_autoptr (KetteGraph) graph = kette_graph_load (file, &error);
      KetteFaults faults           = { 0 };

      g_assert_no_error (error);
      forget_inputs (graph);
      graph->tolerance = KETTE_TOLERANT;
      if (!_kette_pass_check (graph, NULL)
          || !_kette_pass_canonical_all (graph, &faults, &error))
        g_test_message ("%s", file);
      for (size_t i = 0; i < faults.n; i++)
        g_test_message ("%s: %s", file, faults.list[i]->message);
      g_assert_no_error (error);
      g_assert_cmpuint (faults.n, ==, 0);
      n++;
    }
  g_assert_cmpuint (n, >, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/examine/table", test_table);
  g_test_add_func ("/examine/many", test_many);
  g_test_add_func ("/examine/unknown-types", test_unknown_types);
  return g_test_run ();
}
