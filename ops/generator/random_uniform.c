/* SPDX-License-Identifier: Apache-2.0
 *
 * RandomUniform: numbers spread evenly over low <= y < high.  Source: ONNX RandomUniform-1.
 */
#include "random.h"

static void
draw_24 (const kt_stream *stream, int64_t first, int64_t n, double low, double high,
         double *out)
{
  for (int64_t i = 0; i < n; i += 4)
    {
      uint32_t word[4];
      kt_philox (stream, (uint64_t) (first + i) / 4, word);
      for (int64_t k = 0; k < 4 && i + k < n; k++)
        out[i + k] = low + (high - low) * kt_uniform_24 (word[k]);
    }
}

static void
draw_53 (const kt_stream *stream, int64_t first, int64_t n, double low, double high,
         double *out)
{
  for (int64_t i = 0; i < n; i += 2)
    {
      uint32_t word[4];
      kt_philox (stream, (uint64_t) (first + i) / 2, word);
      for (int64_t k = 0; k < 2 && i + k < n; k++)
        out[i + k] = low + (high - low) * kt_uniform_53 (word[2 * k], word[2 * k + 1]);
    }
}

static const kt_generator generator = { "low", "high", draw_24, draw_53 };

static const kt_kernel random_uniform_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .user = (void *) (uintptr_t) &generator,
    .prepare = kt_generator_prepare, .run = kt_generator_run },
  { 0 },
};

const kt_operator kette_op_random_uniform = {
  .op     = { KT_OP ("RandomUniform", 1), .flags = KT_OP_ZERO_GRADIENT,
              .infer = kt_generator_infer },
  .kernel = random_uniform_kernel,
};
