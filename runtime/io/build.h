/* SPDX-License-Identifier: Apache-2.0
 * From an unpacked message to KetteModel and KetteGraph.
 *
 * Every graph of the file (the main graph, branches and bodies at any depth, functions,
 * training steps) is a scope; the list of scopes is made first, enclosing ones before inner
 * ones, and each step of checking walks over the whole list. So faults are reported step by
 * step, and nothing here calls itself.
 */
#pragma once
#include "base/limits-private.h"
#include "graph/graph-private.h"
#include "io/loading.h"
#include "io/read.h"
#include "io/scan.h"
#include "onnx.pb-c.h"

#define KETTE_NO_SCOPE SIZE_MAX
#define KETTE_MAX_IR 14

/* One of the two. */
typedef struct
{
  KetteTensor *tensor;
  KetteSparse *sparse;
} KetteStored;

typedef struct
{
  const Onnx__GraphProto *proto;       /* NULL: a function's body */
  const Onnx__FunctionProto *function; /* NULL: a graph */
  KetteGraph *graph;
  gboolean owned;         /* graph not handed over yet */
  KetteNames *opsets;     /* of a function: domain -> version */
  size_t parent, root;    /* index of the scope around it, of the outermost one */
  size_t node, attribute; /* of the parent's node that holds it */
  size_t element;         /* of an attribute GRAPHS, else KETTE_NO_SCOPE */
  size_t first_child;     /* children stand together, in the order of their nodes */
  const char
      *label; /* outermost ones but the main graph: "training_info[0], algorithm" */
  int depth;
  size_t n_nodes;
  Onnx__NodeProto *const *nodes;
  /* What the steps before the nodes found, in the order in which it stands in the file. */
  KetteStored *tensors;
  size_t n_tensors, tensors_capacity, next_tensor;
  const kt_type **types; /* of inputs, outputs, value_info; NULL: not given */
  size_t n_types, types_capacity, next_type;
} KetteScope;

typedef struct KetteExternal KetteExternal;

typedef struct
{
  const KetteLoading *loading;
  KetteMessage *message;
  const Onnx__ModelProto *proto;
  KetteModel *model;
  KetteExternal *external;
  KetteScope *scopes;
  size_t n_scopes, scopes_capacity;
  size_t main, functions;             /* scopes: the main graph; the first function */
  size_t *initialization, *algorithm; /* scope per training_info, or KETTE_NO_SCOPE */
  KetteNames *function_keys;          /* key -> index + 1 */
} KetteBuild;

/* proto2: an absent text is NULL. */
static inline const char *
_kette_text (const char *s)
{
  return s ? s : "";
}

/* "" for "ai.onnx". */
static inline const char *
_kette_domain (const char *s)
{
  return !s || strcmp (s, "ai.onnx") == 0 ? "" : s;
}

/* build-where.c: "node "if0" (If), then_branch, initializer "w"". NODE: index in the scope's
 * nodes or -1; KIND and NAME may be NULL. */
const char *_kette_scope_where (const KetteBuild *b, size_t scope, gssize node,
                                const char *kind, const char *name,
                                char out[KETTE_WHERE_SIZE]);
/* The same with an attribute of the node. */
const char *_kette_scope_where_attr (const KetteBuild *b, size_t scope, size_t node,
                                     const char *attribute, char out[KETTE_WHERE_SIZE]);

/* build-scope.c: the list of scopes, with empty graphs. */
gboolean _kette_build_scopes (KetteBuild *b, GError **error);
void _kette_build_clear (KetteBuild *b);

/* build.c: may a model or a function import this version of a domain? */
gboolean _kette_build_check_opset (const KetteBuild *b, const char *where,
                                   const Onnx__OperatorSetIdProto *id, GError **error);

/* build-function.c: keys, call cycles, call depth, size after inlining; then the functions. */
gboolean _kette_build_check_calls (KetteBuild *b, GError **error);
gboolean _kette_build_functions (KetteBuild *b, GError **error);
/* Index of the model's function for a node, or -1. */
gssize _kette_build_callee (const KetteBuild *b, const Onnx__NodeProto *node,
                            GError **error);

/* build-tensor.c */
typedef struct
{
  GBytes *bytes;           /* in which raw_data lie */
  KetteExternal *external; /* NULL: external data are refused, */
  const KetteLimits *limits;
  const KetteModel *model; /* unless this one, loaded, has them */
} KetteTensorSource;
KetteTensor *_kette_tensor_from_proto (const Onnx__TensorProto *proto,
                                       const KetteTensorSource *source, const char *where,
                                       GError **error);
KetteSparse *_kette_sparse_from_proto (const Onnx__SparseTensorProto *proto,
                                       const KetteTensorSource *source, const char *where,
                                       GError **error);
/* build-data.c: the typed field of a tensor into DATA of BYTES bytes; DATA NULL: only looks
 * whether as many numbers as needed are there. */
gboolean _kette_tensor_decode (const Onnx__TensorProto *proto, int dtype, size_t count,
                               void *data, size_t bytes, const char *type_text,
                               const char *where, GError **error);
/* How many storages are used, and the name of one of them. */
int _kette_tensor_storages (const Onnx__TensorProto *proto, const char **name);
/* Reverses the bytes of each of N elements of WIDTH bytes. */
void _kette_swap_bytes (void *data, size_t n, size_t width);
/* The dims as "[2,3]". */
const char *_kette_dims_text (const int64_t *dims, size_t n, char out[256]);

/* build-tensors.c: all tensors of the model, in their scopes' lists. */
gboolean _kette_build_tensors (KetteBuild *b, GError **error);

/* external.c */
KetteExternal *_kette_external_new (int folder, KetteModel *model,
                                    const KetteLoading *loading, GError **error);
void _kette_external_free (KetteExternal *self);
/* The bytes of a tensor that needs NEED of them: *bytes (not referenced; the model keeps them)
 * and *offset. */
gboolean _kette_external_find (KetteExternal *self, const Onnx__TensorProto *proto,
                               size_t need, const char *type_text, const char *where,
                               GBytes **bytes, size_t *offset, GError **error);

/* When all tensors are there. */
void _kette_external_sort (KetteModel *model);
/* The data of a TensorProto of the file, once sorted; NULL: it has none elsewhere. */
const KetteExternalData *_kette_model_external (const KetteModel *model,
                                                const void *proto);

/* build-type.c */
/* *out: in the model's region; kind 0 for a type that nothing here can hold (opaque). */
gboolean _kette_type_from_proto (KetteModel *model, const KetteLimits *limits,
                                 const Onnx__TypeProto *proto, const char *where,
                                 kt_type *out, GError **error);
gboolean _kette_type_equal (const kt_type *a, const kt_type *b);
gboolean _kette_build_types (KetteBuild *b, GError **error);

/* build-names.c: definitions; at the end, once the nodes stand, an order of them. */
gboolean _kette_build_names (KetteBuild *b, GError **error);
gboolean _kette_build_order (KetteBuild *b, GError **error);
/* build-node.c: nodes between values; then what they do: operator, version, attributes. */
gboolean _kette_build_edges (KetteBuild *b, GError **error);
gboolean _kette_build_nodes (KetteBuild *b, GError **error);
/* The value that NAME means in a scope: its own or a stand-in of an outer one. NULL
 * without an error: there is none. */
KetteValue *_kette_build_use (KetteBuild *b, size_t scope, const char *name,
                              GError **error);
/* build-attr.c */
gboolean _kette_build_attrs (KetteBuild *b, size_t scope, size_t node, KetteNode *out,
                             GError **error);
gboolean _kette_build_attr_defaults (KetteBuild *b, size_t scope, KetteFunction *out,
                                     GError **error);

/* build-training.c */
gboolean _kette_build_training (KetteBuild *b, GError **error);

/* build.c: the graph of a message, which the model takes over. */
KetteGraph *_kette_build_graph (KetteMessage *message, int folder, const char *file,
                                const KetteLoading *loading, GError **error);
/* Behind a fault: TRUE: it was noted, and the caller may look at the next thing. */
static inline gboolean
_kette_build_go_on (const KetteBuild *b, GError **error)
{
  return _kette_faults_go_on (b->loading->faults, error);
}
