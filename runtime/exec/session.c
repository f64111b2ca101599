/* SPDX-License-Identifier: Apache-2.0
 * Sessions: a prepared graph, and its plans by input shapes.
 */
#include "base/deadline-private.h"
#include "base/guard-private.h"
#include "base/pool.h"
#include "exec/cache.h"
#include "exec/inspect.h"
#include "graph/sparse.h"
#include "pass/pass.h"
#include <stdint.h>
#include <string.h>

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
        return _kette_fail (error, KETTE_ERROR_INTERNAL, NULL,
                            "the parameter %s is not live", KETTE_QUOTE (value->name));
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
  out = _kette_graph_add_value (graph, NULL, error);
  KetteNode *node
      = out ? _kette_graph_add_node (graph, "", "", "Identity", 18, &update->value, 1,
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

/* What callers give and get is tensors. */
static gboolean
check_kinds (KetteValue *const *values, size_t n, const char *what, GError **error)
{
  static const char *const kinds[] = { [KT_SEQUENCE] = "sequence",
                                       [KT_OPTIONAL] = "optional",
                                       [KT_MAP]      = "map",
                                       [KT_SPARSE]   = "sparse tensor" };
  char where[KETTE_WHERE_SIZE];

  for (size_t i = 0; i < n; i++)
    {
      const int32_t kind = values[i]->type.kind;
      if (kind < KT_SEQUENCE || kind > KT_SPARSE)
        continue;
      g_snprintf (where, sizeof where, "graph %s %s", what,
                  KETTE_QUOTE (values[i]->name));
      return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, where,
                          "is of kind %s, sessions run on tensors", kinds[kind]);
    }
  return TRUE;
}

/* Inputs with a default. Where one may be fed it is an input like others here, and each plan
 * that is made without it takes the default as a constant. */
static gboolean
set_defaults (KetteSession *self, GError **error)
{
  KetteGraph *g                = self->graph;
  const KetteSessionOptions *o = &self->options;
  const gboolean feedable
      = !o->live && !o->fold_defaults && (o->feed_defaults || g->model->ir_version > 3);
  KetteAccount *account = _kette_account_process ();

  self->defaults = _kette_alloc (account, g->n_inputs + 1, sizeof *self->defaults, error);
  self->has_default
      = self->defaults ? _kette_alloc (account, g->n_inputs + 1, 1, error) : NULL;
  if (!self->has_default)
    return FALSE;
  for (size_t i = 0; i < g->n_inputs; i++)
    {
      KetteValue *input = g->inputs[i];
      if (!(input->flags & KETTE_VALUE_INITIALIZER) || !input->data)
        continue;
      self->has_default[i] = 1;
      if (!feedable || (input->flags & KETTE_VALUE_STATE))
        { /* the file may leave open what is known here */
          if (!_kette_value_set_tensor_type (input, input->data->dtype, input->data->dims,
                                             input->data->rank, error))
            return FALSE;
          continue;
        }
      self->defaults[i] = ((uintptr_t) input->data->data & 63) == 0
                              ? kette_tensor_ref (input->data)
                              : _kette_tensor_copy (input->data, error);
      if (!self->defaults[i])
        return FALSE;
      _kette_value_set_data (input, NULL);
      input->flags &= ~(unsigned) KETTE_VALUE_INITIALIZER;
    }
  return TRUE;
}

static gboolean
prepare (KetteSession *self, GError **error)
{
  KetteGraph *g      = self->graph;
  GCancellable *stop = _kette_stop_of (NULL);
  const KetteInline mode
      = self->options.no_native ? KETTE_INLINE_BODIES : KETTE_INLINE_NEEDED;

  return _kette_pass_check (g, error)
         && check_kinds (g->inputs, g->n_inputs, "input", error)
         && check_kinds (g->outputs, g->n_outputs, "output", error)
         && _kette_pass_canonical (g, error) && _kette_pass_infer (g, error)
         && _kette_check_stop (stop, NULL, error)
         && _kette_pass_expand_gradients (g, error) && _kette_pass_infer (g, error)
         && _kette_check_stop (stop, NULL, error) && _kette_pass_inline (g, mode, error)
         && _kette_graph_make_dense (g, error) && _kette_pass_infer (g, error)
         && align_constants (g, self->options.live, error)
         && _kette_pass_fold (g, self->options.live, _kette_evaluate, error);
}

/* The words of the caller are not needed later. */
static gboolean
set_places (KetteSession *self, GError **error)
{
  KetteSessionOptions *o = &self->options;

  if (!_kette_places_new (o->device, o->place, &self->places, error)
      || !_kette_places_set_precision (self->places, o->precision, error))
    return FALSE;
  if (self->places)
    self->places->n_fetched
        = o->n_fetched ? MIN (o->n_fetched - 1, self->n_outputs) : self->n_outputs;
  if (self->places && self->places->automatic && o->choice
      && !_kette_places_choose (self->places, o->choice, error))
    return FALSE;
  o->choice = NULL;
  o->device = NULL;
  o->place  = NULL;
  return TRUE;
}

KetteSession *
_kette_session_new_full (KetteGraph *graph, const KetteSessionOptions *options,
                         GError **error)
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
  ok          = self->graph && _kette_graph_make_dense (self->graph, error)
       && copy_updates (self, graph, map, error) && set_places (self, error)
       && set_defaults (self, error) && prepare (self, error);
  _kette_free (map);
  ok = _kette_guard_outcome (graph->model->maps, ok, error);
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
kette_session_new_with_flags (KetteGraph *graph, KetteSessionFlags flags, GError **error)
{
  return kette_session_new_on (graph, flags, NULL, NULL, error);
}

KetteSession *
kette_session_new_on (KetteGraph *graph, KetteSessionFlags flags, const char *device,
                      const char *const *place, GError **error)
{
  const KetteSessionOptions options
      = { .struct_size   = sizeof options,
          .no_native     = (flags & KETTE_SESSION_NO_NATIVE) != 0,
          .fold_defaults = (flags & KETTE_SESSION_FOLD_DEFAULTS) != 0,
          .feed_defaults = (flags & KETTE_SESSION_FEED_DEFAULTS) != 0,
          .unfused       = (flags & KETTE_SESSION_NO_FUSION) != 0,
          .precision     = _kette_session_flags_precision (flags),
          .device        = device,
          .place         = place };

  return _kette_session_new_full (graph, &options, error);
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
  for (size_t i = 0; self->defaults && i < self->graph->n_inputs; i++)
    kette_tensor_unref (self->defaults[i]);
  _kette_free (self->defaults);
  _kette_free (self->has_default);
  _kette_places_free (self->places);
  kette_graph_unref (self->graph);
  _kette_free (self->updates);
  g_mutex_clear (&self->lock);
  _kette_free (self);
}

/* -- what users call ---------------------------------------------------------------------- */

static gboolean
fetch (KetteRun *run, size_t n, KetteTensor **outputs, GError **error)
{
  for (size_t i = 0; i < n; i++)
    if (!(outputs[i] = _kette_run_fetch (run, run->plan->graph->outputs[i], error)))
      {
        while (i-- > 0) /* whoever looks at them again finds none */
          g_clear_pointer (&outputs[i], kette_tensor_unref);
        return FALSE;
      }
  return TRUE;
}

/* Entries without a tensor have kind 0. */
static kt_type *
types_of (KetteTensor *const *inputs, size_t n, GError **error)
{
  kt_type *types = _kette_alloc (_kette_account_process (), n + 1, sizeof *types, error);

  for (size_t i = 0; types && i < n; i++)
    if (inputs[i])
      types[i] = (kt_type){ .kind  = KT_TENSOR,
                            .dtype = inputs[i]->dtype,
                            .ndim  = inputs[i]->rank,
                            .dims  = inputs[i]->dims };
  return types;
}

/* INPUTS: one per input of the working graph, where initializers may be inputs too. */
static gboolean
run_with (KetteSession *self, KetteTensor *const *inputs, KetteTensor **outputs,
          GCancellable *cancellable, GError **error)
{
  const size_t n = self->graph->n_inputs;
  kt_type *types = types_of (inputs, n, error);
  KetteRun *run  = NULL;
  gboolean ok    = FALSE;

  if (types && (run = _kette_session_take (self, types, inputs, error)))
    {
      for (size_t i = 0; i < n; i++)
        if (inputs[i])
          _kette_run_feed (run, i, inputs[i]);
      ok = _kette_run_execute (run, KETTE_PHASE_FORWARD | KETTE_PHASE_UPDATE, cancellable,
                               error)
           && (run->plan->partial ? _kette_run_rest (run, outputs, cancellable, error)
                                  : fetch (run, self->n_outputs, outputs, error));
      for (size_t i = 0; i < n; i++)
        _kette_run_bind_input (run, i, NULL);
      _kette_session_give (self, run);
    }
  _kette_free (types);
  return ok;
}

/* ALL: one per input of the working graph, from the caller's two lists. */
static gboolean
sort_inputs (const KetteSession *self, KetteTensor *const *inputs,
             KetteTensor *const *defaults, KetteTensor **all, GError **error)
{
  char where[KETTE_WHERE_SIZE];
  size_t fed = 0, kept = 0;

  for (size_t i = 0; i < self->graph->n_inputs; i++)
    if (!self->has_default[i])
      all[i] = inputs[fed++];
    else
      {
        all[i] = defaults ? defaults[kept] : NULL;
        kept++;
        if (!all[i] || self->defaults[i])
          continue;
        g_snprintf (where, sizeof where, "graph input %s",
                    KETTE_QUOTE (self->graph->inputs[i]->name));
        return _kette_fail (error, KETTE_ERROR_VALUE, where,
                            "is a constant in this session and cannot be fed");
      }
  return TRUE;
}

gboolean
kette_session_run_with_defaults (KetteSession *self, KetteTensor *const *inputs,
                                 KetteTensor *const *defaults, KetteTensor **outputs,
                                 GCancellable *cancellable, GError **error)
{
  const KetteGraph *g = self->graph;
  KetteTensor **all
      = _kette_alloc (_kette_account_process (), g->n_inputs + 1, sizeof *all, error);
  const gboolean ok
      = all && sort_inputs (self, inputs, defaults, all, error)
        && run_with (self, all, outputs, _kette_stop_of (cancellable), error);

  if (!ok)
    _kette_error_in_file (error, g->model->file);
  _kette_free (all);
  return ok;
}

gboolean
kette_session_run (KetteSession *self, KetteTensor *const *inputs, KetteTensor **outputs,
                   GCancellable *cancellable, GError **error)
{
  return kette_session_run_with_defaults (self, inputs, NULL, outputs, cancellable,
                                          error);
}

static char *
explain_with (KetteSession *self, KetteTensor *const *inputs, GError **error)
{
  const size_t n = self->graph->n_inputs;
  kt_type *types = types_of (inputs, n, error);
  KetteRun *run  = NULL;
  char *text     = NULL;

  /* A run has been made: the plan is one that memory suffices for. */
  if (types && (run = _kette_session_take (self, types, inputs, error)))
    {
      text = _kette_plan_text (run->plan);
      _kette_session_give (self, run);
    }
  _kette_free (types);
  return text;
}

char *
kette_session_explain (KetteSession *self, KetteTensor *const *inputs,
                       KetteTensor *const *defaults, GError **error)
{
  const KetteGraph *g = self->graph;
  KetteTensor **all
      = _kette_alloc (_kette_account_process (), g->n_inputs + 1, sizeof *all, error);
  char *text = all && sort_inputs (self, inputs, defaults, all, error)
                   ? explain_with (self, all, error)
                   : NULL;

  if (!text)
    _kette_error_in_file (error, g->model->file);
  _kette_free (all);
  return text;
}

void
kette_set_threads (int threads)
{
  _kette_pool_set_threads (threads);
}

void
kette_set_spin (int microseconds)
{
  _kette_pool_set_spin (microseconds);
}
