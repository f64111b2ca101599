/* SPDX-License-Identifier: Apache-2.0
 *
 * vmath.h: exp, log, log1p, expm1, tanh, sigmoid, erf, softplus and small kin for float and
 * double, written so that compilers turn loops over them into vector code without -ffast-math:
 * no branches, no tables, no calls. (They want -fno-trapping-math and -fno-math-errno, which
 * change no value, and -ffp-contract=off, which keeps values the same everywhere.) The same
 * bits come out on every machine, in vector bodies and in tails. Errors: at most 2 ulp (sigmoid
 * 3); NaN, infinities, signed zeros, denormals, overflow and underflow as in C's Annex F.
 * tests/unit/test-vmath.c holds them to that.
 *
 * The polynomials are near-minimax fits (Chebyshev interpolation in 300 bits; erf: Remez).
 */
#pragma once
#include <math.h>
#include <stdint.h>

/* nvcc compiles the same text for the device (plugins/cuda): with -fmad=false it gives the same
 * bits there. */
#ifdef __CUDACC__
#define KT_INLINE static __host__ __device__ __forceinline__
#else
#define KT_INLINE static inline __attribute__ ((always_inline))
#endif

/* A loop that is compiled for processors with AVX2 and with AVX-512 as well; the linker picks
 * at load time. No fused multiply-add is made (-ffp-contract=off): all give the same bits. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)                      \
    && !defined(KT_NO_CLONES)
#if __GNUC__ >= 12
#define KT_VECTOR __attribute__ ((target_clones ("arch=x86-64-v4", "avx2", "default")))
#else
#define KT_VECTOR __attribute__ ((target_clones ("avx2", "default")))
#endif
#else
#define KT_VECTOR
#endif

/* The integer with the bits of X, and back. */
KT_INLINE uint32_t
kt_bits_f32 (float x)
{
  uint32_t u;
  __builtin_memcpy (&u, &x, sizeof u);
  return u;
}

KT_INLINE uint64_t
kt_bits_f64 (double x)
{
  uint64_t u;
  __builtin_memcpy (&u, &x, sizeof u);
  return u;
}

KT_INLINE float
kt_from_bits_f32 (uint32_t u)
{
  float x;
  __builtin_memcpy (&x, &u, sizeof x);
  return x;
}

KT_INLINE double
kt_from_bits_f64 (uint64_t u)
{
  double x;
  __builtin_memcpy (&x, &u, sizeof x);
  return x;
}

/* C ? A : B. Both are computed; -fno-trapping-math lets compilers keep it free of jumps. */
KT_INLINE float
kt_pick_f32 (int c, float a, float b)
{
  return c ? a : b;
}

KT_INLINE double
kt_pick_f64 (int c, double a, double b)
{
  return c ? a : b;
}

/* X, or 0 where C, and the smaller of two that are not negative (B if A is NaN). Written
 * with integers because compilers turn a float that was picked from a constant back into the
 * unpicked one and pick at the very end: then lanes that do not matter run into denormal
 * numbers, which take a hundred times as long (the masked places of a softmax). In double
 * that is rarer, and 64-bit integers compare slowly before AVX2. */
KT_INLINE float
kt_drop_f32 (int c, float x)
{
  return kt_from_bits_f32 (kt_bits_f32 (x) & ((uint32_t) c - 1));
}

KT_INLINE float
kt_least_f32 (float a, float b)
{
  const int32_t i = (int32_t) kt_bits_f32 (a), k = (int32_t) kt_bits_f32 (b);

  return kt_from_bits_f32 ((uint32_t) (i < k ? i : k));
}

/* Adding 1.5 * 2^23 (2^52) rounds to an integer, which then stands in the lowest bits. */
#define KT_ROUND_F32 0x1.8p23f
#define KT_ROUND_F64 0x1.8p52
/* ln 2 in two parts; the upper one times an exponent is exact. */
#define KT_LN2_HI_F32 0x1.62e4p-1f
#define KT_LN2_LO_F32 0x1.7f7d1cp-20f
#define KT_LN2_HI_F64 0x1.62e42feep-1
#define KT_LN2_LO_F64 0x1.a39ef35793c76p-33

/* (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2. */
KT_INLINE float
kt_exp_tail_f32 (float r)
{
  float p = 0x1.a1256cp-13f;
  p       = p * r + 0x1.6d43bp-10f;
  p       = p * r + 0x1.1110ep-7f;
  p       = p * r + 0x1.5554e8p-5f;
  p       = p * r + 0x1.555556p-3f;
  return p * r + 0.5f;
}

KT_INLINE double
kt_exp_tail_f64 (double r)
{
  double p = 0x1.1f7340dbc337ep-29;
  p        = p * r + 0x1.af4e554377204p-26;
  p        = p * r + 0x1.27e4db46cddd1p-22;
  p        = p * r + 0x1.71de01fdbf9cap-19;
  p        = p * r + 0x1.a01a01a6e1e2ap-16;
  p        = p * r + 0x1.a01a01abf85abp-13;
  p        = p * r + 0x1.6c16c16c162c3p-10;
  p        = p * r + 0x1.11111111100bep-7;
  p        = p * r + 0x1.5555555555556p-5;
  p        = p * r + 0x1.5555555555557p-3;
  return p * r + 0.5;
}

/* e^x = 2^n e^r for |x| <= 104 (746). 2^n is made of two factors, so that only the
 * last product over- or underflows: 2^(n + 64) 2^-64 for negative x, else 2^(n - 64) 2^64.
 * q is the difference of these two in the exponent's bits. */
KT_INLINE float
kt_exp_core_f32 (float x)
{
  const uint32_t q = kt_bits_f32 (x) >> 1 & 0x40000000;
  const float t = x * 0x1.715476p0f + KT_ROUND_F32, n = t - KT_ROUND_F32;
  const float r = (x - n * KT_LN2_HI_F32) - n * KT_LN2_LO_F32;
  const float p = 1.0f + (r + r * r * kt_exp_tail_f32 (r));

  return p * kt_from_bits_f32 (((kt_bits_f32 (t) + 63) << 23) + q)
         * kt_from_bits_f32 (0x5f800000 - q);
}

KT_INLINE double
kt_exp_core_f64 (double x)
{
  const uint64_t q = kt_bits_f64 (x) >> 1 & 0x4000000000000000;
  const double t = x * 0x1.71547652b82fep0 + KT_ROUND_F64, n = t - KT_ROUND_F64;
  const double r = (x - n * KT_LN2_HI_F64) - n * KT_LN2_LO_F64;
  const double p = 1.0 + (r + r * r * kt_exp_tail_f64 (r));

  return p * kt_from_bits_f64 (((kt_bits_f64 (t) + 511) << 52) + q)
         * kt_from_bits_f64 (0x5ff0000000000000 - q);
}

/* Far from 0 infinite or 0. */
KT_INLINE float
kt_exp_f32 (float x)
{
  const int far = __builtin_fabsf (x) > 104.0f;
  const float y = kt_drop_f32 (far, kt_exp_core_f32 (kt_drop_f32 (far, x)));

  return kt_pick_f32 (x > 104.0f, INFINITY, y);
}

KT_INLINE double
kt_exp_f64 (double x)
{
  x = kt_pick_f64 (x > 710.0, 710.0, x);
  return kt_exp_core_f64 (kt_pick_f64 (x < -746.0, -746.0, x));
}

/* e^x - 1 = 2^n ((e^r - 1) + (1 - 2^-n)), computed at half its size because 2^128 (2^1024)
 * is no number. c is what r lost by rounding. */
KT_INLINE float
kt_expm1_f32 (float x)
{
  float v       = kt_pick_f32 (x > 89.0f, 89.0f, x);
  v             = kt_pick_f32 (x < -20.0f, -20.0f, v);
  const float t = v * 0x1.715476p0f + KT_ROUND_F32, n = t - KT_ROUND_F32;
  const float h = v - n * KT_LN2_HI_F32, l = n * KT_LN2_LO_F32, r = h - l,
              c = (h - r) - l;
  const float p = r + (r * r * kt_exp_tail_f32 (r) + c);
  const float s = kt_from_bits_f32 ((kt_bits_f32 (t) + 126) << 23);
  const float y = (s * p + (s - 0.5f)) * 2.0f;

  return kt_pick_f32 (__builtin_fabsf (x) < 0x1p-25f, x, y);
}

KT_INLINE double
kt_expm1_f64 (double x)
{
  double v       = kt_pick_f64 (x > 710.0, 710.0, x);
  v              = kt_pick_f64 (x < -40.0, -40.0, v);
  const double t = v * 0x1.71547652b82fep0 + KT_ROUND_F64, n = t - KT_ROUND_F64;
  const double h = v - n * KT_LN2_HI_F64, l = n * KT_LN2_LO_F64, r = h - l,
               c = (h - r) - l;
  const double p = r + (r * r * kt_exp_tail_f64 (r) + c);
  const double s = kt_from_bits_f64 ((kt_bits_f64 (t) + 1022) << 52);
  const double y = (s * p + (s - 0.5)) * 2.0;

  return kt_pick_f64 (__builtin_fabs (x) < 0x1p-54, x, y);
}

/* ln (u + c) + k ln 2 for a normal u > 0 and a small c given as c / u. u = 2^e (1 + f) with
 * sqrt (1/2) <= 1 + f < sqrt (2); s = f / (2 + f); ln (1 + f) = 2 artanh s. */
KT_INLINE float
kt_log_core_f32 (float u, float c, float k)
{
  const uint32_t i = kt_bits_f32 (u) + (0x3f800000 - 0x3f3504f3);
  const float e    = (float) (int32_t) (i >> 23) - 127.0f + k;
  const float f    = kt_from_bits_f32 ((i & 0x7fffff) + 0x3f3504f3) - 1.0f;
  const float s = f / (2.0f + f), z = s * s, h = 0.5f * f * f;
  float q = 0x1.2f013ep-2f;

  q = q * z + 0x1.997b96p-2f;
  q = q * z + 0x1.55555cp-1f;
  return e * KT_LN2_HI_F32 - ((h - (s * (h + z * q) + (e * KT_LN2_LO_F32 + c))) - f);
}

KT_INLINE double
kt_log_core_f64 (double u, double c, double k)
{
  const uint64_t i = kt_bits_f64 (u) + (0x3ff0000000000000 - 0x3fe6a09e667f3bcd);
  const double e
      = kt_from_bits_f64 ((i >> 52) | 0x4330000000000000) - (0x1p52 + 1023.0) + k;
  const double f = kt_from_bits_f64 ((i & 0xfffffffffffff) + 0x3fe6a09e667f3bcd) - 1.0;
  const double s = f / (2.0 + f), z = s * s, h = 0.5 * f * f;
  double q = 0x1.2b9f7fb3de73fp-3;

  q = q * z + 0x1.39f8963ccbdc2p-3;
  q = q * z + 0x1.7462e17b4cddp-3;
  q = q * z + 0x1.c71c6247410e3p-3;
  q = q * z + 0x1.2492492e6dfddp-2;
  q = q * z + 0x1.9999999994e76p-2;
  q = q * z + 0x1.5555555555558p-1;
  return e * KT_LN2_HI_F64 - ((h - (s * (h + z * q) + (e * KT_LN2_LO_F64 + c))) - f);
}

KT_INLINE float
kt_log_f32 (float x)
{
  const int small = x < 0x1p-126f;
  float y         = kt_log_core_f32 (kt_pick_f32 (small, x * 0x1p25f, x), 0.0f,
                                     kt_pick_f32 (small, -25.0f, 0.0f));

  y = kt_pick_f32 (x < INFINITY, y, x);
  y = kt_pick_f32 (x < 0.0f, NAN, y);
  return kt_pick_f32 (x == 0.0f, -INFINITY, y);
}

KT_INLINE double
kt_log_f64 (double x)
{
  const int small = x < 0x1p-1022;
  double y        = kt_log_core_f64 (kt_pick_f64 (small, x * 0x1p54, x), 0.0,
                                     kt_pick_f64 (small, -54.0, 0.0));

  y = kt_pick_f64 (x < (double) INFINITY, y, x);
  y = kt_pick_f64 (x < 0.0, (double) NAN, y);
  return kt_pick_f64 (x == 0.0, (double) -INFINITY, y);
}

/* u + c = 1 + x exactly. */
KT_INLINE float
kt_log1p_f32 (float x)
{
  const float u = 1.0f + x, c = (1.0f - (u - (u - 1.0f))) + (x - (u - 1.0f));
  float y = kt_log_core_f32 (u, c / u, 0.0f);

  y = kt_pick_f32 (x < INFINITY, y, x);
  y = kt_pick_f32 (x < -1.0f, NAN, y);
  y = kt_pick_f32 (x == -1.0f, -INFINITY, y);
  return kt_pick_f32 (__builtin_fabsf (x) < 0x1p-25f, x, y);
}

KT_INLINE double
kt_log1p_f64 (double x)
{
  const double u = 1.0 + x, c = (1.0 - (u - (u - 1.0))) + (x - (u - 1.0));
  double y = kt_log_core_f64 (u, c / u, 0.0);

  y = kt_pick_f64 (x < (double) INFINITY, y, x);
  y = kt_pick_f64 (x < -1.0, (double) NAN, y);
  y = kt_pick_f64 (x == -1.0, (double) -INFINITY, y);
  return kt_pick_f64 (__builtin_fabs (x) < 0x1p-54, x, y);
}

/* Near 0 a polynomial in x^2, elsewhere 1 - 2 / (e^2x + 1). */
KT_INLINE float
kt_tanh_f32 (float x)
{
  const float a = __builtin_fabsf (x), z = a * a;
  float q = -0x1.aba8fp-8f;

  q = q * z + 0x1.5c60f8p-6f;
  q = q * z - 0x1.b9902cp-5f;
  q = q * z + 0x1.110fb4p-3f;
  q = q * z - 0x1.555554p-2f;
  /* NaN takes the branch near 0. */
  const float e = kt_exp_core_f32 (2.0f * kt_least_f32 (a, 20.0f));
  return __builtin_copysignf (
      kt_pick_f32 (a >= 0.5625f, 1.0f - 2.0f / (e + 1.0f), a + a * (z * q)), x);
}

KT_INLINE double
kt_tanh_f64 (double x)
{
  const double a = __builtin_fabs (x), z = a * a;
  double q = -0x1.4ffe31971aeb8p-16;

  q = q * z + 0x1.616f17dcc6fd8p-14;
  q = q * z - 0x1.eaf47874aab53p-13;
  q = q * z + 0x1.34ad2f7abd75ap-11;
  q = q * z - 0x1.7d9545835e3e5p-10;
  q = q * z + 0x1.d6d30f918e945p-9;
  q = q * z - 0x1.226e32212f8e9p-7;
  q = q * z + 0x1.664f48727bbfdp-6;
  q = q * z - 0x1.ba1ba1b9f19ap-5;
  q = q * z + 0x1.1111111110fbep-3;
  q = q * z - 0x1.5555555555555p-2;
  /* NaN takes the branch near 0. */
  const double e = kt_exp_core_f64 (2.0 * kt_pick_f64 (a > 40.0, 40.0, a));
  return __builtin_copysign (
      kt_pick_f64 (a >= 0.5625, 1.0 - 2.0 / (e + 1.0), a + a * (z * q)), x);
}

/* By sign: e^-|x| never overflows, and the far left keeps its denormals. */
KT_INLINE float
kt_sigmoid_f32 (float x)
{
  const float a = __builtin_fabsf (x),
              e = kt_exp_core_f32 (-kt_pick_f32 (a > 104.0f, 104.0f, a));
  return kt_pick_f32 (x < 0.0f, e, 1.0f) / (1.0f + e);
}

KT_INLINE double
kt_sigmoid_f64 (double x)
{
  const double a = __builtin_fabs (x),
               e = kt_exp_core_f64 (-kt_pick_f64 (a > 746.0, 746.0, a));
  return kt_pick_f64 (x < 0.0, e, 1.0) / (1.0 + e);
}

/* Near 0 x times a polynomial in x^2, elsewhere 1 - e^-q, where the polynomial q (a - 7/8) is
 * -ln (1 - erf a). */
KT_INLINE float
kt_erf_f32 (float x)
{
  const float a = __builtin_fabsf (x), z = x * x;
  const float s = kt_least_f32 (a, 3.95f) - 0.875f;
  float p = 0x1.6bdf46p-14f, q = 0x1.571e06p-16f;

  p = p * z - 0x1.ae7fa2p-11f;
  p = p * z + 0x1.553abep-8f;
  p = p * z - 0x1.b819a8p-6f;
  p = p * z + 0x1.ce2e84p-4f;
  p = p * z - 0x1.812744p-2f;
  p = p * z + 0x1.06eba8p-3f;
  q = q * s - 0x1.3c7ac6p-12f;
  q = q * s + 0x1.23474ep-9f;
  q = q * s - 0x1.7435c4p-7f;
  q = q * s + 0x1.803eb8p-5f;
  q = q * s + 0x1.a73056p-1f;
  q = q * s + 0x1.37117p1f;
  q = q * s + 0x1.88672ep0f;
  return kt_pick_f32 (a > 0.875f, __builtin_copysignf (1.0f - kt_exp_core_f32 (-q), x),
                      x + x * p);
}

KT_INLINE double
kt_erf_f64 (double x)
{
  const double a = __builtin_fabs (x), z = x * x;
  const double s = kt_pick_f64 (a > 5.95, 5.95, a) - 0.875, w = s * s;
  double p = -0x1.dbd1e48dba30cp-31, q = 0x1.e2dda6de6a32bp-43,
         r = -0x1.eaa38ceb48a28p-38; /* odd, even powers of s */

  p = p * z + 0x1.e517ca514212bp-27;
  p = p * z - 0x1.5dca541d9a60ep-23;
  p = p * z + 0x1.b9c05623fca77p-20;
  p = p * z - 0x1.f4d00d0d2cefbp-17;
  p = p * z + 0x1.f9a30f2fda132p-14;
  p = p * z - 0x1.c02db35e71718p-11;
  p = p * z + 0x1.565bcd0baedacp-8;
  p = p * z - 0x1.b82ce3127abcep-6;
  p = p * z + 0x1.ce2f21a042992p-4;
  p = p * z - 0x1.812746b0379e4p-2;
  p = p * z + 0x1.06eba8214db69p-3;
  q = q * w + 0x1.d2e42080714d3p-34;
  r = r * w - 0x1.14ba9d757ced3p-30;
  q = q * w + 0x1.c90b1a80ce32dp-28;
  r = r * w - 0x1.1466e87736ab4p-25;
  q = q * w + 0x1.eaf18eec5baf4p-24;
  r = r * w - 0x1.23a78e9315394p-22;
  q = q * w + 0x1.8d42dad7515d2p-23;
  r = r * w + 0x1.0af2408fb139bp-19;
  q = q * w - 0x1.96d43a88da84fp-17;
  r = r * w + 0x1.4a1bae97ea985p-15;
  q = q * w - 0x1.f14193ab456dap-15;
  r = r * w - 0x1.a5152ad18b123p-13;
  q = q * w + 0x1.19049ff560924p-9;
  r = r * w - 0x1.730b0ec96f8p-7;
  q = q * w + 0x1.802c2794943efp-5;
  r = r * w + 0x1.a730790b4c8f9p-1;
  q = q * w + 0x1.3711709c17b4fp1;
  r = r * w + 0x1.88672ea9b34dcp0;
  q = q * s + r;
  return kt_pick_f64 (a > 0.875, __builtin_copysign (1.0 - kt_exp_core_f64 (-q), x),
                      x + x * p);
}

/* ln (1 + e^x) = max (x, 0) + ln (1 + e^-|x|), which never overflows. */
KT_INLINE float
kt_softplus_f32 (float x)
{
  const float a = __builtin_fabsf (x);

  return kt_pick_f32 (x > 0.0f, x, 0.0f)
         + kt_log1p_f32 (kt_exp_core_f32 (-kt_pick_f32 (a > 104.0f, 104.0f, a)));
}

KT_INLINE double
kt_softplus_f64 (double x)
{
  const double a = __builtin_fabs (x);

  return kt_pick_f64 (x > 0.0, x, 0.0)
         + kt_log1p_f64 (kt_exp_core_f64 (-kt_pick_f64 (a > 746.0, 746.0, a)));
}

/* Larger and smaller of two; NaN if one is NaN. */
KT_INLINE float
kt_max_f32 (float a, float b)
{
  return kt_pick_f32 ((a > b) | (a != a), a, b);
}

KT_INLINE double
kt_max_f64 (double a, double b)
{
  return kt_pick_f64 ((a > b) | (a != a), a, b);
}

KT_INLINE float
kt_min_f32 (float a, float b)
{
  return kt_pick_f32 ((a < b) | (a != a), a, b);
}

KT_INLINE double
kt_min_f64 (double a, double b)
{
  return kt_pick_f64 ((a < b) | (a != a), a, b);
}

#include "vmath-names.h"
