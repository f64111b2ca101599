/* SPDX-License-Identifier: Apache-2.0
 *
 * rows.c: rows that indices name. Reading is split over the rows. Writing is split over parts
 * of the data that no other thread touches, each of which goes through all indices in order:
 * the bits do not depend on the number of threads.
 */
#include "rows.h"

#define COLUMNS 256 /* elements of a row that are written at a time */
#define RANGES 8    /* parts of the rows, where columns do not make enough pieces */
#define NARROW 16 /* rows shorter than this are not worth going through the list again */

void
kt_rows_plan (kt_rows *r, int64_t outer, int64_t n, int64_t inner, int64_t count,
              int32_t dtype)
{
  const size_t size = kt_size_of (dtype), block = (size_t) inner * size;

  *r = (kt_rows){ .outer = outer,
                  .n     = n,
                  .inner = inner,
                  .count = count,
                  .size  = size,
                  .read_grain
                  = block < 131072 ? (int64_t) (131072 / (block + 16)) + 1 : 1,
                  .chunks = (inner + COLUMNS - 1) / COLUMNS,
                  .ranges = 1 };
  if (outer * r->chunks < RANGES && inner >= NARROW)
    r->ranges = n < RANGES ? n : RANGES;

  const int64_t width = inner < COLUMNS ? inner : COLUMNS;
  const int64_t work  = (count + (r->ranges ? n / r->ranges : 0)) * width;
  r->write_grain      = work < 16384 ? 16384 / (work + 1) + 1 : 1;
}

void
kt_rows_plan_axis (kt_rows *r, const kt_type *data, int32_t axis, int64_t count)
{
  kt_rows_plan (r, kt_count (data->dims, axis), data->dims[axis],
                kt_count (data->dims + axis + 1, data->ndim - axis - 1), count,
                data->dtype);
}

typedef struct
{
  const kt_rows *r;
  const kt_tensor *at;
  const kt_combine *combine;
  const char *base, *from;
  char *to;
} Job;

typedef struct
{
  uint64_t a, b;
} Pair;

/* Rows begin .. end - 1 of the output where they are single elements of type T. */
#define READ_ELEMENTS(BITS, T)                                                           \
  static void read_##BITS (const Job *job, int64_t begin, int64_t end)                   \
  {                                                                                      \
    const kt_rows *r = job->r;                                                           \
    const T *x       = (const T *) (const void *) job->from;                             \
    T *y             = (T *) (void *) job->to;                                           \
    int64_t outer = begin / r->count, k = begin - outer * r->count;                      \
                                                                                         \
    for (int64_t i = begin; i < end; i++)                                                \
      {                                                                                  \
        y[i] = x[outer * r->n + kt_wrap (kt_int_at (job->at, k), r->n)];                 \
        if (++k == r->count)                                                             \
          {                                                                              \
            k = 0;                                                                       \
            outer++;                                                                     \
          }                                                                              \
      }                                                                                  \
  }

READ_ELEMENTS (8, uint8_t)
READ_ELEMENTS (16, uint16_t)
READ_ELEMENTS (32, uint32_t)
READ_ELEMENTS (64, uint64_t)
READ_ELEMENTS (128, Pair)

static void
read_rows (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job     = arg;
  const kt_rows *r   = job->r;
  const size_t block = (size_t) r->inner * r->size;

  (void) worker;
  switch (r->inner == 1 ? r->size : 0)
    {
    case 1:
      read_8 (job, begin, end);
      return;
    case 2:
      read_16 (job, begin, end);
      return;
    case 4:
      read_32 (job, begin, end);
      return;
    case 8:
      read_64 (job, begin, end);
      return;
    case 16:
      read_128 (job, begin, end);
      return;
    default:
      break;
    }
  for (int64_t i = begin; i < end; i++)
    {
      const int64_t outer = i / r->count, k = i - outer * r->count;
      const int64_t row = outer * r->n + kt_wrap (kt_int_at (job->at, k), r->n);
      memcpy (job->to + (size_t) i * block, job->from + (size_t) row * block, block);
    }
}

kt_status
kt_rows_read (const kt_host *host, kt_run *run, const kt_rows *r, const kt_tensor *at,
              const void *from, void *to)
{
  const int64_t rows = r->outer * r->count;
  Job job            = { .r = r, .at = at, .from = from, .to = to };

  if (r->inner == 0 || rows == 0)
    return KT_OK;
  if (rows > r->read_grain)
    return host->parallel_for (run, rows, r->read_grain, read_rows, &job);
  read_rows (&job, 0, rows, 0);
  return KT_OK;
}

/* What is there before the indices: rows BEGIN .. END - 1, BYTES from byte FIRST of each. */
static void
start (const Job *job, int64_t begin, int64_t end, size_t first, size_t bytes)
{
  size_t block = (size_t) job->r->inner * job->r->size;

  if (job->base == job->to)
    return;
  if (bytes == block) /* whole rows adjoin */
    {
      begin *= (int64_t) block;
      bytes *= (size_t) end;
      bytes -= (size_t) begin;
      end   = begin + 1;
      block = 1;
    }
  for (int64_t i = begin; i < end; i++)
    if (job->base)
      memcpy (job->to + (size_t) i * block + first,
              job->base + (size_t) i * block + first, bytes);
    else
      memset (job->to + (size_t) i * block + first, 0, bytes);
}

/* Single elements of one part, a block of the list at a time. */
static void
write_elements (const Job *job, int64_t outer)
{
  const kt_rows *r = job->r;
  char *from       = (char *) (uintptr_t) job->from;
  int64_t places[COLUMNS];

  for (int64_t first = 0; first < r->count; first += COLUMNS)
    {
      const int64_t n = r->count - first < COLUMNS ? r->count - first : COLUMNS;
      for (int64_t i = 0; i < n; i++)
        places[i] = outer * r->n + kt_wrap (kt_int_at (job->at, first + i), r->n);
      job->combine->at (job->to, places,
                        from + (size_t) (outer * r->count + first) * r->size, n);
    }
}

/* A unit is (outer part, range of rows, chunk of columns). */
static void
write_unit (const Job *job, int64_t unit)
{
  const kt_rows *r    = job->r;
  const int64_t first = unit % r->chunks * COLUMNS;
  const int64_t range = unit / r->chunks % r->ranges;
  const int64_t outer = unit / r->chunks / r->ranges;
  const int64_t width = r->inner - first < COLUMNS ? r->inner - first : COLUMNS;
  const int64_t begin = r->n * range / r->ranges;
  const int64_t end   = r->n * (range + 1) / r->ranges;
  const size_t bytes  = (size_t) width * r->size;

  start (job, outer * r->n + begin, outer * r->n + end, (size_t) first * r->size, bytes);
  if (r->inner == 1)
    {
      write_elements (job, outer);
      return;
    }
  for (int64_t i = 0; i < r->count; i++)
    {
      const int64_t row = kt_wrap (kt_int_at (job->at, i), r->n);
      if (row < begin || row >= end)
        continue;

      char *to = job->to + (size_t) ((outer * r->n + row) * r->inner + first) * r->size;
      const char *from
          = job->from + (size_t) ((outer * r->count + i) * r->inner + first) * r->size;
      if (job->combine->row)
        job->combine->row (to, from, width);
      else
        memcpy (to, from, bytes);
    }
}

static void
write_units (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  (void) worker;
  for (int64_t unit = begin; unit < end; unit++)
    write_unit (arg, unit);
}

kt_status
kt_rows_write (const kt_host *host, kt_run *run, const kt_rows *r, const kt_tensor *at,
               const kt_combine *combine, const void *base, const void *from, void *to)
{
  const int64_t units = r->outer * r->chunks * r->ranges;
  Job job             = { r, at, combine, base, from, to };

  if (units > r->write_grain)
    return host->parallel_for (run, units, r->write_grain, write_units, &job);
  write_units (&job, 0, units, 0);
  return KT_OK;
}
