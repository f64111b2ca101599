/* SPDX-License-Identifier: Apache-2.0
 * Inputs: recipes in the metadata, layout and element type.
 */
#include "train/input-private.h"
#include <math.h>
#include <string.h>

static gboolean
entry_key (const char *input, char *out, size_t size, GError **error)
{
  if (g_snprintf (out, (gulong) size, "kette.input.%s", input) >= (int) size)
    return _kette_fail (error, KETTE_ERROR_LIMIT, NULL,
                        "the name of input %s is too long", KETTE_QUOTE (input));
  return TRUE;
}

/* One "KEY=NUMBER" of the text; *text moves behind it. */
static gboolean
read_field (const char **text, const char *key, double *out)
{
  const size_t n = strlen (key);
  char *end;

  while (**text == ' ')
    (*text)++;
  if (strncmp (*text, key, n) != 0 || (*text)[n] != '=')
    return FALSE;
  *out = g_ascii_strtod (*text + n + 1, &end);
  if (end == *text + n + 1 || !isfinite (*out))
    return FALSE;
  *text = end;
  return TRUE;
}

gboolean
kette_graph_get_input_recipe (KetteGraph *self, const char *input,
                              KetteInputRecipe *recipe, gboolean *present, GError **error)
{
  char key[1024];
  const char *text;

  *recipe  = (KetteInputRecipe){ 1, 0, 1 };
  *present = FALSE;
  if (!entry_key (input, key, sizeof key, error))
    return FALSE;
  text = _kette_model_get_meta (self->model, key);
  if (!text)
    return TRUE;

  const char *p = text;

  if (!g_str_has_prefix (p, "uint8 "))
    return _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                        "metadata %s is %s, must begin with uint8", KETTE_QUOTE (key),
                        KETTE_QUOTE (text));
  p += strlen ("uint8 ");
  if (!read_field (&p, "scale", &recipe->scale) || !read_field (&p, "mean", &recipe->mean)
      || !read_field (&p, "std", &recipe->std) || *p || recipe->std == 0)
    return _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                        "metadata %s is %s, must be uint8 scale=S mean=M std=D",
                        KETTE_QUOTE (key), KETTE_QUOTE (text));
  *present = TRUE;
  return TRUE;
}

gboolean
kette_graph_set_input_recipe (KetteGraph *self, const char *input,
                              const KetteInputRecipe *recipe, GError **error)
{
  char key[1024], scale[G_ASCII_DTOSTR_BUF_SIZE], mean[G_ASCII_DTOSTR_BUF_SIZE],
      std[G_ASCII_DTOSTR_BUF_SIZE], text[4 * G_ASCII_DTOSTR_BUF_SIZE];

  if (!entry_key (input, key, sizeof key, error))
    return FALSE;
  if (!recipe)
    return _kette_model_set_meta (self->model, key, NULL, error);
  if (!isfinite (recipe->scale) || !isfinite (recipe->mean) || !isfinite (recipe->std)
      || recipe->std == 0)
    return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                        "input %s: scale, mean and std must be finite, std not 0",
                        KETTE_QUOTE (input));
  g_snprintf (text, sizeof text, "uint8 scale=%s mean=%s std=%s",
              g_ascii_dtostr (scale, sizeof scale, recipe->scale),
              g_ascii_dtostr (mean, sizeof mean, recipe->mean),
              g_ascii_dtostr (std, sizeof std, recipe->std));
  return _kette_model_set_meta (self->model, key, text, error);
}

void
_kette_scale_bytes_f32 (const uint8_t *in, size_t n, const KetteInputRecipe *recipe,
                        float *out)
{
  const float a = (float) (recipe->scale / recipe->std),
              b = (float) (0 - recipe->mean / recipe->std);

  for (size_t i = 0; i < n; i++)
    out[i] = (float) in[i] * a + b;
}

void
_kette_scale_bytes_f64 (const uint8_t *in, size_t n, const KetteInputRecipe *recipe,
                        double *out)
{
  const double a = recipe->scale / recipe->std, b = 0 - recipe->mean / recipe->std;

  for (size_t i = 0; i < n; i++)
    out[i] = in[i] * a + b;
}

static gboolean
is_integer (int dtype)
{
  const KetteDtype *row = _kette_dtype (dtype);
  return row && row->is_integer;
}

KetteTensor *
_kette_tensor_convert (KetteTensor *data, int dtype, GError **error)
{
  const KetteDtype *from = _kette_dtype (data->dtype), *to = _kette_dtype (dtype);
  KetteTensor *out;

  if (data->dtype == dtype)
    return kette_tensor_ref (data);
  if (!from || !to || !(from->is_float || from->is_integer || data->dtype == KT_BOOL)
      || !(to->is_float || to->is_integer))
    return _kette_fail (error, KETTE_ERROR_TYPE, NULL, "%s cannot become %s",
                        from ? from->name : "?", to ? to->name : "?"),
           NULL;
  out = _kette_tensor_new_raw (dtype, data->dims, data->rank, error);
  if (!out)
    return NULL;
  if (dtype == KT_I64 && (is_integer (data->dtype) || data->dtype == KT_BOOL))
    for (size_t i = 0; i < data->count; i++)
      ((int64_t *) out->data)[i] = _kette_tensor_get_int (data, i);
  else
    for (size_t i = 0; i < data->count; i++)
      _kette_tensor_set_double (out, i, _kette_tensor_get_double (data, i));
  return out;
}

/* Do the dims of TYPE from AXIS on fit those of DATA from OTHER on? */
static gboolean
dims_fit (const kt_type *type, int axis, const KetteTensor *data, int other)
{
  if (type->ndim - axis != data->rank - other)
    return FALSE;
  for (int i = 0; axis + i < type->ndim; i++)
    if (type->dims[axis + i] >= 0 && type->dims[axis + i] != data->dims[other + i])
      return FALSE;
  return TRUE;
}

/* Elements of one sample of TYPE; FALSE: not known. */
static gboolean
sample_elements (const kt_type *type, size_t *out)
{
  for (int i = 1; i < type->ndim; i++)
    if (type->dims[i] < 0)
      return FALSE;
  return _kette_count (type->dims + 1, type->ndim - 1, out);
}

gboolean
_kette_input_fit (const kt_type *type, const char *name, const KetteTensor *data,
                  gboolean one, int64_t *dims, int *rank, GError **error)
{
  size_t sample = 0, n = data->rank > 0 ? (size_t) data->dims[0] : 0;
  char want[256], have[256];
  const kt_type given = {
    .kind = KT_TENSOR, .dtype = data->dtype, .ndim = data->rank, .dims = data->dims
  };

  if (type->kind != KT_TENSOR || type->ndim < 0 || dims_fit (type, 0, data, 0))
    {
      *rank = data->rank;
      memcpy (dims, data->dims, sizeof *dims * (size_t) data->rank);
      return TRUE;
    }
  if (type->ndim > 0 && sample_elements (type, &sample))
    {
      gboolean fits = data->rank > 0 && sample > 0 && data->count % sample == 0
                      && data->count / sample == n;

      if (!fits && one && data->count == sample)
        {
          fits = TRUE;
          n    = 1;
        }
      if (fits && (type->dims[0] < 0 || (size_t) type->dims[0] == n))
        {
          *rank = type->ndim;
          memcpy (dims, type->dims, sizeof *dims * (size_t) type->ndim);
          dims[0] = (int64_t) n;
          return TRUE;
        }
    }
  return _kette_fail (error, KETTE_ERROR_SHAPE, NULL,
                      "input %s: the data are %s, the model needs %s", KETTE_QUOTE (name),
                      _kette_type_text (have, sizeof have, &given, NULL),
                      _kette_type_text (want, sizeof want, type, NULL));
}

static KetteValue *
find_input (KetteGraph *graph, const char *name)
{
  for (size_t i = 0; i < graph->n_inputs; i++)
    if (strcmp (graph->inputs[i]->name, name) == 0)
      return graph->inputs[i];
  return NULL;
}

/* Bytes for a float input, by the model's recipe. */
static KetteTensor *
apply_recipe (KetteGraph *graph, const KetteValue *input, KetteTensor *x, GError **error)
{
  KetteInputRecipe recipe;
  KetteTensor *out, *wide;
  gboolean present;

  if (!kette_graph_get_input_recipe (graph, input->name, &recipe, &present, error))
    return NULL;
  if (!present)
    return _kette_fail (
               error, KETTE_ERROR_TYPE, NULL,
               "input %s is %s, the data are uint8, and the model does not say how to "
               "scale them (metadata kette.input.%s)",
               KETTE_QUOTE (input->name), _kette_dtype (input->type.dtype)->name,
               input->name),
           NULL;
  if (input->type.dtype == KT_F64)
    {
      out = _kette_tensor_new_raw (KT_F64, x->dims, x->rank, error);
      if (out)
        _kette_scale_bytes_f64 (x->data, x->count, &recipe, out->data);
      return out;
    }
  wide = _kette_tensor_new_raw (KT_F32, x->dims, x->rank, error);
  if (!wide)
    return NULL;
  _kette_scale_bytes_f32 (x->data, x->count, &recipe, wide->data);
  out = _kette_tensor_convert (wide, input->type.dtype, error);
  kette_tensor_unref (wide);
  return out;
}

static void
release_tensor (gpointer owner)
{
  kette_tensor_unref (owner);
}

KetteTensor *
kette_input_prepare (KetteGraph *graph, const char *input, KetteTensor *x, GError **error)
{
  const KetteValue *value = find_input (graph, input);
  const KetteDtype *want;
  KetteTensor *typed, *out;
  int64_t dims[KETTE_MAX_RANK];
  int rank;

  if (!value)
    return _kette_fail (error, KETTE_ERROR_GRAPH, NULL, "there is no input %s",
                        KETTE_QUOTE (input)),
           NULL;
  want = _kette_dtype (value->type.dtype);
  if (value->type.kind != KT_TENSOR || !want || x->dtype == KT_STRING)
    return kette_tensor_ref (x);
  if (!_kette_input_fit (&value->type, input, x, TRUE, dims, &rank, error))
    return NULL;
  if (x->dtype == value->type.dtype)
    typed = kette_tensor_ref (x);
  else if (x->dtype == KT_U8 && want->is_float)
    typed = apply_recipe (graph, value, x, error);
  else
    typed = kette_tensor_ref (x); /* another type: the session says what is wrong */
  if (!typed)
    return NULL;
  if (rank == typed->rank
      && memcmp (dims, typed->dims, sizeof *dims * (size_t) rank) == 0)
    return typed;
  out = _kette_tensor_new_view (typed->dtype, dims, rank, typed->data, release_tensor,
                                typed, error);
  if (!out)
    kette_tensor_unref (typed);
  return out;
}
