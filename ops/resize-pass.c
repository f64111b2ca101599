/* SPDX-License-Identifier: Apache-2.0
 *
 * resize-pass.c: the work of Resize and of its transpose, stage by stage. f32 is computed in
 * float, all other types in double.
 */
#include "convert.h"
#include "elementwise.h"
#include "resize.h"

#define CHUNK 4096  /* elements of a row that has no axis of its own */
#define PIECE 16384 /* elements of the result that a thread takes at a time */

/* Rows -------------------------------------------------------------------------------------- */

/* A row [in, inner] to [out, inner], and the transpose, which adds. A place outside gets EXT. */
#define ROW(SUFFIX, T, WEIGHT)                                                           \
  KT_VECTOR static void along_##SUFFIX (const kt_resize_axis *a, int64_t inner,          \
                                        const T *x, T *y, T ext)                         \
  {                                                                                      \
    const T *w           = a->WEIGHT;                                                    \
    const int32_t *first = a->first;                                                     \
    const int64_t taps   = a->taps;                                                      \
                                                                                         \
    if (inner == 1 && taps == 2 && a->out && first[0] >= 0 && first[a->out - 1] >= 0)    \
      {                                                                                  \
        /* Coordinates are monotonic: none between the ends is outside. */               \
        KT_LOOP for (int64_t o = 0; o < a->out; o++) y[o]                                \
            = w[2 * o] * x[first[o]] + w[2 * o + 1] * x[first[o] + 1];                   \
        return;                                                                          \
      }                                                                                  \
    for (int64_t o = 0; o < a->out; o++, w += taps, y += inner)                          \
      {                                                                                  \
        if (first[o] < 0)                                                                \
          for (int64_t i = 0; i < inner; i++)                                            \
            y[i] = ext;                                                                  \
        else if (inner < 8)                                                              \
          for (int64_t i = 0; i < inner; i++)                                            \
            {                                                                            \
              T sum = 0;                                                                 \
              for (int64_t t = 0; t < taps; t++)                                         \
                sum += w[t] * x[(first[o] + t) * inner + i];                             \
              y[i] = sum;                                                                \
            }                                                                            \
        else                                                                             \
          for (int64_t t = 0; t < taps; t++)                                             \
            {                                                                            \
              const T *const from = x + (first[o] + t) * inner;                          \
              const T v           = w[t];                                                \
              if (t == 0)                                                                \
                KT_LOOP for (int64_t i = 0; i < inner; i++) y[i] = v * from[i];          \
              else                                                                       \
                KT_LOOP for (int64_t i = 0; i < inner; i++) y[i] += v * from[i];         \
            }                                                                            \
      }                                                                                  \
  }                                                                                      \
  KT_VECTOR static void along_back_##SUFFIX (const kt_resize_axis *a, int64_t inner,     \
                                             const T *dy, T *dx)                         \
  {                                                                                      \
    const T *w = a->WEIGHT;                                                              \
                                                                                         \
    for (int64_t o = 0; o < a->out; o++, w += a->taps, dy += inner)                      \
      for (int64_t t = 0; a->first[o] >= 0 && t < a->taps; t++)                          \
        {                                                                                \
          T *const to = dx + (a->first[o] + t) * inner;                                  \
          for (int64_t i = 0; i < inner; i++)                                            \
            to[i] += w[t] * dy[i];                                                       \
        }                                                                                \
  }                                                                                      \
  /* y = sum of w[t] * rows[t]; N elements. */                                           \
  KT_VECTOR static void across_##SUFFIX (const T *w, const T *const *rows, int64_t taps, \
                                         int64_t n, T *restrict y)                       \
  {                                                                                      \
    const T *const a = rows[0], *const b = rows[taps > 1];                               \
    const T u = w[0], v = taps > 1 ? w[1] : 0;                                           \
                                                                                         \
    if (taps == 1)                                                                       \
      for (int64_t i = 0; i < n; i++)                                                    \
        y[i] = u * a[i];                                                                 \
    else                                                                                 \
      for (int64_t i = 0; i < n; i++)                                                    \
        y[i] = u * a[i] + v * b[i];                                                      \
    for (int64_t t = 2; t < taps; t++)                                                   \
      {                                                                                  \
        const T *const c = rows[t];                                                      \
        const T z        = w[t];                                                         \
        for (int64_t i = 0; i < n; i++)                                                  \
          y[i] += z * c[i];                                                              \
      }                                                                                  \
  }                                                                                      \
  KT_VECTOR static void add_scaled_##SUFFIX (T w, const T *restrict x, int64_t n,        \
                                             T *restrict y)                              \
  {                                                                                      \
    for (int64_t i = 0; i < n; i++)                                                      \
      y[i] += w * x[i];                                                                  \
  }

ROW (f32, float, weight_f32)
ROW (f64, double, weight)

/* Stages ------------------------------------------------------------------------------------- */

/* A stage on one item. Elements are of DTYPE where they are the operator's own, else of the type
 * of computation. */
typedef struct
{
  const kt_resize_stage *s;
  bool wide;               /* computed in double */
  int32_t from, to;        /* element types; 0: the type of computation */
  int64_t row_in, row_out; /* elements of a row before and behind w */
  int64_t chunk, n_chunks; /* of a row without w; n_chunks 1 with w */
  double extrapolation;
} Stage;

static size_t
unit (const Stage *g)
{
  return g->wide ? sizeof (double) : sizeof (float);
}

static Stage
stage_of (const kt_resize *r, int32_t k, int32_t dtype, bool transposed)
{
  const kt_resize_stage *s = &r->stage[k];
  const bool wide = dtype != KT_F32, own = dtype != KT_F32 && dtype != KT_F64;
  const bool first = k == (transposed ? r->n_stages - 1 : 0);
  const bool last  = k == (transposed ? 0 : r->n_stages - 1);
  Stage g          = { .s = s, .wide = wide, .extrapolation = r->extrapolation };

  g.from     = own && first ? dtype : 0;
  g.to       = own && last ? dtype : 0;
  g.row_in   = (s->w ? s->w->in : 1) * s->inner;
  g.row_out  = (s->w ? s->w->out : 1) * s->inner;
  g.chunk    = s->w || g.row_in < CHUNK ? g.row_in : CHUNK;
  g.n_chunks = s->w || g.row_in == 0 ? 1 : (g.row_in + CHUNK - 1) / CHUNK;
  return g;
}

/* N elements of X from FIRST on in the type of computation: X itself, or BUFFER. */
static const void *
load (const Stage *g, const void *x, int64_t first, int64_t n, void *buffer)
{
  if (!g->from)
    return (const char *) x + (size_t) first * unit (g);
  kt_load_f64 (g->from, (const char *) x + (size_t) first * kt_size_of (g->from), buffer,
               n);
  return buffer;
}

/* Where N results go before they are stored by store (). */
static void *
target (const Stage *g, void *y, int64_t first, void *buffer)
{
  return g->to ? buffer : (char *) y + (size_t) first * unit (g);
}

static void
store (const Stage *g, const void *buffer, void *y, int64_t first, int64_t n)
{
  if (g->to)
    kt_store_f64 (g->to, buffer, (char *) y + (size_t) first * kt_size_of (g->to), n);
}

/* Memory of a stage: rows that were resized along w already, with their numbers, a row as it was
 * loaded, a row of the result, and pointers to rows. */
typedef struct
{
  char *rows, *loaded, *result;
  const void **at;
  int64_t *tag;
} Ring;

static size_t
round_up (size_t n)
{
  return (n + 63) & ~(size_t) 63;
}

static size_t
ring_bytes (const Stage *g, bool transposed)
{
  const size_t in  = round_up ((size_t) (g->s->w ? g->row_in : g->chunk) * unit (g));
  const size_t out = round_up ((size_t) (g->s->w ? g->row_out : g->chunk) * unit (g));
  const size_t n   = (size_t) (transposed ? g->s->h->in : g->s->h->taps);

  return n * out + in + out + round_up ((size_t) g->s->h->taps * sizeof (void *))
         + round_up (n * sizeof (int64_t));
}

static Ring
ring_at (const Stage *g, char *memory)
{
  const size_t in  = round_up ((size_t) (g->s->w ? g->row_in : g->chunk) * unit (g));
  const size_t out = round_up ((size_t) (g->s->w ? g->row_out : g->chunk) * unit (g));
  const size_t n   = (size_t) g->s->h->taps;
  Ring ring;

  ring.loaded = memory;
  ring.result = memory + in;
  ring.at     = (const void **) (ring.result + out);
  ring.tag    = (int64_t *) ((char *) ring.at + round_up (n * sizeof (void *)));
  ring.rows   = (char *) ring.tag + round_up (n * sizeof (int64_t));
  return ring;
}

/* Row I of the input, resized along w; elements from FIRST on, N of them. */
static const void *
row_of (const Stage *g, Ring *ring, const void *x, int64_t row, int64_t first, int64_t n)
{
  const kt_resize_stage *s = g->s;
  const int64_t slot       = row % s->h->taps;
  const size_t bytes = round_up ((size_t) (s->w ? g->row_out : g->chunk) * unit (g));
  char *const memory = ring->rows + (size_t) slot * bytes;

  if (!s->w && !g->from)
    return load (g, x, first, n, NULL);
  if (ring->tag[slot] == first)
    return memory;
  ring->tag[slot] = first;
  if (!s->w)
    return load (g, x, first, n, memory);
  x = load (g, x, first, n, ring->loaded);
  if (g->wide)
    along_f64 (s->w, s->inner, x, (double *) memory, g->extrapolation);
  else
    along_f32 (s->w, s->inner, x, (float *) memory, (float) g->extrapolation);
  return memory;
}

static void
fill (const Stage *g, void *y, int64_t n)
{
  for (int64_t i = 0; i < n; i++)
    if (g->wide)
      ((double *) y)[i] = g->extrapolation;
    else
      ((float *) y)[i] = (float) g->extrapolation;
}

/* Rows BEGIN .. END - 1 of the result of one picture X, in chunk C. */
static void
resize_rows (const Stage *g, const void *x, void *y, int64_t begin, int64_t end,
             int64_t c, char *memory)
{
  const kt_resize_axis *h = g->s->h;
  const int64_t skip      = c * g->chunk;
  const int64_t n_in      = g->s->w                       ? g->row_in
                            : g->row_in - skip < g->chunk ? g->row_in - skip
                                                          : g->chunk;
  const int64_t n_out     = g->s->w ? g->row_out : n_in;
  Ring ring               = ring_at (g, memory);

  for (int64_t t = 0; t < h->taps; t++)
    ring.tag[t] = -1;
  for (int64_t o = begin; o < end; o++)
    {
      const int64_t to = o * g->row_out + skip;
      void *result     = target (g, y, to, ring.result);
      if (h->first[o] < 0)
        fill (g, result, n_out);
      else
        {
          for (int64_t t = 0; t < h->taps; t++)
            ring.at[t] = row_of (g, &ring, x, h->first[o] + t,
                                 (h->first[o] + t) * g->row_in + skip, n_in);
          if (g->wide)
            across_f64 (h->weight + o * h->taps, (const double *const *) ring.at, h->taps,
                        n_out, result);
          else
            across_f32 (h->weight_f32 + o * h->taps, (const float *const *) ring.at,
                        h->taps, n_out, result);
        }
      store (g, result, y, to, n_out);
    }
}

/* The transpose, of a whole picture: DY in rows of the result, DX in rows of the input. */
static void
transpose_picture (const Stage *g, const void *dy, void *dx, int64_t c, char *memory)
{
  const kt_resize_axis *h = g->s->h;
  const int64_t skip      = c * g->chunk;
  const int64_t n_in      = g->s->w                       ? g->row_in
                            : g->row_in - skip < g->chunk ? g->row_in - skip
                                                          : g->chunk;
  const int64_t n_out     = g->s->w ? g->row_out : n_in;
  const size_t bytes = round_up ((size_t) (g->s->w ? g->row_out : g->chunk) * unit (g));
  char *const loaded = memory;
  char *const result = loaded + bytes;
  char *const rows
      = result + round_up ((size_t) (g->s->w ? g->row_in : g->chunk) * unit (g));

  memset (rows, 0, (size_t) h->in * bytes);
  for (int64_t o = 0; o < h->out; o++)
    {
      const void *row = load (g, dy, o * g->row_out + skip, n_out, loaded);
      for (int64_t t = 0; h->first[o] >= 0 && t < h->taps; t++)
        {
          char *const to = rows + (size_t) (h->first[o] + t) * bytes;
          if (g->wide)
            add_scaled_f64 (h->weight[o * h->taps + t], row, n_out, (double *) to);
          else
            add_scaled_f32 (h->weight_f32[o * h->taps + t], row, n_out, (float *) to);
        }
    }
  for (int64_t i = 0; i < h->in; i++)
    {
      const int64_t to      = i * g->row_in + skip;
      const char *const row = rows + (size_t) i * bytes;
      void *const out       = target (g, dx, to, result);
      if (!g->s->w)
        memcpy (out, row, (size_t) n_in * unit (g));
      else
        {
          memset (out, 0, (size_t) n_in * unit (g));
          if (g->wide)
            along_back_f64 (g->s->w, g->s->inner, (const double *) row, out);
          else
            along_back_f32 (g->s->w, g->s->inner, (const float *) row, out);
        }
      store (g, out, dx, to, n_in);
    }
}

/* All ------------------------------------------------------------------------------------------ */

typedef struct
{
  const kt_host *host;
  kt_run *run;
  const kt_resize *r;
  int32_t dtype;
  bool transposed;
  const void *x;
  void *y;
  int64_t in, out, strips,
      strip;      /* elements of an item; strips of rows, and rows of one */
  size_t between; /* bytes between two stages */
} Job;

static size_t
between_of (const kt_resize *r, int32_t dtype)
{
  size_t most = 0;

  /* Behind stage k, all items before it lie inside the outermost stage's item. */
  for (int32_t k = 0; k + 1 < r->n_stages; k++)
    {
      const kt_resize_stage *s = &r->stage[k], *last = &r->stage[r->n_stages - 1];
      const int64_t n = s->pre / (last->pre ? last->pre : 1) * s->h->out
                        * (s->w ? s->w->out : 1) * s->inner;
      const size_t bytes = (size_t) n * (dtype == KT_F32 ? 4 : 8);
      most               = bytes > most ? bytes : most;
    }
  return round_up (most);
}

/* More than any choice of axes needs, where that is only known when the run begins. */
static size_t
most_bytes (const kt_resize *r, int32_t dtype, bool transposed)
{
  int64_t inner = 1;
  size_t most   = 0;

  for (int32_t d = r->ndim - 1; d >= 0; d--)
    {
      const kt_resize_axis *a = &r->axis[d];
      for (int pair = 0; pair < 2 && pair <= d; pair++)
        {
          const kt_resize_stage s
              = { .inner = inner, .h = pair ? a - 1 : a, .w = pair ? a : NULL };
          Stage g            = { .s = &s, .wide = dtype != KT_F32 };
          g.row_in           = (pair ? a->in : 1) * inner;
          g.row_out          = (pair ? a->out : 1) * inner;
          g.chunk            = pair || g.row_in < CHUNK ? g.row_in : CHUNK;
          const size_t bytes = ring_bytes (&g, transposed);
          most               = bytes > most ? bytes : most;
        }
      inner *= a->in > a->out ? a->in : a->out;
    }
  return most + 2 * round_up ((size_t) inner * (dtype == KT_F32 ? 4 : 8)) + 64;
}

size_t
kt_resize_bytes (const kt_resize *r, int32_t dtype, bool transposed)
{
  size_t most = 0;

  if (r->late)
    return r->table_bytes ? r->table_bytes + most_bytes (r, dtype, transposed) : 64;
  for (int32_t k = 0; k < r->n_stages; k++)
    {
      const Stage g      = stage_of (r, k, dtype, transposed);
      const size_t bytes = ring_bytes (&g, transposed);
      most               = bytes > most ? bytes : most;
    }
  return most + 2 * between_of (r, dtype) + 64;
}

/* One item through all stages. STRIP: of the only stage, else all rows. */
static void
run_item (const Job *job, int64_t item, int64_t strip, char *memory)
{
  const kt_resize *r  = job->r;
  const int64_t outer = r->stage[r->n_stages - 1].pre;
  char *buffers[2]    = { memory, memory + job->between };
  char *const scratch = memory + 2 * job->between;
  const size_t size   = kt_size_of (job->dtype);
  const void *from    = (const char *) job->x + (size_t) (item * job->in) * size;
  void *const final   = (char *) job->y + (size_t) (item * job->out) * size;

  for (int32_t i = 0; i < r->n_stages; i++)
    {
      const int32_t k     = job->transposed ? r->n_stages - 1 - i : i;
      const Stage g       = stage_of (r, k, job->dtype, job->transposed);
      const int64_t items = g.s->pre / outer, rows = g.s->h->out;
      void *const to = i == r->n_stages - 1 ? final : buffers[i % 2];
      const size_t a = (size_t) (g.s->h->in * g.row_in), b = (size_t) (rows * g.row_out);
      const size_t step_in  = (job->transposed ? b : a) * (g.from ? size : unit (&g));
      const size_t step_out = (job->transposed ? a : b) * (g.to ? size : unit (&g));
      const int64_t begin   = r->n_stages == 1 ? strip * job->strip : 0;
      const int64_t end
          = r->n_stages == 1 && begin + job->strip < rows ? begin + job->strip : rows;

      for (int64_t p = 0; p < items; p++)
        for (int64_t c = 0; c < g.n_chunks; c++)
          {
            const char *const x = (const char *) from + (size_t) p * step_in;
            char *const y       = (char *) to + (size_t) p * step_out;
            if (job->transposed)
              transpose_picture (&g, x, y, c, scratch);
            else
              resize_rows (&g, x, y, begin, end, c, scratch);
          }
      from = to;
    }
}

static void
run_pieces (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job = arg;
  char *memory   = job->host->workspace (job->run, worker, NULL);

  memory += job->r->late ? job->r->table_bytes : 0;
  for (int64_t i = begin; i < end; i++)
    run_item (job, i / job->strips, i % job->strips, memory);
}

kt_status
kt_resize_run (const kt_host *host, kt_run *run, const kt_resize *r, int32_t dtype,
               bool transposed, const void *x, void *y)
{
  Job job
      = { .host = host, .run = run, .r = r, .dtype = dtype, .transposed = transposed };

  if (r->n_stages == 0)
    return KT_OK;

  const kt_resize_stage *last = &r->stage[r->n_stages - 1];
  const int64_t items = last->pre, a = kt_count (r->in, r->ndim),
                b = kt_count (r->out, r->ndim);
  if (items == 0 || a == 0 || b == 0)
    return KT_OK;
  job.x       = x;
  job.y       = y;
  job.in      = (transposed ? b : a) / items;
  job.out     = (transposed ? a : b) / items;
  job.between = between_of (r, dtype);
  job.strips  = 1;
  job.strip   = last->h->out;
  if (r->n_stages == 1 && !transposed && job.out > PIECE)
    {
      const int64_t rows = PIECE / (job.out / last->h->out) + 1;
      job.strip          = rows < 8 ? 8 : rows;
      job.strips         = (last->h->out + job.strip - 1) / job.strip;
    }

  const int64_t n     = items * job.strips;
  const int64_t each  = job.out / job.strips > 0 ? job.out / job.strips : 1;
  const int64_t grain = each < PIECE ? PIECE / each : 1;
  if (n <= grain)
    {
      run_pieces (&job, 0, n, 0);
      return KT_OK;
    }
  return host->parallel_for (run, n, grain, run_pieces, &job);
}
