/* SPDX-License-Identifier: Apache-2.0
 * Sessions: a prepared graph, and its plans by input shapes.
 */
#include "base/pool.h"
#include "exec/inspect.h"
#include "pass/pass.h"
#include <stdint.h>
#include <string.h>

/* Plans kept per session; beyond, the one unused for longest goes. */
#define MAX_PLANS 64
/* Inputs up to this size may decide shapes by their content. */
#define MAX_CONTENT 4096

struct _KetteSession
{
  gint ref;
  KetteGraph *graph;
  KetteSessionOptions options;
  KetteBinding *updates; /* in graph */
  size_t n_updates, n_outputs; /* outputs that are results, before those that are updates */
  GMutex lock;
  KettePlan *plans; /* latest first */
  size_t n_plans;
};

G_DEFINE_BOXED_TYPE (KetteSession, kette_session, kette_session_ref, kette_session_unref)

/* Constants at aligned addresses: kernels are promised 64 bytes. */
static gboolean
align_constants (KetteGraph *graph, gboolean live, GError **error)
{
  for (size_t i = 0; i < graph->n_values; i++)
    {
      KetteValue *value = graph->values[i];
      if (!value->data || ((uintptr_t) value->data->data & 63) == 0)
        continue;
      if (live && (value->flags & (KETTE_VALUE_STATE | KETTE_VALUE_INITIALIZER)))
        return _kette_fail (error, KETTE_ERROR_INTERNAL, NULL, "the parameter %s is not live",
                            KETTE_QUOTE (value->name));
      KetteTensor *copy = _kette_tensor_copy (value->data, error);
      if (!copy)
        return FALSE;
      _kette_value_set_data (value, copy);
      kette_tensor_unref (copy);
    }
  return TRUE;
}

/* An update whose new content nobody computes (two states exchanged, say) gets a node. */
static gboolean
give_producer (KetteGraph *graph, KetteBinding *update, GError **error)
{
  KetteValue *out;

  if (update->value->producer)
    return TRUE;
  out             = _kette_graph_add_value (graph, NULL, error);
  KetteNode *node = out ? _kette_graph_add_node (graph, "", "", "Identity", 18, &update->value, 1,
                                                 &out, 1, NULL, 0, error)
                        : NULL;
  if (!node || !_kette_node_resolve (node, error) || !_kette_node_infer (node, error))
    return FALSE;
  update->value = out;
  return _kette_graph_add_output (graph, out, error);
}

static gboolean
copy_updates (KetteSession *self, KetteGraph *given, KetteValue **map, GError **error)
{
  const KetteSessionOptions *o = &self->options;
  size_t n_results             = given->n_outputs;

  self->updates = _kette_alloc (_kette_account_process (), o->n_updates + 1,
                                sizeof *self->updates, error);
  if (!self->updates)
    return FALSE;
  self->n_updates = o->n_updates;
  for (size_t u = 0; u < o->n_updates; u++)
    {
      self->updates[u].key   = map[o->updates[u].key->index];
      self->updates[u].value = map[o->updates[u].value->index];
      self->updates[u].key->flags |= KETTE_VALUE_STATE;
      if (!give_producer (self->graph, &self->updates[u], error))
        return FALSE;
    }
  /* Trailing outputs that are updates only are no results. */
  while (n_results)
    {
      gboolean is_update = FALSE;
      for (size_t u = 0; u < o->n_updates; u++)
        is_update = is_update || o->updates[u].value == given->outputs[n_results - 1];
      if (!is_update)
        break;
      n_results--;
    }
  self->n_outputs = n_results;
  return TRUE;
}

static gboolean
prepare (KetteSession *self, GError **error)
{
  KetteGraph *g          = self->graph;
  const KetteInline mode = self->options.no_native ? KETTE_INLINE_BODIES : KETTE_INLINE_NEEDED;

  return _kette_pass_check (g, error) && _kette_pass_canonical (g, error)
         && _kette_pass_infer (g, error) && _kette_pass_inline (g, mode, error)
         && _kette_pass_infer (g, error) && align_constants (g, self->options.live, error)
         && _kette_pass_fold (g, self->options.live, _kette_evaluate, error);
}

KetteSession *
_kette_session_new_full (KetteGraph *graph, const KetteSessionOptions *options, GError **error)
{
  KetteSession *self = _kette_alloc (_kette_account_process (), 1, sizeof *self, error);
  KetteValue **map   = NULL;
  gboolean ok;

  if (!self)
    return NULL;
  self->ref       = 1;
  self->n_outputs = graph->n_outputs;
  g_mutex_init (&self->lock);
  if (options)
    memcpy (&self->options, options, MIN (options->struct_size, sizeof *options));
  self->graph = _kette_graph_clone (graph, &map, error);
  ok          = self->graph && copy_updates (self, graph, map, error) && prepare (self, error);
  _kette_free (map);
  if (ok)
    return self;
  _kette_error_in_file (error, graph->model->file);
  kette_session_unref (self);
  return NULL;
}

KetteSession *
kette_session_new (KetteGraph *graph, GError **error)
{
  return _kette_session_new_full (graph, NULL, error);
}

KetteSession *
kette_session_ref (KetteSession *self)
{
  g_atomic_int_inc (&self->ref);
  return self;
}

void
kette_session_unref (KetteSession *self)
{
  if (!self || !g_atomic_int_dec_and_test (&self->ref))
    return;
  while (self->plans)
    {
      KettePlan *plan = self->plans;
      self->plans     = plan->next;
      _kette_plan_free (plan);
    }
  kette_graph_unref (self->graph);
  _kette_free (self->updates);
  g_mutex_clear (&self->lock);
  _kette_free (self);
}

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
        && (!tensors || !tensors[i] || !_kette_tensor_equal (plan->input_contents[i], tensors[i])))
      return FALSE;
  return TRUE;
}

static gboolean
remember_key (KettePlan *plan, const kt_type *types, KetteTensor *const *tensors, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  const size_t n        = plan->graph->n_inputs;

  plan->input_types    = _kette_alloc (account, n + 1, sizeof *plan->input_types, error);
  plan->input_contents = _kette_alloc (account, n + 1, sizeof *plan->input_contents, error);
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

static gboolean
set_inputs (KetteGraph *g, const kt_type *types, KetteTensor *const *tensors, GError **error)
{
  for (size_t i = 0; i < g->n_inputs; i++)
    {
      KetteValue *input = g->inputs[i];
      if (input->data && types[i].kind == 0)
        continue; /* its default serves */
      if (!check_input (input, &types[i], error) || !_kette_value_set_type (input, &types[i], error))
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
was_asked (const KetteGraph *g)
{
  for (size_t i = 0; i < g->n_values; i++)
    if (g->values[i]->flags & KETTE_VALUE_ASKED)
      return TRUE;
  return FALSE;
}

static KettePlan *
make_plan (KetteSession *self, const kt_type *types, KetteTensor *const *tensors, GError **error)
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
  if (updates && set_inputs (g, types, tensors, error) && _kette_pass_infer (g, error)
      && _kette_pass_fold (g, self->options.live, _kette_evaluate, error))
    {
      const gboolean by_content = was_asked (g);
      plan                      = _kette_plan_new (g, updates, self->n_updates, error);
      g                         = NULL;
      if (plan)
        plan->by_content = by_content;
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
plan_for (KetteSession *self, const kt_type *types, KetteTensor *const *tensors, GError **error)
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
_kette_session_take (KetteSession *self, const kt_type *types, KetteTensor *const *tensors,
                     GError **error)
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

char *
_kette_session_plan_text (KetteSession *self, const kt_type *types, GError **error)
{
  g_mutex_lock (&self->lock);
  const KettePlan *plan = plan_for (self, types, NULL, error);
  char *text            = plan ? _kette_plan_text (plan) : NULL;
  g_mutex_unlock (&self->lock);
  return text;
}

/* -- what users call ---------------------------------------------------------------------- */

static void
feed (KetteRun *run, KetteTensor *const *inputs)
{
  for (size_t i = 0; i < run->plan->graph->n_inputs; i++)
    if (inputs[i] && ((uintptr_t) inputs[i]->data & 63) == 0)
      _kette_run_bind_input (run, i, inputs[i]->data);
    else if (inputs[i])
      {
        void *own = _kette_run_input (run, i);
        if (own && inputs[i]->bytes)
          memcpy (own, inputs[i]->data, inputs[i]->bytes);
      }
}

static gboolean
fetch (KetteRun *run, size_t n, KetteTensor **outputs, GError **error)
{
  for (size_t i = 0; i < n; i++)
    {
      kt_tensor view;
      int dtype;
      outputs[i] = _kette_run_output (run, i, &view, &dtype)
                       ? _kette_tensor_from_view (&view, dtype, error)
                       : NULL;
      if (!outputs[i])
        {
          while (i-- > 0)
            kette_tensor_unref (outputs[i]);
          return FALSE;
        }
    }
  return TRUE;
}

/* INPUTS: one per input of the working graph, where initializers may be inputs too. */
static gboolean
run_with (KetteSession *self, KetteTensor *const *inputs, KetteTensor **outputs,
          GCancellable *cancellable, GError **error)
{
  const size_t n = self->graph->n_inputs;
  kt_type *types = _kette_alloc (_kette_account_process (), n + 1, sizeof *types, error);
  KetteRun *run  = NULL;
  gboolean ok    = FALSE;

  for (size_t i = 0; types && i < n; i++)
    if (inputs[i])
      types[i] = (kt_type){ .kind = KT_TENSOR, .dtype = inputs[i]->dtype,
                            .ndim = inputs[i]->rank, .dims = inputs[i]->dims };
  if (types && (run = _kette_session_take (self, types, inputs, error)))
    {
      feed (run, inputs);
      ok = _kette_run_execute (run, KETTE_PHASE_FORWARD | KETTE_PHASE_UPDATE, cancellable, error)
           && (run->plan->partial ? _kette_run_rest (run, outputs, cancellable, error)
                                  : fetch (run, self->n_outputs, outputs, error));
      for (size_t i = 0; i < n; i++)
        _kette_run_bind_input (run, i, NULL);
      _kette_session_give (self, run);
    }
  _kette_free (types);
  return ok;
}

gboolean
kette_session_run (KetteSession *self, KetteTensor *const *inputs, KetteTensor **outputs,
                   GCancellable *cancellable, GError **error)
{
  const KetteGraph *g = self->graph;
  KetteTensor **all
      = _kette_alloc (_kette_account_process (), g->n_inputs + 1, sizeof *all, error);
  size_t fed = 0;
  gboolean ok;

  if (!all)
    return FALSE;
  /* The caller counts only inputs without content; the others keep their defaults. */
  for (size_t i = 0; i < g->n_inputs; i++)
    if (!(g->inputs[i]->flags & KETTE_VALUE_INITIALIZER))
      all[i] = inputs[fed++];
  ok = run_with (self, all, outputs, cancellable, error);
  if (!ok)
    _kette_error_in_file (error, g->model->file);
  _kette_free (all);
  return ok;
}

void
kette_set_threads (int threads)
{
  _kette_pool_set_threads (threads);
}
