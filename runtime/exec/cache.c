/* SPDX-License-Identifier: Apache-2.0
 * A session's plans: found by the types of the inputs, and by the contents of those inputs
 * that decided shapes; made when missing.
 */
#include "exec/cache.h"
#include "base/pool.h"
#include "exec/inspect.h"
#include "pass/pass.h"
#include <string.h>

/* Plans kept per session; beyond, the one unused for longest goes. */
#define MAX_PLANS 64
/* Inputs up to this size may decide shapes by their content. */
#define MAX_CONTENT 4096

/* -- the key of a plan -------------------------------------------------------------------- */

static gboolean
same_type (const kt_type *a, const kt_type *b)
{
  return a->kind == b->kind && a->dtype == b->dtype && a->ndim == b->ndim
         && (a->ndim <= 0
             || memcmp (a->dims, b->dims, (size_t) a->ndim * sizeof *a->dims) == 0);
}

static gboolean
plan_fits (const KettePlan *plan, const kt_type *types, KetteTensor *const *tensors)
{
  const size_t n = plan->graph->n_inputs;

  for (size_t i = 0; i < n; i++)
    if (!same_type (&plan->input_types[i], &types[i]))
      return FALSE;
  for (size_t i = 0; plan->by_content && i < n; i++)
    if (plan->input_contents[i]
        && (!tensors || !tensors[i]
            || !_kette_tensor_equal (plan->input_contents[i], tensors[i])))
      return FALSE;
  return TRUE;
}

static gboolean
remember_key (KettePlan *plan, const kt_type *types, KetteTensor *const *tensors,
              GError **error)
{
  KetteAccount *account = _kette_account_process ();
  const size_t n        = plan->graph->n_inputs;

  plan->input_types = _kette_alloc (account, n + 1, sizeof *plan->input_types, error);
  plan->input_contents
      = _kette_alloc (account, n + 1, sizeof *plan->input_contents, error);
  if (!plan->input_types || !plan->input_contents)
    return FALSE;
  for (size_t i = 0; i < n; i++)
    {
      const size_t rank = (size_t) MAX (types[i].ndim, 0);
      int64_t *dims     = _kette_alloc (account, rank + 1, sizeof *dims, error);
      if (!dims)
        return FALSE;
      if (rank)
        memcpy (dims, types[i].dims, rank * sizeof *dims);
      plan->input_types[i]      = types[i];
      plan->input_types[i].dims = dims;
      if (plan->by_content && tensors && tensors[i] && tensors[i]->count <= MAX_CONTENT
          && !(plan->input_contents[i] = _kette_tensor_copy (tensors[i], error)))
        return FALSE;
    }
  return TRUE;
}

/* -- plans -------------------------------------------------------------------------------- */

/* Is the fed type allowed by the declared one? */
static gboolean
check_input (const KetteValue *input, const kt_type *type, GError **error)
{
  const char *const *symbols = input->graph->model->symbols;
  const kt_type *want        = &input->type;
  char where[KETTE_WHERE_SIZE], a[256], b[256];
  gboolean ok = type->kind == KT_TENSOR && type->ndim >= 0;

  g_snprintf (where, sizeof where, "graph input %s", KETTE_QUOTE (input->name));
  if (!ok || (want->kind == KT_TENSOR && want->dtype && want->dtype != type->dtype))
    return _kette_fail (error, KETTE_ERROR_TYPE, where, "is %s, must be %s",
                        ok ? _kette_type_text (a, sizeof a, type, symbols) : "not given",
                        _kette_type_text (b, sizeof b, want, symbols));
  ok = want->kind != KT_TENSOR || want->ndim < 0 || want->ndim == type->ndim;
  for (int32_t d = 0; ok && want->kind == KT_TENSOR && d < want->ndim; d++)
    ok = KT_IS_DIM (want->dims[d]) || want->dims[d] == type->dims[d];
  return ok ? TRUE
            : _kette_fail (error, KETTE_ERROR_SHAPE, where, "is %s, must be %s",
                           _kette_type_text (a, sizeof a, type, symbols),
                           _kette_type_text (b, sizeof b, want, symbols));
}

/* Dims of one name are of one size. SIZES, per symbol: what was fed first, plus 1. */
static gboolean
check_names (const KetteValue *input, const kt_type *type, int64_t *sizes, GError **error)
{
  const KetteModel *model = input->graph->model;
  const kt_type *want     = &input->type;
  char where[KETTE_WHERE_SIZE], a[256], b[256];

  for (int32_t d = 0; want->kind == KT_TENSOR && d < want->ndim; d++)
    {
      const gboolean open = KT_IS_DIM (want->dims[d]);
      const size_t symbol = open ? (size_t) (want->dims[d] - KT_DIM (0)) : 0;

      if (symbol == 0 || symbol > model->n_symbols || type->dims[d] == INT64_MAX)
        continue;
      if (sizes[symbol - 1] == 0)
        sizes[symbol - 1] = type->dims[d] + 1;
      if (sizes[symbol - 1] == type->dims[d] + 1)
        continue;
      g_snprintf (where, sizeof where, "graph input %s", KETTE_QUOTE (input->name));
      return _kette_fail (error, KETTE_ERROR_SHAPE, where,
                          "is %s, must be %s where %s is %" G_GINT64_FORMAT,
                          _kette_type_text (a, sizeof a, type, model->symbols),
                          _kette_type_text (b, sizeof b, want, model->symbols),
                          KETTE_QUOTE (model->symbols[symbol - 1]),
                          sizes[symbol - 1] - 1);
    }
  return TRUE;
}

static gboolean
set_inputs (const KetteSession *self, KetteGraph *g, const kt_type *types,
            KetteTensor *const *tensors, GError **error)
{
  int64_t *sizes
      = _kette_region_alloc (g->region, g->model->n_symbols, sizeof *sizes, error);

  if (!sizes)
    return FALSE;
  for (size_t i = 0; i < g->n_inputs; i++)
    {
      KetteValue *input = g->inputs[i];
      if (types[i].kind == 0 && self->defaults[i])
        { /* its default serves: in this plan it is a constant */
          const KetteTensor *t = self->defaults[i];
          if (!_kette_value_set_tensor_type (input, t->dtype, t->dims, t->rank, error))
            return FALSE;
          _kette_value_set_data (input, self->defaults[i]);
          continue;
        }
      if (types[i].kind == 0 && input->data)
        continue;
      if (!check_input (input, &types[i], error)
          || !check_names (input, &types[i], sizes, error)
          || !_kette_value_set_type (input, &types[i], error))
        return FALSE;
      _kette_value_set_data (input, NULL);
      if (tensors && tensors[i] && tensors[i]->count <= MAX_CONTENT)
        {
          _kette_value_set_data (input, tensors[i]);
          input->flags |= KETTE_VALUE_SOFT;
        }
    }
  return TRUE;
}

static gboolean
all_concrete (const KetteGraph *g)
{
  for (size_t i = 0; i < g->n_nodes; i++)
    for (int32_t k = 0; k < g->nodes[i]->n_out; k++)
      if (g->nodes[i]->out[k] && !_kette_type_is_concrete (&g->nodes[i]->out[k]->type))
        return FALSE;
  return TRUE;
}

/* Inference shows what is constant now that the inputs' shapes are numbers, folding computes
 * it, and with that inference sees further; until nothing changes. */
static gboolean
settle (KetteSession *self, KetteGraph *g, GError **error)
{
  for (;;)
    {
      const size_t n = g->n_nodes;
      if (!_kette_pass_infer (g, error)
          || !_kette_pass_fold (g, self->options.live, _kette_evaluate, error))
        return FALSE;
      if (g->n_nodes == n || all_concrete (g))
        return TRUE;
    }
}

static gboolean
was_asked (const KetteGraph *g)
{
  for (size_t i = 0; i < g->n_values; i++)
    if (g->values[i]->flags & KETTE_VALUE_ASKED)
      return TRUE;
  return FALSE;
}

static KettePlan *
make_plan (KetteSession *self, const kt_type *types, KetteTensor *const *tensors,
           GError **error)
{
  KetteAccount *account = _kette_account_process ();
  KetteValue **map      = NULL;
  KetteGraph *g         = _kette_graph_clone (self->graph, &map, error);
  KetteBinding *updates
      = g ? _kette_alloc (account, self->n_updates + 1, sizeof *updates, error) : NULL;
  KettePlan *plan = NULL;

  for (size_t u = 0; updates && u < self->n_updates; u++)
    updates[u] = (KetteBinding){ map[self->updates[u].key->index],
                                 map[self->updates[u].value->index] };
  _kette_free (map);
  if (updates && set_inputs (self, g, types, tensors, error) && settle (self, g, error))
    {
      const gboolean by_content = was_asked (g);
      const unsigned flags      = (self->options.unfused ? KETTE_PLAN_UNFUSED : 0)
                             | (self->options.in_rows ? KETTE_PLAN_ROWS : 0)
                             | (self->options.undo ? KETTE_PLAN_UNDO : 0);
      plan = _kette_plan_new (g, updates, self->n_updates, flags, self->places, error);
      g    = NULL;
      if (plan)
        plan->by_content = by_content;
      /* The first step decides for those of other batches, too. */
      if (plan && plan->choice && !self->places->choice
          && !_kette_places_choose (self->places, plan->choice, error))
        {
          _kette_plan_free (plan);
          plan = NULL;
        }
    }
  kette_graph_unref (g);
  _kette_free (updates);
  if (plan && plan->partial && self->n_updates)
    {
      _kette_fail (error, KETTE_ERROR_UNSUPPORTED, "graph",
                   "a training step needs shapes that are known before the step");
      _kette_plan_free (plan);
      return NULL;
    }
  if (plan && !remember_key (plan, types, tensors, error))
    {
      _kette_plan_free (plan);
      return NULL;
    }
  return plan;
}

/* Drops the oldest plan that nobody uses. */
static void
evict (KetteSession *self)
{
  KettePlan **oldest = NULL;

  for (KettePlan **p = &self->plans; *p; p = &(*p)->next)
    if ((*p)->n_busy == 0)
      oldest = p;
  if (oldest)
    {
      KettePlan *plan = *oldest;
      *oldest         = plan->next;
      _kette_plan_free (plan);
      self->n_plans--;
    }
}

static KettePlan *
plan_for (KetteSession *self, const kt_type *types, KetteTensor *const *tensors,
          GError **error)
{
  KettePlan *plan;

  for (KettePlan **p = &self->plans; *p; p = &(*p)->next)
    if (plan_fits (*p, types, tensors))
      {
        plan        = *p;
        *p          = plan->next;
        plan->next  = self->plans;
        self->plans = plan;
        return plan;
      }
  plan = make_plan (self, types, tensors, error);
  if (!plan)
    return NULL;
  plan->next  = self->plans;
  self->plans = plan;
  if (++self->n_plans > MAX_PLANS)
    {
      plan->n_busy++;
      evict (self);
      plan->n_busy--;
    }
  return plan;
}

KetteRun *
_kette_session_take (KetteSession *self, const kt_type *types,
                     KetteTensor *const *tensors, GError **error)
{
  KetteRun *run = NULL;

  g_mutex_lock (&self->lock);
  KettePlan *plan = plan_for (self, types, tensors, error);
  if (plan)
    {
      run = plan->idle;
      if (run)
        plan->idle = run->next;
      /* More threads than at its making: the workspace is too small. */
      if (run && run->threads < _kette_pool_get_threads ())
        {
          _kette_run_free (run);
          run = NULL;
        }
      if (!run)
        run = _kette_run_new (plan, error);
      if (run)
        {
          plan->n_busy++;
          run->shared.seed = self->options.seed;
        }
    }
  g_mutex_unlock (&self->lock);
  if (!run)
    _kette_error_in_file (error, self->graph->model->file);
  return run;
}

void
_kette_session_give (KetteSession *self, KetteRun *run)
{
  if (!run)
    return;
  g_mutex_lock (&self->lock);
  run->next       = run->plan->idle;
  run->plan->idle = run;
  run->plan->n_busy--;
  g_mutex_unlock (&self->lock);
}

const char *
_kette_session_choice (const KetteSession *self)
{
  return self->places ? _kette_choice_text (self->places->choice) : NULL;
}

gboolean
_kette_session_plan_info (KetteSession *self, const kt_type *types, KettePlanInfo *info,
                          GError **error)
{
  g_mutex_lock (&self->lock);
  const KettePlan *plan = plan_for (self, types, NULL, error);
  if (plan)
    {
      _kette_plan_describe (plan, info);
      info->n_plans = self->n_plans;
    }
  g_mutex_unlock (&self->lock);
  return plan != NULL;
}

const KettePlan *
_kette_session_plan (KetteSession *self, const kt_type *types, GError **error)
{
  g_mutex_lock (&self->lock);
  const KettePlan *plan = plan_for (self, types, NULL, error);
  g_mutex_unlock (&self->lock);
  return plan;
}

char *
kette_session_find_idle_places (KetteSession *self)
{
  g_mutex_lock (&self->lock);
  char *text = _kette_plan_idle_rules (self->plans);
  g_mutex_unlock (&self->lock);
  return text;
}

char *
_kette_session_plan_text (KetteSession *self, const kt_type *types, GError **error)
{
  g_mutex_lock (&self->lock);
  const KettePlan *plan = plan_for (self, types, NULL, error);
  char *text            = plan ? _kette_plan_text (plan) : NULL;
  g_mutex_unlock (&self->lock);
  return text;
}
