/* SPDX-License-Identifier: Apache-2.0
 *
 * GatherElements: y[.., i, ..] = data[.., indices[.., i, ..], ..] along `axis`; negative indices
 * count from the end.  Source: ONNX GatherElements-13.
 */
#include "elements.h"
#include "scatter.h"

static kt_status
gather_elements_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0), at = kt_in_type (host, infer, 1);
  int32_t axis;

  (void) user;
  KT_TRY (kt_elements_check (host, infer, &x, &at, &axis));
  if (x.kind == 0)
    return KT_OK;
  return at.kind && at.ndim >= 0 ? kt_set_out (host, infer, 0, x.dtype, at.dims, at.ndim)
                                 : kt_set_unknown (host, infer, 0, x.dtype, x.ndim);
}

typedef struct
{
  uint64_t a, b;
} Pair;

#define TAKE(BITS, T)                                                                    \
  static void take_##BITS (void *data, const int64_t *at, void *side, int64_t n)         \
  {                                                                                      \
    const T *x = data;                                                                   \
    T *y       = side;                                                                   \
                                                                                         \
    for (int64_t i = 0; i < n; i++)                                                      \
      y[i] = x[at[i]];                                                                   \
  }

TAKE (8, uint8_t)
TAKE (16, uint16_t)
TAKE (32, uint32_t)
TAKE (64, uint64_t)
TAKE (128, Pair)

typedef struct
{
  kt_elements elements;
  kt_elements_loop *loop;
  size_t size;
} State;

static kt_status
gather_elements_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0), at = kt_in_type (host, prep, 1);
  int32_t axis;
  State *s;

  (void) user;
  KT_TRY (kt_elements_check (host, prep, &x, &at, &axis));
  KT_TRY (host->keep (prep, sizeof *s, state));
  s       = *state;
  s->size = kt_size_of (x.dtype);
  s->loop = s->size == 1   ? take_8
            : s->size == 2 ? take_16
            : s->size == 4 ? take_32
            : s->size == 8 ? take_64
                           : take_128;
  kt_elements_plan (&s->elements, &x, &at, axis, false);
  return KT_OK;
}

static kt_status
gather_elements_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s = state;

  return kt_elements_run (host, run, &s->elements, &run->in[1], s->loop, run->in[0].data,
                          run->out[0].data, s->size);
}

static const kt_kernel gather_elements_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = gather_elements_prepare,
    .run = gather_elements_run },
  { 0 },
};

/* dE/dx: dE/dy added to zeros where the elements came from. */
static kt_status
gather_elements_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_attr attrs[]
      = { { .name = "axis", .kind = KT_A_INT, .i = kt_attr_int (host, g, "axis", 0) },
          { .name = "reduction", .kind = KT_A_STRING, .v = "add", .n = 3 } };
  const kt_value dy = host->g_seed (g, 0);
  const kt_value in[]
      = { kt_zeros (host, g, dy, kt_shape_of (host, g, host->g_in (g, 0))),
          host->g_in (g, 1), dy };

  (void) user;
  return host->g_set (g, 0, kt_node (host, g, "ScatterElements", in, 3, attrs, 2));
}

const kt_operator kette_op_gather_elements = {
  .op     = { KT_OP ("GatherElements", 11), .flags = KT_OP_PURE,
              .infer = gather_elements_infer, .gradient = gather_elements_gradient },
  .kernel = gather_elements_kernel,
};
