/* SPDX-License-Identifier: Apache-2.0
 * Target resume: the bytes are a checkpoint: its digest, then a trainer that goes on from it,
 * two steps, and the checkpoint that it would write.
 */
#include "inputs.h"
#include "io/io-private.h"
#include "io/io.h"
#include "train/train-private.h"

static void
judge_trainer (KetteTrainer *trainer, int64_t batch)
{
  KetteTensor *data[2] = { NULL, NULL };
  GError *error        = NULL;
  KetteTrainState where;
  gboolean ok = TRUE;

  kette_trainer_get_state (trainer, &where);
  g_free (kette_trainer_describe (trainer));
  for (size_t i = 0; ok && i < trainer->n_inputs; i++)
    ok = (data[i] = fuzz_tensor (&trainer->input_types[i], batch)) != NULL;
  if (ok && trainer->n_inputs > 0)
    ok = fuzz_judge (kette_trainer_set_data (trainer, data[0], data[1], &error), &error);
  for (int i = 0; ok && i < 2; i++)
    ok = fuzz_judge (kette_trainer_step (trainer, NULL, NULL, &error), &error);
  kette_tensor_unref (data[0]);
  kette_tensor_unref (data[1]);
}

static void
judge_graph (KetteGraph *graph)
{
  const uint64_t choice = fuzz_random ();
  GError *error         = NULL;
  KetteTrainOptions options;
  KetteTrainer *trainer;
  GBytes *bytes;

  kette_graph_is_checkpoint (graph);
  kette_train_options_init (&options);
  options.resume        = TRUE;
  options.resume_anyway = choice % 4 > 0;
  trainer               = kette_trainer_new (graph, &options, &error);
  if (fuzz_judge (trainer != NULL, &error))
    {
      judge_trainer (trainer, (int64_t) (choice >> 8 & 3));
      bytes = _kette_graph_to_bytes (graph, &error);
      fuzz_expect (bytes != NULL, &error, "cannot be saved");
      g_clear_pointer (&bytes, g_bytes_unref);
    }
  kette_trainer_unref (trainer);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t n)
{
  GBytes *bytes = g_bytes_new (data, n);
  GError *error = NULL;
  gboolean present;
  KetteGraph *graph;

  fuzz_begin (data, n);
  fuzz_fail_allocations (2000);
  fuzz_judge (_kette_check_sha256 (bytes, &present, &error), &error);
  graph = kette_graph_load_bytes (bytes, &error);
  if (fuzz_judge (graph != NULL, &error))
    judge_graph (graph);
  kette_graph_unref (graph);
  g_bytes_unref (bytes);
  fuzz_end ();
  return 0;
}
