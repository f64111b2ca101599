/* SPDX-License-Identifier: Apache-2.0
 *
 * broadcast.c: the shape rule of broadcasting, the walk over operands of different shapes,
 * and the form that versions 1-6 of the binary operators had.
 */
#include "broadcast.h"
#include "emit.h"

/* "[2,?,3]" */
static void
shape_text (char *out, size_t size, const int64_t *dims, int32_t ndim)
{
  size_t n = (size_t) snprintf (out, size, "[");

  for (int32_t d = 0; d < ndim && n + 24 < size; d++)
    n += kt_dim_known (dims[d]) ? (size_t) snprintf (
             out + n, size - n, d ? ",%lld" : "%lld", (long long) dims[d])
                                : (size_t) snprintf (out + n, size - n, d ? ",?" : "?");
  snprintf (out + n, size - n, "]");
}

/* The dim of A and B together; an unknown one is 1 or what the other one says. */
static bool
join_dims (int64_t a, int64_t b, int64_t *out)
{
  if (a == 1 || b == 1)
    *out = a == 1 ? b : a;
  else if (kt_dim_known (a) || kt_dim_known (b))
    *out = kt_dim_known (a) ? a : b;
  else
    *out = a == b ? a : KT_DIM (0);
  return !kt_dim_known (a) || !kt_dim_known (b) || a == b || a == 1 || b == 1;
}

kt_status
kt_broadcast (const kt_host *host, const void *ctx, int64_t dims[KT_MAX_RANK],
              int32_t *ndim, const kt_type *b)
{
  const int32_t rank = *ndim > b->ndim ? *ndim : b->ndim;
  int64_t joined[KT_MAX_RANK];

  if (rank > KT_MAX_RANK)
    return kt_fail (host, ctx, KT_E_LIMIT, "rank %d is over %d", (int) rank, KT_MAX_RANK);
  for (int32_t d = 0; d < rank; d++)
    {
      const int32_t da = d - (rank - *ndim), db = d - (rank - b->ndim);
      const int64_t x = da < 0 ? 1 : dims[da], y = db < 0 ? 1 : b->dims[db];
      if (!join_dims (x, y, &joined[d]))
        {
          char left[160], right[160];
          shape_text (left, sizeof left, dims, *ndim);
          shape_text (right, sizeof right, b->dims, b->ndim);
          return kt_fail (host, ctx, KT_E_SHAPE,
                          "%s and %s do not broadcast: %lld and %lld differ", left, right,
                          (long long) x, (long long) y);
        }
    }
  if (rank > 0)
    memcpy (dims, joined, (size_t) rank * sizeof *dims);
  *ndim = rank;
  return KT_OK;
}

kt_status
kt_infer_broadcast_as (const kt_host *host, kt_infer *infer, int32_t dtype)
{
  int64_t dims[KT_MAX_RANK];
  int32_t n_in, n_out, ndim = 0;
  bool known = true;

  KT_TRY (host->arity (infer, &n_in, &n_out, NULL));
  for (int32_t i = 0; i < n_in; i++)
    {
      const kt_type t = kt_in_type (host, infer, i);
      known           = known && t.kind == KT_TENSOR && t.ndim >= 0;
      if (t.kind == KT_TENSOR && t.ndim >= 0)
        KT_TRY (kt_broadcast (host, infer, dims, &ndim, &t));
    }
  return kt_set_out (host, infer, 0, dtype, dims, known ? ndim : -1);
}

kt_status
kt_infer_broadcast (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type t = kt_in_type (host, infer, 0);

  (void) user;
  return t.kind == 0 ? KT_OK : kt_infer_broadcast_as (host, infer, t.dtype);
}

kt_status
kt_infer_compare (const kt_host *host, kt_infer *infer, void *user)
{
  (void) user;
  return kt_infer_broadcast_as (host, infer, KT_BOOL);
}

/* The dim of type T that stands under dim D of an output of rank NDIM. */
static int64_t
dim_under (const kt_type *t, int32_t d, int32_t ndim)
{
  const int32_t own = d - (ndim - t->ndim);

  return own < 0 ? 1 : t->dims[own];
}

/* Do all operands treat the output's dims D and E alike: all there, or all repeated? */
static bool
treated_alike (const kt_host *host, const void *ctx, int32_t n, int32_t d, int32_t e,
               int32_t ndim)
{
  for (int32_t i = 0; i < n; i++)
    {
      const kt_type t = kt_in_type (host, ctx, i);
      if ((dim_under (&t, d, ndim) == 1) != (dim_under (&t, e, ndim) == 1))
        return false;
    }
  return true;
}

/* Merges neighbouring dims that all operands treat alike; group[d]: the merged dim of d, -1
 * where the output's dim is 1. Returns how many are left. */
static int32_t
merge_dims (const kt_host *host, const void *ctx, int32_t n, const kt_type *out,
            int64_t merged[KT_MAX_RANK], int32_t group[KT_MAX_RANK])
{
  int32_t n_merged = 0, last = -1;

  for (int32_t d = 0; d < out->ndim; d++)
    {
      group[d] = -1;
      if (out->dims[d] == 1)
        continue;
      if (last >= 0 && treated_alike (host, ctx, n, last, d, out->ndim))
        merged[n_merged - 1] *= out->dims[d];
      else
        merged[n_merged++] = out->dims[d];
      group[d] = n_merged - 1;
      last     = d;
    }
  return n_merged;
}

kt_status
kt_spread_plan (const kt_host *host, const void *ctx, int32_t n, kt_spread *s)
{
  const kt_type out = kt_out_type (host, ctx, 0);
  int64_t merged[KT_MAX_RANK];
  int32_t group[KT_MAX_RANK], n_out;

  KT_TRY (host->arity (ctx, &s->n, &n_out, NULL));
  s->out_size            = (int64_t) kt_size_of (out.dtype);
  const int32_t n_merged = merge_dims (host, ctx, s->n, &out, merged, group);

  s->ndim  = n_merged ? n_merged - 1 : 0;
  s->inner = n_merged ? merged[n_merged - 1] : 1;
  memcpy (s->dims, merged, (size_t) s->ndim * sizeof *merged);
  for (int32_t i = 0; i < n; i++)
    {
      const kt_type t = kt_in_type (host, ctx, i);
      int64_t stride  = (int64_t) kt_size_of (t.dtype);
      s->in[i].size   = stride;
      for (int32_t d = out.ndim - 1; d >= 0; d--)
        {
          const int64_t dim = dim_under (&t, d, out.ndim);
          if (group[d] >= 0 && dim != 1 && group[d] == s->ndim)
            s->in[i].step = 1;
          else if (group[d] >= 0 && dim != 1 && s->in[i].stride[group[d]] == 0)
            s->in[i].stride[group[d]] = stride;
          stride *= dim;
        }
    }
  s->count = kt_count (out.dims, out.ndim);
  return KT_OK;
}

kt_status
kt_spread_prepare (const kt_host *host, kt_prep *prep, kt_spread *s)
{
  int32_t n, n_out;
  void *memory;

  KT_TRY (host->arity (prep, &n, &n_out, NULL));
  KT_TRY (host->keep (prep, (size_t) n * sizeof *s->in, &memory));
  s->in = memory;
  return kt_spread_plan (host, prep, n, s);
}

kt_status
kt_spread_run (const kt_host *host, kt_run *run, const kt_spread *s, kt_body *body,
               void *arg)
{
  if (s->count > KT_PIECE)
    return host->parallel_for (run, s->count, KT_PIECE, body, arg);
  body (arg, 0, s->count, 0);
  return KT_OK;
}

static void
measure (kt_walk *walk)
{
  const int64_t rest = walk->spread->inner - walk->offset, left = walk->end - walk->index;

  walk->count = rest < left ? rest : left;
}

void
kt_walk_start (kt_walk *walk, const kt_spread *s, int64_t begin, int64_t end)
{
  walk->spread = s;
  walk->index  = begin;
  walk->end    = end;
  walk->offset = begin;
  walk->count  = 0;
  if (begin >= end)
    return;
  if (s->ndim > 0)
    {
      int64_t row  = begin / s->inner;
      walk->offset = begin % s->inner;
      for (int32_t d = s->ndim - 1; d > 0; d--)
        {
          walk->at[d] = row % s->dims[d];
          row /= s->dims[d];
        }
      walk->at[0] = row;
    }
  measure (walk);
}

void
kt_walk_next (kt_walk *walk)
{
  const kt_spread *s = walk->spread;

  walk->index += walk->count;
  walk->offset = 0;
  measure (walk);
  for (int32_t d = s->ndim - 1; d >= 0; d--)
    {
      if (++walk->at[d] < s->dims[d])
        return;
      walk->at[d] = 0;
    }
}

/* How many dims of 1 B needs at its end so that it lies at A's dims from `axis` on; -1: an
 * error was reported. */
static int32_t
trailing_ones (const kt_host *host, kt_graph *g)
{
  kt_type a = { 0 }, b = { 0 };
  const int64_t absent = INT64_MIN;
  int64_t axis         = kt_attr_int (host, g, "axis", absent);

  if (axis == absent)
    return 0;
  host->g_type (g, host->g_in (g, 0), &a);
  host->g_type (g, host->g_in (g, 1), &b);
  if (a.ndim < 0 || b.ndim < 0 || a.kind != KT_TENSOR || b.kind != KT_TENSOR)
    {
      kt_fail (host, g, KT_E_UNSUPPORTED,
               "attribute \"axis\" needs inputs of known rank");
      return -1;
    }
  if (axis < -(int64_t) a.ndim || axis > a.ndim)
    {
      kt_fail (host, g, KT_E_ATTR, "axis %lld is not in %d..%d", (long long) axis,
               -a.ndim, a.ndim);
      return -1;
    }
  axis = axis < 0 ? axis + a.ndim : axis;
  for (int32_t d = 0; d <= b.ndim; d++)
    if (d == b.ndim)
      return 0; /* one element goes with everything */
    else if (b.dims[d] != 1)
      break;
  if (axis + b.ndim > a.ndim)
    {
      kt_fail (host, g, KT_E_SHAPE,
               "input 1 of rank %d at axis %lld needs rank %lld, input 0 has %d", b.ndim,
               (long long) axis, (long long) axis + b.ndim, a.ndim);
      return -1;
    }
  return a.ndim - (int32_t) axis - b.ndim;
}

kt_status
kt_old_broadcast (const kt_host *host, kt_graph *g, void *user)
{
  kt_value in[]  = { host->g_in (g, 0), host->g_in (g, 1) };
  int32_t n_ones = 0;

  if (kt_attr_int (host, g, "broadcast", 0) && (n_ones = trailing_ones (host, g)) > 0)
    {
      int64_t axes[KT_MAX_RANK];
      for (int32_t i = 0; i < n_ones && i < KT_MAX_RANK; i++)
        axes[i] = -1 - i;
      in[1] = kt_node (host, g, "Unsqueeze",
                       (const kt_value[]){ in[1], kt_ints (host, g, axes, n_ones) }, 2,
                       NULL, 0);
    }
  return n_ones < 0 ? KT_E_ATTR
                    : host->g_set (g, 0, kt_node (host, g, user, in, 2, NULL, 0));
}
