/* SPDX-License-Identifier: Apache-2.0
 * Loss scaling: the gradients are those of SCALE times the loss, so that small ones do not vanish
 * where factors are rounded; updates divide by SCALE. A step whose gradients are not all finite
 * changes nothing. All of it is nodes and states of the training step, so that a step stays one
 * recording and a checkpoint has it all.
 */
#pragma once
#include "train/loss.h"

/* "64": fixed; "dynamic", "dynamic:START", "dynamic:START:STEPS": SCALE is halved by a step that
 * is left out and doubled by STEPS others in a row. */
typedef struct
{
  double start;    /* 0: there is no scaling */
  uint32_t growth; /* steps; 0: fixed */
} KetteLossScale;

enum
{
  KETTE_MOST_SCALER_STATES = 3
};

/* TEXT NULL or "": none; "1" is a scale, whose steps are looked at. */
gboolean _kette_loss_scale_parse (const char *text, KetteLossScale *out, GError **error);

/* Emits what belongs to scaling into a step. Without scaling values are handed through. */
typedef struct
{
  KetteEmitter *e;
  KetteLossScale how;
  KetteValue *scale, *good,
      *skipped;         /* states: the scale, finite steps in a row, others */
  KetteValue *typed[2]; /* the scale as float32 and float64 */
  KetteValue *ok;       /* are all gradients finite? */
} KetteScaler;

/* SCALE times LOSS, which is of DTYPE. */
KetteValue *_kette_scaler_begin (KetteScaler *self, KetteEmitter *e,
                                 const KetteLossScale *how, KetteValue *loss, int dtype);
/* GRADS, whose types are known, are all there are. */
gboolean _kette_scaler_look (KetteScaler *self, KetteValue *const *grads, size_t n);
KetteValue *_kette_scaler_divide (KetteScaler *self, KetteValue *grad);
/* NEXT where the step is taken, else OLD: as NAME. */
KetteValue *_kette_scaler_choose (KetteScaler *self, KetteValue *next, KetteValue *old,
                                  const char *name);
/* The new contents of its own states; how many. */
size_t _kette_scaler_end (KetteScaler *self, KetteBinding *out);

/* The states of scaling in the step ALGORITHM: of those that there are not, 0. */
gboolean _kette_loss_scale_read (const KetteGraph *algorithm, double *scale,
                                 uint64_t *skipped, GError **error);
