/* SPDX-License-Identifier: Apache-2.0
 * The step by hand: bias and activation in one pass behind each product, the loss and its
 * gradient in one, the update folded into the products of the weights' gradients (beta 1).
 * Products and activations are shared among Kette's threads where they are long enough.
 */
#include "hand.h"
#include "base/pool.h"
#include "gemm-fast.h"
#include "product.h"
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define LARGE 4e6 /* additions and products that are worth two threads */

/* One product of the step. */
typedef struct
{
  bool turn_a, turn_b, fast;
  int m, n, k;
  kt_fast plan;
} product;

struct hand_state
{
  product forward[HAND_MOST_LAYERS], back[HAND_MOST_LAYERS], update[HAND_MOST_LAYERS];
  float *h[HAND_MOST_LAYERS + 1], *d[HAND_MOST_LAYERS + 1];
  void *scratch;
};

/* -- products ------------------------------------------------------------------------------ */

static kt_status
parallel (kt_run *run, int64_t n, int64_t grain, kt_body *body, void *arg)
{
  (void) run;
  _kette_pool_for (n, grain, body, arg);
  return KT_OK;
}

static kt_status
nothing_follows (kt_run *run, int64_t begin, int64_t end, int32_t worker)
{
  (void) run, (void) begin, (void) end, (void) worker;
  return KT_OK;
}

static const kt_host threads = { .struct_size  = sizeof (kt_host),
                                 .parallel_for = parallel,
                                 .epilogue     = nothing_follows };

typedef struct
{
  const product *p;
  const float *a, *b;
  float *y, alpha, beta;
} call;

static void
blas_rows (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const call *c    = arg;
  const product *p = c->p;

  (void) worker;
  if (!buffer_take ())
    {
      fprintf (stderr, "no memory for a product\n");
      exit (1);
    }
  cblas_sgemm (CblasRowMajor, p->turn_a ? CblasTrans : CblasNoTrans,
               p->turn_b ? CblasTrans : CblasNoTrans, (int) (end - begin), p->n, p->k,
               c->alpha, c->a + begin * (p->turn_a ? 1 : p->k), p->turn_a ? p->m : p->k,
               c->b, p->turn_b ? p->k : p->n, c->beta, c->y + begin * p->n, p->n);
  buffer_give ();
}

static void
multiply (const hand_net *net, const product *p, float alpha, const float *a,
          const float *b, float beta, float *y)
{
  if (p->fast)
    {
      const kt_fast_operands o = { a, b, beta == 0 ? NULL : y, y, alpha, beta };
      kt_fast_run (&threads, NULL, &p->plan, &o, net->state->scratch, 0);
      return;
    }

  call c            = { p, a, b, y, alpha, beta };
  const double work = 2.0 * p->m * p->n * p->k;
  if (work < LARGE)
    blas_rows (&c, 0, p->m, 0);
  else
    _kette_pool_for (p->m, (p->m + 1) / 2, blas_rows, &c);
}

static size_t
plan (const hand_net *net, product *p, bool turn_a, bool turn_b, int m, int n, int k)
{
  *p      = (product){ .turn_a = turn_a, .turn_b = turn_b, .m = m, .n = n, .k = k };
  p->plan = (kt_fast){ .m     = m,
                       .n     = n,
                       .k     = k,
                       .a_row = turn_a ? 1 : k,
                       .a_col = turn_a ? m : 1,
                       .b_row = turn_b ? 1 : n,
                       .b_col = turn_b ? k : 1,
                       .c_row = n };
  p->fast = !net->blas_only
            && kt_fast_prepare (&p->plan, KT_F32, MAX (2, _kette_pool_get_processors ()))
            && kt_fast_is_best (&p->plan);
  return p->fast ? kt_fast_scratch (&p->plan) : 0;
}

bool
hand_prepare (hand_net *net)
{
  struct hand_state *s = calloc (1, sizeof *s);
  size_t scratch       = 64, size;

  if (!s)
    return false;
  net->state = s;
  for (int l = 0; l < net->n_layers; l++)
    {
      const int in = net->dims[l], out = net->dims[l + 1], batch = net->batch;
      size    = plan (net, &s->forward[l], false, net->turned, batch, out, in);
      scratch = size > scratch ? size : scratch;
      size    = plan (net, &s->back[l], false, !net->turned, batch, in, out);
      scratch = size > scratch ? size : scratch;
      size    = net->turned ? plan (net, &s->update[l], true, false, out, in, batch)
                            : plan (net, &s->update[l], true, false, in, out, batch);
      scratch = size > scratch ? size : scratch;
      s->h[l + 1]
          = aligned_alloc (64, ((size_t) batch * out * sizeof (float) + 63) & ~63ul);
      s->d[l + 1]
          = aligned_alloc (64, ((size_t) batch * out * sizeof (float) + 63) & ~63ul);
      if (!s->h[l + 1] || !s->d[l + 1])
        return false;
    }
  s->scratch = aligned_alloc (64, (scratch + 63) & ~63ul);
  return s->scratch != NULL;
}

/* -- what is done element by element ------------------------------------------------------- */

typedef struct
{
  float *restrict z;
  const float *restrict other; /* bias, or what the layer gave */
  int n;
  bool sigmoid, linear;
} rows;

static void
activate (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const rows *r = arg;

  (void) worker;
  for (int64_t i = begin; i < end; i++)
    {
      float *restrict z = r->z + i * r->n;
      if (r->sigmoid)
        for (int k = 0; k < r->n; k++)
          z[k] = 1.0f / (1.0f + expf (-(z[k] + r->other[k])));
      else if (r->linear)
        for (int k = 0; k < r->n; k++)
          z[k] += r->other[k];
      else
        for (int k = 0; k < r->n; k++)
          z[k] = z[k] + r->other[k] > 0 ? z[k] + r->other[k] : 0;
    }
}

static void
slope (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const rows *r           = arg;
  float *restrict d       = r->z;
  const float *restrict h = r->other;

  (void) worker;
  if (r->sigmoid)
    for (int64_t i = begin * r->n; i < end * r->n; i++)
      d[i] *= h[i] * (1 - h[i]);
  else
    for (int64_t i = begin * r->n; i < end * r->n; i++)
      d[i] = h[i] > 0 ? d[i] : 0;
}

/* BODY for all rows; two threads from 65,536 elements on. */
static void
for_rows (int batch, rows *r, kt_body *body)
{
  if (batch * r->n < 65536)
    body (r, 0, batch, 0);
  else
    _kette_pool_for (batch, (batch + 1) / 2, body, r);
}

static void
half_sse_gradient (const hand_net *net, const float *t, const float *restrict y,
                   float *restrict d)
{
  const int n = net->batch * net->dims[net->n_layers];

  for (int i = 0; i < n; i++)
    d[i] = (y[i] - t[i]) / (float) net->batch * y[i] * (1 - y[i]);
}

static void
cross_entropy_gradient (const hand_net *net, const int *labels, const float *y, float *d)
{
  const int n = net->dims[net->n_layers];

  for (int i = 0; i < net->batch; i++, y += n, d += n)
    {
      float most = y[0], sum = 0;
      for (int k = 1; k < n; k++)
        most = y[k] > most ? y[k] : most;
      for (int k = 0; k < n; k++)
        sum += d[k] = expf (y[k] - most);
      for (int k = 0; k < n; k++)
        d[k] = (d[k] / sum - (float) (k == labels[i])) / (float) net->batch;
    }
}

static void
subtract_columns (float *restrict bias, const float *restrict d, int batch, int n,
                  float rate)
{
  enum
  {
    STRIP = 256
  };
  float sum[STRIP];

  for (int k = 0; k < n; k += STRIP)
    {
      const int cols = n - k < STRIP ? n - k : STRIP;
      for (int j = 0; j < cols; j++)
        sum[j] = 0;
      for (int i = 0; i < batch; i++)
        for (int j = 0; j < cols; j++)
          sum[j] += d[i * n + k + j];
      for (int j = 0; j < cols; j++)
        bias[k + j] -= rate * sum[j];
    }
}

void
hand_step (void *user)
{
  hand_net *net        = user;
  struct hand_state *s = net->state;
  const int batch = net->batch, last = net->n_layers, first = net->at * batch;
  const float *x = net->x + (size_t) first * net->dims[0];

  net->at = (net->at + 1) % (net->samples / batch);
  for (int l = 0; l < last; l++)
    {
      rows r = { s->h[l + 1], net->b[l], net->dims[l + 1], net->sigmoid, l == last - 1 };
      multiply (net, &s->forward[l], 1, l ? s->h[l] : x, net->w[l], 0, s->h[l + 1]);
      for_rows (batch, &r, activate);
    }
  if (net->sigmoid)
    half_sse_gradient (net, net->t + (size_t) first * net->dims[last], s->h[last],
                       s->d[last]);
  else
    cross_entropy_gradient (net, net->labels + first, s->h[last], s->d[last]);
  for (int l = last - 1; l >= 0; l--)
    {
      const float *in = l ? s->h[l] : x;
      if (l)
        {
          rows r = { s->d[l], s->h[l], net->dims[l], net->sigmoid, false };
          multiply (net, &s->back[l], 1, s->d[l + 1], net->w[l], 0, s->d[l]);
          for_rows (batch, &r, slope);
        }
      subtract_columns (net->b[l], s->d[l + 1], batch, net->dims[l + 1], net->rate);
      multiply (net, &s->update[l], -net->rate, net->turned ? s->d[l + 1] : in,
                net->turned ? in : s->d[l + 1], 1, net->w[l]);
    }
}
