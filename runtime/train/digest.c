/* SPDX-License-Identifier: Apache-2.0
 * SHA-256 of what a training run depends on: of a graph without its state, of data, of
 * options.
 */
#include "graph/sparse.h"
#include "train/train-private.h"
#include <string.h>

/* -- SHA-256 of a graph without its state ---------------------------------------------------- */

typedef struct
{
  GChecksum *sum;
  const KetteGraph **queue; /* graphs to hash, subgraphs behind their owners */
  size_t n, capacity;
  uint8_t *seen;      /* by value index of the current graph */
  gboolean structure; /* floating-point initializers without their content */
} Hasher;

static void
add_text (Hasher *h, const char *text)
{
  g_checksum_update (h->sum, (const guchar *) text, (gssize) strlen (text) + 1);
}

static void
add_int (Hasher *h, int64_t v)
{
  char text[32];

  g_snprintf (text, sizeof text, "%" G_GINT64_FORMAT, v);
  add_text (h, text);
}

static void
add_bytes (Hasher *h, const void *data, size_t n)
{
  const guchar *p = data;

  add_int (h, (int64_t) n);
  if (n > 0)
    g_checksum_update (h->sum, p, (gssize) n);
}

static void
add_type (Hasher *h, const kt_type *type, const KetteModel *model)
{
  char text[1024];

  add_text (h, _kette_type_text (text, sizeof text, type,
                                 (const char *const *) model->symbols));
}

static gboolean
is_float (const KetteTensor *t)
{
  const KetteDtype *row = _kette_dtype (t->dtype);

  return row && row->is_float;
}

static void
add_texts (Hasher *h, const kt_str *texts, size_t n)
{
  for (size_t i = 0; i < n; i++)
    add_bytes (h, texts[i].s, texts[i].n);
}

static void
add_tensor (Hasher *h, const KetteTensor *t, gboolean content)
{
  add_int (h, t->dtype);
  add_int (h, t->rank);
  for (int i = 0; i < t->rank; i++)
    add_int (h, t->dims[i]);
  if (!content)
    return;
  if (t->dtype != KT_STRING)
    {
      add_bytes (h, t->data, t->bytes);
      return;
    }
  add_texts (h, t->data, t->count);
}

/* A value by its name; of an initializer, at its first use, the content too. */
static void
add_sparse (Hasher *h, const KetteSparse *s, gboolean content)
{
  add_bytes (h, s->dims, (size_t) s->rank * sizeof *s->dims);
  add_tensor (h, s->indices, TRUE);
  add_tensor (h, s->values, content);
}

static void
add_value (Hasher *h, const KetteValue *value)
{
  if (!value)
    {
      add_text (h, "");
      return;
    }
  add_text (h, value->name);
  if ((!value->data && !value->sparse) || value->outer || h->seen[value->index])
    return;
  h->seen[value->index] = 1;
  if (value->sparse)
    {
      add_sparse (h, value->sparse, !(h->structure && is_float (value->sparse->values)));
      return;
    }
  add_tensor (h, value->data,
              !(value->flags & KETTE_VALUE_STATE)
                  && !(h->structure && is_float (value->data)));
}

static void
add_tensor_attr (Hasher *h, const kt_tensor *t)
{
  size_t count = 1, bytes = 0;

  add_int (h, t->code * 256 + t->bits);
  add_int (h, t->ndim);
  for (int32_t i = 0; i < t->ndim; i++)
    {
      add_int (h, t->shape[i]);
      count *= (size_t) t->shape[i];
    }
  if (_kette_dtype_of_view (t) == KT_STRING)
    {
      add_texts (h, t->data, count);
      return;
    }
  bytes = (count * t->bits + 7) / 8;
  add_bytes (h, t->data, bytes);
}

static void
add_attr (Hasher *h, const KetteModel *model, const kt_attr *a)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  add_text (h, a->name);
  add_int (h, a->kind);
  switch (a->kind)
    {
    case KT_A_INT:
      add_int (h, a->i);
      break;
    case KT_A_FLOAT: /* as the file has it */
      add_text (h, g_ascii_dtostr (text, sizeof text, (float) a->f));
      break;
    case KT_A_STRING:
      add_bytes (h, a->v, a->n);
      break;
    case KT_A_INTS:
      add_bytes (h, a->v, a->n * sizeof (int64_t));
      break;
    case KT_A_FLOATS:
      add_bytes (h, a->v, a->n * sizeof (float));
      break;
    case KT_A_STRINGS:
      add_texts (h, a->v, a->n);
      break;
    case KT_A_TENSOR:
    case KT_A_TENSORS:
      for (size_t i = 0; i < a->n; i++)
        add_tensor_attr (h, &((const kt_tensor *) a->v)[i]);
      break;
    case KT_A_SPARSE_TENSOR:
    case KT_A_SPARSE_TENSORS:
      for (size_t i = 0; i < a->n; i++)
        {
          const KetteSparse *s
              = _kette_model_sparse (model, &((const kt_tensor *) a->v)[i]);

          if (s)
            add_sparse (h, s, TRUE);
          else
            add_tensor_attr (h, &((const kt_tensor *) a->v)[i]);
        }
      break;
    default:
      add_int (h, (int64_t) a->n);
    }
}

static gboolean
enqueue (Hasher *h, const KetteGraph *graph, GError **error)
{
  if (!_kette_grow (&h->queue, &h->capacity, h->n + 1, sizeof *h->queue, error))
    return FALSE;
  h->queue[h->n++] = graph;
  return TRUE;
}

static gboolean
add_node (Hasher *h, const KetteNode *node, GError **error)
{
  add_text (h, node->name);
  add_text (h, node->domain);
  add_text (h, node->op);
  /* In domain kette the overload only names a function that is made for other runtimes. */
  if (node->overload && strcmp (node->domain, "kette") != 0)
    add_text (h, node->overload);
  for (int32_t i = 0; i < node->n_in; i++)
    add_value (h, node->in[i]);
  add_text (h, "->");
  for (int32_t i = 0; i < node->n_out; i++)
    add_value (h, node->out[i]);
  for (int32_t i = 0; i < node->n_attrs; i++)
    {
      add_attr (h, node->graph->model, &node->attrs[i]);
      if (node->subgraphs && node->subgraphs[i]
          && !enqueue (h, node->subgraphs[i], error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
add_graph (Hasher *h, const KetteGraph *graph, GError **error)
{
  gboolean ok = TRUE;

  h->seen = _kette_alloc (_kette_account_process (), graph->n_values + 1, 1, error);
  if (!h->seen)
    return FALSE;
  add_text (h, "graph");
  for (size_t i = 0; i < graph->n_inputs; i++)
    {
      add_value (h, graph->inputs[i]);
      add_type (h, &graph->inputs[i]->type, graph->model);
    }
  for (size_t i = 0; i < graph->n_outputs; i++)
    add_value (h, graph->outputs[i]);
  for (size_t i = 0; ok && i < graph->n_nodes; i++)
    ok = add_node (h, graph->nodes[i], error);
  _kette_free (h->seen);
  return ok;
}

static gboolean
hash_graph (KetteGraph *graph, gboolean structure, char out[65], GError **error)
{
  const KetteModel *model = graph->model;
  Hasher h    = { .sum = g_checksum_new (G_CHECKSUM_SHA256), .structure = structure };
  gboolean ok = enqueue (&h, graph, error);

  for (size_t i = 0; ok && i < model->n_training; i++)
    if (model->training[i]->algorithm)
      ok = enqueue (&h, model->training[i]->algorithm, error);
  /* Those of domain kette are only there for other runtimes. */
  for (size_t i = 0; ok && i < model->n_functions; i++)
    if (strcmp (model->functions[i]->domain, "kette") != 0)
      ok = enqueue (&h, model->functions[i]->body, error);
  for (size_t i = 0; ok && i < h.n; i++)
    ok = add_graph (&h, h.queue[i], error);
  for (size_t i = 0; ok && i < model->n_training; i++)
    for (size_t k = 0; k < model->training[i]->n_update; k++)
      {
        add_text (&h, model->training[i]->update[k].key->name);
        add_text (&h, model->training[i]->update[k].value->name);
      }
  for (size_t i = 0; ok && i < model->n_opsets; i++)
    {
      add_text (&h, model->opsets[i].domain);
      add_int (&h, model->opsets[i].version);
    }
  g_strlcpy (out, g_checksum_get_string (h.sum), 65);
  g_checksum_free (h.sum);
  _kette_free (h.queue);
  return ok;
}

gboolean
_kette_graph_hash (KetteGraph *graph, char out[65], GError **error)
{
  return hash_graph (graph, FALSE, out, error);
}

gboolean
_kette_structure_hash (KetteGraph *graph, char out[65], GError **error)
{
  return hash_graph (graph, TRUE, out, error);
}

void
_kette_frozen_hash (const KetteGraph *graph, const KetteSettings *settings,
                    KetteValue *const *params, const uint8_t *trained, size_t n,
                    char structure[65])
{
  Hasher h = { .sum = g_checksum_new (G_CHECKSUM_SHA256) };

  add_text (&h, structure);
  for (size_t i = 0; i < graph->n_values; i++)
    {
      const KetteValue *value = graph->values[i];
      gboolean is_trained     = FALSE;

      if (!(value->flags & KETTE_VALUE_INITIALIZER) || !value->data
          || !is_float (value->data))
        continue;
      for (size_t k = 0; !is_trained && k < n; k++)
        is_trained = trained[k] && strcmp (params[k]->name, value->name) == 0;
      if (is_trained
          || (_kette_settings_trains (settings, value->name)
              && _kette_is_running_statistic (graph, value)))
        continue;
      add_text (&h, value->name);
      add_tensor (&h, value->data, TRUE);
    }
  g_strlcpy (structure, g_checksum_get_string (h.sum), 65);
  g_checksum_free (h.sum);
}

/* -- SHA-256 of the data ---------------------------------------------------------------------- */

/* Above 64 MiB: the size and both ends, 1 MiB each. */
static void
add_data (Hasher *h, const KetteTensor *t)
{
  const size_t end = (size_t) 1 << 20;

  if (!t)
    {
      add_text (h, "none");
      return;
    }
  if (t->dtype == KT_STRING || t->bytes <= (size_t) 64 << 20)
    {
      add_tensor (h, t, TRUE);
      return;
    }
  add_tensor (h, t, FALSE);
  add_bytes (h, t->data, end);
  add_bytes (h, (const char *) t->data + t->bytes - end, end);
}

void
_kette_data_hash (const KetteTensor *x, const KetteTensor *t, char out[65])
{
  Hasher h = { .sum = g_checksum_new (G_CHECKSUM_SHA256) };

  add_data (&h, x);
  add_data (&h, t);
  g_strlcpy (out, g_checksum_get_string (h.sum), 65);
  g_checksum_free (h.sum);
}
