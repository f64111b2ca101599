/* SPDX-License-Identifier: Apache-2.0
 * The command `kette`: picks the verb.
 */
#include "stop.h"
#include "verbs.h"
#include <locale.h>
#include <stdio.h>
#include <string.h>

static const struct
{
  const char *name, *summary;
  int (*run) (int argc, char **argv);
} verbs[] = {
  { "info", "what a model holds: inputs, outputs, parameters, operators, plan",
    kette_verb_info },
  { "check", "is a model sound, and can it be run here?", kette_verb_check },
  { "diff", "what differs between two models?", kette_verb_diff },
  { "run", "run a model on data files", kette_verb_run },
  { "test", "run ONNX backend test directories", kette_verb_test },
  { "train", "train a model on data files", kette_verb_train },
  { "grad", "write the backward pass of a model as ONNX, or print gradients",
    kette_verb_grad },
  { "draw", "draw a graph, forward or backward, as SVG or DOT", kette_verb_draw },
  { "convert", "write a model in another form: external data, opset, no training",
    kette_verb_convert },
  { "ops", "the operators that the plugins provide", kette_verb_ops },
  { "bench", "time the runs of a model", kette_verb_bench },
};

static void
print_help (FILE *out)
{
  fputs ("Usage: kette [--plugin FILE]... VERB [OPTION]... \n\n"
         "Runs, trains and draws neural-network graphs (ONNX files).\n\nVerbs:\n",
         out);
  for (size_t i = 0; i < G_N_ELEMENTS (verbs); i++)
    fprintf (out, "  %-8s %s\n", verbs[i].name, verbs[i].summary);
  fputs (
      "\nOptions:\n"
      "  --plugin FILE     load this plugin too\n"
      "  --trust-plugin    load plugins of --plugin even if others may write them\n"
      "  --version         print the version\n"
      "  --help            print this; `kette VERB --help` explains a verb\n\n"
      "Examples:\n"
      "  kette info model.onnx\n"
      "  kette run model.onnx --input x=digits.npy --output y=scores.npy\n"
      "  kette train net.onnx --data images.gz --target labels.gz --loss half-sse --lr 1 "
      "-o trained.onnx\n"
      "  kette draw trained.onnx --view both -o graph.svg\n",
      out);
}

/* Takes --plugin and --trust-plugin out of the words, wherever they stand. */
static gboolean
load_plugins (int *argc, char **argv, GError **error)
{
  gboolean trust = FALSE;
  int n          = 0;

  for (int i = 0; i < *argc; i++)
    trust = trust || strcmp (argv[i], "--trust-plugin") == 0;
  for (int i = 0; i < *argc; i++)
    {
      const char *file = NULL;
      if (strcmp (argv[i], "--trust-plugin") == 0)
        continue;
      if (g_str_has_prefix (argv[i], "--plugin="))
        file = argv[i] + strlen ("--plugin=");
      else if (strcmp (argv[i], "--plugin") == 0)
        {
          if (i + 1 >= *argc)
            {
              g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                           "kette: --plugin needs a FILE");
              return FALSE;
            }
          file = argv[++i];
        }
      if (!file)
        argv[n++] = argv[i];
      else if (!kette_plugins_add_file (file, trust, error))
        return FALSE;
    }
  *argc   = n;
  argv[n] = NULL;
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  setlocale (LC_MESSAGES, "");
  kette_tool_catch_warnings ();
  kette_tool_watch ();
  kette_guard_mapped_files ();
  if (argc >= 2 && strcmp (argv[1], "--version") == 0)
    {
      puts ("kette " KETTE_VERSION);
      return kette_tool_finish (0);
    }
  if (argc >= 2 && (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "help") == 0))
    {
      print_help (stdout);
      return kette_tool_finish (0);
    }
  if (!load_plugins (&argc, argv, &error))
    return kette_tool_fail (error);
  if (argc < 2)
    {
      print_help (stderr);
      return KETTE_EXIT_USAGE;
    }
  for (size_t i = 0; i < G_N_ELEMENTS (verbs); i++)
    if (strcmp (verbs[i].name, argv[1]) == 0)
      return kette_tool_finish (verbs[i].run (argc - 1, argv + 1));
  return kette_tool_usage ("there is no verb \"%s\"; kette --help lists them", argv[1]);
}
