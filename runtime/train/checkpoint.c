/* SPDX-License-Identifier: Apache-2.0
 * Checkpoints: the model file with its training step and, in the metadata, where training
 * stands and digests of what it depends on. Random numbers are a function of seed, epoch and
 * step, so nothing else needs to be stored for a resumed run to end with the same bits.
 */
#include "io/io-private.h"
#include "pass/pass.h"
#include "train/train-private.h"
#include <math.h>
#include <string.h>

/* -- SHA-256 of a graph without its state ---------------------------------------------------- */

typedef struct
{
  GChecksum *sum;
  const KetteGraph **queue; /* graphs to hash, subgraphs behind their owners */
  size_t n, capacity;
  uint8_t *seen; /* by value index of the current graph */
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
  for (size_t i = 0; i < t->count; i++)
    add_bytes (h, ((const kt_str *) t->data)[i].s, ((const kt_str *) t->data)[i].n);
}

/* A value by its name; of an initializer, at its first use, the content too. */
static void
add_value (Hasher *h, const KetteValue *value)
{
  if (!value)
    {
      add_text (h, "");
      return;
    }
  add_text (h, value->name);
  if (!value->data || value->outer || h->seen[value->index])
    return;
  h->seen[value->index] = 1;
  add_tensor (h, value->data, !(value->flags & KETTE_VALUE_STATE));
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
  bytes = (count * t->bits + 7) / 8;
  add_bytes (h, t->data, bytes);
}

static void
add_attr (Hasher *h, const kt_attr *a)
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
      for (size_t i = 0; i < a->n; i++)
        add_bytes (h, ((const kt_str *) a->v)[i].s, ((const kt_str *) a->v)[i].n);
      break;
    case KT_A_TENSOR:
    case KT_A_TENSORS:
      for (size_t i = 0; i < a->n; i++)
        add_tensor_attr (h, &((const kt_tensor *) a->v)[i]);
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
      add_attr (h, &node->attrs[i]);
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

gboolean
_kette_graph_hash (KetteGraph *graph, char out[65], GError **error)
{
  const KetteModel *model = graph->model;
  Hasher h                = { .sum = g_checksum_new (G_CHECKSUM_SHA256) };
  gboolean ok             = enqueue (&h, graph, error);

  for (size_t i = 0; ok && i < model->n_training; i++)
    if (model->training[i]->algorithm)
      ok = enqueue (&h, model->training[i]->algorithm, error);
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

static const char *
data_hash (KetteTrainer *self)
{
  if (!*self->data_hash && self->x)
    {
      Hasher h = { .sum = g_checksum_new (G_CHECKSUM_SHA256) };

      add_data (&h, self->x);
      add_data (&h, self->t);
      g_strlcpy (self->data_hash, g_checksum_get_string (h.sum), sizeof self->data_hash);
      g_checksum_free (h.sum);
    }
  return self->data_hash;
}

/* -- position ----------------------------------------------------------------------------------- */

gboolean
kette_graph_is_checkpoint (KetteGraph *self)
{
  return self->model->n_training > 0 && _kette_model_get_meta (self->model, "kette.step");
}

/* -- damage ---------------------------------------------------------------------------------- */

/* The digest of the whole file, where it was written by us and nobody re-saved it. */
static gboolean
check_file (const KetteModel *model, GError **error)
{
  GBytes *bytes;
  gboolean present, ok;

  if (strcmp (model->file, "<memory>") == 0)
    return TRUE;
  bytes = _kette_read_file (model->file, error);
  ok    = bytes && _kette_check_sha256 (bytes, &present, error);
  if (bytes)
    g_bytes_unref (bytes);
  return ok;
}

/* The checksum of each state, which other tools keep when they re-save the file. */
static gboolean
check_state (const KetteModel *model, GError **error)
{
  for (size_t i = 0; i < model->n_training; i++)
    for (size_t k = 0; k < model->training[i]->n_update; k++)
      {
        const KetteValue *value = model->training[i]->update[k].key;
        char key[1024], sum[16];
        const char *stored;

        if (g_snprintf (key, sizeof key, "kette.crc.%s", value->name) >= (int) sizeof key)
          continue;
        stored = _kette_model_get_meta (model, key);
        g_snprintf (sum, sizeof sum, "%08x",
                    (unsigned) _kette_crc32c (0, value->data->data, value->data->bytes));
        if (stored && strcmp (stored, sum) != 0)
          return _kette_fail (
              error, KETTE_ERROR_FORMAT, NULL,
              "initializer %s is damaged: its checksum is %s, the metadata say %s",
              KETTE_QUOTE (value->name), sum, KETTE_QUOTE (stored));
      }
  return TRUE;
}

gboolean
_kette_checkpoint_restore (KetteTrainer *self, GError **error)
{
  const KetteModel *model = self->graph->model;
  const char *stored      = _kette_model_get_meta (model, "kette.graph-sha256");

  if (!_kette_meta_get_u64 (model, "kette.step", &self->step)
      || !_kette_meta_get_u64 (model, "kette.epoch", &self->epoch)
      || !_kette_meta_get_u64 (model, "kette.position", &self->position)
      || !_kette_meta_get_double (model, "kette.loss-sum", &self->loss_sum)
      || !_kette_meta_get_double (model, "kette.last-loss", &self->last_loss))
    return _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                        "no checkpoint: the metadata do not say where training stands");
  if (!self->resume_anyway && (!stored || strcmp (stored, self->graph_hash) != 0))
    return _kette_fail (
        error, KETTE_ERROR_VALUE, NULL,
        "the graph differs from the one that the checkpoint was made with");
  return check_file (model, error) && (self->resume_anyway || check_state (model, error));
}

gboolean
_kette_checkpoint_check_data (KetteTrainer *self, GError **error)
{
  const char *stored = _kette_model_get_meta (self->graph->model, "kette.data-sha256");

  if (self->resume_anyway || !stored || strcmp (stored, data_hash (self)) == 0)
    return TRUE;
  return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                      "the data differ from those that the checkpoint was made with");
}

/* Once: training changes no node, and what was exported before would stay in memory. */
static gboolean
export_functions (KetteTrainer *self, GError **error)
{
  self->exported = self->exported || _kette_pass_export_functions (self->graph, error);
  return self->exported;
}

static gboolean
save (KetteTrainer *self, const char *file, GError **error)
{
  const KetteSaveOptions options
      = { .size = sizeof options, .flags = KETTE_SAVE_KEEP_OLD | KETTE_SAVE_CHECKSUMS };
  KetteModel *model = self->graph->model;
  const char *hash  = data_hash (self);

  return _kette_meta_set_u64 (model, "kette.step", self->step, error)
         && _kette_meta_set_u64 (model, "kette.epoch", self->epoch, error)
         && _kette_meta_set_u64 (model, "kette.position", self->position, error)
         && _kette_meta_set_double (model, "kette.loss-sum", self->loss_sum, error)
         && _kette_meta_set_double (model, "kette.last-loss", self->last_loss, error)
         && _kette_model_set_meta (model, "kette.version", KETTE_VERSION, error)
         && _kette_model_set_meta (model, "kette.graph-sha256", self->graph_hash, error)
         && _kette_model_set_meta (model, "kette.data-sha256", *hash ? hash : NULL, error)
         && _kette_settings_save (&self->settings, model, error)
         && export_functions (self, error)
         && kette_graph_save_full (self->graph, file, &options, error);
}

gboolean
kette_trainer_save (KetteTrainer *self, const char *file, GError **error)
{
  if (save (self, file, error))
    return TRUE;
  _kette_error_in_file (error, file);
  return FALSE;
}
