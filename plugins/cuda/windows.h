/* SPDX-License-Identifier: Apache-2.0
 *
 * windows.h: what is handed to the kernels of convolutions and pools by value. Geometry comes
 * from the operators' own code (ops/conv.h, ops/pool.h), with up to three spatial dims.
 */
#ifndef KETTE_CUDA_WINDOWS_H
#define KETTE_CUDA_WINDOWS_H

#include "kette-plugin.h"

#define CU_DIMS 3

/* CuConv.role: kt_conv_role (ops/conv.h), which of the three tensors is computed. */
enum
{
  KT_CONV_ROLE_LARGE,
  KT_CONV_ROLE_SMALL,
  KT_CONV_ROLE_WEIGHTS
};

/* Missing spatial dims stand in front, as dims of 1. */
typedef struct
{
  int64_t large[CU_DIMS], small[CU_DIMS];
  int32_t kernel[CU_DIMS], stride[CU_DIMS], dilation[CU_DIMS], begin[CU_DIMS],
      end[CU_DIMS], reserved;
  int64_t large_area, small_area, cells;
} CuGeometry;

/* Convolutions: which of the three tensors is computed (kt_conv_role). */
typedef struct
{
  CuGeometry g;
  int64_t batch, group, m, c; /* m, c: channels per group */
  int64_t parts;              /* of the sum, of weights */
  const void *large, *small, *weights, *bias;
  void *out, *partial; /* partial: parts of the sum, before they are added up */
  int32_t role, dtype;
  int32_t round, reserved; /* KT_ROUND_*, of the factors */
} CuConv;

/* y: an element per channel, the sum of x over images and places. */
typedef struct
{
  const void *x;
  void *y;
  int64_t batch, channels, area;
  int32_t dtype, reserved;
} CuBiasGrad;

/* Pools; planes: images times channels. */
typedef struct
{
  CuGeometry g;
  int64_t planes;
  const void *x, *dy;
  void *y;
  int64_t *indices; /* of the plane's tensor; NULL: nobody asks */
  int32_t *cells;   /* MaxPoolGrad: where in its plane the largest of each window is */
  int32_t dtype, include_pad, by_columns, reserved;
} CuPool3;

/* Normalisation of X, seen as [rows, channels, inner]: moments of PIECES of each channel, then
 * lines, then y = (x - m) a + b + dy c. */
typedef struct
{
  const void *x, *dy, *scale, *bias, *mean, *var;
  void *y, *mean_out, *var_out; /* gradient: of x, of scale, of bias */
  double *moments;              /* by channel and piece: n, mean, m2, sum, dot */
  double *lines;                /* by channel: m, a, b, c */
  int64_t rows, channels, inner, pieces;
  double epsilon, momentum;
  int32_t dtype, scale_dtype, bias_dtype, mean_dtype, var_dtype, mode;
} CuNorm;
enum
{
  CU_NORM_FIXED, /* mean and variance are given */
  CU_NORM_TRAIN,
  CU_NORM_GRADIENT
};

KT_BEGIN_DECLS
void cu_conv_launch (const CuConv *p, void *stream);
void cu_bias_grad_launch (const CuBiasGrad *p, void *stream);
void cu_max_pool_launch (const CuPool3 *p, void *stream);
void cu_average_pool_launch (const CuPool3 *p, void *stream);
void cu_max_pool_grad_launch (const CuPool3 *p, void *stream);
void cu_average_pool_grad_launch (const CuPool3 *p, void *stream);
void cu_norm_launch (const CuNorm *p, void *stream);
KT_END_DECLS

#endif /* KETTE_CUDA_WINDOWS_H */
