/* SPDX-License-Identifier: Apache-2.0
 * Chains: what is fused has the bits of what is not, for any number of threads, in random
 * graphs of elementwise nodes, products and states; and it reports the same errors.
 */
#include "base/pool.h"
#include "exec/plan.h"
#include "product.h"

enum
{
  MOST_VALUES = 64,
  MOST_STATES = 4
};

typedef struct
{
  KetteGraph *graph;
  KetteValue *values[MOST_VALUES], *inputs[3], *states[MOST_STATES];
  KetteBinding updates[MOST_STATES];
  int n_values, n_inputs, n_states, n_updates;
  int64_t dims[3];
} Made;

static guint32 seed;

static guint32
below (guint32 n)
{
  seed = seed * 1664525 + 1013904223;
  return (seed >> 8) % n;
}

static KetteTensor *
random_tensor (int rank, const int64_t *dims)
{
  KetteTensor *t = kette_tensor_new (KT_F32, dims, (guint) rank, NULL);

  for (size_t i = 0; i < t->count; i++)
    ((float *) t->data)[i] = (float) below (4001) / 2000 - 1;
  return t;
}

static KetteValue *
initializer (Made *m, const char *name, int rank, const int64_t *dims)
{
  g_autoptr (KetteTensor) t = random_tensor (rank, dims);
  KetteValue *v             = _kette_graph_add_constant (m->graph, name, t, NULL);

  v->flags |= KETTE_VALUE_INITIALIZER;
  return v;
}

static void
add (Made *m, KetteValue *value)
{
  if (m->n_values < MOST_VALUES)
    m->values[m->n_values++] = value;
}

/* Operands of the full shape, of parts of it, and states. */
static void
add_sources (Made *m)
{
  const int64_t *d = m->dims;

  for (int i = 0; i < 3; i++)
    {
      char name[8];
      g_snprintf (name, sizeof name, "x%d", i);
      m->inputs[m->n_inputs++]
          = graph_input (m->graph, name, KT_F32, i == 2 ? 1 : 3, i == 2 ? d + 2 : d);
      add (m, m->inputs[i]);
    }
  add (m, initializer (m, "row", 1, d + 2));
  add (m, initializer (m, "middle", 3, (const int64_t[]){ 1, d[1], 1 }));
  add (m, initializer (m, "one", 0, NULL));
  add (m, initializer (m, "left", 3, (const int64_t[]){ d[0], 1, 1 }));
  for (int i = 0; i < MOST_STATES; i++)
    {
      char name[8];
      g_snprintf (name, sizeof name, "w%d", i);
      m->states[m->n_states++] = initializer (m, name, 3, d);
      add (m, m->states[i]);
    }
}

static KetteValue *
node_of (Made *m, const char *domain, const char *op, KetteValue *a, KetteValue *b,
         KetteValue *c)
{
  KetteValue *in[] = { a, b, c }, *out = _kette_graph_add_value (m->graph, NULL, NULL);
  GError *error = NULL;

  _kette_graph_add_node (m->graph, "", domain, op, *domain ? 1 : 18, in,
                         c   ? 3
                         : b ? 2
                             : 1,
                         &out, 1, NULL, 0, &error);
  g_assert_no_error (error);
  return out;
}

static KetteValue *
any (Made *m)
{
  /* Mostly something recent. */
  return m->values[below (3) ? m->n_values - 1 - (int) below (MIN (6, m->n_values))
                             : (int) below (m->n_values)];
}

/* BatchNormalization with constants or states for what it needs per channel. */
static KetteValue *
normalized (Made *m)
{
  KetteValue *in[5], *out = _kette_graph_add_value (m->graph, NULL, NULL);
  GError *error = NULL;
  char name[16];

  in[0] = node_of (m, "", "Add", any (m), m->inputs[0], NULL);
  for (int i = 1; i < 5; i++)
    {
      g_snprintf (name, sizeof name, "n%d-%d", m->n_values, i);
      in[i] = initializer (m, name, 1, m->dims + 1);
      for (size_t k = 0; i == 4 && k < in[i]->data->count; k++)
        ((float *) in[i]->data->data)[k] += 2;
    }
  _kette_graph_add_node (m->graph, "", "", "BatchNormalization", 18, in, 5, &out, 1, NULL,
                         0, &error);
  g_assert_no_error (error);
  return out;
}

static void
add_random_node (Made *m)
{
  static const char *const one[]
      = { "Neg",       "Abs",      "Relu",      "Sigmoid", "Tanh",
          "Exp",       "Identity", "LeakyRelu", "Elu",     "HardSigmoid",
          "HardSwish", "Softplus", "Erf",       "Floor",   "Clip" };
  static const char *const two[] = { "Add", "Sub", "Mul", "Max", "Min" };

  switch (below (9))
    {
    case 0:
    case 1:
      add (m, node_of (m, "", one[below (G_N_ELEMENTS (one))], any (m), NULL, NULL));
      break;
    case 2:
      add (m, node_of (m, "test", "Product", any (m), NULL, NULL));
      break;
    case 8:
      add (m, normalized (m));
      break;
    case 3:
      {
        KetteValue *greater = node_of (m, "", "Greater", any (m), any (m), NULL);
        add (m, node_of (m, "", "Where", greater, any (m), any (m)));
        break;
      }
    default:
      add (m, node_of (m, "", two[below (G_N_ELEMENTS (two))], any (m), any (m), NULL));
    }
}

/* A state becomes what was computed, or is moved by it. */
static void
add_updates (Made *m, KetteValue *rate)
{
  for (int i = 0; i < m->n_states; i++)
    {
      KetteValue *full = node_of (m, "", "Add", any (m), m->inputs[0], NULL), *value;
      switch (below (4))
        {
        case 0:
          continue;
        case 1:
          value = node_of (m, "", "Mul", full, m->states[i], NULL);
          break;
        case 2:
          full  = node_of (m, "test", "Product", full, NULL, NULL);
          value = node_of (m, "kette", "SGD", rate, m->states[i], full);
          break;
        default:
          value = node_of (m, "kette", "SGD", rate, m->states[i], full);
        }
      m->updates[m->n_updates++] = (KetteBinding){ m->states[i], value };
    }
}

static void
make (Made *m, guint32 number)
{
  static const int64_t sizes[][3]
      = { { 2, 3, 5 }, { 1, 1, 1 }, { 7, 16, 64 }, { 30, 40, 70 }, { 1, 4, 9 } };

  *m   = (Made){ .graph = graph_new (18) };
  seed = number * 7919 + 1;
  memcpy (m->dims, sizes[number % G_N_ELEMENTS (sizes)], sizeof m->dims);
  add_sources (m);
  for (int i = 4 + (int) below (24); i > 0; i--)
    add_random_node (m);
  for (int i = 1 + (int) below (3); i > 0; i--)
    {
      KetteValue *v = any (m);
      if (v->producer && !(v->flags & KETTE_VALUE_OUTPUT))
        g_assert_true (_kette_graph_add_output (m->graph, v, NULL));
    }
  g_assert_true (_kette_graph_add_output (
      m->graph, node_of (m, "", "Neg", m->values[m->n_values - 1], NULL, NULL), NULL));
  add_updates (m, m->values[5]);
  for (int i = 0; i < m->n_updates; i++)
    g_assert_true (_kette_graph_add_output (m->graph, m->updates[i].value, NULL));
  g_assert_true (_kette_graph_make_live (m->graph, NULL));
}

static KetteSession *
session_of (Made *m, gboolean unfused)
{
  const KetteSessionOptions options = { .struct_size = sizeof options,
                                        .live        = TRUE,
                                        .updates     = m->updates,
                                        .n_updates   = (size_t) m->n_updates,
                                        .unfused     = unfused };
  GError *error                     = NULL;
  KetteSession *session = _kette_session_new_full (m->graph, &options, &error);

  g_assert_no_error (error);
  return session;
}

/* All bits of the outputs and states after some runs. */
static guint64
bits_of (guint32 number, gboolean unfused, KettePlanInfo *info)
{
  Made m;
  guint64 hash = 14695981039346656037u;
  kt_type types[3];
  GError *error = NULL;

  make (&m, number);
  g_autoptr (KetteSession) session = session_of (&m, unfused);
  for (int i = 0; i < 3; i++)
    types[i] = (kt_type){ .kind  = KT_TENSOR,
                          .dtype = KT_F32,
                          .ndim  = i == 2 ? 1 : 3,
                          .dims  = i == 2 ? m.dims + 2 : m.dims };
  g_assert_true (_kette_session_plan_info (session, types, info, &error));
  for (int step = 0; step < 3; step++)
    {
      KetteTensor *in[3], *out[MOST_VALUES] = { NULL };
      for (int i = 0; i < 3; i++)
        in[i] = random_tensor (i == 2 ? 1 : 3, i == 2 ? m.dims + 2 : m.dims);
      g_assert_true (kette_session_run (session, in, out, NULL, &error));
      g_assert_no_error (error);
      for (int i = 0; i < 3; i++)
        kette_tensor_unref (in[i]);
      for (size_t o = 0; out[o]; o++)
        {
          for (size_t i = 0; i < out[o]->bytes; i++)
            hash = (hash ^ ((const uint8_t *) out[o]->data)[i]) * 1099511628211u;
          kette_tensor_unref (out[o]);
        }
    }
  for (int s = 0; s < m.n_states; s++)
    for (size_t i = 0; i < m.states[s]->data->bytes; i++)
      hash = (hash ^ ((const uint8_t *) m.states[s]->data->data)[i]) * 1099511628211u;
  kette_graph_unref (m.graph);
  return hash;
}

static void
test_random (void)
{
  static const int threads[] = { 1, 2, 3, 8 };
  const guint32 n            = g_test_slow () ? 2000 : 150;
  size_t fused = 0, chains = 0, absorbed = 0;
  KettePlanInfo info;

  for (guint32 number = 0; number < n; number++)
    {
      _kette_pool_set_threads (1);
      const guint64 plain = bits_of (number, TRUE, &info);
      g_assert_cmpuint (info.n_chains + info.n_fused + info.n_absorbed, ==, 0);
      for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
        {
          absorb_most = (int) (number + i) % 4;
          _kette_pool_set_threads (threads[i]);
          const guint64 other = bits_of (number, FALSE, &info);
          if (plain != other)
            g_error ("graph %u, %d threads, %d absorbed at most: other bits", number,
                     threads[i], absorb_most);
          fused += info.n_fused;
          chains += info.n_chains;
          absorbed += info.n_absorbed;
        }
    }
  g_test_message ("%zu nodes in %zu chains, %zu absorbed", fused, chains, absorbed);
  g_assert_cmpuint (chains, >, 3 * n);
  g_assert_cmpuint (fused, >, 3 * chains);
  g_assert_cmpuint (absorbed, >, n);
}

/* -- errors ------------------------------------------------------------------------------- */

/* x -> Abs -> Div by a -> Neg -> Div by b -> Neg, of integers. */
static KetteGraph *
divisions (const int64_t *dims)
{
  KetteGraph *graph = graph_new (18);
  KetteValue *in[3];

  for (int i = 0; i < 3; i++)
    in[i] = graph_input (graph, (const char *[]){ "x", "a", "b" }[i], KT_I64, 2, dims);
  KetteValue *v = graph_node (graph, "", "Abs", in[0], NULL);
  v             = graph_node (graph, "", "Div", v, in[1]);
  v             = graph_node (graph, "", "Neg", v, NULL);
  v             = graph_node (graph, "", "Div", v, in[2]);
  g_assert_true (
      _kette_graph_add_output (graph, graph_node (graph, "", "Neg", v, NULL), NULL));
  return graph;
}

/* The same error as node by node: the first node's that fails, and there the first place. */
static void
test_errors (void)
{
  const int64_t dims[]         = { 300, 1000 };
  g_autoptr (KetteGraph) graph = divisions (dims);
  g_autofree char *expected    = NULL;
  KetteTensor *in[3];

  for (int i = 0; i < 3; i++)
    {
      in[i] = kette_tensor_new (KT_I64, dims, 2, NULL);
      for (size_t k = 0; k < in[i]->count; k++)
        ((int64_t *) in[i]->data)[k] = (int64_t) k % 97 + 1;
    }
  ((int64_t *) in[1]->data)[299999] = 0;
  ((int64_t *) in[1]->data)[254321] = 0;
  ((int64_t *) in[2]->data)[7]      = 0; /* earlier in memory, later in the graph */
  for (int threads = 1; threads <= 8; threads++)
    for (int unfused = 1; unfused >= 0; unfused--)
      {
        g_autoptr (GError) error         = NULL;
        KetteTensor *out                 = NULL;
        g_autoptr (KetteSession) session = kette_session_new_with_flags (
            graph, unfused ? KETTE_SESSION_NO_FUSION : 0, &error);
        _kette_pool_set_threads (threads);
        g_assert_false (kette_session_run (session, in, &out, NULL, &error));
        if (!expected)
          expected = g_strdup (error->message);
        g_assert_cmpstr (error->message, ==, expected);
        g_assert_nonnull (strstr (expected, "[254,321]"));
        g_assert_nonnull (strstr (expected, "#1"));
        g_clear_error (&error);
        ((int64_t *) in[1]->data)[299999] = ((int64_t *) in[1]->data)[254321] = 1;
        g_assert_false (kette_session_run (session, in, &out, NULL, &error));
        g_assert_nonnull (strstr (error->message, "[0,7]"));
        g_assert_nonnull (strstr (error->message, "#3"));
        ((int64_t *) in[1]->data)[299999] = ((int64_t *) in[1]->data)[254321] = 0;
      }
  for (int i = 0; i < 3; i++)
    kette_tensor_unref (in[i]);
}

/* -- counts ------------------------------------------------------------------------------- */

static KettePlanInfo
info_of (KetteGraph *graph, const int64_t *dims, int rank, KetteSessionFlags flags)
{
  GError *error                    = NULL;
  g_autoptr (KetteSession) session = kette_session_new_with_flags (graph, flags, &error);
  KettePlanInfo info               = { 0 };
  kt_type types[2];

  for (int i = 0; i < 2; i++)
    types[i]
        = (kt_type){ .kind = KT_TENSOR, .dtype = KT_F32, .ndim = rank, .dims = dims };
  g_assert_no_error (error);
  g_assert_true (_kette_session_plan_info (session, types, &info, &error));
  g_assert_no_error (error);
  return info;
}

static KetteValue *
constant (KetteGraph *graph, const char *name, int rank, const int64_t *dims)
{
  g_autoptr (KetteTensor) t = random_tensor (rank, dims);

  return _kette_graph_add_constant (graph, name, t, NULL);
}

/* What stands behind a convolution: bias, normalisation, activation, residual. */
static void
test_tail (void)
{
  const int64_t dims[] = { 2, 8, 20, 20 }, channels[] = { 8, 1, 1 };
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *x                = graph_input (graph, "x", KT_F32, 4, dims),
             *r                = graph_input (graph, "r", KT_F32, 4, dims);
  KetteValue *v                = graph_node (graph, "test", "Product", x, NULL);

  v = graph_node (graph, "", "Add", v, constant (graph, "bias", 3, channels));
  v = graph_node (graph, "", "Mul", v, constant (graph, "scale", 3, channels));
  v = graph_node (graph, "", "Relu", v, NULL);
  v = graph_node (graph, "", "Add", v, r);
  g_assert_true (
      _kette_graph_add_output (graph, graph_node (graph, "", "Relu", v, NULL), NULL));
  absorb_most                = 0;
  const KettePlanInfo fused  = info_of (graph, dims, 4, 0),
                      single = info_of (graph, dims, 4, KETTE_SESSION_NO_FUSION);
  g_assert_cmpuint (fused.n_chains, ==, 1);
  g_assert_cmpuint (fused.n_fused, ==, 6);
  g_assert_cmpuint (fused.n_steps, ==, 6);
  g_assert_cmpuint (fused.n_in_place, ==, 5);
  g_assert_cmpuint (fused.arena_bytes, ==, 2 * 8 * 20 * 20 * 4);
  g_assert_cmpuint (single.n_chains + single.n_fused, ==, 0);
  g_assert_cmpuint (single.arena_bytes, ==, fused.arena_bytes);
}

/* One kernel call does the product and what it absorbs. */
static void
test_absorbed (void)
{
  const int64_t dims[]         = { 4, 5 };
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteValue *x                = graph_input (graph, "x", KT_F32, 2, dims);
  KetteValue *r                = graph_input (graph, "r", KT_F32, 2, dims);
  KetteValue *v                = graph_node (graph, "test", "Product", x, NULL);

  v = graph_node (graph, "", "Relu", v, NULL);
  v = graph_node (graph, "", "Add", r, v);
  v = graph_node (graph, "", "Neg", v, NULL);
  g_assert_true (_kette_graph_add_output (graph, v, NULL));
  absorb_most              = 4;
  const KettePlanInfo info = info_of (graph, dims, 2, 0);
  g_assert_cmpuint (info.n_steps, ==, 2);
  g_assert_cmpuint (info.n_absorbed, ==, 2);
  g_assert_cmpuint (info.n_chains, ==, 1);
  g_assert_cmpuint (info.n_fused, ==, 4);
  g_assert_cmpuint (info.arena_bytes, ==, 4 * 5 * 4);

  /* What somebody else reads stays: nothing can be absorbed. */
  g_assert_true (_kette_graph_add_output (
      graph, v->producer->in[0]->producer->in[1]->producer->in[0], NULL));
  g_assert_cmpuint (info_of (graph, dims, 2, 0).n_absorbed, ==, 0);
}

/* Elementwise operators without tiles would end chains for no reason; views are no work. */
static void
test_tiles (void)
{
  const KetteFamily *family;
  guint n = 0;

  for (size_t i = 0; (family = _kette_registry_nth (i)); i++)
    {
      gboolean tiles = FALSE, hosts = FALSE;
      for (size_t k = 0; k < family->n_kernels; k++)
        {
          const kt_kernel *kernel = &family->kernels[k]->kernel;
          if (strcmp (kernel->device, "cpu") != 0)
            continue;
          hosts = TRUE;
          tiles = tiles || (kernel->flags & KT_K_TILEABLE && kernel->tile)
                  || (kernel->n_alias && kernel->alias->must);
        }
      if (tiles || !family->n_ops || !hosts
          || !(family->ops[0]->op.flags & KT_OP_ELEMENTWISE))
        continue;
      g_test_message ("%s has no tile", family->name);
      n++;
    }
  g_assert_cmpuint (n, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  register_product ();
  g_test_add_func ("/chain/random", test_random);
  g_test_add_func ("/chain/errors", test_errors);
  g_test_add_func ("/chain/tiles", test_tiles);
  g_test_add_func ("/chain/tail", test_tail);
  g_test_add_func ("/chain/absorbed", test_absorbed);
  return g_test_run ();
}
