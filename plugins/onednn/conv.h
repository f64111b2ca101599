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
  bool widen;           /* what lies in blocks of 8 goes through memory in blocks of 16 */
} ConvLayout;

typedef struct
{
  Window w;
  int x_block, y_block; /* as oneDNN sees them */
  bool x_wide, y_wide;  /* they lie in blocks of 8 instead */
  int64_t images, group, x_channels, y_channels;
  int64_t
      y_made; /* channels of Y that oneDNN sees: y_channels, or their last block is full */
  double work;        /* additions and products */
  int32_t processors; /* of the machine */
} Shape;

/* The shape of a convolution between X, W and Y. FALSE: this plugin does not serve it. */
bool conv_shape (const kt_host *host, const void *ctx, const ConvLayout *layout,
                 kt_type x, kt_type w, kt_type y, Shape *s);
/* How many blocks of 8 or 16 channels a range of them is a multiple of: channels of Y, or
 * groups with all that belongs to them. */
int64_t conv_units (const Shape *s, int64_t channels, int block);
/* Descriptors of operands for IMAGES images and a share (1 / SPLITS) of the channels of X, of Y
 * or, where there are groups, of both alike. */
typedef struct
{
  dnnl_memory_desc_t x, w, b, y, plain_w; /* w: any layout; plain_w: row-major */
  dnnl_dims_t stride, dilation, begin, end;
} Descriptors;
bool conv_describe (const Shape *s, int64_t images, int64_t x_splits, int64_t y_splits,
                    Descriptors *d);
/* The input of the node that would hold what is added behind the convolution, element by
 * element and in the same layout; 0: nothing is. */
int32_t conv_summand (const kt_host *host, kt_prep *prep);
/* Is what follows the convolution, the first N nodes aside, a Relu? */
bool conv_relu (const kt_host *host, const kt_prep *prep, int32_t n);
/* The primitive descriptor of DESC; NULL: oneDNN has no fast code for it. SUM: the result is
 * added to what is there. */
dnnl_primitive_desc_t conv_create (const_dnnl_op_desc_t desc, bool sum);

/* How the work is cut: PER images at a time, or of one image 1 / SPLITS of the channels or
 * 1 / BANDS of the result's rows. */
typedef struct
{
  int64_t per, splits, bands, n_pieces;
} Pieces;
Pieces conv_pieces_of (const Shape *s, int64_t units);
/* Pieces of one image for which the machine has processors and the image work, at least 1. */
int64_t conv_pieces_wanted (const Shape *s);
/* The same for Winograd's way. FALSE: S is nothing for it. */
bool winograd_pieces (const Shape *s, Pieces *p);

/* Bands of rows (bands.c): in blocks of channels they are not contiguous, so that each has
 * memory of its own, with rows of zeros where its windows leave the image. */
typedef struct
{
  int64_t count;
  int64_t blocks_in, blocks_out;        /* of 16 channels */
  int64_t rows_in, rows_out, rows, pad; /* of a band; of the image; above it */
  size_t row_in, row_out;               /* in floats */
} Bands;
/* *S becomes the convolution of one of COUNT bands. */
void bands_init (Bands *b, Shape *s, int64_t count);
/* Floats of memory for a band: its input, and behind that its result. */
size_t bands_in (const Bands *b);
size_t bands_out (const Bands *b);
void bands_get (const Bands *b, const float *image, int64_t band, float *in);
/* Tells RUN's epilogue of what it has put. */
void bands_put (const Bands *b, const kt_host *host, kt_run *run, const float *out,
                int64_t band, int32_t worker);

/* Values in blocks of 8 channels, by way of memory in blocks of 16 (wide.c). */
size_t wide_floats (int64_t channels, int64_t spots); /* of an image */
/* Blocks of 16, those of all images counted through. */
void wide_get (const Shape *s, const float *x, float *wide, int64_t begin, int64_t end);
/* Blocks of 8, likewise. */
void wide_put (const Shape *s, const float *wide, float *y, int64_t begin, int64_t end);
/* Constant weights and bias with zeros for channels that fill up the last block of Y, so that
 * Y can be made in shares; NULL both: S stays as it is. */
kt_status wide_fill (const kt_host *host, kt_prep *prep, Shape *s, const float **weights,
                     const float **bias);

/* Weights packed piece by piece, once if they are constant. */
typedef struct
{
  Primitive pack;
  int64_t splits;
  size_t step, packed_step; /* in floats, from one share to the next */
  float *constant;          /* NULL: packed by each run, into the workspace */
} Packing;
/* FROM: of a share in row-major weights, which lie STEP floats apart; KNOWN: them, or NULL:
 * those of the node's input 1. The workspace gets MORE floats, which begin *AT floats behind
 * its begin. */
kt_status packing_init (const kt_host *host, kt_prep *prep, Packing *p,
                        const dnnl_memory_desc_t *from, size_t step,
                        const dnnl_memory_desc_t *to, int64_t splits, const float *known,
                        size_t more, size_t *at);
/* The packed weights for a run, or NULL with *status. */
float *packing_get (const kt_host *host, kt_run *run, Packing *p, const float *weights,
                    kt_status *status);

/* What the kernels of Conv and its gradients differ in (code.c). Functions get the state. */
typedef struct
{
  size_t size; /* of the state, which begins as zeros */
  /* From the node and the kernel's user. FALSE: this plugin does not serve it. */
  bool (*read) (const kt_host *host, const void *ctx, const void *user, void *state);
  /* The primitive descriptor of a piece; NULL: oneDNN has no fast code for it. */
  dnnl_primitive_desc_t (*describe) (void *state, Descriptors *d);
  kt_status (*init) (const kt_host *host, kt_prep *prep, void *state);
  void (*clear) (void *state);
} ConvCode;
/* kt_kernel.suits and prepare. */
int32_t code_suits (const ConvCode *code, const kt_host *host, const void *ctx,
                    const void *user);
kt_status code_prepare (const ConvCode *code, const kt_host *host, kt_prep *prep,
                        const void *user, void **state);
