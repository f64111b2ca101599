/* SPDX-License-Identifier: Apache-2.0
 * What a model file holds beside its graph.
 */
#include "base/limits-private.h"
#include "graph/sparse.h"
#include <string.h>

static const char *
plain_domain (const char *domain)
{
  return !domain || strcmp (domain, "ai.onnx") == 0 ? "" : domain;
}

KetteModel *
_kette_model_new (const char *file, GError **error)
{
  KetteModel *model = _kette_alloc (NULL, 1, sizeof *model, error);

  if (!model)
    return NULL;
  model->ref       = 1;
  model->max_nodes = _kette_limits_default ()->nodes;
  model->producer = model->producer_version = model->domain = model->doc = "";
  model->region = _kette_region_new (error);
  if (model->region)
    model->file = _kette_region_strdup (model->region, file, error);
  if (model->file)
    model->opset_index = _kette_names_new (error);
  if (model->opset_index)
    model->meta_index = _kette_names_new (error);
  if (model->meta_index)
    model->symbol_index = _kette_names_new (error);
  if (model->symbol_index)
    return model;
  _kette_model_unref (model);
  return NULL;
}

KetteModel *
_kette_model_ref (KetteModel *model)
{
  g_atomic_int_inc (&model->ref);
  return model;
}

/* Drops the reference to MODEL that GRAPH, which the model owns, was made with, and those of
 * its subgraphs. */
static void
lend_to (KetteModel *model, KetteGraph *graph)
{
  KetteGraph *list = graph;

  if (!graph || graph->model != model || graph->lent)
    return;
  graph->lent = TRUE;
  graph->link = NULL;
  g_atomic_int_add (&model->ref, -1);
  while (list)
    {
      const KetteGraph *at = list;

      list = at->link;
      for (size_t i = 0; i < at->n_nodes; i++)
        for (int32_t k = 0; at->nodes[i]->subgraphs && k < at->nodes[i]->n_attrs; k++)
          {
            KetteGraph *sub = at->nodes[i]->subgraphs[k];

            if (!sub || sub->model != model || sub->lent)
              continue;
            sub->lent = TRUE;
            sub->link = list;
            list      = sub;
            g_atomic_int_add (&model->ref, -1);
          }
    }
}

static void
lend_all (KetteModel *model)
{
  static GMutex mutex;

  if (model->n_functions == 0 && model->n_training == 0)
    return;
  g_mutex_lock (&mutex);
  for (size_t i = 0; i < model->n_functions; i++)
    {
      lend_to (model, model->functions[i]->body);
      for (size_t k = 0; k < model->functions[i]->n_graphs; k++)
        lend_to (model, model->functions[i]->graphs[k]);
    }
  for (size_t i = 0; i < model->n_training; i++)
    {
      lend_to (model, model->training[i]->initialization);
      lend_to (model, model->training[i]->algorithm);
    }
  g_mutex_unlock (&mutex);
}

void
_kette_model_unref (KetteModel *model)
{
  if (!model)
    return;
  lend_all (model);
  if (!g_atomic_int_dec_and_test (&model->ref))
    return;
  for (size_t i = 0; i < model->n_functions; i++)
    {
      for (size_t k = 0; k < model->functions[i]->n_graphs; k++)
        kette_graph_unref (model->functions[i]->graphs[k]);
      kette_graph_unref (model->functions[i]->body);
    }
  for (size_t i = 0; i < model->n_training; i++)
    {
      kette_graph_unref (model->training[i]->initialization);
      kette_graph_unref (model->training[i]->algorithm);
    }
  for (size_t i = 0; i < model->n_external; i++)
    g_bytes_unref (model->external[i].bytes);
  _kette_free (model->external);
  if (model->free_message)
    model->free_message (model->message);
  _kette_names_free (model->opset_index);
  _kette_names_free (model->meta_index);
  _kette_names_free (model->symbol_index);
  _kette_names_free (model->function_index);
  _kette_free (model->opsets);
  _kette_free (model->meta);
  _kette_free (model->functions);
  _kette_free (model->training);
  for (size_t i = 0; i < model->n_sparse; i++)
    _kette_sparse_unref (model->sparse[i]);
  _kette_free (model->sparse);
  _kette_free (model->symbols);
  _kette_region_free (model->region);
  _kette_free (model);
}

/* What the index says of NAME: its place plus one; 0: not there. */
static size_t
place_of (const KetteNames *index, const char *name)
{
  return GPOINTER_TO_SIZE (_kette_names_get (index, name));
}

int32_t
_kette_model_opset (const KetteModel *model, const char *domain)
{
  const size_t at = place_of (model->opset_index, plain_domain (domain));

  return at > 0 ? model->opsets[at - 1].version : 0;
}

gboolean
_kette_model_set_opset (KetteModel *model, const char *domain, int32_t version,
                        GError **error)
{
  const char *copy;
  size_t at;

  domain = plain_domain (domain);
  at     = place_of (model->opset_index, domain);
  if (at > 0)
    {
      model->opsets[at - 1].version = version;
      return TRUE;
    }
  copy = _kette_region_strdup (model->region, domain, error);
  if (!copy
      || !_kette_grow (&model->opsets, &model->opsets_capacity, model->n_opsets + 1,
                       sizeof *model->opsets, error)
      || !_kette_names_set (model->opset_index, copy,
                            GSIZE_TO_POINTER (model->n_opsets + 1), error))
    return FALSE;
  model->opsets[model->n_opsets++] = (KetteOpset){ copy, version };
  return TRUE;
}

const char *
_kette_model_get_meta (const KetteModel *model, const char *key)
{
  const size_t at = place_of (model->meta_index, key);

  return at > 0 ? model->meta[at - 1].value : NULL;
}

static gboolean
remove_meta (KetteModel *model, size_t at, GError **error)
{
  _kette_names_remove (model->meta_index, model->meta[at - 1].key);
  model->n_meta--;
  memmove (&model->meta[at - 1], &model->meta[at],
           (model->n_meta - (at - 1)) * sizeof *model->meta);
  for (size_t i = at - 1; i < model->n_meta; i++)
    if (!_kette_names_set (model->meta_index, model->meta[i].key,
                           GSIZE_TO_POINTER (i + 1), error))
      return FALSE;
  return TRUE;
}

gboolean
_kette_model_set_meta (KetteModel *model, const char *key, const char *value,
                       GError **error)
{
  const size_t at = place_of (model->meta_index, key);
  const size_t n = value ? strlen (value) + 1 : 0, room = MAX (n, 32);
  KetteMeta *old = at > 0 ? &model->meta[at - 1] : NULL;
  const char *name;
  char *copy;

  if (!value)
    return at == 0 || remove_meta (model, at, error);
  if (old && n <= old->room)
    {
      memmove ((char *) old->value, value, n);
      return TRUE;
    }
  copy = _kette_region_alloc (model->region, room, 1, error);
  if (!copy)
    return FALSE;
  memcpy (copy, value, n);
  if (old)
    {
      old->value = copy;
      old->room  = room;
      return TRUE;
    }
  name = _kette_region_strdup (model->region, key, error);
  if (!name
      || !_kette_grow (&model->meta, &model->meta_capacity, model->n_meta + 1,
                       sizeof *model->meta, error)
      || !_kette_names_set (model->meta_index, name, GSIZE_TO_POINTER (model->n_meta + 1),
                            error))
    return FALSE;
  model->meta[model->n_meta++] = (KetteMeta){ name, copy, room };
  return TRUE;
}

int64_t
_kette_model_symbol (KetteModel *model, const char *name, GError **error)
{
  size_t at = place_of (model->symbol_index, name);
  const char *copy;

  if (at > 0)
    return KT_DIM (at);
  at = model->n_symbols + 1;
  if (at >= (size_t) 1 << 31)
    return _kette_fail (error, KETTE_ERROR_LIMIT, "graph", "has 2^31 named dims");
  copy = _kette_region_strdup (model->region, name, error);
  if (!copy
      || !_kette_grow (&model->symbols, &model->symbols_capacity, at,
                       sizeof *model->symbols, error)
      || !_kette_names_set (model->symbol_index, copy, GSIZE_TO_POINTER (at), error))
    return 0;
  model->symbols[model->n_symbols++] = copy;
  return KT_DIM (at);
}

/* One text of three: lengths in front, so that no two triples have the same. */
static size_t
function_key (char *out, size_t size, const char *domain, const char *name,
              const char *overload)
{
  return (size_t) g_snprintf (out, size, "%zu %zu %s%s%s", strlen (domain), strlen (name),
                              domain, name, overload);
}

static gboolean
is_function (const KetteFunction *f, const char *domain, const char *name,
             const char *overload)
{
  return strcmp (f->name, name) == 0 && strcmp (plain_domain (f->domain), domain) == 0
         && strcmp (f->overload ? f->overload : "", overload) == 0;
}

/* Takes functions that were added since the last time into the index. Short of memory, they
 * are left out, and searched one by one. */
static void
index_functions (KetteModel *model)
{
  char key[512];

  if (!model->function_index)
    model->function_index = _kette_names_new (NULL);
  while (model->function_index && model->n_indexed < model->n_functions)
    {
      const KetteFunction *f = model->functions[model->n_indexed];
      const char *copy;

      if (function_key (key, sizeof key, plain_domain (f->domain), f->name,
                        f->overload ? f->overload : "")
          < sizeof key)
        {
          copy = _kette_region_strdup (model->region, key, NULL);
          if (!copy
              || (!place_of (model->function_index, copy)
                  && !_kette_names_set (model->function_index, copy,
                                        GSIZE_TO_POINTER (model->n_indexed + 1), NULL)))
            return;
        }
      model->n_indexed++;
    }
}

KetteFunction *
_kette_model_find_function (const KetteModel *model, const char *domain, const char *name,
                            const char *overload)
{
  static GMutex mutex;
  KetteModel *writable = (KetteModel *) model;
  size_t at, begin;
  char key[512];

  domain   = plain_domain (domain);
  overload = overload ? overload : "";
  if (model->n_functions == 0)
    return NULL;
  g_mutex_lock (&mutex);
  if (model->n_indexed < model->n_functions)
    index_functions (writable);
  begin = model->n_indexed;
  if (function_key (key, sizeof key, domain, name, overload) >= sizeof key)
    at = begin = 0; /* too long for the index */
  else
    at = place_of (model->function_index, key);
  g_mutex_unlock (&mutex);
  if (at > 0)
    return model->functions[at - 1];
  for (size_t i = begin; i < model->n_functions; i++)
    if (is_function (model->functions[i], domain, name, overload))
      return model->functions[i];
  return NULL;
}
