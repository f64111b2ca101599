/* SPDX-License-Identifier: Apache-2.0
 *
 * conv-weights.c: kette.ConvGradW, the gradients of weights and bias. The images are cut into
 * parts that the shape decides; each part has sums of its own, and these are added in their
 * order. What is computed in the order of oneDNN's choice is put into rows at the end.
 */
#include "conv.h"
#include <string.h>

#define MOST_PARTS 8
#define MOST_FLOATS (4 << 20) /* of the sums of all parts, unless there are two */
#define SMALL 2.5e6
#define CHUNK 16384 /* floats that a thread adds at a time */

typedef struct
{
  Shape s;
  int64_t parts, ranges; /* of images; ranges of output channels that become rows */
  bool with_bias;
  size_t x_part, y_part, w_part, b_part; /* in floats */
  size_t range, range_rows;              /* from one range to the next: packed, in rows */
  Primitive conv, unpack;
} Weights;

static bool
weights_read (const kt_host *host, const void *ctx, const void *user, void *state)
{
  const ConvLayout *layout = user;
  Weights *c               = state;
  const kt_type w          = dnn_type (host, ctx, 1, 0);

  if (!conv_shape (host, ctx, layout, dnn_type (host, ctx, 0, 0), w,
                   dnn_type (host, ctx, 0, 1), &c->s))
    return false;
  c->with_bias         = dnn_type (host, ctx, 1, 1).kind == KT_TENSOR;
  const int64_t floats = window_count (w.dims, w.ndim);
  c->parts             = 1;
  for (int64_t d = 2; d <= MOST_PARTS && d <= c->s.images; d++)
    if (c->s.images % d == 0 && c->s.work / (double) d >= SMALL
        && (c->parts == 1 || d * floats <= MOST_FLOATS))
      c->parts = d;
  return true;
}

static dnnl_primitive_desc_t
describe (void *state, Descriptors *d)
{
  const Weights *c = state;
  dnnl_convolution_desc_t desc;

  if (!conv_describe (&c->s, c->s.images / c->parts, 1, 1, d)
      || dnn.dilated_convolution_backward_weights_desc_init (
             &desc, dnnl_convolution_direct, &d->x, &d->w, c->with_bias ? &d->b : NULL,
             &d->y, d->stride, d->dilation, d->begin, d->end)
             != dnnl_success)
    return NULL;
  return conv_create (&desc, false);
}

/* Cuts the first dim of PACKED into ranges of whole blocks: *SUB and *ROWS describe one. */
static void
cut_ranges (Weights *c, const dnnl_memory_desc_t *packed, const dnnl_memory_desc_t *rows,
            dnnl_memory_desc_t *sub, dnnl_memory_desc_t *sub_rows)
{
  const dnnl_blocking_desc_t *b = &packed->format_desc.blocking;
  const int64_t first           = packed->dims[0];
  int64_t block                 = 1, most;

  for (int i = 0; i < b->inner_nblks; i++)
    if (b->inner_idxs[i] == 0)
      block *= b->inner_blks[i];
  most      = first % block == 0 && packed->padded_dims[0] == first ? first / block : 1;
  c->ranges = 1;
  for (int64_t d = 2; d <= MOST_PARTS; d++)
    if (most % d == 0)
      c->ranges = d;
  *sub                     = *packed;
  *sub_rows                = *rows;
  sub->dims[0]             = first / c->ranges;
  sub->padded_dims[0]      = packed->padded_dims[0] / c->ranges;
  sub_rows->dims[0]        = first / c->ranges;
  sub_rows->padded_dims[0] = first / c->ranges;
  c->range                 = (size_t) (first / c->ranges / block * b->strides[0]);
  c->range_rows = (size_t) (first / c->ranges * rows->format_desc.blocking.strides[0]);
  if (c->ranges == 1)
    c->range = c->range_rows = 0;
}

static kt_status
prepare_primitives (const kt_host *host, kt_prep *prep, void *state)
{
  Weights *c = state;
  static const int args[]
      = { DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_BIAS };
  const Shape *s      = &c->s;
  const size_t images = (size_t) (s->images / c->parts);
  dnnl_memory_desc_t sub, rows;
  Descriptors d;
  const dnnl_primitive_desc_t desc = describe (c, &d);
  kt_status status;

  if (!desc)
    return dnn_fail (host, prep, KT_E_UNSUPPORTED, "oneDNN has no code for this shape");
  status = primitive_init (host, prep, &c->conv, desc, args, c->with_bias ? 4 : 3);
  if (status != KT_OK)
    return status;
  cut_ranges (c, &c->conv.md[2], &d.plain_w, &sub, &rows);
  status = primitive_init_reorder (host, prep, &c->unpack, &sub, &rows);
  if (status != KT_OK)
    return status;
  c->x_part = images * (size_t) (s->x_channels * window_count (s->w.large, s->w.n));
  c->y_part = images * (size_t) (s->y_channels * window_count (s->w.small, s->w.n));
  c->w_part = (primitive_bytes (&c->conv, 2) + 63) / 64 * 64 / sizeof (float);
  c->b_part = ((size_t) s->y_channels + 15) / 16 * 16;
  return host->want_workspace (
      prep, (size_t) c->parts * (c->w_part + c->b_part) * sizeof (float), 0);
}

static void
weights_destroy (void *state)
{
  Weights *c = state;

  primitive_clear (&c->conv);
  primitive_clear (&c->unpack);
}

static const ConvCode code
    = { sizeof (Weights), weights_read, describe, prepare_primitives, weights_destroy };

static int32_t
weights_suits (const kt_host *host, const void *ctx, void *user)
{
  return code_suits (&code, host, ctx, user);
}

static kt_status
weights_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  return code_prepare (&code, host, prep, user, state);
}

typedef struct
{
  kt_run *run;
  Weights *c;
  float *sums, *biases; /* of the parts, one behind the other */
  _Atomic int status;
} Work;

static void
run_parts (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Work *work       = arg;
  Weights *c       = work->c;
  const int before = dnn_begin ();

  (void) worker;
  for (int64_t i = begin; i < end; i++)
    {
      void *const data[] = { (float *) work->run->in[0].data + (size_t) i * c->x_part,
                             (float *) work->run->in[1].data + (size_t) i * c->y_part,
                             work->sums + (size_t) i * c->w_part,
                             work->biases + (size_t) i * c->b_part };
      const dnnl_status_t status = primitive_run (&c->conv, data);
      if (status != dnnl_success)
        work->status = status;
    }
  dnn_end (before);
}

/* Adds the sums of the other parts to those of the first one. */
static void
add_parts (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Work *work = arg;
  const Weights *c = work->c;

  (void) worker;
  for (int64_t part = 1; part < c->parts; part++)
    {
      const float *from = work->sums + (size_t) part * c->w_part;
      for (int64_t i = begin; i < end; i++)
        work->sums[i] += from[i];
    }
}

static void
put_into_rows (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Work *work       = arg;
  Weights *c       = work->c;
  const int before = dnn_begin ();

  (void) worker;
  for (int64_t i = begin; i < end; i++)
    {
      void *const data[]
          = { work->sums + (size_t) i * c->range,
              (float *) work->run->out[0].data + (size_t) i * c->range_rows };
      const dnnl_status_t status = primitive_run (&c->unpack, data);
      if (status != dnnl_success)
        work->status = status;
    }
  dnn_end (before);
}

static void
add_biases (const Work *work, float *db)
{
  const Weights *c = work->c;

  memcpy (db, work->biases, (size_t) c->s.y_channels * sizeof *db);
  for (int64_t part = 1; part < c->parts; part++)
    for (int64_t i = 0; i < c->s.y_channels; i++)
      db[i] += work->biases[(size_t) part * c->b_part + (size_t) i];
}

static kt_status
weights_run (const kt_host *host, kt_run *run, void *state)
{
  Weights *c  = state;
  float *sums = host->workspace (run, -1, NULL);
  Work work   = { run, c, sums, sums + (size_t) c->parts * c->w_part, dnnl_success };
  kt_status status;

  status = host->parallel_for (run, c->parts, 1, run_parts, &work);
  if (status == KT_OK && c->parts > 1)
    status = host->parallel_for (run, (int64_t) c->w_part, CHUNK, add_parts, &work);
  if (status == KT_OK)
    status = host->parallel_for (run, c->ranges, 1, put_into_rows, &work);
  if (status == KT_OK && c->with_bias)
    add_biases (&work, run->out[1].data);
  return status != KT_OK ? status : dnn_failed (host, run, (dnnl_status_t) work.status);
}

#define WEIGHTS(X_BLOCK, Y_BLOCK, PRIORITY, LAYOUT)                                      \
  {                                                                                      \
    .struct_size = sizeof (kt_kernel), .domain = "kette", .name = "ConvGradW",           \
    .device = "cpu", .types = "T=f32", .since = 1, .priority = PRIORITY,                 \
    .flags = KT_K_DETERMINISTIC | KT_K_REENTRANT,                                        \
    .user = (void *) &(const ConvLayout){ X_BLOCK, Y_BLOCK, false }, .layout = LAYOUT,   \
    .suits = weights_suits, .prepare = weights_prepare, .run = weights_run,              \
    .destroy = weights_destroy                                                           \
  }

const kt_kernel weights_kernels_8[] = {
  WEIGHTS (8, 8, 116, "c8,c8,>,"),
  WEIGHTS (0, 8, 115, ",c8,>,"),
  { 0 },
};
const kt_kernel weights_kernels_16[] = {
  WEIGHTS (16, 16, 116, "c16,c16,>,"),
  WEIGHTS (0, 16, 115, ",c16,>,"),
  WEIGHTS (8, 8, 112, "c8,c8,>,"),
  WEIGHTS (0, 8, 111, ",c8,>,"),
  { 0 },
};
