/* SPDX-License-Identifier: Apache-2.0
 *
 * reduce.c: what all reductions share: plan, parallel run, shape rule.
 */
#include "reduce.h"

#define GRAIN 32768 /* elements that a thread takes at a time: some 10-20 us */

typedef struct
{
  const kt_reduce *r;
  const kt_reduce_loops *loops;
  size_t in_size, out_size; /* bytes of an element */
  const char *x;
  char *y, *partials;
} Job;

/* One merged dim. */
typedef struct
{
  int64_t size, stride;
  bool reduced;
} Dim;

/* Merges neighbours of one kind and drops dims of 1. */
static int32_t
merge (int32_t ndim, const int64_t *dims, uint32_t set, Dim *out)
{
  int64_t stride = 1;
  int32_t n      = 0;

  for (int32_t d = ndim - 1; d >= 0; d--)
    {
      const bool reduced = set >> d & 1;
      if (dims[d] == 1)
        continue;
      if (n && out[n - 1].reduced == reduced)
        out[n - 1].size *= dims[d];
      else
        out[n++] = (Dim){ dims[d], stride, reduced };
      stride *= dims[d];
    }
  return n; /* innermost first */
}

/* Blocks of an output, chunks of columns, pieces of work. */
static void
cut (kt_reduce *r)
{
  int64_t kept = 1;

  if (r->run > KT_BLOCK)
    {
      r->parts  = (r->run + KT_BLOCK - 1) / KT_BLOCK;
      r->group  = 1;
      r->blocks = r->runs * r->parts;
    }
  else
    {
      r->parts  = 1;
      r->group  = KT_BLOCK / r->run;
      r->blocks = (r->runs + r->group - 1) / r->group;
    }
  for (r->lanes = 1; r->lanes < KT_LANES && r->lanes < r->run;)
    r->lanes *= 2;
  for (int32_t d = 0; d < r->n_kept; d++)
    kept *= r->kept_dims[d];

  const int64_t runs = r->group < r->runs ? r->group : r->runs;
  const int64_t each = r->parts > 1 ? KT_BLOCK : r->run * runs; /* elements of a block */
  r->wide            = KT_COLUMNS;
  if (r->rows && each * r->wide > KT_BLOCK)
    r->wide = each < KT_BLOCK ? KT_BLOCK / each : 1;
  r->chunks = (r->columns + r->wide - 1) / r->wide;
  r->units  = kept * r->blocks * r->chunks;

  const int64_t work = each * (r->columns < r->wide ? r->columns : r->wide);
  r->grain           = work < GRAIN ? GRAIN / work : 1;
}

void
kt_reduce_plan (kt_reduce *r, int32_t ndim, const int64_t *dims, uint32_t set)
{
  Dim list[KT_MAX_RANK];
  int32_t n, next = 0;

  *r = (kt_reduce){
    .outs = 1, .count = 1, .columns = 1, .step = 1, .run = 1, .stride = 1, .runs = 1
  };
  for (int32_t d = 0; d < ndim; d++)
    *(set >> d & 1 ? &r->count : &r->outs) *= dims[d];
  if (r->outs == 0 || r->count == 0)
    return;
  n = merge (ndim, dims, set, list);
  if (n && !list[0].reduced)
    r->columns = list[next++].size;
  if (next < n && list[next].reduced)
    {
      r->run    = list[next].size;
      r->stride = list[next++].stride;
    }
  r->rows = r->columns == 1; /* and the stride is 1 */
  if (next < n && r->columns == 1)
    {
      r->rows    = r->run > KT_SHORT;
      r->columns = list[next].size;
      r->step    = list[next++].stride;
    }
  for (int32_t d = n - 1; d >= next; d--)
    if (list[d].reduced)
      {
        r->outer_dims[r->n_outer] = list[d].size;
        r->outer[r->n_outer++]    = list[d].stride;
        r->runs *= list[d].size;
      }
    else
      {
        r->kept_dims[r->n_kept] = list[d].size;
        r->kept[r->n_kept++]    = list[d].stride;
      }
  cut (r);
}

size_t
kt_reduce_bytes (const kt_reduce *r, const kt_reduce_loops *loops)
{
  return r->blocks > 1 ? (size_t) r->outs * (size_t) r->blocks * loops->size : 0;
}

/* Offset of kept element I, in elements. */
static int64_t
kept_offset (const kt_reduce *r, int64_t i)
{
  int64_t offset = 0;

  for (int32_t d = r->n_kept - 1; d >= 0; d--)
    {
      const int64_t rest = d ? i / r->kept_dims[d] : 0;
      offset += (i - rest * r->kept_dims[d]) * r->kept[d];
      i = rest;
    }
  return offset;
}

static void
reduce_units (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job      = arg;
  const kt_reduce *r  = job->r;
  const int64_t share = r->blocks * r->chunks; /* units per kept element */

  (void) worker;
  for (int64_t unit = begin; unit < end; unit++)
    {
      const int64_t kept = share == 1 ? unit : unit / share, rest = unit - kept * share;
      const int64_t block = r->chunks == 1 ? rest : rest / r->chunks;
      const int64_t first = (rest - block * r->chunks) * r->wide;
      const int64_t out   = kept * r->columns + first;
      const int64_t from  = kept_offset (r, kept) + first * r->step;
      char *partials
          = r->blocks > 1
                ? job->partials + (size_t) (out * r->blocks + block) * job->loops->size
                : NULL;
      kt_piece piece
          = { .width = r->columns - first < r->wide ? r->columns - first : r->wide,
              .left  = r->outs * r->count - from };

      if (r->parts > 1)
        {
          piece.first = block / r->parts;
          piece.end   = piece.first + 1;
          piece.begin = (block - piece.first * r->parts) * KT_BLOCK;
          piece.n     = r->run - piece.begin < KT_BLOCK ? r->run - piece.begin : KT_BLOCK;
        }
      else
        {
          piece.first = block * r->group;
          piece.end = r->runs - piece.first < r->group ? r->runs : piece.first + r->group;
          piece.n   = r->run;
        }
      (r->rows ? job->loops->rows
               : job->loops->columns) (r, job->x + (size_t) from * job->in_size, &piece,
                                       job->y + (size_t) out * job->out_size, partials);
    }
}

static void
join_blocks (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job     = arg;
  const size_t piece = (size_t) job->r->blocks * job->loops->size;

  (void) worker;
  job->loops->join (job->r, job->partials + (size_t) begin * piece, end - begin,
                    job->y + (size_t) begin * job->out_size);
}

kt_status
kt_reduce_run_plan (const kt_host *host, kt_run *run, const kt_reduce *r,
                    const kt_reduce_loops *loops, const void *x, void *y, void *partials)
{
  const size_t size = kt_size_of (loops->dtype);
  Job job           = { r, loops, size, size, x, y, partials };

  if (r->outs == 0)
    return KT_OK;
  if (r->blocks == 0)
    {
      loops->join (r, y, r->outs, y);
      return KT_OK;
    }
  if (r->units <= r->grain)
    reduce_units (&job, 0, r->units, 0);
  else
    KT_TRY (host->parallel_for (run, r->units, r->grain, reduce_units, &job));
  if (r->blocks == 1)
    return KT_OK;

  const int64_t grain = GRAIN / r->blocks + 1;
  if (r->outs <= grain)
    {
      join_blocks (&job, 0, r->outs, 0);
      return KT_OK;
    }
  return host->parallel_for (run, r->outs, grain, join_blocks, &job);
}

/* A prepared reduction. */
typedef struct
{
  const kt_reduction *reduction;
  const kt_reduce_loops *loops;
  bool noop, ready; /* ready: the axes were known in prepare */
  kt_reduce plan;
} State;

/* The axes to reduce: all when none is given, unless the attribute says otherwise. */
static uint32_t
set_of (const kt_axes *axes, int32_t ndim, bool noop)
{
  if (axes->n > 0)
    return axes->set;
  return noop ? 0 : ndim >= KT_MAX_RANK ? UINT32_MAX : ((uint32_t) 1 << ndim) - 1;
}

static bool
attribute_noop (const kt_host *host, const void *ctx)
{
  return kt_attr_int (host, ctx, "noop_with_empty_axes", 0) != 0;
}

kt_status
kt_reduce_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);
  const bool keep = kt_attr_int (host, infer, "keepdims", 1) != 0;
  int64_t dims[KT_MAX_RANK];
  int32_t n = 0;
  kt_axes axes;

  (void) user;
  if (x.kind == 0)
    return KT_OK;
  if (x.ndim < 0)
    return kt_set_unknown (host, infer, 0, x.dtype, -1);
  KT_TRY (kt_axes_of (host, infer, 1, x.ndim, &axes));
  if (axes.n > x.ndim)
    return kt_fail (host, infer, KT_E_VALUE, "%lld axes for rank %d", (long long) axes.n,
                    (int) x.ndim);
  if (axes.state == KT_AXES_UNKNOWN)
    return kt_set_unknown (host, infer, 0, x.dtype,
                           keep         ? x.ndim
                           : axes.n < 0 ? -1
                                        : x.ndim - (int32_t) axes.n);

  const uint32_t set = set_of (&axes, x.ndim, attribute_noop (host, infer));
  for (int32_t d = 0; d < x.ndim; d++)
    if (!(set >> d & 1))
      dims[n++] = x.dims[d];
    else if (keep)
      dims[n++] = 1;
  return kt_set_out (host, infer, 0, x.dtype, dims, n);
}

/* Is there something to reduce, where that is needed? */
static kt_status
check_count (const kt_host *host, const void *ctx, const State *s)
{
  return s->plan.count == 0 && s->plan.outs > 0 && s->reduction->needs_elements
                 && !kt_is_float (s->loops->dtype)
             ? kt_fail (host, ctx, KT_E_VALUE, "there is no mean of 0 integers")
             : KT_OK;
}

kt_status
kt_reduce_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0);
  kt_axes axes;
  State *s;

  KT_TRY (host->keep (prep, sizeof *s, state));
  s            = *state;
  s->reduction = user;
  s->noop      = attribute_noop (host, prep);
  for (s->loops = s->reduction->loops; s->loops->rows; s->loops++)
    if (s->loops->dtype == x.dtype)
      break;
  if (!s->loops->rows)
    return kt_fail (host, prep, KT_E_UNSUPPORTED, "no loop for this element type");

  KT_TRY (kt_axes_of (host, prep, 1, x.ndim, &axes));
  s->ready = axes.state != KT_AXES_UNKNOWN;
  if (!s->ready)
    { /* blocks are longer than 1,024 elements on average, whatever the axes */
      const int64_t count = kt_count (x.dims, x.ndim);
      return host->want_workspace (prep, ((size_t) count / 1024 + 16) * s->loops->size,
                                   0);
    }
  kt_reduce_plan (&s->plan, x.ndim, x.dims, set_of (&axes, x.ndim, s->noop));
  KT_TRY (check_count (host, prep, s));
  return host->want_workspace (prep, kt_reduce_bytes (&s->plan, s->loops), 0);
}

kt_status
kt_reduce_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s     = state;
  const kt_tensor *x = &run->in[0], *y = &run->out[0];

  if (s->ready)
    return kt_reduce_run_plan (host, run, &s->plan, s->loops, x->data, y->data,
                               s->plan.blocks > 1 ? host->workspace (run, -1, NULL)
                                                  : NULL);

  State now = *s;
  kt_axes axes;
  KT_TRY (kt_axes_at_run (host, run, 1, x->ndim, &axes));
  kt_reduce_plan (&now.plan, x->ndim, x->shape, set_of (&axes, x->ndim, s->noop));
  KT_TRY (check_count (host, run, &now));
  if (now.plan.outs != kt_count (y->shape, y->ndim))
    return kt_fail (host, run, KT_E_SHAPE,
                    "the axes leave %lld elements, the output has %lld",
                    (long long) now.plan.outs, (long long) kt_count (y->shape, y->ndim));
  return kt_reduce_run_plan (host, run, &now.plan, now.loops, x->data, y->data,
                             host->workspace (run, -1, NULL));
}

kt_value
kt_reduce_keep (const kt_host *host, kt_graph *g, kt_value v)
{
  const kt_value axes = host->g_in (g, 1);

  if (!axes || kt_attr_int (host, g, "keepdims", 1) != 0)
    return v; /* without axes and keepdims v is a scalar or nothing was reduced */
  return kt_node (host, g, "Unsqueeze", (const kt_value[]){ v, axes }, 2, NULL, 0);
}

kt_value
kt_reduce_node (const kt_host *host, kt_graph *g, const char *op, kt_value x)
{
  const kt_attr attrs[] = {
    { .name = "keepdims", .kind = KT_A_INT, .i = kt_attr_int (host, g, "keepdims", 1) },
    { .name = "noop_with_empty_axes",
      .kind = KT_A_INT,
      .i    = kt_attr_int (host, g, "noop_with_empty_axes", 0) },
  };
  const kt_value axes = host->g_in (g, 1);

  return kt_node (host, g, op, (const kt_value[]){ x, axes }, axes ? 2 : 1, attrs, 2);
}
