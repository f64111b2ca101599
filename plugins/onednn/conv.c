/* SPDX-License-Identifier: Apache-2.0
 *
 * conv.c: Conv forward. A piece of work is a few images, or of one image a range of output
 * channels: its result is contiguous, in blocks as well as row-major, and its weights are
 * packed apart, once if they are constant.
 */
#include "conv.h"
#include <string.h>

/* Additions and products of a piece: at least so many, about 20 us. */
#define SMALL 2.5e6
#define MOST_PIECES 8 /* that an image is cut into */

typedef struct
{
  Shape s;
  int64_t per, splits; /* images of a piece; shares of the channels of an image */
  int64_t n_pieces;
  size_t x_image, x_split, y_image, y_split, w_split, packed_split; /* in floats */
  bool with_bias;
  float *packed; /* constant weights; NULL: packed by each run */
  Primitive conv, pack;
} Conv;

typedef struct
{
  const kt_host *host;
  kt_run *run;
  Conv *conv;
  float *packed;
  _Atomic int status;
} Work;

/* Chooses pieces by the shape: images, or shares of the channels that are whole blocks. */
static void
choose_pieces (Conv *c)
{
  const Shape *s      = &c->s;
  const double image  = s->work / (double) s->images;
  const int64_t units = conv_units (s, s->y_channels, s->y_block);

  c->per = c->splits = 1;
  for (int64_t d = 2; d <= units && s->images * c->splits < MOST_PIECES; d++)
    if (units % d == 0 && d <= MOST_PIECES && image / (double) d >= SMALL)
      c->splits = d;
  for (int64_t d = 2; c->splits == 1 && d <= s->images; d++)
    if (s->images % d == 0 && image * (double) c->per < SMALL)
      c->per = d;
  c->n_pieces = s->images / c->per * c->splits;
}

/* The primitive descriptor of a piece; NULL: oneDNN has no fast code for it. */
static dnnl_primitive_desc_t
describe (const Conv *c, Descriptors *d)
{
  dnnl_convolution_desc_t desc;
  dnnl_primitive_attr_t attr;
  dnnl_primitive_desc_t made = NULL;

  if (!conv_describe (&c->s, c->per, c->s.group > 1 ? c->splits : 1, c->splits, d)
      || dnn.dilated_convolution_forward_desc_init (
             &desc, dnnl_forward_inference, dnnl_convolution_direct, &d->x, &d->w,
             c->with_bias ? &d->b : NULL, &d->y, d->stride, d->dilation, d->begin, d->end)
             != dnnl_success
      || dnn.primitive_attr_create (&attr) != dnnl_success)
    return NULL;
  if (dnn.primitive_attr_set_scratchpad_mode (attr, dnnl_scratchpad_mode_user)
          != dnnl_success
      || dnn.primitive_desc_create (&made, &desc, attr, dnn.engine, NULL) != dnnl_success)
    made = NULL;
  dnn.primitive_attr_destroy (attr);
  if (made && !primitive_is_fast (made))
    {
      dnn.primitive_desc_destroy (made);
      return NULL;
    }
  return made;
}

static bool
conv_read (const kt_host *host, const void *ctx, const ConvLayout *layout, Conv *c)
{
  if (!conv_shape (host, ctx, layout, dnn_type (host, ctx, 0, 0),
                   dnn_type (host, ctx, 0, 1), dnn_type (host, ctx, 1, 0), &c->s))
    return false;
  c->with_bias = dnn_type (host, ctx, 0, 2).kind == KT_TENSOR;
  choose_pieces (c);
  return true;
}

static int32_t
conv_suits (const kt_host *host, const void *ctx, void *user)
{
  Conv c = { 0 };
  Descriptors d;

  if (!conv_read (host, ctx, user, &c) || !dnn_open ())
    return 0;
  const int before                 = dnn_begin ();
  const dnnl_primitive_desc_t desc = describe (&c, &d);
  if (desc)
    dnn.primitive_desc_destroy (desc);
  dnn_end (before);
  return desc != NULL;
}

/* Packs the weights of the pieces BEGIN .. END - 1. */
static dnnl_status_t
pack (Conv *c, const float *weights, float *packed, int64_t begin, int64_t end)
{
  dnnl_status_t status = dnnl_success;

  for (int64_t i = begin; status == dnnl_success && i < end; i++)
    status = primitive_run (
        &c->pack, (void *[]){ (void *) (uintptr_t) (weights + (size_t) i * c->w_split),
                              packed + (size_t) i * c->packed_split });
  return status;
}

static kt_status
prepare_weights (const kt_host *host, kt_prep *prep, Conv *c, const Descriptors *d)
{
  const size_t bytes = (size_t) c->splits * c->packed_split * sizeof (float);
  kt_tensor weights;
  void *memory;

  if (host->constant (prep, 1, &weights) != KT_OK || !weights.data)
    return host->want_workspace (prep, bytes, 0);
  const kt_status status = host->keep (prep, bytes + 64, &memory);
  if (status != KT_OK)
    return status;
  c->packed = (float *) (((uintptr_t) memory + 63) & ~(uintptr_t) 63);
  (void) d;
  return dnn_failed (host, prep, pack (c, weights.data, c->packed, 0, c->splits));
}

static kt_status
prepare_primitives (const kt_host *host, kt_prep *prep, Conv *c)
{
  static const int args[]
      = { DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS };
  Descriptors d;
  const dnnl_primitive_desc_t desc = describe (c, &d);
  kt_status status;

  if (!desc)
    return dnn_fail (host, prep, KT_E_UNSUPPORTED, "oneDNN has no code for this shape");
  status = primitive_init (host, prep, &c->conv, desc, args, c->with_bias ? 4 : 3);
  if (status == KT_OK)
    status = primitive_init_reorder (host, prep, &c->pack, &d.plain_w, &c->conv.md[1]);
  if (status != KT_OK)
    return status;

  const size_t large  = (size_t) window_count (c->s.w.large, c->s.w.n),
               small  = (size_t) window_count (c->s.w.small, c->s.w.n);
  const size_t splits = (size_t) c->splits;
  c->x_image          = (size_t) c->s.x_channels * large;
  c->x_split          = c->s.group > 1 ? c->x_image / splits : 0;
  c->y_image          = (size_t) c->s.y_channels * small;
  c->y_split          = c->y_image / splits;
  c->w_split          = dnn.memory_desc_get_size (&d.plain_w) / sizeof (float);
  c->packed_split     = (primitive_bytes (&c->conv, 1) + 63) / 64 * 64 / sizeof (float);
  return prepare_weights (host, prep, c, &d);
}

static void
conv_destroy (void *state)
{
  Conv *c = state;

  primitive_clear (&c->conv);
  primitive_clear (&c->pack);
}

static kt_status
conv_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  Conv *c;
  kt_status status;

  if (!dnn_open ())
    return dnn_fail (host, prep, KT_E_UNSUPPORTED, "oneDNN cannot be opened");
  if ((status = host->keep (prep, sizeof *c, state)) != KT_OK)
    return status;
  c = *state;
  if (!conv_read (host, prep, user, c))
    return dnn_fail (host, prep, KT_E_UNSUPPORTED, "a shape that oneDNN does not serve");

  const int before = dnn_begin ();
  status           = prepare_primitives (host, prep, c);
  if (status != KT_OK)
    conv_destroy (c);
  dnn_end (before);
  return status;
}

static void
pack_pieces (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Work *work       = arg;
  const int before = dnn_begin ();
  const dnnl_status_t status
      = pack (work->conv, work->run->in[1].data, work->packed, begin, end);

  (void) worker;
  if (status != dnnl_success)
    work->status = status;
  dnn_end (before);
}

static void
conv_pieces (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Work *work       = arg;
  Conv *c          = work->conv;
  const int before = dnn_begin ();

  for (int64_t i = begin; i < end; i++)
    {
      const size_t image = (size_t) (i / c->splits * c->per),
                   split = (size_t) (i % c->splits);
      const size_t first = image * c->y_image + split * c->y_split;
      const size_t count = c->splits > 1 ? c->y_split : (size_t) c->per * c->y_image;
      void *const data[]
          = { (float *) work->run->in[0].data + image * c->x_image + split * c->x_split,
              work->packed + split * c->packed_split,
              (float *) work->run->out[0].data + first,
              c->with_bias ? (float *) work->run->in[2].data
                                 + split * (size_t) (c->s.y_channels / c->splits)
                           : NULL };
      const dnnl_status_t status = primitive_run (&c->conv, data);
      if (status != dnnl_success)
        work->status = status;
      else
        work->host->epilogue (work->run, (int64_t) first, (int64_t) (first + count),
                              worker);
    }
  dnn_end (before);
}

static kt_status
conv_run (const kt_host *host, kt_run *run, void *state)
{
  Conv *c          = state;
  Work work        = { host, run, c, c->packed, dnnl_success };
  kt_status status = KT_OK;

  if (!c->packed)
    {
      work.packed = host->workspace (run, -1, NULL);
      status      = host->parallel_for (run, c->splits, 1, pack_pieces, &work);
    }
  if (status == KT_OK && c->n_pieces == 1)
    conv_pieces (&work, 0, 1, 0);
  else if (status == KT_OK)
    status = host->parallel_for (run, c->n_pieces, 1, conv_pieces, &work);
  return status != KT_OK ? status : dnn_failed (host, run, (dnnl_status_t) work.status);
}

#define CONV(X_BLOCK, Y_BLOCK, PRIORITY, LAYOUT)                                         \
  {                                                                                      \
    .struct_size = sizeof (kt_kernel), .domain = "", .name = "Conv", .device = "cpu",    \
    .types = "T=f32", .since = 1, .priority = PRIORITY,                                  \
    .flags = KT_K_DETERMINISTIC | KT_K_REENTRANT | KT_K_EPILOGUE,                        \
    .user = (void *) &(const ConvLayout){ X_BLOCK, Y_BLOCK }, .layout = LAYOUT,          \
    .suits = conv_suits, .prepare = conv_prepare, .run = conv_run,                       \
    .destroy = conv_destroy                                                              \
  }

const kt_kernel conv_kernels_16[] = {
  CONV (16, 16, 116, "c16,,>c16"), /* the usual one */
  CONV (0, 16, 115, ",,>c16"),     /* few input channels: the first of a network */
  { 0 },
};
const kt_kernel conv_kernels_8[] = {
  CONV (8, 8, 116, "c8,,>c8"),
  CONV (0, 8, 115, ",,>c8"),
  { 0 },
};
