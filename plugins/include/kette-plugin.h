/* SPDX-License-Identifier: Apache-2.0
 *
 * kette-plugin.h: the contract between Kette and its operator plugins.
 *
 * A plugin is a shared object that exports one symbol, kette_plugin_v0, of type kt_entry.
 * It links nothing of Kette: whatever it needs it reaches through the kt_host table that
 * the entry receives and that stays valid for the life of the process.
 *
 * An operator lives in five stages, each with an opaque context of its own:
 *
 *   register   kt_reg    the entry function adds operators (kt_op) and kernels (kt_kernel)
 *   infer      kt_infer  types and shapes of the outputs from those of the inputs
 *   gradient   kt_graph  emits ordinary nodes that compute the gradients of the inputs
 *   (body)     kt_graph  emits ordinary nodes that compute the outputs
 *   prepare    kt_prep   once per node with all shapes known: choose code, keep state
 *   run        kt_run    compute; no allocation, no blocking, any thread of the host's pool
 *
 * Rules for growth: structs that begin with struct_size only grow at their end, by fields
 * of 8 bytes; readers test a field with KT_HAS. kt_tensor, kt_type, kt_str, kt_attr,
 * kt_param and kt_alias stand in arrays and are frozen. Until version 1 is declared the
 * entry is kette_plugin_v0 and everything here may still change.
 */
#ifndef KETTE_PLUGIN_H
#define KETTE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define KT_BEGIN_DECLS                                                                   \
  extern "C"                                                                             \
  {
#define KT_END_DECLS }
#else
#define KT_BEGIN_DECLS
#define KT_END_DECLS
#endif

KT_BEGIN_DECLS

#define KT_ABI_MAJOR 0u
#define KT_ABI_MINOR 4u

/* Does the struct behind P, written by somebody else, hold the field F? */
#define KT_HAS(T, p, f) ((p)->struct_size >= offsetof (T, f) + sizeof ((p)->f))

/* The contexts of the five stages. Each is valid only during the call that receives it. */
typedef struct kt_reg kt_reg;
typedef struct kt_infer kt_infer;
typedef struct kt_graph kt_graph;
typedef struct kt_prep kt_prep;

/* 0 or one of KT_E_*; the text that explains an error goes through host->fail. */
typedef int32_t kt_status;
enum
{
  KT_OK            = 0,
  KT_E_ATTR        = -1, /* an attribute: missing, or outside its range              */
  KT_E_VALUE       = -2, /* the content of an input: index, axis, divisor, label     */
  KT_E_TYPE        = -3, /* element types do not fit                                 */
  KT_E_SHAPE       = -4, /* ranks or dims do not fit                                 */
  KT_E_NOMEM       = -5, /* memory refused                                           */
  KT_E_DEVICE      = -6, /* a device or its driver failed                            */
  KT_E_UNSUPPORTED = -7, /* a legal request that this code does not serve            */
  KT_E_INTERNAL    = -8, /* a fault of the plugin itself                             */
  KT_E_CANCELLED   = -9, /* stopped because host->cancelled said so                  */
  KT_E_LIMIT       = -10 /* inference: a dim does not fit int64                      */
};

/* DLPack's DLTensor, field for field. strides: in elements; NULL means row-major compact.
 * device_type 0 marks an operand that is absent. */
typedef struct kt_tensor
{
  void *data;
  int32_t device_type, device_id, ndim;
  uint8_t code, bits;
  uint16_t lanes;
  const int64_t *shape, *strides;
  uint64_t byte_offset;
} kt_tensor;

enum /* kt_tensor.device_type, DLPack's numbers */
{
  KT_CPU  = 1,
  KT_CUDA = 2,
  KT_EXT  = 12
};

/* Element types: ONNX's TensorProto.DataType numbers. */
enum
{
  KT_UNDEFINED  = 0,
  KT_F32        = 1,
  KT_U8         = 2,
  KT_I8         = 3,
  KT_U16        = 4,
  KT_I16        = 5,
  KT_I32        = 6,
  KT_I64        = 7,
  KT_STRING     = 8,
  KT_BOOL       = 9,
  KT_F16        = 10,
  KT_F64        = 11,
  KT_U32        = 12,
  KT_U64        = 13,
  KT_C64        = 14,
  KT_C128       = 15,
  KT_BF16       = 16,
  KT_F8E4M3FN   = 17,
  KT_F8E4M3FNUZ = 18,
  KT_F8E5M2     = 19,
  KT_F8E5M2FNUZ = 20,
  KT_U4         = 21,
  KT_I4         = 22,
  KT_F4E2M1     = 23,
  KT_F8E8M0     = 24,
  KT_U2         = 25,
  KT_I2         = 26
};

enum /* kt_type.kind; 0: absent or not known */
{
  KT_TENSOR = 1,
  KT_SEQUENCE,
  KT_OPTIONAL,
  KT_MAP,
  KT_SPARSE
};

/* A dim, or an element of a partly known int64 tensor, that is not a number: KT_DIM (0) is
 * unknown, KT_DIM (k) with 0 < k < 2^31 is the graph's symbol k ("batch"): equal symbols
 * are equal numbers. */
#define KT_DIM(k) (INT64_MIN + (int64_t) (k))
#define KT_IS_DIM(v) ((v) < INT64_MIN + ((int64_t) 1 << 31))

/* The type of a value. ndim -1: rank unknown. dims hold numbers >= 0 or KT_DIM codes. */
typedef struct kt_type
{
  int32_t kind, dtype, ndim, key;
  const int64_t *dims;
  const struct kt_type *elem; /* of a sequence, an optional, a map's values */
} kt_type;

/* n bytes, not terminated; an element of a string tensor or of a STRINGS attribute. */
typedef struct kt_str
{
  const char *s;
  size_t n;
} kt_str;

enum /* kt_attr.kind: ONNX's AttributeProto.AttributeType numbers */
{
  KT_A_FLOAT          = 1,
  KT_A_INT            = 2,
  KT_A_STRING         = 3,
  KT_A_TENSOR         = 4,
  KT_A_GRAPH          = 5,
  KT_A_FLOATS         = 6,
  KT_A_INTS           = 7,
  KT_A_STRINGS        = 8,
  KT_A_TENSORS        = 9,
  KT_A_GRAPHS         = 10,
  KT_A_SPARSE_TENSOR  = 11,
  KT_A_SPARSE_TENSORS = 12,
  KT_A_TYPE           = 13,
  KT_A_TYPES          = 14
};

/* An attribute. INT in i, FLOAT in f; else v points to n elements: char (STRING), int64_t
 * (INTS), float (FLOATS), kt_str (STRINGS), kt_tensor (TENSOR, TENSORS), kt_type.
 * ref: name of the caller's attribute, inside a function body only. kind 0: absent. */
typedef struct kt_attr
{
  const char *name, *ref;
  int32_t kind, reserved;
  int64_t i;
  double f;
  const void *v;
  size_t n;
} kt_attr;

typedef int32_t kt_value; /* a value of the graph inside gradient and body; 0: absent */

/* What run sees. The two arrays hold the node's operands in order, resolved; an absent one
 * has device_type 0. They are read without a call because a run must cost nanoseconds. */
typedef struct kt_run
{
  const void *context; /* the host's */
  const kt_tensor *in;
  const kt_tensor *out;
  int32_t n_in, n_out;
} kt_run;

/* A part of a parallel loop: the indices begin <= i < end. worker: 0 .. workers - 1. */
typedef void kt_body (void *arg, int64_t begin, int64_t end, int32_t worker);

struct kt_op;
struct kt_kernel;
struct kt_device; /* kette-device.h */

/* A node behind the one that is prepared: it takes that one's result element by element. */
typedef struct kt_follower
{
  const char *domain, *op;
  int32_t version, operand; /* operand: which of its inputs is the result so far */
  int32_t n_in, reserved;
} kt_follower;

/* What the host offers. ctx is the context of any stage. */
typedef struct kt_host
{
  size_t struct_size;
  uint32_t abi_major, abi_minor;

  /* Any stage but register. ------------------------------------------------------------ */

  /* Explains an error; copies the text; returns code. The host adds node and operator. */
  kt_status (*fail) (const void *ctx, kt_status code, const char *msg, size_t len);
  void (*log) (const void *ctx, int32_t level, const char *msg, size_t len);
  /* The node's attribute, else the default of its kt_op, else kind 0. */
  kt_status (*attr) (const void *ctx, const char *name, kt_attr *out);
  kt_status (*arity) (const void *ctx, int32_t *n_in, int32_t *n_out, int32_t *version);
  /* Type of input or output i; kind 0: absent (ndim 0), or there and not known (ndim -1). */
  kt_status (*type) (const void *ctx, int32_t is_out, int32_t i, kt_type *out);
  /* Content of input i where it is known before the run; data NULL: it is not. */
  kt_status (*constant) (const void *ctx, int32_t i, kt_tensor *out);
  /* Content of the int32 or int64 input i as far as it is known, widened to int64, with
   * KT_DIM codes for elements that are not; *v NULL: nothing is known. */
  kt_status (*ints) (const void *ctx, int32_t i, const int64_t **v, size_t *n);

  /* infer -------------------------------------------------------------------------------- */

  kt_status (*out_type) (kt_infer *, int32_t i, const kt_type *); /* copied */
  /* The content of the integer output i, as far as known (Shape, Size, Concat, ...). */
  kt_status (*out_ints) (kt_infer *, int32_t i, const int64_t *v, size_t n);

  /* prepare: once per node and device ---------------------------------------------------- */

  /* Scratch memory for run, one piece, or one per worker; aligned to 64 bytes. */
  kt_status (*want_workspace) (kt_prep *, size_t bytes, int32_t per_worker);
  /* Zeroed memory that lives as long as the prepared node: the state, packed weights. */
  kt_status (*keep) (kt_prep *, size_t bytes, void **p);

  /* run ---------------------------------------------------------------------------------- */

  /* Gives output i its dims and memory; only for outputs whose shape infer left open. */
  kt_status (*output_sized) (kt_run *, int32_t i, const int64_t *dims, int32_t ndim,
                             kt_tensor *out);
  void *(*workspace) (kt_run *, int32_t worker, size_t *bytes); /* -1: the shared piece */
  /* Philox 4x32-10 of this node and step: the key, and the upper half of the counter.
   * With the attribute "seed" the key is derived from it instead of the run's seed. */
  kt_status (*random) (kt_run *, uint32_t key[2], uint32_t counter[2]);
  /* Calls body for pieces of 0 .. n-1 of grain indices (the last may be shorter), on the
   * host's threads; the pieces depend on n and grain alone. Nested calls run inline.
   * KT_E_CANCELLED: the run is to stop and pieces were left out; return it at once. */
  kt_status (*parallel_for) (kt_run *, int64_t n, int64_t grain, kt_body *body,
                             void *arg);
  int32_t (*cancelled) (const kt_run *);
  void *(*native_stream) (kt_run *); /* the device's own stream, NULL on the CPU */

  /* gradient and body: emit nodes -------------------------------------------------------- */

  /* The forward node's values. What a gradient asks for here is what stays in memory.
   * g_out of an absent optional output creates it. */
  kt_value (*g_in) (kt_graph *, int32_t i);
  kt_value (*g_out) (kt_graph *, int32_t i);
  /* dE / d output i; 0 where E does not depend on it. */
  kt_value (*g_seed) (kt_graph *, int32_t i);
  /* Is the gradient of input i needed? (body: is output i used?) */
  int32_t (*g_wanted) (const kt_graph *, int32_t i);
  /* Adds a node. version: the opset whose definition is meant. out receives n_out values. */
  kt_status (*g_node) (kt_graph *, const char *domain, const char *op, int32_t version,
                       const kt_value *in, int32_t n_in, kt_value *out, int32_t n_out,
                       const kt_attr *attrs, int32_t n_attrs);
  /* gradient: dE / d input i (several calls are summed); body: output i. */
  kt_status (*g_set) (kt_graph *, int32_t i, kt_value);
  kt_status (*g_type) (const kt_graph *, kt_value, kt_type *out);
  kt_status (*g_constant) (kt_graph *, const kt_tensor *, kt_value *out); /* copied */
  /* Text that says why no gradient or body can be had goes through fail. */

  /* register: only inside the entry function; the descriptors are copied ------------------ */

  kt_status (*add_op) (kt_reg *, const struct kt_op *);
  kt_status (*add_kernel) (kt_reg *, const struct kt_kernel *);

  /* Chains: a product and what is done with each of its elements ------------------------- */

  /* prepare of a kernel with KT_K_EPILOGUE: the node I places (0: directly) behind this one
   * in the chain; op NULL: there is none. Its attributes and the types of its inputs. */
  kt_status (*follower) (const kt_prep *, int32_t i, kt_follower *out);
  kt_status (*follower_attr) (const kt_prep *, int32_t i, const char *name, kt_attr *out);
  kt_status (*follower_type) (const kt_prep *, int32_t i, int32_t input, kt_type *out);
  /* The kernel does the work of the first N followers itself. Their inputs, without the
   * result so far, are appended to run->in; run->out[0] is the last one's output. */
  kt_status (*absorb) (kt_prep *, int32_t n);
  /* run of a kernel with KT_K_EPILOGUE: elements begin <= i < end of output 0 are written and
   * final; the host does with them what follows. Each element exactly once. */
  kt_status (*epilogue) (kt_run *, int64_t begin, int64_t end, int32_t worker);

  /* How many processors this machine has, however many threads run: for cutting work into
   * enough pieces. Anywhere. */
  int32_t (*processors) (void);

  /* Devices (kette-device.h) -------------------------------------------------------------- */

  /* register: adds a kind of device. Its name is unique in the process. */
  kt_status (*add_device) (kt_reg *, const struct kt_device *);
  /* prepare, run: the device that the node is placed on, as its kt_device.open gave it; NULL:
   * the CPU. prepare is called on the host's thread and may allocate there for its state. */
  void *(*device) (const void *ctx);

  /* prepare: to what products and convolutions of f32 may round their factors, KT_ROUND_*:
   * what the user asked for, on devices that have it. Sums, results and what is stored stay f32. */
  int32_t (*precision) (const kt_prep *);
  /* prepare: to what this kernel rounds them, which is said where the plan is shown. A kernel
   * that does not call it rounds nothing. */
  kt_status (*rounds) (kt_prep *, int32_t precision);
} kt_host;

enum /* kt_host.precision: bits of the significand, the hidden one included */
{
  KT_ROUND_NONE = 0, /* 24: f32 as it is                       */
  KT_ROUND_TF32 = 1, /* 11: f32 without its last 13 bits       */
  KT_ROUND_BF16 = 2  /* 8: f32 without its last 16 bits        */
};

enum /* kt_param.flags */
{
  KT_P_OPTIONAL
  = 1, /* input or output may be absent; attribute has no default and may be */
  KT_P_VARIADIC
  = 2,            /* the last input or output: one or more                              */
  KT_P_MIXED = 4, /* the variadic ones may differ in type                               */
  KT_P_NO_GRADIENT
  = 8, /* not differentiable: indices, conditions, shapes                    */
  KT_P_NO_PARAMETER
  = 16 /* an initializer here is no weight: statistics, bounds, data        */
};

/* An input or output (type: a variable such as "T", or types such as "i64" or "i32|i64"), a
 * type variable (type: the types that it may stand for; "*": all), or an attribute (type:
 * the kind in ONNX's words, "INT"; def: the default as text, NULL if there is none). */
typedef struct kt_param
{
  const char *name, *type, *def;
  uint32_t flags, min; /* min: of a variadic one, how many there are at least */
} kt_param;

enum /* kt_op.flags */
{
  KT_OP_PURE        = 1, /* same inputs, same outputs: may be folded and merged    */
  KT_OP_NO_GRADIENT = 2, /* no derivative by nature: an active path ends here with
                            an error, or silently where no input is a float        */
  KT_OP_ELEMENTWISE = 4,
  KT_OP_PER_SAMPLE  = 8,
  KT_OP_MATMUL  = 16, /* products of inputs 0 and 1, summed up: placement reckons so */
  KT_OP_CONTROL = 32,
  KT_OP_ZERO_GRADIENT = 64, /* the derivative is zero or meaningless on purpose: the
                               gradient stops here silently (Shape, comparisons)   */
  KT_OP_DEPRECATED    = 128 /* read and run, but no new file is written with it     */
};

/* What an operator is. (domain, name, since) is unique in the process. */
typedef struct kt_op
{
  size_t struct_size;
  const char *domain, *name, *doc;
  int32_t since, until; /* first and last opset of this definition; until 0: open end */
  uint32_t flags;
  int32_t n_in, n_out, n_attr;
  const kt_param *in, *out, *attr;
  int32_t n_var, reserved;
  const kt_param *var; /* type variables */
  void *user;
  kt_status (*infer) (const kt_host *, kt_infer *, void *user);
  kt_status (*gradient) (const kt_host *, kt_graph *, void *user);
  kt_status (*body) (const kt_host *, kt_graph *, void *user);
  const char *formula;        /* for pictures, e.g. "\\sigma($0)"; NULL: derived      */
  const char *const *factors; /* per input, e.g. "\\sigma'($0)"; NULL: derived        */
  const char *examples;       /* sample cases in the test format; NULL: none          */
} kt_op;

/* Output out may be (must 0) or always is (must 1) the memory of input in. A kernel whose
 * only work is such a must (Reshape, Squeeze) is never called: it is a view. */
typedef struct kt_alias
{
  int32_t in, out;
  uint32_t must, reserved;
} kt_alias;

enum /* kt_kernel.flags */
{
  KT_K_CAPTURABLE    = 1,  /* launches only; may be recorded and replayed     */
  KT_K_DETERMINISTIC = 2,  /* same bits for any number of threads             */
  KT_K_REENTRANT     = 4,  /* several runs at once are fine                   */
  KT_K_TILEABLE      = 8,  /* has tile; of a device that launches: may be absorbed */
  KT_K_STRIDED       = 16, /* takes inputs with strides                       */
  KT_K_EPILOGUE      = 32, /* run calls host->epilogue for all of output 0    */
  KT_K_FOLLOWS       = 64  /* has a layout, and is taken only where an input lies so
                              already: not worth a conversion                 */
};

/* How an operator runs on a device, for some types. */
typedef struct kt_kernel
{
  size_t struct_size;
  const char *domain, *name, *device; /* device "cpu", "cuda", ...            */
  const char *types;                  /* "T=f32|f64;Tind=i64"; NULL: all      */
  int32_t since, until;               /* definitions served; until 0: open    */
  int32_t priority, n_alias;          /* portable kernels 0, libraries 100    */
  const kt_alias *alias;
  uint64_t host_in, host_out; /* bit i: that operand stays in host memory */
  uint32_t flags, reserved;
  void *user;
  /* May be NULL. KT_E_UNSUPPORTED: this kernel cannot, others may: the node is passed on to the
   * device's next kernel by priority, behind its last one to the host's, and the text given to
   * fail is shown as the reason. Any other status is the end of the plan. */
  kt_status (*prepare) (const kt_host *, kt_prep *, void *user, void **state);
  kt_status (*run) (const kt_host *, kt_run *, void *state);
  void (*destroy) (void *state); /* for what keep did not give; may be NULL     */
  /* How operands lie in memory: a tag per input, separated by commas, then '>' and a tag per
   * output; what is not named is row-major. NULL: all are.
   *   ""           row-major
   *   "c8", "c16"  channels (dim 1) in blocks of 8 or 16: n, c / 8, d1, d2, ..., c % 8. The
   *                number of channels is a multiple of the block.
   *   "*"          whatever it is, the same for all operands with this tag, which have one
   *                shape (inputs of one element aside): kernels that go through memory
   *                without looking at positions
   * Example: "c8,,>c8". The host converts (kette.Reorder) where layouts do not fit. */
  const char *layout;
  /* Would this kernel serve the node? Asked before layouts are decided and prepare is called;
   * types and shapes are known. NULL: yes. Where the layout has blocks, prepare must not
   * refuse as KT_E_UNSUPPORTED what was agreed to here. */
  int32_t (*suits) (const kt_host *, const void *ctx, void *user);
  /* KT_K_TILEABLE: elements begin <= i < end of output 0 alone, from the operands in RUN. An
   * input of the output's shape is read at the same elements only. Any thread. */
  kt_status (*tile) (const kt_host *, kt_run *, void *state, int64_t begin, int64_t end,
                     int32_t worker);
} kt_kernel;

/* The exported function. */
typedef kt_status kt_entry (const kt_host *, kt_reg *);

KT_END_DECLS
#endif /* KETTE_PLUGIN_H */
