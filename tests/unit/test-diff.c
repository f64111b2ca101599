/* SPDX-License-Identifier: Apache-2.0
 * kette_graph_diff: pairs of small models and what is said of them.
 */
#include "exec/diff.h"
#include "io/io.h"
#include "pack.h"

#define ATTR(name, value) "5:{1:'" name "' 3:" value " 20:2} "
#define CONV(attrs)                                                                      \
  INPUT ("x") OUTPUT ("y") "1:{1:'x' 2:'y' 3:'n' 4:'Flatten' " attrs "} "
#define CHAIN(h, i)                                                                      \
  INPUT ("x")                                                                            \
  OUTPUT ("y")                                                                           \
  NODE ("a", "Relu", "x", h) NODE ("b", "Neg", h, i) NODE ("c", "Relu", i, "y")
#define FLOATS(name, bytes) "5:{1:2 2:1 8:'" name "' 9:x" bytes "} "
#define ADD(w) "1:{1:'x' 1:'" w "' 2:'y' 3:'n' 4:'Add'} "
#define WEIGHTED(name, bytes) INPUT ("x") OUTPUT ("y") FLOATS (name, bytes) ADD (name)
#define PAIR(name, op, a, b, out)                                                        \
  "1:{1:'" a "' 1:'" b "' 2:'" out "' 3:'" name "' 4:'" op "'} "

typedef struct
{
  const char *a, *b;
  KetteDiffOptions options;
  const char *text;
} Case;

static const Case cases[] = {
  { MODEL (RELU), MODEL (RELU), { 0 }, "equal: 1 node, 0 parameters\n" },
  /* the header */
  { MODEL (RELU),
    "1:9 8:{2:14} 8:{1:'l' 2:1} 7:{" RELU "}",
    { 0 },
    "model\n"
    "  ~ IR version 8 -> 9\n"
    "  ~ ai.onnx opset 13 -> 14\n"
    "  + \"l\" opset 1\n"
    "3 other differences\n" },
  { MODEL (RELU) "14:{1:'k' 2:'v'}",
    MODEL (RELU) "2:'p'",
    { 0 },
    "equal: 1 node, 0 parameters\n" },
  { MODEL (RELU) "14:{1:'k' 2:'v'}",
    MODEL (RELU) "2:'p' 14:{1:'l' 2:'w'}",
    { .flags = KETTE_DIFF_METADATA },
    "metadata\n"
    "  ~ producer: \"\" -> \"p\"\n"
    "  - \"k\" = \"v\"\n"
    "  + \"l\" = \"w\"\n"
    "3 other differences\n" },
  /* inputs and outputs */
  { MODEL (RELU),
    MODEL (INPUT ("q") OUTPUT ("y") NODE ("n0", "Relu", "q", "y")),
    { 0 },
    "inputs\n"
    "  ~ \"x\" -> \"q\": renamed\n"
    "1 other difference\n" },
  { MODEL (RELU),
    MODEL ("11:{1:'x' 2:{1:{1:1 2:{1:{1:5}}}}} " OUTPUT ("y") OUTPUT ("x")
               NODE ("n0", "Relu", "x", "y")),
    { 0 },
    "inputs\n"
    "  ~ \"x\": float32[4] -> float32[5]\n"
    "outputs\n"
    "  + \"x\": float32[5]\n"
    "2 other differences\n" },
  { MODEL (INPUT ("x") INPUT ("z") OUTPUT ("y") PAIR ("n", "Sub", "x", "z", "y")),
    MODEL (INPUT ("z") INPUT ("x") OUTPUT ("y") PAIR ("n", "Sub", "x", "z", "y")),
    { 0 },
    "inputs\n"
    "  ~ another order\n"
    "1 other difference\n" },
  { MODEL (INPUT ("x") INPUT ("z") OUTPUT ("y") PAIR ("n", "Sub", "x", "z", "y")),
    MODEL (INPUT ("x") INPUT ("z") OUTPUT ("y") PAIR ("n", "Sub", "z", "x", "y")),
    { 0 },
    "nodes\n"
    "  ~ node \"n\" (Sub): input 0 \"x\" -> \"z\"; input 1 \"z\" -> \"x\"\n"
    "1 node changed\n" },
  /* attributes; what is left out is the default */
  { MODEL (CONV ("")),
    MODEL (CONV (ATTR ("axis", "1"))),
    { 0 },
    "equal: 1 node, 0 parameters\n" },
  { MODEL (CONV ("")),
    MODEL (CONV (ATTR ("axis", "0"))),
    { 0 },
    "nodes\n"
    "  ~ node \"n\" (Flatten): \"axis\" 1 -> 0\n"
    "1 node changed\n" },
  { MODEL (CONV (ATTR ("other", "2"))),
    MODEL (CONV ("")),
    { 0 },
    "nodes\n"
    "  ~ node \"n\" (Flatten): \"other\" 2 -> none\n"
    "1 node changed\n" },
  /* names alone */
  { MODEL (CHAIN ("h", "i")),
    MODEL (CHAIN ("1", "2")),
    { 0 },
    "names\n"
    "  ~ value \"h\" -> \"1\"\n"
    "  ~ value \"i\" -> \"2\"\n"
    "2 names changed\n" },
  { MODEL (CHAIN ("h", "i")),
    MODEL (CHAIN ("1", "2")),
    { .flags = KETTE_DIFF_IGNORE_NAMES },
    "equal: 3 nodes, 0 parameters\n" },
  { MODEL (CHAIN ("h", "i")),
    MODEL (CHAIN ("1", "2")),
    { .most = 1 },
    "names\n"
    "  ~ value \"h\" -> \"1\"\n"
    "    ... and 1 more\n"
    "2 names changed\n" },
  /* numbers for names, counted from another place: each is there, and means something else */
  { MODEL (INPUT ("x") OUTPUT ("y") NODE ("", "Relu", "x", "1") NODE (
        "", "Relu", "1", "2") NODE ("", "Neg", "2", "3") NODE ("", "Relu", "3", "y")),
    MODEL (INPUT ("x") OUTPUT ("y") NODE ("", "Relu", "x", "2") NODE (
        "", "Relu", "2", "3") NODE ("", "Neg", "3", "1") NODE ("", "Relu", "1", "y")),
    { 0 },
    "names\n"
    "  ~ value \"1\" -> \"2\"\n"
    "  ~ value \"2\" -> \"3\"\n"
    "  ~ value \"3\" -> \"1\"\n"
    "3 names changed\n" },
  /* nodes that came, went, or were exchanged */
  { MODEL (CHAIN ("h", "i")),
    MODEL (INPUT ("x") OUTPUT ("y") NODE ("a", "Relu", "x", "h") NODE (
        "m", "Abs", "h", "k") NODE ("b", "Neg", "k", "i") NODE ("c", "Relu", "i", "y")),
    { 0 },
    "nodes\n"
    "  ~ node \"b\" (Neg): input 0 \"h\" -> \"k\"\n"
    "  + node \"m\" (Abs): \"h\" -> \"k\"\n"
    "1 node added, 1 node changed\n" },
  { MODEL (CHAIN ("h", "i")),
    MODEL (INPUT ("x") OUTPUT ("y") NODE ("a", "Relu", "x", "1")
               NODE ("b", "Abs", "1", "2") NODE ("c", "Relu", "2", "y")),
    { .flags = KETTE_DIFF_IGNORE_NAMES },
    "nodes\n"
    "  ~ node \"b\" (Neg): operator \"Neg\" -> \"Abs\"\n"
    "1 node changed\n" },
  { MODEL (CHAIN ("h", "i")),
    MODEL (INPUT ("x") OUTPUT ("y") NODE ("a", "Relu", "x", "h")
               NODE ("c", "Relu", "h", "y")),
    { 0 },
    "nodes\n"
    "  - node \"b\" (Neg): \"h\" -> \"i\"\n"
    "  ~ node \"c\" (Relu): input 0 \"i\" -> \"h\"\n"
    "1 node removed, 1 node changed\n" },
  /* parameters: 1, 2 and 1, 4 */
  { MODEL (WEIGHTED ("w", "0000803f00000040")),
    MODEL (WEIGHTED ("w", "0000803f00000040")),
    { 0 },
    "equal: 1 node, 1 parameter\n" },
  { MODEL (WEIGHTED ("w", "0000803f00000040")),
    MODEL (WEIGHTED ("w", "0000803f00008040")),
    { 0 },
    "parameters\n"
    "                              |b-a|/|a|   max |b-a|    max rel.  numbers\n"
    "  ~ \"w\"  float32[2]               0.894           2         0.5  1 of 2\n"
    "1 parameter differs\n" },
  { MODEL (WEIGHTED ("w", "0000803f00000040")),
    MODEL (WEIGHTED ("w", "0000803f00008040")),
    { .rtol = 0.5 },
    "equal: 1 node, 1 parameter, numbers within 2\n" },
  { MODEL (WEIGHTED ("w", "0000803f00000040")),
    MODEL (WEIGHTED ("w", "0000803f00008040")),
    { .flags = KETTE_DIFF_STRUCTURE },
    "equal: 1 node, 1 parameter by their types\n" },
  { MODEL (WEIGHTED ("w", "0000c07f00000040")),
    MODEL (WEIGHTED ("v", "0000c07f00000040")),
    { 0 },
    "names\n"
    "  ~ parameter \"w\" -> \"v\"\n"
    "1 name changed\n" },
  { MODEL (WEIGHTED ("w", "0000803f00000040")),
    MODEL (INPUT ("x") OUTPUT ("y") "5:{1:1 2:1 8:'w' 9:x0000803f} " ADD ("w")),
    { 0 },
    "parameters\n"
    "  ~ \"w\"  float32[2] -> float32[1]\n"
    "1 parameter differs\n" },
  /* functions and training steps */
  { MODEL (RELU) "25:{1:'f' 4:'a' 5:'b' 7:{1:'a' 2:'b' 3:'n' 4:'Relu'} 9:{2:13} 10:'l'}",
    MODEL (RELU) "25:{1:'f' 4:'p' 5:'q' 7:{1:'p' 2:'q' 3:'n' 4:'Neg'} 9:{2:14} 10:'l'} "
                 "25:{1:'g' 10:'l'}",
    { 0 },
    "nodes\n"
    "  ~ function \"l:f\", node \"n\" (Relu): operator \"Relu\" -> \"Neg\"\n"
    "functions\n"
    "  ~ function \"l:f\": ai.onnx opset 13 -> 14\n"
    "  + function \"l:g\": 0 nodes\n"
    "names\n"
    "  ~ function \"l:f\": value \"a\" -> \"p\"\n"
    "  ~ function \"l:f\": value \"b\" -> \"q\"\n"
    "1 node changed, 2 names changed, 2 other differences\n" },
  { MODEL (WEIGHTED ("w", "0000803f00000040")),
    MODEL (
        WEIGHTED ("w", "0000803f00000040")) "20:{2:{1:{1:'w' 2:'v' 4:'Neg'} 12:{1:'v'}} "
                                            "4:{1:'w' 2:'v'}}",
    { 0 },
    "training\n"
    "  + training_info[0]: 1 nodes, 1 updated tensors\n"
    "1 other difference\n" },
  /* subgraphs */
  { MODEL (INPUT ("x") OUTPUT ("y") "1:{1:'x' 2:'y' 3:'i' 4:'Choose' 7:'com.x' "
                                    "5:{1:'then' 20:5 6:{" NODE ("r", "Relu", "x", "t")
                                        OUTPUT ("t") "}}} ") "8:{1:'com.x' 2:1}",
    MODEL (INPUT ("x") OUTPUT (
        "y") "1:{1:'x' 2:'y' 3:'i' 4:'Choose' 7:'com.x' 5:{1:'then' 20:5 6:{" NODE ("r",
                                                                                    "Neg",
                                                                                    "x",
                                                                                    "u")
               OUTPUT ("u") "}}} ") "8:{1:'com.x' 2:1}",
    { 0 },
    "nodes\n"
    "  ~ node \"i\" (Choose), then, node \"r\" (Relu): operator \"Relu\" -> \"Neg\"\n"
    "names\n"
    "  ~ node \"i\" (Choose), then: value \"t\" -> \"u\"\n"
    "1 node changed, 1 name changed\n" },
};

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

static void
test_table (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (KetteGraph) a = load (cases[i].a), b = load (cases[i].b);
      KetteDiffOptions options = cases[i].options;
      g_autoptr (GError) error = NULL;
      gboolean equal;

      options.size          = sizeof options;
      g_autofree char *text = kette_graph_diff (a, b, &options, &equal, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (text, ==, cases[i].text);
      g_assert_true (equal == g_str_has_prefix (text, "equal"));
    }
}

/* A model is equal to itself, whatever it holds. */
static void
test_same (void)
{
  const char *folder   = "/usr/lib/python3/dist-packages/onnx/backend/test/data/node";
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  if (!dir)
    {
      g_test_skip ("skipped: ONNX's node tests are not installed");
      return;
    }
  while ((name = g_dir_read_name (dir)))
    {
      g_autofree char *file    = g_build_filename (folder, name, "model.onnx", NULL);
      const KetteDiffOptions o = { .size = sizeof o, .flags = KETTE_DIFF_METADATA };
      g_autoptr (KetteGraph) a = kette_graph_load (file, NULL),
                             b = kette_graph_load (file, NULL);
      gboolean equal;
      g_autofree char *text = kette_graph_diff (a, b, &o, &equal, NULL);

      if (!equal)
        g_test_message ("%s: %s", file, text);
      g_assert_true (equal);
    }
}

/* 20,000 nodes with other names, one of which is another operator: quickly. */
static void
test_long_chain (void)
{
  enum
  {
    N = 20000
  };
  KetteGraph *graphs[2];
  const KetteDiffOptions options
      = { .size = sizeof options, .flags = KETTE_DIFF_IGNORE_NAMES };
  gboolean equal;

  for (int g = 0; g < 2; g++)
    {
      g_autoptr (GString) text = g_string_new ("1:8 8:{2:13} 7:{" INPUT ("v0"));
      for (int i = 0; i < N; i++)
        g_string_append_printf (text, "1:{1:'%s%d' 2:'%s%d' 4:'%s'} ",
                                i ? (g ? "w" : "v") : "v", i, g ? "w" : "v", i + 1,
                                g && i == N / 2 ? "Neg" : "Relu");
      g_string_append_printf (text, "12:{1:'%s%d'}}", g ? "w" : "v", N);
      graphs[g] = load (text->str);
    }
  g_autofree char *text = kette_graph_diff (graphs[0], graphs[1], &options, &equal, NULL);
  g_assert_false (equal);
  g_assert_nonnull (
      strstr (text, "  ~ node #10000 (Relu): operator \"Relu\" -> \"Neg\"\n"));
  g_assert_nonnull (strstr (text, "1 node changed"));
  kette_graph_unref (graphs[0]);
  kette_graph_unref (graphs[1]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/diff/table", test_table);
  g_test_add_func ("/diff/same", test_same);
  g_test_add_func ("/diff/long-chain", test_long_chain);
  return g_test_run ();
}
