/* SPDX-License-Identifier: Apache-2.0
 * Training steps over several devices: the bits of the CPU, whatever the order of execution; no
 * race; copies, placement by cost, what a launch costs the host.
 * KETTE_LONG=1: 1,000 random runs instead of 40.
 */
#include "../unit/graphs.h"
#include "exec/session-private.h"
#include "op/devices.h"
#include "steps.h"
#include <string.h>
#include <time.h>

/* Every fourth time values share memory, so that it is used again and again. */
static void
test_random (gconstpointer data)
{
  const Placement *p      = data;
  g_autofree char *wanted = train_on_cpu (p);
  const int n = g_getenv ("KETTE_LONG") ? 1000 : p->network == DENSE ? 40 : 15;

  for (int i = 0; i < n; i++)
    {
      g_autofree char *knobs = g_strdup_printf (
          "seed=%d,%s%s%s,delay=%d", i + 1, i % 2 ? "reorder" : "",
          i % 5 == 0 ? ",lazy" : "", i % 4 == 3 ? ",shared" : "", i % 3 == 0 ? 60 : 0);
      GError *error = NULL;
      g_setenv ("KETTE_GUARD", knobs, TRUE);
      g_autofree char *digest = train (p, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (digest, ==, wanted);
    }
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

/* What the host asks of the devices, counted. */
static struct
{
  kt_device before;
  size_t in, out, other, launches, replays;
} asked;

static kt_status
count_copy (kt_call *call, kt_stream *stream, int32_t direction, void *to,
            const void *from, size_t bytes, void *peer, const char *label)
{
  size_t *n = direction == KT_COPY_IN    ? &asked.in
              : direction == KT_COPY_OUT ? &asked.out
                                         : &asked.other;

  ++*n;
  return asked.before.copy (call, stream, direction, to, from, bytes, peer, label);
}

static kt_status
count_execute (kt_call *call, kt_stream *stream, kt_task *task, void *arg,
               const kt_range *ranges, int32_t n, const char *label)
{
  asked.launches++;
  return asked.before.execute (call, stream, task, arg, ranges, n, label);
}

static kt_status
count_replay (kt_call *call, kt_stream *stream, kt_recording *recording)
{
  asked.replays++;
  return asked.before.replay (call, stream, recording);
}

static kt_device *
start_counting (void)
{
  KetteUnit *unit = NULL;

  g_assert_true (_kette_unit_get ("guard", &unit, NULL));
  memset (&asked, 0, sizeof asked);
  kt_device *device = &unit->kind->device;
  asked.before      = *device;
  device->copy      = count_copy;
  device->execute   = count_execute;
  device->replay    = count_replay;
  return device;
}

/* A training step on one device has one copy in per input and one out, for the loss; from the third
 * one of a size on it is replayed. */
static void
test_copies (void)
{
  static const int one[] = { 0, 2, 4 };

  for (size_t i = 0; i < G_N_ELEMENTS (one); i++)
    {
      g_autoptr (KetteGraph) graph = NULL;
      GError *error                = NULL;
      g_autoptr (KetteTrainer) trainer
          = trainer_new (&placements[one[i]], &graph, &error);

      g_assert_no_error (error);
      g_assert_true (kette_trainer_step (trainer, NULL, NULL, &error));
      for (int step = 1; step < STEPS; step++)
        {
          /* Sizes are 10, 10, 5, 10, 10, 5, 10. */
          const gboolean is_replayed = step == 4 || step == 6, is_recorded = step == 3;
          kt_device *device = start_counting ();
          double loss;
          const gboolean ok = kette_trainer_step (trainer, &loss, NULL, &error);

          *device = asked.before;
          g_assert_no_error (error);
          g_assert_true (ok);
          g_test_message (
              "step %d: %zu in, %zu out, %zu other, %zu launches, %zu replays", step,
              asked.in, asked.out, asked.other, asked.launches, asked.replays);
          if (step == 2) /* the first one of its size brings its own constants, once */
            g_assert_cmpuint (asked.in, >=, 2);
          else
            g_assert_cmpuint (asked.in, ==, is_replayed ? 0 : 2);
          g_assert_cmpuint (asked.out, ==, is_replayed ? 0 : 1);
          g_assert_true (is_replayed ? asked.launches == 0 : asked.launches > 10);
          if (is_replayed) /* otherwise: states that are put aside, within the device */
            g_assert_cmpuint (asked.other, ==, 0);
          if (is_replayed || is_recorded)
            g_assert_cmpuint (asked.replays, ==, 1);
          else
            g_assert_cmpuint (asked.replays, ==, 0);
        }
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

/* The node that goes too far is named, and the next run is right. */
static void
test_named (void)
{
  g_autoptr (KetteGraph) graph = chain_new (5);
  const int64_t dims[]         = { 4 };
  const kt_type type = { .kind = KT_TENSOR, .dtype = KT_F32, .ndim = 1, .dims = dims };
  const KetteSessionOptions options
      = { .struct_size = sizeof options, .device = "guard", .unfused = TRUE };
  GError *error                    = NULL;
  g_autoptr (KetteSession) session = _kette_session_new_full (graph, &options, &error);
  const unsigned both              = KETTE_PHASE_FORWARD | KETTE_PHASE_UPDATE;
  kt_tensor y;

  g_assert_no_error (error);
  g_setenv ("KETTE_GUARD", "spill=3", TRUE);
  KetteRun *run = _kette_session_take (session, &type, NULL, &error);
  g_assert_no_error (error);
  memcpy (_kette_run_input (run, 0), (float[]){ 1, 2, -3, 4 }, 16);
  g_assert_false (_kette_run_execute (run, both, NULL, &error));
  g_assert_cmpstr (error->message, ==,
                   "device: guard:0: \"n2\" went beyond the end of a value of 16 bytes");
  g_clear_error (&error);
  for (int i = 0; i < 4; i++)
    {
      g_assert_true (_kette_run_execute (run, both, NULL, &error));
      g_assert_true (_kette_run_output (run, 0, &y, NULL));
      g_assert_cmpfloat (((float *) y.data)[3], ==, 4);
    }
  _kette_session_give (session, run);
  g_setenv ("KETTE_GUARD", "", TRUE);
}

/* A kernel that writes beyond the scratch memory that it asked for. */
static void
test_scratch (void)
{
  const char *const none[] = { NULL };
  GError *error            = NULL;

  g_assert_true (kette_plugins_add_file (g_getenv ("KETTE_LAUNCH"), TRUE, &error));
  for (int64_t n = 4; n <= 5; n++)
    {
      g_autoptr (KetteGraph) graph = graph_new (18);
      g_autoptr (KetteTensor) x    = kette_tensor_new (KT_F32, &n, 1, NULL);
      KetteValue *y                = graph_node (graph, "", "Softplus",
                                                 graph_input (graph, "x", KT_F32, 1, &n), NULL);
      g_assert_true (_kette_graph_add_output (graph, y, NULL));
      memset (x->data, 0, x->bytes);
      g_autoptr (KetteSession) session
          = kette_session_new_on (graph, 0, "guard", none, &error);
      g_assert_no_error (error);
      KetteTensor *out = NULL;
      kette_session_run (session, &x, &out, NULL, &error);
      if (n == 4)
        g_assert_no_error (error);
      else
        g_assert_nonnull (
            strstr (error->message, "\"Softplus\" went beyond the end of a value"));
      if (n == 4)
        kette_tensor_unref (out);
    }
  g_clear_error (&error);
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

/* More rules, or longer ones, than anybody writes. */
static void
test_many_rules (void)
{
  g_autoptr (KetteGraph) graph            = chain_new (2);
  g_autofree char *stars                  = g_strnfill (KETTE_MOST_RULE_BYTES - 4, '*');
  g_autofree char *long_rule              = g_strconcat ("a", stars, "=cpu", NULL);
  const char *place[KETTE_MOST_RULES + 2] = { NULL };
  GError *error                           = NULL;

  for (size_t i = 0; i < KETTE_MOST_RULES; i++)
    place[i] = "a=cpu";
  kette_session_unref (kette_session_new_on (graph, 0, "cpu", place, &error));
  g_assert_no_error (error);
  place[KETTE_MOST_RULES] = "a=cpu";
  g_assert_null (kette_session_new_on (graph, 0, "cpu", place, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_LIMIT);
  g_assert_nonnull (strstr (error->message, "more than 1024 placements"));
  g_clear_error (&error);

  place[1] = NULL;
  place[0] = long_rule + 1;
  kette_session_unref (kette_session_new_on (graph, 0, "cpu", place, &error));
  g_assert_no_error (error);
  place[0] = long_rule;
  g_assert_null (kette_session_new_on (graph, 0, "cpu", place, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_LIMIT);
  g_assert_nonnull (strstr (error->message, "has 1025 bytes, may have 1024"));
  g_clear_error (&error);
}

/* Patterns fit as GLib's do, however many stars they have. */
static void
test_patterns (void)
{
  static const char *const patterns[]
      = { "",      "*",      "?",      "a",        "*a",   "a*",
          "*?",    "??*",    "*a*b*",  "a?b*",     "*abc", "a*c",
          "a**?c", "*ab*ab", "*?b?*a", "\xc3\xa4", "*??x", "?\xc3\xa4" };
  static const char *const texts[]
      = { "",       "a",           "b",      "ab",        "abc",       "aab",
          "aabab",  "abcabc",      "ababab", "\xc3\xa4",  "\xc3\xa4x", "x\xc3\xa4",
          "acbabc", "a\303\244bc", "cabc",   "aaaaaaaaab" };
  KetteGraph *graph = chain_new (1);
  KetteNode node    = *graph->nodes[0];
  GString *hostile  = g_string_new (NULL);

  node.op     = "-";
  node.origin = NULL;
  for (size_t p = 0; p < G_N_ELEMENTS (patterns); p++)
    for (size_t t = 0; t < G_N_ELEMENTS (texts); t++)
      {
        const KettePlaceRule rule = { patterns[p], 0 };
        node.name                 = texts[t];
        g_test_message ("%s %s", patterns[p], texts[t]);
        g_assert_cmpint (_kette_place_fits (&rule, &node), ==,
                         g_pattern_match_simple (patterns[p], texts[t])
                             || g_pattern_match_simple (patterns[p], "-"));
      }

  g_autofree char *name = g_strnfill (60000, 'a');
  for (int i = 0; i < 400; i++)
    g_string_append (hostile, "*a");
  g_string_append (hostile, "*b");
  const KettePlaceRule rule = { hostile->str, 0 };
  node.name                 = name;
  g_assert_false (_kette_place_fits (&rule, &node));
  g_string_free (hostile, TRUE);
  kette_graph_unref (graph);
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
  steps_init (&argc, &argv);
  for (size_t i = 0; i < G_N_ELEMENTS (placements); i++)
    {
      g_autofree char *path = g_strdup_printf ("/spread/random/%s", placements[i].name);
      g_test_add_data_func (path, &placements[i], test_random);
    }
  g_test_add_func ("/spread/named", test_named);
  g_test_add_func ("/spread/again", test_again);
  g_test_add_func ("/spread/auto", test_auto);
  g_test_add_func ("/spread/copies", test_copies);
  g_test_add_func ("/spread/overhead", test_overhead);
  g_test_add_func ("/spread/rules", test_rules);
  g_test_add_func ("/spread/many-rules", test_many_rules);
  g_test_add_func ("/spread/patterns", test_patterns);
  g_test_add_func ("/spread/scratch", test_scratch);
  g_test_add_func ("/spread/outputs", test_outputs);
  return g_test_run ();
}
