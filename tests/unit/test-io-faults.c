/* SPDX-License-Identifier: Apache-2.0
 * Faulty model files: each is refused with its code and place, and its neighbour loads.
 */
#include "io/io-private.h"
#include "pack.h"
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct
{
  const char *model, *error; /* error NULL: loads */
} Case;

static const Case cases[] = {
  { "", "format: byte 0: the file is empty" },
  { MODEL (RELU), NULL },
  { MODEL (RELU) "~", "format: byte 6: a field needs 1 byte more than the file has" },
  { "1:8 7:{" RELU "~} 8:{2:13}",
    "format: byte 32: a field needs 1 byte more than the message around it has" },
  { "1:'a'", "format: byte 0: ir_version of ModelProto has wire type 2, must be 0" },
  { "0:1", "format: byte 0: field number 0 with wire type 0 does not exist" },
  { "8:{2:13} 7:{" RELU "}", "format: the model has no ir_version" },
  { "1:0 7:{}", "format: ir_version is 0, must be 1 or more" },
  { "1:14 7:{}", NULL },
  { "1:15 7:{}", "unsupported: ir_version is 15, the newest known here is 14; "
                 "--allow-newer tries it with that" },
  { "1:8 8:{2:13}", "graph: the model has no graph" },
  { "1:8 8:{2:13} 7:{} 7:{}", "graph: byte 8: graph of ModelProto is there twice" },
  { "1:8 8:{2:0} 7:{}",
    "format: opset_import: domain \"\" has version 0, must be in 1..2147483647" },
  { "1:8 8:{2:99} 7:{}",
    "unsupported: opset_import: domain \"\" has version 99, the newest "
    "known here is 28; --allow-newer tries it with that" },
  { "1:8 8:{2:13} 8:{1:'ai.onnx' 2:13} 7:{}", NULL },
  { "1:8 8:{2:13} 8:{1:'ai.onnx' 2:12} 7:{}",
    "graph: opset_import: domain \"\" is imported twice, versions 13 and 12" },
  { "1:8 7:{" RELU "}",
    "graph: node \"n0\" (Relu): the domain \"\" is not in opset_import" },
  { "1:8 2:x6100 7:{}", "format: byte 2: producer_name of ModelProto holds a zero byte" },
  { "1:8 2:xc0af 7:{}", "format: byte 2: producer_name of ModelProto is not UTF-8" },
  { MODEL (INPUT ("x") "11:{1:'z' 2:{1:{1:1} 4:{1:{}}}} "),
    "format: byte 36: TypeProto has both tensor_type and sequence_type" },
  /* names and edges */
  { MODEL (RELU INPUT ("x")), "graph: graph input: the name \"x\" is defined twice" },
  { MODEL (RELU NODE ("n1", "Relu", "x", "y")),
    "graph: node \"n1\" (Relu): the name \"y\" is defined twice" },
  { MODEL (RELU OUTPUT ("y")), NULL },
  { MODEL (RELU OUTPUT ("q")), "graph: graph output \"q\": nothing makes this value" },
  { MODEL (INPUT ("x") OUTPUT ("y") "1:{1:'q' 2:'y' 4:'Relu'} "),
    "graph: node #0 (Relu): nothing makes its input 0, \"q\"" },
  { MODEL (INPUT ("x") OUTPUT ("y") "1:{1:'x' 2:'y'} "),
    "graph: node #0: has no operator" },
  { MODEL (INPUT ("x") OUTPUT ("y") NODE ("n1", "Relu", "h", "y")
               NODE ("n0", "Relu", "x", "h")),
    NULL },
  { MODEL (INPUT ("x") "1:{1:'z' 1:'x' 2:'xw' 3:'n0' 4:'Add'} "
                       "1:{1:'xw' 2:'z' 3:'n1' 4:'Relu'} "),
    "graph: cycle: \"n0\" -> \"xw\" -> \"n1\" -> \"z\" -> \"n0\"" },
  { MODEL (RELU "1:{1:'x' 2:'u' 3:'if0' 4:'If' 5:{1:'then_branch' 20:5 6:{1:{1:'y' 2:'t' "
                "4:'Relu'} 12:{1:'t'}}}} "),
    NULL },
  { MODEL (RELU "1:{1:'x' 2:'u' 3:'if0' 4:'If' 5:{1:'then_branch' 20:5 6:{1:{1:'y' 2:'x' "
                "4:'Relu'} 12:{1:'x'}}}} "),
    "graph: node \"if0\" (If), then_branch, node #0 (Relu): the name \"x\" is already "
    "that "
    "of a value outside" },
  /* types */
  { MODEL ("11:{1:'x'} "), "type: graph input \"x\": has no type" },
  { MODEL ("11:{1:'x' 2:{1:{1:0}}} "), "type: graph input \"x\": has no element type" },
  { MODEL ("11:{1:'x' 2:{1:{1:40}}} "),
    "unsupported: graph input \"x\": element type 40 is unknown" },
  { MODEL ("11:{1:'x' 2:{1:{1:1 2:{1:{1:-1}}}}} "), NULL },
  { MODEL ("11:{1:'x' 2:{1:{1:1 2:{1:{1:-2}}}}} "),
    "shape: graph input \"x\": dim 0 is -2, must be 0 or more" },
  /* tensors: float32[4] */
  { MODEL (WEIGHT ("1:1 2:1 8:'w' 9:x00000000")), NULL },
  { MODEL (WEIGHT ("1:4 2:1 8:'w' 9:x000000000000000000000000")),
    "tensor: initializer \"w\": float32[4] needs 16 bytes, raw_data has 12" },
  { MODEL (WEIGHT ("1:4 2:1 8:'w' 9:x0000000000000000000000000000000000000000")),
    "tensor: initializer \"w\": float32[4] needs 16 bytes, raw_data has 20" },
  { MODEL (WEIGHT ("1:4 2:1 8:'w'")),
    "tensor: initializer \"w\": float32[4] needs 16 bytes, there are no data" },
  { MODEL (WEIGHT ("1:0 2:1 8:'w'")), NULL },
  { MODEL (WEIGHT ("1:2 2:1 4:f1 4:f2 8:'w'")), NULL },
  { MODEL (WEIGHT ("1:2 2:1 4:f1 8:'w'")),
    "tensor: initializer \"w\": float32[2] needs 2 numbers, float_data has 1" },
  { MODEL (WEIGHT ("1:1 2:1 7:1 8:'w'")),
    "tensor: initializer \"w\": float32[1] is stored in "
    "int64_data, must be in float_data or raw_data" },
  { MODEL (WEIGHT ("1:1 2:1 4:f1 8:'w' 9:x00000000")),
    "tensor: initializer \"w\": float32[1] has its data in 2 places, among them "
    "raw_data" },
  { MODEL (WEIGHT ("1:1 2:3 5:127 8:'w'")), NULL },
  { MODEL (WEIGHT ("1:1 2:3 5:128 8:'w'")),
    "tensor: initializer \"w\": int8[1]: int32_data[0] is 128, must be in -128..127" },
  { MODEL (WEIGHT ("1:3 2:22 8:'w' 9:xffff")), NULL },
  { MODEL (WEIGHT ("1:1 2:8 6:x00ff 8:'w'")), NULL },
  { MODEL (WEIGHT ("1:1 2:8 8:'w' 9:x00")),
    "tensor: initializer \"w\": string[1] is stored in raw_data, must be in "
    "string_data" },
  { MODEL (WEIGHT ("1:1 8:'w' 9:x00000000")),
    "tensor: initializer \"w\": has no element type" },
  { MODEL (WEIGHT ("1:1 2:77 8:'w' 9:x00000000")),
    "unsupported: initializer \"w\": element type 77 is unknown" },
  { MODEL (WEIGHT ("1:-1 2:1 8:'w'")),
    "tensor: initializer \"w\": shape [-1]: dim 0 is negative" },
  { MODEL (WEIGHT ("1:4294967296 1:4294967296 2:1 8:'w'")),
    "tensor: initializer \"w\": shape [4294967296,4294967296] is too large" },
  { MODEL (WEIGHT ("1:4294967296 1:4294967296 1:0 2:1 8:'w'")),
    "limit: initializer \"w\": shape [4294967296,4294967296,0] is too large" },
  { MODEL (WEIGHT ("1:1 2:1 3:{1:0 2:1} 8:'w' 9:x00000000")),
    "unsupported: initializer \"w\": is a segment of a larger tensor" },
  { MODEL (WEIGHT ("1:1 2:1 8:'w' 13:{1:'location' 2:'w.bin'} 14:1")),
    "path: initializer \"w\": location \"w.bin\": this model has no folder for external "
    "data; --data-root names one" },
  { MODEL (RELU "15:{1:{1:2 2:1 4:f1 4:f2 8:'s'} 2:{1:2 2:7 7:0 7:2} 3:3}"), NULL },
  { MODEL (RELU "15:{1:{1:2 2:1 4:f1 4:f2 8:'s'} 2:{1:2 2:7 7:0 7:3} 3:3}"),
    "tensor: initializer \"s\": index 3 at position [1] is not in 0..2" },
  { MODEL (RELU "15:{1:{1:2 2:1 4:f1 4:f2 8:'s'} 2:{1:2 2:7 7:2 7:2} 3:3}"),
    "tensor: initializer \"s\": indices are not ascending at position [1]" },
  /* attributes */
  { MODEL (WITH_ATTRIBUTE ("1:'a' 3:1 20:2")), NULL },
  { MODEL (WITH_ATTRIBUTE ("1:'a' 3:1")),
    "attr: node \"n0\" (Op): attribute \"a\" has no type" },
  { MODEL (WITH_ATTRIBUTE ("3:1 20:2")),
    "attr: node \"n0\" (Op): attribute 0 has no name" },
  { MODEL (WITH_ATTRIBUTE ("1:'a' 3:1 20:1")),
    "attr: node \"n0\" (Op): attribute \"a\" is FLOAT, but has content of INT" },
  { MODEL (WITH_ATTRIBUTE ("1:'a' 3:1 20:2} 5:{1:'a' 3:2 20:2")),
    "attr: node \"n0\" (Op): attribute \"a\" is there twice" },
  { MODEL (WITH_ATTRIBUTE ("1:'a' 20:2 21:'b'")),
    "attr: node \"n0\" (Op): attribute \"a\" refers to \"b\" of a caller, but is in no "
    "function" },
  { MODEL (WITH_ATTRIBUTE ("1:'t' 5:{1:2 2:1 4:f1} 20:4")),
    "tensor: node \"n0\" (Op), attribute \"t\": float32[2] needs 2 numbers, float_data "
    "has "
    "1" },
  { MODEL (WITH_ATTRIBUTE ("1:'t' 20:4")),
    "attr: node \"n0\" (Op): attribute \"t\" is TENSOR, but has none" },
  { MODEL ("1:{4:'If' 5:{1:'then_branch' 20:5 6:{}} 5:{1:'else_branch' 20:5 3:1 6:{}}} "),
    "attr: node #0 (If): attribute \"else_branch\" is GRAPH, but has content of INT" },
  /* functions */
  { MODEL (
        RELU) "8:{1:'local' 2:1} 25:{1:'f0' 4:'a' 5:'b' 7:{1:'a' 2:'b' 4:'f0' 7:'local'} "
              "9:{1:'local' 2:1} 10:'local'}",
    "graph: function \"local:f0\" calls itself: f0 -> f0" },
  { MODEL (
        RELU) "25:{1:'f0' 4:'a' 5:'b' 7:{1:'a' 2:'b' 4:'f1' 7:'l'} 9:{1:'l' 2:1} 10:'l'} "
              "25:{1:'f1' 4:'a' 5:'b' 7:{1:'a' 2:'b' 4:'f0' 7:'l'} 9:{1:'l' 2:1} 10:'l'}",
    "graph: function \"l:f0\" calls itself: f0 -> f1 -> f0" },
  { MODEL (RELU) "25:{1:'f' 10:'l'} 25:{1:'f' 10:'l' 13:'o'}", NULL },
  { MODEL (RELU) "25:{1:'f' 10:'l'} 25:{1:'f' 10:'l'}",
    "graph: function \"l:f\": is there twice" },
  { MODEL (RELU) "25:{1:'f' 4:'a' 5:'b' 7:{1:'x' 2:'b' 4:'Relu'} 9:{2:13} 10:'l'}",
    "graph: function \"l:f\", node #0 (Relu): nothing makes its input 0, \"x\"" },
  /* training */
  { MODEL (WEIGHT ("1:1 2:1 8:'w' 9:x00000000")) "20:{2:{1:{1:'w' 2:'v' 4:'Neg'} "
                                                 "12:{1:'v'}} 4:{1:'w' 2:'v'}}",
    NULL },
  { MODEL (WEIGHT ("1:1 2:1 8:'w' 9:x00000000")) "20:{2:{1:{1:'w' 2:'v' 4:'Neg'} "
                                                 "12:{1:'v'}} 4:{1:'x' 2:'v'}}",
    "graph: training_info[0], update_binding[0]: \"x\" is not an initializer" },
  { MODEL (WEIGHT (
        "1:1 2:1 8:'w' 9:x00000000")) "20:{2:{1:{1:'w' 2:'v' 4:'Neg'}} 4:{1:'w' 2:'v'}}",
    "graph: training_info[0], update_binding[0]: \"v\" is not an output of algorithm" },
  { MODEL (WEIGHT ("1:1 2:1 8:'w' 9:x00000000")) "20:{1:{11:{1:'q' 2:{1:{1:1}}}}}",
    "graph: training_info[0], initialization: has 1 inputs, must have none" },
};

static void
check (GBytes *bytes, const char *text, const char *want)
{
  g_autoptr (GError) error     = NULL;
  g_autoptr (KetteGraph) graph = kette_graph_load_bytes (bytes, &error);

  if (!want)
    {
      if (!graph)
        g_test_message ("%s", text);
      g_assert_no_error (error);
      return;
    }
  g_assert_null (graph);
  g_assert_nonnull (error);
  g_assert_true (g_str_has_prefix (error->message, "<memory>: "));
  if (strcmp (error->message + 10, want) != 0)
    g_test_message ("%s", text);
  g_assert_cmpstr (error->message + 10, ==, want);
}

static void
test_table (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) bytes = pack (cases[i].model);

      check (bytes, cases[i].model, cases[i].error);
    }
}

/* N graphs inside each other: If nodes with then_branch. */
static GBytes *
nested (int n)
{
  GString *text = g_string_new ("1:8 8:{2:13} 7:{");
  GBytes *bytes;

  for (int i = 0; i < n; i++)
    g_string_append (text, "1:{4:'If' 5:{1:'then_branch' 20:5 6:{");
  for (int i = 0; i < n; i++)
    g_string_append (text, "}}}");
  g_string_append (text, "}");
  bytes = pack (text->str);
  g_string_free (text, TRUE);
  return bytes;
}

static void
test_depth (void)
{
  g_autoptr (GBytes) fits  = nested (32);
  g_autoptr (GBytes) many  = nested (33);
  g_autoptr (GBytes) deep  = nested (40);
  g_autoptr (GError) error = NULL;

  check (fits, "32 subgraphs", NULL);
  g_assert_null (kette_graph_load_bytes (many, &error));
  g_assert_nonnull (strstr (error->message, "subgraphs nested more than 32 deep"));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_LIMIT);
  check (deep, "40 subgraphs", "limit: graph: messages nested more than 100 deep");
}

/* Functions that each call the one before twice: 2^n nodes. */
static void
test_inlining (void)
{
  for (int n = 18; n <= 40; n += 22)
    {
      g_autoptr (GString) text = g_string_new (MODEL ("1:{4:'f' 7:'l'}"));
      g_autoptr (GBytes) bytes = NULL;

      g_string_append (text, "8:{1:'l' 2:1} ");
      for (int i = 0; i <= n; i++)
        {
          g_string_append_printf (text, "25:{10:'l' 9:{1:'l' 2:1} 9:{2:13} 1:'f%s%d' ",
                                  i == n ? "' 13:'" : "", i);
          for (int k = 0; k < 2; k++)
            if (i == 0)
              g_string_append (text, "7:{4:'Relu'} ");
            else
              g_string_append_printf (text, "7:{4:'f%d' 7:'l'} ", i - 1);
          g_string_append (text, "} ");
        }
      g_string_append_printf (text, "20:{2:{1:{4:'f' 7:'l' 8:'%d'}}}", n);
      bytes = pack (text->str);
      check (bytes, "functions",
             n < 20 ? NULL
                    : "limit: graph: more than 1000000 nodes after inlining; --limit "
                      "nodes=VALUE allows more");
    }
}

static void
test_hints (void)
{
  static const struct
  {
    const char *data, *hint;
    gsize n;
  } hints[] = {
    { "\x1f\x8b\b\0\0\0\0\0\0\0", "gzip", 10 },
    { "PK\3\4\0\0\0\0\0", "zip archive", 9 },
    { "version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer", 43 },
    { "{\"a\": 1}", "JSON", 8 },
    { "GGUF\3\0\0\0", "GGUF", 8 },
    { "\x93NUMPY\1\0", "NumPy", 8 },
    { "\x80\2}q\0.", "pickle", 6 },
    { "hello world, this is text", "text", 25 },
    { "\x08\x04\x10\x01\x4a\x10"
      "0123456789abcdef",
      "TensorProto", 22 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (hints); i++)
    {
      g_autoptr (GBytes) bytes = g_bytes_new_static (hints[i].data, hints[i].n);
      g_autoptr (GError) error = NULL;

      g_assert_null (kette_graph_load_bytes (bytes, &error));
      g_assert_true (g_str_has_prefix (error->message, "<memory>: format: "));
      g_assert_nonnull (strstr (error->message, hints[i].hint));
    }
}

static void
expect_file (const char *file, const char *want)
{
  g_autoptr (GError) error     = NULL;
  g_autoptr (KetteGraph) graph = kette_graph_load (file, &error);

  if (!want)
    {
      g_assert_no_error (error);
      return;
    }
  g_assert_null (graph);
  g_assert_true (g_str_has_prefix (error->message, file));
  g_assert_cmpstr (error->message + strlen (file) + 2, ==, want);
}

static void
test_open (void)
{
  g_autofree char *folder = g_dir_make_tmp ("kette-XXXXXX", NULL);
  g_autofree char *fifo   = g_build_filename (folder, "fifo", NULL);
  g_autofree char *none   = g_build_filename (folder, "none", NULL);

  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  expect_file (folder, "io: is a directory");
  expect_file (fifo, "io: is a named pipe");
  expect_file (none, "io: cannot open: No such file or directory");
  expect_file ("/dev/null", "io: is a character device");
  g_unlink (fifo);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/io/faults/table", test_table);
  g_test_add_func ("/io/faults/depth", test_depth);
  g_test_add_func ("/io/faults/inlining", test_inlining);
  g_test_add_func ("/io/faults/hints", test_hints);
  g_test_add_func ("/io/faults/open", test_open);
  return g_test_run ();
}
