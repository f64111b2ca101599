/* SPDX-License-Identifier: Apache-2.0
 * Small models of every kind, for the tests that make things fail: written as texts, made by
 * training, and those that Debian and the data folder have.
 */
#include "models.h"
#include "../train/networks.h"
#include "../unit/pack.h"
#include "io/io-private.h"
#include <errno.h>
#include <glib/gstdio.h>
#include <unistd.h>

#define VALUE(field, name, type, dims)                                                   \
  field ":{1:'" name "' 2:{1:{1:" type " 2:{" dims "}}}} "
#define OPEN "1:{2:'N'} "
#define DIM(n) "1:{1:" n "} "

const struct FaultError fault_errors[FAULT_ERRORS] = {
  { "EIO", EIO, TRUE },       { "ENOSPC", ENOSPC, TRUE }, { "EINTR", EINTR, FALSE },
  { "EMFILE", EMFILE, TRUE }, { "SHORT", 0, TRUE },
};

static char *folder;

static const struct
{
  const char *name, *text, *loss, *optimizer;
} texts[] = {
  { "chain", MODEL (RELU), NULL, NULL },
  { "attributes",
    "1:8 8:{2:13} 8:{1:'l' 2:1} 14:{1:'k' 2:'v'} 7:{" INPUT ("x") OUTPUT (
        "y") "1:{1:'x' 2:'y' 3:'n' 4:'Op' 7:'l' 5:{1:'f' 2:f1 20:1} 5:{1:'i' 3:7 20:2} "
             "5:{1:'s' 4:'text' 20:3} 5:{1:'t' 5:{1:2 2:1 4:f1 4:f2} 20:4} 5:{1:'fs' "
             "7:f1 "
             "7:f2 20:6} 5:{1:'is' 8:1 8:2 20:7} 5:{1:'ss' 9:'a' 9:'b' 20:8} 5:{1:'ts' "
             "10:{1:1 2:8 6:'q'} 10:{1:1 2:7 7:3} 20:9} 77:'unknown'} 14:{1:'x' "
             "2:{1:'SCALE_"
             "TENSOR' 2:'s'}} 10:'doc' 88:5} 100:'m'",
    NULL, NULL },
  { "functions",
    "1:8 8:{2:13} 8:{1:'l' 2:1} 7:{" VALUE ("11", "x", "1", OPEN DIM ("4")) OUTPUT (
        "y") "1:{1:'x' 2:'h' 3:'c' 4:'outer' 7:'l' 5:{1:'axis' 3:1 20:2}} 1:{1:'h' 2:'y' "
             "4:'inner' 7:'l'}} "
             "25:{1:'inner' 4:'a' 5:'b' 11:{1:'axis' 3:-1 20:2} 7:{1:'a' 2:'b' "
             "4:'Softmax' "
             "5:{1:'axis' 21:'axis' 20:2}} 9:{2:13} 10:'l'} "
             "25:{1:'outer' 4:'a' 5:'b' 6:'axis' 7:{1:'a' 2:'h' 4:'inner' 7:'l' "
             "5:{1:'axis' "
             "21:'axis' 20:2}} 7:{1:'h' 2:'b' 4:'Tanh'} 9:{2:13} 9:{1:'l' 2:1} 10:'l'}",
    NULL, NULL },
  { "if",
    "1:8 8:{2:13} 7:{" VALUE ("11", "c", "9", "") INPUT ("x") OUTPUT (
        "y") "1:{1:'x' 2:'h' 4:'Relu'} 1:{1:'c' 2:'y' 3:'i' 4:'If' "
             "5:{1:'then_branch' 20:5 6:{2:'then' 1:{1:'h' 2:'t' 4:'Neg'} 12:{1:'t'}}} "
             "5:{1:'else_branch' 20:5 6:{2:'else' 1:{1:'c' 2:'e' 4:'If' "
             "5:{1:'then_branch' 20:5 6:{1:{1:'x' 1:'w' 2:'u' 4:'Add'} 12:{1:'u'}}} "
             "5:{1:'else_branch' 20:5 6:{1:{1:'h' 2:'v' 4:'Exp'} 12:{1:'v'}}}} "
             "12:{1:'e'}}}} "
             "5:{1:4 2:1 8:'w' 4:f1 4:f2 4:f3 4:f4}}",
    NULL, NULL },
  { "loop",
    "1:8 8:{2:13} 7:{" VALUE ("11", "n", "7", "") INPUT ("x") OUTPUT ("y")
        OUTPUT ("z") "1:{1:'n' 1:'' 1:'x' 2:'y' 2:'z' 3:'l' 4:'Loop' 5:{1:'body' 20:5 "
                     "6:{2:'body' "
                     "11:{1:'i' 2:{1:{1:7 2:{}}}} 11:{1:'go' 2:{1:{1:9 2:{}}}} 11:{1:'a' "
                     "2:{1:{1:1}}} "
                     "1:{1:'a' 1:'x' 2:'b' 4:'Add'} 1:{1:'go' 2:'stay' 4:'Identity'} "
                     "1:{1:'b' 2:'s' "
                     "4:'Sigmoid'} 12:{1:'stay'} 12:{1:'b'} 12:{1:'s'}}}}}",
    NULL, NULL },
  { "sparse",
    MODEL (VALUE ("11", "x", "1", DIM ("3"))
               OUTPUT ("y") "1:{1:'x' 1:'s' 2:'y' 4:'Add'} 15:{1:{1:2 2:1 4:f1 4:f2 "
                            "8:'s'} 2:{1:2 2:7 7:0 "
                            "7:2} 3:3}"),
    NULL, NULL },
  { "strings",
    MODEL (VALUE ("11", "x", "8", DIM ("2")) VALUE ("12", "y", "8", "1:{} ") VALUE (
        "12", "z", "8",
        "") "1:{1:'x' 1:'s' 2:'h' 4:'Concat' 5:{1:'axis' 3:0 20:2}} "
            "1:{1:'h' 1:'i' 2:'y' 4:'Gather'} 1:{1:'s' 2:'z' 4:'Identity'} "
            "5:{1:2 2:8 8:'s' 6:'first' 6:'second'} 5:{1:2 2:7 8:'i' 7:0 7:3}"),
    NULL, NULL },
  { "opset1",
    "1:3 8:{2:1} 7:{" VALUE ("11", "x", "1", DIM ("2") DIM ("6")) VALUE (
        "11", "w", "1", DIM ("3") DIM ("4")) OUTPUT ("y") OUTPUT ("m")
        VALUE ("11", "b", "1", DIM ("4")) VALUE (
            "11", "z", "1",
            DIM ("3")) "1:{1:'x' 2:'r' "
                       "4:'Reshape' 5:{1:'shape' 8:4 8:3 20:7}} "
                       "1:{1:'r' 1:'z' 2:'q' 4:'Mul' 5:{1:'broadcast' 3:1 20:2}} "
                       "1:{1:'q' 1:'w' 1:'b' 2:'g' 4:'Gemm' 5:{1:'broadcast' 3:1 20:2}} "
                       "1:{1:'g' 2:'d' 2:'m' 4:'Dropout' 5:{1:'is_test' 3:1 20:2}} "
                       "1:{1:'d' 2:'y' 4:'Softmax'} 5:{1:3 1:4 2:1 8:'w' "
                       "9:"
                       "x000000000000000000000000000000000000000000000000000000000000803f"
                       "00000000000000000000000000000000} "
                       "5:{1:4 2:1 8:'b' 4:f1 4:f2 4:f3 4:f4} 5:{1:3 2:1 8:'z' 4:f1 4:f2 "
                       "4:f3}}",
    NULL, NULL },
  { "opset11",
    "1:6 8:{2:11} 7:{" VALUE ("11", "x", "1", DIM ("1") OPEN DIM ("4"))
        OUTPUT ("y") "1:{1:'x' 2:'s' 4:'Squeeze' 5:{1:'axes' 8:0 20:7}} "
                     "1:{1:'s' 2:'u' 4:'Unsqueeze' 5:{1:'axes' 8:2 20:7}} "
                     "1:{1:'u' 2:'r' 4:'ReduceSum' 5:{1:'axes' 8:2 20:7}} "
                     "1:{1:'r' 2:'p' 2:'q' 4:'Split' 5:{1:'axis' 3:1 20:2} 5:{1:'split' "
                     "8:1 8:3 20:7}} "
                     "1:{1:'q' 2:'l' 4:'LogSoftmax'} 1:{1:'p' 1:'l' 2:'y' 4:'Add'}}",
    NULL, NULL },
  { "symbolic",
    MODEL (VALUE ("11", "x", "1", OPEN DIM ("4")) OUTPUT (
        "y") "1:{1:'x' 2:'s' 4:'Shape'} 1:{1:'s' 1:'zero' 2:'n' 4:'Gather'} 1:{1:'n' "
             "1:'zero' "
             "2:'n1' 4:'Unsqueeze'} 1:{1:'n1' 1:'two' 2:'t' 4:'Concat' 5:{1:'axis' 3:0 "
             "20:2}} "
             "1:{1:'x' 1:'t' 2:'r' 4:'Reshape'} 1:{1:'r' 2:'y' 4:'ReduceMean' "
             "5:{1:'axes' 8:1 "
             "20:7}} 5:{1:1 2:7 8:'zero' 7:0} 5:{1:2 2:7 8:'two' 7:2 7:2}"),
    NULL, NULL },
  { "contents",
    MODEL (VALUE ("11", "x", "1", OPEN DIM ("4")) VALUE ("11", "i", "7", OPEN)
               OUTPUT ("y") OUTPUT (
                   "z") "1:{1:'x' 2:'nz' 4:'NonZero'} 1:{1:'nz' 2:'c' 4:'Cast' 5:{1:'to' "
                        "3:1 20:2}} 1:{1:'c' 2:'y' 4:'Neg'} 1:{1:'i' 2:'z0' "
                        "4:'ConstantOfShape'} 1:{1:'z0' 2:'z' 4:'Exp'}"),
    NULL, NULL },
  { "folded",
    MODEL (INPUT ("x") OUTPUT (
        "y") "1:{2:'c' 4:'Constant' 5:{1:'value' 20:4 5:{1:4 2:1 4:f1 4:f2 4:f3 4:f4}}} "
             "1:{1:'s' 1:'e' 1:'d' 2:'r' 4:'Range'} 1:{1:'r' 2:'f' 4:'Cast' 5:{1:'to' "
             "3:1 "
             "20:2}} 1:{1:'f' 1:'c' 2:'p' 4:'Mul'} 1:{1:'p' 1:'x' 2:'y' 4:'Add'} 5:{2:7 "
             "8:'s' "
             "7:0} 5:{2:7 8:'e' 7:4} 5:{2:7 8:'d' 7:1}"),
    NULL, NULL },
  { "types",
    "1:8 8:{2:16} 7:{11:{1:'s' 2:{4:{1:{1:{1:1 2:{1:{1:4}}}}}}} 11:{1:'o' "
    "2:{9:{1:{1:{1:1}}}}} "
    "11:{1:'m' 2:{5:{1:7 2:{1:{1:1}}}}} 12:{1:'y' 2:{1:{1:7}}} 12:{1:'h' 2:{1:{1:9}}} "
    "1:{1:'s' 2:'y' 4:'SequenceLength'} 1:{1:'o' 2:'h' 4:'OptionalHasElement'}}",
    NULL, NULL },
  { "kinds",
    "1:10 8:{2:18} 8:{1:'l' 2:1} 7:{" INPUT ("x") OUTPUT (
        "y") "13:{1:'h' 2:{1:{1:1 2:{1:{1:4}}}}} 1:{1:'x' 2:'h' 3:'n' 4:'Op' 7:'l' "
             "8:'over' 5:{1:'g' 20:5 6:{2:'a' 1:{1:'x' 2:'t' 4:'Neg'} 12:{1:'t'}}} "
             "5:{1:'gs' 20:10 11:{2:'b' 1:{1:'x' 2:'u' 4:'Exp'} 12:{1:'u'}} 11:{2:'c' "
             "1:{1:'x' 2:'v' 4:'Abs'} 12:{1:'v'}}} 5:{1:'type' 20:13 14:{1:{1:1 "
             "2:{1:{1:2} 1:{2:'N'}}}}} 5:{1:'types' 20:14 15:{4:{1:{1:{1:7}}}} "
             "15:{5:{1:7 2:{1:{1:1}}}} 15:{8:{1:1}} 15:{9:{1:{1:{1:1}}}}} "
             "5:{1:'one' 20:11 22:{1:{1:1 2:1 4:f2} 2:{1:1 2:7 7:1} 3:3}} 5:{1:'more' "
             "20:12 23:{1:{1:1 2:1 4:f2} 2:{1:1 1:2 2:7 7:1 7:0} 3:2 3:2}} 5:{1:'text' "
             "20:4 5:{1:2 2:8 6:'q' 6:'r'}} 5:{1:'none' 20:8}} 1:{1:'h' 2:'y' 4:'f' "
             "7:'l'}} 25:{1:'f' 4:'a' 5:'b' 10:'l' 11:{1:'alpha' 2:f1 20:1} 11:{1:'to' "
             "4:'text' 20:3} 11:{1:'w' 20:4 5:{1:1 2:1 4:f1}} 7:{1:'a' 2:'i' 4:'Elu' "
             "5:{1:'alpha' 21:'alpha' 20:1}} 7:{2:'k' 4:'Constant' 5:{1:'value' 21:'w' "
             "20:4}} 7:{1:'i' 1:'k' 2:'b' 4:'Add'} 9:{2:18} 12:{1:'i' 2:{1:{1:1}}}} "
             "25:{1:'f' 4:'a' 5:'b' 10:'l' 13:'second' 7:{1:'a' 2:'b' 4:'Relu'} "
             "9:{2:18}} "
             "20:{1:{2:'start' 1:{2:'z' 4:'RandomNormal' 5:{1:'shape' 8:4 20:7}} "
             "12:{1:'z'}}}",
    NULL, NULL },
  { "old-function",
    "1:8 8:{2:11} 8:{1:'l' 2:1} 7:{" VALUE ("11", "x", "1", DIM ("1") DIM ("4")) OUTPUT (
        "y") "1:{1:'x' 2:'y' 4:'f' 7:'l'}} 25:{1:'f' 4:'a' 5:'b' 9:{2:11} 10:'l' "
             "7:{1:'a' "
             "2:'s' 4:'Squeeze' 5:{1:'axes' 8:0 20:7}} 7:{1:'s' 2:'b' 4:'Softmax'}}",
    NULL, NULL },
  { "diamond",
    "1:8 8:{2:18} 7:{" VALUE ("11", "x", "11", OPEN DIM ("3"))
        VALUE ("12", "y", "11",
               OPEN DIM ("2")) "1:{1:'x' 1:'w' 2:'h' 4:'MatMul'} 1:{1:'h' 2:'a' "
                               "4:'Tanh'} 1:{1:'h' 2:'b' 4:'Sigmoid'} 1:{1:'a' "
                               "1:'b' 2:'m' 4:'Mul'} 1:{1:'m' 1:'v' 2:'k' "
                               "4:'MatMul'} 1:{1:'k' 1:'c' 2:'y' 4:'Add'} "
                               "5:{1:3 1:2 2:11 8:'w' 10:d1 10:d2 10:d3 10:d4 10:d5 "
                               "10:d6} 5:{1:2 1:2 2:11 8:'v' 10:d1 10:d2 10:d3 "
                               "10:d4} 5:{1:2 2:11 8:'c' 10:d1 10:d2}}",
    "mse", "momentum" },
  { "own-step",
    "1:8 8:{2:18} 7:{" VALUE ("11", "x", "1", OPEN DIM ("2"))
        VALUE ("12", "y", "1",
               OPEN DIM ("2")) "1:{1:'x' 1:'w' 2:'y' 4:'Mul'} 5:{1:2 2:1 8:'w' 4:f1 "
                               "4:f2}} 20:{2:{2:'step' 1:{1:'w' 1:'half' 2:'v' "
                               "4:'Mul'} 5:{2:1 8:'half' 4:f1} 12:{1:'v'}} "
                               "4:{1:'w' 2:'v'}}",
    "", NULL },
};

static void
add (GPtrArray *models, FaultModel model, GBytes *bytes)
{
  FaultModel *kept      = g_new (FaultModel, 1);
  g_autofree char *name = g_strconcat (model.name, ".onnx", NULL);

  *kept       = model;
  kept->bytes = bytes;
  kept->file  = g_build_filename (folder, name, NULL);
  g_assert_true (g_file_set_contents (kept->file, g_bytes_get_data (bytes, NULL),
                                      (gssize) g_bytes_get_size (bytes), NULL));
  g_ptr_array_add (models, kept);
}

static void
add_file (GPtrArray *models, FaultModel model, const char *file)
{
  char *data;
  gsize n;

  if (g_file_get_contents (file, &data, &n, NULL))
    add (models, model, g_bytes_new_take (data, n));
}

/* Much of everything: lists grow, names are long, data go outside when it is saved so. */
static GBytes *
large_bytes (void)
{
  g_autoptr (GString) text
      = g_string_new ("1:10 8:{2:18} 8:{1:'l' 2:1} 7:{" INPUT ("x") OUTPUT ("y"));
  g_autofree char *zeros = g_strnfill (2 * 4096, '0');
  g_autofree char *many  = g_strnfill (300, 'n');

  for (int i = 0; i < 20; i++)
    g_string_append_printf (
        text,
        "1:{1:'x' 2:'h%d' 4:'%s' 7:'l' 5:{1:'g' 20:5 6:{2:'a' 1:{1:'x' 2:'t' 4:'Neg'} "
        "12:{1:'t'}}} 5:{1:'gs' 20:10 11:{2:'b'} 11:{2:'c'}}} "
        "5:{1:1024 2:1 8:'w%d' 9:x%s} 5:{1:2 2:7 8:'i%d' 7:1 7:2} "
        "15:{1:{1:1 2:1 4:f1 8:'s%d'} 2:{1:1 2:7 7:0} 3:3} ",
        i, i % 2 ? many : "Op", i, zeros, i, i);
  g_string_append (text, "5:{1:1024 2:1 8:'typed' ");
  for (int i = 0; i < 1024; i++)
    g_string_append (text, "4:f1 ");
  g_string_append (text, "} 1:{1:'x' 1:'typed' 2:'y' 4:'Op' 7:'l'}} ");
  for (int i = 0; i < 12; i++)
    g_string_append_printf (
        text,
        "25:{1:'%s%d' 10:'l' 4:'a' 5:'b' 11:{1:'g' 20:5 6:{2:'d'}} 11:{1:'gs' 20:10 "
        "11:{2:'e'} 11:{2:'f'}} 7:{1:'a' 2:'b' 4:'Op' 7:'l' 5:{1:'g' 20:5 6:{2:'q'}}} "
        "9:{1:'l' 2:1}} 20:{1:{2:'start' 1:{2:'z' 4:'Op' 7:'l'} 12:{1:'z'}} 2:{2:'step' "
        "1:{1:'w%d' 2:'v' 4:'Op' 7:'l'} 12:{1:'v'}} 3:{1:'w%d' 2:'z'} 4:{1:'w%d' "
        "2:'v'}} ",
        many, i, i, i, i);
  return pack (text->str);
}

static GBytes *
network_bytes (int dtype, const int *sizes, int n)
{
  g_autoptr (KetteGraph) graph = network_new (dtype, sizes, n, NULL);
  GError *error                = NULL;
  GBytes *bytes                = _kette_graph_to_bytes (graph, &error);

  g_assert_no_error (error);
  return bytes;
}

/* What training leaves behind. */
static void
add_checkpoint (GPtrArray *models, const char *name, const char *loss,
                const char *optimizer, int dtype)
{
  const int sizes[]              = { 5, 4, 3 };
  g_autoptr (KetteGraph) graph   = network_new (dtype, sizes, 2, NULL);
  g_autoptr (KetteTrainer) train = NULL;
  g_autofree char *file   = g_strconcat (folder, G_DIR_SEPARATOR_S, name, ".onnx", NULL);
  const FaultModel source = { .loss = loss, .optimizer = optimizer };
  KetteTrainOptions options;
  KetteTensor *x, *t;
  GError *error = NULL;

  fault_options (&source, &options);
  fault_samples (&source, graph, &x, &t);
  train = network_trainer (graph, &options, x, t);
  kette_trainer_epoch (train, NULL, NULL, &error);
  g_assert_no_error (error);
  kette_trainer_save (train, file, &error);
  g_assert_no_error (error);
  kette_tensor_unref (x);
  kette_tensor_unref (t);
  add_file (
      models,
      (FaultModel){ .name = name, .loss = loss, .optimizer = optimizer, .resume = TRUE },
      file);
}

static void
add_external (GPtrArray *models)
{
  const char zeros[64]    = "";
  g_autofree char *data   = g_build_filename (folder, "w.bin", NULL);
  g_autofree char *sub    = g_build_filename (folder, "sub", NULL);
  g_autofree char *second = g_build_filename (sub, "v.bin", NULL);

  g_assert_cmpint (g_mkdir (sub, 0700), ==, 0);
  g_assert_true (g_file_set_contents (data, zeros, 64, NULL));
  g_assert_true (g_file_set_contents (second, zeros, 16, NULL));
  add (
      models, (FaultModel){ .name = "external", .external = TRUE },
      pack (MODEL (INPUT ("x") OUTPUT (
          "y") "1:{1:'x' 1:'w' 2:'h' 4:'Add'} 1:{1:'h' 1:'v' 2:'i' 4:'Mul'} 1:{1:'i' "
               "1:'u' "
               "2:'y' 4:'Add'} "
               "5:{1:4 2:1 8:'w' 14:1 13:{1:'location' 2:'w.bin'} 13:{1:'offset' 2:'16'} "
               "13:{1:'length' 2:'16'} 13:{1:'checksum' "
               "2:'c8d7d0ef0eedfa82d2ea1aa592845b9a6d4b02b7'}} "
               "5:{1:4 2:1 8:'v' 14:1 13:{1:'location' 2:'./sub/v.bin'}} "
               "5:{1:4 2:1 8:'u' 14:1 13:{1:'location' 2:'w.bin'}  13:{1:'length' "
               "2:'16'}}")));
}

GPtrArray *
fault_models (void)
{
  static const char debian[] = "/usr/share/libonnx-testdata/data/simple/";
  const char *source         = g_getenv ("KETTE_SOURCE");
  const int sizes[]          = { 5, 4, 3 };
  GPtrArray *models          = g_ptr_array_new ();

  /* In memory where that is possible: it is synced thousands of times. */
  folder = g_access ("/dev/shm", W_OK) == 0
               ? g_mkdtemp (g_strdup ("/dev/shm/kette-XXXXXX"))
               : g_dir_make_tmp ("kette-XXXXXX", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    add (models,
         (FaultModel){ .name      = texts[i].name,
                       .loss      = texts[i].loss,
                       .optimizer = texts[i].optimizer },
         pack (texts[i].text));
  add_external (models);
  add (models, (FaultModel){ .name = "large" }, large_bytes ());
  add (models, (FaultModel){ .name = "mlp", .loss = "half-sse" },
       network_bytes (KT_F32, sizes, 2));
  add (models,
       (FaultModel){ .name = "classes", .loss = "cross-entropy", .optimizer = "adam" },
       network_bytes (KT_F64, sizes, 2));
  add_checkpoint (models, "checkpoint-sgd", "half-sse", "sgd", KT_F32);
  add_checkpoint (models, "checkpoint-adam", "cross-entropy", "adam", KT_F32);
  for (int i = 0; i < 4; i++)
    {
      static const char *const tests[]
          = { "gradient_of_add_and_mul", "sequence_model1", "expand_shape_model1",
              "strnorm_model_monday_casesensintive_lower" };
      g_autofree char *file = g_strdup_printf ("%stest_%s/model.onnx", debian, tests[i]);

      add_file (models, (FaultModel){ .name = tests[i] }, file);
    }
  for (int i = 0; i < 3; i++)
    {
      static const char *const zoo[]
          = { "cnn-mnist8", "quant-kws-qdq", "transformer-torch113" };
      g_autofree char *file
          = g_strdup_printf ("%s/../shared/zoo/%s/model.onnx", source, zoo[i]);

      add_file (models, (FaultModel){ .name = zoo[i], .is_long = TRUE }, file);
    }
  return models;
}

static void
remove_all (const char *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *inner = g_build_filename (path, name, NULL);

      remove_all (inner);
    }
  if (dir)
    g_dir_close (dir);
  g_remove (path);
}

void
fault_models_free (GPtrArray *models)
{
  for (guint i = 0; i < models->len; i++)
    {
      FaultModel *model = models->pdata[i];

      g_bytes_unref (model->bytes);
      g_free (model->file);
      g_free (model);
    }
  g_ptr_array_unref (models);
  remove_all (folder);
  g_clear_pointer (&folder, g_free);
}

const char *
fault_folder (void)
{
  return folder;
}

KetteTensor *
fault_input (KetteGraph *graph, guint i, gint64 open)
{
  int dtype, rank;
  const gint64 *dims = kette_graph_get_input_type (graph, i, &dtype, &rank);
  gint64 shape[32];
  KetteTensor *t;

  for (int k = 0; k < rank; k++)
    shape[k] = dims[k] < 0 ? open : dims[k];
  t = kette_tensor_new (dtype ? dtype : KT_F32, shape, (guint) MAX (rank, 0), NULL);
  for (gsize k = 0; t && t->dtype != KT_STRING && k < t->count; k++)
    _kette_tensor_set_double (t, k, 1);
  for (gsize k = 0; t && t->dtype == KT_STRING && k < t->count; k++)
    ((kt_str *) t->data)[k] = (kt_str){ "text", 4 };
  return t;
}

void
fault_samples (const FaultModel *model, KetteGraph *graph, KetteTensor **x,
               KetteTensor **t)
{
  const gboolean classes = model->loss && strstr (model->loss, "cross") != NULL;
  int dtype, rank;
  const gint64 *dims = kette_graph_get_input_type (graph, 0, &dtype, &rank);
  gint64 n           = 6;

  *x = network_rows (dtype, 6, (gsize) dims[rank - 1], 1);
  if (classes)
    *t = kette_tensor_new (KT_I64, &n, 1, NULL);
  else
    *t = network_rows (dtype, 6, (gsize) graph->outputs[0]->type.dims[1], 2);
}

void
fault_options (const FaultModel *model, KetteTrainOptions *options)
{
  kette_train_options_init (options);
  options->loss      = model->loss && *model->loss && !model->resume ? model->loss : NULL;
  options->optimizer = model->resume ? NULL : model->optimizer;
  options->batch     = model->resume ? 0 : 4;
  options->resume    = model->resume;
}

guint
fault_descriptors (void)
{
  return fault_count_files ("/proc/self/fd", "");
}

guint
fault_count_files (const char *path, const char *part)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  guint n   = 0;

  for (const char *name; dir && (name = g_dir_read_name (dir));)
    n += strstr (name, part) != NULL;
  if (dir)
    g_dir_close (dir);
  return n;
}
