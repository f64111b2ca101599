/* SPDX-License-Identifier: Apache-2.0
 *
 * conv-direct.c: convolutions and their gradients by their definition, for any rank.
 */
#include "conv.h"

typedef struct
{
  kt_conv conv;
  int64_t cells, places, area; /* of a kernel, of the small and of the large side */
  bool has_bias;
} State;

kt_status
kt_conv_prepare (const kt_host *host, kt_prep *prep, const kt_conv *c, void **state)
{
  State *s;

  KT_TRY (host->keep (prep, sizeof *s, state));
  s         = *state;
  s->conv   = *c;
  s->cells  = kt_count (c->w.kernel, c->w.n);
  s->places = kt_count (c->w.small, c->w.n);
  s->area   = kt_count (c->w.large, c->w.n);
  s->has_bias
      = (c->out == KT_CONV_SMALL || c->spread) && kt_in_type (host, prep, 2).kind != 0;
  return KT_OK;
}

/* The cell of the large side under cell K of the window at place Q; -1: in the padding. */
static int64_t
cell_at (const kt_window *w, int64_t q, int64_t k)
{
  int64_t at = 0, step = 1;

  for (int32_t d = w->n - 1; d >= 0; d--)
    {
      const int64_t i = q % w->small[d] * w->stride[d] + k % w->kernel[d] * w->dilation[d]
                        - w->begin[d];
      if (i < 0 || i >= w->large[d])
        return -1;
      at += i * step;
      step *= w->large[d];
      q /= w->small[d];
      k /= w->kernel[d];
    }
  return at;
}

#define DIRECT(SUFFIX, T)                                                                \
  static void direct_##SUFFIX (const State *s, T *large, T *small, T *weights, T *bias,  \
                               T *out_bias)                                              \
  {                                                                                      \
    const kt_conv *c         = &s->conv;                                                 \
    T *const out             = c->out == KT_CONV_LARGE   ? large                         \
                               : c->out == KT_CONV_SMALL ? small                         \
                                                         : weights;                      \
    const int64_t size       = kt_count (c->dims, c->rank);                              \
    const int64_t per        = c->out == KT_CONV_LARGE ? s->area : s->places;            \
    const int64_t n_channels = c->group * (c->out == KT_CONV_LARGE ? c->c : c->m);       \
                                                                                         \
    for (int64_t i = 0; i < size; i++)                                                   \
      out[i] = bias ? bias[i / per % n_channels] : 0;                                    \
    for (int64_t i = 0; out_bias && i < n_channels; i++)                                 \
      out_bias[i] = 0;                                                                   \
    for (int64_t i = 0; out_bias && i < c->batch * n_channels * per; i++)                \
      out_bias[i / per % n_channels] += small[i];                                        \
    for (int64_t n = 0; n < c->batch * c->group; n++)                                    \
      for (int64_t m = 0; m < c->m; m++)                                                 \
        for (int64_t q = 0; q < s->places; q++)                                          \
          for (int64_t k = 0; k < s->cells; k++)                                         \
            {                                                                            \
              const int64_t p = cell_at (&c->w, q, k);                                   \
              for (int64_t i = 0; p >= 0 && i < c->c; i++)                               \
                {                                                                        \
                  T *const l = &large[(n * c->c + i) * s->area + p];                     \
                  T *const r = &small[(n * c->m + m) * s->places + q];                   \
                  T *const w                                                             \
                      = &weights[((n % c->group * c->m + m) * c->c + i) * s->cells + k]; \
                  if (c->out == KT_CONV_LARGE)                                           \
                    *l += *r * *w;                                                       \
                  else if (c->out == KT_CONV_SMALL)                                      \
                    *r += *l * *w;                                                       \
                  else                                                                   \
                    *w += *l * *r;                                                       \
                }                                                                        \
            }                                                                            \
  }

DIRECT (f32, float)
DIRECT (f64, double)

kt_status
kt_conv_run (const kt_host *host, kt_run *run, void *state)
{
  const State *const s = state;
  void *const out = run->out[0].data, *const a = run->in[0].data,
              *const b = run->in[1].data;
  void *const large    = s->conv.out == KT_CONV_LARGE ? out : a;
  void *const small    = s->conv.out == KT_CONV_SMALL   ? out
                         : s->conv.out == KT_CONV_LARGE ? a
                                                        : b;
  void *const weights  = s->conv.out == KT_CONV_WEIGHTS ? out : b;
  void *const bias     = s->has_bias ? run->in[2].data : NULL;
  void *const out_bias
      = s->conv.out == KT_CONV_WEIGHTS && run->n_out > 1 && run->out[1].device_type
            ? run->out[1].data
            : NULL;

  (void) host;
  if (s->conv.dtype == KT_F32)
    direct_f32 (s, large, small, weights, bias, out_bias);
  else
    direct_f64 (s, large, small, weights, bias, out_bias);
  return KT_OK;
}
