/* SPDX-License-Identifier: Apache-2.0
 * What a trainer is about to do, as text.
 */
#include "train/train-private.h"
#include <string.h>

static void
describe_loss (const KetteTrainer *self, GString *text)
{
  const KetteSettings *s = &self->settings;

  if (!s->loss_name)
    {
      g_string_append (text, "loss the model's own training step\n");
      return;
    }
  g_string_append_printf (text, "loss %s", s->loss_name);
  if (s->loss)
    g_string_append_printf (text, "  E = %s", s->loss->formula);
  g_string_append_c (text, '\n');
}

static void
describe_optimizer (const KetteTrainer *self, GString *text)
{
  const KetteSettings *s  = &self->settings;
  const KetteOptimizer *o = s->optimizer;

  if (!o)
    return;
  g_string_append_printf (text, "optimizer %s\nrate %g\n", o->name, s->rate);
  for (int i = 0; i < KETTE_MOST_ATTRS && o->attrs[i].name; i++)
    if (o->attrs[i].text)
      g_string_append_printf (text, "%s %s\n", o->attrs[i].name, o->attrs[i].text);
    else
      g_string_append_printf (
          text, "%s %g\n", o->attrs[i].name,
          _kette_settings_coefficient (s, o->attrs[i].from, o->attrs[i].value));
}

static void
describe_data (const KetteTrainer *self, GString *text)
{
  const KetteDataColumn *x = &self->data.columns[0];

  if (self->data.n_columns == 0)
    return;
  g_string_append_printf (text, "samples %zu", self->n_used);
  if (self->n_train < self->data.n)
    g_string_append_printf (text, ", %zu held out", self->data.n - self->n_train);
  if (self->n_train > self->n_used)
    g_string_append_printf (text, ", %zu left out", self->n_train - self->n_used);
  g_string_append_c (text, '\n');
  if (x->data->dtype != x->dtype)
    g_string_append_printf (text, "input (byte * %g - %g) / %g\n", x->recipe.scale,
                            x->recipe.mean, x->recipe.std);
  if (self->data.n_columns == 2 && self->data.columns[1].one_hot)
    g_string_append_printf (text, "targets labels as one-hot rows of %zu\n",
                            self->data.columns[1].row);
}

/* 2/K: what one loss's gradient is of the other's. */
static void
describe_factor (const KetteTrainer *self, GString *text)
{
  const KetteSettings *s = &self->settings;
  const kt_type *t       = &self->input_types[1];

  if (!s->loss || self->n_inputs < 2 || t->ndim != 2)
    return;
  if (strcmp (s->loss->name, "mse") == 0 && t->dims[1] > 0)
    g_string_append_printf (text,
                            "note mse is 2/%" G_GINT64_FORMAT
                            " of half-sse: the same steps as half-sse need "
                            "rate * %g\n",
                            t->dims[1], (double) t->dims[1] / 2);
  if (strcmp (s->loss->name, "half-sse") == 0 && t->dims[1] > 0)
    g_string_append_printf (text,
                            "note half-sse is %" G_GINT64_FORMAT
                            "/2 of mse: PyTorch's and Keras' mse take the "
                            "same steps with rate * %g\n",
                            t->dims[1], (double) t->dims[1] / 2);
}

/* A loss of logits that meets a final Softmax or Sigmoid is computed twice. */
static void
describe_head (const KetteTrainer *self, GString *text)
{
  const KetteSettings *s = &self->settings;
  const KetteNode *before
      = self->graph->n_outputs ? self->graph->outputs[0]->producer : NULL;

  if (s->loss && s->loss->logits && before
      && (strcmp (before->op, "Softmax") == 0 || strcmp (before->op, "Sigmoid") == 0))
    g_string_append_printf (
        text, "warning %s takes values before %s, and the graph ends in one\n",
        s->loss->name, before->op);
}

char *
kette_trainer_describe (KetteTrainer *self)
{
  const KetteSettings *s = &self->settings;
  GString *text          = g_string_new (NULL);
  size_t n_trained = 0, n_weights = 0;

  describe_loss (self, text);
  describe_optimizer (self, text);
  if (s->scaling.start > 0)
    g_string_append_printf (text, "loss-scale %s\n", s->loss_scale);
  if (s->precision)
    g_string_append_printf (text, "precision %s\n", _kette_precision_name (s->precision));
  g_string_append_printf (text, "batch %u\nseed %" G_GUINT64_FORMAT "\nshuffle %s\n",
                          s->batch, s->seed, s->shuffle ? "yes" : "no");
  if (*s->init)
    g_string_append_printf (text, "init %s%s\n", s->init,
                            self->resumed ? " (at the start)" : "");
  for (size_t i = 0; i < self->n_params; i++)
    if (self->trained[i])
      {
        n_trained++;
        n_weights += self->params[i]->data->count;
      }
  g_string_append_printf (text, "trains %zu of %zu parameters, %zu weights\n", n_trained,
                          self->n_params, n_weights);
  describe_data (self, text);
  describe_factor (self, text);
  describe_head (self, text);
  if (self->freed)
    g_string_append (text,
                     "note the file had a fixed batch dimension, which is free now: N\n");
  if (self->raised)
    g_string_append_printf (text,
                            "note the file is written in opset %d: older ones have no "
                            "training mode\n",
                            self->raised);
  if (self->note)
    g_string_append_printf (text, "note %s\n", self->note);
  if (self->resumed)
    g_string_append_printf (text,
                            "resumed at step %" G_GUINT64_FORMAT
                            ": epoch %" G_GUINT64_FORMAT ", sample %" G_GUINT64_FORMAT
                            "\n",
                            self->step, self->epoch, self->position);
  return g_string_free (text, FALSE);
}

char *
kette_trainer_list (KetteTrainer *self)
{
  const KetteSettings *s = &self->settings;
  GString *text          = g_string_new (NULL);

  for (size_t i = 0; i < self->n_params; i++)
    {
      const KetteValue *p = self->params[i];
      KetteQuoted quoted;
      char shape[256];

      g_string_append_printf (
          text, "%-9s %s %s%s\n", self->trained[i] ? "trained" : "frozen",
          _kette_quote (&quoted, p->name),
          _kette_shape_text (shape, sizeof shape, p->data->dims, p->data->rank, NULL),
          self->trained[i]                              ? ""
          : self->own_step                              ? "  (not in the model's step)"
          : _kette_glob_list_match (s->freeze, p->name) ? "  (--freeze)"
                                                        : "  (not in --only)");
    }
  return g_string_free (text, FALSE);
}

char *
kette_trainer_plan (KetteTrainer *self, GError **error)
{
  GString *text;
  KettePlanInfo info;
  kt_type types[2];
  char *steps;

  if (self->data.n_columns == 0)
    return _kette_fail (error, KETTE_ERROR_VALUE, NULL, "the trainer has no data"), NULL;
  text = g_string_new (NULL);
  for (size_t i = 0; i < self->n_stages; i++)
    {
      _kette_dataset_types (&self->data, self->settings.batch, types);
      steps = _kette_session_plan_text (self->stages[i].session, types, error);
      if (!steps
          || !_kette_session_plan_info (self->stages[i].session, types, &info, error))
        {
          g_free (steps);
          g_string_free (text, TRUE);
          _kette_error_in_file (error, self->graph->model->file);
          return NULL;
        }
      g_string_append_printf (text,
                              "%s%zu steps, %zu in %zu chains, %zu absorbed, %zu views; "
                              "memory: arena %zu bytes, "
                              "state %zu, constants %zu\n",
                              steps, info.n_steps, info.n_fused, info.n_chains,
                              info.n_absorbed, info.n_views, info.arena_bytes,
                              info.state_bytes, info.constant_bytes);
      g_free (steps);
    }
  return g_string_free (text, FALSE);
}

char *
kette_trainer_find_idle_places (KetteTrainer *self, GError **error)
{
  g_autofree char *plan = kette_trainer_plan (self, error);

  return plan && self->n_stages ? kette_session_find_idle_places (self->stages[0].session)
                                : NULL;
}
