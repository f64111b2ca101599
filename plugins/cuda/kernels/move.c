/* SPDX-License-Identifier: Apache-2.0
 *
 * move.c: operators that move elements, on the GPU: Transpose, Expand, Tile, Concat, Split, Slice
 * and its gradient, views.
 */
#include "cut.h"
#include "kernels.h"
#include "shape.h"

/* Views --------------------------------------------------------------------------------------- */

static kt_status
view_run (const kt_host *host, kt_run *run, void *state)
{
  const kt_tensor *const x = &run->in[0];

  (void) state;
  return kt_gpu_copy (host, run, run->out[0].data, x->data,
                      ((size_t) (kt_count (x->shape, x->ndim) * x->bits) * x->lanes + 7)
                          / 8);
}

/* Strided copies -------------------------------------------------------------------------------- */

/* A copy of the plan: from input I (or part) to output K. */
typedef struct
{
  kt_move_params p;
  int32_t in, out;
} Part;

typedef struct
{
  const char *name;
  int32_t n, size;
  int64_t zeros;    /* elements of output 0 that become 0 before */
  Part only, *part; /* part: of several, else NULL */
} MoveState;

static kt_status
start (const kt_host *host, const void *ctx, const char *name, int32_t dtype,
       MoveState *s)
{
  if (!kt_gpu_moves (dtype))
    return KT_GPU_LEAVE (ctx, "elements of this type stay on the CPU");
  s->name = name;
  s->n    = 1;
  s->size = (int32_t) kt_size_of (dtype);
  return KT_OK;
}

/* Drops dims of 1 and merges neighbours that go on alike. */
static kt_status
plan (const kt_host *host, const void *ctx, int32_t size, kt_move_params *p, int32_t ndim,
      const int64_t *dims, const int64_t *in, const int64_t *out)
{
  p->size  = size;
  p->count = kt_count (dims, ndim);
  for (int32_t d = 0; d < ndim && p->count > 0; d++)
    {
      const int32_t last = p->ndim - 1;
      if (dims[d] == 1)
        continue;
      if (last >= 0 && p->in[last] == in[d] * dims[d] && p->out[last] == out[d] * dims[d])
        {
          p->dims[last] *= dims[d];
          p->in[last]  = in[d];
          p->out[last] = out[d];
          continue;
        }
      if (p->ndim == KT_GPU_RANK)
        return KT_GPU_LEAVE (ctx, "more dims than kernels on the GPU serve");
      p->dims[p->ndim]  = dims[d];
      p->in[p->ndim]    = in[d];
      p->out[p->ndim++] = out[d];
    }
  return KT_OK;
}

/* Can P go in tiles? Then *Q is filled. */
static bool
in_tiles (const kt_move_params *p, kt_tiles_params *q)
{
  const int32_t last = p->ndim - 1;
  int32_t along      = -1;

  for (int32_t d = 0; d < last; d++)
    if (p->in[d] == 1)
      along = d;
  if (along < 0 || p->out[last] != 1 || p->in[last] == 1 || p->dims[along] < 8
      || p->dims[last] < 8)
    return false;
  *q       = (kt_tiles_params){ .first_in   = p->first_in,
                                .first_out  = p->first_out,
                                .length     = p->dims[along],
                                .width      = p->dims[last],
                                .in_width   = p->in[last],
                                .out_length = p->out[along],
                                .down       = (p->dims[along] + 31) / 32,
                                .across     = (p->dims[last] + 31) / 32,
                                .size       = p->size };
  q->tiles = q->down * q->across;
  for (int32_t d = 0; d < last; d++)
    if (d != along)
      {
        q->dims[q->ndim]  = p->dims[d];
        q->in[q->ndim]    = p->in[d];
        q->out[q->ndim++] = p->out[d];
        q->tiles *= p->dims[d];
      }
  return true;
}

static bool
is_plain (const kt_move_params *p)
{
  return p->ndim == 0 || (p->ndim == 1 && p->in[0] == 1 && p->out[0] == 1);
}

static kt_status
move_run (const kt_host *host, kt_run *run, void *state)
{
  const MoveState *const s = state;
  void *const stream       = kt_gpu_stream (host, run);

  if (s->zeros > 0)
    {
      const kt_fill_params f
          = { .y = run->out[0].data, .count = s->zeros, .size = s->size };
      kt_fill_launch (&f, stream);
    }
  for (int32_t i = 0; i < s->n; i++)
    {
      const Part *const part = s->part ? &s->part[i] : &s->only;
      kt_move_params p       = part->p;
      if (p.count == 0 || run->out[part->out].device_type == 0)
        continue;
      p.x = run->in[part->in].data;
      p.y = run->out[part->out].data;

      kt_tiles_params tiles;
      if (in_tiles (&p, &tiles))
        {
          tiles.x = p.x;
          tiles.y = p.y;
          kt_tiles_launch (&tiles, stream);
        }
      else if (!is_plain (&p))
        kt_move_launch (&p, stream);
      else
        KT_TRY (kt_gpu_copy (host, run, (char *) p.y + p.first_out * p.size,
                             (const char *) p.x + p.first_in * p.size,
                             (size_t) (p.count * p.size)));
    }
  return kt_gpu_launched (host, run, s->name);
}

static kt_status
transpose_plan (const kt_host *host, const void *ctx, void *user, MoveState *s)
{
  const kt_type x = kt_in_type (host, ctx, 0);
  int64_t dims[KT_MAX_RANK], strides[KT_MAX_RANK], in[KT_MAX_RANK], out[KT_MAX_RANK];
  size_t n;
  const int64_t *const perm = kt_attr_ints (host, ctx, "perm", &n);

  if (perm && n != (size_t) x.ndim)
    return KT_GPU_LEAVE (ctx, "perm does not fit");
  kt_strides (x.dims, x.ndim, strides);
  for (int32_t d = 0; d < x.ndim; d++)
    {
      int32_t from = x.ndim - 1 - d;
      if (perm)
        KT_TRY (kt_axis (host, ctx, KT_E_ATTR, perm[d], x.ndim, &from));
      dims[d] = x.dims[from];
      in[d]   = strides[from];
    }
  kt_strides (dims, x.ndim, out);
  KT_TRY (start (host, ctx, user, x.dtype, s));
  return plan (host, ctx, s->size, &s->only.p, x.ndim, dims, in, out);
}

static kt_status
expand_plan (const kt_host *host, const void *ctx, void *user, MoveState *s)
{
  const kt_type x = kt_in_type (host, ctx, 0), y = kt_out_type (host, ctx, 0);
  int64_t strides[KT_MAX_RANK], in[KT_MAX_RANK], out[KT_MAX_RANK];

  kt_strides (x.dims, x.ndim, strides);
  kt_strides (y.dims, y.ndim, out);
  for (int32_t d = 0; d < y.ndim; d++)
    {
      const int32_t k = d - (y.ndim - x.ndim);
      if (k >= 0 && x.dims[k] != 1 && x.dims[k] != y.dims[d])
        return KT_GPU_LEAVE (ctx, "the shapes do not fit");
      in[d] = k < 0 || x.dims[k] == 1 ? 0 : strides[k];
    }
  KT_TRY (start (host, ctx, user, x.dtype, s));
  return plan (host, ctx, s->size, &s->only.p, y.ndim, y.dims, in, out);
}

/* Each dim is walked as (repetition, element of x). */
static kt_status
tile_plan (const kt_host *host, const void *ctx, void *user, MoveState *s)
{
  const kt_type x = kt_in_type (host, ctx, 0), y = kt_out_type (host, ctx, 0);
  int64_t x_step[KT_MAX_RANK], y_step[KT_MAX_RANK];
  int64_t dims[2 * KT_MAX_RANK], in[2 * KT_MAX_RANK], out[2 * KT_MAX_RANK];

  kt_strides (x.dims, x.ndim, x_step);
  kt_strides (y.dims, y.ndim, y_step);
  for (int32_t d = 0; d < x.ndim; d++)
    {
      const int64_t times = x.dims[d] ? y.dims[d] / x.dims[d] : 0;
      if (times * x.dims[d] != y.dims[d])
        return KT_GPU_LEAVE (ctx, "the shapes do not fit");
      dims[2 * d]     = times;
      in[2 * d]       = 0;
      out[2 * d]      = y_step[d] * x.dims[d];
      dims[2 * d + 1] = x.dims[d];
      in[2 * d + 1]   = x_step[d];
      out[2 * d + 1]  = y_step[d];
    }
  KT_TRY (start (host, ctx, user, x.dtype, s));
  return plan (host, ctx, s->size, &s->only.p, 2 * x.ndim, dims, in, out);
}

/* Concat, and Split the other way round. PART: room for all of them, or NULL. */
static kt_status
parts_plan (const kt_host *host, const void *ctx, bool split, MoveState *s, Part *part)
{
  const int64_t axis_attr = kt_attr_int (host, ctx, "axis", split ? 0 : 1);
  const kt_type whole = split ? kt_in_type (host, ctx, 0) : kt_out_type (host, ctx, 0);
  int64_t wide[KT_MAX_RANK], own[KT_MAX_RANK], first = 0;
  int32_t n_in, n_out, axis                          = 0;

  KT_TRY (host->arity (ctx, &n_in, &n_out, NULL));
  KT_TRY (kt_axis (host, ctx, KT_E_ATTR, axis_attr, whole.ndim, &axis));
  KT_TRY (start (host, ctx, split ? "Split" : "Concat", whole.dtype, s));
  kt_strides (whole.dims, whole.ndim, wide);
  s->n = split ? n_out : n_in;
  for (int32_t i = 0; i < s->n; i++)
    {
      const kt_type t = split ? kt_out_type (host, ctx, i) : kt_in_type (host, ctx, i);
      Part one        = { 0 };
      if (t.kind == 0)
        return KT_GPU_LEAVE (ctx, "a part is left out");
      kt_strides (t.dims, t.ndim, own);
      KT_TRY (plan (host, ctx, s->size, &one.p, t.ndim, t.dims, split ? wide : own,
                    split ? own : wide));
      if (split)
        {
          one.out        = i;
          one.p.first_in = first * wide[axis];
        }
      else
        {
          one.in          = i;
          one.p.first_out = first * wide[axis];
        }
      if (part)
        part[i] = one;
      first += t.dims[axis];
    }
  return first == whole.dims[axis] ? KT_OK : KT_GPU_LEAVE (ctx, "the parts do not fit");
}

static kt_status
concat_plan (const kt_host *host, const void *ctx, void *user, MoveState *s)
{
  (void) user;
  return parts_plan (host, ctx, false, s, NULL);
}

static kt_status
split_plan (const kt_host *host, const void *ctx, void *user, MoveState *s)
{
  (void) user;
  if (!kt_is_absent (kt_in_type (host, ctx, 1)))
    {
      const int64_t *given;
      size_t n;
      KT_TRY (host->ints (ctx, 1, &given, &n));
      for (size_t i = 0; given && i < n; i++)
        if (KT_IS_DIM (given[i]))
          given = NULL;
      if (!given)
        return KT_GPU_LEAVE (ctx, "the lengths are not known before the run");
    }
  return parts_plan (host, ctx, true, s, NULL);
}

/* DepthToSpace and SpaceToDepth: a transposition of six dims. */
static kt_status
blocks_plan (const kt_host *host, const void *ctx, void *user, MoveState *s)
{
  const bool to_space = strcmp (user, "DepthToSpace") == 0;
  const kt_type x = kt_in_type (host, ctx, 0), y = kt_out_type (host, ctx, 0);
  const int64_t b = kt_attr_int (host, ctx, "blocksize", 1);

  if (x.ndim != 4 || b < 1)
    return KT_GPU_LEAVE (ctx, "the shape has no blocks");

  const bool columns = kt_attr_is (host, ctx, "mode", "CRD");
  const int64_t c    = to_space ? y.dims[1] : x.dims[1],
                h    = to_space ? x.dims[2] : y.dims[2],
                w    = to_space ? x.dims[3] : y.dims[3];
  /* The deep side is n, (b, b, c) or (c, b, b), h, w; the wide one n, c, (h, b), (w, b). */
  const int64_t deep_c = columns ? b * b : 1, deep_b = columns ? 1 : c;
  const int64_t dims[6] = { x.dims[0], c, h, b, w, b };
  const int64_t deep[6]
      = { c * b * b * h * w, deep_c * h * w, w, deep_b * b * h * w, 1, deep_b * h * w };
  int64_t wide[6];

  kt_strides (dims, 6, wide);
  KT_TRY (start (host, ctx, user, x.dtype, s));
  if (to_space)
    return plan (host, ctx, s->size, &s->only.p, 6, dims, deep, wide);

  /* In the order of the output: n, b, b, c, h, w. */
  static const int order[6] = { 0, 3, 5, 1, 2, 4 };
  int64_t out_dims[6], in[6], out[6];
  for (int d = 0; d < 6; d++)
    {
      out_dims[d] = dims[order[d]];
      in[d]       = wide[order[d]];
      out[d]      = deep[order[d]];
    }
  return plan (host, ctx, s->size, &s->only.p, 6, out_dims, in, out);
}

/* Slice; GRADIENT: dy goes to where the slice was, the rest of dx is 0. */
static kt_status
cut_plan (const kt_host *host, const void *ctx, const char *name, bool gradient,
          MoveState *s)
{
  const kt_type x = kt_in_type (host, ctx, 0), y = kt_out_type (host, ctx, 0);
  const kt_type whole = gradient ? y : x, taken = gradient ? x : y;
  int64_t strides[KT_MAX_RANK], own[KT_MAX_RANK], first;
  kt_cut_lists lists;
  kt_cut cut;
  bool all;

  KT_TRY (kt_cut_known (host, ctx, gradient ? 2 : 1, &lists, &all));
  if (!all)
    return KT_GPU_LEAVE (ctx, "the cut is not known before the run");
  KT_TRY (kt_cut_resolve (host, ctx, whole.ndim, whole.dims, &lists, &cut));
  for (int32_t d = 0; d < whole.ndim; d++)
    if (cut.count[d] != taken.dims[d])
      return KT_GPU_LEAVE (ctx, "the shapes do not fit");
  KT_TRY (start (host, ctx, name, x.dtype, s));
  first = kt_cut_strides (whole.ndim, whole.dims, &cut, strides);
  kt_strides (cut.count, whole.ndim, own);
  if (gradient)
    {
      s->zeros            = kt_count (y.dims, y.ndim);
      s->only.p.first_out = first;
    }
  else
    s->only.p.first_in = first;
  return plan (host, ctx, s->size, &s->only.p, whole.ndim, cut.count,
               gradient ? own : strides, gradient ? strides : own);
}

static kt_status
slice_plan (const kt_host *host, const void *ctx, void *user, MoveState *s)
{
  return cut_plan (host, ctx, user, false, s);
}

static kt_status
slice_grad_plan (const kt_host *host, const void *ctx, void *user, MoveState *s)
{
  return cut_plan (host, ctx, user, true, s);
}

KT_GPU_PLANNED (transpose, MoveState)
KT_GPU_PLANNED (expand, MoveState)
KT_GPU_PLANNED (tile, MoveState)
KT_GPU_PLANNED (blocks, MoveState)
KT_GPU_PLANNED (slice, MoveState)
KT_GPU_PLANNED (slice_grad, MoveState)
KT_GPU_SUITS (concat, MoveState)
KT_GPU_KEEP (concat, MoveState)
KT_GPU_SUITS (split, MoveState)
KT_GPU_KEEP (split, MoveState)

static kt_status
keep_parts (const kt_host *host, kt_prep *prep, bool split, MoveState *s)
{
  void *memory;

  KT_TRY (host->keep (prep, (size_t) s->n * sizeof *s->part, &memory));
  s->part = memory;
  return parts_plan (host, prep, split, s, s->part);
}

static kt_status
concat_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  MoveState *s;

  KT_TRY (concat_keep (host, prep, user, &s, state));
  return keep_parts (host, prep, false, s);
}

static kt_status
split_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  MoveState *s;

  KT_TRY (split_keep (host, prep, user, &s, state));
  return keep_parts (host, prep, true, s);
}

/* The table -------------------------------------------------------------------------------------- */

#define VIEW(NAME, SINCE, HOST)                                                          \
  {                                                                                      \
    KT_GPU ("", NAME, SINCE), .host_in = HOST, .n_alias = 1,                             \
                              .alias = &(const kt_alias){ 0, 0, 1, 0 }, .run = view_run  \
  }
#define MOVE(DOMAIN, NAME, SINCE, HOST, PLAN)                                            \
  {                                                                                      \
    KT_GPU (DOMAIN, NAME, SINCE), .host_in = HOST, .user = (void *) (NAME),              \
                                  .suits = PLAN##_suits, .prepare = PLAN##_prepare,      \
                                  .run = move_run                                        \
  }

const kt_kernel cu_move_kernels[] = {
  VIEW ("Identity", 1, 0),
  VIEW ("Flatten", 1, 0),
  VIEW ("Reshape", 5, 2),
  VIEW ("Squeeze", 13, 2),
  VIEW ("Unsqueeze", 13, 2),
  MOVE ("", "Transpose", 1, 0, transpose),
  MOVE ("", "Expand", 8, 2, expand),
  MOVE ("", "Tile", 6, 2, tile),
  MOVE ("", "Concat", 4, 0, concat),
  MOVE ("", "Split", 18, 2, split),
  MOVE ("", "DepthToSpace", 1, 0, blocks),
  MOVE ("", "SpaceToDepth", 1, 0, blocks),
  MOVE ("", "Slice", 10, 2 | 4 | 8 | 16, slice),
  MOVE ("kette", "SliceGrad", 1, 2 | 4 | 8 | 16 | 32, slice_grad),
  { 0 },
};
