/* SPDX-License-Identifier: Apache-2.0
 * Initial weights: an initializer per parameter, chosen by patterns on names. The numbers
 * are a function of (seed, the parameter's name, element), so adding a layer does not change
 * the others'.
 */
#include "base/random.h"
#include "train/train-private.h"
#include <math.h>
#include <string.h>

typedef enum
{
  FIXED,
  FAN_IN,
  FAN_IN_TWICE,
  FAN_MEAN
} Variance; /* value, 1/in, 2/in, 2/(in + out) */

typedef struct
{
  const char *name;
  KetteInitShape shape;
  Variance variance;
  double value;    /* standard deviation, or half width of a uniform one, if FIXED */
  gboolean biases; /* biases too; otherwise they become zero */
} Initializer;

static const Initializer initializers[] = {
  { "zeros", KETTE_INIT_ZERO, FIXED, 0, TRUE },
  { "ones", KETTE_INIT_ONE, FIXED, 1, TRUE },
  { "uniform", KETTE_INIT_UNIFORM, FIXED, 0.05, FALSE },
  { "normal", KETTE_INIT_NORMAL, FIXED, 0.05, FALSE },
  { "truncated", KETTE_INIT_TRUNCATED, FIXED, 0.05, FALSE },
  { "identity", KETTE_INIT_IDENTITY, FIXED, 1, FALSE },
  { "glorot-uniform", KETTE_INIT_UNIFORM, FAN_MEAN, 0, FALSE },
  { "glorot-normal", KETTE_INIT_NORMAL, FAN_MEAN, 0, FALSE },
  { "he", KETTE_INIT_NORMAL, FAN_IN_TWICE, 0, FALSE },
  { "he-uniform", KETTE_INIT_UNIFORM, FAN_IN_TWICE, 0, FALSE },
  { "fan-in", KETTE_INIT_NORMAL, FAN_IN, 0, FALSE },
  { "lecun", KETTE_INIT_NORMAL, FAN_IN, 0, FALSE },
  { "n01", KETTE_INIT_NORMAL, FIXED, 1, TRUE },
};

/* What a parameter is to the node that reads it. */
typedef struct
{
  enum
  {
    WEIGHT,
    BIAS,
    SCALE,
    OTHER
  } role;
  double in, out; /* fans of a weight */
} Place;

double
_kette_random_normal (const uint32_t key[2], uint64_t step, uint64_t i)
{
  const uint64_t block      = i / 4;
  const uint32_t counter[4] = { (uint32_t) block, (uint32_t) (block >> 32),
                                (uint32_t) step, (uint32_t) (step >> 32) };
  const unsigned pair       = (unsigned) (i % 4) & 2;
  uint32_t word[4];
  double u, v;

  _kette_philox (key, counter, word);
  u = 1 - (word[pair] >> 8) * 0x1p-24; /* in (0, 1] */
  v = (word[pair + 1] >> 8) * 0x1p-24;
  u = sqrt (-2 * log (u));
  v *= 2 * G_PI;
  return u * (i % 2 ? sin (v) : cos (v));
}

/* Redrawn until within two standard deviations. */
static double
truncated_normal (const uint32_t key[2], uint64_t i)
{
  double z = 0;

  for (uint64_t attempt = 0; attempt < 64; attempt++)
    {
      z = _kette_random_normal (key, attempt, i);
      if (fabs (z) <= 2)
        return z;
    }
  return CLAMP (z, -2, 2);
}

static const Initializer *
find (const char *name, size_t n, double *value)
{
  for (size_t i = 0; i < G_N_ELEMENTS (initializers); i++)
    if (strlen (initializers[i].name) == n
        && strncmp (initializers[i].name, name, n) == 0)
      return &initializers[i];

  /* "constant:0.1", "normal:0.02", "uniform:0.1": with a value of one's own */
  const char *colon = memchr (name, ':', n);
  char number[64], *end;

  if (!colon || n - (size_t) (colon - name) > sizeof number)
    return NULL;
  memcpy (number, colon + 1, n - (size_t) (colon - name) - 1);
  number[n - (size_t) (colon - name) - 1] = '\0';
  *value                                  = g_ascii_strtod (number, &end);
  if (end == number || *end || !isfinite (*value))
    return NULL;
  static const Initializer constant = { "constant", KETTE_INIT_ONE, FIXED, 1, TRUE };
  if (strncmp (name, "constant:", strlen ("constant:")) == 0)
    return &constant;
  for (size_t i = 0; i < G_N_ELEMENTS (initializers); i++)
    if (initializers[i].variance == FIXED && initializers[i].shape >= KETTE_INIT_UNIFORM
        && strlen (initializers[i].name) == (size_t) (colon - name)
        && strncmp (initializers[i].name, name, (size_t) (colon - name)) == 0)
      return &initializers[i];
  return NULL;
}

/* The next "PATTERN=NAME" of the list; *list moves behind it. FALSE: the list ends. */
static gboolean
next_rule (const char **list, char *pattern, size_t size, const char **name, size_t *n)
{
  const char *p = *list, *equals;
  size_t length;

  if (!*p)
    return FALSE;
  length = strcspn (p, ",");
  equals = memchr (p, '=', length);
  *list  = p + length + (p[length] == ',');
  *name  = equals ? equals + 1 : p + length;
  *n     = length - (size_t) (*name - p);
  g_strlcpy (pattern, "", size);
  if (equals && (size_t) (equals - p) < size)
    {
      memcpy (pattern, p, (size_t) (equals - p));
      pattern[equals - p] = '\0';
    }
  return TRUE;
}

gboolean
_kette_init_check (const char *list, GError **error)
{
  char pattern[512];
  const char *name;
  double value;
  size_t n;

  while (next_rule (&list, pattern, sizeof pattern, &name, &n))
    if (!*pattern || !find (name, n, &value))
      {
        GString *names = g_string_new ("constant:X");
        KetteQuoted quoted;

        for (size_t i = 0; i < G_N_ELEMENTS (initializers); i++)
          g_string_append_printf (names, ", %s", initializers[i].name);
        if (!*pattern)
          _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                       "option init must be PATTERN=NAME, NAME one of %s", names->str);
        else
          _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                       "there is no initializer %s, only %s",
                       _kette_quote_n (&quoted, name, n), names->str);
        g_string_free (names, TRUE);
        return FALSE;
      }
  return TRUE;
}

/* Product of the dims from FROM on. */
static double
volume (const KetteTensor *t, int from)
{
  double n = 1;

  for (int i = from; i < t->rank; i++)
    n *= (double) t->dims[i];
  return n;
}

static int64_t
int_attr (const KetteNode *node, const char *name, int64_t fallback)
{
  const kt_attr *attr = _kette_node_attr (node, name);
  return attr && attr->kind == KT_A_INT ? attr->i : fallback;
}

/* A matrix whose rows (or columns, if TURNED) count inputs. */
static Place
matrix_place (const KetteTensor *t, gboolean turned)
{
  const double rows    = (double) t->dims[t->rank - 2],
               columns = (double) t->dims[t->rank - 1];
  return (Place){ WEIGHT, turned ? columns : rows, turned ? rows : columns };
}

static Place
place_at (const KetteNode *node, int32_t slot, const KetteTensor *t, gboolean turned)
{
  const char *op = node->op;

  if (strcmp (op, "MatMul") == 0 && t->rank >= 2)
    return matrix_place (t, (slot == 0) != turned);
  if (strcmp (op, "Gemm") == 0 && slot < 2 && t->rank == 2)
    return matrix_place (
        t,
        ((slot == 0) != (int_attr (node, slot ? "transB" : "transA", 0) != 0)) != turned);
  if (strcmp (op, "Conv") == 0 && slot == 1 && t->rank >= 3)
    return (Place){ WEIGHT, (double) t->dims[1] * volume (t, 2),
                    (double) t->dims[0] / (double) MAX (int_attr (node, "group", 1), 1)
                        * volume (t, 2) };
  if (strcmp (op, "ConvTranspose") == 0 && slot == 1 && t->rank >= 3)
    return (Place){ WEIGHT,
                    (double) t->dims[0] / (double) MAX (int_attr (node, "group", 1), 1)
                        * volume (t, 2),
                    (double) t->dims[1] * volume (t, 2) };
  if (strcmp (op, "Gather") == 0 && slot == 0 && t->rank >= 2)
    return (Place){ WEIGHT, volume (t, 1), volume (t, 1) };
  if (strstr (op, "Normalization") && slot == 1)
    return (Place){ SCALE, 0, 0 };
  if (strcmp (op, "PRelu") == 0)
    return (Place){ OTHER, 0, 0 };
  if (t->rank <= 1 || strcmp (op, "Add") == 0)
    return (Place){ BIAS, 0, 0 };
  return t->rank >= 2 ? matrix_place (t, turned) : (Place){ OTHER, 0, 0 };
}

/* Its place at the first node that reads it, looked at through Transpose and Identity. */
static Place
place_of (const KetteUses *uses, const KetteValue *param)
{
  const KetteValue *value = param;
  gboolean turned         = FALSE;

  for (int hop = 0; hop < 4; hop++)
    {
      const KetteNode *node = uses->start[value->index] < uses->start[value->index + 1]
                                  ? uses->nodes[uses->start[value->index]]
                                  : NULL;
      if (!node)
        break;
      if ((strcmp (node->op, "Transpose") == 0 || strcmp (node->op, "Identity") == 0)
          && !*node->domain && node->n_out == 1 && node->out[0])
        {
          turned ^= strcmp (node->op, "Transpose") == 0;
          value = node->out[0];
          continue;
        }
      for (int32_t slot = 0; slot < node->n_in; slot++)
        if (node->in[slot] == value)
          return place_at (node, slot, param->data, turned);
      break;
    }
  if (param->data->rank <= 1)
    return (Place){ BIAS, 0, 0 };
  return matrix_place (param->data, FALSE);
}

/* Standard deviation (or half width of a uniform one). */
static double
spread (const Initializer *init, const Place *place, double value)
{
  const double in = MAX (place->in, 1), mean = MAX ((place->in + place->out) / 2, 1);
  double variance;

  switch (init->variance)
    {
    case FIXED:
      return value;
    case FAN_IN:
      variance = 1 / in;
      break;
    case FAN_IN_TWICE:
      variance = 2 / in;
      break;
    default:
      variance = 1 / mean;
    }
  return sqrt (init->shape == KETTE_INIT_UNIFORM ? 3 * variance : variance);
}

static void
fill (KetteTensor *out, const KetteInit *init, const uint32_t key[2])
{
  const double size     = init->size;
  const int64_t columns = out->rank > 0 ? out->dims[out->rank - 1] : 1;

  for (size_t i = 0; i < out->count; i++)
    {
      double v = 0;

      switch (init->shape)
        {
        case KETTE_INIT_NONE:
        case KETTE_INIT_ZERO:
          break;
        case KETTE_INIT_ONE:
          v = size;
          break;
        case KETTE_INIT_UNIFORM:
          v = size * (2 * (double) _kette_random_uniform (key, 0, i) - 1);
          break;
        case KETTE_INIT_NORMAL:
          v = size * _kette_random_normal (key, 0, i);
          break;
        case KETTE_INIT_TRUNCATED:
          v = size * truncated_normal (key, i);
          break;
        case KETTE_INIT_IDENTITY:
          v = (int64_t) i / columns == (int64_t) i % columns ? size : 0;
          break;
        }
      _kette_tensor_set_double (out, i, v);
    }
}

/* What PARAM begins with, by the last rule that matches; FALSE: it stays as it is. */
static gboolean
choose (const KetteSettings *settings, const KetteUses *uses, const KetteValue *param,
        KetteInit *out)
{
  static const Initializer zeros = { "zeros", KETTE_INIT_ZERO, FIXED, 0, TRUE },
                           ones  = { "ones", KETTE_INIT_ONE, FIXED, 1, TRUE };
  const Place place              = place_of (uses, param);
  const char *list               = settings->init, *name;
  const Initializer *init        = NULL;
  double value                   = 0;
  char pattern[512];
  size_t n;

  while (next_rule (&list, pattern, sizeof pattern, &name, &n))
    if (_kette_glob_list_match (pattern, param->name))
      {
        double own = NAN;
        init       = find (name, n, &own);
        value      = isnan (own) && init ? init->value : own;
      }
  if (!init)
    return FALSE;
  if (place.role != WEIGHT && !init->biases)
    {
      if (place.role == OTHER)
        return FALSE;
      init  = place.role == BIAS ? &zeros : &ones;
      value = init->value;
    }
  *out = (KetteInit){ init->shape, spread (init, &place, value) };
  return TRUE;
}

static gboolean
initialize (KetteValue *param, const KetteInit *init, uint64_t seed, GError **error)
{
  KetteTensor *fresh = _kette_tensor_new_raw (param->data->dtype, param->data->dims,
                                              param->data->rank, error);
  uint32_t key[2];

  if (!fresh)
    return FALSE;
  _kette_random_key (seed, param->name, key);
  fill (fresh, init, key);
  _kette_value_set_data (param, fresh);
  kette_tensor_unref (fresh);
  return TRUE;
}

gboolean
_kette_init_parameters (KetteGraph *graph, const KetteSettings *settings,
                        KetteValue *const *params, size_t n_params, KetteInit *used,
                        GError **error)
{
  KetteUses *uses;
  gboolean ok = TRUE;

  if (!*settings->init)
    return TRUE;
  uses = _kette_uses_new (graph, error);
  if (!uses)
    return FALSE;
  for (size_t i = 0; ok && i < n_params; i++)
    if (choose (settings, uses, params[i], &used[i]))
      ok = initialize (params[i], &used[i], settings->seed, error);
  _kette_uses_free (uses);
  return ok;
}
