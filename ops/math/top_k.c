/* SPDX-License-Identifier: Apache-2.0
 *
 * TopK: the K largest (or smallest) elements along `axis` in order, and where they stand; of
 * equals the first comes first, NaN counts as the largest.  Source: ONNX TopK-11.
 */
#include "elementwise.h"
#include "emit.h"
#include "half.h"
#include "key.h"
#include "shape.h"

#define BLOCK 256 /* keys at a time */

/* K, as far as it is known before the run; KT_DIM: it is not. */
static kt_status
known_k (const kt_host *host, const void *ctx, int64_t *k)
{
  const int64_t *v;
  int64_t length;
  size_t n;

  *k = KT_DIM (0);
  KT_TRY (kt_n_axes_of (host, ctx, 1, &length));
  if (length >= 0 && length != 1)
    return kt_fail (host, ctx, KT_E_SHAPE, "K has %lld elements, must have one",
                    (long long) length);
  KT_TRY (host->ints (ctx, 1, &v, &n));
  *k = v && n == 1 ? v[0] : KT_DIM (0);
  return KT_OK;
}

/* N: elements along the axis, or a code. */
static kt_status
check_k (const kt_host *host, const void *ctx, int64_t k, int32_t axis, int64_t n)
{
  if (k < 0 || (kt_dim_known (n) && k > n))
    return kt_fail (host, ctx, KT_E_VALUE, "K is %lld, must be in 0..%lld along axis %d",
                    (long long) k, (long long) (kt_dim_known (n) ? n : INT64_MAX),
                    (int) axis);
  return KT_OK;
}

static kt_status
top_k_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);
  int64_t dims[KT_MAX_RANK], k;
  int32_t axis = 0;

  (void) user;
  KT_TRY (known_k (host, infer, &k));
  if (x.kind == 0)
    return KT_OK;
  if (x.ndim < 0)
    {
      KT_TRY (kt_set_unknown (host, infer, 0, x.dtype, -1));
      return kt_set_unknown (host, infer, 1, KT_I64, -1);
    }
  KT_TRY (kt_axis (host, infer, KT_E_ATTR, kt_attr_int (host, infer, "axis", -1), x.ndim,
                   &axis));
  if (kt_dim_known (k))
    KT_TRY (check_k (host, infer, k, axis, x.dims[axis]));
  memcpy (dims, x.dims, (size_t) x.ndim * sizeof *dims);
  dims[axis] = k;
  KT_TRY (kt_set_out (host, infer, 0, x.dtype, dims, x.ndim));
  return kt_set_out (host, infer, 1, KT_I64, dims, x.ndim);
}

/* -- keys: unsigned integers in the order of the elements ------------------------------ */

/* Keys of N elements that are STEP apart; FLIP: all bits, where the smallest are wanted. */
typedef void key_loop (const void *data, int64_t step, int64_t n, uint64_t flip,
                       uint64_t *keys);

#define KEYS(SUFFIX, T, EXPR)                                                            \
  KT_VECTOR static void keys_##SUFFIX (const void *data, int64_t step, int64_t n,        \
                                       uint64_t flip, uint64_t *keys)                    \
  {                                                                                      \
    const T *x = data;                                                                   \
                                                                                         \
    if (step == 1)                                                                       \
      for (int64_t i = 0; i < n; i++)                                                    \
        {                                                                                \
          const T v = x[i];                                                              \
          keys[i]   = (EXPR) ^ flip;                                                     \
        }                                                                                \
    else                                                                                 \
      for (int64_t i = 0; i < n; i++)                                                    \
        {                                                                                \
          const T v = x[i * step];                                                       \
          keys[i]   = (EXPR) ^ flip;                                                     \
        }                                                                                \
  }
KEYS (f32, float, kt_key_f32 (v))
KEYS (f64, double, kt_key_f64 (v))
KEYS (f16, uint16_t, kt_key_f32 (kt_f16_to_f32 (v)))
KEYS (bf16, uint16_t, kt_key_f32 (kt_bf16_to_f32 (v)))
KEYS (i8, int8_t, kt_key_i64 (v))
KEYS (i16, int16_t, kt_key_i64 (v))
KEYS (i32, int32_t, kt_key_i64 (v))
KEYS (i64, int64_t, kt_key_i64 (v))
KEYS (u8, uint8_t, v)
KEYS (u16, uint16_t, v)
KEYS (u32, uint32_t, v)
KEYS (u64, uint64_t, v)

static const struct
{
  int32_t dtype;
  key_loop *keys;
} loops[] = {
  { KT_F32, keys_f32 },   { KT_F64, keys_f64 }, { KT_F16, keys_f16 },
  { KT_BF16, keys_bf16 }, { KT_I8, keys_i8 },   { KT_I16, keys_i16 },
  { KT_I32, keys_i32 },   { KT_I64, keys_i64 }, { KT_U8, keys_u8 },
  { KT_U16, keys_u16 },   { KT_U32, keys_u32 }, { KT_U64, keys_u64 },
};

/* -- a heap of the best so far, the worst of them on top ------------------------------- */

typedef struct
{
  uint64_t key;
  int64_t at;
} Entry;

static inline bool
is_worse (const Entry *a, const Entry *b)
{
  return a->key < b->key || (a->key == b->key && a->at > b->at);
}

/* Puts E in the place of the entry at I and lets it sink. */
static void
sink (Entry *heap, int64_t n, int64_t i, Entry e)
{
  for (int64_t child; (child = 2 * i + 1) < n; i = child)
    {
      if (child + 1 < n && is_worse (&heap[child + 1], &heap[child]))
        child++;
      if (!is_worse (&heap[child], &e))
        break;
      heap[i] = heap[child];
    }
  heap[i] = e;
}

static void
make_heap (Entry *heap, int64_t n)
{
  for (int64_t i = n / 2; i-- > 0;)
    sink (heap, n, i, heap[i]);
}

typedef struct
{
  int64_t outer, n, inner, k, grain;
  int32_t axis;
  size_t size;
  uint64_t flip;
  key_loop *keys;
} State;

/* The K best of a line of x, best first. */
static void
select_best (const State *s, const char *x, Entry *heap)
{
  uint64_t keys[BLOCK];

  for (int64_t first = 0; first < s->n; first += BLOCK)
    {
      const int64_t n = s->n - first < BLOCK ? s->n - first : BLOCK;
      int64_t i       = 0;

      s->keys (x + (size_t) (first * s->inner) * s->size, s->inner, n, s->flip, keys);
      for (; i < n && first + i < s->k; i++)
        {
          heap[first + i] = (Entry){ keys[i], first + i };
          if (first + i == s->k - 1)
            make_heap (heap, s->k);
        }
      for (; i < n; i++)
        if (keys[i] > heap[0].key) /* equals: the one in front stays */
          sink (heap, s->k, 0, (Entry){ keys[i], first + i });
    }
  for (int64_t n = s->k - 1; n > 0; n--)
    {
      const Entry worst = heap[0];
      sink (heap, n, 0, heap[n]);
      heap[n] = worst;
    }
}

typedef struct
{
  const kt_host *host;
  kt_run *run;
  const State *s;
} Job;

static void
find_lines (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job  = arg;
  const State *s  = job->s;
  const char *x   = job->run->in[0].data;
  char *values    = job->run->out[0].device_type ? job->run->out[0].data : NULL;
  int64_t *places = job->run->n_out > 1 && job->run->out[1].device_type
                        ? job->run->out[1].data
                        : NULL;
  Entry *heap     = job->host->workspace (job->run, worker, NULL);

  for (int64_t line = begin; line < end; line++)
    {
      const int64_t outer = line / s->inner, column = line % s->inner;
      const char *from = x + (size_t) (outer * s->n * s->inner + column) * s->size;
      select_best (s, from, heap);
      for (int64_t i = 0; i < s->k; i++)
        {
          const int64_t to = (outer * s->k + i) * s->inner + column;
          if (values)
            memcpy (values + (size_t) to * s->size,
                    from + (size_t) (heap[i].at * s->inner) * s->size, s->size);
          if (places)
            places[to] = heap[i].at;
        }
    }
}

static kt_status
top_k_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0);
  kt_type y       = kt_out_type (host, prep, 0);
  State *s;

  (void) user;
  if (y.kind == 0)
    y = kt_out_type (host, prep, 1);
  KT_TRY (host->keep (prep, sizeof *s, state));
  s = *state;
  KT_TRY (kt_axis (host, prep, KT_E_ATTR, kt_attr_int (host, prep, "axis", -1), x.ndim,
                   &s->axis));
  s->outer = kt_count (x.dims, s->axis);
  s->n     = x.dims[s->axis];
  s->inner = kt_count (x.dims + s->axis + 1, x.ndim - s->axis - 1);
  s->k     = y.dims[s->axis];
  s->size  = kt_size_of (x.dtype);
  s->flip  = kt_attr_int (host, prep, "largest", 1) == 0 ? UINT64_MAX : 0;
  for (size_t i = 0; i < sizeof loops / sizeof *loops; i++)
    if (loops[i].dtype == x.dtype)
      s->keys = loops[i].keys;
  KT_TRY (check_k (host, prep, s->k, s->axis, s->n));
  s->grain = 16384 / (s->n + 8 * s->k + 1) + 1;
  return host->want_workspace (prep, (size_t) s->k * sizeof (Entry), 1);
}

static kt_status
top_k_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s    = state;
  const int64_t all = s->outer * s->inner;
  Job job           = { host, run, s };

  if (kt_int_at (&run->in[1], 0) != s->k)
    return kt_fail (host, run, KT_E_SHAPE, "K is %lld, the output has %lld",
                    (long long) kt_int_at (&run->in[1], 0), (long long) s->k);
  if (s->k == 0 || all == 0)
    return KT_OK;
  return host->parallel_for (run, all, s->grain, find_lines, &job);
}

static const kt_kernel top_k_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = top_k_prepare, .run = top_k_run },
  { 0 },
};

/* dE/dx: dE/dy where the elements stood. */
static kt_status
top_k_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_attr axis
      = { .name = "axis", .kind = KT_A_INT, .i = kt_attr_int (host, g, "axis", -1) };
  const kt_value dy = host->g_seed (g, 0), x = host->g_in (g, 0);

  (void) user;
  if (!dy)
    return KT_OK;

  const kt_value zeros
      = kt_expand (host, g, kt_scalar_like (host, g, dy, 0), kt_shape_of (host, g, x));
  const kt_value in[] = { zeros, host->g_out (g, 1), dy };
  return host->g_set (g, 0, kt_node (host, g, "ScatterElements", in, 3, &axis, 1));
}

/* TopK-1: k is an attribute. */
static kt_status
top_k_1_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_attr axis
      = { .name = "axis", .kind = KT_A_INT, .i = kt_attr_int (host, g, "axis", -1) };
  const int64_t k     = kt_attr_int (host, g, "k", -1);
  const kt_value in[] = { host->g_in (g, 0), kt_ints (host, g, &k, 1) };
  kt_value out[2];
  int32_t n_in, n_out;

  (void) user;
  KT_TRY (host->arity (g, &n_in, &n_out, NULL));
  KT_TRY (host->g_node (g, "", "TopK", KT_EMIT_OPSET, in, 2, out, 2, &axis, 1));
  for (int32_t i = 0; i < n_out; i++)
    if (host->g_wanted (g, i))
      KT_TRY (host->g_set (g, i, out[i]));
  return KT_OK;
}

const kt_operator kette_op_top_k = {
  .op     = { KT_OP ("TopK", 10), .flags = KT_OP_PURE, .infer = top_k_infer,
              .gradient = top_k_gradient },
  .kernel = top_k_kernel,
  .old
  = (const kt_op[]){ { KT_OLD ("TopK", 1, 9), .flags = KT_OP_PURE, .body = top_k_1_body },
                     { 0 } },
};
