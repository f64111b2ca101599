/* SPDX-License-Identifier: Apache-2.0
 * Operators that move and index, at sizes that several threads share: against a walk of one
 * element after the other, to the bit, with 1, 2, 3 and 8 threads.
 */
#include "base/pool.h"
#include "graphs.h"
#include <string.h>

typedef struct Case Case;

struct Case
{
  const char *name, *domain, *op;
  kt_attr attr[2];
  int64_t x[5], at[5], u[5]; /* shapes: rank, dims; rank 0: no such input */
  int64_t range;             /* of the indices; 0: they are given */
  const int64_t *given;
  /* Y from the three inputs */
  void (*expect) (const Case *c, const float *x, const int64_t *at, const float *u,
                  float *y);
};

static guint32 state;

static guint32
number (void)
{
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

static int64_t
count (const int64_t *shape)
{
  int64_t n = 1;

  for (int64_t d = 1; d <= shape[0]; d++)
    n *= shape[d];
  return n;
}

/* -- what is to come out ------------------------------------------------------------------ */

/* x [n,m], indices [k,1], u [k,m]: rows are added. */
static void
add_rows (const Case *c, const float *x, const int64_t *at, const float *u, float *y)
{
  const int64_t m = c->x[2], k = c->at[1];

  memcpy (y, x, (size_t) count (c->x) * sizeof *x);
  for (int64_t i = 0; i < k; i++)
    for (int64_t j = 0; j < m; j++)
      y[(at[i] < 0 ? at[i] + c->range : at[i]) * m + j] += u[i * m + j];
}

/* The same into zeros: GatherGrad (dy [k,m], indices [k], shape). */
static void
add_to_zeros (const Case *c, const float *x, const int64_t *at, const float *u, float *y)
{
  const int64_t m = c->x[2], k = c->at[1];

  memset (y, 0, (size_t) (c->range * m) * sizeof *y);
  for (int64_t i = 0; i < k; i++)
    for (int64_t j = 0; j < m; j++)
      y[(at[i] < 0 ? at[i] + c->range : at[i]) * m + j] += x[i * m + j];
}

static void
put_rows (const Case *c, const float *x, const int64_t *at, const float *u, float *y)
{
  const int64_t m = c->x[2], k = c->at[1];

  memcpy (y, x, (size_t) count (c->x) * sizeof *x);
  for (int64_t i = 0; i < k; i++)
    memcpy (y + (at[i] < 0 ? at[i] + c->range : at[i]) * m, u + i * m,
            (size_t) m * sizeof *y);
}

static void
take_rows (const Case *c, const float *x, const int64_t *at, const float *u, float *y)
{
  const int64_t m = c->x[2], k = c->at[1];

  for (int64_t i = 0; i < k; i++)
    memcpy (y + i * m, x + (at[i] < 0 ? at[i] + c->range : at[i]) * m,
            (size_t) m * sizeof *y);
}

/* x [n,m], indices [k]: columns. */
static void
take_columns (const Case *c, const float *x, const int64_t *at, const float *u, float *y)
{
  const int64_t n = c->x[1], m = c->x[2], k = c->at[1];

  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < k; j++)
      y[i * k + j] = x[i * m + (at[j] < 0 ? at[j] + m : at[j])];
}

/* Where element (i,j) of the indices [k,l] points to in x [n,m]. */
static int64_t
place (const Case *c, const int64_t *at, int64_t i, int64_t j)
{
  int64_t index = at[i * c->at[2] + j];

  index += index < 0 ? c->range : 0;
  return c->attr[0].i == 0 ? index * c->x[2] + j : i * c->x[2] + index;
}

static void
take_elements (const Case *c, const float *x, const int64_t *at, const float *u, float *y)
{
  for (int64_t i = 0; i < c->at[1]; i++)
    for (int64_t j = 0; j < c->at[2]; j++)
      y[i * c->at[2] + j] = x[place (c, at, i, j)];
}

static void
add_elements (const Case *c, const float *x, const int64_t *at, const float *u, float *y)
{
  memcpy (y, x, (size_t) count (c->x) * sizeof *x);
  for (int64_t i = 0; i < c->at[1]; i++)
    for (int64_t j = 0; j < c->at[2]; j++)
      y[place (c, at, i, j)] += u[i * c->at[2] + j];
}

static void
put_elements (const Case *c, const float *x, const int64_t *at, const float *u, float *y)
{
  memcpy (y, x, (size_t) count (c->x) * sizeof *x);
  for (int64_t i = 0; i < c->at[1]; i++)
    for (int64_t j = 0; j < c->at[2]; j++)
      y[place (c, at, i, j)] = u[i * c->at[2] + j];
}

/* x [a,b,c], pads of the last two; what is not there: 0, or mirrored. */
static void
pad (const Case *c, const float *x, const int64_t *at, const float *u, float *y)
{
  const int64_t *d = c->x, rows = d[2] + at[1] + at[4], columns = d[3] + at[2] + at[5];

  for (int64_t a = 0; a < d[1]; a++)
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < columns; j++)
        {
          int64_t from[] = { i - at[1], j - at[2] };
          gboolean there = TRUE;
          for (int k = 0; k < 2; k++)
            {
              const int64_t n = d[2 + k];
              there           = there && from[k] >= 0 && from[k] < n;
              from[k]         = ABS (from[k]);
              from[k]         = from[k] >= n ? 2 * (n - 1) - from[k] : from[k];
            }
          *y++ = there || c->attr[0].v ? x[(a * d[2] + from[0]) * d[3] + from[1]] : 0;
        }
}

/* x [n,m]: the k largest of each row, found one after the other. */
static void
largest (const Case *c, const float *x, const int64_t *at, const float *u, float *y)
{
  const int64_t m      = c->x[2];
  g_autofree char *out = g_malloc ((gsize) m);

  for (int64_t i = 0; i < c->x[1]; i++, x += m)
    {
      memset (out, 0, (size_t) m);
      for (int64_t k = 0; k < at[0]; k++)
        {
          int64_t best = -1;
          for (int64_t j = 0; j < m; j++)
            best = !out[j] && (best < 0 || x[j] > x[best]) ? j : best;
          out[best] = 1;
          *y++      = x[best];
        }
    }
}

/* [n, c b b, h, w] and [n, c, h b, w b], mode DCR, b = 2. */
static void
blocks (const Case *c, const float *x, const int64_t *at, const float *u, float *y)
{
  const gboolean deep = strcmp (c->op, "DepthToSpace") == 0;
  const int64_t *d = c->x, n = d[1], ch = deep ? d[2] / 4 : d[2],
                h = deep ? d[3] : d[3] / 2, w = deep ? d[4] : d[4] / 2;

  for (int64_t i = 0; i < n * ch * h * 2 * w * 2; i++)
    {
      const int64_t col = i % (2 * w), row = i / (2 * w) % (2 * h), k = i / (4 * w * h);
      const int64_t from
          = (((k / ch * 4 + row % 2 * 2 + col % 2) * ch + k % ch) * h + row / 2) * w
            + col / 2;
      y[deep ? i : from] = x[deep ? from : i];
    }
}

/* -- the runs -------------------------------------------------------------------------------- */

static KetteTensor *
tensor (int dtype, const int64_t *shape)
{
  return kette_tensor_new (dtype, shape + 1, (guint) shape[0], NULL);
}

static KetteGraph *
graph_of (const Case *c, KetteTensor *const in[3])
{
  KetteGraph *graph = graph_new (18);
  KetteValue *x[3] = { NULL }, *y[2] = { NULL };
  const int n_attr = c->attr[1].name ? 2 : c->attr[0].name ? 1 : 0;
  const int n_out  = strcmp (c->op, "TopK") == 0 ? 2 : 1;
  int n            = 0;
  GError *error    = NULL;

  g_assert_true (_kette_model_set_opset (graph->model, "kette", 1, NULL));
  for (; n < 3 && in[n]; n++)
    {
      g_autofree char *name = g_strdup_printf ("x%d", n);
      x[n]                  = in[n]->dtype == KT_I64 && !c->range
                                  ? _kette_graph_add_constant (graph, name, in[n], NULL)
                                  : graph_input (graph, name, in[n]->dtype, in[n]->rank, in[n]->dims);
    }
  if (strcmp (c->op, "GatherGrad") == 0)
    {
      g_autoptr (KetteTensor) shape = tensor_i64 (2, (int64_t[]){ c->range, c->x[2] });
      x[n++] = _kette_graph_add_constant (graph, NULL, shape, NULL);
    }
  for (int i = 0; i < n_out; i++)
    y[i] = _kette_graph_add_value (graph, NULL, NULL);
  _kette_graph_add_node (graph, "", c->domain, c->op, *c->domain ? 1 : 18, x, n, y, n_out,
                         c->attr, n_attr, &error);
  g_assert_no_error (error);
  g_assert_true (_kette_graph_add_output (graph, y[0], NULL));
  return graph;
}

static void
test_case (gconstpointer data)
{
  const Case *c      = data;
  KetteTensor *in[4] = { tensor (KT_F32, c->x) }, *fed[4] = { NULL };
  GError *error                    = NULL;
  g_autoptr (KetteTensor) expected = NULL;
  int n                            = 0;

  state = 5;
  for (size_t i = 0; i < in[0]->count; i++)
    ((float *) in[0]->data)[i] = (float) number () / 65536;
  if (c->at[0])
    in[1] = tensor (KT_I64, c->at);
  for (size_t i = 0; c->at[0] && i < in[1]->count; i++)
    ((int64_t *) in[1]->data)[i]
        = c->range ? number () % (2 * c->range) - c->range : c->given[i];
  if (c->u[0])
    in[2] = tensor (KT_F32, c->u);
  for (size_t i = 0; c->u[0] && i < in[2]->count; i++)
    ((float *) in[2]->data)[i] = (float) number () / 65536;
  for (int i = 0; i < 3; i++)
    if (in[i] && (in[i]->dtype == KT_F32 || c->range))
      fed[n++] = in[i];

  for (int threads = 1; threads <= 8; threads += threads == 3 ? 5 : 1)
    {
      g_autoptr (KetteGraph) graph     = graph_of (c, in);
      g_autoptr (KetteSession) session = NULL;
      g_autoptr (KetteTensor) y        = NULL;

      _kette_pool_set_threads (threads);
      session = kette_session_new (graph, &error);
      g_assert_no_error (error);
      g_assert_true (kette_session_run (session, fed, &y, NULL, &error));
      g_assert_no_error (error);
      if (!expected)
        {
          expected = kette_tensor_new (KT_F32, y->dims, (guint) y->rank, NULL);
          c->expect (c, in[0]->data, in[1] ? in[1]->data : NULL,
                     in[2] ? in[2]->data : NULL, expected->data);
        }
      g_assert_cmpmem (y->data, y->bytes, expected->data, expected->bytes);
    }
  _kette_pool_set_threads (0);
  for (int i = 0; i < 3; i++)
    kette_tensor_unref (in[i]);
}

#define ADD                                                                              \
  {                                                                                      \
    .name = "reduction", .kind = KT_A_STRING, .v = "add", .n = 3                         \
  }
#define AXIS(I)                                                                          \
  {                                                                                      \
    .name = "axis", .kind = KT_A_INT, .i = I                                             \
  }
#define BLOCK                                                                            \
  {                                                                                      \
    {                                                                                    \
      .name = "blocksize", .kind = KT_A_INT, .i = 2                                      \
    }                                                                                    \
  }
#define MIRROR                                                                           \
  {                                                                                      \
    {                                                                                    \
      .name = "mode", .kind = KT_A_STRING, .v = "reflect", .n = 7                        \
    }                                                                                    \
  }

static const int64_t around[] = { 0, 2, 3, 0, 1, 2 }, down[] = { 0, 5, 0, 0, 4, 0 },
                     five[] = { 5 };

static const Case cases[] = {
  { "scatter-nd-rows",
    "",
    "ScatterND",
    { ADD },
    { 2, 500, 100 },
    { 2, 3000, 1 },
    { 2, 3000, 100 },
    500,
    NULL,
    add_rows },
  { "scatter-nd-long",
    "",
    "ScatterND",
    { ADD },
    { 2, 20, 5000 },
    { 2, 300, 1 },
    { 2, 300, 5000 },
    20,
    NULL,
    add_rows },
  { "scatter-nd-single",
    "",
    "ScatterND",
    { ADD },
    { 2, 5000, 1 },
    { 2, 30000, 1 },
    { 2, 30000, 1 },
    5000,
    NULL,
    add_rows },
  { "scatter-nd-narrow",
    "",
    "ScatterND",
    { ADD },
    { 2, 900, 3 },
    { 2, 9000, 1 },
    { 2, 9000, 3 },
    900,
    NULL,
    add_rows },
  { "scatter-nd-put",
    "",
    "ScatterND",
    { { 0 } },
    { 2, 500, 100 },
    { 2, 3000, 1 },
    { 2, 3000, 100 },
    500,
    NULL,
    put_rows },
  { "gather-grad",
    "kette",
    "GatherGrad",
    { AXIS (0) },
    { 2, 3000, 100 },
    { 1, 3000 },
    { 0 },
    500,
    NULL,
    add_to_zeros },
  { "gather-rows",
    "",
    "Gather",
    { AXIS (0) },
    { 2, 500, 100 },
    { 1, 3000 },
    { 0 },
    500,
    NULL,
    take_rows },
  { "gather-columns",
    "",
    "Gather",
    { AXIS (1) },
    { 2, 300, 500 },
    { 1, 800 },
    { 0 },
    500,
    NULL,
    take_columns },
  { "gather-nd",
    "",
    "GatherND",
    { { 0 } },
    { 2, 500, 100 },
    { 2, 3000, 1 },
    { 0 },
    500,
    NULL,
    take_rows },
  { "gather-elements-0",
    "",
    "GatherElements",
    { AXIS (0) },
    { 2, 90, 900 },
    { 2, 200, 800 },
    { 0 },
    90,
    NULL,
    take_elements },
  { "gather-elements-1",
    "",
    "GatherElements",
    { AXIS (1) },
    { 2, 3, 900 },
    { 2, 2, 70000 },
    { 0 },
    900,
    NULL,
    take_elements },
  { "scatter-elements-0",
    "",
    "ScatterElements",
    { AXIS (0), ADD },
    { 2, 90, 900 },
    { 2, 200, 800 },
    { 2, 200, 800 },
    90,
    NULL,
    add_elements },
  { "scatter-elements-1",
    "",
    "ScatterElements",
    { AXIS (1), ADD },
    { 2, 900, 90 },
    { 2, 800, 200 },
    { 2, 800, 200 },
    90,
    NULL,
    add_elements },
  { "scatter-elements-put",
    "",
    "ScatterElements",
    { AXIS (1) },
    { 2, 900, 90 },
    { 2, 800, 200 },
    { 2, 800, 200 },
    90,
    NULL,
    put_elements },
  { "pad", "", "Pad", { { 0 } }, { 3, 200, 40, 50 }, { 1, 6 }, { 0 }, 0, around, pad },
  { "pad-rows", "", "Pad", { { 0 } }, { 3, 20, 400, 50 }, { 1, 6 }, { 0 }, 0, down, pad },
  { "pad-reflect",
    "",
    "Pad",
    MIRROR,
    { 3, 200, 40, 50 },
    { 1, 6 },
    { 0 },
    0,
    around,
    pad },
  { "top-k", "", "TopK", { { 0 } }, { 2, 900, 300 }, { 1, 1 }, { 0 }, 0, five, largest },
  { "depth-to-space",
    "",
    "DepthToSpace",
    BLOCK,
    { 4, 3, 48, 30, 40 },
    { 0 },
    { 0 },
    0,
    NULL,
    blocks },
  { "space-to-depth",
    "",
    "SpaceToDepth",
    BLOCK,
    { 4, 3, 12, 60, 80 },
    { 0 },
    { 0 },
    0,
    NULL,
    blocks },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_nonnull (kette_plugins_get (NULL));
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/move/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_case);
    }
  return g_test_run ();
}
