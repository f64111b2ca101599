/* SPDX-License-Identifier: Apache-2.0
 * Plans: a graph with all shapes known, as a flat list of kernel calls over planned memory.
 *
 *   storage  a piece of memory that one value, or several as views of each other, live in
 *   chain    steps one behind the other that work on the same elements: run tile by tile
 *   plan     steps, storages, prepared kernels; read-only once made
 *   run      memory for one execution at a time, with all pointers resolved
 */
#pragma once
#include "base/deadline-private.h"
#include "base/device.h"
#include "base/running.h"
#include "exec/places.h"
#include "exec/session-private.h"
#include "op/context.h"

typedef enum
{
  KETTE_AT_NONE,    /* no value of this plan                                  */
  KETTE_AT_ARENA,   /* offset in the run's arena                              */
  KETTE_AT_INPUT,   /* the run's memory for an input, or the caller's tensor  */
  KETTE_AT_CONSTANT /* the tensor of a constant, a parameter or a state      */
} KettePlace;

typedef struct
{
  KettePlace place;
  size_t bytes, offset;
  uint32_t first, last; /* nodes between which it is in use */
  uint32_t apart;   /* the last node, plus 1, of a chain that reads it in other places */
  uint32_t input;   /* of AT_INPUT */
  uint32_t operand; /* of AT_INPUT: the first operand that it is, plus 1; 0: none */
  KetteTensor *tensor; /* of AT_CONSTANT; not owned */
  void *resident;      /* of AT_CONSTANT: where the device reads it */
  uint32_t unit;       /* on which device it is; 0: the host */
  KetteResident *copy; /* of AT_CONSTANT on a device */
} KetteStorage;

typedef struct
{
  KetteNode *node;
  const KetteKernel *kernel;
  void *state;
  size_t workspace; /* bytes of a piece */
  gboolean per_worker;
  uint32_t first_tensor;      /* operands in plan->operands: inputs, then outputs */
  uint32_t n_in, n_out;       /* operands, those of absorbed nodes included */
  uint32_t n_absorbed;        /* nodes behind this one that its kernel computes, too */
  int32_t rounds;             /* what its kernel does to factors: KT_ROUND_* */
  const KetteBinding *update; /* a copy into state, instead of a kernel */
  uint32_t span;              /* steps of the chain that begins here; 1: none */
  int64_t count, tile, grain; /* of the chain: elements; of a tile; of a piece */
  KetteRunning running;
} KetteStep;

/* A step among those of other streams: who it waits for, and whether somebody waits for it.
 * Lane 0 is the host; of unit u, 2u - 1 is where kernels run and 2u where copies do. */
typedef struct
{
  uint32_t lane;
  uint32_t event;                 /* recorded behind it, plus 1; 0: none */
  uint32_t first_wait, n_waits;   /* in plan->waits: steps */
  uint32_t first_range, n_ranges; /* in run->ranges, of units that execute */
  uint32_t first_death, n_deaths; /* in plan->deaths: storages; of such units, too */
} KetteSync;

/* The chain of a node, by node indices; first == last: none. */
typedef struct
{
  uint32_t first, last;
  gboolean product; /* the first one is: it reads whatever elements it likes */
} KetteChain;

typedef enum
{
  KETTE_PLAN_UNFUSED = 1, /* no chains: each node's result is there */
  KETTE_PLAN_ROWS    = 2, /* no kernels that want blocks of channels */
  KETTE_PLAN_UNDO    = 4  /* states are copied aside where that saves waiting */
} KettePlanFlags;

typedef struct _KettePlan KettePlan;
struct _KettePlan
{
  KettePlan *next;
  const KetteDevice *device;
  KetteGraph *graph; /* owned; all types concrete where planned */
  unsigned flags;
  char *choice;              /* of placement by cost, with updates; as text */
  const KettePlaces *places; /* the session's; NULL: all on the host */
  uint32_t n_units;          /* without the host; 0: all on the host */
  KetteSync *sync;           /* by step; NULL without units */
  gboolean has_ranges;       /* sync has them */
  uint32_t *waits;
  size_t n_waits, waits_capacity, n_events;
  uint32_t *deaths;
  size_t n_deaths, deaths_capacity;
  uint32_t separate; /* units, as bits, whose values share no memory */
  size_t unit_arena[KETTE_MOST_UNITS + 1], unit_workspace[KETTE_MOST_UNITS + 1];
  KetteStep *steps; /* while kernels are prepared by node index */
  size_t n_steps, n_forward, n_tensors;
  size_t n_forward_nodes; /* of the graph; n_forward counts steps */
  KetteValue **operands;  /* of the steps; NULL entries: absent */
  uint32_t *next_operand; /* by operand: the next one in the same input, plus 1 */
  KetteChain *chains;     /* by node index */
  uint32_t *readers;      /* by value index: operands that are it, and outputs */
  KetteStorage *storages;
  uint8_t *planned;     /* by node index: has a step or is a view */
  uint32_t *storage_of; /* by value index: index + 1, 0: none */
  uint8_t *layouts; /* by value index: 0 row-major, 8 or 16: blocks; NULL: all are 0 */
  size_t n_storages, arena_bytes, workspace_bytes, live_peak;
  size_t n_views, n_in_place, n_folded;
  size_t n_chains, n_fused, n_absorbed; /* fused: nodes in chains */
  size_t n_refused;     /* nodes that their devices refused: this is no plan */
  gboolean partial;     /* nodes remain whose shapes depend on computed contents */
  gboolean by_content;  /* the contents of integer inputs decided shapes */
  kt_type *input_types; /* the key */
  KetteTensor **input_contents; /* of integer inputs, where by_content */
  KetteBinding *updates;
  size_t n_updates;
  KetteValue **kept_states; /* by update: its state before; NULL: not kept */
  void **kept;              /* memory of the prepared kernels */
  size_t n_kept, kept_capacity;
  size_t n_busy;  /* runs in use */
  KetteRun *idle; /* runs that nobody uses */
};

/* The first error of a chain as the same nodes one after the other would meet it: of the first
 * node, there in the first tile. */
typedef struct
{
  GMutex lock;
  uint32_t step; /* from the chain's first one */
  int64_t begin;
  kt_status status; /* KT_OK: none */
  KetteFailure failure;
} KetteChainFailure;

/* A device's part of a run. */
typedef struct
{
  KetteUnit *unit;
  void *arena, *workspace; /* as the host knows them */
  void **values;         /* by storage, instead of an arena: where they share no memory */
  kt_stream *streams[2]; /* of kernels, of copies */
  KetteFailure failure;
  KetteChainFailure chain_failure;
} KetteUnitRun;

/* What a stream's thread executes. */
typedef struct
{
  KetteRun *run;
  size_t step;
} KetteTask;

/* A phase that was recorded, or not yet. */
typedef struct
{
  uint32_t n_runs;
  gboolean never;
  const kt_device *device;
  kt_recording *recording;
} KetteRecorded;

struct _KetteRun
{
  KetteRun *next;
  KettePlan *plan;
  uint8_t *arena, *workspace;
  KetteStepRun *steps;
  kt_tensor *tensors;
  void **inputs; /* the run's own memory per input */
  KetteRunShared shared;
  KetteFailure failure;
  KetteChainFailure chain_failure;
  int threads; /* that the workspace was made for */
  /* units.c, launch.c, record.c: with units only. */
  KetteUnitRun *units; /* from 1 on */
  kt_event **events;
  KetteTask *tasks; /* by step */
  kt_range *ranges;
  KetteCall call;
  GMutex lock; /* of what streams tell: */
  GError *told;
  size_t told_step;
  gboolean sound;            /* the last failure, if any, was of contents alone */
  size_t begin;              /* the first step of what is being launched */
  KetteRecorded recorded[3]; /* forward, update, both */
  kt_event *meeting;         /* of streams that begin or end to be recorded */
};

/* fallback.c: makes a plan for GRAPH, which is taken over (also on failure). PLACES: NULL, or valid
 * for as long as the plan is. */
KettePlan *_kette_plan_new (KetteGraph *graph, const KetteBinding *updates,
                            size_t n_updates, unsigned flags, const KettePlaces *places,
                            GError **error);
/* plan.c: one attempt; n_refused is to be looked at. */
KettePlan *_kette_plan_make (KetteGraph *graph, const KetteBinding *updates,
                             size_t n_updates, unsigned flags, const KettePlaces *places,
                             GError **error);
void _kette_plan_free (KettePlan *plan);

static inline KetteStorage *
_kette_plan_storage (const KettePlan *plan, const KetteValue *value)
{
  const uint32_t i = value ? plan->storage_of[value->index] : 0;

  return i ? &plan->storages[i - 1] : NULL;
}

/* Will a plan execute a node? Contents are still to come, or its own result has a shape that only
 * computing it tells. */
typedef enum
{
  KETTE_PLANNED_LATER,
  KETTE_PLANNED,
  KETTE_PLANNED_OPEN
} KettePlanned;
/* plan.c: by node index; nodes are in order. */
gboolean _kette_plan_reach (const KetteGraph *graph, uint8_t *planned, GError **error);

/* chain.c: prepares the kernels of all planned nodes, and finds the chains. */
gboolean _kette_plan_prepare (KettePlan *plan, size_t n_forward_nodes, GError **error);
/* chain.c: notes what NODE, placed now, reads at other elements than it writes. */
void _kette_chain_reads (const KettePlan *plan, const KetteNode *node);
/* chain.c: may NODE write over STORAGE while those before it in its chain still run? */
gboolean _kette_chain_allows (const KettePlan *plan, const KetteNode *node,
                              const KetteStorage *storage);
/* chain.c: joins the steps of chains, whose storages live as long as the chain. */
void _kette_plan_join (KettePlan *plan);
/* place.c: storages for inputs and everything with content. */
gboolean _kette_plan_place_sources (KettePlan *plan, GError **error);
/* place.c: storages for what is computed; steps only for nodes that have work to do. */
gboolean _kette_plan_place (KettePlan *plan, size_t n_forward_nodes, GError **error);
/* tiles.c: executes the chain at STEP; host->epilogue for those with a product. */
gboolean _kette_run_chain (KetteRun *run, size_t step, GError **error);
kt_status _kette_run_follow (KetteStepRun *self, int64_t begin, int64_t end,
                             int32_t worker);

/* place.c: are the bytes of every value whose shape is known a number? */
gboolean _kette_plan_countable (const KetteGraph *graph, GError **error);
/* memory.c: fills storages' offsets; arena_bytes, live_peak. */
gboolean _kette_plan_memory (KettePlan *plan, GError **error);
/* order.c: sorts graph->nodes for execution: what the outputs need first, readers of a state
 * before the node that overwrites it; *n_forward nodes come first. */
gboolean _kette_plan_order (KetteGraph *graph, const KetteBinding *updates,
                            size_t n_updates, size_t *n_forward, GError **error);

/* schedule.c: neighbours in chains; within each of the two phases. BEFORE: node indices. */
gboolean _kette_plan_schedule (KetteGraph *graph, const uint32_t (*before)[2],
                               size_t n_before, size_t n_forward, GError **error);

KetteRun *_kette_run_new (KettePlan *plan, GError **error);
void _kette_run_free (KetteRun *run);
/* Where S lies; NULL: nowhere. */
void *_kette_storage_data (const KetteRun *run, const KetteStorage *s);
/* Where VALUE's content is; NULL: not computed by this plan. */
void *_kette_run_data (const KetteRun *run, const KetteValue *value);
/* The same as a tensor; data NULL: not computed. VALUE NULL: absent. */
void _kette_run_view (const KetteRun *run, const KetteValue *value, kt_tensor *out);
/* Makes input I the content of TENSOR, which stays as it is until the run is over. */
void _kette_run_feed (KetteRun *run, size_t i, const KetteTensor *tensor);
/* The content of VALUE as a tensor of the host; NULL with *error. */
KetteTensor *_kette_run_fetch (const KetteRun *run, const KetteValue *value,
                               GError **error);
/* Lets input I be read at DATA instead of the run's own memory; NULL: back to that. */
void _kette_run_bind_input (KetteRun *run, size_t i, void *data);

/* What a step reported, or that it was stopped, as *error; returns FALSE. */
gboolean _kette_step_failed (const KetteRunShared *shared, const KetteFailure *failure,
                             kt_status status, const KetteNode *node, GError **error);

/* dynamic.c: executes what a partial plan left over, stage by stage. outputs: one per graph
 * output of the session. */
gboolean _kette_run_rest (KetteRun *run, KetteTensor **outputs, GCancellable *cancellable,
                          GError **error);
/* evaluate.c: for the pass fold. */
gboolean _kette_evaluate (KetteGraph *graph, KetteNode *const *nodes, size_t n,
                          GError **error);
/* layout.c: gives values the layouts that kernels want, and inserts kette.Reorder. After
 * _kette_plan_order, whose *n_forward it keeps right. */
gboolean _kette_plan_layouts (KettePlan *plan, size_t *n_forward, GError **error);
/* Do NODE's operands lie as KERNEL wants? */
gboolean _kette_kernel_lies (const KettePlan *plan, const KetteNode *node,
                             const kt_kernel *kernel);
/* The device of NODE; NULL: the host. */
static inline KetteUnit *
_kette_plan_unit (const KettePlan *plan, uint32_t unit)
{
  return plan->places ? plan->places->units[unit] : NULL;
}

/* places.c: which device executes each node. */
gboolean _kette_plan_assign (KettePlan *plan, GError **error);
/* places.c: the kernel that UNIT has for NODE; NULL: none. */
const KetteKernel *_kette_unit_kernel (const KetteUnit *unit, KetteNode *node);
/* choice.c: makes plan->choice. */
gboolean _kette_choice_note (KettePlan *plan, GError **error);
/* cost.c: the same by cost, for nodes that FIXED (by index) leaves open. */
gboolean _kette_plan_weigh (KettePlan *plan, uint8_t *fixed, GError **error);
/* spread.c: inserts kette.Copy, keeps *n_forward right. */
gboolean _kette_plan_spread (KettePlan *plan, size_t *n_forward, GError **error);
gboolean _kette_is_copy (const KetteNode *node);
/* spread.c: a node at the end of the graph that copies FROM to TO, wherever they are. */
KetteNode *_kette_plan_add_copy (KettePlan *plan, KetteValue *from, KetteValue *to,
                                 GError **error);
/* keep.c: behind that, copies of states aside, keeps *n_forward right. */
gboolean _kette_plan_keep (KettePlan *plan, size_t *n_forward, GError **error);
/* lanes.c: who waits for whom; last of all. */
gboolean _kette_plan_lanes (KettePlan *plan, GError **error);
/* units.c: what a run has on devices; launch.c: executing its steps there. */
gboolean _kette_launch_prepare (KetteRun *run, GError **error);
/* Once operands are resolved: what devices see instead. */
void _kette_launch_resolve (KetteRun *run);
void _kette_launch_clear (KetteRun *run);
/* The host's memory of such a run: its arena and its inputs. */
void *_kette_launch_alloc (KetteRun *run, size_t bytes, GError **error);
void _kette_launch_release (const KetteRun *run, void *memory);
gboolean _kette_launch (KetteRun *run, size_t begin, size_t end, GError **error);
/* Parameters are where the plan reads them. */
gboolean _kette_launch_update (const KetteRun *run, GError **error);
/* run.c: executes step I on this thread; the failure goes where the step's context says. */
gboolean _kette_run_step (KetteRun *run, size_t i, GError **error);
/* kernel.c: picks and prepares the kernel of a node; FOLLOWERS: what it may absorb. kernel NULL
 * afterwards: the node's device refuses it, which is noted. */
gboolean _kette_step_prepare (KettePlan *plan, KetteStep *step,
                              KetteNode *const *followers, int32_t n_followers,
                              GError **error);
gboolean _kette_type_is_concrete (const kt_type *type);
