/* SPDX-License-Identifier: Apache-2.0
 *
 * shape.h: arithmetic on shapes that may be known in part, and the kernel of views.
 */
#pragma once
#include "operator.h"

/* Bits of one element, sub-byte types included; a string counts as its kt_str. */
int32_t kt_bits_of (int32_t dtype);
/* Bytes of COUNT elements; sub-byte types are packed. */
size_t kt_bytes_of (int32_t dtype, int64_t count);
/* The element type of a tensor, by DLPack's code and bits. */
int32_t kt_dtype_of (const kt_tensor *t);
/* Element I of an int32 or int64 tensor. */
static inline int64_t
kt_int_at (const kt_tensor *t, int64_t i)
{
  return t->bits == 32 ? ((const int32_t *) t->data)[i] : ((const int64_t *) t->data)[i];
}

/* Where element I of a tensor stands: "[1,0]". Returns OUT. */
const char *kt_position (const kt_tensor *t, int64_t i, char out[256]);

/* The product of DIMS: a number; a symbol that is multiplied by ones; else KT_DIM (0).
 * KT_E_LIMIT when it exceeds int64. */
kt_status kt_product (const kt_host *host, const void *ctx, const int64_t *dims,
                      int32_t n, int64_t *out);

/* The row-major strides of DIMS, in elements. Where one of DIMS is 0 they may pass 2^63: they
 * wrap, and nobody uses them. */
static inline void
kt_strides (const int64_t *dims, int32_t ndim, int64_t *strides)
{
  uint64_t step = 1;

  for (int32_t d = ndim - 1; d >= 0; d--)
    {
      strides[d] = (int64_t) step;
      step *= (uint64_t) dims[d];
    }
}

/* Number of elements of input I if its type is [n] with n known, 0 for an absent input,
 * else -1. KT_E_SHAPE if it has a rank other than 1. */
kt_status kt_length_of (const kt_host *host, const void *ctx, int32_t i, int64_t *n);
/* The same for a list of axes, where a scalar is a list of one. */
kt_status kt_n_axes_of (const kt_host *host, const void *ctx, int32_t i, int64_t *n);

/* The axes that an input lists. */
typedef struct kt_axes
{
  enum
  {
    KT_AXES_ABSENT,
    KT_AXES_UNKNOWN, /* n is known, or -1 */
    KT_AXES_KNOWN
  } state;
  int64_t n;
  uint32_t set; /* bit d: axis d */
} kt_axes;

/* Axes V of a shape of rank NDIM as a set: KT_E_VALUE if one is out of range or stands
 * twice. */
kt_status kt_axis_set (const kt_host *host, const void *ctx, const int64_t *v, size_t n,
                       int32_t ndim, uint32_t *set);
/* The axes in input I for a shape of rank NDIM, as far as known before the run. */
kt_status kt_axes_of (const kt_host *host, const void *ctx, int32_t i, int32_t ndim,
                      kt_axes *axes);
/* The same while running: input I is a tensor. */
kt_status kt_axes_at_run (const kt_host *host, kt_run *run, int32_t i, int32_t ndim,
                          kt_axes *axes);

/* Sets output 0 to DTYPE with NDIM dims that are not known. */
kt_status kt_set_unknown (const kt_host *host, kt_infer *infer, int32_t i, int32_t dtype,
                          int32_t ndim);
/* The known content of input 0 is that of output 0 (Reshape and kin). */
kt_status kt_pass_ints (const kt_host *host, kt_infer *infer);

/* Kernel of a view: all of input 0, copied, for a host that cannot share the memory. */
kt_status kt_view_prepare (const kt_host *host, kt_prep *prep, void *user, void **state);
kt_status kt_view_run (const kt_host *host, kt_run *run, void *state);

#define KT_VIEW_KERNEL(NAME)                                                             \
  static const kt_kernel NAME[] = { { KT_KERNEL, .flags = KT_CPU_FLAGS, .n_alias = 1,    \
                                      .alias   = &(const kt_alias){ 0, 0, 1, 0 },        \
                                      .prepare = kt_view_prepare, .run = kt_view_run },  \
                                    { 0 } };

/* Old forms: emits the operator named by user with the inputs of the node and, as its input
 * 1, the INTS attribute "axes"; no such attribute, no such input. keepdims is passed on. */
kt_status kt_old_axes (const kt_host *host, kt_graph *g, void *user);

/* V in the shape that the value SHAPE holds; a 0 in it is a dim of 0. */
kt_value kt_reshape_as (const kt_host *host, kt_graph *g, kt_value v, kt_value shape);
/* Gradient of a view: dE/dx is dE/dy in the shape of x. */
kt_status kt_view_gradient (const kt_host *host, kt_graph *g, void *user);
