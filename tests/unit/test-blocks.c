/* SPDX-License-Identifier: Apache-2.0
 * Networks whose values lie in blocks of channels against the same in rows: within bounds, and
 * the same bits with 1, 2, 3 and 8 threads. Without a plugin that has blocks there is nothing
 * to compare.
 */
#include "base/pool.h"
#include "graphs.h"
#include "op/registry.h"
#include <math.h>
#include <string.h>

typedef struct
{
  const char *name;
  int64_t images, x, channels, size; /* X: [images, x, size, size + 1] */
  /* y = op (Relu (Conv (x, w))); kernel 0: op is elementwise or global */
  const char *domain, *op;
  int64_t kernel, stride, pad, group, dilation;
} Case;

static guint32 state;
static float unknown; /* NaN: an element of the first input */

static float
number (void)
{
  state = state * 1664525u + 1013904223u;
  return (float) (state >> 8) / (1 << 23) - 1;
}

static KetteTensor *
tensor (int rank, const int64_t *dims, float scale)
{
  KetteTensor *t = kette_tensor_new (KT_F32, dims, (guint) rank, NULL);

  for (size_t i = 0; i < t->count; i++)
    ((float *) t->data)[i] = scale * number ();
  return t;
}

/* A constant of random numbers that gives sums of about 1. */
static KetteValue *
weights (KetteGraph *graph, int rank, const int64_t *dims)
{
  float fan                 = 1;
  g_autoptr (KetteTensor) t = NULL;

  for (int d = 1; d < rank; d++)
    fan *= (float) dims[d];
  t = tensor (rank, dims, rank > 1 ? 2 / sqrtf (fan) : 1);
  return _kette_graph_add_constant (graph, NULL, t, NULL);
}

static KetteValue *
shape_of (KetteGraph *graph, const int64_t *dims)
{
  g_autoptr (KetteTensor) t = tensor_i64 (4, dims);

  return _kette_graph_add_constant (graph, NULL, t, NULL);
}

static KetteValue *
node (KetteGraph *graph, const char *domain, const char *op, KetteValue *const *in, int n,
      const kt_attr *attrs, int n_attrs)
{
  KetteValue *y = _kette_graph_add_value (graph, NULL, NULL);
  GError *error = NULL;

  g_assert_nonnull (_kette_graph_add_node (graph, "", domain, op, *domain ? 1 : 18, in, n,
                                           &y, 1, attrs, n_attrs, &error));
  g_assert_no_error (error);
  return y;
}

static kt_attr
pair (const char *name, const int64_t *v, size_t n)
{
  return (kt_attr){ .name = name, .kind = KT_A_INTS, .v = v, .n = n };
}

/* dY of the gradient operators: an input of the graph. */
static KetteValue *
second_input (KetteGraph *graph, const Case *c, int64_t channels)
{
  int64_t dims[4] = { c->images, channels, 0, 0 };

  for (int d = 0; d < 2; d++)
    dims[d + 2]
        = (c->size + d + 2 * c->pad - (c->kernel - 1) * c->dilation - 1) / c->stride + 1;
  return graph_input (graph, "dy", KT_F32, 4, dims);
}

static KetteValue *
last (KetteGraph *graph, const Case *c, KetteValue *x)
{
  const int64_t kernel[] = { c->kernel, c->kernel }, stride[] = { c->stride, c->stride },
                dilation[] = { c->dilation, c->dilation },
                pads[]     = { c->pad, c->pad, c->pad, c->pad },
                dims[]     = { c->images, c->channels, c->size, c->size + 1 },
                w[]     = { c->channels, c->channels / c->group, c->kernel, c->kernel };
  const kt_attr attrs[] = { pair ("kernel_shape", kernel, 2),
                            pair ("strides", stride, 2),
                            pair ("pads", pads, 4),
                            pair ("dilations", dilation, 2),
                            { .name = "group", .kind = KT_A_INT, .i = c->group } };
  KetteValue *in[3]     = { x };

  if (strncmp (c->op, "ConvAdd", 7) == 0 || strcmp (c->op, "Conv") == 0
      || strcmp (c->op, "ConvRelu") == 0)
    {
      in[1]         = weights (graph, 4, w);
      in[2]         = weights (graph, 1, w);
      KetteValue *y = node (graph, "", "Conv", in, 3, attrs, 5);
      if (!c->op[4])
        return y;
      if (strcmp (c->op, "ConvRelu") == 0)
        y = graph_node (graph, "", "Relu", y, NULL);
      if (strcmp (c->op, "ConvAddRelu") == 0)
        y = graph_node (graph, "", "Relu", graph_node (graph, "", "Add", y, x), NULL);
      if (strcmp (c->op, "ConvAdd") != 0)
        return node (graph, "", "Conv", (KetteValue *[]){ y, in[1], in[2] }, 3, attrs, 5);
      /* Summands: what the convolution reads, and something that ends there. */
      y = graph_node (graph, "", "Add", y, x);
      y = node (graph, "", "Conv", (KetteValue *[]){ y, in[1], in[2] }, 3, attrs, 5);
      return graph_node (graph, "", "Add", second_input (graph, c, c->channels), y);
    }
  if (strcmp (c->op, "ConvFed") == 0)
    { /* weights and bias are no constants */
      in[1] = graph_input (graph, "w", KT_F32, 4, w);
      in[2] = graph_input (graph, "b", KT_F32, 1, w);
      return node (graph, "", "Conv", in, 3, attrs, 5);
    }
  if (strcmp (c->op, "ConvTwice") == 0)
    { /* through twice as many channels */
      const int64_t out[]  = { 2 * w[0], w[1], w[2], w[3] },
                    back[] = { w[0], 2 * w[1], w[2], w[3] };
      in[1]                = weights (graph, 4, out);
      in[2]                = weights (graph, 1, out);
      in[0]                = node (graph, "", "Conv", in, 3, attrs, 5);
      in[1]                = weights (graph, 4, back);
      in[2]                = weights (graph, 1, back);
      return node (graph, "", "Conv", in, 3, attrs, 5);
    }
  if (strncmp (c->op, "ConvGrad", 8) == 0)
    {
      in[c->op[8] == 'W'] = second_input (graph, c, c->channels);
      in[1]               = c->op[8] == 'W' ? in[1] : weights (graph, 4, w);
      in[2]               = shape_of (graph, c->op[8] == 'W' ? w : dims);
      return node (graph, "kette", c->op, in, 3, attrs, 5);
    }
  if (strcmp (c->op, "Concat") == 0)
    {
      const kt_attr axis = { .name = "axis", .kind = KT_A_INT, .i = -3 };
      in[1]              = graph_node (graph, "", "Abs", x, NULL);
      in[2]              = node (graph, "", "Concat", in, 2, &axis, 1);
      return node (graph, "", "Concat", (KetteValue *[]){ in[2], x, in[1] }, 3, &axis, 1);
    }
  if (strcmp (c->op, "MaxPoolGrad") == 0)
    in[1] = second_input (graph, c, c->channels);
  if (strcmp (c->op, "AveragePoolGrad") == 0)
    {
      in[0] = node (graph, "", "AveragePool", in, 1, attrs, 3);
      in[1] = shape_of (graph, dims);
    }
  return node (graph, c->domain, c->op, in, in[1] ? 2 : 1, attrs,
               !c->kernel                           ? 0
               : strcmp (c->op, "AveragePool") == 0 ? 3
                                                    : 4);
}

static KetteGraph *
graph_of (const Case *c)
{
  KetteGraph *graph   = graph_new (18);
  const int64_t x[]   = { c->images, c->x, c->size, c->size + 1 },
                w[]   = { c->channels, c->x, 3, 3 };
  const int64_t one[] = { 1, 1, 1, 1 };
  const kt_attr pads  = pair ("pads", one, 4);

  g_assert_true (_kette_model_set_opset (graph->model, "kette", 1, NULL));
  KetteValue *in[] = { graph_input (graph, "x", KT_F32, 4, x), weights (graph, 4, w) };
  KetteValue *h    = node (graph, "", "Conv", in, 2, &pads, 1);

  h = graph_node (graph, "", "Relu", h, NULL);
  h = last (graph, c, h);
  h = graph_node (graph, "", "Add", h, h);
  g_assert_true (_kette_graph_add_output (graph, h, NULL));
  return graph;
}

static KetteTensor *
run (KetteGraph *graph, gboolean in_rows, int threads)
{
  const KetteSessionOptions options
      = { .struct_size = sizeof options, .in_rows = in_rows };
  GError *error                    = NULL;
  g_autoptr (KetteSession) session = _kette_session_new_full (graph, &options, &error);
  KetteTensor *in[3] = { NULL }, *y = NULL;

  g_assert_no_error (error);
  g_assert_cmpuint (graph->n_inputs, <=, G_N_ELEMENTS (in));
  _kette_pool_set_threads (threads);
  state = 7;
  for (size_t i = 0; i < graph->n_inputs; i++)
    in[i] = tensor (graph->inputs[i]->type.ndim, graph->inputs[i]->type.dims, 1);
  if (isnan (unknown))
    ((float *) in[0]->data)[in[0]->count / 3] = unknown;
  g_assert_true (kette_session_run (session, in, &y, NULL, &error));
  g_assert_no_error (error);
  for (size_t i = 0; i < graph->n_inputs; i++)
    kette_tensor_unref (in[i]);
  _kette_pool_set_threads (0);
  return y;
}

/* |a - b| <= 1e-5 times the largest |b|: both are sums of at most some thousand floats. NaN is where
 * it must be. */
static void
compare (const KetteTensor *a, const KetteTensor *b)
{
  const float *p = a->data, *q = b->data;
  float most = 0;

  g_assert_cmpuint (a->count, ==, b->count);
  for (size_t i = 0; i < b->count; i++)
    most = fmaxf (most, fabsf (q[i]));
  g_assert_cmpfloat (most, >, 0);
  for (size_t i = 0; i < b->count; i++)
    if (isnan (q[i]))
      g_assert_true (isnan (p[i]));
    else
      g_assert_cmpfloat (fabsf (p[i] - q[i]), <=, 1e-5f * most);
}

/* GRAPH in blocks against rows, and the same bits with any number of threads. */
static void
check (KetteGraph *graph)
{
  g_autoptr (KetteTensor) rows = run (graph, TRUE, 1), one = run (graph, FALSE, 1);

  compare (one, rows);
  for (int threads = 2; threads <= 8; threads += threads == 3 ? 5 : 1)
    {
      g_autoptr (KetteTensor) many = run (graph, FALSE, threads);
      g_assert_cmpmem (one->data, one->bytes, many->data, many->bytes);
    }
}

static void
test_case (gconstpointer data)
{
  const Case *c                = data;
  g_autoptr (KetteGraph) graph = (state = 3, graph_of (c));

  unknown = strstr (c->name, "nan") ? NAN : 0;
  check (graph);
}

/* ReduceMean of what a convolution leaves in blocks: over all places it takes them as they
 * are. */
typedef struct
{
  const char *name;
  int32_t opset; /* before 18 axes are an attribute */
  int64_t n_axes, axes[4], keepdims, noop;
  gboolean as_they_are;
} Mean;

static void
test_mean (gconstpointer data)
{
  const Mean *c                = data;
  g_autoptr (KetteGraph) graph = (state = 3, graph_new (c->opset));
  const int64_t x[] = { 2, 3, 9, 10 }, w[] = { 32, 3, 3, 3 };
  const kt_attr attrs[] = { { .name = "keepdims", .kind = KT_A_INT, .i = c->keepdims },
                            c->opset < 18 ? pair ("axes", c->axes, (size_t) c->n_axes)
                                          : (kt_attr){ .name = "noop_with_empty_axes",
                                                       .kind = KT_A_INT,
                                                       .i    = c->noop } };
  g_autoptr (KetteTensor) axes  = tensor_i64 ((size_t) c->n_axes, c->axes);
  const KetteSessionOptions all = { .struct_size = sizeof all };
  GError *error                 = NULL;
  KetteValue *in[] = { graph_input (graph, "x", KT_F32, 4, x), weights (graph, 4, w) };
  KetteValue *h    = node (graph, "", "Conv", in, 2, NULL, 0), *y;

  in[0] = graph_node (graph, "", "Relu", h, NULL);
  in[1] = _kette_graph_add_constant (graph, NULL, axes, NULL);
  y     = _kette_graph_add_value (graph, NULL, NULL);
  g_assert_nonnull (_kette_graph_add_node (graph, "", "", "ReduceMean", c->opset, in,
                                           c->opset < 18 ? 1 : 2, &y, 1, attrs, 2,
                                           &error));
  g_assert_true (
      _kette_graph_add_output (graph, graph_node (graph, "", "Abs", y, NULL), NULL));
  check (graph);

  g_autoptr (KetteSession) session = _kette_session_new_full (graph, &all, &error);
  g_autofree char *text
      = _kette_session_plan_text (session, &graph->inputs[0]->type, &error);
  g_assert_no_error (error);
  g_assert_cmpint (strstr (text, "Reorder") == NULL, ==, c->as_they_are);
}

static const Mean means[] = {
  { "places", 18, 2, { 2, 3 }, 1, 0, TRUE },
  { "places-dropped", 18, 2, { -1, -2 }, 0, 0, TRUE },
  { "places-attribute", 13, 2, { -1, 2 }, 1, 0, TRUE },
  { "places-attribute-dropped", 11, 2, { 2, 3 }, 0, 0, TRUE },
  { "one-axis", 18, 1, { 3 }, 1, 0, FALSE },
  { "channels-too", 18, 3, { 1, 2, 3 }, 0, 0, FALSE },
  { "channels", 18, 2, { 1, 2 }, 1, 0, FALSE },
  { "all", 18, 0, { 0 }, 1, 0, FALSE },
  { "none", 18, 0, { 0 }, 1, 1, FALSE },
};

static const Case cases[] = {
  { "relu", 2, 16, 32, 5, "", "Relu", 0, 1, 0, 1, 1 },
  { "first", 1, 3, 16, 9, "", "Relu", 0, 1, 0, 1, 1 },
  { "conv", 1, 16, 32, 7, "", "Conv", 3, 1, 1, 1, 1 },
  { "conv-many", 6, 16, 128, 9, "", "Conv", 3, 1, 1, 1, 1 },
  { "conv-split", 1, 16, 256, 9, "", "Conv", 3, 1, 1, 1, 1 },
  { "conv-bands", 1, 16, 64, 16, "", "Conv", 3, 1, 1, 1, 1 },
  { "conv-bands-unpadded", 1, 16, 64, 18, "", "Conv", 3, 1, 0, 1, 1 },
  { "conv-add", 2, 16, 32, 9, "", "ConvAdd", 3, 1, 1, 1, 1 },
  { "conv-add-1x1", 1, 16, 256, 14, "", "ConvAdd", 1, 1, 0, 1, 1 },
  { "conv-add-bands", 1, 16, 64, 16, "", "ConvAdd", 3, 1, 1, 1, 1 },
  { "conv-add-split", 1, 16, 256, 9, "", "ConvAdd", 3, 1, 1, 1, 1 },
  { "conv-add-8", 2, 8, 24, 9, "", "ConvAdd", 3, 1, 1, 1, 1 },
  { "conv-twice-24", 1, 8, 24, 28, "", "ConvTwice", 3, 1, 1, 1, 1 },
  { "conv-twice-24-many", 5, 8, 24, 12, "", "ConvTwice", 1, 1, 0, 1, 1 },
  { "conv-1x1", 3, 16, 64, 6, "", "Conv", 1, 2, 0, 1, 1 },
  { "pixels", 1, 16, 32, 20, "", "Conv", 1, 1, 0, 1, 1 },
  { "pixels-narrow", 2, 16, 48, 13, "", "Conv", 1, 1, 0, 1, 1 },
  { "pixels-strided", 1, 16, 64, 28, "", "Conv", 1, 2, 0, 1, 1 },
  { "pixels-add", 1, 16, 64, 28, "", "ConvAdd", 1, 1, 0, 1, 1 },
  { "pixels-relu", 2, 16, 64, 13, "", "ConvRelu", 1, 1, 0, 1, 1 },
  { "pixels-relu-40", 2, 8, 40, 13, "", "ConvRelu", 1, 1, 0, 1, 1 },
  { "pixels-relu-nan", 1, 3, 48, 14, "", "ConvRelu", 1, 1, 0, 1, 1 },
  { "pixels-add-relu", 1, 16, 64, 28, "", "ConvAddRelu", 1, 1, 0, 1, 1 },
  { "pixels-add-relu-96", 1, 16, 96, 14, "", "ConvAddRelu", 1, 1, 0, 1, 1 },
  { "pixels-add-relu-nan", 1, 3, 64, 14, "", "ConvAddRelu", 1, 1, 0, 1, 1 },
  { "pixels-add-relu-24-nan", 1, 3, 24, 14, "", "ConvAddRelu", 1, 1, 0, 1, 1 },
  { "conv-add-relu", 1, 16, 64, 16, "", "ConvAddRelu", 3, 1, 1, 1, 1 },
  { "pixels-add-40", 3, 8, 40, 9, "", "ConvAdd", 1, 1, 0, 1, 1 },
  { "pixels-twice-24", 1, 8, 24, 28, "", "ConvTwice", 1, 1, 0, 1, 1 },
  { "pixels-twice-strided-24", 2, 8, 24, 21, "", "ConvTwice", 1, 2, 0, 1, 1 },
  { "pixels-fed", 2, 16, 32, 20, "", "ConvFed", 1, 1, 0, 1, 1 },
  { "pixels-fed-24", 2, 16, 24, 9, "", "ConvFed", 1, 1, 0, 1, 1 },
  { "conv-dilated", 1, 16, 32, 9, "", "Conv", 3, 1, 2, 1, 2 },
  { "conv-groups", 2, 16, 64, 7, "", "Conv", 3, 1, 1, 4, 1 },
  { "conv-depthwise", 2, 16, 64, 8, "", "Conv", 3, 2, 1, 64, 1 },
  { "conv-8", 2, 8, 24, 7, "", "Conv", 3, 1, 1, 1, 1 },
  { "conv-40", 1, 16, 40, 6, "", "Conv", 1, 1, 0, 1, 1 },
  { "conv-depthwise-24", 2, 16, 24, 8, "", "Conv", 3, 1, 1, 24, 1 },
  { "grad-x", 4, 16, 32, 7, "kette", "ConvGradX", 3, 1, 1, 1, 1 },
  { "grad-x-split", 1, 16, 256, 9, "kette", "ConvGradX", 3, 1, 1, 1, 1 },
  { "grad-x-pixels", 2, 16, 32, 20, "kette", "ConvGradX", 1, 1, 0, 1, 1 },
  { "grad-x-pixels-24", 2, 16, 24, 9, "kette", "ConvGradX", 1, 1, 0, 1, 1 },
  { "grad-x-groups", 2, 16, 64, 7, "kette", "ConvGradX", 3, 2, 1, 4, 1 },
  { "grad-x-depthwise", 2, 16, 64, 7, "kette", "ConvGradX", 3, 2, 1, 64, 1 },
  { "grad-w", 4, 16, 32, 7, "kette", "ConvGradW", 3, 1, 1, 1, 1 },
  { "grad-w-parts", 8, 16, 128, 9, "kette", "ConvGradW", 3, 1, 1, 1, 1 },
  { "grad-w-groups", 2, 16, 64, 7, "kette", "ConvGradW", 3, 2, 1, 4, 1 },
  { "grad-w-depthwise", 2, 16, 64, 7, "kette", "ConvGradW", 3, 2, 1, 64, 1 },
  { "concat", 2, 16, 32, 7, "", "Concat", 0, 1, 0, 1, 1 },
  { "concat-8", 2, 16, 24, 7, "", "Concat", 0, 1, 0, 1, 1 },
  { "max-pool", 2, 16, 32, 9, "", "MaxPool", 3, 2, 1, 1, 1 },
  { "max-pool-dilated", 1, 16, 48, 9, "", "MaxPool", 3, 1, 1, 1, 2 },
  { "max-pool-halves", 1, 3, 64, 25, "", "MaxPool", 2, 2, 0, 1, 1 },
  { "average-pool-halves", 1, 3, 64, 27, "", "AveragePool", 3, 2, 1, 1, 1 },
  { "max-pool-24", 2, 16, 24, 9, "", "MaxPool", 2, 2, 0, 1, 1 },
  { "average-pool", 2, 16, 32, 9, "", "AveragePool", 3, 2, 1, 1, 1 },
  { "global-average-pool", 2, 16, 32, 9, "", "GlobalAveragePool", 0, 1, 0, 1, 1 },
  { "max-pool-grad", 2, 16, 32, 9, "kette", "MaxPoolGrad", 3, 2, 1, 1, 1 },
  { "average-pool-grad", 2, 16, 32, 9, "kette", "AveragePoolGrad", 3, 2, 1, 1, 1 },
};

int
main (int argc, char **argv)
{
  const KetteFamily *conv;

  g_test_init (&argc, &argv, NULL);
  g_assert_nonnull (kette_plugins_get (NULL));
  conv = _kette_registry_family ("", "Conv");
  g_assert_nonnull (conv);
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/blocks/%s", cases[i].name);
      if (conv->kernels[0]->kernel.layout)
        g_test_add_data_func (path, &cases[i], test_case);
    }
  for (size_t i = 0; i < G_N_ELEMENTS (means); i++)
    {
      g_autofree char *path = g_strdup_printf ("/blocks/mean/%s", means[i].name);
      if (conv->kernels[0]->kernel.layout)
        g_test_add_data_func (path, &means[i], test_mean);
    }
  return g_test_run ();
}
