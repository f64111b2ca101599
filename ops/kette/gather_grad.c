/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.GatherGrad: zeros of shape `shape`, to which the slices of dy are added at `indices`
 * along `axis`, in the order of the indices. The gradient of Gather.
 */
#include "rows.h"
#include "scatter.h"

static kt_status
gather_grad_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type dy = kt_in_type (host, infer, 0), at = kt_in_type (host, infer, 1);
  const int64_t *shape;
  int64_t length;
  int32_t axis = 0;
  size_t n;

  (void) user;
  if (dy.kind == 0)
    return KT_OK;
  KT_TRY (kt_length_of (host, infer, 2, &length));
  KT_TRY (host->ints (infer, 2, &shape, &n));
  if (length > KT_MAX_RANK)
    return kt_fail (host, infer, KT_E_LIMIT, "shape has %lld dims, at most %d are served",
                    (long long) length, KT_MAX_RANK);
  if (!shape)
    return kt_set_unknown (host, infer, 0, dy.dtype, (int32_t) length);
  KT_TRY (kt_axis (host, infer, KT_E_ATTR, kt_attr_int (host, infer, "axis", 0),
                   (int32_t) n, &axis));
  for (size_t d = 0; d < n; d++)
    if (shape[d] < 0 && !KT_IS_DIM (shape[d]))
      return kt_fail (host, infer, KT_E_VALUE, "shape has %lld at %zu",
                      (long long) shape[d], d);
  if (at.kind && at.ndim >= 0 && dy.ndim >= 0 && dy.ndim != at.ndim + (int32_t) n - 1)
    return kt_fail (host, infer, KT_E_SHAPE, "dy has rank %d, must have %d",
                    (int) dy.ndim, (int) (at.ndim + (int32_t) n - 1));
  return kt_set_out (host, infer, 0, dy.dtype, shape, (int32_t) n);
}

typedef struct
{
  kt_rows rows;
  kt_combine combine;
} State;

static kt_status
gather_grad_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type dy = kt_in_type (host, prep, 0), at = kt_in_type (host, prep, 1);
  const kt_type dx = kt_out_type (host, prep, 0);
  int32_t axis     = 0;
  State *s;

  (void) user;
  KT_TRY (kt_axis (host, prep, KT_E_ATTR, kt_attr_int (host, prep, "axis", 0), dx.ndim,
                   &axis));
  KT_TRY (host->keep (prep, sizeof *s, state));
  s = *state;
  kt_rows_plan_axis (&s->rows, &dx, axis, kt_count (at.dims, at.ndim));

  const int64_t needed = s->rows.outer * s->rows.count * s->rows.inner;
  if (kt_count (dy.dims, dy.ndim) != needed)
    return kt_fail (host, prep, KT_E_SHAPE, "dy has %lld elements, must have %lld",
                    (long long) kt_count (dy.dims, dy.ndim), (long long) needed);
  return kt_combine_of (host, prep, dx.dtype, KT_REDUCTION_ADD, &s->combine);
}

static kt_status
gather_grad_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s = state;

  KT_TRY (kt_check_indices (host, run, &run->in[1], s->rows.n));
  return kt_rows_write (host, run, &s->rows, &run->in[1], &s->combine, NULL,
                        run->in[0].data, run->out[0].data);
}

static const kt_kernel gather_grad_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = gather_grad_prepare,
    .run = gather_grad_run },
  { 0 },
};

/* dE/d(dy): what was added is read again. */
static kt_status
gather_grad_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_attr axis
      = { .name = "axis", .kind = KT_A_INT, .i = kt_attr_int (host, g, "axis", 0) };
  const kt_value in[] = { host->g_seed (g, 0), host->g_in (g, 1) };

  (void) user;
  return host->g_set (g, 0, kt_node (host, g, "Gather", in, 2, &axis, 1));
}

/* The length of V's dims from FIRST on, multiplied (BEHIND), or of those in front of it. */
static kt_value
extent (const kt_host *host, kt_graph *g, kt_value v, int32_t first, int64_t behind)
{
  const int64_t end    = behind + 1;
  const kt_attr axis   = { .name = "axis", .kind = KT_A_INT, .i = first };
  const kt_value plane = kt_node (host, g, "Flatten", &v, 1, &axis, 1);
  const kt_value in[]  = { kt_shape_of (host, g, plane), kt_ints (host, g, &behind, 1),
                           kt_ints (host, g, &end, 1) };

  return kt_node (host, g, "Slice", in, 3, NULL, 0);
}

static kt_value
join (const kt_host *host, kt_graph *g, const kt_value in[3])
{
  const kt_attr first = { .name = "axis", .kind = KT_A_INT, .i = 0 };

  return kt_node (host, g, "Concat", in, 3, &first, 1);
}

/* dy as [outer, indices, inner], added to [outer, n, inner] along the middle; each index stands
 * for a whole slice. */
static kt_status
gather_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  static const int64_t any = -1, middle[] = { 1, -1, 1 };
  const kt_value dy = host->g_in (g, 0), shape = host->g_in (g, 2);
  const kt_type at = kt_in_type (host, g, 1);
  int32_t axis     = 0;
  int64_t rank;

  (void) user;
  KT_TRY (kt_length_of (host, g, 2, &rank));
  if (rank < 0 || at.ndim < 0)
    return kt_fail (host, g, KT_E_UNSUPPORTED, "its body needs to know the ranks");
  KT_TRY (kt_axis (host, g, KT_E_ATTR, kt_attr_int (host, g, "axis", 0), (int32_t) rank,
                   &axis));

  const int64_t one = 1, begin = axis, end = axis + 1;
  const kt_attr attrs[]
      = { { .name = "axis", .kind = KT_A_INT, .i = one },
          { .name = "reduction", .kind = KT_A_STRING, .v = "add", .n = 3 } };
  const kt_value length[]
      = { shape, kt_ints (host, g, &begin, 1), kt_ints (host, g, &end, 1) };
  const kt_value flat
      = kt_reshape (host, g, host->g_in (g, 1), kt_ints (host, g, &any, 1));
  const kt_value outer = extent (host, g, dy, axis, 0),
                 inner = extent (host, g, dy, axis + at.ndim, 1);
  const kt_value planes
      = join (host, g, (kt_value[]){ outer, kt_shape_of (host, g, flat), inner });
  const kt_value zeros = join (
      host, g,
      (kt_value[]){ outer, kt_node (host, g, "Slice", length, 3, NULL, 0), inner });
  const kt_value column = kt_reshape (host, g, flat, kt_ints (host, g, middle, 3));
  const kt_value in[]
      = { kt_zeros (host, g, dy, zeros), kt_expand (host, g, column, planes),
          kt_reshape (host, g, dy, planes) };

  return host->g_set (
      g, 0,
      kt_reshape (host, g, kt_node (host, g, "ScatterElements", in, 3, attrs, 2), shape));
}

const kt_operator kette_op_gather_grad = {
  .op     = { KT_OP ("GatherGrad", 1), .flags = KT_OP_PURE, .infer = gather_grad_infer,
              .gradient = gather_grad_gradient, .body = gather_grad_body },
  .kernel = gather_grad_kernel,
};
