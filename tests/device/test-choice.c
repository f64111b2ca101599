/* SPDX-License-Identifier: Apache-2.0
 * What was chosen is in the checkpoint: device, exceptions, and where placement by cost put each
 * node; a resumed training goes on there, unless it is told otherwise.
 */
#include "exec/places.h"
#include "exec/transform.h"
#include "io/io.h"
#include "steps.h"
#include <glib/gstdio.h>
#include <string.h>

static const char *const offer[] = { "no such node=guard", "*SSE*=cpu", NULL };

static KetteTrainer *
trainer_on (KetteGraph *graph, const char *device, const char *const *place,
            gboolean resume, GError **error)
{
  KetteTrainOptions options;
  KetteTensor *x, *t;
  KetteTrainer *trainer;

  network_samples (512, &x, &t);
  kette_train_options_init (&options);
  options.loss  = resume ? NULL : "half-sse";
  options.batch = 256;
  if (resume)
    options.batch = 0;
  options.device = device;
  options.place  = place;
  options.resume = resume;
  trainer        = kette_trainer_new (graph, &options, error);
  if (trainer && !kette_trainer_set_data (trainer, x, t, error))
    g_clear_pointer (&trainer, kette_trainer_unref);
  kette_tensor_unref (x);
  kette_tensor_unref (t);
  return trainer;
}

/* A checkpoint made with these; its plan. */
static char *
make_checkpoint (const char *file, const char *device, const char *const *place)
{
  const int sizes[]                = { 784, 1024, 10 };
  GError *error                    = NULL;
  g_autoptr (KetteGraph) graph     = network_new (KT_F32, sizes, 2, "Sigmoid");
  g_autoptr (KetteTrainer) trainer = trainer_on (graph, device, place, FALSE, &error);

  g_assert_no_error (error);
  g_assert_true (kette_trainer_step (trainer, NULL, NULL, &error));
  char *plan = kette_trainer_plan (trainer, &error);
  g_assert_true (kette_trainer_save (trainer, file, &error));
  g_assert_no_error (error);
  return plan;
}

static char *
temporary (void)
{
  char *name   = NULL;
  const int fd = g_file_open_tmp ("kette-choice-XXXXXX.onnx", &name, NULL);

  g_assert_cmpint (fd, >=, 0);
  g_close (fd, NULL);
  return name;
}

/* The plan of what goes on from FILE; METADATA: pairs, set before. */
static char *
resume (const char *file, const char *device, const char *const *place,
        const char *const *metadata, GError **error)
{
  g_autoptr (KetteGraph) graph = kette_graph_load (file, error);

  for (; metadata && *metadata; metadata += 2)
    _kette_model_set_meta (graph->model, metadata[0], metadata[1], NULL);
  g_autoptr (KetteTrainer) trainer = trainer_on (graph, device, place, TRUE, error);
  if (!trainer || !kette_trainer_step (trainer, NULL, NULL, error))
    return NULL;
  return kette_trainer_plan (trainer, error);
}

static const char *
meta (const char *file, const char *key, KetteGraph **graph)
{
  *graph = kette_graph_load (file, NULL);
  return _kette_model_get_meta ((*graph)->model, key);
}

/* All nodes that were on the guard, on the host instead. */
static char *
all_on_cpu (const char *file)
{
  g_autoptr (KetteGraph) graph = NULL;
  g_auto (GStrv) parts
      = g_strsplit (meta (file, "kette.placement", &graph), "guard:0 ", -1);

  g_assert_cmpuint (g_strv_length (parts), >, 3);
  return g_strjoinv ("cpu ", parts);
}

static void
test_auto (void)
{
  g_autofree char *file        = temporary ();
  g_autofree char *plan        = make_checkpoint (file, "auto", offer);
  GError *error                = NULL;
  g_autoptr (KetteGraph) graph = NULL, other = NULL;

  g_assert_nonnull (strstr (plan, "guard:0  kette"));
  g_assert_cmpstr (meta (file, "kette.device", &graph), ==, "auto");
  g_assert_cmpstr (meta (file, "kette.place", &other), ==,
                   "no such node=guard\n*SSE*=cpu");
  g_autofree char *info = kette_graph_describe (graph, FALSE, NULL);
  g_assert_null (strstr (info, "kette.placement"));
  g_autofree char *again = resume (file, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (again, ==, plan);

  /* What is stored comes before what cost says today; what the caller says before both. */
  g_autofree char *host      = all_on_cpu (file);
  const char *const stored[] = { "kette.placement", host, NULL };
  g_autofree char *moved     = resume (file, NULL, NULL, stored, &error);
  g_assert_no_error (error);
  g_assert_null (strstr (moved, "guard:0  kette"));
  g_autofree char *anew = resume (file, "auto", offer, stored, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (anew, ==, plan);
  g_autofree char *ruled = resume (file, NULL, offer, stored, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (ruled, ==, plan);
  g_unlink (file);
}

static void
test_rules (void)
{
  const char *const rules[]    = { "MatMul=guard:0", "Sigmoid*=cpu", NULL };
  const char *const others[]   = { "MatMul=cpu", NULL };
  g_autofree char *file        = temporary ();
  g_autofree char *plan        = make_checkpoint (file, "guard:1", rules);
  GError *error                = NULL;
  g_autofree char *again       = resume (file, NULL, NULL, NULL, &error);
  g_autofree char *ruled       = resume (file, NULL, others, NULL, &error);
  g_autofree char *host        = resume (file, "cpu", NULL, NULL, &error);
  g_autoptr (KetteGraph) graph = NULL;

  g_assert_no_error (error);
  g_assert_cmpstr (again, ==, plan);
  g_assert_nonnull (strstr (ruled, "guard:1  kette"));
  g_assert_null (strstr (ruled, "guard:0"));
  g_assert_null (strstr (host, "guard"));
  g_assert_null (meta (file, "kette.placement", &graph));
  g_unlink (file);
}

/* What is not there any more. */
static void
test_absent (void)
{
  static const struct
  {
    const char *metadata[3], *text;
  } cases[] = {
    { { "kette.device", "guard:7", NULL },
      "the checkpoint was made on \"guard:7\": there is no \"guard:7\", guard has 2; "
      "--device goes on elsewhere" },
    { { "kette.device", "tpu", NULL },
      "the checkpoint was made on \"tpu\": no plugin brings a device \"tpu\"" },
    { { "kette.place", "MatMul=guard\nGemm=tpu:3", NULL },
      "the checkpoint was made on \"tpu:3\": no plugin" },
    { { "kette.placement", "cpu a\nguard:0 b\nguard:9 c\n", NULL },
      "the checkpoint was made on \"guard:9\": there is no" },
  };
  g_autofree char *file = temporary ();
  g_autofree char *plan = make_checkpoint (file, "auto", offer);

  g_assert_nonnull (plan);
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (resume (file, NULL, NULL, cases[i].metadata, &error));
      g_assert_error (error, KETTE_ERROR, KETTE_ERROR_DEVICE);
      if (!strstr (error->message, cases[i].text))
        g_error ("%s", error->message);
      g_autofree char *host = resume (file, "cpu", NULL, cases[i].metadata, NULL);
      g_assert_nonnull (host);
    }
  g_unlink (file);
}

/* Stored choices that nobody can have written. */
static void
test_malformed (void)
{
  static const struct
  {
    const char *text;
    int line;
  } cases[] = {
    { "guard:0", 1 },          { "cpu a", 1 },
    { "cpu a\nguard:0 b", 2 }, { "cpu a\nguard:0\n", 2 },
    { "cpu a\n\ncpu b\n", 2 }, { "cpu a\\\n", 1 },
    { "cpu a\\x\n", 1 },       { "cpu a\\", 1 },
  };
  g_autofree char *file = temporary ();
  g_autofree char *plan = make_checkpoint (file, "auto", offer);

  g_assert_nonnull (plan);
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const char *const metadata[] = { "kette.placement", cases[i].text, NULL };
      g_autofree char *text
          = g_strdup_printf ("metadata kette.placement, line %d: must be DEVICE NAME and "
                             "a line end",
                             cases[i].line);
      g_autoptr (GError) error = NULL;
      g_assert_null (resume (file, NULL, NULL, metadata, &error));
      g_assert_error (error, KETTE_ERROR, KETTE_ERROR_FORMAT);
      g_assert_nonnull (strstr (error->message, text));
    }

  const char *const escaped[] = { "kette.placement", "cpu a\\n\\\\n\ncpu b c\n", NULL };
  g_autoptr (GError) error    = NULL;
  g_autofree char *other      = resume (file, NULL, NULL, escaped, &error);
  g_assert_no_error (error);
  g_unlink (file);
}

/* A choice is there as a whole, or not at all. */
static void
test_whole (void)
{
  GError *error       = NULL;
  KettePlaces *places = NULL;

  g_assert_true (_kette_places_new ("auto", NULL, &places, &error));
  g_assert_false (_kette_places_choose (places, "cpu a\nguard:0 b\nguard", &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_FORMAT);
  g_assert_null (places->choice);
  g_clear_error (&error);
  g_assert_true (_kette_places_choose (places, "cpu a\nguard:0 b\n", &error));
  g_assert_no_error (error);
  g_assert_cmpstr (_kette_choice_text (places->choice), ==, "cpu a\nguard:0 b\n");
  _kette_places_free (places);
}

/* A rule is a line of the file, whatever its pattern is made of. */
static void
test_escaped (void)
{
  const char *const rules[]
      = { "a\nMatMul=guard:0", "\\n\\=cpu", "Sigmoid=guard:0", NULL };
  const char *const wrong[]    = { "kette.place", "a=cpu\nb\\c=cpu", NULL };
  g_autofree char *file        = temporary ();
  g_autofree char *plan        = make_checkpoint (file, "cpu", rules);
  GError *error                = NULL;
  g_autoptr (KetteGraph) graph = NULL;
  g_autofree char *again       = resume (file, NULL, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (again, ==, plan);
  g_assert_cmpstr (meta (file, "kette.place", &graph), ==,
                   "a\\nMatMul=guard:0\n\\\\n\\\\=cpu\nSigmoid=guard:0");
  g_assert_null (resume (file, NULL, NULL, wrong, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_FORMAT);
  g_assert_nonnull (
      strstr (error->message, "metadata kette.place, line 2: there is no such escape"));
  g_clear_error (&error);

  g_autofree char *ends     = g_strnfill (KETTE_MOST_RULES, '\n');
  const char *const lines[] = { "kette.place", ends, NULL };
  g_assert_null (resume (file, NULL, NULL, lines, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_LIMIT);
  g_assert_nonnull (
      strstr (error->message, "metadata kette.place has 1025 rules, may have 1024"));
  g_clear_error (&error);
  g_unlink (file);
}

int
main (int argc, char **argv)
{
  steps_init (&argc, &argv);
  g_test_add_func ("/choice/auto", test_auto);
  g_test_add_func ("/choice/rules", test_rules);
  g_test_add_func ("/choice/absent", test_absent);
  g_test_add_func ("/choice/escaped", test_escaped);
  g_test_add_func ("/choice/malformed", test_malformed);
  g_test_add_func ("/choice/whole", test_whole);
  return g_test_run ();
}
