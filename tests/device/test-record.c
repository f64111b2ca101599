/* SPDX-License-Identifier: Apache-2.0
 * The training step as one launch: the third one is recorded, each later one is one replay. A loss
 * that is no number, or an input that is out of range, leaves every state as it was, although the
 * device has been through the whole step by then.
 */
#include "op/devices.h"
#include "steps.h"
#include <math.h>
#include <string.h>

enum
{
  SAMPLES = 50,
  BATCH   = 5,
  BAD     = 6 /* the step whose data are bad */
};

typedef enum
{
  GOOD,
  NOT_FINITE,
  WRONG_LABEL
} Fault;

typedef struct
{
  KetteGraph *graph;
  KetteTrainer *trainer;
} Training;

static void
end (Training *t)
{
  kette_trainer_unref (t->trainer);
  kette_graph_unref (t->graph);
}

static Training
begin (const char *device, gboolean convolutions, Fault fault, gboolean skip)
{
  const int sizes[]   = { 784, 12, 10 };
  const gint64 dims[] = { SAMPLES, 784 };
  KetteTrainOptions options;
  KetteTensor *bytes, *t;
  GError *error             = NULL;
  g_autoptr (KetteTensor) x = kette_tensor_new (KT_F32, dims, 2, NULL);
  Training out              = { convolutions ? network_cnn_new (8, 8, 16, TRUE)
                                             : network_new (KT_F32, sizes, 2, "Sigmoid"),
                   NULL };

  network_samples (SAMPLES, &bytes, &t);
  for (size_t i = 0; i < x->count; i++)
    ((float *) x->data)[i] = (float) ((const uint8_t *) bytes->data)[i] / 255;
  if (fault == NOT_FINITE)
    ((float *) x->data)[784 * BATCH * BAD + 400] = NAN;
  if (fault == WRONG_LABEL)
    ((uint8_t *) t->data)[BATCH * BAD + 1] = 77;
  kette_train_options_init (&options);
  options.loss            = "cross-entropy";
  options.optimizer       = "momentum";
  options.batch           = BATCH;
  options.no_shuffle      = TRUE;
  options.device          = device;
  options.skip_not_finite = skip;
  out.trainer             = kette_trainer_new (out.graph, &options, &error);
  g_assert_no_error (error);
  kette_trainer_set_data (out.trainer, x, t, &error);
  g_assert_no_error (error);
  kette_tensor_unref (bytes);
  kette_tensor_unref (t);
  return out;
}

static gboolean
take (Training *t, int n, GError **error)
{
  for (int i = 0; i < n; i++)
    if (!kette_trainer_step (t->trainer, NULL, NULL, error))
      return FALSE;
  return TRUE;
}

static char *
digest_of (Training *t)
{
  g_assert_true (_kette_residents_write_back (NULL));
  return network_digest (t->graph);
}

/* The knobs count from here on. */
static void
set_knobs (const char *text)
{
  KetteUnit *unit = NULL;
  void *memory    = NULL;
  KetteCall call;

  g_setenv ("KETTE_GUARD", text, TRUE);
  g_assert_true (_kette_unit_get ("guard", &unit, NULL));
  _kette_call_init (&call);
  g_assert_cmpint (unit->device->alloc (&call.call, unit->handle, 64, &memory), ==,
                   KT_OK);
  unit->device->release (unit->handle, memory);
}

/* Of launches, copies and replays the N-th fails: so many steps are good before. */
static void
test_one (gconstpointer data)
{
  const gboolean convolutions = data != NULL;
  Training t                  = begin ("guard", convolutions, GOOD, FALSE);
  g_autoptr (GError) error    = NULL;

  g_assert_true (take (&t, 3, &error));
  set_knobs ("fail=5");
  g_assert_true (take (&t, 4, &error));
  g_assert_false (take (&t, 1, &error));
  g_assert_nonnull (strstr (error->message, "\"replay\" failed on demand"));
  set_knobs ("");
  g_clear_error (&error);
  g_assert_true (take (&t, 1, &error));
  end (&t);
}

/* Taking the step back fails: that is what is told, not what was fed. */
static void
test_undo (void)
{
  Training t               = begin ("guard", FALSE, WRONG_LABEL, FALSE);
  g_autoptr (GError) error = NULL;

  g_assert_true (take (&t, BAD, &error));
  set_knobs ("fail=2"); /* the first is the replay */
  g_assert_false (take (&t, 1, &error));
  set_knobs ("");
  if (!strstr (error->message, "failed on demand"))
    g_error ("%s", error->message);
  end (&t);
}

/* What is kept beside is said, and is no copy of an input or an output. */
static void
test_text (void)
{
  Training t            = begin ("guard", FALSE, GOOD, FALSE);
  g_autofree char *plan = kette_trainer_plan (t.trainer, NULL);

  g_assert_nonnull (strstr (plan, "copies: 2 in, 1 out, 0 between devices"));
  g_assert_nonnull (strstr (plan, "kept for taking the step back: "));
  g_assert_nonnull (strstr (plan, "bytes, for taking the step back)"));
  end (&t);
  t                     = begin ("cpu", FALSE, GOOD, FALSE);
  g_autofree char *host = kette_trainer_plan (t.trainer, NULL);
  g_assert_null (strstr (host, "step back"));
  end (&t);
}

/* The bad step changes nothing, and training goes on from there as the CPU's. */
static void
check_fault (Fault fault, gboolean convolutions, const char *text)
{
  g_autofree char *wanted = NULL;

  for (int i = 0; i < 3; i++)
    {
      static const char *const devices[] = { NULL, "guard", "guard:1" };
      Training t                         = begin (devices[i], convolutions, fault, FALSE);
      g_autoptr (GError) error           = NULL;

      g_setenv ("KETTE_GUARD", i == 2 ? "reorder,delay=50,lazy" : "", TRUE);
      g_assert_true (take (&t, BAD, &error));
      g_autofree char *before = digest_of (&t);
      g_assert_false (take (&t, 1, &error));
      g_assert_error (error, KETTE_ERROR, KETTE_ERROR_VALUE);
      if (!strstr (error->message, text))
        g_error ("%s", error->message);
      g_autofree char *after = digest_of (&t);
      g_assert_cmpstr (before, ==, after);
      if (i)
        g_assert_cmpstr (after, ==, wanted);
      else
        wanted = g_steal_pointer (&after);
      end (&t);
    }
  g_setenv ("KETTE_GUARD", "", TRUE);
}

static void
test_not_finite (void)
{
  check_fault (NOT_FINITE, FALSE, "nan; the step was not taken");
  check_fault (NOT_FINITE, TRUE, "nan; the step was not taken");
}

static void
test_label (void)
{
  check_fault (WRONG_LABEL, FALSE, "77");
  check_fault (WRONG_LABEL, TRUE, "77");
}

/* Steps that are left out. */
static void
test_skip (void)
{
  Training cpu  = begin (NULL, TRUE, NOT_FINITE, TRUE),
           dev  = begin ("guard", TRUE, NOT_FINITE, TRUE);
  GError *error = NULL;
  KetteTrainState state;

  g_assert_true (take (&cpu, 17, &error));
  g_assert_true (take (&dev, 17, &error));
  g_autofree char *wanted = digest_of (&cpu), *got = digest_of (&dev);
  g_assert_cmpstr (got, ==, wanted);
  kette_trainer_get_state (dev.trainer, &state);
  g_assert_cmpuint (state.skipped, ==, 2);
  end (&cpu);
  end (&dev);
}

int
main (int argc, char **argv)
{
  steps_init (&argc, &argv);
  g_test_add_data_func ("/record/one/dense", NULL, test_one);
  g_test_add_data_func ("/record/one/convolutions", placements, test_one);
  g_test_add_func ("/record/text", test_text);
  g_test_add_func ("/record/undo", test_undo);
  g_test_add_func ("/record/not-finite", test_not_finite);
  g_test_add_func ("/record/label", test_label);
  g_test_add_func ("/record/skip", test_skip);
  return g_test_run ();
}
