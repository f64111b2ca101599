/* SPDX-License-Identifier: Apache-2.0
 * A trained model without its training: what `kette convert --strip-training` does.
 */
#include "exec/transform.h"
#include "pass/pass.h"
#include <string.h>

/* What trainers note in the metadata is all of domain kette but where the model came from
 * and how its inputs are to be scaled. */
static gboolean
is_of_training (const char *key)
{
  return g_str_has_prefix (key, "kette.") && !g_str_has_prefix (key, "kette.input.")
         && strcmp (key, "kette.previous_producer") != 0;
}

static gboolean
strip_metadata (KetteModel *model, GError **error)
{
  for (size_t i = model->n_meta; i-- > 0;)
    if (is_of_training (model->meta[i].key)
        && !_kette_model_set_meta (model, model->meta[i].key, NULL, error))
      return FALSE;
  return TRUE;
}

/* State of training that lies in the main graph though nothing there reads it: counters,
 * rates, momenta. */
static gboolean
strip_state (KetteGraph *graph, GError **error)
{
  const KetteModel *model = graph->model;
  KetteUses *uses         = _kette_uses_new (graph, error);

  if (!uses)
    return FALSE;
  for (size_t t = 0; t < model->n_training; t++)
    for (size_t i = 0; i < model->training[t]->n_update; i++)
      {
        KetteValue *key = model->training[t]->update[i].key;

        if (key->graph != graph)
          continue;
        key->flags &= ~(uint32_t) KETTE_VALUE_STATE;
        if (uses->start[key->index] == uses->start[key->index + 1]
            && !(key->flags & (KETTE_VALUE_INPUT | KETTE_VALUE_OUTPUT)))
          {
            key->flags &= ~(uint32_t) KETTE_VALUE_INITIALIZER;
            _kette_value_set_data (key, NULL);
          }
      }
  _kette_uses_free (uses);
  return TRUE;
}

static gboolean
has_own_functions (const KetteModel *model)
{
  for (size_t i = 0; i < model->n_functions; i++)
    if (strcmp (model->functions[i]->domain, "kette") == 0)
      return TRUE;
  return FALSE;
}

gboolean
kette_graph_strip_training (KetteGraph *self, GError **error)
{
  KetteModel *model = self->model;
  gboolean ok       = strip_state (self, error) && strip_metadata (model, error);

  if (ok)
    {
      for (size_t t = 0; t < model->n_training; t++)
        {
          kette_graph_unref (model->training[t]->initialization);
          kette_graph_unref (model->training[t]->algorithm);
        }
      model->n_training = 0;
      /* Bodies of operators that only the steps used. */
      ok = !has_own_functions (model) || _kette_pass_export_functions (self, error);
    }
  if (!ok)
    _kette_error_in_file (error, model->file);
  return ok;
}
