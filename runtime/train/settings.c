/* SPDX-License-Identifier: Apache-2.0
 * Settings: options with their defaults filled in, and their copy in a checkpoint. What an
 * option leaves open is taken from the checkpoint when training is resumed; what it chooses
 * must be what the checkpoint was made with.
 */
#include "train/train-private.h"
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <string.h>

typedef enum
{
  TEXT,
  REAL,
  COUNT,
  SEED,
  FLAG
} Kind;

typedef struct
{
  const char *name;
  Kind kind;
  size_t offset;
} Field;

#define FIELD(name, kind, member)                                                        \
  {                                                                                      \
    name, kind, offsetof (KetteSettings, member)                                         \
  }

static const Field fields[] = {
  FIELD ("loss", TEXT, loss_name),
  FIELD ("optimizer", TEXT, optimizer_name),
  FIELD ("rate", REAL, rate),
  FIELD ("beta", REAL, beta),
  FIELD ("beta2", REAL, beta2),
  FIELD ("epsilon", REAL, epsilon),
  FIELD ("loss-scale", TEXT, loss_scale),
  FIELD ("batch", COUNT, batch),
  FIELD ("seed", SEED, seed),
  FIELD ("shuffle", FLAG, shuffle),
  FIELD ("drop-last", FLAG, drop_last),
  FIELD ("freeze", TEXT, freeze),
  FIELD ("only", TEXT, only),
  FIELD ("init", TEXT, init),
  FIELD ("split", REAL, split),
  FIELD ("scale", REAL, scale),
  FIELD ("mean", REAL, mean),
  FIELD ("std", REAL, std),
  FIELD ("one-hot", COUNT, one_hot),
};

enum
{
  N_STEP_FIELDS = 7
}; /* the first ones: they are what the step is made of */

static const char *const *
as_text (const KetteSettings *s, const Field *f)
{
  return (const void *) ((const char *) s + f->offset);
}

/* The value as text; FALSE: it says "default". */
static gboolean
field_to_text (const KetteSettings *s, const Field *f, char *out, size_t size,
               const char **text)
{
  const void *p = (const char *) s + f->offset;
  double v;

  *text = out;
  switch (f->kind)
    {
    case TEXT:
      *text = *as_text (s, f);
      return *text && **text;
    case REAL:
      v = *(const double *) p;
      g_ascii_dtostr (out, (int) size, v);
      return f->offset == offsetof (KetteSettings, beta)
                     || f->offset == offsetof (KetteSettings, beta2)
                     || f->offset == offsetof (KetteSettings, epsilon)
                 ? v >= 0
                 : v != 0;
    case COUNT:
      g_snprintf (out, size, "%u", *(const uint32_t *) p);
      return *(const uint32_t *) p != 0;
    case SEED:
      g_snprintf (out, size, "%" G_GUINT64_FORMAT, *(const uint64_t *) p);
      return *(const uint64_t *) p != KETTE_SEED_DEFAULT;
    default:
      g_strlcpy (out, *(const gboolean *) p ? "yes" : "no", size);
      return *(const gboolean *) p != (f->offset == offsetof (KetteSettings, shuffle));
    }
}

static gboolean
field_from_text (KetteSettings *s, const Field *f, const char *text, KetteRegion *region,
                 GError **error)
{
  void *p = (char *) s + f->offset;
  char *end;
  guint64 n;

  if (f->kind == TEXT)
    return (*(const char **) p = _kette_region_strdup (region, text, error)) != NULL;
  if (f->kind == FLAG)
    {
      *(gboolean *) p = strcmp (text, "yes") == 0;
      if (*(gboolean *) p || strcmp (text, "no") == 0)
        return TRUE;
    }
  else if (f->kind == REAL)
    {
      *(double *) p = g_ascii_strtod (text, &end);
      if (end != text && !*end && isfinite (*(double *) p))
        return TRUE;
    }
  else
    {
      errno = 0;
      n     = g_ascii_strtoull (text, &end, 10);
      if (g_ascii_isdigit (*text) && !*end && !errno
          && (f->kind == SEED || n <= UINT32_MAX))
        {
          if (f->kind == SEED)
            *(uint64_t *) p = n;
          else
            *(uint32_t *) p = (uint32_t) n;
          return TRUE;
        }
    }
  return _kette_fail (error, KETTE_ERROR_FORMAT, NULL, "metadata kette.option.%s is %s",
                      f->name, KETTE_QUOTE (text));
}

static const char *
join (const char *const *list, KetteRegion *region, GError **error)
{
  size_t n = 1;
  char *out, *p;

  for (size_t i = 0; list && list[i]; i++)
    n += strlen (list[i]) + 1;
  out = p = _kette_region_alloc (region, n, 1, error);
  for (size_t i = 0; out && list && list[i]; i++)
    p += g_snprintf (p, (gulong) (n - (size_t) (p - out)), "%s%s", i ? "," : "", list[i]);
  return out;
}

/* The options are the checkpoint's now; were they always? */
static gboolean
check_hash (const KetteSettings *s, const KetteModel *model, GError **error)
{
  const char *stored = _kette_model_get_meta (model, "kette.options-sha256");
  char hash[65];

  _kette_settings_hash (s, hash);
  if (!stored || strcmp (stored, hash) == 0)
    return TRUE;
  return _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                      "the options in the metadata were changed: their SHA-256 is %s, "
                      "kette.options-sha256 says %s",
                      hash, KETTE_QUOTE (stored));
}

/* The training step is there already: of what it is made of, only the rate can change. */
static gboolean
change_anyway (KetteSettings *s, const Field *f, const char *chosen, const char *stored,
               GError **error)
{
  if (f->offset == offsetof (KetteSettings, rate))
    {
      s->new_rate = TRUE;
      return TRUE;
    }
  if (f->kind != TEXT && f >= fields + N_STEP_FIELDS)
    return TRUE;
  return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                      "option %s is %s, the checkpoint has %s: its training step and "
                      "parameters are made, --resume-anyway cannot change that",
                      f->name, KETTE_QUOTE (chosen),
                      stored ? KETTE_QUOTE (stored) : "none");
}

/* What the checkpoint says, against what was chosen. */
static gboolean
merge (KetteSettings *s, const KetteModel *model, gboolean anyway, KetteRegion *region,
       GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS (fields); i++)
    {
      char key[64], own[G_ASCII_DTOSTR_BUF_SIZE];
      const char *stored, *chosen;
      gboolean is_chosen;

      g_snprintf (key, sizeof key, "kette.option.%s", fields[i].name);
      stored    = _kette_model_get_meta (model, key);
      is_chosen = field_to_text (s, &fields[i], own, sizeof own, &chosen);
      if (anyway && is_chosen && (!stored || strcmp (chosen, stored) != 0))
        {
          if (!change_anyway (s, &fields[i], chosen, stored, error))
            return FALSE;
        }
      else if (!stored)
        {
          if (is_chosen)
            return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                                "option %s is %s, the checkpoint was made without it",
                                fields[i].name, KETTE_QUOTE (chosen));
        }
      else if (!is_chosen)
        {
          if (!field_from_text (s, &fields[i], stored, region, error))
            return FALSE;
        }
      else if (strcmp (chosen, stored) != 0)
        return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                            "option %s is %s, the checkpoint has %s", fields[i].name,
                            KETTE_QUOTE (chosen), KETTE_QUOTE (stored));
    }
  return anyway || check_hash (s, model, error);
}

/* A step that came with the model: what it was made with, as far as the model says so. */
static gboolean
inherit (KetteSettings *s, const KetteModel *model, KetteRegion *region, GError **error)
{
  for (size_t i = 0; i < N_STEP_FIELDS; i++)
    {
      char key[64];
      const char *stored;

      g_snprintf (key, sizeof key, "kette.option.%s", fields[i].name);
      stored = _kette_model_get_meta (model, key);
      if (stored && !field_from_text (s, &fields[i], stored, region, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
check (KetteSettings *s, GError **error)
{
  if (!isfinite (s->rate) || s->rate < 0)
    return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                        "option rate is %g, must be above 0", s->rate);
  if (!(s->beta < 1) || !(s->beta2 < 1))
    return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                        "option beta is %g, must be below 1",
                        s->beta < 1 ? s->beta2 : s->beta);
  if (!isfinite (s->epsilon))
    return _kette_fail (error, KETTE_ERROR_VALUE, NULL, "option epsilon is %g",
                        s->epsilon);
  if (!(s->split >= 0 && s->split < 1))
    return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                        "option split is %g, must be in 0..1", s->split);
  if (!isfinite (s->scale) || !isfinite (s->mean) || !isfinite (s->std))
    return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                        "scale, mean and std must be finite");
  return _kette_loss_scale_parse (s->loss_scale, &s->scaling, error)
         && _kette_init_check (s->init, error);
}

static gboolean
look_up (KetteSettings *s, gboolean builds, GError **error)
{
  char *names;

  if (builds && !s->optimizer_name)
    s->optimizer_name = "sgd";
  s->loss      = s->loss_name ? _kette_loss_find (s->loss_name) : NULL;
  s->optimizer = s->optimizer_name ? _kette_optimizer_find (s->optimizer_name) : NULL;
  if (s->optimizer_name && !s->optimizer)
    {
      names = _kette_optimizer_names ();
      _kette_fail (error, KETTE_ERROR_VALUE, NULL, "there is no optimizer %s, only %s",
                   KETTE_QUOTE (s->optimizer_name), names);
      g_free (names);
      return FALSE;
    }
  if (s->optimizer && s->rate == 0)
    s->rate = s->optimizer->rate;
  return TRUE;
}

static gboolean
copy_precision (KetteSettings *out, const KetteTrainOptions *options,
                const KetteModel *before, GError **error)
{
  const char *precision = options->precision;

  if (!precision && before)
    precision = _kette_model_get_meta (before, "kette.precision");
  return _kette_precision_from_name (precision, &out->precision, error);
}

gboolean
_kette_settings_fill (KetteSettings *out, const KetteTrainOptions *options,
                      KetteGraph *graph, gboolean resume, KetteRegion *region,
                      GError **error)
{
  const gboolean has_step = graph->model->n_training > 0;

  *out = (KetteSettings){ .rate      = options->rate,
                          .beta      = options->beta,
                          .beta2     = options->beta2,
                          .epsilon   = options->epsilon,
                          .split     = options->split,
                          .scale     = options->scale,
                          .mean      = options->mean,
                          .std       = options->std,
                          .seed      = options->seed,
                          .batch     = options->batch,
                          .one_hot   = options->one_hot,
                          .shuffle   = !options->no_shuffle,
                          .drop_last = options->drop_last,
                          .no_fusion = options->no_fusion };
  out->loss_name
      = options->loss ? _kette_region_strdup (region, options->loss, error) : NULL;
  if (options->loss && !out->loss_name)
    return FALSE;
  out->loss_scale = options->loss_scale
                        ? _kette_region_strdup (region, options->loss_scale, error)
                        : NULL;
  if (options->loss_scale && !out->loss_scale)
    return FALSE;
  out->optimizer_name = options->optimizer
                            ? _kette_region_strdup (region, options->optimizer, error)
                            : NULL;
  if (options->optimizer && !out->optimizer_name)
    return FALSE;
  if (!copy_precision (out, options, resume ? graph->model : NULL, error)
      || !_kette_settings_places (out, options, resume ? graph->model : NULL, region,
                                  error)
      || !(out->freeze = join (options->freeze, region, error))
      || !(out->only = join (options->only, region, error))
      || !(out->init = join (options->init, region, error)))
    return FALSE;
  if (resume && !merge (out, graph->model, options->resume_anyway, region, error))
    return FALSE;
  if (!resume && !out->loss_name && !has_step)
    out->loss_name = "half-sse";
  if (!resume && !out->loss_name)
    {
      if (out->optimizer_name || out->rate != 0 || out->loss_scale || *out->freeze
          || *out->only)
        return _kette_fail (
            error, KETTE_ERROR_VALUE, NULL,
            "the model has a training step with its own optimizer, rate and "
            "parameters; a loss must be chosen to replace it");
      if (!inherit (out, graph->model, region, error))
        return FALSE;
    }
  if (out->batch == 0)
    out->batch = 32;
  if (out->seed == KETTE_SEED_DEFAULT)
    out->seed = 0;
  return look_up (out, out->loss_name != NULL, error) && check (out, error);
}

gboolean
_kette_settings_save (const KetteSettings *self, KetteModel *model, GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS (fields); i++)
    {
      char key[64], own[G_ASCII_DTOSTR_BUF_SIZE];
      const char *text;
      const gboolean chosen = field_to_text (self, &fields[i], own, sizeof own, &text);

      g_snprintf (key, sizeof key, "kette.option.%s", fields[i].name);
      if (!_kette_model_set_meta (model, key, chosen ? text : NULL, error))
        return FALSE;
    }
  return _kette_model_set_meta (
      model, "kette.precision",
      self->precision ? _kette_precision_name (self->precision) : NULL, error);
}

void
_kette_settings_hash (const KetteSettings *self, char out[65])
{
  GChecksum *sum = g_checksum_new (G_CHECKSUM_SHA256);

  for (size_t i = 0; i < G_N_ELEMENTS (fields); i++)
    {
      char own[G_ASCII_DTOSTR_BUF_SIZE];
      const char *text;

      if (!field_to_text (self, &fields[i], own, sizeof own, &text))
        continue;
      g_checksum_update (sum, (const guchar *) fields[i].name, -1);
      g_checksum_update (sum, (const guchar *) "=", 1);
      g_checksum_update (sum, (const guchar *) text, (gssize) strlen (text) + 1);
    }
  g_strlcpy (out, g_checksum_get_string (sum), 65);
  g_checksum_free (sum);
}

double
_kette_settings_coefficient (const KetteSettings *self, KetteCoefficient from,
                             double value)
{
  const double given[] = { [KETTE_FIXED]   = -1,
                           [KETTE_BETA]    = self->beta,
                           [KETTE_BETA2]   = self->beta2,
                           [KETTE_EPSILON] = self->epsilon };

  return given[from] >= 0 ? given[from] : value;
}

gboolean
_kette_glob_list_match (const char *list, const char *name)
{
  char pattern[512];

  while (*list)
    {
      const size_t n = strcspn (list, ",");

      if (n > 0 && n < sizeof pattern)
        {
          memcpy (pattern, list, n);
          pattern[n] = '\0';
          if (fnmatch (pattern, name, 0) == 0)
            return TRUE;
        }
      list += n + (list[n] == ',');
    }
  return FALSE;
}

gboolean
_kette_settings_trains (const KetteSettings *self, const char *name)
{
  return !_kette_glob_list_match (self->freeze, name)
         && (!*self->only || _kette_glob_list_match (self->only, name));
}
