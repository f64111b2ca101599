/* SPDX-License-Identifier: Apache-2.0
 *
 * pointwise.c: Conv with windows of one pixel in blocks of channels, and kette.ConvGradX of it:
 * products of pixels and weights, by the tiles of pointwise.h. oneDNN has code for these, too,
 * but of one image its threads share channels only, so that each reads the whole image; and
 * what is no multiple of 16 channels would have to be copied.
 *
 * A piece of work is a band of an image's pixels times a range of the result's channels.
 */
#include "pointwise.h"
#include "conv.h"
#include <string.h>

#define SHARE_BYTES (1 << 20) /* of X that tiles go through for each panel of weights */
#define FEW_CHANNELS 64

/* Where operands lie: blocks of channels of what is read and of the result. */
typedef struct
{
  ConvLayout layout;
  bool backward;
} Kind;

typedef struct
{
  Shape s;
  bool backward, with_bias, relu;
  int32_t sum;     /* the input that the result is added to; 0: none */
  int64_t in, out; /* channels */
  int in_block, out_block;
  int64_t in_pixels, pixels; /* of an image */
  int64_t lines, columns; /* of the result; one line where X and Y have the same pixels */
  int64_t line, column;   /* pixels of X from one to the next */
  int64_t tiles;          /* of a line */
  int64_t panel, panels;  /* channels of a tile; panels of weights for so many each */
  int64_t rows;           /* pixels of a tile, at most */
  int64_t bands, shares;  /* pieces of an image: by tiles, by panels */
  int64_t step;           /* tiles of a band that go through the panels at a time */
  float *packed;          /* weights and bias, if they are constant */
} Point;

static int64_t
parts (int64_t n, int64_t of)
{
  return (n + of - 1) / of;
}

static int64_t
least (int64_t a, int64_t b)
{
  return a < b ? a : b;
}

/* Floats of the packed weights, behind which the bias lies: a last panel of at most 16 channels
 * has one vector. */
static size_t
packed_weights (const Point *p)
{
  return (size_t) (parts (p->out, POINT_WIDTH) * POINT_WIDTH * p->in);
}

static size_t
packed_floats (const Point *p)
{
  return packed_weights (p) + (size_t) (parts (p->out, POINT_WIDTH) * POINT_WIDTH);
}

/* Tiles of an image for as many threads as the machine can run; where the weights are larger
 * than the image, or there are few tiles, channels. */
static void
cut (Point *p)
{
  const Shape *s      = &p->s;
  const int64_t tiles = p->lines * p->tiles;
  const int64_t want  = conv_pieces_wanted (s);

  if (p->in_pixels >= p->out || p->panels < want)
    {
      p->bands  = least (want, tiles);
      p->shares = least (parts (want, p->bands), p->panels);
    }
  else
    {
      p->bands  = 1;
      p->shares = want;
    }
  p->step = SHARE_BYTES / (p->in * p->rows * (int64_t) sizeof (float));
  if (p->step < 4)
    p->step = 4;
}

/* The widest that all channels of the result are a multiple of. */
static void
choose_tile (Point *p)
{
  const int64_t vectors = parts (p->out, POINT_WIDTH);
  const int wide        = vectors % 4 == 0 ? 4 : vectors % 3 == 0 ? 3 : 2;

  p->panel  = wide * POINT_WIDTH;
  p->panels = parts (p->out, p->panel);
  p->rows   = point_rows (wide);
  p->tiles  = parts (p->columns, p->rows);
}

/* FALSE: no convolution of single pixels. */
static bool
point_read (const kt_host *host, const void *ctx, const Kind *kind, Point *p)
{
  const kt_type in = dnn_type (host, ctx, 0, 0), w = dnn_type (host, ctx, 0, 1),
                out = dnn_type (host, ctx, 1, 0);
  const Shape *s    = &p->s;
  bool same         = true;

  memset (p, 0, sizeof *p);
  p->backward  = kind->backward;
  p->with_bias = !p->backward && dnn_type (host, ctx, 0, 2).kind == KT_TENSOR;
  if (!point_can ()
      || !conv_shape (host, ctx, &kind->layout, p->backward ? out : in, w,
                      p->backward ? in : out, &p->s)
      || s->group != 1)
    return false;
  for (int d = 0; d < s->w.n; d++)
    {
      if (s->w.kernel[d] != 1 || s->w.begin[d] != 0
          || (s->w.small[d] - 1) * s->w.stride[d] >= s->w.large[d])
        return false;
      same = same && s->w.small[d] == s->w.large[d];
    }
  if (!same && (p->backward || s->w.n > 2))
    return false;

  p->in        = p->backward ? s->y_channels : s->x_channels;
  p->out       = p->backward ? s->x_channels : s->y_channels;
  p->in_block  = p->backward ? s->y_block : s->x_block;
  p->out_block = p->backward ? s->x_block : s->y_block;
  p->in_pixels = window_count (s->w.large, s->w.n);
  p->pixels    = window_count (s->w.small, s->w.n);
  p->lines     = same || s->w.n == 1 ? 1 : s->w.small[0];
  p->columns   = p->pixels / p->lines;
  p->column    = same ? 1 : s->w.stride[s->w.n - 1];
  p->line      = s->w.n == 2 ? s->w.stride[0] * s->w.large[1] : 0;
  choose_tile (p);
  if (p->pixels == 0)
    return false;
  /* Elsewhere oneDNN is better: where the weights are larger than the image, and where there are
   * few sums to add up. */
  if (p->in_block == 16 && p->out_block == 16
      && (p->in_pixels < p->out || p->out < 2 * POINT_WIDTH
          || (p->out > p->in && p->in < FEW_CHANNELS)))
    return false;
  cut (p);
  return true;
}

static int32_t
point_suits (const kt_host *host, const void *ctx, void *user)
{
  Point p;

  return point_read (host, ctx, user, &p);
}

/* Panels BEGIN .. END - 1: for each channel of X the weights of its channels of the result, with
 * zeros for those that are not there. */
static void
pack_panels (const Point *p, const float *weights, float *packed, int64_t begin,
             int64_t end)
{
  for (int64_t panel = begin; panel < end; panel++)
    {
      const int64_t first = panel * p->panel, there = least (p->panel, p->out - first);
      const int64_t wide = parts (there, POINT_WIDTH) * POINT_WIDTH;
      float *to          = packed + first * p->in;

      memset (to, 0, (size_t) (wide * p->in) * sizeof *to);
      if (p->backward)
        for (int64_t c = 0; c < p->in; c++)
          memcpy (to + c * wide, weights + c * p->out + first,
                  (size_t) there * sizeof *to);
      else
        for (int64_t j = 0; j < there; j++)
          for (int64_t c = 0; c < p->in; c++)
            to[c * wide + j] = weights[(first + j) * p->in + c];
    }
}

static void
pack_bias (const Point *p, const float *bias, float *packed)
{
  const size_t there = bias ? (size_t) p->out : 0;
  float *to          = packed + packed_weights (p);

  if (there)
    memcpy (to, bias, there * sizeof *to);
  memset (to + there, 0, (packed_floats (p) - packed_weights (p) - there) * sizeof *to);
}

static kt_status
point_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  kt_tensor weights, bias = { 0 };
  void *memory;
  Point *p;
  kt_status status;

  if ((status = host->keep (prep, sizeof *p, state)) != KT_OK)
    return status;
  p = *state;
  if (!point_read (host, prep, user, p))
    return dnn_fail (host, prep, KT_E_UNSUPPORTED, "no convolution of single pixels");
  p->sum  = p->backward ? 0 : conv_summand (host, prep);
  p->relu = !p->backward && conv_relu (host, prep, p->sum > 0);
  if (p->sum > 0 || p->relu)
    if ((status = host->absorb (prep, (p->sum > 0) + p->relu)) != KT_OK)
      return status;

  const size_t size = packed_floats (p) * sizeof (float);
  if (host->constant (prep, 1, &weights) != KT_OK || !weights.data
      || (p->with_bias && (host->constant (prep, 2, &bias) != KT_OK || !bias.data)))
    return host->want_workspace (prep, size, 0);
  if ((status = host->keep (prep, size + 64, &memory)) != KT_OK)
    return status;
  p->packed = (float *) (((uintptr_t) memory + 63) & ~(uintptr_t) 63);
  pack_panels (p, weights.data, p->packed, 0, p->panels);
  pack_bias (p, bias.data, p->packed);
  return KT_OK;
}

typedef struct
{
  const kt_host *host;
  kt_run *run;
  const Point *point;
  float *packed;
} Work;

static void
pack_work (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Work *work = arg;

  (void) worker;
  pack_panels (work->point, work->run->in[1].data, work->packed, begin, end);
}

/* The first pixel of tile I of an image: lines are cut into tiles of nearly the same size. */
static int64_t
tile_begin (const Point *p, int64_t i)
{
  const int64_t line = i / p->tiles, t = i % p->tiles;

  return line * p->columns + t * (p->columns / p->tiles)
         + least (t, p->columns % p->tiles);
}

/* Tiles FIRST .. END - 1 of IMAGE times PANEL. */
static void
multiply (const Work *work, int64_t image, int64_t panel, int64_t first, int64_t end,
          int32_t worker)
{
  const Point *p     = work->point;
  const int64_t from = panel * p->panel, there = least (p->panel, p->out - from);
  const int64_t below = from / p->out_block;
  const int64_t begin = tile_begin (p, first), last = tile_begin (p, end);
  const float *const x
      = (const float *) work->run->in[0].data + image * p->in * p->in_pixels;
  const int64_t y         = image * p->out * p->pixels + below * p->pixels * p->out_block;
  float *const out        = work->run->out[0].data;
  const float *const sums = p->sum ? work->run->in[p->sum].data : NULL;
  PointTile t             = { .x_pixel = p->column * p->in_block,
                              .x_step  = p->in_pixels * p->in_block,
                              .blocks  = p->in / p->in_block,
                              .block   = p->in_block,
                              .w       = work->packed + from * p->in,
                              .bias    = work->packed + packed_weights (p) + from,
                              .y_step  = p->pixels * p->out_block,
                              .eights  = p->out_block == 8 ? (int) (there / 8) : 0,
                              .vectors = (int) parts (there, POINT_WIDTH),
                              .relu    = p->relu };

  for (int64_t i = first; i < end; i++)
    {
      const int64_t pixel = tile_begin (p, i), line = pixel / p->columns;
      const int64_t at = y + pixel * p->out_block;
      t.rows           = (int) (tile_begin (p, i + 1) - pixel);
      t.x = x + (line * p->line + (pixel - line * p->columns) * p->column) * p->in_block;
      t.y = out + at;
      t.sum = sums ? sums + at : NULL;
      point_tile (&t);
    }
  for (int64_t b = 0; b < there / p->out_block; b++)
    {
      const int64_t block = y + b * t.y_step;
      work->host->epilogue (work->run, block + begin * p->out_block,
                            block + last * p->out_block, worker);
    }
}

static void
point_pieces (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Work *work    = arg;
  const Point *p      = work->point;
  const int64_t tiles = p->lines * p->tiles, pieces = p->bands * p->shares;

  for (int64_t i = begin; i < end; i++)
    {
      const int64_t image = i / pieces, band = i % pieces / p->shares,
                    share = i % p->shares;
      const int64_t last  = tiles * (band + 1) / p->bands;
      for (int64_t t = tiles * band / p->bands; t < last; t += p->step)
        for (int64_t panel = p->panels * share / p->shares;
             panel < p->panels * (share + 1) / p->shares; panel++)
          multiply (work, image, panel, t, least (t + p->step, last), worker);
    }
}

static kt_status
point_run (const kt_host *host, kt_run *run, void *state)
{
  Point *p         = state;
  const int64_t n  = p->s.images * p->bands * p->shares;
  Work work        = { host, run, p, p->packed };
  kt_status status = KT_OK;

  if (!work.packed)
    {
      work.packed = host->workspace (run, -1, NULL);
      pack_bias (p, p->with_bias ? run->in[2].data : NULL, work.packed);
      status = host->parallel_for (run, p->panels, 1, pack_work, &work);
    }
  if (status == KT_OK && n == 1)
    point_pieces (&work, 0, 1, 0);
  else if (status == KT_OK)
    status = host->parallel_for (run, n, 1, point_pieces, &work);
  return status;
}

#define POINT(DOMAIN, NAME, BACKWARD, X_BLOCK, Y_BLOCK, PRIORITY, LAYOUT)                \
  {                                                                                      \
    .struct_size = sizeof (kt_kernel), .domain = DOMAIN, .name = NAME, .device = "cpu",  \
    .types = "T=f32", .since = 1, .priority = PRIORITY,                                  \
    .flags  = KT_K_DETERMINISTIC | KT_K_REENTRANT | KT_K_EPILOGUE,                       \
    .user   = (void *) &(const Kind){ { X_BLOCK, Y_BLOCK, false }, BACKWARD },           \
    .layout = LAYOUT, .suits = point_suits, .prepare = point_prepare, .run = point_run   \
  }

const kt_kernel point_kernels_8[]  = { { 0 } };
const kt_kernel point_kernels_16[] = {
  POINT ("", "Conv", false, 16, 16, 126, "c16,,>c16"),
  POINT ("", "Conv", false, 16, 8, 114, "c16,,>c8"),
  POINT ("", "Conv", false, 8, 16, 113, "c8,,>c16"),
  POINT ("", "Conv", false, 8, 8, 112, "c8,,>c8"),
  POINT ("kette", "ConvGradX", true, 16, 16, 126, "c16,,>c16"),
  POINT ("kette", "ConvGradX", true, 8, 8, 112, "c8,,>c8"),
  { 0 },
};
