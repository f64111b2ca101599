/* SPDX-License-Identifier: Apache-2.0
 * The survey: a plan for what the picture shows, made by the executor itself, so that a picture
 * says what a run or a training step would do. Values are found in it by their names.
 */
#include "draw/draw-private.h"
#include "exec/cache.h"
#include "pass/pass.h"
#include <string.h>

/* Bytes of all rules in a file, where each may be escaped. */
#define MOST_RULES ((size_t) KETTE_MOST_RULES * (2 * KETTE_MOST_RULE_BYTES + 1))

static void
drop_outputs (KetteGraph *graph)
{
  while (graph->n_outputs > 0)
    graph->outputs[--graph->n_outputs]->flags &= ~(uint32_t) KETTE_VALUE_OUTPUT;
}

static gboolean
add_output (KetteGraph *graph, KetteValue *value, GError **error)
{
  return (value->flags & KETTE_VALUE_OUTPUT)
         || _kette_graph_add_output (graph, value, error);
}

/* Parameters that steps write must be aligned; the file's may lie anywhere. */
static gboolean
align_parameters (KetteGraph *graph, GError **error)
{
  for (size_t i = 0; i < graph->n_values; i++)
    {
      KetteValue *v = graph->values[i];
      KetteTensor *copy;

      if (!v->data || ((guintptr) v->data->data & 63) == 0)
        continue;
      if (!(copy = _kette_tensor_copy (v->data, error)))
        return FALSE;
      _kette_value_set_data (v, copy);
      kette_tensor_unref (copy);
    }
  return TRUE;
}

/* The model's training step as training has it: the loss is looked at, states are rewritten. */
static KetteGraph *
make_step (const KetteScope *scope, KetteGraph *graph, KetteBinding **updates, size_t *n,
           GError **error)
{
  KetteGraph *step = _kette_pass_training (graph, 0, updates, error);
  KetteValue *loss = step ? _kette_graph_find (step, scope->loss->name) : NULL;
  gboolean ok      = loss != NULL;

  *n = graph->model->training[0]->n_update;
  if (ok)
    drop_outputs (step);
  ok = ok && add_output (step, loss, error);
  for (size_t i = 0; ok && i < *n; i++)
    ok = add_output (step, (*updates)[i].value, error);
  if (ok)
    return step;
  kette_graph_unref (step);
  return NULL;
}

/* Loss and gradients, of which the loss is looked at. */
static KetteGraph *
make_gradients (const KetteScope *scope, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  KetteValue **map      = NULL;
  KetteGraph *copy      = _kette_graph_clone (scope->graph, &map, error);
  KetteValue **copies
      = copy ? _kette_alloc (account, 2 * scope->n_wrt + 1, sizeof *copies, error) : NULL;
  gboolean ok = copies != NULL;

  for (size_t i = 0; ok && i < scope->n_wrt; i++)
    copies[i] = map[scope->wrt[i]->index];
  if (ok)
    drop_outputs (copy);
  ok = ok && add_output (copy, map[scope->loss->index], error)
       && (!scope->gradients
           || _kette_pass_gradient (copy, map[scope->loss->index], NULL, copies,
                                    scope->n_wrt, copies + scope->n_wrt, error));
  for (size_t i = 0; ok && scope->gradients && i < scope->n_wrt; i++)
    ok = add_output (copy, copies[scope->n_wrt + i], error);
  _kette_free (copies);
  _kette_free (map);
  if (ok)
    return copy;
  kette_graph_unref (copy);
  return NULL;
}

/* Where training was, as the file has it and --resume takes it: rules of the caller's replace the
 * file's, and what placement by cost chose. *RULES: g_strfreev. */
static gboolean
read_stored (const KetteGraph *graph, KetteSessionOptions *session, char ***rules,
             GError **error)
{
  const char *place = _kette_model_get_meta (graph->model, "kette.place");

  session->device = _kette_model_get_meta (graph->model, "kette.device");
  if (!session->device && !place)
    return _kette_fail (
        error, KETTE_ERROR_DEVICE, "draw",
        "the file stores no device: it was not trained with --device or --place");
  if (session->place && session->place[0])
    return TRUE;
  if (place && strlen (place) > MOST_RULES)
    return _kette_fail (error, KETTE_ERROR_LIMIT, "draw",
                        "the rules that the file stores have %zu bytes, may have %zu",
                        strlen (place), MOST_RULES);
  if (place)
    *rules = g_strsplit (place, "\n", -1);
  for (size_t i = 0; *rules && (*rules)[i]; i++)
    {
      char *at = (*rules)[i];
      gboolean complete;
      if (!_kette_line_read (&at, &complete))
        return _kette_fail (error, KETTE_ERROR_FORMAT, "draw",
                            "metadata kette.place, line %zu: there is no such escape",
                            i + 1);
    }
  session->place = (const char *const *) *rules;
  if (session->device && strcmp (session->device, "auto") == 0)
    session->choice = _kette_model_get_meta (graph->model, "kette.placement");
  return TRUE;
}

static gboolean
make_session (KetteSurvey *survey, const KetteScope *scope, KetteGraph *graph,
              const KetteDrawOptions *options, GError **error)
{
  KetteSessionOptions session
      = { .struct_size = sizeof session,
          .device      = options->device,
          .place       = options->place,
          .live        = scope->loss && (scope->step || scope->gradients),
          .n_fetched   = scope->loss ? 2 : 0 };
  KetteBinding *updates = NULL;
  KetteGraph *own       = NULL;
  g_auto (GStrv) rules  = NULL;

  if (options->device && strcmp (options->device, "stored") == 0
      && !read_stored (graph, &session, &rules, error))
    return FALSE;
  if (scope->loss)
    {
      own = scope->step ? make_step (scope, graph, &updates, &session.n_updates, error)
                        : make_gradients (scope, error);
      session.updates = updates;
      if (own && session.live && !align_parameters (own, error))
        g_clear_pointer (&own, kette_graph_unref);
    }
  if (own || !scope->loss)
    survey->session = _kette_session_new_full (own ? own : graph, &session, error);
  _kette_free (updates);
  kette_graph_unref (own);
  return survey->session != NULL;
}

/* The inputs' types with BATCH for what the file leaves open. */
static gboolean
choose_types (const KetteSession *session, gint64 batch, kt_type *types,
              int64_t (*dims)[KETTE_MAX_RANK], GError **error)
{
  const KetteGraph *graph = session->graph;
  char where[KETTE_WHERE_SIZE];

  for (size_t i = 0; i < graph->n_inputs; i++)
    {
      const kt_type *given = &graph->inputs[i]->type;

      if (session->has_default[i])
        continue;
      g_snprintf (where, sizeof where, "graph input %s",
                  KETTE_QUOTE (graph->inputs[i]->name));
      if (given->kind != KT_TENSOR || given->ndim < 0 || !given->dtype)
        return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, where,
                            "its rank is open: there is no plan without data");
      types[i] = *given;
      for (int32_t d = 0; d < given->ndim; d++)
        dims[i][d] = KT_IS_DIM (given->dims[d]) ? batch : given->dims[d];
      types[i].dims = dims[i];
    }
  return TRUE;
}

gboolean
_kette_survey_init (KetteSurvey *survey, const KetteScope *scope, KetteGraph *graph,
                    const KetteDrawOptions *options, GError **error)
{
  KetteAccount *account           = _kette_account_process ();
  kt_type *types                  = NULL;
  int64_t (*dims)[KETTE_MAX_RANK] = NULL;

  *survey = (KetteSurvey){ 0 };
  if (make_session (survey, scope, graph, options, error))
    {
      const size_t n = survey->session->graph->n_inputs;

      types = _kette_alloc (account, n + 1, sizeof *types, error);
      dims  = types ? _kette_alloc (account, n + 1, sizeof *dims, error) : NULL;
      if (dims
          && choose_types (survey->session, MAX (options->batch, 1), types, dims, error))
        survey->plan = _kette_session_plan (survey->session, types, error);
    }
  _kette_free (types);
  _kette_free (dims);
  if (survey->plan)
    return TRUE;
  _kette_survey_clear (survey);
  return FALSE;
}

void
_kette_survey_clear (KetteSurvey *survey)
{
  kette_session_unref (survey->session);
  *survey = (KetteSurvey){ 0 };
}
