/* SPDX-License-Identifier: Apache-2.0
 *
 * pad.c: padding goes row by row: what lies in front, one copy of what is there, what lies
 * behind. Dims that are not padded are part of an element of the dim in front of them.
 */
#include "pad.h"

#define PIECE_BYTES (256 * 1024)

kt_status
kt_pad_mode_of (const kt_host *host, const void *ctx, kt_pad_mode *mode)
{
  static const char *const names[] = { "constant", "reflect", "edge", "wrap" };

  for (int i = KT_PAD_CONSTANT; i <= KT_PAD_WRAP; i++)
    if (kt_attr_is (host, ctx, "mode", names[i]))
      {
        *mode = (kt_pad_mode) i;
        return KT_OK;
      }
  return kt_fail (host, ctx, KT_E_ATTR,
                  "mode is none of constant, reflect, edge and wrap");
}

kt_status
kt_pads_resolve (const kt_host *host, const void *ctx, int32_t ndim, const int64_t *pads,
                 const int64_t *axes, int64_t n, kt_pads *out)
{
  uint32_t seen = 0;

  *out = (kt_pads){ { 0 }, { 0 } };
  if (axes)
    KT_TRY (kt_axis_set (host, ctx, axes, (size_t) n, ndim, &seen));
  for (int64_t i = 0; i < n; i++)
    {
      const int64_t axis = !axes ? i : axes[i] + (axes[i] < 0 ? ndim : 0);
      out->begin[axis]   = pads[i];
      out->end[axis]     = pads[i + n];
    }
  return KT_OK;
}

/* What a dim of N elements becomes. */
static kt_pad_dim
padded (int64_t n, int64_t begin, int64_t end)
{
  return (kt_pad_dim){ .out   = n + begin + end,
                       .n     = n,
                       .begin = begin,
                       .low   = begin < 0 ? -begin : 0,
                       .high  = end < 0 ? n + end : n };
}

kt_status
kt_pad_shape (const kt_host *host, const void *ctx, kt_pad_mode mode, int32_t ndim,
              const int64_t *dims, const kt_pads *pads, int64_t *out)
{
  for (int32_t d = 0; d < ndim; d++)
    {
      const int64_t n = dims[d], begin = pads->begin[d], end = pads->end[d];

      out[d] = begin == 0 && end == 0 ? n : KT_DIM (0);
      if (out[d] == n || KT_IS_DIM (n) || KT_IS_DIM (begin) || KT_IS_DIM (end))
        continue;
      if (__builtin_add_overflow (n, begin, &out[d])
          || __builtin_add_overflow (out[d], end, &out[d]))
        return kt_fail (host, ctx, KT_E_LIMIT,
                        "dim %d is %lld, with %lld and %lld it exceeds 2^63", (int) d,
                        (long long) n, (long long) begin, (long long) end);
      if (begin < -n || end < -n || out[d] < 0)
        return kt_fail (host, ctx, KT_E_SHAPE,
                        "dim %d is %lld, to which %lld and %lld cannot be added", (int) d,
                        (long long) n, (long long) begin, (long long) end);

      const kt_pad_dim dim = padded (n, begin, end);
      if (mode != KT_PAD_CONSTANT && out[d] > 0 && dim.low >= dim.high)
        return kt_fail (host, ctx, KT_E_SHAPE,
                        "nothing of dim %d is there to be repeated", (int) d);
    }
  return KT_OK;
}

void
kt_pad_plan (kt_pad *p, kt_pad_mode mode, int32_t dtype, int32_t ndim,
             const int64_t *dims, const kt_pads *pads)
{
  int32_t n = 0;

  *p = (kt_pad){
    .mode = mode, .bits = kt_bits_of (dtype), .last = { 1, 1, 0, 0, 1 }, .inner = 1
  };
  /* Neighbours that are not padded are one dim; the last ones belong to the elements. */
  for (int32_t d = 0; d < ndim; d++)
    {
      const kt_pad_dim dim = padded (dims[d], pads->begin[d], pads->end[d]);
      const bool whole     = pads->begin[d] == 0 && pads->end[d] == 0;
      kt_pad_dim *last     = n ? &p->dims[n - 1] : NULL;
      if (whole && last && last->out == last->n && last->begin == 0)
        last->out = last->n = last->high = last->n * dim.n;
      else
        p->dims[n++] = dim;
    }
  if (n > 1 && p->dims[n - 1].out == p->dims[n - 1].n && p->dims[n - 1].begin == 0)
    p->inner = p->dims[--n].n;
  if (n > 0)
    p->last = p->dims[--n];
  p->ndim    = n;
  p->n_units = 1;
  for (int32_t d = 0; d < n; d++)
    p->n_units *= p->dims[d].out;
  if (p->n_units == 0 || p->last.out == 0 || p->inner == 0)
    {
      p->n_units = 0;
      return;
    }

  const int64_t most = PIECE_BYTES * 8 / p->bits;
  if (p->bits < 8) /* neighbours share bytes: one thread */
    p->chunk = p->last.out;
  else
    p->chunk = p->inner >= most ? 1 : most / p->inner;
  if (p->chunk > p->last.out)
    p->chunk = p->last.out;
  p->n_chunks = (p->last.out + p->chunk - 1) / p->chunk;
  p->n_units *= p->n_chunks;
  p->grain = p->bits < 8 ? p->n_units : most / 2 / (p->chunk * p->inner + 16);
  p->grain += p->grain == 0;
}

/* The element of the input that stands at I of the output; -1: the constant. */
static int64_t
source (const kt_pad *p, const kt_pad_dim *dim, int64_t i)
{
  const int64_t m = dim->high - dim->low;

  i -= dim->begin;
  if (i >= dim->low && i < dim->high)
    return i;
  if (p->mode == KT_PAD_CONSTANT)
    return -1;
  if (p->mode == KT_PAD_EDGE || m == 1)
    return i < dim->low ? dim->low : dim->high - 1;

  const int64_t period = p->mode == KT_PAD_WRAP ? m : 2 * (m - 1);
  int64_t at           = (i - dim->low) % period;
  at += at < 0 ? period : 0;
  return dim->low + (at < m ? at : period - at);
}

typedef struct
{
  const kt_pad *p;
  const void *value;
  const uint8_t *in;
  uint8_t *out;
} Job;

/* Elements I .. I + n - 1 of the output become N elements of the input from FROM on. */
static void
copy (const Job *job, int64_t i, int64_t from, int64_t n)
{
  const int32_t bits = job->p->bits;

  if (bits < 8)
    kt_copy_small (bits, job->in, from, 1, job->out, i, n);
  else
    memcpy (job->out + i * (bits / 8), job->in + from * (bits / 8),
            (size_t) (n * (bits / 8)));
}

#define FILL(BITS, T)                                                                    \
  static void fill_##BITS (void *out, const void *value, int64_t n)                      \
  {                                                                                      \
    T *y      = out;                                                                     \
    const T v = *(const T *) value;                                                      \
                                                                                         \
    for (int64_t i = 0; i < n; i++)                                                      \
      y[i] = v;                                                                          \
  }

typedef struct
{
  uint64_t a, b;
} Pair;

FILL (8, uint8_t)
FILL (16, uint16_t)
FILL (32, uint32_t)
FILL (64, uint64_t)
FILL (128, Pair)

/* The same, to the constant. */
static void
fill (const Job *job, int64_t i, int64_t n)
{
  static const kt_str zero;
  const int32_t bits   = job->p->bits;
  const uint8_t *value = job->value ? job->value : (const uint8_t *) &zero;
  uint8_t *y           = job->out + i * (bits / 8);

  switch (bits)
    {
    case 8:
      fill_8 (y, value, n);
      break;
    case 16:
      fill_16 (y, value, n);
      break;
    case 32:
      fill_32 (y, value, n);
      break;
    case 64:
      fill_64 (y, value, n);
      break;
    case 128:
      fill_128 (y, value, n);
      break;
    default:
      kt_copy_small (bits, value, 0, 0, job->out, i, n);
    }
}

/* Elements BEGIN .. END - 1 of the last dim, in the row that begins at OUT, from that at IN. */
static void
pad_row (const Job *job, int64_t in, int64_t out, int64_t begin, int64_t end)
{
  const kt_pad *p       = job->p;
  const kt_pad_dim *dim = &p->last;
  /* What is there lies from FIRST to before LAST. */
  const int64_t low = dim->low + dim->begin, high = dim->high + dim->begin;
  const int64_t first = low < begin ? begin : low > end ? end : low;
  const int64_t last  = high < first ? first : high > end ? end : high;

  if (p->mode == KT_PAD_CONSTANT)
    {
      fill (job, out + begin * p->inner, (first - begin) * p->inner);
      fill (job, out + last * p->inner, (end - last) * p->inner);
    }
  else
    {
      for (int64_t i = begin; i < first; i++)
        copy (job, out + i * p->inner, in + source (p, dim, i) * p->inner, p->inner);
      for (int64_t i = last; i < end; i++)
        copy (job, out + i * p->inner, in + source (p, dim, i) * p->inner, p->inner);
    }
  if (last > first)
    copy (job, out + first * p->inner, in + (first - dim->begin) * p->inner,
          (last - first) * p->inner);
}

static void
pad_units (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job        = arg;
  const kt_pad *p       = job->p;
  const int64_t out_row = p->last.out * p->inner, in_row = p->last.n * p->inner;

  (void) worker;
  for (int64_t unit = begin; unit < end; unit++)
    {
      const int64_t row = unit / p->n_chunks, first = unit % p->n_chunks * p->chunk;
      const int64_t stop
          = first + p->chunk < p->last.out ? first + p->chunk : p->last.out;
      int64_t rest = row, in = 0, step = in_row;
      bool there = true;

      for (int32_t d = p->ndim - 1; d >= 0 && there; d--)
        {
          const int64_t at = source (p, &p->dims[d], rest % p->dims[d].out);
          there            = at >= 0;
          in += at * step;
          step *= p->dims[d].n;
          rest /= p->dims[d].out;
        }
      if (there)
        pad_row (job, in, row * out_row, first, stop);
      else
        fill (job, row * out_row + first * p->inner, (stop - first) * p->inner);
    }
}

kt_status
kt_pad_run (const kt_host *host, kt_run *run, const kt_pad *p, const void *value,
            const void *in, void *out)
{
  Job job = { p, value, in, out };

  if (p->bits < 8 && p->n_units > 0)
    { /* What is left of the last byte has a value, too. */
      const int64_t count = p->n_units / p->n_chunks * p->last.out * p->inner;
      job.out[(count * p->bits - 1) / 8] = 0;
    }
  if (p->n_units > p->grain)
    return host->parallel_for (run, p->n_units, p->grain, pad_units, &job);
  pad_units (&job, 0, p->n_units, 0);
  return KT_OK;
}
