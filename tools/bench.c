/* SPDX-License-Identifier: Apache-2.0
 * kette bench: the time of a model's runs.
 */
#include "model.h"
#include "verbs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A tensor for input I: open dims are BATCH, floats uniform in [0,1), integers 0. */
static KetteTensor *
make_input (KetteGraph *graph, guint i, int batch, GError **error)
{
  int dtype, rank;
  const gint64 *given = kette_graph_get_input_type (graph, i, &dtype, &rank);
  gint64 dims[64];

  if (rank < 0 || rank > 32 || !dtype)
    {
      g_set_error (
          error, KETTE_ERROR, KETTE_ERROR_SHAPE,
          "shape: graph input \"%s\": its rank is open, so that bench cannot make data",
          kette_graph_get_input_name (graph, i));
      return NULL;
    }
  for (int d = 0; d < rank; d++)
    dims[d] = given[d] < 0 ? batch : given[d];
  KetteTensor *x = kette_tensor_new (dtype, dims, (guint) rank, error);
  if (!x)
    return NULL;

  g_autoptr (GRand) random = g_rand_new_with_seed (i);
  for (gsize k = 0; k < kette_tensor_get_count (x); k++)
    if (dtype == 1)
      ((float *) kette_tensor_get_data (x))[k] = (float) g_rand_double (random);
    else if (dtype == 11)
      ((double *) kette_tensor_get_data (x))[k] = g_rand_double (random);
  return x;
}

static int
compare_doubles (const void *a, const void *b)
{
  const double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

/* Rounds of runs until SECONDS are over; the median of their means, in microseconds. */
static gboolean
measure (KetteSession *session, KetteTensor **inputs, guint n_out, double seconds,
         double *median, double *least, GError **error)
{
  enum
  {
    MOST = 200
  };
  double rounds[MOST];
  gint64 runs                  = 1;
  int n                        = 0;
  const gint64 start           = g_get_monotonic_time ();
  g_autofree KetteTensor **out = g_new0 (KetteTensor *, n_out + 1);

  while (n < MOST
         && (n < 5 || (double) (g_get_monotonic_time () - start) < seconds * 1e6))
    {
      const gint64 begin = g_get_monotonic_time ();
      for (gint64 r = 0; r < runs; r++)
        {
          if (!kette_session_run (session, inputs, out, kette_tool_deadline (), error))
            return FALSE;
          for (guint i = 0; i < n_out; i++)
            kette_tensor_unref (out[i]);
        }
      const double spent = (double) (g_get_monotonic_time () - begin);
      if (spent < seconds * 1e6 / 50)
        runs *= 2; /* too short to be timed: warm up and lengthen the rounds */
      else
        rounds[n++] = spent / (double) runs;
    }
  qsort (rounds, (size_t) n, sizeof *rounds, compare_doubles);
  *median = rounds[n / 2];
  *least  = rounds[0];
  return TRUE;
}

int
kette_verb_bench (int argc, char **argv)
{
  int batch = 1, threads = 0, status;
  g_autofree char *device      = NULL;
  g_autofree char *precision   = NULL;
  g_auto (GStrv) place         = NULL;
  KetteSessionFlags flags      = (KetteSessionFlags) 0;
  gboolean no_fusion           = FALSE;
  double seconds               = 2, median, least;
  g_autoptr (GError) error     = NULL;
  const GOptionEntry entries[] = {
    { "batch", 0, 0, G_OPTION_ARG_INT, &batch, "size of open dims (1)", "N" },
    { "no-fusion", 0, 0, G_OPTION_ARG_NONE, &no_fusion,
      "run each node on its own; the same bits, slower", NULL },
    { "device", 0, 0, G_OPTION_ARG_STRING, &device, "where: as in kette run", "D" },
    { "place", 0, 0, G_OPTION_ARG_STRING_ARRAY, &place, "likewise", "GLOB=D" },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &precision, "as in kette run", "P" },
    { "threads", 0, 0, G_OPTION_ARG_INT, &threads, "threads", "N" },
    { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &seconds, "how long to measure (2)", "S" },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };

  if (!kette_tool_parse (
          &argc, &argv, entries, "MODEL", "Times the runs of a model.",
          "  kette bench model.onnx\n  kette bench model.onnx --batch 64 --threads 2\n"
          "  kette bench model.onnx --batch 64 --device cuda\n",
          &status))
    return status;
  if (argc != 2)
    return kette_tool_usage ("bench needs one MODEL");
  if (batch < 1 || threads < 0 || threads > 256 || !(seconds > 0))
    return kette_tool_usage ("a number is out of range");
  kette_set_threads (threads);

  g_autoptr (KetteGraph) graph
      = kette_session_flags_for_precision (precision, &flags, &error)
            ? kette_tool_load (argv[1], &error)
            : NULL;
  g_autoptr (KetteSession) session
      = graph ? kette_session_new_on (graph,
                                      flags | (no_fusion ? KETTE_SESSION_NO_FUSION : 0),
                                      device, (const char *const *) place, &error)
              : NULL;
  const guint n                   = graph ? kette_graph_get_n_inputs (graph) : 0;
  g_autofree KetteTensor **inputs = g_new0 (KetteTensor *, n + 1);
  gboolean ok                     = session != NULL;
  for (guint i = 0; ok && i < n; i++)
    ok = (inputs[i] = make_input (graph, i, batch, &error)) != NULL;
  ok = ok
       && measure (session, inputs, kette_graph_get_n_outputs (graph), seconds, &median,
                   &least, &error);
  if (ok)
    kette_tool_warn_places (argv[1], session);
  for (guint i = 0; i < n; i++)
    kette_tensor_unref (inputs[i]);
  if (!ok)
    return kette_tool_fail (error);
  printf ("%s: batch %d: %.2f us per run (median of rounds; fastest round %.2f us)\n",
          argv[1], batch, median, least);
  return 0;
}
