/* SPDX-License-Identifier: Apache-2.0
 * Numbers in the model's metadata, where a checkpoint keeps what is no tensor.
 */
#include "train/train-private.h"
#include <errno.h>

gboolean
_kette_meta_get_u64 (const KetteModel *model, const char *key, uint64_t *out)
{
  const char *text = _kette_model_get_meta (model, key);
  char *end;

  if (!text || !g_ascii_isdigit (*text))
    return FALSE;
  errno = 0;
  *out  = g_ascii_strtoull (text, &end, 10);
  return !*end && !errno;
}

gboolean
_kette_meta_get_double (const KetteModel *model, const char *key, double *out)
{
  const char *text = _kette_model_get_meta (model, key);
  char *end;

  if (!text)
    return FALSE;
  *out = g_ascii_strtod (text, &end);
  return end != text && !*end;
}

gboolean
_kette_meta_set_u64 (KetteModel *model, const char *key, uint64_t v, GError **error)
{
  char text[32];

  g_snprintf (text, sizeof text, "%" G_GUINT64_FORMAT, v);
  return _kette_model_set_meta (model, key, text, error);
}

gboolean
_kette_meta_set_double (KetteModel *model, const char *key, double v, GError **error)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  return _kette_model_set_meta (model, key, g_ascii_dtostr (text, sizeof text, v), error);
}
