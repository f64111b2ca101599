/* SPDX-License-Identifier: Apache-2.0
 * Models: what a file holds beside its graph.
 */
#include "graph/graph-private.h"
#include <string.h>

KetteModel *
_kette_model_new (const char *file, GError **error)
{
  KetteModel *model = _kette_alloc (_kette_account_process (), 1, sizeof *model, error);

  if (!model)
    return NULL;
  model->ref = 1;
  if ((model->region = _kette_region_new (error))
      && (model->file = _kette_region_strdup (model->region, file, error)))
    {
      model->producer = model->producer_version = model->domain = model->doc = "";
      return model;
    }
  _kette_model_unref (model);
  return NULL;
}

KetteModel *
_kette_model_ref (KetteModel *model)
{
  g_atomic_int_inc (&model->ref);
  return model;
}

void
_kette_model_unref (KetteModel *model)
{
  if (!model || !g_atomic_int_dec_and_test (&model->ref))
    return;
  for (size_t i = 0; i < model->n_functions; i++)
    kette_graph_unref (model->functions[i]->body);
  for (size_t i = 0; i < model->n_training; i++)
    {
      kette_graph_unref (model->training[i]->initialization);
      kette_graph_unref (model->training[i]->algorithm);
    }
  if (model->message && model->free_message)
    model->free_message (model->message);
  _kette_free (model->opsets);
  _kette_free (model->meta);
  _kette_free (model->functions);
  _kette_free (model->training);
  _kette_free (model->symbols);
  _kette_region_free (model->region);
  _kette_free (model);
}

/* "ai.onnx" is "". */
static const char *
plain_domain (const char *domain)
{
  return strcmp (domain, "ai.onnx") == 0 ? "" : domain;
}

int32_t
_kette_model_opset (const KetteModel *model, const char *domain)
{
  domain = plain_domain (domain);
  for (size_t i = 0; i < model->n_opsets; i++)
    if (strcmp (model->opsets[i].domain, domain) == 0)
      return model->opsets[i].version;
  return 0;
}

gboolean
_kette_model_set_opset (KetteModel *model, const char *domain, int32_t version, GError **error)
{
  domain = plain_domain (domain);
  for (size_t i = 0; i < model->n_opsets; i++)
    if (strcmp (model->opsets[i].domain, domain) == 0)
      {
        model->opsets[i].version = version;
        return TRUE;
      }
  if (!_kette_grow (&model->opsets, &model->opsets_capacity, model->n_opsets + 1,
                    sizeof *model->opsets, error)
      || !(domain = _kette_region_strdup (model->region, domain, error)))
    return FALSE;
  model->opsets[model->n_opsets++] = (KetteOpset){ domain, version };
  return TRUE;
}

const char *
_kette_model_get_meta (const KetteModel *model, const char *key)
{
  for (size_t i = 0; i < model->n_meta; i++)
    if (strcmp (model->meta[i].key, key) == 0)
      return model->meta[i].value;
  return NULL;
}

gboolean
_kette_model_set_meta (KetteModel *model, const char *key, const char *value, GError **error)
{
  size_t i = 0;

  while (i < model->n_meta && strcmp (model->meta[i].key, key) != 0)
    i++;
  if (!value)
    {
      if (i < model->n_meta)
        {
          memmove (&model->meta[i], &model->meta[i + 1],
                   (model->n_meta - i - 1) * sizeof *model->meta);
          model->n_meta--;
        }
      return TRUE;
    }
  if (!(value = _kette_region_strdup (model->region, value, error)))
    return FALSE;
  if (i < model->n_meta)
    {
      model->meta[i].value = value;
      return TRUE;
    }
  if (!_kette_grow (&model->meta, &model->meta_capacity, i + 1, sizeof *model->meta, error)
      || !(key = _kette_region_strdup (model->region, key, error)))
    return FALSE;
  model->meta[model->n_meta++] = (KetteMeta){ key, value };
  return TRUE;
}

int64_t
_kette_model_symbol (KetteModel *model, const char *name, GError **error)
{
  for (size_t i = 0; i < model->n_symbols; i++)
    if (strcmp (model->symbols[i], name) == 0)
      return KT_DIM (i + 1);
  if (model->n_symbols >= INT32_MAX - 1)
    {
      _kette_fail (error, KETTE_ERROR_LIMIT, NULL, "too many symbolic dims");
      return 0;
    }
  if (!_kette_grow (&model->symbols, &model->symbols_capacity, model->n_symbols + 2,
                    sizeof *model->symbols, error)
      || !(name = _kette_region_strdup (model->region, name, error)))
    return 0;
  model->symbols[model->n_symbols++] = name; /* the array stays ended by NULL */
  return KT_DIM (model->n_symbols);
}

KetteFunction *
_kette_model_find_function (const KetteModel *model, const char *domain, const char *name,
                            const char *overload)
{
  for (size_t i = 0; i < model->n_functions; i++)
    {
      KetteFunction *f = model->functions[i];
      if (strcmp (f->name, name) == 0 && strcmp (f->domain, plain_domain (domain)) == 0
          && strcmp (f->overload ? f->overload : "", overload ? overload : "") == 0)
        return f;
    }
  return NULL;
}
