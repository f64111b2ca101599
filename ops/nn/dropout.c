/* SPDX-License-Identifier: Apache-2.0
 *
 * Dropout: while training, y = x / (1 - ratio) where the mask is set, else 0; the mask is
 * set with probability 1 - ratio. Not training: y = x.  Source: ONNX Dropout-13. With the
 * attribute seed the mask is the one that NumPy's RandomState (seed) draws.
 */
#include "emit.h"
#include "half.h"
#include "random.h"
#include "shape.h"

#define PIECE 8192 /* elements that a thread takes at a time */

static kt_status
dropout_infer (const kt_host *host, kt_infer *infer, void *user)
{
  kt_type x = kt_in_type (host, infer, 0);

  (void) user;
  if (x.kind == 0)
    return KT_OK;
  KT_TRY (host->out_type (infer, 0, &x));
  x.dtype = KT_BOOL;
  return host->out_type (infer, 1, &x);
}

typedef struct
{
  int32_t dtype, ratio_dtype;
  bool has_seed;
  uint32_t seed;
  int64_t count;
} State;

static kt_status
dropout_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0);
  kt_attr seed;
  State *s;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  KT_TRY (host->attr (prep, "seed", &seed));
  s              = *state;
  s->dtype       = x.dtype;
  s->ratio_dtype = kt_in_type (host, prep, 1).dtype;
  s->has_seed    = seed.kind == KT_A_INT;
  s->seed        = (uint32_t) seed.i;
  s->count       = kt_count (x.dims, x.ndim);
  for (int32_t i = 1; i < 3; i++)
    {
      const kt_type t = kt_in_type (host, prep, i);
      if (t.kind != 0 && kt_count (t.dims, t.ndim) != 1)
        return kt_fail (host, prep, KT_E_SHAPE,
                        "input %d has %lld elements, must be a scalar", (int) i,
                        (long long) kt_count (t.dims, t.ndim));
    }
  return KT_OK;
}

/* Operand I, or NULL. */
static const kt_tensor *
given (const kt_tensor *operands, int32_t n, int32_t i)
{
  return i < n && operands[i].device_type != 0 ? &operands[i] : NULL;
}

static double
read_ratio (const State *s, const kt_tensor *t)
{
  if (!t)
    return 0.5;
  switch (s->ratio_dtype)
    {
    case KT_F64:
      return *(const double *) t->data;
    case KT_F16:
      return kt_f16_to_f32 (*(const uint16_t *) t->data);
    case KT_BF16:
      return kt_bf16_to_f32 (*(const uint16_t *) t->data);
    default:
      return *(const float *) t->data;
    }
}

/* The Mersenne twister MT19937 (Matsumoto, Nishimura 1998), one word after the other. */
typedef struct
{
  uint32_t word[624];
  int at;
} Twister;

static void
twister_start (Twister *t, uint32_t seed)
{
  t->word[0] = seed;
  for (uint32_t i = 1; i < 624; i++)
    t->word[i] = 1812433253 * (t->word[i - 1] ^ t->word[i - 1] >> 30) + i;
  t->at = 624;
}

static uint32_t
twister_next (Twister *t)
{
  if (t->at == 624)
    {
      for (int i = 0; i < 624; i++)
        {
          const uint32_t y
              = (t->word[i] & 0x80000000) | (t->word[(i + 1) % 624] & 0x7fffffff);
          t->word[i] = t->word[(i + 397) % 624] ^ y >> 1 ^ (y & 1 ? 0x9908b0df : 0);
        }
      t->at = 0;
    }

  uint32_t y = t->word[t->at++];
  y ^= y >> 11;
  y ^= y << 7 & 0x9d2c5680;
  y ^= y << 15 & 0xefc60000;
  return y ^ y >> 18;
}

typedef struct
{
  const State *s;
  const void *x;
  void *y;
  uint8_t *mask; /* NULL: not asked for */
  double ratio, scale;
  kt_stream stream;
  Twister *twister; /* NULL: Philox */
} Job;

/* The mask of N <= 256 elements from FIRST, a multiple of 4. */
static void
draw_mask (const Job *job, int64_t first, int64_t n, uint8_t *mask)
{
  for (int64_t i = 0; job->twister && i < n; i++)
    {
      const uint32_t high = twister_next (job->twister),
                     low  = twister_next (job->twister);
      mask[i]             = kt_uniform_53 (high, low) >= job->ratio;
    }
  for (int64_t i = 0; !job->twister && i < n; i += 4)
    {
      uint32_t word[4];
      kt_philox (&job->stream, (uint64_t) (first + i) / 4, word);
      for (int64_t k = 0; k < 4 && i + k < n; k++)
        mask[i + k] = kt_uniform_24 (word[k]) >= job->ratio;
    }
}

static void
apply_mask (const Job *job, int64_t first, int64_t n, const uint8_t *mask)
{
  if (job->s->dtype == KT_F32)
    {
      const float *x = (const float *) job->x + first, scale = (float) job->scale;
      float *y = (float *) job->y + first;
      for (int64_t i = 0; i < n; i++)
        y[i] = mask[i] ? x[i] * scale : 0;
    }
  else if (job->s->dtype == KT_F64)
    {
      const double *x = (const double *) job->x + first, scale = job->scale;
      double *y = (double *) job->y + first;
      for (int64_t i = 0; i < n; i++)
        y[i] = mask[i] ? x[i] * scale : 0;
    }
  else
    {
      const bool f16    = job->s->dtype == KT_F16;
      const uint16_t *x = (const uint16_t *) job->x + first;
      uint16_t *y       = (uint16_t *) job->y + first;
      for (int64_t i = 0; i < n; i++)
        {
          const double v = (double) (f16 ? kt_f16_to_f32 (x[i]) : kt_bf16_to_f32 (x[i]));
          const double w = mask[i] ? v * job->scale : 0;
          y[i]           = f16 ? kt_f64_to_f16 (w) : kt_f64_to_bf16 (w);
        }
    }
}

static void
drop_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job = arg;
  uint8_t mask[256];

  (void) worker;
  for (int64_t first = begin; first < end; first += 256)
    {
      const int64_t n = end - first < 256 ? end - first : 256;
      draw_mask (job, first, n, mask);
      if (job->mask)
        memcpy (job->mask + first, mask, (size_t) n);
      apply_mask (job, first, n, mask);
    }
}

static kt_status
dropout_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s            = state;
  const kt_tensor *training = given (run->in, run->n_in, 2);
  const kt_tensor *mask     = given (run->out, run->n_out, 1);
  const double ratio        = read_ratio (s, given (run->in, run->n_in, 1));
  Job job                   = { .s     = s,
                                .x     = run->in[0].data,
                                .y     = run->out[0].data,
                                .mask  = mask ? mask->data : NULL,
                                .ratio = ratio,
                                .scale = 1 / (1 - ratio) };
  Twister twister;

  if (!(ratio >= 0 && ratio < 1))
    return kt_fail (host, run, KT_E_VALUE, "the ratio %g is not in [0, 1)", ratio);
  if (s->count == 0)
    return KT_OK;
  if (ratio == 0 || !training || *(const uint8_t *) training->data == 0)
    {
      if (job.y != job.x)
        memcpy (job.y, job.x, kt_bytes_of (s->dtype, s->count));
      if (mask)
        memset (mask->data, 1, (size_t) s->count);
      return KT_OK;
    }
  if (s->has_seed)
    { /* one stream from the start: not for several threads */
      twister_start (&twister, s->seed);
      job.twister = &twister;
      drop_piece (&job, 0, s->count, 0);
      return KT_OK;
    }
  KT_TRY (host->random (run, job.stream.key, job.stream.step));
  if (s->count <= PIECE)
    {
      drop_piece (&job, 0, s->count, 0);
      return KT_OK;
    }
  return host->parallel_for (run, s->count, PIECE, drop_piece, &job);
}

static const kt_kernel dropout_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .types = "T=f32|f64|f16|bf16;T1=f32|f64|f16|bf16",
    .n_alias = 1, .alias = &(const kt_alias){ 0, 0, 0, 0 }, .prepare = dropout_prepare,
    .run = dropout_run },
  { 0 },
};

/* Is it certain that the node does not train? */
static bool
surely_idle (const kt_host *host, kt_graph *g)
{
  kt_tensor t;

  if (!host->g_in (g, 2))
    return true;
  return host->constant (g, 2, &t) == KT_OK && t.data && *(const uint8_t *) t.data == 0;
}

/* dE/dx = dE/dy / (1 - ratio) where the mask is set, else 0; dE/dy if not training. */
static kt_status
dropout_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_seed (g, 0), x = host->g_in (g, 0);
  kt_value ratio = host->g_in (g, 1);
  kt_type t, t_ratio;

  (void) user;
  if (!dy)
    return KT_OK;
  if (surely_idle (host, g))
    return host->g_set (g, 0, dy);
  KT_TRY (host->g_type (g, x, &t));
  if (!ratio)
    ratio = kt_scalar_like (host, g, x, 0.5);
  KT_TRY (host->g_type (g, ratio, &t_ratio));
  if (t_ratio.dtype != t.dtype)
    {
      const kt_attr to = { .name = "to", .kind = KT_A_INT, .i = t.dtype };
      ratio            = kt_node (host, g, "Cast", &ratio, 1, &to, 1);
    }

  const kt_value one = kt_scalar_like (host, g, x, 1);
  const kt_value scale
      = kt_where (host, g, host->g_in (g, 2),
                  kt_div (host, g, one, kt_sub (host, g, one, ratio)), one);
  return host->g_set (g, 0,
                      kt_where (host, g, host->g_out (g, 1), kt_mul (host, g, dy, scale),
                                kt_scalar_like (host, g, x, 0)));
}

/* Versions 1-10 describe inference; the mask, all true, is of x's type before version 10. The new
 * form keeps the ratio, for those who raise a file's opset in order to train. */
static kt_status
dropout_old_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0);
  int32_t n_in, n_out, version;
  const union
  {
    float f;
    double d;
    uint16_t h;
    uint8_t b;
  } f32 = { .f = 1 }, f64 = { .d = 1 }, f16 = { .h = 0x3c00 }, yes = { .b = 1 };
  kt_type t;

  (void) user;
  KT_TRY (host->arity (g, &n_in, &n_out, &version));
  const kt_value in[]
      = { x, kt_scalar (host, g, KT_F32, kt_attr_float (host, g, "ratio", 0.5)) };
  KT_TRY (host->g_set (g, 0, kt_node (host, g, "Dropout", in, 2, NULL, 0)));
  if (!host->g_wanted (g, 1))
    return KT_OK;
  KT_TRY (host->g_type (g, x, &t));
  if (version < 10 && t.kind == 0)
    return kt_fail (host, g, KT_E_UNSUPPORTED,
                    "the mask's element type is x's, which is not known");

  const int32_t dtype   = version >= 10 ? KT_BOOL : t.dtype;
  const kt_tensor value = {
    .data        = (void *) (uintptr_t) (dtype == KT_BOOL  ? &yes
                                         : dtype == KT_F64 ? &f64
                                         : dtype == KT_F16 ? &f16
                                                           : &f32),
    .device_type = KT_CPU,
    .code        = dtype == KT_BOOL ? 6 : 2,
    .bits        = (uint8_t) kt_bits_of (dtype),
    .lanes       = 1,
  };
  const kt_attr attr   = { .name = "value", .kind = KT_A_TENSOR, .v = &value, .n = 1 };
  const kt_value shape = kt_shape_of (host, g, x);
  return host->g_set (g, 1, kt_node (host, g, "ConstantOfShape", &shape, 1, &attr, 1));
}

const kt_operator kette_op_dropout = {
  .op = { KT_OP ("Dropout", 12), .infer = dropout_infer, .gradient = dropout_gradient },
  .kernel = dropout_kernel,
  .old    = (const kt_op[]){ { KT_OLD ("Dropout", 1, 11), .flags = KT_OP_PURE,
                               .body = dropout_old_body },
                             { 0 } },
};
