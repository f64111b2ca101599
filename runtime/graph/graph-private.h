/* SPDX-License-Identifier: Apache-2.0
 * Graphs, nodes, values: the library's own view.
 *
 *   KetteModel   what a file holds beside its graph: versions, metadata, functions, training
 *   KetteGraph   values and nodes; also a function's body, a branch of an If, a training step
 *   KetteNode    an operator applied to values
 *   KetteValue   a named edge: graph input, initializer, or output of a node
 *
 * Everything small lives in the graph's region and dies with it. Values and nodes are
 * pointers that stay valid as long as the graph; `index` is their place in graph->values or
 * graph->nodes. A value that is read in a subgraph but made outside has a stand-in in the
 * subgraph whose `outer` is the original.
 */
#pragma once
#include "base/alloc.h"
#include "base/dtype.h"
#include "base/tensor-private.h"
#include "graph/graph.h"

typedef struct _KetteModel KetteModel;
typedef struct _KetteNode KetteNode;
typedef struct _KetteValue KetteValue;
typedef struct _KetteSparse KetteSparse; /* graph/sparse.h */
typedef struct _KetteNames KetteNames; /* name -> pointer, keyed hash, insertion order */
struct _KetteOp;                       /* op/registry.h */

enum /* KetteValue.flags */
{
  KETTE_VALUE_INPUT       = 1,  /* listed in graph->inputs */
  KETTE_VALUE_OUTPUT      = 2,  /* listed in graph->outputs */
  KETTE_VALUE_INITIALIZER = 4,  /* has data from the file */
  KETTE_VALUE_STATE       = 8,  /* an initializer that a training step rewrites */
  KETTE_VALUE_DECLARED    = 16, /* its type was written in the file */
  KETTE_VALUE_VAGUE = 32 /* less is known of it because of an opaque or faulty node */
};

struct _KetteValue
{
  KetteGraph *graph;
  const char *name;    /* unique among the graph's values, never "" */
  kt_type type;        /* kind 0: not known yet; dims in the region */
  KetteNode *producer; /* NULL: input, initializer or stand-in */
  int32_t slot;        /* which output of the producer */
  uint32_t flags, index;
  KetteTensor *data;   /* constant content, owned; NULL: none */
  KetteSparse *sparse; /* instead of data, while nobody needs it dense; owned */
  const int64_t *ints; /* partly known content of an integer value, with KT_DIM codes */
  size_t n_ints;
  KetteValue *outer;       /* the value this one stands for, in an enclosing graph */
  KetteValue *replacement; /* set by a pass, obeyed by _kette_graph_apply_replacements */
  const void *proto;       /* ValueInfoProto or TensorProto of the file, or NULL */
  uint32_t unit; /* in a plan: the device where it lies, 0: the host; not copied */
};

struct _KetteNode
{
  KetteGraph *graph;
  const char *name;                   /* may be "" and need not be unique */
  const char *domain, *op, *overload; /* domain "" for ai.onnx */
  int32_t version; /* opset of the domain that the file (or emitter) means */
  int32_t n_in, n_out, n_attrs;
  uint32_t index, flags;
  KetteValue **in, **out; /* NULL entries: absent */
  /* Kind GRAPH: v is NULL, see subgraphs. The graphs of an attribute of kind GRAPHS are entries
   * of their own, behind those of the file: reserved is its place plus one, i which graph. */
  kt_attr *attrs;
  KetteGraph **subgraphs; /* NULL, or one entry per attribute: the graph or NULL; owned */
  const struct _KetteOp *def; /* resolved definition, NULL before the check pass */
  const char *origin; /* name or "#index" of the file's node it came from, or NULL */
  const void *proto;  /* NodeProto of the file if it is still what it says, or NULL */
  /* In a plan, not copied: its device, 0: the host; the reason; which devices refused it (bit:
   * unit), and what the last of them said. */
  uint32_t unit, why, refused;
  const char *because;
};

enum /* KetteNode.flags */
{
  KETTE_NODE_DEAD = 1, /* removed at the next sweep */
  KETTE_NODE_OPAQUE
  = 2, /* nobody here provides its operator, and the graph tolerates that */
  KETTE_NODE_FAULTY = 4 /* its fault was told; what it makes is unknown */
};

enum /* KetteGraph.tolerance */
{
  KETTE_STRICT,
  KETTE_TOLERANT,   /* operators that nobody here provides are no fault */
  KETTE_BEST_EFFORT /* nor is anything else: as much is found out as can be */
};

typedef struct
{
  const char *domain; /* "" for ai.onnx */
  int32_t version;
} KetteOpset;

typedef struct
{
  const char *key, *value;
  size_t
      room; /* bytes at value, which are used again: training sets the same keys often */
} KetteMeta;

typedef struct
{
  const char *domain, *name, *overload;
  KetteGraph *body;        /* inputs and outputs are the formal ones; owned */
  const char **attributes; /* names without default */
  size_t n_attributes;
  kt_attr *defaults; /* attribute_proto */
  size_t n_defaults;
  KetteGraph **graphs; /* that are defaults, in their order; owned */
  size_t n_graphs;
  KetteOpset *opsets;
  size_t n_opsets;
  const void *proto;
} KetteFunction;

typedef struct
{
  KetteValue *key, *value; /* key: initializer of the main graph or of algorithm;
                              value: output of algorithm or of initialization */
} KetteBinding;

typedef struct
{
  /* NULL: absent; owned. What algorithm reads of the main graph are stand-ins. */
  KetteGraph *initialization, *algorithm;
  KetteBinding *initial, *update;
  size_t n_initial, n_update;
} KetteTraining;

/* A tensor of the file whose data are in another one. */
typedef struct
{
  const void *proto; /* TensorProto */
  GBytes *bytes;
  size_t offset, n;
} KetteExternalData;

struct _KetteModel
{
  gint ref;
  KetteRegion *region; /* of everything below */
  const char *file;    /* as the user wrote it; "<memory>" */
  uint64_t maps;       /* group of its mapped files, base/guard-private.h */
  int64_t ir_version, model_version;
  uint64_t max_nodes; /* after inlining: the limit "nodes" it was loaded with */
  const char *producer, *producer_version, *domain, *doc;
  KetteOpset *opsets;
  size_t n_opsets, opsets_capacity;
  KetteMeta *meta;
  size_t n_meta, meta_capacity;
  KetteFunction **functions;
  size_t n_functions, functions_capacity;
  KetteTraining **training;
  size_t n_training, training_capacity;
  KetteSparse **sparse; /* that attributes hold, owned */
  size_t n_sparse, sparse_capacity;
  const char **symbols; /* names of KT_DIM (1), KT_DIM (2), ... at index 0, 1, ... */
  size_t n_symbols, symbols_capacity;
  KetteNames *opset_index, *meta_index, *symbol_index; /* place in the array, plus one */
  KetteNames *function_index; /* of the first n_indexed functions */
  size_t n_indexed;
  /* The unpacked ModelProto and its file map, kept so that saving writes back what Kette
   * does not model. */
  gpointer message;
  void (*free_message) (gpointer);
  KetteExternalData *external; /* sorted by proto */
  size_t n_external, external_capacity;
};

struct _KetteGraph
{
  gint ref;
  KetteRegion *region;
  KetteModel *model;  /* owned reference */
  KetteGraph *parent; /* of a subgraph, else NULL; not owned */
  const char *name;
  KetteValue **values, **inputs, **outputs;
  KetteNode **nodes;
  size_t n_values, values_capacity, n_nodes, nodes_capacity;
  size_t n_inputs, inputs_capacity, n_outputs, outputs_capacity;
  KetteNames *names;  /* of values */
  KetteNames *bases;  /* of fresh names: base -> the last number tried; NULL: none yet */
  KetteTensor **kept; /* tensors that attributes point into, owned */
  size_t n_kept, kept_capacity;
  KetteNode *owner; /* of a subgraph: a guess, see _kette_graph_owner */
  KetteGraph *link; /* lists of graphs while they are freed or lent */
  gint lent;        /* owned by its model (a function's body): holds no reference to it */
  const char
      *role;     /* 'function "d:f"', 'training_info[0], algorithm'; NULL: looked for */
  int tolerance; /* KETTE_STRICT, ...; not copied by a clone */
  const void *proto; /* GraphProto or NULL */
};

/* model.c -------------------------------------------------------------------------------
 * The graphs that a model owns (bodies, training steps) live as long as it does. They are
 * made with a reference to it like any graph; unref finds and drops those. */
KetteModel *_kette_model_new (const char *file, GError **error);
KetteModel *_kette_model_ref (KetteModel *model);
void _kette_model_unref (KetteModel *model);
/* Version imported for DOMAIN ("" and "ai.onnx" are one); 0: not imported. */
int32_t _kette_model_opset (const KetteModel *model, const char *domain);
gboolean _kette_model_set_opset (KetteModel *model, const char *domain, int32_t version,
                                 GError **error);
/* NULL: no such key. */
const char *_kette_model_get_meta (const KetteModel *model, const char *key);
/* VALUE NULL: removes it. */
gboolean _kette_model_set_meta (KetteModel *model, const char *key, const char *value,
                                GError **error);
/* KT_DIM code of the symbol NAME, made if new; 0 = KT_DIM(0) never returned: on failure 0. */
int64_t _kette_model_symbol (KetteModel *model, const char *name, GError **error);
KetteFunction *_kette_model_find_function (const KetteModel *model, const char *domain,
                                           const char *name, const char *overload);

/* graph.c ------------------------------------------------------------------------------- */
KetteGraph *_kette_graph_new (KetteModel *model, const char *name, GError **error);
/* A deep copy that shares tensors and the model. *map (may be NULL, else freed with
 * _kette_free) receives the copies by the originals' index. Resolved definitions, types and
 * proto links are copied too. */
KetteGraph *_kette_graph_clone (KetteGraph *graph, KetteValue ***map, GError **error);
/* NAME NULL or "": a fresh name. An existing name is the error `graph`. */
KetteValue *_kette_graph_add_value (KetteGraph *graph, const char *name, GError **error);
KetteValue *_kette_graph_find (const KetteGraph *graph, const char *name); /* or NULL */
/* BASE if free, else BASE_2, BASE_3, ... in the region. */
const char *_kette_graph_fresh_name (KetteGraph *graph, const char *base, GError **error);
gboolean _kette_graph_rename (KetteValue *value, const char *name, GError **error);
gboolean _kette_graph_add_input (KetteGraph *graph, KetteValue *value, GError **error);
gboolean _kette_graph_add_output (KetteGraph *graph, KetteValue *value, GError **error);
/* A constant value with content (referenced); flag INITIALIZER. NAME as for add_value. */
KetteValue *_kette_graph_add_constant (KetteGraph *graph, const char *name,
                                       KetteTensor *data, GError **error);
/* The stand-in of OUTER in GRAPH, made if needed. */
KetteValue *_kette_graph_capture (KetteGraph *graph, KetteValue *outer, GError **error);
/* Copies dims into the graph's region. */
gboolean _kette_value_set_type (KetteValue *value, const kt_type *type, GError **error);
gboolean _kette_value_set_tensor_type (KetteValue *value, int dtype, const int64_t *dims,
                                       int rank, GError **error);
void _kette_value_set_data (KetteValue *value, KetteTensor *data); /* refs; NULL clears */
void _kette_value_set_sparse (KetteValue *value, KetteSparse *sparse); /* the same */

/* TYPE with its dims and element types in REGION. */
gboolean _kette_type_copy (KetteRegion *region, const kt_type *type, kt_type *out,
                           GError **error);

/* node.c -------------------------------------------------------------------------------- */
/* IN and OUT are copied (NULL: absent), attributes are copied deeply (tensor attributes:
 * the tensors behind are copied too). The outputs' producer and slot are set; NULL entries
 * in OUT are absent outputs. */
KetteNode *_kette_graph_add_node (KetteGraph *graph, const char *name, const char *domain,
                                  const char *op, int32_t version, KetteValue *const *in,
                                  int32_t n_in, KetteValue *const *out, int32_t n_out,
                                  const kt_attr *attrs, int32_t n_attrs, GError **error);
const kt_attr *_kette_node_attr (const KetteNode *node, const char *name); /* or NULL */
gboolean _kette_node_set_attr (KetteNode *node, const kt_attr *attr, GError **error);
/* Makes room for outputs up to index I (absent ones between). */
gboolean _kette_node_grow_outputs (KetteNode *node, int32_t i, GError **error);
/* `node "n0" (Conv)`, `node #12 (Conv)`, with the way through subgraphs in front. */
const char *_kette_node_where (const KetteNode *node, char out[KETTE_WHERE_SIZE]);
/* The same for a graph: "" for a main graph, else `node "if0" (If), then_branch`. */
const char *_kette_graph_where (const KetteGraph *graph, char out[KETTE_WHERE_SIZE]);
/* Is step N of ALL into subgraphs, counted from the innermost, left out of such a text? */
static inline gboolean
_kette_where_skips (size_t all, size_t n)
{
  return all > 12 && n >= 4 && n < all - 4;
}
/* The node whose subgraph this is, and which attribute; NULL: none. */
KetteNode *_kette_graph_owner (const KetteGraph *graph, int32_t *attr);
void _kette_node_kill (KetteNode *node);
/* A deep copy of ATTR into GRAPH. SHARED: the tensors behind it are kept by GRAPH already, and
 * only their views are copied. A subgraph is not copied. */
gboolean _kette_attr_copy (KetteGraph *graph, const kt_attr *attr, gboolean shared,
                           kt_attr *out, GError **error);

/* walk.c -------------------------------------------------------------------------------- */
/* Sorts the nodes topologically, stably (Kahn, smallest index first), stand-ins of subgraphs
 * counted as inputs of the node that owns them; a cycle is the error `graph: cycle: ...`.
 * `before`: NULL, or extra edges first -> second by node index, n_before pairs. */
gboolean _kette_graph_sort (KetteGraph *graph, const uint32_t (*before)[2],
                            size_t n_before, GError **error);
/* Replaces every use of a value with `replacement` set (chains followed) by it, in nodes,
 * outputs and subgraph captures; one pass. */
void _kette_graph_apply_replacements (KetteGraph *graph);
/* Kills nodes none of whose outputs are needed for the graph's outputs or KEEP (may be
 * NULL), then drops dead nodes from graph->nodes and renumbers. */
gboolean _kette_graph_sweep (KetteGraph *graph, KetteValue *const *keep, size_t n_keep,
                             GError **error);
/* Use lists in compressed form: nodes that read value v (also through subgraphs) are
 * uses->nodes[uses->start[v->index] .. uses->start[v->index + 1] - 1], ascending, a node
 * once per input. Invalid after the next edit. */
typedef struct
{
  uint32_t *start;
  KetteNode **nodes;
} KetteUses;
KetteUses *_kette_uses_new (const KetteGraph *graph, GError **error);
void _kette_uses_free (KetteUses *uses);

/* names.c ------------------------------------------------------------------------------- */
KetteNames *_kette_names_new (GError **error);
void _kette_names_free (KetteNames *names);
/* NAME is not copied. FALSE with `memory`; an existing name is overwritten. */
gboolean _kette_names_set (KetteNames *names, const char *name, gpointer value,
                           GError **error);
gpointer _kette_names_get (const KetteNames *names, const char *name); /* NULL: absent */
void _kette_names_remove (KetteNames *names, const char *name);
