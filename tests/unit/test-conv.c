/* SPDX-License-Identifier: Apache-2.0
 * Convolutions and their gradients at sizes with several blocks, tiles and pieces, on small
 * integers, whose sums are exact in any order: against the definition to the bit, with 1, 2, 3
 * and 8 threads, alone and with a Relu behind them.
 */
#include "base/pool.h"
#include "graphs.h"
#include <string.h>

typedef enum
{
  CONV,
  TRANSPOSE,
  GRAD_X,
  GRAD_W
} Kind;

/* dims: of the large side and of the weights; lists per spatial dim. */
typedef struct
{
  const char *name;
  Kind kind;
  int dtype, n; /* n: spatial dims */
  int64_t large[5], weights[5], group;
  int64_t stride[3], dilation[3], pads[6];
} Case;

static const Case cases[] = {
  /* clang-format off */
  { "conv", CONV, KT_F32, 2, { 2, 40, 19, 37 }, { 130, 40, 3, 3 }, 1, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 } },
  { "conv-strides", CONV, KT_F32, 2, { 2, 5, 61, 70 }, { 9, 5, 7, 7 }, 1, { 2, 3 }, { 1, 1 }, { 3, 2, 1, 0 } },
  { "conv-groups", CONV, KT_F32, 2, { 3, 24, 30, 23 }, { 20, 6, 3, 2 }, 4, { 1, 1 }, { 2, 3 }, { 2, 0, 1, 3 } },
  { "conv-1x1", CONV, KT_F32, 2, { 2, 300, 17, 19 }, { 24, 300, 1, 1 }, 1, { 1, 1 }, { 1, 1 }, { 0 } },
  { "conv-1x1-padded", CONV, KT_F32, 2, { 1, 512, 7, 7 }, { 64, 512, 1, 1 }, 1, { 1, 1 }, { 1, 1 }, { 1, 0, 0, 0 } },
  { "conv-rows", CONV, KT_F32, 2, { 1, 64, 7, 7 }, { 256, 64, 3, 3 }, 1, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 } },
  { "conv-long-kernel", CONV, KT_F32, 1, { 2, 3, 3000 }, { 8, 3, 700 }, 1, { 2 }, { 1 }, { 5, 4 } },
  { "conv-3", CONV, KT_F32, 3, { 1, 6, 7, 12, 20 }, { 10, 6, 3, 2, 3 }, 1, { 1, 2, 1 }, { 1, 1, 2 }, { 1, 0, 2, 1, 1, 0 } },
  { "conv-f64", CONV, KT_F64, 2, { 2, 9, 21, 40 }, { 30, 9, 3, 3 }, 1, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 } },
  { "conv-f16", CONV, KT_F16, 2, { 2, 12, 21, 40 }, { 140, 12, 3, 3 }, 1, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 } },
  { "conv-depthwise", CONV, KT_F32, 2, { 2, 20, 40, 50 }, { 40, 1, 3, 5 }, 20, { 1, 2 }, { 1, 1 }, { 1, 2, 1, 2 } },
  { "conv-depthwise-f16", CONV, KT_F16, 2, { 2, 5, 40, 30 }, { 5, 1, 3, 3 }, 5, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 } },
  { "transpose", TRANSPOSE, KT_F32, 2, { 2, 30, 34, 42 }, { 40, 30, 4, 4 }, 1, { 2, 2 }, { 1, 1 }, { 1, 1, 1, 1 } },
  { "transpose-gaps", TRANSPOSE, KT_F32, 2, { 2, 30, 35, 44 }, { 21, 10, 2, 3 }, 3, { 3, 2 }, { 1, 3 }, { 0, 1, 0, 0 } },
  { "transpose-f16", TRANSPOSE, KT_F16, 2, { 1, 130, 20, 20 }, { 20, 130, 3, 3 }, 1, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 } },
  { "transpose-depthwise", TRANSPOSE, KT_F32, 2, { 2, 12, 32, 41 }, { 12, 1, 3, 4 }, 12, { 2, 2 }, { 1, 1 }, { 1, 0, 0, 1 } },
  { "grad-x", GRAD_X, KT_F32, 2, { 3, 33, 30, 28 }, { 60, 33, 3, 3 }, 1, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 } },
  { "grad-x-strides", GRAD_X, KT_F32, 2, { 2, 16, 40, 45 }, { 30, 16, 3, 3 }, 1, { 2, 2 }, { 1, 1 }, { 1, 1, 1, 0 } },
  { "grad-x-steps", GRAD_X, KT_F32, 2, { 2, 16, 41, 45 }, { 30, 8, 2, 2 }, 2, { 4, 3 }, { 2, 1 }, { 0, 0, 1, 2 } },
  { "grad-x-few", GRAD_X, KT_F32, 2, { 4, 1, 40, 45 }, { 30, 1, 5, 5 }, 1, { 1, 1 }, { 1, 1 }, { 0 } },
  { "grad-w", GRAD_W, KT_F32, 2, { 3, 40, 20, 28 }, { 50, 40, 3, 3 }, 1, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 } },
  { "grad-w-strides", GRAD_W, KT_F32, 2, { 3, 3, 61, 50 }, { 24, 3, 7, 7 }, 1, { 2, 2 }, { 1, 1 }, { 3, 3, 3, 3 } },
  { "grad-w-groups", GRAD_W, KT_F32, 2, { 3, 24, 20, 50 }, { 15, 8, 3, 2 }, 3, { 1, 2 }, { 2, 1 }, { 0, 1, 2, 1 } },
  { "grad-w-one", GRAD_W, KT_F32, 2, { 20, 1, 28, 28 }, { 32, 1, 5, 5 }, 1, { 1, 1 }, { 1, 1 }, { 0 } },
  { "grad-w-long-kernel", GRAD_W, KT_F32, 1, { 2, 2, 3000 }, { 8, 2, 700 }, 1, { 2 }, { 1 }, { 5, 4 } },
  { "grad-w-f16", GRAD_W, KT_F16, 2, { 1, 20, 20, 28 }, { 50, 20, 3, 3 }, 1, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 } },
  { "grad-w-depthwise", GRAD_W, KT_F32, 2, { 3, 20, 40, 50 }, { 20, 1, 3, 5 }, 20, { 2, 1 }, { 1, 1 }, { 1, 2, 1, 2 } },
  /* clang-format on */
};

static guint32 state;

/* -1, 0, 1: few non-zeros, so that sums of 16-bit floats are exact. */
static double
number (void)
{
  state = state * 1664525u + 1013904223u;
  return (double) ((state >> 8) % 5 < 2 ? (int) (state >> 16) % 2 * 2 - 1 : 0);
}

static KetteTensor *
filled (int dtype, int n, const int64_t *dims)
{
  KetteTensor *t = kette_tensor_new (dtype, dims, (guint) n + 2, NULL);

  for (size_t i = 0; i < t->count; i++)
    _kette_tensor_set_double (t, i, number ());
  return t;
}

static double *
doubles (const KetteTensor *t)
{
  double *v = g_new (double, t->count);

  for (size_t i = 0; i < t->count; i++)
    v[i] = _kette_tensor_get_double (t, i);
  return v;
}

static void
small_dims (const Case *c, int64_t out[5])
{
  out[0] = c->large[0];
  out[1] = c->weights[0];
  for (int d = 0; d < c->n; d++)
    out[d + 2] = (c->large[d + 2] + c->pads[d] + c->pads[c->n + d]
                  - (c->weights[d + 2] - 1) * c->dilation[d] - 1)
                     / c->stride[d]
                 + 1;
}

/* Where cell K of the window at place Q lies; -1: in the padding. */
static int64_t
cell_at (const Case *c, const int64_t *small, int64_t q, int64_t k)
{
  int64_t at = 0, step = 1;

  for (int d = c->n - 1; d >= 0; d--)
    {
      const int64_t i = q % small[d + 2] * c->stride[d]
                        + k % c->weights[d + 2] * c->dilation[d] - c->pads[d];
      if (i < 0 || i >= c->large[d + 2])
        return -1;
      at += i * step;
      step *= c->large[d + 2];
      q /= small[d + 2];
      k /= c->weights[d + 2];
    }
  return at;
}

static int64_t
product (const int64_t *dims, int n)
{
  int64_t p = 1;

  for (int d = 0; d < n; d++)
    p *= dims[d];
  return p;
}

/* By the definition: one of the three from the other two. */
static void
define (const Case *c, const int64_t *small_shape, double *large, double *small,
        double *w)
{
  const int64_t area   = product (c->large + 2, c->n),
                cells  = product (c->weights + 2, c->n);
  const int64_t places = product (small_shape + 2, c->n), group = c->group;
  const int64_t m = c->weights[0] / group, channels = c->weights[1];

  for (int64_t q = 0; q < places; q++)
    for (int64_t k = 0; k < cells; k++)
      {
        const int64_t p = cell_at (c, small_shape, q, k);
        for (int64_t i = 0; p >= 0 && i < c->large[0] * group; i++)
          for (int64_t a = 0; a < m; a++)
            for (int64_t b = 0; b < channels; b++)
              {
                double *const x = &large[(i * channels + b) * area + p];
                double *const y = &small[(i * m + a) * places + q];
                double *const v = &w[((i % group * m + a) * channels + b) * cells + k];
                if (c->kind == CONV)
                  *y += *x * *v;
                else if (c->kind == GRAD_W)
                  *v += *x * *y;
                else
                  *x += *y * *v;
              }
      }
}

static KetteGraph *
graph_of (const Case *c, KetteTensor *const *in, const int64_t *shape, gboolean relu)
{
  static const char *const ops[] = { "Conv", "ConvTranspose", "ConvGradX", "ConvGradW" };
  const gboolean own             = c->kind >= GRAD_X;
  KetteGraph *graph              = graph_new (18);
  KetteValue *x[3]               = { NULL }, *y, *z;
  g_autoptr (KetteTensor) dims   = own ? tensor_i64 ((size_t) c->n + 2, shape) : NULL;
  GError *error                  = NULL;
  const kt_attr attrs[]          = {
             { .name = "strides", .kind = KT_A_INTS, .v = c->stride, .n = (size_t) c->n },
             { .name = "dilations", .kind = KT_A_INTS, .v = c->dilation, .n = (size_t) c->n },
             { .name = "pads", .kind = KT_A_INTS, .v = c->pads, .n = 2 * (size_t) c->n },
             { .name = "group", .kind = KT_A_INT, .i = c->group },
  };

  g_assert_true (_kette_model_set_opset (graph->model, "kette", 1, NULL));
  for (int i = 0; i < 2; i++)
    x[i] = graph_input (graph, i ? "b" : "a", in[i]->dtype, in[i]->rank, in[i]->dims);
  if (own)
    x[2] = _kette_graph_add_constant (graph, NULL, dims, NULL);
  y = _kette_graph_add_value (graph, NULL, NULL);
  _kette_graph_add_node (graph, "", own ? "kette" : "", ops[c->kind], own ? 1 : 18, x,
                         own ? 3 : 2, &y, 1, attrs, G_N_ELEMENTS (attrs), &error);
  g_assert_no_error (error);
  z = relu ? graph_node (graph, "", "Relu", y, NULL) : y;
  g_assert_true (_kette_graph_add_output (graph, z, NULL));
  return graph;
}

static void
check (const Case *c, KetteTensor *const *in, const int64_t *shape,
       const double *expected, gboolean relu)
{
  for (int threads = 1; threads <= 8; threads += threads == 3 ? 5 : 1)
    {
      g_autoptr (KetteGraph) graph     = graph_of (c, in, shape, relu);
      g_autoptr (KetteSession) session = NULL;
      g_autoptr (KetteTensor) y        = NULL;
      GError *error                    = NULL;

      _kette_pool_set_threads (threads);
      session = kette_session_new (graph, &error);
      g_assert_no_error (error);
      g_assert_true (kette_session_run (session, in, &y, NULL, &error));
      g_assert_no_error (error);
      g_assert_cmpint ((int64_t) y->count, ==, product (shape, c->n + 2));
      for (size_t i = 0; i < y->count; i++)
        {
          const double e = relu && expected[i] < 0 ? 0 : expected[i];
          if (_kette_tensor_get_double (y, i) != e)
            g_error ("%s, %d threads%s: element %zu is %g, must be %g", c->name, threads,
                     relu ? ", Relu" : "", i, _kette_tensor_get_double (y, i), e);
        }
    }
  _kette_pool_set_threads (0);
}

static void
test_case (gconstpointer data)
{
  const Case *c = data;
  KetteTensor *part[3];
  int64_t small[5];
  double *v[3];

  state = 5;
  small_dims (c, small);
  part[0] = filled (c->dtype, c->n, c->large);
  part[1] = filled (c->dtype, c->n, small);
  part[2] = filled (c->dtype, c->n, c->weights);

  const int out        = c->kind == CONV ? 1 : c->kind == GRAD_W ? 2 : 0;
  const int64_t *shape = out == 1 ? small : out == 2 ? c->weights : c->large;
  KetteTensor *in[]    = { part[out == 0 ? 1 : 0], part[out == 2 ? 1 : 2] };
  for (int i = 0; i < 3; i++)
    v[i] = doubles (part[i]);
  memset (v[out], 0, part[out]->count * sizeof *v[out]);
  define (c, small, v[0], v[1], v[2]);
  check (c, in, shape, v[out], FALSE);
  check (c, in, shape, v[out], TRUE);
  for (int i = 0; i < 3; i++)
    {
      kette_tensor_unref (part[i]);
      g_free (v[i]);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_nonnull (kette_plugins_get (NULL));
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/conv/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_case);
    }
  return g_test_run ();
}
