/* SPDX-License-Identifier: Apache-2.0
 * Where steps are executed. Other devices make other last bits, so a checkpoint says where it was
 * made: the device, the exceptions, and what placement by cost chose node by node. What the
 * caller says comes before that; it is no contradiction to go on elsewhere.
 */
#include "exec/places.h"
#include "train/train-private.h"
#include <string.h>

/* What the checkpoint says must be there, or the caller has to say where to go on. */
static gboolean
check_device (const char *text, size_t n, GError **error)
{
  g_autoptr (GError) fault = NULL;
  KetteUnit *unit;
  char name[64];

  g_snprintf (name, sizeof name, "%.*s", (int) MIN (n, sizeof name), text);
  if (strcmp (name, "auto") == 0 || strcmp (name, "cpu") == 0
      || (kette_plugins_get (&fault) && _kette_unit_get (name, &unit, &fault)))
    return TRUE;
  const char *what = strstr (fault->message, ": ");
  return _kette_fail (error, KETTE_ERROR_DEVICE, NULL,
                      "the checkpoint was made on %s: %s; --device goes on elsewhere",
                      KETTE_QUOTE (name), what ? what + 2 : fault->message);
}

/* Lines without a device are found where they are read. */
static gboolean
check_choice (const char *text, GError **error)
{
  const char *before = "";

  for (const char *line = text; *line; line += *line == '\n')
    {
      const size_t n = strcspn (line, " \n");
      if (n > 0 && strncmp (before, line, n + 1) != 0 && !check_device (line, n, error))
        return FALSE;
      before = line;
      line += strcspn (line, "\n");
    }
  return TRUE;
}

/* The rules of TEXT, one a line as _kette_line_write has it, in REGION. */
static gboolean
split_rules (const char *text, KetteRegion *region, const char ***out, GError **error)
{
  size_t n = 1;
  char *copy;

  for (const char *c = text; *c; c++)
    n += *c == '\n';
  if (n > KETTE_MOST_RULES)
    return _kette_fail (error, KETTE_ERROR_LIMIT, NULL,
                        "metadata kette.place has %zu rules, may have %d", n,
                        KETTE_MOST_RULES);
  copy = _kette_region_strdup (region, text, error);
  *out = copy ? _kette_region_alloc (region, n + 1, sizeof **out, error) : NULL;
  if (!*out)
    return FALSE;
  for (size_t i = 0; i < n; i++)
    {
      gboolean complete;

      (*out)[i] = copy;
      if (!_kette_line_read (&copy, &complete))
        return _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                            "metadata kette.place, line %zu: there is no such escape",
                            i + 1);
      const char *was = strrchr ((*out)[i], '=');
      if (was && !check_device (was + 1, strlen (was + 1), error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
recall (KetteSettings *out, const KetteTrainOptions *options, const KetteModel *before,
        KetteRegion *region, GError **error)
{
  const gboolean ruled = options->place && options->place[0];
  const char *device   = _kette_model_get_meta (before, "kette.device");
  const char *rules    = _kette_model_get_meta (before, "kette.place");
  const char *choice   = _kette_model_get_meta (before, "kette.placement");
  const char **place   = NULL;

  if (options->device)
    return TRUE;
  if (device
      && (!check_device (device, strlen (device), error)
          || !(out->device = _kette_region_strdup (region, device, error))))
    return FALSE;
  if (!ruled && rules)
    {
      if (!split_rules (rules, region, &place, error))
        return FALSE;
      out->place = place;
    }
  if (!ruled && choice && device && strcmp (device, "auto") == 0)
    return check_choice (choice, error)
           && (out->choice = _kette_region_strdup (region, choice, error));
  return TRUE;
}

gboolean
_kette_settings_places (KetteSettings *out, const KetteTrainOptions *options,
                        const KetteModel *before, KetteRegion *region, GError **error)
{
  size_t n = 0;
  const char **place;

  while (options->place && options->place[n])
    n++;
  if (!(place = _kette_region_alloc (region, n + 1, sizeof *place, error)))
    return FALSE;
  for (size_t i = 0; i < n; i++)
    if (!(place[i] = _kette_region_strdup (region, options->place[i], error)))
      return FALSE;
  out->place = place;
  if (options->device
      && !(out->device = _kette_region_strdup (region, options->device, error)))
    return FALSE;
  return !before || recall (out, options, before, region, error);
}

gboolean
_kette_settings_save_places (const KetteSettings *self, const char *choice,
                             KetteModel *model, GError **error)
{
  size_t bytes = 1;
  char *rules, *to;

  for (size_t i = 0; self->place && self->place[i]; i++)
    bytes += 2 * strlen (self->place[i]) + 1;
  if (!(rules = to = _kette_alloc (_kette_account_process (), bytes, 1, error)))
    return FALSE;
  for (size_t i = 0; self->place && self->place[i]; i++)
    {
      if (i)
        *to++ = '\n';
      to = _kette_line_write (to, self->place[i]);
    }
  *to = '\0';
  const gboolean ok
      = _kette_model_set_meta (model, "kette.device", self->device, error)
        && _kette_model_set_meta (model, "kette.place", *rules ? rules : NULL, error)
        && _kette_model_set_meta (model, "kette.placement", choice, error);
  _kette_free (rules);
  return ok;
}
