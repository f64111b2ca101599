/* SPDX-License-Identifier: Apache-2.0
 * The cost of a node: a chain of 1,000 tiny elementwise nodes (Add, Sub, Mul by a constant,
 * Abs in turn) on 16 floats, divided by its length.
 *
 * chain [SECONDS]; one line of JSON.
 */
#include "exec/session-private.h"
#include "measure.h"
#include <stdio.h>
#include <stdlib.h>

enum
{
  LENGTH = 1000
};

static void
execute (void *user)
{
  if (!_kette_run_execute (user, KETTE_PHASE_FORWARD | KETTE_PHASE_UPDATE, NULL, NULL))
    abort ();
}

/* The chain; NULL on failure. */
static KetteGraph *
make_chain (GError **error)
{
  static const char *const ops[] = { "Add", "Sub", "Mul", "Abs" };
  static const int64_t dims[]    = { 1, 16 };
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
  for (int i = 0; i < LENGTH; i++)
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

int
main (int argc, char **argv)
{
  g_autoptr (GError) error     = NULL;
  g_autoptr (KetteGraph) graph = make_chain (&error);
  const double seconds         = argc > 1 ? atof (argv[1]) : 0.3;
  const int64_t dims[]         = { 1, 16 };
  const kt_type type = { .kind = KT_TENSOR, .dtype = KT_F32, .ndim = 2, .dims = dims };
  bench_result result;

  kette_set_threads (1);
  g_autoptr (KetteSession) session = graph ? kette_session_new (graph, &error) : NULL;
  KetteRun *run = session ? _kette_session_take (session, &type, NULL, &error) : NULL;
  if (!run)
    return fprintf (stderr, "%s\n", error ? error->message : "no memory"), 1;
  bench_measure (&(const bench_subject){ "chain", execute, run }, 1,
                 seconds < 0.05 ? 3 : 11, seconds, &result);
  printf ("{\"bench\": \"chain\", \"what\": \"per node of a chain of %d\", \"ns\": %.1f, "
          "\"goal\": 40}\n",
          LENGTH, result.median[0] * 1000 / LENGTH);
  _kette_session_give (session, run);
  return 0;
}
