/* SPDX-License-Identifier: Apache-2.0
 * Refusing every allocation of a call, once and from it on for ever: the result is the error
 * `memory`, or the same as ever; nothing is kept, and the same call does its work afterwards.
 */
#pragma once
#include "base/faults.h"
#include "exec/session.h"
#include "io/io.h"
#include "models.h"

/* What one call works on; made before the faults begin. */
typedef struct
{
  const FaultModel *model;
  KetteGraph *graph;
  KetteSession *session;
  KetteTrainer *trainer;
  KetteTensor *inputs[4], *x, *t;
  char *out;    /* a file to write */
  char *result; /* a digest of what the call gave */
} Work;

typedef struct
{
  const char *name;
  gboolean (*can) (const FaultModel *model); /* NULL: always */
  gboolean (*prepare) (Work *w, GError **error);
  gboolean (*act) (Work *w, GError **error);
  gboolean fresh; /* what failed leaves a graph that can only be given back */
  gboolean quick; /* more allocations are taken than of the others */
} Stage;

/* Preparations. */
gboolean have_graph (Work *w, GError **error);
gboolean have_inputs (Work *w, gint64 open);

/* What the call gave: the same again, or the test fails. */
void set_result (Work *w, gconstpointer data, gsize n);
void set_result_file (Work *w, gboolean ok);

/* A test for each stage, and the program's status. */
int stages_main (int argc, char **argv, const Stage *stages, gsize n);
