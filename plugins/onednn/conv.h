/* SPDX-License-Identifier: Apache-2.0
 *
 * conv.h: what Conv and its gradients share.
 */
#pragma once
#include "onednn.h"

/* A kernel's way of laying out its operands: blocks of channels, 0: row-major. */
typedef struct
{
  int x_block, y_block; /* of the large side X and the small side Y */
} ConvLayout;

typedef struct
{
  Window w;
  int x_block, y_block;
  int64_t images, group, x_channels, y_channels;
  double work; /* additions and products */
} Shape;

/* The shape of a convolution between X, W and Y. FALSE: this plugin does not serve it. */
bool conv_shape (const kt_host *host, const void *ctx, const ConvLayout *layout,
                 kt_type x, kt_type w, kt_type y, Shape *s);
/* How many blocks of 8 or 16 channels a range of them is a multiple of: channels of Y, or
 * groups with all that belongs to them. */
int64_t conv_units (const Shape *s, int64_t channels, int block);
/* Descriptors of operands for IMAGES images and a share (1 / SPLITS) of the channels of X, of Y
 * or, where there are groups, of both. */
typedef struct
{
  dnnl_memory_desc_t x, w, b, y, plain_w; /* w: any layout; plain_w: row-major */
  dnnl_dims_t stride, dilation, begin, end;
} Descriptors;
bool conv_describe (const Shape *s, int64_t images, int64_t x_splits, int64_t y_splits,
                    Descriptors *d);
