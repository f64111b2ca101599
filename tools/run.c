/* SPDX-License-Identifier: Apache-2.0
 * kette run and kette grad: outputs, or gradients, of a model for given inputs.
 */
#include "feed.h"
#include "model.h"
#include "print.h"
#include <stdio.h>
#include <string.h>

/* The K largest elements of each row, as "index (value)". */
static void
print_top (const KetteTensor *t, int top)
{
  guint rank;
  const gint64 *dims   = kette_tensor_get_dims (t, &rank);
  const gsize n        = kette_tensor_get_count (t);
  const gsize width    = rank ? (gsize) dims[rank - 1] : 1;
  const float *element = kette_tensor_get_data (t);

  for (gsize row = 0; width && row < n / width; row++)
    {
      double before = 0;
      gsize last    = 0;
      printf ("%6zu ", row);
      for (int k = 0; k < top && (gsize) k < width; k++)
        { /* the next smaller one; of equals the one with the next index */
          gsize best     = width;
          const float *x = element + row * width;
          for (gsize i = 0; i < width; i++)
            if ((k == 0 || (double) x[i] < before
                 || ((double) x[i] == before && i > last))
                && (best == width || x[i] > x[best]))
              best = i;
          if (best == width)
            break;
          before = (double) x[best];
          last   = best;
          printf (" %zu (%.4g)", best, before);
        }
      printf ("\n");
    }
}

/* The file that a word NAME=FILE of WORDS gives for NAME, or NULL. */
static const char *
file_for (char *const *words, const char *name)
{
  const size_t n = strlen (name);

  for (; words && *words; words++)
    if (strncmp (*words, name, n) == 0 && (*words)[n] == '=')
      return *words + n + 1;
  return NULL;
}

static int
check_outputs (KetteGraph *graph, char *const *words)
{
  for (; words && *words; words++)
    {
      gboolean known = FALSE;
      for (guint i = 0; i < kette_graph_get_n_outputs (graph); i++)
        known = known
                || file_for ((char *[]){ *words, NULL },
                             kette_graph_get_output_name (graph, i));
      if (!known)
        return kette_tool_usage ("--output %s: the model has no such output", *words);
    }
  return 0;
}

static int
deliver (KetteGraph *graph, KetteTensor **outputs, char *const *words, int top)
{
  for (guint i = 0; i < kette_graph_get_n_outputs (graph); i++)
    {
      g_autoptr (GError) error = NULL;
      const char *name         = kette_graph_get_output_name (graph, i);
      const char *file         = file_for (words, name);
      if (file && !kette_tensor_save (outputs[i], file, &error))
        return kette_tool_fail (error);
      if (words)
        continue;
      if (top > 0 && kette_tensor_get_dtype (outputs[i]) == 1)
        {
          printf ("%s\n", name);
          print_top (outputs[i], top);
          continue;
        }
      kette_tool_print_tensor (name, outputs[i]);
    }
  return 0;
}

typedef struct
{
  int first, top;
  gboolean no_fusion, explain;
  char *device, **place, *precision;
} Options;

static void
clear_options (Options *o)
{
  g_free (o->device);
  g_free (o->precision);
  g_strfreev (o->place);
}

/* Runs GRAPH on the files of WORDS; prints or writes its outputs. */
static int
run_graph (KetteGraph *graph, const char *file, char *const *input_words,
           char *const *output_words, const Options *o)
{
  g_autoptr (GError) error = NULL;
  const guint n_in         = kette_graph_get_n_inputs (graph),
              n_default    = kette_graph_get_n_defaults (graph),
              n_out        = kette_graph_get_n_outputs (graph);
  int status               = check_outputs (graph, output_words);
  KetteTensor **inputs
      = status ? NULL : kette_tool_feed (graph, input_words, o->first, &status);

  if (!inputs)
    return status;
  KetteTensor **outputs = g_new0 (KetteTensor *, n_out + 1);
  gboolean fed          = FALSE; /* an input that has a default */
  for (guint i = 0; i < n_default; i++)
    fed = fed || inputs[n_in + i];
  KetteSessionFlags precision = (KetteSessionFlags) 0;
  g_autoptr (KetteSession) session
      = kette_session_flags_for_precision (o->precision, &precision, &error)
            ? kette_session_new_on (graph,
                                    precision | (fed ? KETTE_SESSION_FEED_DEFAULTS : 0)
                                        | (o->no_fusion ? KETTE_SESSION_NO_FUSION : 0),
                                    o->device, (const char *const *) o->place, &error)
            : NULL;
  g_autofree char *plan
      = session && o->explain
            ? kette_session_explain (session, inputs, inputs + n_in, &error)
            : NULL;
  if (plan)
    kette_tool_print (plan);
  else if (session && !o->explain
           && kette_session_run_with_defaults (session, inputs, inputs + n_in, outputs,
                                               kette_tool_deadline (), &error))
    {
      kette_tool_warn_places (file, session);
      status = deliver (graph, outputs, output_words, o->top);
    }
  else
    {
      status = kette_tool_fail (error);
      memset (outputs, 0, n_out * sizeof *outputs);
    }
  kette_tool_free_tensors (inputs, n_in + n_default);
  kette_tool_free_tensors (outputs, n_out);
  return status;
}

int
kette_verb_run (int argc, char **argv)
{
  g_auto (GStrv) inputs        = NULL;
  g_auto (GStrv) outputs       = NULL;
  g_autoptr (GError) error     = NULL;
  Options o                    = { 0 };
  int threads                  = 0, status;
  const GOptionEntry entries[] = {
    { "input", 'i', 0, G_OPTION_ARG_STRING_ARRAY, &inputs,
      "content of an input: .npy, TensorProto .pb, IDX, IDX.gz", "NAME=FILE" },
    { "output", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &outputs,
      "write an output as .npy or .pb instead of printing all", "NAME=FILE" },
    { "first", 0, 0, G_OPTION_ARG_INT, &o.first, "only the first N samples of each file",
      "N" },
    { "top", 0, 0, G_OPTION_ARG_INT, &o.top,
      "print the indices of the K largest elements", "K" },
    { "no-fusion", 0, 0, G_OPTION_ARG_NONE, &o.no_fusion,
      "run each node on its own; the same bits, slower", NULL },
    { "explain", 0, 0, G_OPTION_ARG_NONE, &o.explain,
      "do not run: say what would be done, where and why, and what would be copied",
      NULL },
    { "device", 0, 0, G_OPTION_ARG_STRING, &o.device,
      "where: cpu, auto, or what kette ops --devices lists, such as cuda, cuda:1", "D" },
    { "place", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o.place,
      "nodes whose name or operator fits go there; the first rule that fits counts",
      "GLOB=D" },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &o.precision,
      "what products round their factors to, on devices that have it: f32 (not at all), "
      "tf32, bf16",
      "P" },
    { "threads", 0, 0, G_OPTION_ARG_INT, &threads,
      "threads; the results do not depend on it", "N" },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };

  if (!kette_tool_parse (&argc, &argv, entries, "MODEL", "Runs a model on data files.",
                         "  kette run model.onnx --input x=image.npy\n"
                         "  kette run model.onnx --input x=a.npy --output y=b.npy\n"
                         "  kette run trained.onnx --input t10k-images-idx3-ubyte.gz "
                         "--first 8 --top 2\n"
                         "  kette run model.onnx --input x=image.npy --device cuda "
                         "--explain\n",
                         &status))
    return status;
  if (argc != 2)
    return kette_tool_usage ("run needs one MODEL");
  if (o.first < 0 || o.top < 0 || threads < 0 || threads > 256)
    return kette_tool_usage ("a number is out of range");
  kette_set_threads (threads);

  g_autoptr (KetteGraph) graph = kette_tool_load (argv[1], &error);
  status
      = graph ? run_graph (graph, argv[1], inputs, outputs, &o) : kette_tool_fail (error);
  clear_options (&o);
  return status;
}

int
kette_verb_grad (int argc, char **argv)
{
  g_auto (GStrv) inputs    = NULL;
  g_auto (GStrv) wrt       = NULL;
  g_autofree char *of      = NULL;
  g_autofree char *out     = NULL;
  g_autoptr (GError) error = NULL;
  gboolean standard = FALSE, raise = FALSE;
  Options o = { 0 };
  int status;
  const GOptionEntry entries[] = {
    { "of", 0, 0, G_OPTION_ARG_STRING, &of,
      "what to differentiate (the only scalar output)", "VALUE" },
    { "wrt", 0, 0, G_OPTION_ARG_STRING_ARRAY, &wrt,
      "inputs and parameters to differentiate by (all trainable ones)", "GLOB" },
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &out,
      "write the model with its backward pass", "FILE" },
    { "standard", 0, 0, G_OPTION_ARG_NONE, &standard,
      "only operators of ONNX's own domain", NULL },
    { "raise-opset", 0, 0, G_OPTION_ARG_NONE, &raise, "rewrite a model of an older opset",
      NULL },
    { "input", 'i', 0, G_OPTION_ARG_STRING_ARRAY, &inputs,
      "run it on data and print the gradients", "NAME=FILE" },
    { "explain", 0, 0, G_OPTION_ARG_NONE, &o.explain, "with --input: as in kette run",
      NULL },
    { "device", 0, 0, G_OPTION_ARG_STRING, &o.device, "with --input: as in kette run",
      "D" },
    { "place", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o.place, "with --input: as in kette run",
      "GLOB=D" },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &o.precision,
      "with --input: as in kette run", "P" },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };

  if (!kette_tool_parse (&argc, &argv, entries, "MODEL",
                         "Adds the backward pass to a model: outputs grad/NAME.",
                         "  kette grad net.onnx --of loss --standard -o backward.onnx\n"
                         "  kette grad net.onnx --wrt x --input x=image.npy\n",
                         &status))
    return status;
  if (argc != 2)
    return kette_tool_usage ("grad needs one MODEL");
  if (!out && !inputs)
    return kette_tool_usage ("grad needs -o FILE or --input NAME=FILE");
  if (!inputs && (o.explain || o.device || o.place || o.precision))
    return kette_tool_usage ("%s says how to run on --input NAME=FILE",
                             o.explain  ? "--explain"
                             : o.device ? "--device"
                             : o.place  ? "--place"
                                        : "--precision");

  g_autoptr (KetteGraph) graph   = kette_tool_load (argv[1], &error);
  const KetteGradientFlags flags = (standard ? KETTE_GRADIENT_STANDARD : 0)
                                   | (raise ? KETTE_GRADIENT_RAISE_OPSET : 0);
  if (!graph
      || !kette_graph_add_gradients (graph, of, (const char *const *) wrt, flags, &error)
      || (out && !kette_graph_save (graph, out, &error)))
    return kette_tool_fail (error);
  status = inputs ? run_graph (graph, argv[1], inputs, NULL, &o) : 0;
  clear_options (&o);
  return status;
}
