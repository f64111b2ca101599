/* SPDX-License-Identifier: Apache-2.0
 *
 * conv.c: Conv forward and kette.ConvGradX, which goes the other way through the same windows.
 * A piece of work is a few images, or of one image a range of the result's channels: that is
 * contiguous, in blocks as well as row-major, and has weights of its own.
 */
#include "conv.h"
#include <string.h>

typedef struct
{
  Shape s;
  Pieces pieces;
  bool backward, with_bias, winograd;
  int32_t sum; /* the input that the result is added to; 0: none */
  /* In floats, from one image or share of it to the next: of what is read, of the result. */
  size_t in_image, in_split, out_image, out_split;
  Packing packing;
  const float *bias; /* filled up; NULL: the node's */
  Primitive conv;
  Bands bands; /* if there are several */
  /* Channels that are no multiple of 16, in blocks of that: floats of all images in the
   * workspace, behind the packed weights; 0: not needed. */
  size_t wide_in, wide_out, more_at; /* more_at: of that, or of bands */
} Conv;

/* What a kernel is for. */
typedef struct
{
  ConvLayout layout;
  bool backward;
} Kind;

static bool
conv_read (const kt_host *host, const void *ctx, const void *user, void *state)
{
  const Kind *kind = user;
  Conv *c          = state;
  const kt_type in = dnn_type (host, ctx, 0, 0), w = dnn_type (host, ctx, 0, 1),
                out    = dnn_type (host, ctx, 1, 0);
  const Shape *const s = &c->s;

  c->backward = kind->backward;
  if (!conv_shape (host, ctx, &kind->layout, c->backward ? out : in, w,
                   c->backward ? in : out, &c->s))
    return false;
  c->with_bias = !c->backward && dnn_type (host, ctx, 0, 2).kind == KT_TENSOR;
  c->pieces = conv_pieces_of (s, c->backward ? conv_units (s, s->x_channels, s->x_block)
                                             : conv_units (s, s->y_channels, s->y_block));
  return true;
}

/* The primitive descriptor of a piece; NULL: oneDNN has no fast code for it. */
static dnnl_primitive_desc_t
describe (void *state, Descriptors *d)
{
  Conv *c              = state;
  const int64_t splits = c->pieces.splits, both = c->s.group > 1 ? splits : 1;
  Shape piece = c->s;
  const dnnl_alg_kind_t way
      = c->winograd ? dnnl_convolution_winograd : dnnl_convolution_direct;
  dnnl_convolution_desc_t desc;

  if (c->pieces.bands > 1)
    bands_init (&c->bands, &piece, c->pieces.bands);
  if (!conv_describe (&piece, c->pieces.per, c->backward ? splits : both,
                      c->backward ? both : splits, d))
    return NULL;
  if (c->backward ? dnn.dilated_convolution_backward_data_desc_init (
          &desc, dnnl_convolution_direct, &d->x, &d->w, &d->y, d->stride, d->dilation,
          d->begin, d->end)
                  : dnn.dilated_convolution_forward_desc_init (
                      &desc, dnnl_forward_inference, way, &d->x, &d->w,
                      c->with_bias ? &d->b : NULL, &d->y, d->stride, d->dilation,
                      d->begin, d->end))
    return NULL;
  return conv_create (&desc, c->sum > 0);
}

/* Winograd's way, for constant weights: half the products of windows of 3 x 3, by sums of at
 * most four elements before and behind them. C becomes such a convolution, and the result is
 * its primitive descriptor; NULL: C stays as it is. */
static dnnl_primitive_desc_t
describe_winograd (const kt_host *host, kt_prep *prep, Conv *c, Descriptors *d)
{
  Conv with = *c;
  kt_tensor weights;
  dnnl_primitive_desc_t desc;

  if (c->backward || !winograd_pieces (&c->s, &with.pieces)
      || host->constant (prep, 1, &weights) != KT_OK || !weights.data)
    return NULL;
  with.winograd = true;
  with.sum      = with.pieces.bands > 1 ? 0 : c->sum;
  desc          = describe (&with, d);
  if (desc)
    *c = with;
  return desc;
}

int32_t
conv_summand (const kt_host *host, kt_prep *prep)
{
  const kt_type y = dnn_type (host, prep, 1, 0);
  int32_t n_in, n_out, version;
  kt_follower next;
  kt_type other;

  if (host->follower (prep, 0, &next) != KT_OK || !next.op
      || strcmp (next.domain, "") != 0 || strcmp (next.op, "Add") != 0 || next.n_in != 2
      || host->follower_type (prep, 0, 1 - next.operand, &other) != KT_OK
      || other.kind != KT_TENSOR || other.ndim != y.ndim
      || host->arity (prep, &n_in, &n_out, &version) != KT_OK)
    return 0;
  for (int32_t d = 0; d < y.ndim; d++)
    if (other.dims[d] != y.dims[d])
      return 0;
  return n_in;
}

bool
conv_relu (const kt_host *host, const kt_prep *prep, int32_t n)
{
  kt_follower next;

  return host->follower (prep, n, &next) == KT_OK && next.op
         && strcmp (next.domain, "") == 0 && strcmp (next.op, "Relu") == 0;
}

/* The best that there is; C says which. NULL: nothing. */
static dnnl_primitive_desc_t
choose (const kt_host *host, kt_prep *prep, Conv *c, Descriptors *d)
{
  dnnl_primitive_desc_t desc;

  c->sum = c->backward || c->s.y_wide ? 0 : conv_summand (host, prep);
  desc   = describe_winograd (host, prep, c, d);
  if (!desc && !(desc = describe (c, d)) && c->sum > 0)
    {
      c->sum = 0;
      desc   = describe (c, d);
    }
  if (desc && c->sum > 0 && host->absorb (prep, 1) != KT_OK)
    {
      dnn.primitive_desc_destroy (desc);
      return NULL;
    }
  return desc;
}

static kt_status
prepare_primitives (const kt_host *host, kt_prep *prep, void *state)
{
  Conv *c = state;
  static const int forward[]
      = { DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS };
  static const int backward[]
      = { DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC };
  const Shape *s       = &c->s;
  const bool grouped   = s->group > 1;
  const size_t x_image = (size_t) (s->x_channels * window_count (s->w.large, s->w.n)),
               y_image = (size_t) (s->y_channels * window_count (s->w.small, s->w.n)),
               kernel  = (size_t) window_count (s->w.kernel, s->w.n);
  const float *weights;
  Descriptors d;
  kt_status status = wide_fill (host, prep, &c->s, &weights, &c->bias);

  if (status != KT_OK)
    return status;
  if (weights)
    c->pieces = conv_pieces_of (s, conv_units (s, s->y_made, s->y_block));
  const dnnl_primitive_desc_t desc = choose (host, prep, c, &d);
  if (!desc)
    return dnn_fail (host, prep, KT_E_UNSUPPORTED, "oneDNN has no code for this shape");
  status = primitive_init (host, prep, &c->conv, desc, c->backward ? backward : forward,
                           c->with_bias ? 4 : 3);
  if (status != KT_OK)
    return status;
  const size_t splits = (size_t) c->pieces.splits;
  c->in_image         = c->backward ? y_image : x_image;
  c->in_split         = grouped ? c->in_image / splits : 0;
  c->out_image        = c->backward ? x_image : y_image;
  c->out_split
      = (c->backward ? x_image : y_image / (size_t) s->y_channels * (size_t) s->y_made)
        / splits;
  if (s->x_wide) /* forward only */
    c->wide_in = (size_t) s->images
                 * wide_floats (s->x_channels, window_count (s->w.large, s->w.n));
  if (s->y_wide)
    c->wide_out = (size_t) s->images
                  * wide_floats (s->y_channels, window_count (s->w.small, s->w.n));

  const size_t all = (size_t) s->y_made * (size_t) (s->x_channels / s->group) * kernel;
  const size_t step
      = c->backward && !grouped ? (size_t) s->x_channels / splits * kernel : all / splits;
  const size_t more
      = c->pieces.bands > 1
            ? (size_t) c->pieces.bands * (bands_in (&c->bands) + bands_out (&c->bands))
            : c->wide_in + c->wide_out;
  return packing_init (host, prep, &c->packing, &d.plain_w, step, &c->conv.md[1],
                       (int64_t) splits, weights, more, &c->more_at);
}

static void
conv_destroy (void *state)
{
  Conv *c = state;

  primitive_clear (&c->conv);
  primitive_clear (&c->packing.pack);
}

static const ConvCode code
    = { sizeof (Conv), conv_read, describe, prepare_primitives, conv_destroy };

static int32_t
conv_suits (const kt_host *host, const void *ctx, void *user)
{
  return code_suits (&code, host, ctx, user);
}

static kt_status
conv_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  return code_prepare (&code, host, prep, user, state);
}

typedef struct
{
  const kt_host *host;
  kt_run *run;
  Conv *conv;
  float *packed, *in, *out; /* in, out: of the operands, or in the workspace */
  float *more;              /* of the workspace, behind the weights */
  const float *bias, *sum;
  _Atomic int status;
} Work;

static void
widen (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Work *work = arg;

  (void) worker;
  wide_get (&work->conv->s, work->run->in[0].data, work->in, begin, end);
}

/* A share of image IMAGE, or PER images, is in blocks of 16: puts it where it belongs. */
static void
narrow (const Work *work, int64_t image, int64_t split)
{
  const Conv *c        = work->conv;
  const int64_t eights = c->s.y_channels / 8;
  const int64_t share = c->s.y_made / 8 / c->pieces.splits, first = split * share;
  const int64_t last = first + share < eights ? first + share : eights;

  if (c->pieces.splits > 1)
    wide_put (&c->s, work->out, work->run->out[0].data, image * eights + first,
              image * eights + last);
  else
    wide_put (&c->s, work->out, work->run->out[0].data, image * eights,
              (image + c->pieces.per) * eights);
}

static void
conv_bands (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Work *work          = arg;
  Conv *c             = work->conv;
  const size_t floats = bands_in (&c->bands) + bands_out (&c->bands);
  const int before    = dnn_begin ();

  for (int64_t i = begin; i < end; i++)
    {
      float *in  = work->more + (size_t) i * floats;
      float *out = in + bands_in (&c->bands);
      bands_get (&c->bands, work->in, i, in);
      const dnnl_status_t status = primitive_run (
          &c->conv, (void *[]){ in, work->packed, out, (void *) (uintptr_t) work->bias });
      if (status == dnnl_success)
        bands_put (&c->bands, work->host, work->run, out, i, worker);
      else
        work->status = status;
    }
  dnn_end (before);
}

static void
conv_pieces (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Work *work          = arg;
  Conv *c             = work->conv;
  const Pieces *p     = &c->pieces;
  const size_t images = (size_t) c->s.images;
  const size_t in     = c->wide_in ? c->wide_in / images : c->in_image,
               out    = c->wide_out ? c->wide_out / images : c->out_image;
  const int before    = dnn_begin ();
  const float *bias   = work->bias;
  const size_t biases = (size_t) (c->s.y_made / p->splits);

  for (int64_t i = begin; i < end; i++)
    {
      const size_t image  = (size_t) (i / p->splits * p->per),
                   split  = (size_t) (i % p->splits);
      const size_t begins = split * c->out_split, left = c->out_image - begins;
      const size_t first = image * c->out_image + begins;
      const size_t count = p->splits == 1        ? (size_t) p->per * c->out_image
                           : left < c->out_split ? left
                                                 : c->out_split;
      void *const data[] = {
        work->in + image * in + split * c->in_split,
        work->packed + split * c->packing.packed_step,
        work->out + image * out + begins,
        bias ? (void *) (uintptr_t) (bias + split * biases) : NULL,
      };
      if (work->sum && work->sum != work->out)
        memcpy (work->out + first, work->sum + first, count * sizeof (float));
      const dnnl_status_t status = primitive_run (&c->conv, data);
      if (status != dnnl_success)
        {
          work->status = status;
          continue;
        }
      if (c->wide_out)
        narrow (work, (int64_t) image, (int64_t) split);
      work->host->epilogue (work->run, (int64_t) first, (int64_t) (first + count),
                            worker);
    }
  dnn_end (before);
}

static kt_status
conv_run (const kt_host *host, kt_run *run, void *state)
{
  Conv *c             = state;
  const Shape *s      = &c->s;
  float *const ws     = host->workspace (run, -1, NULL);
  float *const more   = ws ? ws + c->more_at : NULL;
  kt_body *const body = c->pieces.bands > 1 ? conv_bands : conv_pieces;
  kt_status status;
  Work work = { host,
                run,
                c,
                packing_get (host, run, &c->packing, run->in[1].data, &status),
                c->wide_in ? more : run->in[0].data,
                c->wide_out ? more + c->wide_in : run->out[0].data,
                more,
                c->bias        ? c->bias
                : c->with_bias ? run->in[2].data
                               : NULL,
                c->sum ? run->in[c->sum].data : NULL,
                dnnl_success };

  if (status == KT_OK && c->wide_in)
    status = host->parallel_for (run, s->images * ((s->x_channels + 15) / 16), 1, widen,
                                 &work);
  if (status == KT_OK && c->pieces.n_pieces == 1)
    body (&work, 0, 1, 0);
  else if (status == KT_OK)
    status = host->parallel_for (run, c->pieces.n_pieces, 1, body, &work);
  return status != KT_OK ? status : dnn_failed (host, run, (dnnl_status_t) work.status);
}

#define CONV(DOMAIN, NAME, BACKWARD, X_BLOCK, Y_BLOCK, WIDEN, PRIORITY, LAYOUT)          \
  {                                                                                      \
    .struct_size = sizeof (kt_kernel), .domain = DOMAIN, .name = NAME, .device = "cpu",  \
    .types = "T=f32", .since = 1, .priority = PRIORITY,                                  \
    .flags  = KT_K_DETERMINISTIC | KT_K_REENTRANT | KT_K_EPILOGUE,                       \
    .user   = (void *) &(const Kind){ { X_BLOCK, Y_BLOCK, WIDEN }, BACKWARD },           \
    .layout = LAYOUT, .suits = conv_suits, .prepare = conv_prepare, .run = conv_run,     \
    .destroy = conv_destroy                                                              \
  }

/* The first layer of a network has few input channels: it reads rows and writes blocks. */
const kt_kernel conv_kernels_8[] = {
  CONV ("", "Conv", false, 8, 8, false, 116, "c8,,>c8"),
  CONV ("", "Conv", false, 0, 8, false, 115, ",,>c8"),
  CONV ("kette", "ConvGradX", true, 8, 8, false, 116, "c8,,>c8"),
  { 0 },
};
/* Multiples of 8 channels that are none of 16. */
const kt_kernel conv_kernels_16[] = {
  CONV ("", "Conv", false, 16, 16, false, 116, "c16,,>c16"),
  CONV ("", "Conv", false, 0, 16, false, 115, ",,>c16"),
  CONV ("", "Conv", false, 16, 8, true, 110, "c16,,>c8"),
  CONV ("", "Conv", false, 8, 16, true, 109, "c8,,>c16"),
  CONV ("", "Conv", false, 8, 8, false, 108, "c8,,>c8"),
  CONV ("", "Conv", false, 0, 8, false, 107, ",,>c8"),
  CONV ("kette", "ConvGradX", true, 16, 16, false, 116, "c16,,>c16"),
  CONV ("kette", "ConvGradX", true, 8, 8, false, 108, "c8,,>c8"),
  { 0 },
};
