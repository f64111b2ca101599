/* SPDX-License-Identifier: Apache-2.0
 * Every allocation is refused in all that is done with a model: loading, checking, running,
 * describing, drawing, differentiating and training it.
 */
#include "alloc.h"
#include "base/pool.h"
#include "draw/draw.h"
#include "exec/transform.h"
#include "io/io-private.h"
#include <stdio.h>
#include <string.h>

#if KETTE_FAULTS

static gboolean
have_session (Work *w, GError **error)
{
  return have_graph (w, error)
         && (w->session = kette_session_new (w->graph, error)) != NULL
         && have_inputs (w, 2);
}

static gboolean
have_trainer (Work *w, GError **error)
{
  KetteTrainOptions options;

  fault_options (w->model, &options);
  if (!have_graph (w, error))
    return FALSE;
  fault_samples (w->model, w->graph, &w->x, &w->t);
  w->trainer = kette_trainer_new (w->graph, &options, error);
  return w->trainer && kette_trainer_set_data (w->trainer, w->x, w->t, error);
}
static gboolean
act_check (Work *w, GError **error)
{
  return kette_graph_check (w->graph, FALSE, error);
}

static gboolean
act_structure (Work *w, GError **error)
{
  return kette_graph_check (w->graph, TRUE, error);
}

static gboolean
run (Work *w, KetteSession *session, GError **error)
{
  const guint n       = kette_graph_get_n_outputs (w->graph);
  KetteTensor *out[8] = { NULL };
  const gboolean result
      = n <= 8 && kette_session_run (session, w->inputs, out, NULL, error);

  for (guint i = 0; i < 8; i++)
    {
      g_assert_true (result || !out[i]);
      kette_tensor_unref (out[i]);
    }
  return result;
}

static gboolean
have_graph_and_inputs (Work *w, GError **error)
{
  return have_graph (w, error) && have_inputs (w, 2);
}

/* A session of its own, and a run. */
static gboolean
act_session (Work *w, GError **error)
{
  KetteSession *session = kette_session_new (w->graph, error);
  const gboolean ok     = session && run (w, session, error);

  kette_session_unref (session);
  return ok;
}

/* Runs of a session that goes on living. */
static gboolean
act_run (Work *w, GError **error)
{
  return run (w, w->session, error);
}

static gboolean
act_bytes (Work *w, GError **error)
{
  GBytes *bytes = _kette_graph_to_bytes (w->graph, error);

  if (!bytes)
    return FALSE;
  set_result (w, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  g_bytes_unref (bytes);
  return TRUE;
}

static gboolean
act_save (Work *w, GError **error)
{
  gboolean ok;

  w->out = w->out ? w->out : g_build_filename (fault_folder (), "out.onnx", NULL);
  ok     = kette_graph_save (w->graph, w->out, error);
  set_result_file (w, ok);
  return ok;
}

static gboolean
act_describe (Work *w, GError **error)
{
  char *text  = kette_graph_describe (w->graph, w->model->name[0] % 2, error);
  gboolean ok = text != NULL;

  if (ok)
    set_result (w, text, strlen (text));
  if (ok && strstr (text, "memory: ")) /* no plan, and the text says so */
    ok = _kette_fail (error, KETTE_ERROR_MEMORY, NULL, "no plan");
  g_free (text);
  return ok;
}

static gboolean
draw (Work *w, const char *view, const char *format, const char *device, GError **error)
{
  KetteDrawOptions options;
  char *text;

  kette_draw_options_init (&options);
  options.view   = view;
  options.format = format;
  options.device = device;
  options.layout = "row";
  text           = kette_graph_draw (w->graph, &options, error);
  if (text)
    set_result (w, text, strlen (text));
  g_free (text);
  return text != NULL;
}

static gboolean
act_draw (Work *w, GError **error)
{
  return draw (w, "forward", "svg", NULL, error);
}

static gboolean
act_draw_both (Work *w, GError **error)
{
  return draw (w, "both", "dot", NULL, error);
}

static gboolean
act_draw_devices (Work *w, GError **error)
{
  return draw (w, "both", "svg", "cpu", error);
}

/* What gradients are: the file that the graph makes. */
static gboolean
gradients (Work *w, KetteGradientFlags flags, GError **error)
{
  return kette_graph_add_gradients (w->graph, NULL, NULL, flags, error)
         && act_bytes (w, error);
}

static gboolean
act_gradients (Work *w, GError **error)
{
  return gradients (w, 0, error);
}

static gboolean
act_standard (Work *w, GError **error)
{
  return gradients (w, KETTE_GRADIENT_STANDARD | KETTE_GRADIENT_RAISE_OPSET, error);
}

static gboolean
can_train (const FaultModel *model)
{
  return model->loss != NULL;
}

static gboolean
have_samples (Work *w, GError **error)
{
  if (!have_graph (w, error))
    return FALSE;
  fault_samples (w->model, w->graph, &w->x, &w->t);
  return TRUE;
}

static gboolean
act_trainer (Work *w, GError **error)
{
  KetteTrainOptions options;
  KetteTrainer *trainer;
  gboolean ok;

  fault_options (w->model, &options);
  trainer = kette_trainer_new (w->graph, &options, error);
  ok      = trainer && kette_trainer_set_data (trainer, w->x, w->t, error)
       && kette_trainer_step (trainer, NULL, NULL, error);
  kette_trainer_unref (trainer);
  return ok;
}

static gboolean
act_epoch (Work *w, GError **error)
{
  double loss, accuracy;

  return kette_trainer_epoch (w->trainer, &loss, NULL, error)
         && kette_trainer_evaluate (w->trainer, w->x, w->t, &loss, &accuracy, error);
}

static gboolean
act_checkpoint (Work *w, GError **error)
{
  gboolean ok;

  w->out = w->out ? w->out : g_build_filename (fault_folder (), "out.onnx", NULL);
  ok     = kette_trainer_save (w->trainer, w->out, error);
  set_result_file (w, ok);
  return ok;
}

static const Stage stages[] = {
  { "check", NULL, have_graph, act_check },
  { "structure", NULL, have_graph, act_structure },
  { "session", NULL, have_graph_and_inputs, act_session },
  { "run", NULL, have_session, act_run },
  { "save", NULL, have_graph, act_save },
  { "describe", NULL, have_graph, act_describe },
  { "draw", NULL, have_graph, act_draw },
  { "draw-both", NULL, have_graph, act_draw_both },
  { "draw-devices", NULL, have_graph, act_draw_devices },
  { "gradients", NULL, have_graph, act_gradients, TRUE },
  { "standard-gradients", NULL, have_graph, act_standard, TRUE },
  { "trainer", can_train, have_samples, act_trainer },
  { "epoch", can_train, have_trainer, act_epoch },
  { "checkpoint", can_train, have_trainer, act_checkpoint },
};

int
main (int argc, char **argv)
{
  return stages_main (argc, argv, stages, G_N_ELEMENTS (stages));
}

#else

int
main (void)
{
  puts ("1..0 # SKIP built without -Dfaults=true");
  return 0;
}
#endif
