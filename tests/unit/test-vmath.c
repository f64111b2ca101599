/* SPDX-License-Identifier: Apache-2.0
 * The vector mathematics of ops/vmath.h against long double: a million random points and
 * all edges per function, errors in units of the last place.
 */
#ifndef __clang__ /* as ops/meson.build has it, so that vector code is what is tested */
#pragma GCC optimize("O3,no-trapping-math,no-math-errno")
#endif
#include "half.h"
#include <float.h>
#include <glib.h>

#define N_POINTS 1000000

typedef struct
{
  const char *name;
  double low, high; /* of the uniform points; the others are random bits */
  double limit;     /* in ulp */
  void (*f32) (const float *x, float *y, int n);
  void (*f64) (const double *x, double *y, int n);
  long double (*exact) (long double x);
} Function;

#define LOOPS(NAME)                                                                      \
  __attribute__ ((noinline)) static void NAME##_f32 (const float *x, float *y, int n)    \
  {                                                                                      \
    for (int i = 0; i < n; i++)                                                          \
      y[i] = kt_##NAME (x[i]);                                                           \
  }                                                                                      \
  __attribute__ ((noinline)) static void NAME##_f64 (const double *x, double *y, int n)  \
  {                                                                                      \
    for (int i = 0; i < n; i++)                                                          \
      y[i] = kt_##NAME (x[i]);                                                           \
  }

LOOPS (exp)
LOOPS (expm1)
LOOPS (log)
LOOPS (log1p)
LOOPS (tanh)
LOOPS (sigmoid_of)
LOOPS (erf)
LOOPS (softplus)

static long double
sigmoidl (long double x)
{
  return x < 0 ? expl (x) / (1 + expl (x)) : 1 / (1 + expl (-x));
}

static long double
softplusl (long double x)
{
  return (x > 0 ? x : 0) + log1pl (expl (-fabsl (x)));
}

static const Function functions[] = {
  { "exp", -110, 95, 2, exp_f32, exp_f64, expl },
  { "exp", -750, 712, 2, exp_f32, exp_f64, expl },
  { "expm1", -3, 3, 2, expm1_f32, expm1_f64, expm1l },
  { "expm1", -50, 95, 2, expm1_f32, expm1_f64, expm1l },
  { "log", 0, 4, 2, log_f32, log_f64, logl },
  { "log", 0, 1e30, 2, log_f32, log_f64, logl },
  { "log1p", -1, 2, 2, log1p_f32, log1p_f64, log1pl },
  { "log1p", -0.01, 0.01, 2, log1p_f32, log1p_f64, log1pl },
  { "tanh", -2, 2, 2, tanh_f32, tanh_f64, tanhl },
  { "tanh", -25, 25, 2, tanh_f32, tanh_f64, tanhl },
  { "sigmoid", -20, 20, 3, sigmoid_of_f32, sigmoid_of_f64, sigmoidl },
  { "sigmoid", -760, 40, 3, sigmoid_of_f32, sigmoid_of_f64, sigmoidl },
  { "erf", -1.5, 1.5, 2, erf_f32, erf_f64, erfl },
  { "erf", -7, 7, 2, erf_f32, erf_f64, erfl },
  { "softplus", -20, 20, 2, softplus_f32, softplus_f64, softplusl },
  { "softplus", -760, 40, 2, softplus_f32, softplus_f64, softplusl },
};

static const double edges[] = { 0.0,
                                -0.0,
                                1.0,
                                -1.0,
                                INFINITY,
                                -INFINITY,
                                NAN,
                                0x1p-149,
                                -0x1p-149,
                                0x1p-126,
                                -0x1p-126,
                                0x1p-127,
                                0x1p-1022,
                                0x1p-1074,
                                -0x1p-1074,
                                FLT_MAX,
                                -FLT_MAX,
                                DBL_MAX,
                                -DBL_MAX,
                                88.722839,
                                88.72284,
                                -87.3365,
                                -103.9721,
                                -103.9728,
                                709.782712893384,
                                709.7827128933841,
                                -708.3965,
                                -745.1332,
                                -745.13322,
                                0.5625,
                                -0.5625,
                                0.5624999,
                                0.875,
                                -0.875,
                                0.8750001,
                                3.95,
                                5.95,
                                0x1p-25,
                                0x1p-54,
                                0.34657359,
                                0.6931472,
                                -0.6931472,
                                0.70710677,
                                1.4142135,
                                -0.99999994,
                                -0.9999999999999999,
                                1.0000001,
                                0.99999994 };

/* Distance of Y from EXACT in units of the last of DIGITS digits; 0 where both are NaN or
 * the same infinity. EMIN: exponent of the least normal number; MOST: the largest. */
static double
distance (long double y, long double exact, int digits, int emin, long double most)
{
  int exponent;

  if (isnan (exact) || isnan (y))
    return isnan (exact) && isnan (y) ? 0 : INFINITY;
  if (isinf (y) && fabsl (exact) > most * 0.9999999L)
    return signbit (y) == signbit (exact) ? 0 : INFINITY;
  if (isinf (y) || isinf (exact))
    return y == exact ? 0 : INFINITY;
  if (exact == 0)
    return y == 0 && signbit (y) == signbit (exact) ? 0 : INFINITY;
  frexpl (exact, &exponent);
  return (double) (fabsl (y - exact) / ldexpl (1, MAX (exponent, emin) - digits));
}

static uint64_t
next_random (uint64_t *state)
{
  *state ^= *state << 13;
  *state ^= *state >> 7;
  return *state ^= *state << 17;
}

/* Point I of a function: an edge, uniform in its range, or (every fourth) random bits. */
static double
point (const Function *f, int i, uint64_t *state, gboolean is_float)
{
  const uint64_t bits = next_random (state);

  if (i < (int) G_N_ELEMENTS (edges))
    return edges[i];
  if (i % 4 == 0)
    return is_float ? kt_from_bits_f32 ((uint32_t) (bits >> 32))
                    : kt_from_bits_f64 (bits);
  return f->low + (f->high - f->low) * ((double) (bits >> 11) * 0x1p-53);
}

static void
test_f32 (gconstpointer data)
{
  const Function *f = data;
  uint64_t state    = 88172645463325252u;
  double worst      = 0;
  float *x = g_new (float, N_POINTS), *y = g_new (float, N_POINTS), alone, at = 0;

  for (int i = 0; i < N_POINTS; i++)
    x[i] = (float) point (f, i, &state, TRUE);
  f->f32 (x, y, N_POINTS);
  for (int i = 0; i < N_POINTS; i++)
    {
      const double d = distance (y[i], f->exact (x[i]), 24, -125, FLT_MAX);
      if (d > worst)
        worst = d, at = x[i];
    }
  g_test_message ("%s f32: %.3f ulp at %a", f->name, worst, (double) at);
  g_assert_cmpfloat (worst, <=, f->limit);
  for (int i = 0; i < 1000; i++)
    { /* the same bits in a vector's body and in a tail */
      f->f32 (x + i, &alone, 1);
      g_assert_true (kt_bits_f32 (alone) == kt_bits_f32 (y[i])
                     || (alone != alone && y[i] != y[i]));
    }
  g_free (x);
  g_free (y);
}

static void
test_f64 (gconstpointer data)
{
  const Function *f = data;
  uint64_t state    = 88172645463325252u;
  double worst = 0, at = 0, alone;
  double *x = g_new (double, N_POINTS), *y = g_new (double, N_POINTS);

  for (int i = 0; i < N_POINTS; i++)
    x[i] = point (f, i, &state, FALSE);
  f->f64 (x, y, N_POINTS);
  for (int i = 0; i < N_POINTS; i++)
    {
      const double d = distance (y[i], f->exact (x[i]), 53, -1021, DBL_MAX);
      if (d > worst)
        worst = d, at = x[i];
    }
  g_test_message ("%s f64: %.3f ulp at %a", f->name, worst, at);
  g_assert_cmpfloat (worst, <=, f->limit);
  for (int i = 0; i < 1000; i++)
    {
      f->f64 (x + i, &alone, 1);
      g_assert_true (kt_bits_f64 (alone) == kt_bits_f64 (y[i])
                     || (alone != alone && y[i] != y[i]));
    }
  g_free (x);
  g_free (y);
}

static void
test_small_ones (void)
{
  g_assert_true (kt_max (1.0f, 2.0f) == 2 && kt_max (2.0, 1.0) == 2);
  g_assert_true (kt_min (1.0f, 2.0f) == 1 && kt_min (2.0, 1.0) == 1);
  g_assert_true (isnan (kt_max (NAN, 1.0f)) && isnan (kt_max (1.0f, NAN)));
  g_assert_true (isnan (kt_min ((double) NAN, 1.0))
                 && isnan (kt_min (1.0, (double) NAN)));
  g_assert_true (kt_abs (-0.0) == 0 && !signbit (kt_abs (-0.0)) && kt_sqrt (4.0f) == 2);
  g_assert_true (kt_pow (2.0f, 3.0f) == 8 && kt_pick (1, 1.0, 2.0) == 1);
  g_assert_true (kt_floor (-1.5f) == -2 && kt_floor (1.5) == 1 && kt_ceil (1.5f) == 2
                 && kt_ceil (-1.5) == -1 && signbit (kt_ceil (-0.5)));
}

/* Floats to 16 bits: all numbers of 16 bits and what lies between two of them, as from double. */
static void
test_halves (void)
{
  for (uint32_t h = 0; h < 0x10000; h++)
    for (int kind = 0; kind < 2; kind++)
      {
        const int digits = kind ? 16 : 13; /* that the 16 bits have not */
        const float x
            = kind ? kt_bf16_to_f32 ((uint16_t) h) : kt_f16_to_f32 ((uint16_t) h);
        const uint32_t u = kt_bits_f32 (x);
        for (uint32_t k = 0; k < 8; k++)
          {
            const uint32_t half = 1u << (digits - 1);
            const uint32_t to[]
                = { 0, 1, half - 1, half, half + 1, 2 * half - 1, half / 2, 3 };
            const float y    = kt_from_bits_f32 (u + to[k]);
            const uint16_t a = kind ? kt_f32_to_bf16 (y) : kt_f32_to_f16 (y);
            const uint16_t b = kind ? kt_f64_to_bf16 (y) : kt_f64_to_f16 (y);
            if (a != b)
              g_error ("%a is %04x, must be %04x", (double) y, a, b);
          }
      }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (functions); i++)
    {
      g_autofree char *f32 = g_strdup_printf ("/vmath/%s/%zu/f32", functions[i].name, i);
      g_autofree char *f64 = g_strdup_printf ("/vmath/%s/%zu/f64", functions[i].name, i);
      g_test_add_data_func (f32, &functions[i], test_f32);
      g_test_add_data_func (f64, &functions[i], test_f64);
    }
  g_test_add_func ("/vmath/small", test_small_ones);
  g_test_add_func ("/vmath/halves", test_halves);
  return g_test_run ();
}
