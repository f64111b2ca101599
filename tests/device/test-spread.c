/* SPDX-License-Identifier: Apache-2.0
 * Training steps over several devices: the bits of the CPU, whatever the order of execution; no
 * race; refused memory and failing launches are clear errors, and what comes next works.
 * KETTE_LONG=1: 1,000 random runs instead of 40.
 */
#include "../unit/graphs.h"
#include "base/pool.h"
#include "exec/places.h"
#include "exec/session-private.h"
#include "networks.h"
#include "op/devices.h"
#include <string.h>
#include <time.h>

enum
{
  STEPS = 7 /* batches of 10, 10, 5, ...: the third one of 10 is recorded */
};

typedef struct
{
  const char *name;
  gboolean convolutions;
  const char *device;
  const char *place[6];
} Placement;

static const Placement placements[] = {
  { "dense, one device", FALSE, "guard", { NULL } },
  { "dense, spread",
    FALSE,
    "guard:0",
    { "Sigmoid*=guard:1", "*SSE*=cpu", "MatMul=guard:1", "Transpose=cpu", NULL } },
  { "convolutions, one device", TRUE, "guard:1", { NULL } },
  { "convolutions, spread",
    TRUE,
    "cpu",
    { "Conv*=guard:0", "Relu*=guard:1", "Gemm=guard:1", "*Batch*=guard:0", NULL } },
};

static KetteTrainer *
trainer_new (const Placement *p, KetteGraph **graph, GError **error)
{
  const int sizes[]         = { 784, 12, 10 };
  KetteTrainOptions options = { 0 };
  KetteTensor *x, *t;
  KetteTrainer *trainer;

  *graph = p->convolutions ? network_cnn_new (8, 8, 16, TRUE)
                           : network_new (KT_F32, sizes, 2, "Sigmoid");
  network_samples (25, &x, &t);
  kette_train_options_init (&options);
  options.loss      = p->convolutions ? "cross-entropy" : "half-sse";
  options.optimizer = "momentum";
  options.batch     = 10;
  options.device    = p->device;
  options.place     = p->place;
  trainer           = kette_trainer_new (*graph, &options, error);
  if (trainer && !kette_trainer_set_data (trainer, x, t, error))
    g_clear_pointer (&trainer, kette_trainer_unref);
  kette_tensor_unref (x);
  kette_tensor_unref (t);
  return trainer;
}

/* STEPS steps, the last one of a smaller batch; the digest of all weights, NULL with *error. */
static char *
train (const Placement *p, GError **error)
{
  g_autoptr (KetteGraph) graph     = NULL;
  g_autoptr (KetteTrainer) trainer = trainer_new (p, &graph, error);
  gboolean ok                      = trainer != NULL;

  for (int i = 0; ok && i < STEPS; i++)
    ok = kette_trainer_step (trainer, NULL, NULL, error);
  ok = ok && _kette_residents_write_back (error);
  return ok ? network_digest (graph) : NULL;
}

static char *
train_on_cpu (const Placement *p)
{
  const Placement cpu = { p->name, p->convolutions, "cpu", { NULL } };
  GError *error       = NULL;
  char *digest        = train (&cpu, &error);

  g_assert_no_error (error);
  return digest;
}

static void
test_random (gconstpointer data)
{
  const Placement *p      = data;
  g_autofree char *wanted = train_on_cpu (p);
  const int n             = g_getenv ("KETTE_LONG") ? 1000 : 40;

  for (int i = 0; i < n; i++)
    {
      g_autofree char *knobs
          = g_strdup_printf ("seed=%d,%s%s,delay=%d", i + 1, i % 2 ? "reorder" : "",
                             i % 5 == 0 ? ",lazy" : "", i % 3 == 0 ? 60 : 0);
      GError *error = NULL;
      g_setenv ("KETTE_GUARD", knobs, TRUE);
      g_autofree char *digest = train (p, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (digest, ==, wanted);
    }
  g_setenv ("KETTE_GUARD", "", TRUE);
}

static size_t
free_memory (void)
{
  KetteUnit *unit = NULL;
  size_t left     = 0, all;
  KetteCall call;

  g_assert_true (_kette_unit_get ("guard", &unit, NULL));
  _kette_call_init (&call);
  unit->device->memory (&call.call, unit->handle, &left, &all);
  return left;
}

/* The N-th of WHAT fails, for all N; then it is none any more. */
static void
check_failures (const Placement *p, const char *what, KetteErrorCode code)
{
  g_autofree char *wanted = train_on_cpu (p);
  const size_t before = free_memory (), used = _kette_account_process ()->used;
  gboolean failed = TRUE;

  for (int n = 1; failed; n += n < 40 ? 1 : 17)
    {
      g_autofree char *knobs   = g_strdup_printf ("%s=%d", what, n);
      g_autoptr (GError) error = NULL;
      g_setenv ("KETTE_GUARD", knobs, TRUE);
      g_autofree char *digest = train (p, &error);
      failed                  = digest == NULL;
      if (failed)
        {
          if (n < 4)
            g_test_message ("%s", error->message);
          g_assert_error (error, KETTE_ERROR, (int) code);
          g_assert_nonnull (strstr (error->message, "on demand"));
          g_assert_nonnull (strstr (error->message, "guard:"));
        }
      else
        g_assert_cmpstr (digest, ==, wanted);
      g_setenv ("KETTE_GUARD", "", TRUE);
      g_assert_cmpuint (free_memory (), ==, before);
      if (n % 8 == 1)
        {
          g_autofree char *next = train (p, NULL);
          g_assert_cmpstr (next, ==, wanted);
        }
    }
  g_assert_cmpuint (_kette_account_process ()->used, <=, used + 4096);
}

static void
test_memory (gconstpointer data)
{
  check_failures (data, "oom", KETTE_ERROR_MEMORY);
}

static void
test_launches (gconstpointer data)
{
  check_failures (data, "fail", KETTE_ERROR_DEVICE);
}

/* Each event that is missing is found. */
static void
test_events (gconstpointer data)
{
  const Placement *p = data;
  gboolean found     = TRUE;
  int n              = 1;

  for (; found; n++)
    {
      g_autofree char *knobs   = g_strdup_printf ("deaf=%d", n);
      g_autoptr (GError) error = NULL;
      g_setenv ("KETTE_GUARD", knobs, TRUE);
      g_autofree char *digest = train (p, &error);
      found                   = digest == NULL;
      if (!found)
        break;
      if (n < 4)
        g_test_message ("%s", error->message);
      g_assert_error (error, KETTE_ERROR, KETTE_ERROR_DEVICE);
      g_assert_true (strstr (error->message, "race: ")
                     || strstr (error->message, "reads what nobody wrote"));
    }
  g_test_message ("%d events", n - 1);
  g_assert_cmpint (n, >, 10);
  g_setenv ("KETTE_GUARD", "", TRUE);
}

/* A step that failed leaves the trainer usable. */
static void
test_again (void)
{
  g_autoptr (KetteGraph) graph     = NULL;
  GError *error                    = NULL;
  g_autoptr (KetteTrainer) trainer = trainer_new (&placements[0], &graph, &error);

  g_assert_no_error (error);
  g_assert_true (kette_trainer_step (trainer, NULL, NULL, &error));
  g_setenv ("KETTE_GUARD", "fail=2", TRUE);
  g_autoptr (KetteGraph) other    = NULL;
  g_autoptr (KetteTrainer) second = trainer_new (&placements[0], &other, &error);
  g_assert_false (kette_trainer_step (second, NULL, NULL, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_DEVICE);
  g_clear_error (&error);
  g_assert_true (kette_trainer_step (second, NULL, NULL, &error));
  g_assert_true (kette_trainer_step (trainer, NULL, NULL, &error));
  g_assert_true (kette_trainer_step (trainer, NULL, NULL, &error));
  g_assert_true (kette_trainer_step (second, NULL, NULL, &error));
  g_assert_true (kette_trainer_step (second, NULL, NULL, &error));
  g_autofree char *one = network_digest (graph), *two = network_digest (other);
  g_assert_cmpstr (one, ==, two);
  g_setenv ("KETTE_GUARD", "", TRUE);
}

/* One copy in per input, one out for the loss. */
static void
test_copies (void)
{
  for (int i = 0; i < 3; i += 2)
    {
      g_autoptr (KetteGraph) graph     = NULL;
      GError *error                    = NULL;
      g_autoptr (KetteTrainer) trainer = trainer_new (&placements[i], &graph, &error);
      g_autofree char *plan            = kette_trainer_plan (trainer, &error);
      size_t n                         = 0;

      g_assert_no_error (error);
      for (const char *at = plan; (at = strstr (at, "Copy ")); at++)
        n++;
      g_assert_cmpuint (n, ==, 3);
    }
}

/* Steps that a plan of KIND has on the guard, placed by cost: of N by N products, or of the
 * lecture's network. */
static size_t
n_on_guard (int n)
{
  const char *const offer[] = { "no such node=guard", NULL };
  const int dense[] = { 784, 30, 10 }, large[] = { n, n, n };
  g_autoptr (KetteGraph) graph = network_new (KT_F32, n ? large : dense, 2, "Sigmoid");
  const int64_t dims[]         = { n ? n : 10, n ? n : 784 };
  const kt_type type = { .kind = KT_TENSOR, .dtype = KT_F32, .ndim = 2, .dims = dims };
  const KetteSessionOptions options = {
    .struct_size = sizeof options, .device = "auto", .place = offer, .unfused = TRUE
  };
  GError *error                    = NULL;
  g_autoptr (KetteSession) session = _kette_session_new_full (graph, &options, &error);
  g_autofree char *text
      = session ? _kette_session_plan_text (session, &type, &error) : NULL;
  size_t found = 0;

  g_assert_no_error (error);
  for (const char *at = text; (at = strstr (at, "(costs least)")); at++)
    found++;
  return found;
}

/* Small steps belong to the CPU, large products elsewhere. */
static void
test_auto (void)
{
  g_assert_cmpuint (n_on_guard (0), ==, 0);
  g_assert_cmpuint (n_on_guard (1024), >=, 4);
}

/* A chain of N tiny nodes that do not fuse. */
static KetteGraph *
chain_new (int n)
{
  const int64_t dims[] = { 4 };
  KetteModel *model    = _kette_model_new ("chain", NULL);
  KetteGraph *graph    = _kette_graph_new (model, "chain", NULL);
  KetteValue *last     = _kette_graph_add_value (graph, "x", NULL);

  _kette_model_set_opset (model, "", 18, NULL);
  _kette_model_unref (model);
  _kette_value_set_tensor_type (last, KT_F32, dims, 1, NULL);
  _kette_graph_add_input (graph, last, NULL);
  for (int i = 0; i < n; i++)
    {
      KetteValue *next = _kette_graph_add_value (graph, NULL, NULL);
      _kette_graph_add_node (graph, "n", "", i % 2 ? "Neg" : "Abs", 18, &last, 1, &next,
                             1, NULL, 0, NULL);
      last = next;
    }
  _kette_graph_add_output (graph, last, NULL);
  return graph;
}

/* Nanoseconds of the host's processor per node. */
static double
host_time (const char *knobs)
{
  g_autoptr (KetteGraph) graph = chain_new (1000);
  const int64_t dims[]         = { 4 };
  const kt_type type = { .kind = KT_TENSOR, .dtype = KT_F32, .ndim = 1, .dims = dims };
  const KetteSessionOptions options
      = { .struct_size = sizeof options, .device = "guard", .unfused = TRUE };
  GError *error                    = NULL;
  g_autoptr (KetteSession) session = _kette_session_new_full (graph, &options, &error);
  double best                      = 1e9;

  g_setenv ("KETTE_GUARD", knobs, TRUE);

  g_assert_no_error (error);
  KetteRun *run = _kette_session_take (session, &type, NULL, &error);
  g_assert_no_error (error);
  memset (_kette_run_input (run, 0), 0, 16);
  for (int i = 0; i < 20; i++)
    {
      struct timespec a, b;
      clock_gettime (CLOCK_THREAD_CPUTIME_ID, &a);
      g_assert_true (_kette_run_execute (run, KETTE_PHASE_FORWARD | KETTE_PHASE_UPDATE,
                                         NULL, &error));
      clock_gettime (CLOCK_THREAD_CPUTIME_ID, &b);
      best = MIN (best, (double) (b.tv_sec - a.tv_sec) * 1e9
                            + (double) (b.tv_nsec - a.tv_nsec));
    }
  _kette_session_give (session, run);
  g_setenv ("KETTE_GUARD", "", TRUE);
  return best / 1000;
}

/* A node costs the host less than a microsecond; all of a recording one launch. */
static void
test_overhead (void)
{
  const double each = host_time ("nocapture"), recorded = host_time ("");

  g_test_message ("%.0f ns of the host per node, %.1f recorded", each, recorded);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  g_assert_cmpfloat (each, <=, 1000);
  g_assert_cmpfloat (recorded, <=, 50);
#endif
}

/* Rules that are none; devices that are not there. */
static void
test_rules (void)
{
  g_autoptr (KetteGraph) graph = chain_new (2);
  const char *const bad[]      = { "Neg", NULL };
  g_autoptr (GError) error     = NULL;

  g_assert_null (kette_session_new_on (graph, 0, "cpu", bad, &error));
  g_assert_nonnull (
      strstr (error->message, "the placement \"Neg\" must be PATTERN=DEVICE"));
  g_clear_error (&error);
  g_assert_null (kette_session_new_on (graph, 0, "tpu", NULL, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_DEVICE);
}

/* An output that another device reads, too: its copies come behind what makes it. */
static void
test_outputs (void)
{
  static const float expected[] = { -1, -2 };
  const int64_t dims[]          = { 2 };
  const char *const place[]     = { "Abs=guard:0", "Neg=guard:1", NULL };
  g_autoptr (KetteGraph) graph  = graph_new (18);
  KetteValue *a
      = graph_node (graph, "", "Abs", graph_input (graph, "x", KT_F32, 1, dims), NULL);
  g_autoptr (KetteTensor) x = kette_tensor_new (KT_F32, dims, 1, NULL);
  KetteTensor *y[2]         = { NULL };
  GError *error             = NULL;

  g_assert_true (_kette_graph_add_output (graph, a, NULL));
  g_assert_true (
      _kette_graph_add_output (graph, graph_node (graph, "", "Neg", a, NULL), NULL));
  ((float *) x->data)[0] = 1;
  ((float *) x->data)[1] = -2;
  g_autoptr (KetteSession) session
      = kette_session_new_on (graph, 0, "cpu", place, &error);
  g_assert_no_error (error);
  kette_session_run (session, &x, y, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (y[1]->data, y[1]->bytes, expected, sizeof expected);
  for (int i = 0; i < 2; i++)
    kette_tensor_unref (y[i]);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  g_test_init (&argc, &argv, NULL);
  g_setenv ("KETTE_GUARD", "", TRUE);
  kette_plugins_get (&error);
  g_assert_no_error (error);
  for (size_t i = 0; i < G_N_ELEMENTS (placements); i++)
    {
      g_autofree char *path = g_strdup_printf ("/spread/random/%s", placements[i].name);
      g_test_add_data_func (path, &placements[i], test_random);
    }
  g_test_add_data_func ("/spread/memory", &placements[1], test_memory);
  g_test_add_data_func ("/spread/launches", &placements[1], test_launches);
  g_test_add_data_func ("/spread/launches-cnn", &placements[3], test_launches);
  g_test_add_data_func ("/spread/events", &placements[1], test_events);
  g_test_add_data_func ("/spread/events-cnn", &placements[3], test_events);
  g_test_add_func ("/spread/again", test_again);
  g_test_add_func ("/spread/auto", test_auto);
  g_test_add_func ("/spread/copies", test_copies);
  g_test_add_func ("/spread/overhead", test_overhead);
  g_test_add_func ("/spread/rules", test_rules);
  g_test_add_func ("/spread/outputs", test_outputs);
  return g_test_run ();
}
