/* SPDX-License-Identifier: Apache-2.0
 * Chains of elementwise nodes (Add, Sub, Mul by a constant, Abs in turn): the cost of a node,
 * 1,000 of them on 16 floats; and of passes over memory, 20 on a million floats, tile by tile
 * and node by node.
 *
 * chain [SECONDS [THREADS]]; lines of JSON.
 */
#include "exec/session-private.h"
#include "measure.h"
#include <stdio.h>
#include <stdlib.h>

static void
execute (void *user)
{
  if (!_kette_run_execute (user, KETTE_PHASE_FORWARD | KETTE_PHASE_UPDATE, NULL, NULL))
    abort ();
}

/* The chain; NULL on failure. */
static KetteGraph *
make_chain (int length, const int64_t dims[2], GError **error)
{
  static const char *const ops[] = { "Add", "Sub", "Mul", "Abs" };
  KetteModel *model              = _kette_model_new ("chain", error);
  KetteGraph *graph            = model ? _kette_graph_new (model, "chain", error) : NULL;
  g_autoptr (KetteTensor) half = kette_tensor_new (KT_F32, NULL, 0, error);

  if (!graph || !half || !_kette_model_set_opset (model, "", 18, error))
    return NULL;
  _kette_model_unref (model);
  *(float *) half->data = 0.5f;
  KetteValue *constant  = _kette_graph_add_constant (graph, "c", half, error);
  KetteValue *value     = _kette_graph_add_value (graph, "x", error);
  _kette_value_set_tensor_type (value, KT_F32, dims, 2, error);
  _kette_graph_add_input (graph, value, error);
  for (int i = 0; i < length; i++)
    {
      KetteValue *out = _kette_graph_add_value (graph, NULL, error);
      if (!_kette_graph_add_node (graph, "", "", ops[i % 4], 18,
                                  (KetteValue *[]){ value, constant }, i % 4 == 3 ? 1 : 2,
                                  &out, 1, NULL, 0, error))
        return NULL;
      value = out;
    }
  return _kette_graph_add_output (graph, value, error) ? graph : NULL;
}

/* A run of the chain's session; NULL on failure. */
static KetteRun *
make_run (int length, int64_t elements, KetteSessionFlags flags, KetteSession **session,
          GError **error)
{
  const int64_t dims[] = { 1, elements };
  const kt_type type   = { .kind = KT_TENSOR, .dtype = KT_F32, .ndim = 2, .dims = dims };
  g_autoptr (KetteGraph) graph = make_chain (length, dims, error);

  *session      = graph ? kette_session_new_with_flags (graph, flags, error) : NULL;
  KetteRun *run = *session ? _kette_session_take (*session, &type, NULL, error) : NULL;
  float *x      = run ? _kette_run_input (run, 0) : NULL;
  for (int64_t i = 0; x && i < elements; i++)
    x[i] = (float) (i % 1009) / 1009;
  return run;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  const double seconds     = argc > 1 ? atof (argv[1]) : 0.3;
  const int threads = argc > 2 ? atoi (argv[2]) : 1, rounds = seconds < 0.05 ? 3 : 11;
  static const struct
  {
    int length;
    int64_t elements;
  } sizes[] = { { 1000, 16 }, { 20, 1 << 20 } };

  kette_set_threads (threads);
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      const int n                      = sizes[i].length;
      g_autoptr (KetteSession) session = NULL, plain = NULL;
      KetteRun *run = make_run (n, sizes[i].elements, 0, &session, &error);
      KetteRun *each
          = run ? make_run (n, sizes[i].elements, KETTE_SESSION_NO_FUSION, &plain, &error)
                : NULL;
      bench_result result;
      if (!each)
        return fprintf (stderr, "%s\n", error ? error->message : "no memory"), 1;
      bench_measure ((const bench_subject[]){ { "fused", execute, run },
                                              { "plain", execute, each } },
                     2, rounds, seconds, &result);
      printf ("{\"bench\": \"chain\", \"what\": \"%d nodes on %lld floats\", "
              "\"threads\": %d, \"us\": %.1f, \"node_by_node_us\": %.1f, "
              "\"ns_per_node\": %.1f, \"node_by_node_ns\": %.1f}\n",
              n, (long long) sizes[i].elements, threads, result.median[0],
              result.median[1], result.median[0] * 1000 / n, result.median[1] * 1000 / n);
      _kette_session_give (session, run);
      _kette_session_give (plain, each);
    }
  return 0;
}
