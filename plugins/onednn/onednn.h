/* SPDX-License-Identifier: Apache-2.0
 *
 * onednn.h: convolutions, pools and batch normalisation in blocks of channels.
 *
 *   library.c    libdnnl, opened when the first node asks for it, and held to one thread
 *   allocate.c   what libdnnl allocates at each call
 *   primitive.c  a primitive of oneDNN, callable from any thread without allocation
 *   window.c     the geometry of convolutions and pools
 *   conv.c ...   one file per operator
 *   pointwise.c  convolutions of single pixels, by own code
 *
 * Work is cut into pieces that shapes alone decide; each is one primitive on one thread.
 */
#pragma once
#include "kette-plugin.h"
#include <oneapi/dnnl/dnnl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* library.c ------------------------------------------------------------------------------ */

#define DNN_CALLS(X)                                                                     \
  X (dilated_convolution_backward_data_desc_init)                                        \
  X (dilated_convolution_backward_weights_desc_init)                                     \
  X (dilated_convolution_forward_desc_init)                                              \
  X (engine_create)                                                                      \
  X (memory_create)                                                                      \
  X (memory_desc_get_size)                                                               \
  X (memory_desc_init_by_strides)                                                        \
  X (memory_desc_init_by_tag)                                                            \
  X (memory_destroy)                                                                     \
  X (memory_set_data_handle)                                                             \
  X (post_ops_append_sum)                                                                \
  X (post_ops_create)                                                                    \
  X (post_ops_destroy)                                                                   \
  X (primitive_attr_create)                                                              \
  X (primitive_attr_destroy)                                                             \
  X (primitive_attr_set_post_ops)                                                        \
  X (primitive_attr_set_scratchpad_mode)                                                 \
  X (primitive_create)                                                                   \
  X (primitive_desc_create)                                                              \
  X (primitive_desc_destroy)                                                             \
  X (primitive_desc_query)                                                               \
  X (primitive_desc_query_md)                                                            \
  X (primitive_destroy)                                                                  \
  X (primitive_execute)                                                                  \
  X (reorder_primitive_desc_create)                                                      \
  X (stream_create)                                                                      \
  X (version)

/* dnn.memory_create is dnnl_memory_create, and so on. */
typedef struct
{
#define DNN_FIELD(NAME) __typeof__ (&dnnl_##NAME) NAME;
  DNN_CALLS (DNN_FIELD)
#undef DNN_FIELD
  dnnl_engine_t engine;
  dnnl_stream_t stream;
} Dnn;
extern Dnn dnn;

/* Opens libdnnl at the first call. FALSE: it cannot be had, or not held to one thread. */
bool dnn_open (void);
/* The calling thread runs primitives between these two; no thread is started for them. */
int dnn_begin (void);
void dnn_end (int before);

/* allocate.c: the small blocks that LIBRARY takes and gives back at each call are kept. */
void allocate_begin (void *library);

/* The block of channels that is best for this processor. */
int dnn_block (void);

/* host->fail with a text. */
kt_status dnn_fail (const kt_host *host, const void *ctx, kt_status code,
                    const char *text);
kt_status dnn_failed (const kt_host *host, const void *ctx, dnnl_status_t status);

/* primitive.c ---------------------------------------------------------------------------- */

enum
{
  MOST_ARGS  = 6,
  MOST_SLOTS = 320 /* calls at the same time: threads of the pool and runs */
};

typedef struct
{
  atomic_bool busy;
  int n;
  dnnl_exec_arg_t args[MOST_ARGS + 1]; /* and the scratchpad */
  void *scratch;
} Slot;

typedef struct
{
  dnnl_primitive_t primitive;
  dnnl_primitive_desc_t desc;
  int n_args, args[MOST_ARGS];
  dnnl_memory_desc_t md[MOST_ARGS];
  size_t scratch;
  Slot *_Atomic slots[MOST_SLOTS];
} Primitive;

/* Makes the primitive of DESC, which is taken over. Its operands are the arguments ARGS. */
kt_status primitive_init (const kt_host *host, const void *ctx, Primitive *p,
                          dnnl_primitive_desc_t desc, const int *args, int n_args);
void primitive_clear (Primitive *p);
/* DATA: a pointer per argument. Between dnn_begin and dnn_end. */
dnnl_status_t primitive_run (Primitive *p, void *const *data);
/* Bytes of operand I, as oneDNN lays it out. */
size_t primitive_bytes (const Primitive *p, int i);
/* The primitive that converts FROM to TO. */
kt_status primitive_init_reorder (const kt_host *host, const void *ctx, Primitive *p,
                                  const dnnl_memory_desc_t *from,
                                  const dnnl_memory_desc_t *to);
/* Is this code written for the processor, not oneDNN's reference? */
bool primitive_is_fast (dnnl_primitive_desc_t desc);

/* window.c ------------------------------------------------------------------------------- */

enum
{
  MOST_DIMS = 3
};

/* Windows over the large side (X of Conv) whose places are the small side (Y). */
typedef struct
{
  int n;
  int64_t large[MOST_DIMS], small[MOST_DIMS], kernel[MOST_DIMS], stride[MOST_DIMS],
      dilation[MOST_DIMS], begin[MOST_DIMS], end[MOST_DIMS];
} Window;

/* From the attributes and both sides, which are known. FALSE: this code does not serve it. */
bool window_read (const kt_host *host, const void *ctx, const kt_type *large,
                  const kt_type *small, const int64_t *kernel, Window *w);
/* The product of N dims; INT64_MAX where it is larger. */
int64_t window_count (const int64_t *dims, int n);

kt_type dnn_type (const kt_host *host, const void *ctx, int32_t is_out, int32_t i);
int64_t dnn_int (const kt_host *host, const void *ctx, const char *name, int64_t absent);

/* Row-major, or in blocks, for tensors with images and channels. */
dnnl_format_tag_t dnn_tag (int n_spatial, int block);

/* The kernels: tables that end with run NULL, for blocks of 8 and of 16 channels ---------- */

extern const kt_kernel conv_kernels_8[], conv_kernels_16[];
extern const kt_kernel weights_kernels_8[], weights_kernels_16[];
extern const kt_kernel point_kernels_8[], point_kernels_16[];
extern const kt_kernel pool_kernels_8[], pool_kernels_16[];
extern const kt_kernel norm_kernels_8[], norm_kernels_16[];
