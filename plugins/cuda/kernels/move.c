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
  int64_t zeros; /* elements of output 0 that become 0 before */
  Part *part;
} MoveState;

static kt_status
start (const kt_host *host, kt_prep *prep, const char *name, int32_t dtype, int32_t n,
       MoveState **s, void **state)
{
  const size_t size = kt_size_of (dtype);
  void *memory;

  if (size == 0 || dtype == KT_STRING)
    return KT_GPU_LEAVE ("elements of this type stay on the CPU");
  KT_TRY (host->keep (prep, sizeof **s, state));
  KT_TRY (host->keep (prep, (size_t) n * sizeof (Part), &memory));
  *s         = *state;
  (*s)->name = name;
  (*s)->n    = n;
  (*s)->size = (int32_t) size;
  (*s)->part = memory;
  return KT_OK;
}

/* Drops dims of 1 and merges neighbours that go on alike. */
static kt_status
plan (const kt_host *host, kt_prep *prep, MoveState *s, int32_t part, int32_t ndim,
      const int64_t *dims, const int64_t *in, const int64_t *out)
{
  kt_move_params *const p = &s->part[part].p;

  p->size  = s->size;
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
        return KT_GPU_LEAVE ("more dims than kernels on the GPU serve");
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
      const Part *const part = &s->part[i];
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
transpose_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0);
  int64_t dims[KT_MAX_RANK], strides[KT_MAX_RANK], in[KT_MAX_RANK], out[KT_MAX_RANK];
  MoveState *s;
  size_t n;
  const int64_t *const perm = kt_attr_ints (host, prep, "perm", &n);

  if (perm && n != (size_t) x.ndim)
    return KT_GPU_LEAVE ("perm does not fit");
  kt_strides (x.dims, x.ndim, strides);
  for (int32_t d = 0; d < x.ndim; d++)
    {
      int32_t from = x.ndim - 1 - d;
      if (perm)
        KT_TRY (kt_axis (host, prep, KT_E_ATTR, perm[d], x.ndim, &from));
      dims[d] = x.dims[from];
      in[d]   = strides[from];
    }
  kt_strides (dims, x.ndim, out);
  KT_TRY (start (host, prep, user, x.dtype, 1, &s, state));
  return plan (host, prep, s, 0, x.ndim, dims, in, out);
}

static kt_status
expand_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0), y = kt_out_type (host, prep, 0);
  int64_t strides[KT_MAX_RANK], in[KT_MAX_RANK], out[KT_MAX_RANK];
  MoveState *s;

  kt_strides (x.dims, x.ndim, strides);
  kt_strides (y.dims, y.ndim, out);
  for (int32_t d = 0; d < y.ndim; d++)
    {
      const int32_t k = d - (y.ndim - x.ndim);
      if (k >= 0 && x.dims[k] != 1 && x.dims[k] != y.dims[d])
        return KT_GPU_LEAVE ("the shapes do not fit");
      in[d] = k < 0 || x.dims[k] == 1 ? 0 : strides[k];
    }
  KT_TRY (start (host, prep, user, x.dtype, 1, &s, state));
  return plan (host, prep, s, 0, y.ndim, y.dims, in, out);
}

/* Each dim is walked as (repetition, element of x). */
static kt_status
tile_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0), y = kt_out_type (host, prep, 0);
  int64_t x_step[KT_MAX_RANK], y_step[KT_MAX_RANK];
  int64_t dims[2 * KT_MAX_RANK], in[2 * KT_MAX_RANK], out[2 * KT_MAX_RANK];
  MoveState *s;

  kt_strides (x.dims, x.ndim, x_step);
  kt_strides (y.dims, y.ndim, y_step);
  for (int32_t d = 0; d < x.ndim; d++)
    {
      const int64_t times = x.dims[d] ? y.dims[d] / x.dims[d] : 0;
      if (times * x.dims[d] != y.dims[d])
        return KT_GPU_LEAVE ("the shapes do not fit");
      dims[2 * d]     = times;
      in[2 * d]       = 0;
      out[2 * d]      = y_step[d] * x.dims[d];
      dims[2 * d + 1] = x.dims[d];
      in[2 * d + 1]   = x_step[d];
      out[2 * d + 1]  = y_step[d];
    }
  KT_TRY (start (host, prep, user, x.dtype, 1, &s, state));
  return plan (host, prep, s, 0, 2 * x.ndim, dims, in, out);
}

/* Concat, and Split the other way round. */
static kt_status
parts_prepare (const kt_host *host, kt_prep *prep, const char *name, bool split,
               int64_t axis_attr, void **state)
{
  const kt_type whole = split ? kt_in_type (host, prep, 0) : kt_out_type (host, prep, 0);
  int64_t wide[KT_MAX_RANK], own[KT_MAX_RANK], first = 0;
  int32_t n_in, n_out, axis                          = 0;
  MoveState *s;

  KT_TRY (host->arity (prep, &n_in, &n_out, NULL));
  KT_TRY (kt_axis (host, prep, KT_E_ATTR, axis_attr, whole.ndim, &axis));
  KT_TRY (start (host, prep, name, whole.dtype, split ? n_out : n_in, &s, state));
  kt_strides (whole.dims, whole.ndim, wide);
  for (int32_t i = 0; i < s->n; i++)
    {
      const kt_type t = split ? kt_out_type (host, prep, i) : kt_in_type (host, prep, i);
      if (t.kind == 0)
        return KT_GPU_LEAVE ("a part is left out");
      kt_strides (t.dims, t.ndim, own);
      KT_TRY (plan (host, prep, s, i, t.ndim, t.dims, split ? wide : own,
                    split ? own : wide));
      if (split)
        {
          s->part[i].out        = i;
          s->part[i].p.first_in = first * wide[axis];
        }
      else
        {
          s->part[i].in          = i;
          s->part[i].p.first_out = first * wide[axis];
        }
      first += t.dims[axis];
    }
  return first == whole.dims[axis] ? KT_OK : KT_GPU_LEAVE ("the parts do not fit");
}

static kt_status
concat_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  return parts_prepare (host, prep, user, false, kt_attr_int (host, prep, "axis", 1),
                        state);
}

static kt_status
split_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  if (!kt_is_absent (kt_in_type (host, prep, 1)))
    {
      const int64_t *given;
      size_t n;
      KT_TRY (host->ints (prep, 1, &given, &n));
      for (size_t i = 0; given && i < n; i++)
        if (KT_IS_DIM (given[i]))
          given = NULL;
      if (!given)
        return KT_GPU_LEAVE ("the lengths are not known before the run");
    }
  return parts_prepare (host, prep, user, true, kt_attr_int (host, prep, "axis", 0),
                        state);
}

/* DepthToSpace and SpaceToDepth: a transposition of six dims. */
static kt_status
blocks_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const bool to_space = strcmp (user, "DepthToSpace") == 0;
  const kt_type x = kt_in_type (host, prep, 0), y = kt_out_type (host, prep, 0);
  const int64_t b = kt_attr_int (host, prep, "blocksize", 1);
  MoveState *s;

  if (x.ndim != 4 || b < 1)
    return KT_GPU_LEAVE ("the shape has no blocks");

  const bool columns = kt_attr_is (host, prep, "mode", "CRD");
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
  KT_TRY (start (host, prep, user, x.dtype, 1, &s, state));
  if (to_space)
    return plan (host, prep, s, 0, 6, dims, deep, wide);

  /* In the order of the output: n, b, b, c, h, w. */
  static const int order[6] = { 0, 3, 5, 1, 2, 4 };
  int64_t out_dims[6], in[6], out[6];
  for (int d = 0; d < 6; d++)
    {
      out_dims[d] = dims[order[d]];
      in[d]       = wide[order[d]];
      out[d]      = deep[order[d]];
    }
  return plan (host, prep, s, 0, 6, out_dims, in, out);
}

/* Slice; GRADIENT: dy goes to where the slice was, the rest of dx is 0. */
static kt_status
cut_prepare (const kt_host *host, kt_prep *prep, const char *name, bool gradient,
             void **state)
{
  const kt_type x = kt_in_type (host, prep, 0), y = kt_out_type (host, prep, 0);
  const kt_type whole = gradient ? y : x, taken = gradient ? x : y;
  int64_t strides[KT_MAX_RANK], own[KT_MAX_RANK], first;
  kt_cut_lists lists;
  MoveState *s;
  kt_cut cut;
  bool all;

  KT_TRY (kt_cut_known (host, prep, gradient ? 2 : 1, &lists, &all));
  if (!all)
    return KT_GPU_LEAVE ("the cut is not known before the run");
  KT_TRY (kt_cut_resolve (host, prep, whole.ndim, whole.dims, &lists, &cut));
  for (int32_t d = 0; d < whole.ndim; d++)
    if (cut.count[d] != taken.dims[d])
      return KT_GPU_LEAVE ("the shapes do not fit");
  KT_TRY (start (host, prep, name, x.dtype, 1, &s, state));
  first = kt_cut_strides (whole.ndim, whole.dims, &cut, strides);
  kt_strides (cut.count, whole.ndim, own);
  if (gradient)
    {
      s->zeros               = kt_count (y.dims, y.ndim);
      s->part[0].p.first_out = first;
    }
  else
    s->part[0].p.first_in = first;
  return plan (host, prep, s, 0, whole.ndim, cut.count, gradient ? own : strides,
               gradient ? strides : own);
}

static kt_status
slice_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  return cut_prepare (host, prep, user, false, state);
}

static kt_status
slice_grad_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  return cut_prepare (host, prep, user, true, state);
}

/* The table -------------------------------------------------------------------------------------- */

#define VIEW(NAME, SINCE, HOST)                                                          \
  {                                                                                      \
    KT_GPU ("", NAME, SINCE), .host_in = HOST, .n_alias = 1,                             \
                              .alias = &(const kt_alias){ 0, 0, 1, 0 }, .run = view_run  \
  }
#define MOVE(DOMAIN, NAME, SINCE, HOST, PREPARE)                                         \
  {                                                                                      \
    KT_GPU (DOMAIN, NAME, SINCE), .host_in = HOST, .user = (void *) (NAME),              \
                                  .prepare = PREPARE, .run = move_run                    \
  }

const kt_kernel cu_move_kernels[] = {
  VIEW ("Identity", 1, 0),
  VIEW ("Flatten", 1, 0),
  VIEW ("Reshape", 5, 2),
  VIEW ("Squeeze", 13, 2),
  VIEW ("Unsqueeze", 13, 2),
  MOVE ("", "Transpose", 1, 0, transpose_prepare),
  MOVE ("", "Expand", 8, 2, expand_prepare),
  MOVE ("", "Tile", 6, 2, tile_prepare),
  MOVE ("", "Concat", 4, 0, concat_prepare),
  MOVE ("", "Split", 18, 2, split_prepare),
  MOVE ("", "DepthToSpace", 1, 0, blocks_prepare),
  MOVE ("", "SpaceToDepth", 1, 0, blocks_prepare),
  MOVE ("", "Slice", 10, 2 | 4 | 8 | 16, slice_prepare),
  MOVE ("kette", "SliceGrad", 1, 2 | 4 | 8 | 16 | 32, slice_grad_prepare),
  { 0 },
};
