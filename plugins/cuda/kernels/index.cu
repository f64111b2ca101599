/* SPDX-License-Identifier: Apache-2.0
 *
 * index.cu: GatherElements, GatherND, ScatterElements, ScatterND, GatherGrad and OneHot. What is
 * put in is sorted by place first: a thread then does all that comes to its place, in the order of
 * the indices, so the bits are the CPU's.
 */
#include "put.h"
#include "real.h"
#include "sort.h"

/* Reading ----------------------------------------------------------------------------------- */

/* Index K, from 0 on, of an axis of length N; -1: it is out of range, and told. */
KT_HD int64_t
index_at (const kt_places_params &q, int64_t k, int64_t n)
{
  const int64_t v = q.wide ? ((const int64_t *) q.at)[k] : ((const int32_t *) q.at)[k];

  if (v < -n || v >= n)
    {
      kt_tell (q.fault, k, 0, v);
      return -1;
    }
  return v < 0 ? v + n : v;
}

/* Place I; -1: there is none. */
KT_HD int64_t
place_of (const kt_places_params &q, int64_t i)
{
  int64_t place = 0, rest = i;

  if (q.k > 0)
    {
      bool is_there = true;
      place         = kt_over (i, q.per_batch) * q.batch_rows;
      for (int j = 0; j < q.k; j++)
        {
          const int64_t v = index_at (q, i * q.k + j, q.dims[j]);
          is_there        = is_there && v >= 0;
          place += v * q.data[j];
        }
      return is_there ? place : -1;
    }
  for (int d = q.ndim - 1; d >= 0; d--)
    {
      const int64_t up = d ? kt_over (rest, q.dims[d]) : 0;
      place += (rest - up * q.dims[d]) * q.data[d];
      rest = up;
    }
  const int64_t v = index_at (q, i, q.n);
  return v < 0 ? -1 : place + v * q.step;
}

template <class T>
KT_GLOBAL void
take_kernel (const kt_take_params q)
{
  for (int64_t i = KT_FIRST; i < q.p.count * q.p.inner; i += KT_STEP)
    {
      const int64_t k = kt_over (i, q.p.inner), place = place_of (q.p, k);
      if (place >= 0)
        ((T *) q.y)[i] = ((const T *) q.x)[place * q.p.inner + (i - k * q.p.inner)];
    }
}

void
kt_take_launch (const kt_take_params *q, void *stream)
{
  KT_BY_SIZE (take_kernel, q, q->p.count * q->p.inner, stream)
}

/* Writing ----------------------------------------------------------------------------------- */

static KT_GLOBAL void
list_places (const kt_put_params q)
{
  for (int64_t i = KT_FIRST; i < q.length; i += KT_STEP)
    {
      const int64_t place = i < q.p.count ? place_of (q.p, i) : -1;
      q.entries[i].key    = (uint64_t) place; /* -1: behind all */
      q.entries[i].at     = i < q.p.count ? i : KT_NO_ENTRY;
    }
}

/* Element I: part, position in the list, element of the row. Is it the first of its place? Then
 * *FROM and *TO are where its own elements begin; the positions of a place adjoin. */
KT_HD bool
is_first (const kt_put_params &q, int64_t i, int64_t *k, int64_t *from, int64_t *to)
{
  const int64_t row = kt_over (i, q.p.inner), outer = kt_over (row, q.p.count);
  const int64_t in = i - row * q.p.inner;

  *k = row - outer * q.p.count;
  if (q.entries[*k].key == UINT64_MAX
      || (*k > 0 && q.entries[*k - 1].key == q.entries[*k].key))
    return false;
  *from = outer * q.p.count * q.p.inner + in;
  *to   = (outer * q.rows + (int64_t) q.entries[*k].key) * q.p.inner + in;
  return true;
}

/* The last one stays. */
template <class T>
KT_GLOBAL void
put_kernel (const kt_put_params q)
{
  for (int64_t i = KT_FIRST; i < q.outer * q.p.count * q.p.inner; i += KT_STEP)
    {
      int64_t k, from, to;
      if (!is_first (q, i, &k, &from, &to))
        continue;
      while (k + 1 < q.p.count && q.entries[k + 1].key == q.entries[k].key)
        k++;
      ((T *) q.y)[to] = ((const T *) q.x)[from + q.entries[k].at * q.p.inner];
    }
}

/* The numbers of a reduction, as kt_reduction has them. */
enum
{
  NONE,
  ADD,
  MUL,
  MAX,
  MIN
};

template <class W> struct Joined
{
  KT_HD_MEMBER W
  of (int how, W a, W b)
  {
    return how == ADD   ? KT_PUT_ADD (a, b)
           : how == MUL ? KT_PUT_MUL (a, b)
           : how == MAX ? KT_PUT_MAX_FLOAT (a, b)
                        : KT_PUT_MIN_FLOAT (a, b);
  }
};

template <> struct Joined<uint64_t>
{
  KT_HD_MEMBER uint64_t
  of (int how, uint64_t a, uint64_t b)
  {
    return how == ADD   ? KT_PUT_ADD (a, b)
           : how == MUL ? KT_PUT_MUL (a, b)
           : how == MAX ? KT_PUT_MAX (a, b)
                        : KT_PUT_MIN (a, b);
  }
};

/* Sums wrap. */
template <> struct Joined<int64_t>
{
  KT_HD_MEMBER int64_t
  of (int how, int64_t a, int64_t b)
  {
    return how == MAX ? KT_PUT_MAX (a, b)
           : how == MIN
               ? KT_PUT_MIN (a, b)
               : (int64_t) Joined<uint64_t>::of (how, (uint64_t) a, (uint64_t) b);
  }
};

template <> struct Joined<uint8_t> /* bool */
{
  KT_HD_MEMBER uint8_t
  of (int how, uint8_t a, uint8_t b)
  {
    return how == ADD || how == MAX ? KT_PUT_ADD_BOOL (a, b) : KT_PUT_MUL_BOOL (a, b);
  }
};

/* Rounded every time, as what is stored is. */
template <class W>
KT_GLOBAL void
join_kernel (const kt_put_params q)
{
  typedef KtMemory<W> M;

  for (int64_t i = KT_FIRST; i < q.outer * q.p.count * q.p.inner; i += KT_STEP)
    {
      int64_t k, from, to;
      if (!is_first (q, i, &k, &from, &to))
        continue;
      const uint64_t place = q.entries[k].key;
      for (; k < q.p.count && q.entries[k].key == place; k++)
        M::store (
            q.y, to, q.dtype,
            Joined<W>::of (q.reduction, M::load (q.y, to, q.dtype),
                           M::load (q.x, from + q.entries[k].at * q.p.inner, q.dtype)));
    }
}

void
kt_put_launch (const kt_put_params *q, void *stream)
{
  const int64_t n           = q->outer * q->p.count * q->p.inner;
  const kt_sort_params sort = { q->entries, q->length, q->length, 0, 0 };

  kt_launch (list_places, q->length, *q, stream);
  kt_sort_launch (&sort, stream);
  if (q->reduction == NONE)
    {
      KT_BY_SIZE (put_kernel, q, n, stream)
      return;
    }
  KT_BY_CLASS (join_kernel, uint8_t, q, n, stream)
}

/* OneHot ------------------------------------------------------------------------------------ */

/* Index I; INT64_MIN: it names nothing. */
KT_HD int64_t
hot_at (const kt_hot_params &q, int64_t i)
{
  if (kt_is_real (q.dtype))
    {
      const double v = kt_load_real (q.at, i, q.dtype);
      return v > -0x1p62 && v < 0x1p62 ? (int64_t) v : INT64_MIN;
    }
  const int64_t v = (int64_t) kt_load_whole (q.at, i, q.dtype);
  return v < 0 && !kt_is_signed (q.dtype) ? INT64_MIN : v;
}

template <class T>
KT_GLOBAL void
hot_kernel (const kt_hot_params q)
{
  const T off = ((const T *) q.values)[0], on = ((const T *) q.values)[1];

  for (int64_t i = KT_FIRST; i < q.count * q.depth; i += KT_STEP)
    {
      const int64_t row = kt_over (i, q.inner), outer = kt_over (row, q.depth);
      const int64_t v = hot_at (q, outer * q.inner + (i - row * q.inner)),
                    k = row - outer * q.depth;
      ((T *) q.y)[i]
          = v >= q.lowest && v < q.depth && (v < 0 ? v + q.depth : v) == k ? on : off;
    }
}

void
kt_hot_launch (const kt_hot_params *q, void *stream)
{
  KT_BY_SIZE (hot_kernel, q, q->count * q->depth, stream)
}
