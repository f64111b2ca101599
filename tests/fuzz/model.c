/* SPDX-License-Identifier: Apache-2.0
 * Target model: load, check, describe, compare, plan, run with made-up inputs, and where the
 * model has a training step, or now and then without, train two steps.
 */
#include "exec/diff.h"
#include "exec/session.h"
#include "exec/transform.h"
#include "inputs.h"
#include "io/io.h"
#include "pass/pass.h"
#include "train/train-private.h"

static void
free_all (KetteTensor **tensors, size_t n)
{
  for (size_t i = 0; i < n; i++)
    kette_tensor_unref (tensors[i]);
  g_free (tensors);
}

static void
run (KetteGraph *graph, KetteSession *session)
{
  const guint n_in  = kette_graph_get_n_inputs (graph),
              n     = kette_graph_get_n_outputs (graph);
  KetteTensor **in  = g_new0 (KetteTensor *, n_in + 1),
              **out = g_new0 (KetteTensor *, n + 1);
  GError *error     = NULL;
  gboolean ok       = TRUE;
  guint fed         = 0;

  for (size_t i = 0; ok && i < graph->n_inputs; i++)
    if (!(graph->inputs[i]->flags & KETTE_VALUE_INITIALIZER))
      ok = (in[fed++] = fuzz_tensor (&graph->inputs[i]->type, 0)) != NULL;
  if (ok && fed != n_in)
    fuzz_fault ("%u inputs, %u are to be fed", n_in, fed);
  if (ok)
    {
      ok = kette_session_run (session, in, out, NULL, &error);
      fuzz_judge (ok, &error);
      fuzz_reached.ran += ok;
      for (guint i = 0; ok && i < n; i++)
        if (!out[i])
          fuzz_fault ("output %u is missing", i);
    }
  free_all (in, n_in);
  free_all (out, ok ? n : 0);
}

static void
train (KetteGraph *graph, const KetteTrainOptions *options)
{
  GError *error         = NULL;
  KetteTrainer *trainer = kette_trainer_new (graph, options, &error);
  KetteTensor *data[2]  = { NULL, NULL };
  gboolean ok           = trainer != NULL;
  char *text;

  fuzz_judge (ok, &error);
  if (!ok)
    return;
  g_free (kette_trainer_describe (trainer));
  g_free (kette_trainer_list (trainer));
  text = kette_trainer_plan (trainer, &error);
  fuzz_judge (text != NULL, &error);
  g_free (text);
  for (size_t i = 0; ok && i < trainer->n_inputs; i++)
    ok = (data[i] = fuzz_tensor (&trainer->input_types[i], options->batch)) != NULL;
  if (ok && trainer->n_inputs > 0)
    {
      ok = kette_trainer_set_data (trainer, data[0], data[1], &error);
      fuzz_judge (ok, &error);
    }
  for (int i = 0; ok && i < 2; i++)
    {
      ok = kette_trainer_step (trainer, NULL, NULL, &error);
      fuzz_judge (ok, &error);
    }
  kette_tensor_unref (data[0]);
  kette_tensor_unref (data[1]);
  kette_trainer_unref (trainer);
}

/* What inference makes of a graph, against the graph: other nodes, names, constants. */
static void
compare (KetteGraph *graph, uint64_t choice)
{
  const KetteDiffOptions options = { .size  = sizeof options,
                                     .flags = (KetteDiffFlags) (choice & 15),
                                     .most  = (guint) (choice >> 4 & 3) };
  GError *error                  = NULL;
  KetteGraph *other = _kette_pass_examine (graph, KETTE_BEST_EFFORT, NULL, &error);
  char *text;

  if (!fuzz_judge (other != NULL, &error))
    return;
  text = kette_graph_diff (graph, other, &options, NULL, &error);
  fuzz_judge (text != NULL, &error);
  g_free (text);
  kette_graph_unref (other);
}

static void
judge_graph (KetteGraph *graph)
{
  const uint64_t choice = fuzz_random ();
  GError *error         = NULL;
  KetteTrainOptions options;
  KetteSession *session;
  char *text;

  fuzz_reached.loaded++;
  fuzz_judge (kette_graph_check (graph, TRUE, &error), &error);
  fuzz_judge (kette_graph_check (graph, FALSE, &error), &error);
  text = kette_graph_describe (graph, choice & 1, &error);
  fuzz_judge (text != NULL, &error);
  g_free (text);
  compare (graph, choice >> 16);
  session = kette_session_new_with_flags (graph, choice & 2 ? KETTE_SESSION_NO_NATIVE : 0,
                                          &error);
  fuzz_judge (session != NULL, &error);
  fuzz_reached.planned += session != NULL;
  if (session)
    run (graph, session);
  kette_session_unref (session);
  if (graph->model->n_training == 0 && choice >> 2 & 7)
    return;
  kette_train_options_init (&options);
  options.batch = 2;
  if (graph->model->n_training == 0)
    {
      options.loss      = choice >> 5 & 1 ? "half-sse" : "cross-entropy";
      options.optimizer = choice >> 6 & 1 ? "sgd" : "adam";
    }
  train (graph, &options);
}

static void
note_fault (const GError *fault, gpointer user)
{
  GError *copy = g_error_copy (fault);

  (void) user;
  fuzz_judge (FALSE, &copy);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t n)
{
  KetteLoadOptions options = { .size = sizeof options };
  GBytes *bytes            = g_bytes_new (data, n);
  GError *error            = NULL;
  KetteGraph *graph;

  fuzz_begin (data, n);
  fuzz_fail_allocations (3000);
  options.flags = fuzz_random () & 1 ? KETTE_LOAD_ALLOW_NEWER : 0;
  options.fault = fuzz_random () & 1 ? note_fault : NULL;
  graph         = kette_graph_load_bytes_full (bytes, NULL, &options, &error);
  if (fuzz_judge (graph != NULL, &error))
    judge_graph (graph);
  kette_graph_unref (graph);
  g_bytes_unref (bytes);
  fuzz_end ();
  return 0;
}
