/* SPDX-License-Identifier: Apache-2.0
 *
 * RandomNormal: numbers of the normal distribution with mean and standard deviation (scale).
 * Source: ONNX RandomNormal-1.
 */
#include "random.h"

/* Each pair of elements takes two words, so that four elements take a block. */
static void
draw_32 (const kt_stream *stream, int64_t first, int64_t n, double mean, double scale,
         double *out)
{
  for (int64_t i = 0; i < n; i += 4)
    {
      uint32_t word[4];
      double z[4];
      kt_philox (stream, (uint64_t) (first + i) / 4, word);
      kt_normal_pair (((double) word[0] + 1) * 0x1p-32, (double) word[1] * 0x1p-32, z);
      kt_normal_pair (((double) word[2] + 1) * 0x1p-32, (double) word[3] * 0x1p-32,
                      z + 2);
      for (int64_t k = 0; k < 4 && i + k < n; k++)
        out[i + k] = mean + scale * z[k];
    }
}

static void
draw_53 (const kt_stream *stream, int64_t first, int64_t n, double mean, double scale,
         double *out)
{
  for (int64_t i = 0; i < n; i += 2)
    {
      uint32_t word[4];
      double z[2];
      kt_philox (stream, (uint64_t) (first + i) / 2, word);
      kt_normal_pair (kt_uniform_53 (word[0], word[1]) + 0x1p-53,
                      kt_uniform_53 (word[2], word[3]), z);
      for (int64_t k = 0; k < 2 && i + k < n; k++)
        out[i + k] = mean + scale * z[k];
    }
}

static const kt_generator generator = { "mean", "scale", draw_32, draw_53 };

static const kt_kernel random_normal_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .user = (void *) (uintptr_t) &generator,
    .prepare = kt_generator_prepare, .run = kt_generator_run },
  { 0 },
};

const kt_operator kette_op_random_normal = {
  .op     = { KT_OP ("RandomNormal", 1), .flags = KT_OP_ZERO_GRADIENT,
              .infer = kt_generator_infer },
  .kernel = random_normal_kernel,
};
