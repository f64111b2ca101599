/* SPDX-License-Identifier: Apache-2.0
 * Trying a call with each of its allocations refused. The short form takes 12 of them, or
 * KETTE_FAULTS_STEPS, KETTE_FAULTS_ALL=1 all of them; KETTE_FAULTS_MODEL=NAME is one model.
 */
#include "alloc.h"
#include "base/pool.h"
#include "op/plugins.h"
#include <stdlib.h>
#include <string.h>

#if KETTE_FAULTS

/* How many more allocations are taken of what is quick. */
#define QUICK_FACTOR 10

gboolean
have_graph (Work *w, GError **error)
{
  w->graph = w->model->external ? kette_graph_load (w->model->file, error)
                                : kette_graph_load_bytes (w->model->bytes, error);
  return w->graph != NULL;
}

gboolean
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

void
set_result (Work *w, gconstpointer data, gsize n)
{
  g_free (w->result);
  w->result = g_compute_checksum_for_data (G_CHECKSUM_SHA256, data, n);
}

void
set_result_file (Work *w, gboolean ok)
{
  g_autofree char *data = NULL;
  gsize n;

  if (ok && g_file_get_contents (w->out, &data, &n, NULL))
    set_result (w, data, n);
}
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
      gint64 n, step, most;

      if ((stage->can && !stage->can (model)) || (model->is_long && !all)
          || (only && strcmp (only, model->name) != 0))
        continue;
      measure (stage, model, &want); /* what is made once is made now */
      n = measure (stage, model, &again);
      n_models += n >= 0;
      most = (steps ? MAX (atoi (steps), 1) : 12)
             * (steps && stage->quick ? QUICK_FACTOR : 1);
      step = all ? 1 : MAX (n / most, 1);
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
stages_main (int argc, char **argv, const Stage *stages, gsize n)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  kette_set_threads (1); /* so that allocations come in one order */
  kette_plugins_get (NULL);
  models = fault_models ();
  g_test_set_nonfatal_assertions ();
  for (gsize i = 0; i < n; i++)
    {
      g_autofree char *path = g_strconcat ("/faults/alloc/", stages[i].name, NULL);

      g_test_add_data_func (path, &stages[i], test_stage);
    }
  status = g_test_run ();
  fault_models_free (models);
  return status;
}
#endif
