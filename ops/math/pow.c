/* SPDX-License-Identifier: Apache-2.0
 *
 * Pow: y = x^p, element by element, with broadcasting; y has x's type. Integers to integer
 * powers wrap; all other mixtures are computed in double and converted as Cast does.
 * Source: ONNX Pow-15.
 */
#include "convert.h"
#include "elementwise.h"
#include "emit.h"

#define BLOCK 256

/* The square, the commonest of all powers, without a call. */
#define POW_LOOP(SUFFIX, T)                                                              \
  KETTE_MAP_LOOP (square, SUFFIX, T, T, T, x, x *x)                                      \
  KETTE_ZIP_PLAIN_LOOP (power, SUFFIX, T, T, T, x, e, kt_pow (x, e))                     \
  static void pow_##SUFFIX (const void *x, int64_t x_step, const void *e,                \
                            int64_t e_step, void *y, int64_t n, const double *p)         \
  {                                                                                      \
    if (x_step == 1 && e_step == 0 && *(const T *) e == 2)                               \
      square_##SUFFIX (x, y, n, p);                                                      \
    else                                                                                 \
      power_##SUFFIX (x, x_step, e, e_step, y, n, p);                                    \
  }

POW_LOOP (f32, float)
POW_LOOP (f64, double)

static const kt_zip_loops pow_loops = { .loop = { KT_FLOAT_ROWS (pow) } };

typedef struct
{
  void *zip; /* state of the zip where both types are the same float type, else NULL */
  int32_t base, exponent;
  kt_spread spread;
} PowState;

typedef struct
{
  const kt_run *run;
  const PowState *state;
} Work;

static kt_status
pow_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  void *memory;

  KT_TRY (host->keep (prep, sizeof (PowState), &memory));
  PowState *s = memory;
  s->base     = kt_in_type (host, prep, 0).dtype;
  s->exponent = kt_in_type (host, prep, 1).dtype;
  *state      = s;
  if (s->base == s->exponent && kt_is_float (s->base))
    return kt_zip_prepare (host, prep, user, &s->zip);
  return kt_spread_prepare (host, prep, &s->spread);
}

/* X to the power E, modulo 2^64. MINUS: to -E, without the fraction; MOST stands for 1 / 0. */
static uint64_t
whole_power (uint64_t x, uint64_t e, bool minus, uint64_t most)
{
  uint64_t y = 1;

  if (minus && x == 0)
    return most;
  if (minus && x != 1 && x != UINT64_MAX)
    return 0;
  for (; e > 0; e >>= 1, x *= x)
    if (e & 1)
      y *= x;
  return y;
}

/* N <= BLOCK elements; those that stay where they are have step 0. */
static void
pow_block (const PowState *s, const void *x, int64_t x_step, const void *e,
           int64_t e_step, void *y, int64_t n)
{
  const uint64_t most = s->base == KT_I32 ? INT32_MAX : INT64_MAX;

  if (kt_is_float (s->base) || kt_is_float (s->exponent))
    {
      double a[BLOCK], b[BLOCK];
      kt_load_f64 (s->base, x, a, x_step ? n : 1);
      kt_load_f64 (s->exponent, e, b, e_step ? n : 1);
      for (int64_t i = n - 1; i >= 0; i--)
        a[i] = pow (a[i * x_step], b[i * e_step]);
      kt_store_f64 (s->base, a, y, n);
    }
  else
    {
      const bool is_signed = kt_family_of (s->exponent) == KT_SIGNED;
      uint64_t a[BLOCK], b[BLOCK];
      kt_load_int (s->base, x, a, x_step ? n : 1);
      kt_load_int (s->exponent, e, b, e_step ? n : 1);
      for (int64_t i = n - 1; i >= 0; i--)
        {
          const uint64_t v = b[i * e_step];
          const bool minus = is_signed && (int64_t) v < 0;
          a[i]             = whole_power (a[i * x_step], minus ? -v : v, minus, most);
        }
      kt_store_int (s->base, KT_SIGNED, a, y, n);
    }
}

static void
pow_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Work *work    = arg;
  const PowState *s   = work->state;
  const kt_course *in = s->spread.in;
  kt_walk walk;

  (void) worker;
  for (kt_walk_start (&walk, &s->spread, begin, end); walk.count > 0;
       kt_walk_next (&walk))
    {
      const char *x = kt_walk_in (&walk, work->run, 0),
                 *e = kt_walk_in (&walk, work->run, 1);
      char *y       = kt_walk_out (&walk, work->run);
      for (int64_t i = 0; i < walk.count; i += BLOCK)
        pow_block (s, x + i * in[0].step * in[0].size, in[0].step,
                   e + i * in[1].step * in[1].size, in[1].step,
                   y + i * s->spread.out_size,
                   walk.count - i < BLOCK ? walk.count - i : BLOCK);
    }
}

static kt_status
pow_run (const kt_host *host, kt_run *run, void *state)
{
  const PowState *s = state;
  Work work         = { run, s };

  if (s->zip)
    return kt_zip_run (host, run, s->zip);
  return kt_spread_run (host, run, &s->spread, pow_piece, &work);
}

static kt_status
pow_tile (const kt_host *host, kt_run *run, void *state, int64_t begin, int64_t end,
          int32_t worker)
{
  const PowState *s = state;
  Work work         = { run, s };

  if (s->zip)
    return kt_zip_tile (host, run, s->zip, begin, end, worker);
  pow_piece (&work, begin, end, worker);
  return KT_OK;
}

static const kt_kernel pow_kernel[]
    = { { KT_KERNEL, .flags = KT_CPU_FLAGS | KT_K_TILEABLE, .user = (void *) &pow_loops,
          .n_alias = 1, .alias = &(const kt_alias){ 0, 0, 0, 0 }, .prepare = pow_prepare,
          .run = pow_run, .tile = pow_tile },
        { 0 } };

/* VALUE as the element type of LIKE. */
static kt_value
cast_like (const kt_host *host, kt_graph *g, kt_value value, kt_value like)
{
  kt_type from = { 0 }, to = { 0 };

  host->g_type (g, value, &from);
  host->g_type (g, like, &to);
  const kt_attr attr = { .name = "to", .kind = KT_A_INT, .i = to.dtype };
  return from.dtype == to.dtype ? value : kt_node (host, g, "Cast", &value, 1, &attr, 1);
}

/* Is the exponent known to be 2? */
static bool
is_square (const kt_host *host, const void *ctx)
{
  kt_tensor e = { 0 };
  double v    = 0;

  if (host->constant (ctx, 1, &e) != KT_OK || !e.data || kt_count (e.shape, e.ndim) != 1)
    return false;
  const int32_t dtype = kt_in_type (host, ctx, 1).dtype;
  kt_load_f64 (dtype, e.data, &v, 1);
  return v == 2;
}

/* dE/dx = dE/dy * p x^(p - 1), 0 where p = 0. */
static kt_value
base_gradient (const kt_host *host, kt_graph *g, kt_value dy, kt_value x, kt_value p)
{
  if (is_square (host, g))
    return kt_mul (host, g, dy, kt_add (host, g, x, x));

  const kt_value zero  = kt_scalar_like (host, g, x, 0),
                 one   = kt_scalar_like (host, g, x, 1);
  const kt_value less  = kt_pow_of (host, g, x, kt_sub (host, g, p, one));
  const kt_value slope = kt_mul (host, g, p, less);

  return kt_mul (host, g, dy,
                 kt_where (host, g, kt_equal (host, g, p, zero), zero, slope));
}

/* And dE/dp = dE/dy * y ln x, 0 where x <= 0. Both summed back over broadcast dims. */
static kt_status
pow_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_seed (g, 0), x = host->g_in (g, 0), p = host->g_in (g, 1);

  (void) user;
  if (host->g_wanted (g, 0))
    {
      const kt_value v = base_gradient (host, g, dy, x, cast_like (host, g, p, x));
      KT_TRY (host->g_set (g, 0, kt_sum_to (host, g, v, x)));
    }
  if (host->g_wanted (g, 1))
    {
      const kt_value zero = kt_scalar_like (host, g, x, 0);
      const kt_value v    = kt_mul (host, g, kt_mul (host, g, dy, host->g_out (g, 0)),
                                    kt_log_of (host, g, x));
      const kt_value w    = kt_where (host, g, kt_greater (host, g, x, zero), v, zero);
      KT_TRY (host->g_set (g, 1, cast_like (host, g, kt_sum_to (host, g, w, p), p)));
    }
  return KT_OK;
}

const kt_operator kette_op_pow = {
  .op     = { KT_OP ("Pow", 7), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_broadcast, .gradient = pow_gradient, .formula = "{$0}^{$1}" },
  .kernel = pow_kernel,
  .old    = KT_OLD_BROADCAST ("Pow"),
};
