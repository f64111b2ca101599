/* SPDX-License-Identifier: Apache-2.0
 * What stands behind the opaque contexts of the plugin ABI. Every context begins with a
 * pointer to a KetteContext, so that the host's functions can take any of them.
 */
#pragma once
#include "base/running.h"
#include "op/registry.h"

/* The first error that a plugin reported. */
typedef struct
{
  kt_status status;
  char text[512];
} KetteFailure;

typedef struct
{
  KetteNode *node; /* NULL while a plugin registers */
  KetteFailure *failure;
  void *device; /* handle of the node's device; NULL: the CPU */
} KetteContext;

struct kt_reg
{
  KetteContext *context;
  const char *file; /* of the plugin */
  size_t n_ops, n_kernels;
  gboolean again; /* memory did not suffice before: what is there by this file is fine */
};

struct kt_infer
{
  KetteContext *context;
};

struct kt_prep
{
  KetteContext *context;
  size_t workspace;
  int32_t per_worker;
  void **kept; /* blocks from keep, made by _kette_grow */
  size_t n_kept, kept_capacity;
  /* The nodes behind this one, each the only reader of the one before. */
  KetteNode *const *followers;
  int32_t n_followers, n_absorbed;
  int32_t precision, rounds; /* KT_ROUND_*: wished; what the kernel does */
};

typedef enum
{
  KETTE_EMIT_GRADIENT,
  KETTE_EMIT_BODY
} KetteEmit;

struct kt_graph
{
  KetteContext *context; /* node: the one whose gradient or body is emitted */
  KetteGraph *graph;     /* nodes are added here: where the node stands, or elsewhere */
  KetteEmit emit;
  KetteValue **seeds;    /* gradient: dE / d output, NULL entries: none */
  KetteValue *const *in; /* the node's inputs as values of `graph` */
  const uint8_t *wanted; /* gradient: per input; body: per output */
  KetteValue **set;      /* what g_set gave: gradient per input, body per output */
};

/* What runs of one plan share. */
typedef struct
{
  uint64_t seed, step;
  GCancellable *cancellable;
} KetteRunShared;

typedef struct _KetteStepRun KetteStepRun;
struct _KetteStepRun
{
  kt_run head;
  KetteContext context;
  const KetteRunShared *shared;
  uint8_t *workspace;
  size_t workspace_bytes; /* one piece   */
  gboolean per_worker;    /* pieces follow each other */
  kt_status (*sized) (KetteStepRun *self, int32_t i, const int64_t *dims, int32_t ndim,
                      kt_tensor *out);
  /* epilogue: what follows in the chain; NULL: nothing. */
  kt_status (*follow) (KetteStepRun *self, int64_t begin, int64_t end, int32_t worker);
  gpointer owner; /* of sized and follow */
  void *stream;   /* the device's; NULL: the CPU */
};

/* Where this thread's errors go instead of the context's failure; NULL: there. Tiles run on
 * several threads at once. */
extern _Thread_local KetteFailure *_kette_failure_here
    __attribute__ ((tls_model ("initial-exec")));

const kt_host *_kette_host (void);
/* registry.c: text for a plugin's author; the status of a plugin at fault. */
kt_status _kette_reg_refuse (kt_reg *reg, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* Turns what a plugin reported (or a bare status) into *error; returns FALSE. */
gboolean _kette_failure_to_error (const KetteFailure *failure, kt_status status,
                                  const KetteNode *node, GError **error);

/* resolve.c: sets node->def by the registry; arity and attributes checked. A model function
 * leaves def NULL and returns TRUE. */
gboolean _kette_node_resolve (KetteNode *node, GError **error);
/* What is resolved, or would be, of operators that are provided; NULL: nothing. */
const KetteOp *_kette_node_definition (const KetteNode *node);
/* The same where TOLERANT instead of the graph says whether an operator that nobody provides
 * is a fault. */
gboolean _kette_node_look_up (KetteNode *node, gboolean tolerant, GError **error);
/* Where A fails for an operator that nobody provides (`unsupported`), does B for the same one? */
gboolean _kette_node_lacks_same (const KetteNode *a, const KetteNode *b);
/* That error, which says that N nodes need the operator. */
gboolean _kette_node_fail_missing (const KetteNode *node, size_t n, GError **error);
/* infer-node.c: element types and shapes of the outputs, from those of the inputs. */
gboolean _kette_node_infer (KetteNode *node, GError **error);
/* emit.c: replaces NODE by its definition's body: nodes are added to its graph, its outputs
 * get replacements, it is killed. */
gboolean _kette_node_expand (KetteNode *node, GError **error);
/* emit.c: emits the body of NODE's definition into GRAPH for the inputs IN (values of GRAPH);
 * out receives the outputs. */
gboolean _kette_emit_body (KetteNode *node, KetteGraph *graph, KetteValue *const *in,
                           KetteValue **out, GError **error);
/* emit.c: calls the gradient of NODE. seeds per output, wanted per input; set receives the
 * contributions per input, NULL: none. */
gboolean _kette_emit_gradient (KetteNode *node, KetteValue **seeds, const uint8_t *wanted,
                               KetteValue **set, GError **error);

/* loader.c / registry.c, for each other */
gboolean _kette_registry_init (GError **error);
kt_status _kette_registry_add_op (kt_reg *reg, const kt_op *given);
kt_status _kette_registry_add_kernel (kt_reg *reg, const kt_kernel *given);

/* An extra flag of values: data is the content of a fed input, known for this run only:
 * shape rules may look at it (then ASKED is set), folding may not. */
enum
{
  KETTE_VALUE_SOFT  = 64,
  KETTE_VALUE_ASKED = 128
};
