/* SPDX-License-Identifier: Apache-2.0
 * Every loss: its value by formula, and the first step of gradient descent against central
 * differences of the formula, on y = x w + b.
 */
#include "networks.h"
#include <math.h>
#include <string.h>

enum
{
  N   = 7,
  IN  = 3,
  OUT = 4
};

static double
half_sse (const double *y, const double *t, int label)
{
  double e = 0;

  (void) label;
  for (int k = 0; k < OUT; k++)
    e += (y[k] - t[k]) * (y[k] - t[k]) / 2;
  return e;
}

static double
mse (const double *y, const double *t, int label)
{
  return half_sse (y, t, label) * 2 / OUT;
}

static double
l1 (const double *y, const double *t, int label)
{
  double e = 0;

  (void) label;
  for (int k = 0; k < OUT; k++)
    e += fabs (y[k] - t[k]) / OUT;
  return e;
}

static double
bce (const double *y, const double *t, int label)
{
  double e = 0;

  (void) label;
  for (int k = 0; k < OUT; k++)
    e -= (t[k] * log (y[k]) + (1 - t[k]) * log (1 - y[k])) / OUT;
  return e;
}

static double
bce_logits (const double *z, const double *t, int label)
{
  double e = 0;

  (void) label;
  for (int k = 0; k < OUT; k++)
    e += (fmax (z[k], 0) - z[k] * t[k] + log1p (exp (-fabs (z[k])))) / OUT;
  return e;
}

static double
log_softmax (const double *z, int k)
{
  double sum = 0;

  for (int i = 0; i < OUT; i++)
    sum += exp (z[i]);
  return z[k] - log (sum);
}

static double
cross_entropy (const double *z, const double *t, int label)
{
  (void) t;
  return -log_softmax (z, label);
}

static double
cross_entropy_dense (const double *z, const double *t, int label)
{
  double e = 0;

  (void) label;
  for (int k = 0; k < OUT; k++)
    e -= t[k] * log_softmax (z, k);
  return e;
}

static double
nll (const double *y, const double *t, int label)
{
  (void) t;
  return -y[label];
}

static double
hinge (const double *y, const double *t, int label)
{
  double e = 0;

  (void) label;
  for (int k = 0; k < OUT; k++)
    e += fmax (0, 1 - t[k] * y[k]) / OUT;
  return e;
}

static const struct
{
  const char *name, *activation;
  double (*formula) (const double *y, const double *t, int label);
  gboolean labels;
} losses[] = {
  { "half-sse", NULL, half_sse, FALSE },
  { "mse", NULL, mse, FALSE },
  { "l1", NULL, l1, FALSE },
  { "bce", "Sigmoid", bce, FALSE },
  { "bce-logits", NULL, bce_logits, FALSE },
  { "cross-entropy", NULL, cross_entropy, TRUE },
  { "cross-entropy-dense", NULL, cross_entropy_dense, FALSE },
  { "nll", NULL, nll, TRUE },
  { "hinge", NULL, hinge, FALSE },
};

/* The mean loss of the network with these weights. */
static double
value_of (guint which, KetteGraph *graph, const KetteTensor *x, const KetteTensor *t)
{
  const KetteTensor *w = kette_graph_get_parameter (graph, "w0"),
                    *b = kette_graph_get_parameter (graph, "b0");
  double e             = 0;

  for (size_t i = 0; i < N; i++)
    {
      double y[OUT], row[OUT] = { 0 };

      for (size_t k = 0; k < OUT; k++)
        {
          y[k] = _kette_tensor_get_double (b, k);
          for (size_t j = 0; j < IN; j++)
            y[k] += _kette_tensor_get_double (x, i * IN + j)
                    * _kette_tensor_get_double (w, j * OUT + k);
          if (losses[which].activation)
            y[k] = 1 / (1 + exp (-y[k]));
          if (!losses[which].labels)
            row[k] = _kette_tensor_get_double (t, i * OUT + k);
        }
      e += losses[which].formula (
               y, row, losses[which].labels ? (int) _kette_tensor_get_int (t, i) : 0)
           / N;
    }
  return e;
}

static KetteTensor *
targets (guint which)
{
  const gint64 dims[] = { N };
  GError *error       = NULL;
  KetteTensor *t;

  if (!losses[which].labels)
    {
      t = network_rows (KT_F64, N, OUT, 5);
      if (losses[which].activation) /* probabilities */
        for (size_t i = 0; i < t->count; i++)
          _kette_tensor_set_double (t, i, _kette_tensor_get_double (t, i) / 2 + 0.5);
      return t;
    }
  t = kette_tensor_new (KT_I64, dims, 1, &error);
  g_assert_no_error (error);
  for (size_t i = 0; i < N; i++)
    _kette_tensor_set_double (t, i, (double) (network_mix ((guint32) i) % OUT));
  return t;
}

static void
check_loss (gconstpointer data)
{
  const guint which            = GPOINTER_TO_UINT (data);
  const int sizes[]            = { IN, OUT };
  const char *const names[]    = { "w0", "b0" };
  g_autoptr (KetteGraph) graph = network_new (KT_F64, sizes, 1, losses[which].activation);
  g_autoptr (KetteTensor) x    = network_rows (KT_F64, N, IN, 3);
  g_autoptr (KetteTensor) t    = targets (which);
  g_autoptr (KetteTrainer) trainer = NULL;
  double wanted[2][IN * OUT], loss, expected;
  KetteTrainOptions options;
  GError *error = NULL;

  kette_train_options_init (&options);
  options.loss  = losses[which].name;
  options.rate  = 0.5;
  options.batch = N;
  trainer       = network_trainer (graph, &options, x, t);
  expected      = value_of (which, graph, x, t);
  for (int p = 0; p < 2; p++)
    {
      KetteTensor *w = kette_graph_get_parameter (graph, names[p]);

      for (size_t i = 0; i < w->count; i++)
        {
          const double old = _kette_tensor_get_double (w, i), h = 1e-6;
          double up, down;

          _kette_tensor_set_double (w, i, old + h);
          up = value_of (which, graph, x, t);
          _kette_tensor_set_double (w, i, old - h);
          down = value_of (which, graph, x, t);
          _kette_tensor_set_double (w, i, old);
          wanted[p][i] = old - 0.5 * (up - down) / (2 * h);
        }
    }
  kette_trainer_step (trainer, &loss, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat_with_epsilon (loss, expected, 1e-9);
  for (int p = 0; p < 2; p++)
    {
      KetteTensor *w = kette_graph_get_parameter (graph, names[p]);

      for (size_t i = 0; i < w->count; i++)
        g_assert_cmpfloat_with_epsilon (_kette_tensor_get_double (w, i), wanted[p][i],
                                        1e-7);
    }
}

/* mse's steps are half-sse's with 2/K of the rate. */
static void
test_factor (void)
{
  const int sizes[]         = { IN, OUT };
  g_autoptr (KetteTensor) x = network_rows (KT_F64, N, IN, 3);
  g_autoptr (KetteTensor) t = network_rows (KT_F64, N, OUT, 4);
  double weight[2];

  for (int i = 0; i < 2; i++)
    {
      g_autoptr (KetteGraph) graph     = network_new (KT_F64, sizes, 1, NULL);
      g_autoptr (KetteTrainer) trainer = NULL;
      g_autofree char *text            = NULL;
      KetteTrainOptions options;
      GError *error = NULL;

      kette_train_options_init (&options);
      options.loss  = i ? "mse" : "half-sse";
      options.rate  = i ? 0.5 * OUT / 2 : 0.5;
      options.batch = N;
      trainer       = network_trainer (graph, &options, x, t);
      text          = kette_trainer_describe (trainer);
      g_assert_nonnull (strstr (text, "half-sse"));
      g_assert_nonnull (strstr (text, "mse"));
      kette_trainer_step (trainer, NULL, NULL, &error);
      g_assert_no_error (error);
      weight[i] = _kette_tensor_get_double (kette_graph_get_parameter (graph, "w0"), 0);
    }
  g_assert_cmpfloat_with_epsilon (weight[0], weight[1], 1e-12);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint k = 0; k < G_N_ELEMENTS (losses); k++)
    {
      g_autofree char *path = g_strdup_printf ("/train/loss/%s", losses[k].name);
      g_test_add_data_func (path, GUINT_TO_POINTER (k), check_loss);
    }
  g_test_add_func ("/train/loss/factor", test_factor);
  return g_test_run ();
}
