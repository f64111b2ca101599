/* SPDX-License-Identifier: Apache-2.0
 * Every allocation is refused once, and from it on for ever, in all that is done with a model:
 * the result is the error `memory`, or the same as ever; nothing is kept, and the same call
 * does its work afterwards. The short form takes 12 of the allocations, or KETTE_FAULTS_STEPS,
 * KETTE_FAULTS_ALL=1 all of them.
 */
#include "base/faults.h"
#include "base/pool.h"
#include "draw/draw.h"
#include "exec/session.h"
#include "exec/transform.h"
#include "io/io-private.h"
#include "models.h"
#include "op/plugins.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if KETTE_FAULTS

/* What one call works on; made before the faults begin. */
typedef struct
{
  const FaultModel *model;
  KetteGraph *graph;
  KetteSession *session;
  KetteTrainer *trainer;
  KetteTensor *inputs[4], *x, *t;
  char *out;    /* a file to write */
  char *result; /* a digest of what the call gave */
} Work;

typedef struct
{
  const char *name;
  gboolean (*can) (const FaultModel *model); /* NULL: always */
  gboolean (*prepare) (Work *w, GError **error);
  gboolean (*act) (Work *w, GError **error);
  gboolean fresh; /* what failed leaves a graph that can only be given back */
} Stage;

static gboolean
have_graph (Work *w, GError **error)
{
  w->graph = w->model->external ? kette_graph_load (w->model->file, error)
                                : kette_graph_load_bytes (w->model->bytes, error);
  return w->graph != NULL;
}

static gboolean
have_inputs (Work *w, gint64 open)
{
  const guint n = kette_graph_get_n_inputs (w->graph);

  for (guint i = 0; i < MIN (n, G_N_ELEMENTS (w->inputs)); i++)
    {
      kette_tensor_unref (w->inputs[i]);
      w->inputs[i] = fault_input (w->graph, i, open);
    }
  return n <= G_N_ELEMENTS (w->inputs);
}

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

static void
work_clear (Work *w)
{
  kette_session_unref (w->session);
  kette_trainer_unref (w->trainer);
  if (w->graph)
    kette_graph_unref (w->graph);
  for (gsize i = 0; i < G_N_ELEMENTS (w->inputs); i++)
    kette_tensor_unref (w->inputs[i]);
  kette_tensor_unref (w->x);
  kette_tensor_unref (w->t);
  g_free (w->out);
  g_free (w->result);
}

static void
set_result (Work *w, gconstpointer data, gsize n)
{
  g_free (w->result);
  w->result = g_compute_checksum_for_data (G_CHECKSUM_SHA256, data, n);
}

static void
set_result_file (Work *w, gboolean ok)
{
  g_autofree char *data = NULL;
  gsize n;

  if (ok && g_file_get_contents (w->out, &data, &n, NULL))
    set_result (w, data, n);
}

/* -- the calls ------------------------------------------------------------------------- */

static gboolean
act_load (Work *w, GError **error)
{
  KetteGraph *graph = kette_graph_load_bytes (w->model->bytes, error);

  if (graph)
    kette_graph_unref (graph);
  return graph != NULL;
}

static gboolean
act_open (Work *w, GError **error)
{
  KetteGraph *graph = kette_graph_load (w->model->file, error);

  if (graph)
    kette_graph_unref (graph);
  return graph != NULL;
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
draw (Work *w, const char *view, const char *format, GError **error)
{
  KetteDrawOptions options;
  char *text;

  kette_draw_options_init (&options);
  options.view   = view;
  options.format = format;
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
  return draw (w, "forward", "svg", error);
}

static gboolean
act_draw_both (Work *w, GError **error)
{
  return draw (w, "both", "dot", error);
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
  { "load", NULL, NULL, act_load },
  { "open", NULL, NULL, act_open },
  { "check", NULL, have_graph, act_check },
  { "structure", NULL, have_graph, act_structure },
  { "session", NULL, have_graph_and_inputs, act_session },
  { "run", NULL, have_session, act_run },
  { "bytes", NULL, have_graph, act_bytes },
  { "save", NULL, have_graph, act_save },
  { "describe", NULL, have_graph, act_describe },
  { "draw", NULL, have_graph, act_draw },
  { "draw-both", NULL, have_graph, act_draw_both },
  { "gradients", NULL, have_graph, act_gradients, TRUE },
  { "standard-gradients", NULL, have_graph, act_standard, TRUE },
  { "trainer", can_train, have_samples, act_trainer },
  { "epoch", can_train, have_trainer, act_epoch },
  { "checkpoint", can_train, have_trainer, act_checkpoint },
};

/* -- trying ---------------------------------------------------------------------------- */

static guint64 tried, refused, optional;
static GPtrArray *models;

/* What a call comes to without faults: TRUE, or the code of its error. */
typedef struct
{
  gboolean ok;
  gint code;
  char *result;
} Outcome;

/* Why a call did not come to what it does without faults, or NULL. */
static const char *
differs (const Outcome *want, const Work *w, gboolean ok, const GError *error)
{
  if (ok != want->ok)
    return ok ? "succeeds, though it does not without faults" : error->message;
  if (!ok)
    return error->code == want->code ? NULL : error->message;
  return g_strcmp0 (want->result, w->result) == 0 ? NULL : "succeeds with another result";
}

/* How often the call allocates; -1: it cannot even be prepared. */
static gint64
measure (const Stage *stage, const FaultModel *model, Outcome *out)
{
  Work w        = { .model = model };
  GError *error = NULL;
  gint64 n      = -1;

  g_free (out->result);
  *out = (Outcome){ .ok = FALSE };
  if (!stage->prepare || stage->prepare (&w, &error))
    {
      _kette_faults_set (NULL, NULL);
      out->ok     = stage->act (&w, &error);
      n           = (gint64) _kette_faults_count (KETTE_FAULT_ALLOC);
      out->code   = error ? error->code : 0;
      out->result = g_steal_pointer (&w.result);
      g_assert_true (out->ok == !error);
    }
  g_clear_error (&error);
  work_clear (&w);
  return n;
}

static void
try_one (const Stage *stage, const FaultModel *model, const Outcome *want, gint64 n,
         const char *forever)
{
  g_autofree char *fault = g_strdup_printf ("alloc:%" G_GINT64_FORMAT "%s", n, forever);
  const size_t used      = _kette_account_process ()->used;
  Work w                 = { .model = model };
  GError *error          = NULL;
  gboolean ok;

  if (stage->prepare)
    g_assert_true (stage->prepare (&w, &error));
  _kette_faults_set (fault, NULL);
  ok = stage->act (&w, &error);
  _kette_faults_set (NULL, NULL);
  tried++;
  if (ok != !error)
    g_test_fail_printf ("%s, %s, %s: %s", model->name, stage->name, fault,
                        ok ? "succeeds with an error" : "fails without an error");
  else if (!ok && error->code == KETTE_ERROR_MEMORY && error->domain == KETTE_ERROR)
    refused++;
  else if (!differs (want, &w, ok, error))
    optional++;
  else
    g_test_fail_printf ("%s, %s, %s: %s", model->name, stage->name, fault,
                        differs (want, &w, ok, error));
  g_clear_error (&error);
  if (stage->fresh)
    {
      work_clear (&w);
      w = (Work){ .model = model };
      g_assert_true (stage->prepare (&w, &error));
    }
  ok = stage->act (&w, &error);
  if (differs (want, &w, ok, error))
    g_test_fail_printf ("%s, %s, %s: afterwards: %s", model->name, stage->name, fault,
                        differs (want, &w, ok, error));
  g_clear_error (&error);
  work_clear (&w);
  if (_kette_account_process ()->used != used)
    g_test_fail_printf ("%s, %s, %s: keeps %zd bytes", model->name, stage->name, fault,
                        (ssize_t) (_kette_account_process ()->used - used));
}

static void
test_stage (gconstpointer data)
{
  const Stage *stage = data;
  const gboolean all = g_getenv ("KETTE_FAULTS_ALL") != NULL;
  const char *only   = g_getenv ("KETTE_FAULTS_MODEL");
  const char *steps  = g_getenv ("KETTE_FAULTS_STEPS");
  guint n_models     = 0;

  tried = refused = optional = 0;
  for (guint i = 0; i < models->len; i++)
    {
      const FaultModel *model = models->pdata[i];
      Outcome want = { 0 }, again = { 0 };
      gint64 n, step;

      if ((stage->can && !stage->can (model)) || (model->is_long && !all)
          || (only && strcmp (only, model->name) != 0))
        continue;
      measure (stage, model, &want); /* what is made once is made now */
      n = measure (stage, model, &again);
      n_models += n >= 0;
      step = all ? 1 : MAX (n / (steps ? MAX (atoi (steps), 1) : 12), 1);
      for (gint64 k = all ? 1 : 1 + i % step; k <= n; k += step)
        {
          try_one (stage, model, &want, k, "");
          try_one (stage, model, &want, k, "+");
        }
      g_free (want.result);
      g_free (again.result);
    }
  g_test_message ("%u models, %" G_GUINT64_FORMAT " faults: %" G_GUINT64_FORMAT
                  " refused, %" G_GUINT64_FORMAT " did not matter",
                  n_models, tried, refused, optional);
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  kette_set_threads (1); /* so that allocations come in one order */
  kette_plugins_get (NULL);
  models = fault_models ();
  g_test_set_nonfatal_assertions ();
  for (gsize i = 0; i < G_N_ELEMENTS (stages); i++)
    {
      g_autofree char *path = g_strconcat ("/faults/alloc/", stages[i].name, NULL);

      g_test_add_data_func (path, &stages[i], test_stage);
    }
  status = g_test_run ();
  fault_models_free (models);
  return status;
}

#else

int
main (void)
{
  puts ("1..0 # SKIP built without -Dfaults=true");
  return 0;
}
#endif
