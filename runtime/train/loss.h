/* SPDX-License-Identifier: Apache-2.0
 * Losses, and emitting the nodes of a training step.
 */
#pragma once
#include "graph/graph-private.h"

/* Emitting nodes --------------------------------------------------------------------------- */

/* Adds nodes to the algorithm of a training step. The first error sticks; then every call
 * returns NULL and changes nothing. */
typedef struct
{
  KetteGraph *main, *graph; /* graph: the algorithm */
  int32_t opset;            /* of domain "" */
  const char *scope;        /* prefix of the nodes' names: "loss" */
  GError **error;
  gboolean failed;
} KetteEmitter;

/* emitter.c: one output, named NAME where it is free (NULL: any name). */
KetteValue *_kette_emit (KetteEmitter *e, const char *domain, const char *op,
                         int32_t version, KetteValue *const *in, int32_t n_in,
                         const kt_attr *attrs, int32_t n_attrs, const char *name);
/* Nodes of domain "" in the opset of the model. */
KetteValue *_kette_emit1 (KetteEmitter *e, const char *op, KetteValue *a);
KetteValue *_kette_emit2 (KetteEmitter *e, const char *op, KetteValue *a, KetteValue *b);
/* Mean of all elements: a scalar. */
KetteValue *_kette_emit_mean (KetteEmitter *e, KetteValue *a, const char *name);
/* An initializer of the step: a scalar of element type DTYPE. */
KetteValue *_kette_emit_scalar (KetteEmitter *e, const char *name, int dtype, double v);
/* The value of the main graph as the step sees it. */
KetteValue *_kette_emit_capture (KetteEmitter *e, KetteValue *outer);
/* A name that neither the model's graph nor the step uses: BASE, BASE_2, ... */
const char *_kette_emit_name (KetteEmitter *e, const char *base);
/* Sets *e->error unless an error is there already; returns NULL. */
KetteValue *_kette_emit_fail (KetteEmitter *e);

/* Losses (loss.c) --------------------------------------------------------------------------- */

typedef struct
{
  const char *name;
  gboolean labels;   /* targets are int64 labels, else rows like the output's */
  gboolean logits;   /* wants outputs before softmax or sigmoid */
  int32_t min_opset; /* first one that has the operators */
  KetteValue *(*build) (KetteEmitter *e, KetteValue *y, KetteValue *t);
  const char *formula, *note;
} KetteLoss;
const KetteLoss *_kette_loss_find (const char *name); /* or NULL */
char *_kette_loss_names (void);                       /* "half-sse, mse, ..."; g_free */
