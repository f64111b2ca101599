/* SPDX-License-Identifier: Apache-2.0
 * Loss scaling as nodes of the training step. Scales are powers of two by default, so that
 * multiplying and dividing by them changes no bit of what neither overflows nor vanishes.
 */
#include "exec/places.h"
#include "train/train-private.h"
#include <float.h>
#include <math.h>
#include <string.h>

static const char scale_name[]   = "kette.loss_scale",
                  good_name[]    = "kette.loss_scale.good",
                  skipped_name[] = "kette.loss_scale.skipped";

/* What is customary: 2^15 at first, twice as much after 2,000 steps; no more than 2^24, where
 * doubling brings nothing but steps that are left out. */
enum
{
  START  = 32768,
  GROWTH = 2000,
  MOST   = 16777216
};

/* A number up to END; FALSE: there is none. */
static gboolean
number (const char **text, char end, double *out)
{
  char *stop;

  *out = g_ascii_strtod (*text, &stop);
  if (stop == *text || (*stop && *stop != end) || !isfinite (*out))
    return FALSE;
  *text = *stop ? stop + 1 : stop;
  return TRUE;
}

gboolean
_kette_loss_scale_parse (const char *text, KetteLossScale *out, GError **error)
{
  const gboolean dynamic = text && g_str_has_prefix (text, "dynamic");
  const char *at         = text;
  double growth          = GROWTH;
  gboolean ok            = TRUE;

  *out = (KetteLossScale){ 0 };
  if (!text || !*text)
    return TRUE;
  if (!dynamic)
    ok = number (&at, '\0', &out->start);
  else
    {
      at += strlen ("dynamic");
      out->start = START;
      if (*at == ':')
        ok = (at++, number (&at, ':', &out->start))
             && (!*at || number (&at, '\0', &growth));
      ok = ok && !*at && growth >= 1 && growth <= 1e9 && growth == floor (growth)
           && out->start >= 1;
      out->growth = ok ? (uint32_t) growth : 0;
    }
  if (ok && out->start >= (double) FLT_MIN && out->start <= (double) FLT_MAX)
    return TRUE;
  return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                      "option loss-scale is %s: it must be a number, or "
                      "dynamic[:START[:STEPS]] with START >= 1",
                      KETTE_QUOTE (text));
}

static KetteValue *
emit (KetteScaler *self, const char *op, KetteValue *a, KetteValue *b, KetteValue *c)
{
  KetteValue *const in[] = { a, b, c };

  return _kette_emit (self->e, "", op, self->e->opset, in,
                      c   ? 3
                      : b ? 2
                          : 1,
                      NULL, 0, NULL);
}

static KetteValue *
cast (KetteScaler *self, KetteValue *a, int dtype)
{
  const kt_attr to = { .name = "to", .kind = KT_A_INT, .i = dtype };

  return _kette_emit (self->e, "", "Cast", self->e->opset, &a, 1, &to, 1, NULL);
}

/* A constant of the step. */
static KetteValue *
constant (KetteScaler *self, const char *what, int dtype, double v)
{
  char name[64];

  g_snprintf (name, sizeof name, "%s.%s", scale_name, what);
  return _kette_emit_scalar (self->e, name, dtype, v);
}

/* The scale as DTYPE, float32 or float64. */
static KetteValue *
scale_as (KetteScaler *self, int dtype)
{
  const gboolean wide = dtype == KT_F64;

  if (!self->typed[wide])
    self->typed[wide] = wide ? cast (self, self->scale, KT_F64) : self->scale;
  return self->typed[wide];
}

KetteValue *
_kette_scaler_begin (KetteScaler *self, KetteEmitter *e, const KetteLossScale *how,
                     KetteValue *loss, int dtype)
{
  *self = (KetteScaler){ .e = e, .how = *how };
  if (how->start == 0)
    return loss;
  e->scope = "loss-scale";
  if (e->opset < 9)
    {
      _kette_fail (e->error, KETTE_ERROR_UNSUPPORTED, NULL,
                   "loss scaling needs opset 9, the model has %d", e->opset);
      return _kette_emit_fail (e);
    }
  self->scale   = _kette_emit_scalar (e, scale_name, KT_F32, how->start);
  self->skipped = _kette_emit_scalar (e, skipped_name, KT_I64, 0);
  if (how->growth)
    self->good = _kette_emit_scalar (e, good_name, KT_I64, 0);
  return emit (self, "Mul", loss, scale_as (self, dtype), NULL);
}

/* Is the largest number of GRADS that are of DTYPE finite? NULL: none is of that type. NaN is
 * larger than all and less than nothing. */
static KetteValue *
all_finite (KetteScaler *self, KetteValue *const *grads, size_t n, int dtype)
{
  const kt_attr keep = { .name = "keepdims", .kind = KT_A_INT, .i = 0 };
  KetteValue *most   = NULL;

  for (size_t i = 0; i < n; i++)
    {
      if (grads[i]->type.dtype != dtype)
        continue;
      KetteValue *a = emit (self, "Abs", grads[i], NULL, NULL);
      KetteValue *max
          = _kette_emit (self->e, "", "ReduceMax", self->e->opset, &a, 1, &keep, 1, NULL);
      most = most ? emit (self, "Max", most, max, NULL) : max;
    }
  return most ? emit (self, "Less", most,
                      constant (self, dtype == KT_F64 ? "infinity64" : "infinity", dtype,
                                INFINITY),
                      NULL)
              : NULL;
}

gboolean
_kette_scaler_look (KetteScaler *self, KetteValue *const *grads, size_t n)
{
  if (!self->scale)
    return TRUE;
  self->e->scope = "loss-scale";

  KetteValue *narrow = all_finite (self, grads, n, KT_F32),
             *wide   = all_finite (self, grads, n, KT_F64);
  self->ok           = narrow && wide ? emit (self, "And", narrow, wide, NULL)
                       : narrow       ? narrow
                                      : wide;
  if (!self->ok && !self->e->failed)
    {
      _kette_fail (self->e->error, KETTE_ERROR_TYPE, NULL,
                   "loss scaling needs parameters of float32 or float64");
      _kette_emit_fail (self->e);
    }
  return !self->e->failed;
}

KetteValue *
_kette_scaler_divide (KetteScaler *self, KetteValue *grad)
{
  if (!self->scale)
    return grad;
  self->e->scope = "loss-scale";
  return emit (self, "Div", grad, scale_as (self, grad->type.dtype), NULL);
}

KetteValue *
_kette_scaler_choose (KetteScaler *self, KetteValue *next, KetteValue *old,
                      const char *name)
{
  KetteValue *const in[] = { self->ok, next, old };

  if (!self->scale)
    return next;
  self->e->scope = "loss-scale";
  return _kette_emit (self->e, "", "Where", self->e->opset, in, 3, NULL, 0, name);
}

/* Halved where the step is left out, doubled behind enough others. */
static size_t
add_dynamics (KetteScaler *self, KetteBinding *out)
{
  KetteValue *const one  = constant (self, "one", KT_I64, 1);
  KetteValue *const more = emit (self, "Add", self->good, one, NULL);
  KetteValue *const full
      = emit (self, "Less", constant (self, "growth", KT_I64, self->how.growth - 1.0),
              more, NULL);
  KetteValue *const goes_on
      = emit (self, "And", self->ok, emit (self, "Not", full, NULL, NULL), NULL);
  KetteValue *const twice
      = emit (self, "Mul", self->scale, constant (self, "two", KT_F32, 2), NULL);
  KetteValue *const up = emit (
      self, "Max", self->scale,
      emit (self, "Min", twice, constant (self, "most", KT_F32, MOST), NULL), NULL);
  KetteValue *const half
      = emit (self, "Mul", self->scale, constant (self, "half", KT_F32, 0.5), NULL);
  KetteValue *const down
      = emit (self, "Max", half, constant (self, "least", KT_F32, 1), NULL);

  out[0] = (KetteBinding){ self->scale,
                           emit (self, "Where", self->ok,
                                 emit (self, "Where", full, up, self->scale), down) };
  out[1] = (KetteBinding){ self->good, emit (self, "Where", goes_on, more,
                                             constant (self, "zero", KT_I64, 0)) };
  return 2;
}

size_t
_kette_scaler_end (KetteScaler *self, KetteBinding *out)
{
  size_t n = 0;

  if (!self->scale)
    return 0;
  self->e->scope = "loss-scale";
  if (self->how.growth)
    n = add_dynamics (self, out);

  KetteValue *const bad = cast (self, emit (self, "Not", self->ok, NULL, NULL), KT_I64);
  out[n] = (KetteBinding){ self->skipped, emit (self, "Add", self->skipped, bad, NULL) };
  return n + 1;
}

static KetteTensor *
state (const KetteGraph *algorithm, const char *name, int dtype)
{
  const KetteValue *v = _kette_graph_find (algorithm, name);

  return v && v->data && v->data->rank == 0 && v->data->dtype == dtype ? v->data : NULL;
}

gboolean
_kette_loss_scale_read (const KetteGraph *algorithm, double *scale, uint64_t *skipped,
                        GError **error)
{
  KetteTensor *s = state (algorithm, scale_name, KT_F32),
              *n = state (algorithm, skipped_name, KT_I64);

  *scale   = 0;
  *skipped = 0;
  if (!s || !n)
    return TRUE;
  if (!_kette_tensor_update (s, error) || !_kette_tensor_update (n, error))
    return FALSE;
  *scale   = _kette_tensor_get_double (s, 0);
  *skipped = (uint64_t) MAX (_kette_tensor_get_int (n, 0), 0);
  return TRUE;
}

/* -- the trainer's view ---------------------------------------------------------------------- */

static gboolean
read_scale (KetteTrainer *self, double *scale, uint64_t *skipped, GError **error)
{
  const KetteModel *model = self->graph->model;

  *scale   = 0;
  *skipped = 0;
  for (size_t i = 0; i < model->n_training && *scale == 0; i++)
    if (model->training[i]->algorithm
        && !_kette_loss_scale_read (model->training[i]->algorithm, scale, skipped, error))
      return FALSE;
  return TRUE;
}

gboolean
kette_trainer_get_loss_scale (KetteTrainer *self, double *scale, guint64 *skipped,
                              GError **error)
{
  double s;
  uint64_t n;

  if (!read_scale (self, &s, &n, error))
    {
      _kette_error_in_file (error, self->graph->model->file);
      return FALSE;
    }
  if (scale)
    *scale = s;
  if (skipped)
    *skipped = n;
  return TRUE;
}

/* A scale that goes down step by step may still come to something. */
gboolean
_kette_trainer_look_at_scale (KetteTrainer *self, gboolean begin, GError **error)
{
  const uint64_t steps = self->step - self->epoch_step;
  double scale;
  uint64_t skipped;
  char where[64];

  if (!read_scale (self, &scale, &skipped, error))
    return FALSE;
  const gboolean none = !begin && !self->epoch_cut && scale > 0 && steps > 0
                        && skipped - self->epoch_overflows == steps;
  self->epoch_cut       = begin && self->position > 0;
  self->epoch_step      = self->step;
  self->epoch_overflows = skipped;
  if (!none || (self->settings.scaling.growth && scale > 1))
    return TRUE;
  g_snprintf (where, sizeof where, "epoch %" G_GUINT64_FORMAT, self->epoch);
  return _kette_fail (error, KETTE_ERROR_VALUE, where,
                      "no step had finite gradients at loss scale %g", scale);
}
