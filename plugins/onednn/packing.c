/* SPDX-License-Identifier: Apache-2.0
 *
 * packing.c: how a convolution is cut into pieces, and the weights that each of them reads in
 * the order of its own.
 */
#include "conv.h"

/* Additions and products of a piece: at least so many, 12-25 us. */
#define SMALL 2e6
#define PER_BYTE 8            /* of them for each byte that is read or written */
#define MOST_PIECES 8         /* of a convolution */
#define NEAR (1 << 20)        /* bytes that a processor keeps near itself */
#define PIECE_BYTES (1 << 19) /* of a result that what follows still finds there */
#define LEAST_ROWS 8          /* of a band: it reads two more */

/* Pieces for as many threads as this machine can run, whatever number runs now: a piece reads
 * all of its image, so there are no more than needed. */
static int64_t
enough_pieces (const Shape *s)
{
  return s->processors < 2             ? 2
         : s->processors < MOST_PIECES ? s->processors
                                       : MOST_PIECES;
}

/* Additions and products of an image; reading and writing are worth some. */
static double
image_work (const Shape *s)
{
  const double bytes = (double) sizeof (float)
                       * ((double) (s->x_channels * window_count (s->w.large, s->w.n))
                          + (double) (s->y_channels * window_count (s->w.small, s->w.n)));

  return s->work / (double) s->images + PER_BYTE * bytes;
}

int64_t
conv_pieces_wanted (const Shape *s)
{
  const int64_t want  = enough_pieces (s) / s->images;
  const double enough = image_work (s) / SMALL;

  return want <= 1 || enough < 2 ? 1 : enough < (double) want ? (int64_t) enough : want;
}

/* How many parts UNITS are cut into: WANT, or the next number that divides them. EASY: more
 * parts than wanted cost nothing. */
static int64_t
parts_of (int64_t units, int64_t want, bool easy)
{
  int64_t parts = 1;

  for (int64_t d = 2; d <= units && d <= (easy ? 2 * MOST_PIECES : want); d++)
    if (units % d == 0)
      {
        parts = d;
        if (d >= want)
          break;
      }
  return want > 1 ? parts : 1;
}

Pieces
conv_pieces_of (const Shape *s, int64_t units)
{
  const int64_t in_bytes
      = s->x_channels * window_count (s->w.large, s->w.n) * (int64_t) sizeof (float);
  const int64_t out_bytes
      = s->y_channels * window_count (s->w.small, s->w.n) * (int64_t) sizeof (float);
  const bool easy    = s->group > 1 || in_bytes <= NEAR; /* who reads how much */
  const double image = image_work (s);
  /* Of groups a piece reads only its own: shares are worth it for less, and keep what another
   * thread made from coming over to one alone. */
  const double small = s->group > 1 ? SMALL / 2 : SMALL;
  int64_t want       = enough_pieces (s) / s->images;
  Pieces p           = { 1, 1, 1, 0 };

  if (easy && s->images < MOST_PIECES && want * PIECE_BYTES < out_bytes)
    want = MOST_PIECES / s->images;
  if ((double) want * small > image)
    want = (int64_t) (image / small);
  p.splits = parts_of (units, want, easy);
  for (int64_t d = 2; p.splits == 1 && d <= s->images && image * (double) p.per < SMALL;
       d++)
    if (s->images % d == 0)
      p.per = d;
  p.n_pieces = s->images / p.per * p.splits;
  return p;
}

/* Fewer channels cost more in sums than they save in products. One image at a time: for several
 * oneDNN takes larger tiles, whose sums lose digits. Of one image shares of the channels, where
 * they are large enough that it does not matter that each repeats the sums over its input; else
 * bands of rows. */
bool
winograd_pieces (const Shape *s, Pieces *p)
{
  const Window *w    = &s->w;
  const int64_t most = enough_pieces (s);
  const double image = s->work / (double) s->images;

  if (s->group != 1 || w->n != 2 || s->x_block != 16 || s->y_block != 16 || s->x_wide
      || s->y_wide || s->x_channels < 32 || s->y_channels < 32)
    return false;
  for (int i = 0; i < 2; i++)
    if (w->kernel[i] != 3 || w->stride[i] != 1 || w->dilation[i] != 1)
      return false;
  *p = (Pieces){ 1, 1, 1, s->images };
  for (int64_t d = 2; s->images == 1 && d <= most && image / (double) d >= 2 * SMALL; d++)
    if (s->y_channels % (d * 64) == 0)
      p->splits = d;
    else if (p->splits == 1 && w->small[0] % d == 0 && w->small[0] / d >= LEAST_ROWS)
      p->bands = d;
  if (p->splits > 1)
    p->bands = 1;
  p->n_pieces = s->images * p->splits * p->bands;
  return true;
}

static dnnl_status_t
pack (Packing *p, const float *weights, float *packed, int64_t begin, int64_t end)
{
  dnnl_status_t status = dnnl_success;

  for (int64_t i = begin; status == dnnl_success && i < end; i++)
    status = primitive_run (
        &p->pack, (void *[]){ (void *) (uintptr_t) (weights + (size_t) i * p->step),
                              packed + (size_t) i * p->packed_step });
  return status;
}

kt_status
packing_init (const kt_host *host, kt_prep *prep, Packing *p,
              const dnnl_memory_desc_t *from, size_t step, const dnnl_memory_desc_t *to,
              int64_t splits, const float *known, size_t more, size_t *at)
{
  kt_status status  = primitive_init_reorder (host, prep, &p->pack, from, to);
  kt_tensor weights = { 0 };
  void *memory;

  if (status != KT_OK)
    return status;
  p->splits      = splits;
  p->step        = step;
  p->packed_step = (dnn.memory_desc_get_size (to) + 63) / 64 * 64 / sizeof (float);

  const size_t floats = (size_t) splits * p->packed_step;
  if (!known && host->constant (prep, 1, &weights) == KT_OK)
    known = weights.data;
  *at = known ? 0 : floats;
  if (*at + more > 0
      && (status = host->want_workspace (prep, (*at + more) * sizeof (float), 0))
             != KT_OK)
    return status;
  if (!known)
    return KT_OK;
  if ((status = host->keep (prep, floats * sizeof (float) + 64, &memory)) != KT_OK)
    return status;
  p->constant = (float *) (((uintptr_t) memory + 63) & ~(uintptr_t) 63);
  return dnn_failed (host, prep, pack (p, known, p->constant, 0, splits));
}

typedef struct
{
  Packing *packing;
  const float *weights;
  float *packed;
  _Atomic int status;
} Work;

static void
pack_pieces (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Work *work       = arg;
  const int before = dnn_begin ();
  const dnnl_status_t status
      = pack (work->packing, work->weights, work->packed, begin, end);

  (void) worker;
  if (status != dnnl_success)
    work->status = status;
  dnn_end (before);
}

float *
packing_get (const kt_host *host, kt_run *run, Packing *p, const float *weights,
             kt_status *status)
{
  Work work = { p, weights, p->constant, dnnl_success };

  *status = KT_OK;
  if (work.packed)
    return work.packed;
  work.packed = host->workspace (run, -1, NULL);
  *status     = host->parallel_for (run, p->splits, 1, pack_pieces, &work);
  if (*status == KT_OK && work.status != dnnl_success)
    *status = dnn_failed (host, run, (dnnl_status_t) work.status);
  return *status == KT_OK ? work.packed : NULL;
}
