/* SPDX-License-Identifier: Apache-2.0
 * Training steps and products on devices, for machines that have nothing but this program:
 * gpu SECONDS DEVICE... prints a table in Markdown, a column per device, and with the first one
 * as reference says whether the losses of 20 steps agree. The exit status is 1 if they do not. The
 * file that KETTE_TIMES names gets a line "WHAT<TAB>DEVICE<TAB>MICROSECONDS" per number.
 */
#include "../tests/train/networks.h"
#include "exec/session.h"
#include "measure.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum
{
  STEPS        = 20,
  MOST_DEVICES = 8
};

typedef struct
{
  const char *name, *loss;
  int sizes[6], n_layers, batch;
  double rate, tolerance;
} Workload;

static const Workload workloads[] = {
  { "784-30-10 sigmoid, half-sse, batch 10",
    "half-sse",
    { 784, 30, 10 },
    2,
    10,
    1,
    1e-4 },
  { "784-128-10 sigmoid, cross-entropy, batch 64",
    "cross-entropy",
    { 784, 128, 10 },
    2,
    64,
    0.1,
    1e-4 },
  { "784-1024-1024-10 sigmoid, cross-entropy, batch 256",
    "cross-entropy",
    { 784, 1024, 1024, 10 },
    3,
    256,
    0.1,
    1e-4 },
  { "conv32-conv64-pool-128-10 relu, cross-entropy, batch 64",
    "cross-entropy",
    { 0 },
    0,
    64,
    0.01,
    1e-3 },
};

static FILE *times; /* NULL: nobody asks */

static void
note (const char *what, const char *device, double us)
{
  if (times)
    fprintf (times, "%s\t%s\t%.3f\n", what, device, us);
}

static gboolean
told (GError *error)
{
  printf (" %s |", error ? error->message : "no memory");
  g_clear_error (&error);
  return FALSE;
}

static void
step (void *trainer)
{
  GError *error = NULL;

  if (!kette_trainer_step (trainer, NULL, NULL, &error))
    {
      fprintf (stderr, "gpu: %s\n", error->message);
      exit (1);
    }
}

/* One device's cell of the table; its losses to CURVE. */
static gboolean
train (const Workload *w, const char *device, double seconds, double *curve)
{
  GError *error = NULL;
  KetteTrainOptions options;
  g_autoptr (KetteTensor) data   = NULL;
  g_autoptr (KetteTensor) target = NULL;
  g_autoptr (KetteGraph) graph
      = w->n_layers == 0
            ? network_cnn_new (32, 64, 128, FALSE)
            : network_new (KT_F32, w->sizes, w->n_layers,
                           strcmp (w->loss, "half-sse") == 0 ? "Sigmoid" : NULL);
  bench_result result;

  kette_train_options_init (&options);
  options.loss       = w->loss;
  options.optimizer  = "sgd";
  options.rate       = w->rate;
  options.batch      = (guint) w->batch;
  options.no_shuffle = TRUE;
  options.device     = device;
  network_samples (2560, &data, &target);
  g_autoptr (KetteTrainer) trainer = kette_trainer_new (graph, &options, &error);
  if (!trainer || !kette_trainer_set_data (trainer, data, target, &error))
    return told (error);
  for (int i = 0; i < STEPS; i++)
    if (!kette_trainer_step (trainer, &curve[i], NULL, &error))
      return told (error);

  const bench_subject subject = { device, step, trainer };
  bench_measure (&subject, 1, 5, seconds, &result);
  printf (" %.1f |", result.median[0]);
  note (w->name, device, result.median[0]);
  return TRUE;
}

static gboolean
train_all (const Workload *w, const char *const *devices, int n, double seconds)
{
  double curve[MOST_DEVICES][STEPS], worst = 0;
  gboolean ok = TRUE;

  printf ("| %s, us per step |", w->name);
  for (int i = 0; i < n; i++)
    ok = train (w, devices[i], seconds, curve[i]) && ok;
  for (int i = 1; ok && i < n; i++)
    for (int k = 0; k < STEPS; k++)
      worst = fmax (worst, fabs (curve[i][k] / curve[0][k] - 1));
  ok = ok && worst <= w->tolerance;
  if (n > 1)
    printf (" %s, %.1e |", ok ? "equal" : "DIFFERENT", worst);
  printf ("\n");
  fflush (stdout);
  return ok;
}

/* -- products ------------------------------------------------------------------------------ */

static KetteTensor *
matrix (gint64 n, guint salt)
{
  const gint64 dims[] = { n, n };
  GError *error       = NULL;
  KetteTensor *t      = kette_tensor_new (KT_F32, dims, 2, &error);
  float *data;

  if (!t)
    {
      g_clear_error (&error);
      return NULL;
    }
  data = kette_tensor_get_data (t);
  for (gint64 i = 0; i < n * n; i++)
    data[i] = (float) (network_mix ((guint32) i + salt) / 2147483648.0 - 1);
  return t;
}

static KetteValue *
node (KetteGraph *g, const char *op, KetteValue *a, KetteValue *b, const char *name,
      GError **error)
{
  KetteValue *out        = _kette_graph_add_value (g, name, error);
  KetteValue *const in[] = { a, b };

  return out
                 && _kette_graph_add_node (g, op, "", op, 18, in, b ? 2 : 1, &out, 1,
                                           NULL, 0, error)
             ? out
             : NULL;
}

/* ReduceMax ((s A) B): s is the input and one number comes out, so that the product is what is
 * measured and not the way there. */
static KetteGraph *
product_new (KetteTensor *a, KetteTensor *b, GError **error)
{
  g_autoptr (KetteGraph) g = NULL;
  KetteModel *model        = _kette_model_new ("<memory>", error);
  KetteValue *s, *x, *y, *v;

  if (!model)
    return NULL;
  model->ir_version = 8;
  if (_kette_model_set_opset (model, "", 18, error))
    g = _kette_graph_new (model, "product", error);
  _kette_model_unref (model);
  return g && (s = _kette_graph_add_value (g, "s", error))
                 && _kette_value_set_tensor_type (s, KT_F32, NULL, 0, error)
                 && _kette_graph_add_input (g, s, error)
                 && (x = _kette_graph_add_constant (g, "a", a, error))
                 && (y = _kette_graph_add_constant (g, "b", b, error))
                 && (v = node (g, "Mul", x, s, NULL, error))
                 && (v = node (g, "MatMul", v, y, NULL, error))
                 && (v = node (g, "ReduceMax", v, NULL, "most", error))
                 && _kette_graph_add_output (g, v, error)
             ? g_steal_pointer (&g)
             : NULL;
}

typedef struct
{
  KetteSession *session;
  KetteTensor *input;
  float result;
} Product;

static void
multiply (void *user)
{
  Product *p       = user;
  KetteTensor *out = NULL;
  GError *error    = NULL;

  if (!kette_session_run (p->session, &p->input, &out, NULL, &error))
    {
      fprintf (stderr, "gpu: %s\n", error->message);
      exit (1);
    }
  p->result = *(const float *) kette_tensor_get_data (out);
  kette_tensor_unref (out);
}

static gboolean
product_on (gint64 n, const char *device, const char *precision, const char *what,
            double seconds)
{
  static const float one    = 1;
  GError *error             = NULL;
  g_autoptr (KetteTensor) a = matrix (n, 1);
  g_autoptr (KetteTensor) b = a ? matrix (n, 77) : NULL;
  g_autoptr (KetteTensor) s = b ? kette_tensor_new (KT_F32, NULL, 0, &error) : NULL;
  g_autoptr (KetteGraph) g  = s ? product_new (a, b, &error) : NULL;
  KetteSessionFlags flags   = (KetteSessionFlags) 0;
  g_autoptr (KetteSession) session
      = g && kette_session_flags_for_precision (precision, &flags, &error)
            ? kette_session_new_on (g, flags, device, NULL, &error)
            : NULL;
  bench_result result;

  if (!session)
    return told (error);
  *(float *) kette_tensor_get_data (s) = one;
  Product p                            = { session, s, 0 };
  const bench_subject subject          = { device, multiply, &p };
  bench_measure (&subject, 1, 5, seconds, &result);
  printf (" %.1f, %.2f TFLOP/s |", result.median[0],
          2e-6 * (double) n * (double) n * (double) n / result.median[0]);
  note (what, device, result.median[0]);
  return TRUE;
}

/* The CPU's products have their own benchmarks; here it has the small one only, in f32. */
static gboolean
multiply_all (gint64 size, const char *precision, const char *const *devices, int n,
              double seconds)
{
  gboolean ok = TRUE;
  char what[80];

  snprintf (what, sizeof what, "product %d x %d x %d in %s", (int) size, (int) size,
            (int) size, precision);
  printf ("| %s, us |", what);
  for (int i = 0; i < n; i++)
    if ((size > 512 || strcmp (precision, "f32") != 0)
        && strncmp (devices[i], "cuda", 4) != 0)
      printf (" - |");
    else
      ok = product_on (size, devices[i], precision, what, seconds) && ok;
  printf (n > 1 ? " |\n" : "\n");
  fflush (stdout);
  return ok;
}

int
main (int argc, char **argv)
{
  const int n = argc - 2 < MOST_DEVICES ? argc - 2 : MOST_DEVICES;
  gboolean ok = TRUE;

  if (n < 1)
    return fprintf (stderr, "gpu SECONDS DEVICE...\n"), 64;

  const char *file     = getenv ("KETTE_TIMES");
  const double seconds = atof (argv[1]);
  if (file && !(times = fopen (file, "w")))
    return fprintf (stderr, "gpu: %s cannot be written\n", file), 66;
  const char *const *const devices = (const char *const *) argv + 2;
  printf ("| |");
  for (int i = 0; i < n; i++)
    printf (" %s |", devices[i]);
  printf ("%s\n|---|", n > 1 ? " losses of 20 steps |" : "");
  for (int i = 0; i < n + (n > 1); i++)
    printf ("---|");
  printf ("\n");
  for (size_t i = 0; i < G_N_ELEMENTS (workloads); i++)
    ok = train_all (&workloads[i], devices, n, seconds) && ok;
  for (gint64 size = 512; size <= 8192; size *= 4)
    ok = multiply_all (size, "f32", devices, n, seconds) && ok;
  ok = multiply_all (8192, "tf32", devices, n, seconds) && ok;
  ok = multiply_all (8192, "bf16", devices, n, seconds) && ok;
  if (times)
    fclose (times);
  return ok ? 0 : 1;
}
