/* SPDX-License-Identifier: Apache-2.0
 * Sessions, the library's own view: runs without allocation.
 *
 *   session  the prepared graph, constants, state, plans by input shapes
 *   run      one plan with its own memory; taken from the session, filled, executed,
 *            read, given back
 */
#pragma once
#include "exec/session.h"
#include "op/registry.h"

typedef struct
{
  size_t struct_size;
  /* Initializers are live memory: read from the graph's tensors at each run, neither folded
   * nor packed (training, evaluation between steps). */
  gboolean live;
  /* In-place updates: at the end of a run the content of key (an initializer of the graph)
   * is that of value. */
  const KetteBinding *updates;
  size_t n_updates;
  uint64_t seed;      /* of the random operators */
  gboolean no_native; /* bodies instead of kernels wherever an operator has one */
  /* Inputs with a default: constants, or to be fed; else as the file's version has it. */
  gboolean fold_defaults, feed_defaults;
  gboolean unfused; /* no chains: one kernel call per node */
  gboolean in_rows; /* no kernels that want blocks of channels */
  gboolean undo;    /* with devices: both phases are run at once if _kette_run_can_undo */
  /* Where: "guard:0", "auto"; NULL: the host. Rules "PATTERN=DEVICE" that come before it, ended
   * by NULL; or NULL. */
  const char *device;
  const char *const *place;
  const char *choice; /* with "auto": what _kette_session_choice told before; or NULL */
  int32_t precision;  /* KT_ROUND_*; an error where no device that is used has it */
  size_t n_fetched; /* with devices: outputs that are looked at, plus 1; 0: all results */
} KetteSessionOptions;

/* precision.c: "f32", "tf32", "bf16" (NULL: "f32") as KT_ROUND_*; `value` for others. */
gboolean _kette_precision_from_name (const char *name, int32_t *out, GError **error);
int32_t _kette_session_flags_precision (KetteSessionFlags flags);
const char *_kette_precision_name (int32_t precision); /* "tf32" */

/* Moves the parameters of GRAPH, and the state of its training steps, into aligned memory of
 * their own, one after another: what `live` sessions need. Before _kette_pass_training. */
gboolean _kette_graph_make_live (KetteGraph *graph, GError **error);

/* GRAPH: prepared or not; it is copied, its tensors are shared. */
KetteSession *_kette_session_new_full (KetteGraph *graph,
                                       const KetteSessionOptions *options,
                                       GError **error);

typedef struct _KetteRun KetteRun;
/* A run for inputs of these types (dims all known); of a new combination of shapes a plan is
 * made, otherwise nothing is allocated. TENSORS may be NULL; where an input's content
 * decides shapes (Reshape's shape as graph input) it must be given. */
KetteRun *_kette_session_take (KetteSession *self, const kt_type *types,
                               KetteTensor *const *tensors, GError **error);
void _kette_session_give (KetteSession *self, KetteRun *run);
/* What placement by cost chose for the updates' plans; NULL: nothing was left to choose, or there
 * is no plan yet. */
const char *_kette_session_choice (const KetteSession *self);
/* Memory of input I, to be filled before execute. */
void *_kette_run_input (KetteRun *run, size_t i);
/* The number of this run: counter of the random operators. */
void _kette_run_set_step (KetteRun *run, uint64_t step);

typedef enum
{
  KETTE_PHASE_FORWARD = 1, /* everything the outputs need  */
  KETTE_PHASE_UPDATE  = 2  /* the rest: backward, updates  */
} KettePhase;
gboolean _kette_run_execute (KetteRun *run, unsigned phases, GCancellable *cancellable,
                             GError **error);
/* keep.c: may both phases be run at once, because the update can be taken back? Then a run that
 * fails because of what it was fed leaves the states as they were. */
gboolean _kette_run_can_undo (const KetteRun *run);
/* The states are what they were before the last run of both phases. */
gboolean _kette_run_undo (KetteRun *run, GError **error);
/* Output I after FORWARD: valid until the next execute. */
gboolean _kette_run_output (KetteRun *run, size_t i, kt_tensor *out, int *dtype);

typedef struct
{
  size_t n_steps, n_folded, n_views, n_in_place, n_plans;
  size_t n_chains, n_fused, n_absorbed; /* fused: nodes in chains */
  size_t arena_bytes, constant_bytes, state_bytes,
      live_peak_bytes; /* peak: lower bound of the arena */
} KettePlanInfo;
/* Of the plan for these input types. */
gboolean _kette_session_plan_info (KetteSession *self, const kt_type *types,
                                   KettePlanInfo *info, GError **error);
/* Lines "index operator kernel plugin bytes" of that plan, for info and bench; g_free. */
char *_kette_session_plan_text (KetteSession *self, const kt_type *types, GError **error);

/* trace.c: runs GRAPH (types inferred) once and returns the content of every value that is
 * computed, by index (NULL: none); free each and the array with _kette_trace_free. */
KetteTensor **_kette_trace (KetteGraph *graph, KetteTensor *const *inputs,
                            GError **error);
void _kette_trace_free (KetteTensor **values, size_t n);
