/* SPDX-License-Identifier: Apache-2.0
 * Is a model what Kette once wrote? Its SHA-256 says so, or where another program saved it
 * since, the checksums of its tensors.
 */
#include "io/save.h"
#include <string.h>

static GBytes *
bytes_of (const KetteModel *model)
{
  return model->message && model->free_message == _kette_message_free
             ? ((const KetteMessage *) model->message)->bytes
             : NULL;
}

static gboolean
check_tensor (const KetteModel *model, const KetteValue *value, GError **error)
{
  static const char prefix[] = "kette.crc.";
  const size_t n             = strlen (value->name);
  char *key = _kette_alloc (_kette_account_process (), sizeof prefix + n, 1, error);
  const char *stored;
  char sum[16];

  if (!key)
    return FALSE;
  memcpy (key, prefix, sizeof prefix - 1);
  memcpy (key + sizeof prefix - 1, value->name, n);
  stored = _kette_model_get_meta (model, key);
  _kette_free (key);
  g_snprintf (sum, sizeof sum, "%08x",
              (unsigned) _kette_crc32c (0, value->data->data, value->data->bytes));
  if (!stored)
    return _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                        "initializer %s has no checksum in the metadata",
                        KETTE_QUOTE (value->name));
  return strcmp (stored, sum) == 0
         || _kette_fail (
             error, KETTE_ERROR_FORMAT, NULL,
             "initializer %s is damaged: its checksum is %s, the metadata say %s",
             KETTE_QUOTE (value->name), sum, KETTE_QUOTE (stored));
}

/* Every state of the training steps has one. */
static gboolean
check_tensors (const KetteModel *model, GError **error)
{
  for (size_t i = 0; i < model->n_training; i++)
    for (size_t k = 0; k < model->training[i]->n_update; k++)
      {
        const KetteValue *value = model->training[i]->update[k].key;

        if (value->data && value->data->dtype != KT_STRING
            && !check_tensor (model, value, error))
          return FALSE;
      }
  return TRUE;
}

gboolean
kette_graph_verify (KetteGraph *self, const char **note, GError **error)
{
  const KetteModel *model = self->model;
  GBytes *bytes           = bytes_of (model);
  gboolean present, ok;

  if (note)
    *note = NULL;
  if (!bytes)
    return TRUE;
  ok = _kette_check_sha256 (bytes, &present, error);
  if (ok && !present
      && (_kette_model_get_meta (model, "kette.sha256")
          || _kette_model_get_meta (model, "kette.step")))
    {
      if (note)
        *note = "saved again by another program: only the checksums of its tensors tell "
                "whether it is whole";
      ok = check_tensors (model, error);
    }
  if (!ok)
    _kette_error_in_file (error, model->file);
  return ok;
}
