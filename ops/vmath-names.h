/* SPDX-License-Identifier: Apache-2.0
 *
 * vmath-names.h: one name per function of vmath.h, which picks float or double by the argument.
 */
#pragma once

#ifdef __cplusplus
/* The same names as overloads: C++ has no _Generic. */
#define KT_BY_TYPE_1(NAME, F32, F64)                                                     \
  KT_INLINE float NAME (float x) { return F32 (x); }                                     \
  KT_INLINE double NAME (double x) { return F64 (x); }
#define KT_BY_TYPE_2(NAME, F32, F64)                                                     \
  KT_INLINE float NAME (float a, float b) { return F32 (a, b); }                         \
  KT_INLINE double NAME (double a, double b) { return F64 (a, b); }

KT_BY_TYPE_1 (kt_exp, kt_exp_f32, kt_exp_f64)
KT_BY_TYPE_1 (kt_expm1, kt_expm1_f32, kt_expm1_f64)
KT_BY_TYPE_1 (kt_log, kt_log_f32, kt_log_f64)
KT_BY_TYPE_1 (kt_log1p, kt_log1p_f32, kt_log1p_f64)
KT_BY_TYPE_1 (kt_tanh, kt_tanh_f32, kt_tanh_f64)
KT_BY_TYPE_1 (kt_sigmoid_of, kt_sigmoid_f32, kt_sigmoid_f64)
KT_BY_TYPE_1 (kt_erf, kt_erf_f32, kt_erf_f64)
KT_BY_TYPE_1 (kt_softplus, kt_softplus_f32, kt_softplus_f64)
KT_BY_TYPE_1 (kt_floor, __builtin_floorf, __builtin_floor)
KT_BY_TYPE_1 (kt_ceil, __builtin_ceilf, __builtin_ceil)
KT_BY_TYPE_1 (kt_abs, __builtin_fabsf, __builtin_fabs)
KT_BY_TYPE_1 (kt_sqrt, __builtin_sqrtf, __builtin_sqrt)
KT_BY_TYPE_2 (kt_pow, powf, pow)
KT_BY_TYPE_2 (kt_max, kt_max_f32, kt_max_f64)
KT_BY_TYPE_2 (kt_min, kt_min_f32, kt_min_f64)
KT_INLINE float
kt_pick (int c, float a, float b)
{
  return kt_pick_f32 (c, a, b);
}
KT_INLINE double
kt_pick (int c, double a, double b)
{
  return kt_pick_f64 (c, a, b);
}
#else
#define KT_BY_TYPE(x, F32, F64) _Generic((x), float : F32, double : F64)

#define kt_exp(x) KT_BY_TYPE (x, kt_exp_f32, kt_exp_f64) (x)
#define kt_expm1(x) KT_BY_TYPE (x, kt_expm1_f32, kt_expm1_f64) (x)
#define kt_log(x) KT_BY_TYPE (x, kt_log_f32, kt_log_f64) (x)
#define kt_log1p(x) KT_BY_TYPE (x, kt_log1p_f32, kt_log1p_f64) (x)
#define kt_tanh(x) KT_BY_TYPE (x, kt_tanh_f32, kt_tanh_f64) (x)
#define kt_sigmoid_of(x) KT_BY_TYPE (x, kt_sigmoid_f32, kt_sigmoid_f64) (x)
#define kt_erf(x) KT_BY_TYPE (x, kt_erf_f32, kt_erf_f64) (x)
#define kt_softplus(x) KT_BY_TYPE (x, kt_softplus_f32, kt_softplus_f64) (x)
#define kt_floor(x) KT_BY_TYPE (x, __builtin_floorf, __builtin_floor) (x)
#define kt_ceil(x) KT_BY_TYPE (x, __builtin_ceilf, __builtin_ceil) (x)
#define kt_abs(x) KT_BY_TYPE (x, __builtin_fabsf, __builtin_fabs) (x)
#define kt_sqrt(x) KT_BY_TYPE (x, __builtin_sqrtf, __builtin_sqrt) (x)
#define kt_pow(x, y) KT_BY_TYPE (x, powf, pow) (x, y)
#define kt_max(a, b) KT_BY_TYPE (a, kt_max_f32, kt_max_f64) (a, b)
#define kt_min(a, b) KT_BY_TYPE (a, kt_min_f32, kt_min_f64) (a, b)
/* c ? a : b without a jump. */
#define kt_pick(c, a, b) KT_BY_TYPE (a, kt_pick_f32, kt_pick_f64) (c, a, b)
#endif
