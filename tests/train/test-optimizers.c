/* SPDX-License-Identifier: Apache-2.0
 * Every optimizer against its formula in double, on y = x w + b with half-sse.
 */
#include "networks.h"
#include <math.h>
#include <string.h>

enum
{
  N       = 12,
  IN      = 3,
  OUT     = 2,
  WEIGHTS = IN * OUT,
  ALL     = WEIGHTS + OUT,
  STEPS   = 25
};

typedef struct
{
  double p[ALL], v[ALL], h[ALL];
} Reference;

typedef void (*Update) (Reference *r, const double *grad, int step);

/* dE/dw, dE/db of E = 1/N sum 1/2 (x w + b - t)^2. */
static void
gradient (const Reference *r, const KetteTensor *x, const KetteTensor *t, double *grad)
{
  memset (grad, 0, ALL * sizeof *grad);
  for (size_t i = 0; i < N; i++)
    for (size_t k = 0; k < OUT; k++)
      {
        double y = r->p[WEIGHTS + k];

        for (size_t j = 0; j < IN; j++)
          y += _kette_tensor_get_double (x, i * IN + j) * r->p[j * OUT + k];

        const double d = (y - _kette_tensor_get_double (t, i * OUT + k)) / N;
        for (size_t j = 0; j < IN; j++)
          grad[j * OUT + k] += d * _kette_tensor_get_double (x, i * IN + j);
        grad[WEIGHTS + k] += d;
      }
}

static void
sgd (Reference *r, const double *g, int step)
{
  (void) step;
  for (int i = 0; i < ALL; i++)
    r->p[i] -= 0.1 * g[i];
}

static void
momentum (Reference *r, const double *g, int step)
{
  (void) step;
  for (int i = 0; i < ALL; i++)
    {
      r->v[i] = (float) 0.8 * r->v[i] + g[i];
      r->p[i] -= 0.1 * r->v[i];
    }
}

static void
nesterov (Reference *r, const double *g, int step)
{
  (void) step;
  for (int i = 0; i < ALL; i++)
    {
      r->v[i] = (float) 0.8 * r->v[i] + g[i];
      r->p[i] -= 0.1 * (g[i] + (float) 0.8 * r->v[i]);
    }
}

static void
adagrad (Reference *r, const double *g, int step)
{
  (void) step;
  for (int i = 0; i < ALL; i++)
    {
      r->h[i] += g[i] * g[i];
      r->p[i] -= 0.1 * g[i] / (sqrt (r->h[i]) + (float) 1e-6);
    }
}

static void
adam (Reference *r, const double *g, int step)
{
  const double alpha = (float) 0.8, beta = (float) 0.99;
  const double rate = 0.1 * sqrt (1 - pow (beta, step + 1)) / (1 - pow (alpha, step + 1));

  for (int i = 0; i < ALL; i++)
    {
      r->v[i] = alpha * r->v[i] + (1 - alpha) * g[i];
      r->h[i] = beta * r->h[i] + (1 - beta) * g[i] * g[i];
      r->p[i] -= rate * r->v[i] / (sqrt (r->h[i]) + (float) 1e-6);
    }
}

static const struct
{
  const char *name;
  Update update;
} optimizers[] = { { "sgd", sgd },
                   { "momentum", momentum },
                   { "nesterov", nesterov },
                   { "adagrad", adagrad },
                   { "adam", adam } };

static void
read_parameters (KetteGraph *graph, double *out)
{
  const KetteTensor *w = kette_graph_get_parameter (graph, "w0"),
                    *b = kette_graph_get_parameter (graph, "b0");

  for (size_t i = 0; i < WEIGHTS; i++)
    out[i] = _kette_tensor_get_double (w, i);
  for (size_t i = 0; i < OUT; i++)
    out[WEIGHTS + i] = _kette_tensor_get_double (b, i);
}

static void
check_optimizer (gconstpointer data)
{
  const guint k                    = GPOINTER_TO_UINT (data) / 2;
  const int dtype                  = GPOINTER_TO_UINT (data) % 2 ? KT_F32 : KT_F64;
  const double tolerance           = dtype == KT_F32 ? 2e-5 : 1e-12;
  const int sizes[]                = { IN, OUT };
  g_autoptr (KetteGraph) graph     = network_new (dtype, sizes, 1, NULL);
  g_autoptr (KetteTensor) x        = network_rows (dtype, N, IN, 1);
  g_autoptr (KetteTensor) t        = network_rows (dtype, N, OUT, 2);
  g_autoptr (KetteTrainer) trainer = NULL;
  Reference r                      = { 0 };
  KetteTrainOptions options;
  GError *error = NULL;
  double grad[ALL], have[ALL];

  read_parameters (graph, r.p);
  kette_train_options_init (&options);
  options.optimizer = optimizers[k].name;
  options.rate      = 0.1;
  options.beta      = 0.8;
  options.beta2     = 0.99;
  options.epsilon   = 1e-6;
  options.batch     = N;
  options.loss      = "half-sse";
  trainer           = network_trainer (graph, &options, x, t);
  for (int step = 0; step < STEPS; step++)
    {
      gradient (&r, x, t, grad);
      optimizers[k].update (&r, grad, step);
      kette_trainer_step (trainer, NULL, NULL, &error);
      g_assert_no_error (error);
    }
  read_parameters (graph, have);
  for (int i = 0; i < ALL; i++)
    g_assert_cmpfloat_with_epsilon (have[i], r.p[i], tolerance * MAX (1, fabs (r.p[i])));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint k = 0; k < 2 * G_N_ELEMENTS (optimizers); k++)
    {
      g_autofree char *path = g_strdup_printf (
          "/train/optimizer/%s/%s", optimizers[k / 2].name, k % 2 ? "f32" : "f64");
      g_test_add_data_func (path, GUINT_TO_POINTER (k), check_optimizer);
    }
  return g_test_run ();
}
