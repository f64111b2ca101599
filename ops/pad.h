/* SPDX-License-Identifier: Apache-2.0
 *
 * pad.h: what is put around a tensor: how much, from where, and the copying.
 */
#pragma once
#include "move.h"

typedef enum
{
  KT_PAD_CONSTANT,
  KT_PAD_REFLECT, /* mirrored, without the edge itself    */
  KT_PAD_EDGE,    /* the outermost element again and again */
  KT_PAD_WRAP     /* from the other end                   */
} kt_pad_mode;

/* Elements in front of and behind each dim; negative ones are cut off; KT_DIM: not known. */
typedef struct kt_pads
{
  int64_t begin[KT_MAX_RANK], end[KT_MAX_RANK];
} kt_pads;

/* A dim that is walked: the output has OUT, the input N elements, of which those from LOW to
 * before HIGH are left; input = output - BEGIN. */
typedef struct kt_pad_dim
{
  int64_t out, n, begin, low, high;
} kt_pad_dim;

typedef struct kt_pad
{
  kt_pad_mode mode;
  int32_t bits, ndim; /* of an element; outer dims */
  kt_pad_dim dims[KT_MAX_RANK], last;
  int64_t inner; /* elements of an element of the last dim */
  int64_t chunk, n_chunks, n_units, grain;
} kt_pad;

/* The attribute "mode". */
kt_status kt_pad_mode_of (const kt_host *host, const void *ctx, kt_pad_mode *mode);
/* PADS: N begins, then N ends, of AXES or (NULL; N is NDIM) of all. */
kt_status kt_pads_resolve (const kt_host *host, const void *ctx, int32_t ndim,
                           const int64_t *pads, const int64_t *axes, int64_t n,
                           kt_pads *out);
kt_status kt_pad_shape (const kt_host *host, const void *ctx, kt_pad_mode mode,
                        int32_t ndim, const int64_t *dims, const kt_pads *pads,
                        int64_t *out);
/* All known, and kt_pad_shape content. */
void kt_pad_plan (kt_pad *p, kt_pad_mode mode, int32_t dtype, int32_t ndim,
                  const int64_t *dims, const kt_pads *pads);
/* VALUE: the constant, NULL: zero. */
kt_status kt_pad_run (const kt_host *host, kt_run *run, const kt_pad *p,
                      const void *value, const void *in, void *out);
