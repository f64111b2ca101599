/* SPDX-License-Identifier: Apache-2.0
 * test:Product: y[i] = 2 x[n-1-i], which a chain may follow. Its kernel finishes y in uneven
 * ranges and does the work of as many followers itself as `absorb_most` says.
 */
#pragma once
#include "graphs.h"
#include "op/context.h"
#include <string.h>

enum
{
  MOST_FOLLOWERS = 8
};

/* A follower that was absorbed: 'r' Relu, 'a' Add, 'm' Mul, 's' kette.SGD. */
typedef struct
{
  char what;
  int32_t operand;
  gboolean scalar[2];
} Absorbed;

typedef struct
{
  int64_t n;
  int32_t n_absorbed;
  Absorbed absorbed[MOST_FOLLOWERS];
} ProductState;

static int absorb_most;
static gint products_run, followers_seen, absorbed_seen;

static kt_status
product_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  ProductState *s;
  kt_follower f;
  kt_type type;

  (void) user;
  if (host->keep (prep, sizeof *s, state) != KT_OK)
    return KT_E_NOMEM;
  s = *state;
  host->type (prep, 1, 0, &type);
  s->n = 1;
  for (int32_t d = 0; d < type.ndim; d++)
    s->n *= type.dims[d];
  for (int32_t i = 0; i < MOST_FOLLOWERS; i++)
    {
      Absorbed *a = &s->absorbed[i];
      int at      = 0;
      host->follower (prep, i, &f);
      if (!f.op)
        break;
      followers_seen++;
      if (i == s->n_absorbed && i < absorb_most)
        {
          a->what    = strcmp (f.op, "Relu") == 0  ? 'r'
                       : strcmp (f.op, "Add") == 0 ? 'a'
                       : strcmp (f.op, "Mul") == 0 ? 'm'
                       : strcmp (f.op, "SGD") == 0 ? 's'
                                                   : 0;
          a->operand = f.operand;
          for (int32_t k = 0; k < f.n_in; k++)
            if (k != f.operand)
              {
                int64_t n = 1;
                host->follower_type (prep, i, k, &type);
                for (int32_t d = 0; d < type.ndim; d++)
                  n *= type.dims[d];
                if (n != 1 && n != s->n)
                  a->what = 0; /* broadcasting in general is left to the host */
                a->scalar[at++] = n == 1 && s->n != 1;
              }
          s->n_absorbed += a->what != 0;
        }
    }
  absorbed_seen += s->n_absorbed;
  return host->absorb (prep, s->n_absorbed);
}

static float
product_element (const ProductState *s, const kt_run *run, int64_t i)
{
  const float *x = run->in[0].data;
  float v        = 2 * x[s->n - 1 - i];
  int at         = 1;

  for (int32_t f = 0; f < s->n_absorbed; f++)
    {
      const Absorbed *a = &s->absorbed[f];
      const float *b    = run->in[a->what == 'r' ? 0 : at].data;
      const float *c    = run->in[a->what == 's' ? at + 1 : 0].data;
      const float left = b[a->scalar[0] ? 0 : i], right = c[a->scalar[1] ? 0 : i];
      switch (a->what)
        {
        case 'r':
          v = v < 0 ? 0 : v;
          break;
        case 'a':
          v = left + v;
          at++;
          break;
        case 'm':
          v = left * v;
          at++;
          break;
        default: /* rate, X */
          v = right - left * v;
          at += 2;
        }
    }
  return v;
}

typedef struct
{
  const kt_host *host;
  kt_run *run;
  const ProductState *state;
} ProductWork;

static void
product_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const ProductWork *w = arg;
  float *y             = w->run->out[0].data;

  /* The later half first, in an uneven place. */
  const int64_t middle = begin + (end - begin) * 3 / 7;
  for (int64_t i = middle; i < end; i++)
    y[i] = product_element (w->state, w->run, i);
  w->host->epilogue (w->run, middle, end, worker);
  for (int64_t i = begin; i < middle; i++)
    y[i] = product_element (w->state, w->run, i);
  w->host->epilogue (w->run, begin, middle, worker);
}

static kt_status
product_run (const kt_host *host, kt_run *run, void *state)
{
  ProductWork work = { host, run, state };

  g_atomic_int_inc (&products_run);
  return host->parallel_for (run, work.state->n, 5000, product_piece, &work);
}

static kt_status
product_infer (const kt_host *host, kt_infer *infer, void *user)
{
  kt_type type;

  (void) user;
  host->type (infer, 0, 0, &type);
  return host->out_type (infer, 0, &type);
}

static void
register_product (void)
{
  static const kt_param x[] = { { .name = "x", .type = "T" } },
                        y[] = { { .name = "y", .type = "T" } },
                        t[] = { { .name = "T", .type = "f32" } };
  const kt_op op            = { .struct_size = sizeof op,
                                .domain      = "test",
                                .name        = "Product",
                                .since       = 1,
                                .n_in        = 1,
                                .n_out       = 1,
                                .in          = x,
                                .out         = y,
                                .n_var       = 1,
                                .var         = t,
                                .infer       = product_infer };
  const kt_kernel kernel    = { .struct_size = sizeof kernel,
                                .domain      = "test",
                                .name        = "Product",
                                .device      = "cpu",
                                .since       = 1,
                                .flags       = KT_K_EPILOGUE | KT_K_REENTRANT,
                                .prepare     = product_prepare,
                                .run         = product_run };
  KetteFailure failure      = { 0 };
  KetteContext context      = { NULL, &failure };
  kt_reg reg                = { .context = &context, .file = "test" };
  GError *error             = NULL;

  g_assert_nonnull (kette_plugins_get (&error));
  g_assert_cmpint (_kette_host ()->add_op (&reg, &op), ==, KT_OK);
  g_assert_cmpint (_kette_host ()->add_kernel (&reg, &kernel), ==, KT_OK);
}
