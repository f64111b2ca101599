/* SPDX-License-Identifier: Apache-2.0
 * The loop of kette train: steps, progress, log, checkpoints, signals.
 */
#include "stop.h"
#include "train.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct
{
  const TrainArguments *args;
  KetteTrainer *trainer;
  GError *stopped; /* by a signal or the time limit */
  FILE *log;
  gboolean bar; /* a progress bar is drawn on stderr */
  gint64 started, epoch_started, drawn, saved;
  guint64 samples_before; /* samples of this process until the epoch began */
} Loop;

static void
clear_bar (Loop *loop)
{
  if (loop->bar)
    fputs ("\r\033[K", stderr);
}

static void
draw_bar (Loop *loop, const KetteTrainState *s)
{
  enum
  {
    WIDTH = 24,
    MICRO = 1000000
  };
  const gint64 now = g_get_monotonic_time ();
  char bar[WIDTH + 1];
  double done, speed, left;

  if (!loop->bar || now - loop->drawn < MICRO / 10 || s->position == 0)
    return;
  loop->drawn = now;
  done        = (double) s->position / (double) s->n_samples;
  for (int i = 0; i < WIDTH; i++)
    bar[i] = i < (int) (done * WIDTH) ? '#' : '.';
  bar[WIDTH] = '\0';
  speed = (double) (s->epoch * s->n_samples + s->position - loop->samples_before) * MICRO
          / (double) MAX (now - loop->started, 1);
  left = ((double) ((guint64) loop->args->epochs
                    - MIN (s->epoch, (guint64) loop->args->epochs))
              * (double) s->n_samples
          - (double) s->position)
         / MAX (speed, 1);
  fprintf (stderr,
           "\repoch %" G_GUINT64_FORMAT
           "/%d [%s] %.0f samples/s  loss %.5f  left %d:%02d\033[K",
           s->epoch + 1, loop->args->epochs, bar, speed, s->epoch_loss, (int) left / 60,
           (int) left % 60);
  fflush (stderr);
}

/* Saving is what a stopped run does last: nothing stops it. */
static gboolean
save (Loop *loop, GError **error)
{
  g_autoptr (GCancellable) never = g_cancellable_new ();
  gboolean ok;

  loop->saved = g_get_monotonic_time ();
  g_cancellable_push_current (never);
  ok = kette_trainer_save (loop->trainer, loop->args->out, error);
  g_cancellable_pop_current (never);
  return ok;
}

/* A file on the way that could not be written: told, and the end only if asked for, or where
 * it is the model that is broken. */
static gboolean
not_saved (Loop *loop, GError *local, GError **error)
{
  if (loop->args->must_save || !g_error_matches (local, KETTE_ERROR, KETTE_ERROR_IO))
    {
      g_propagate_error (error, local);
      return FALSE;
    }
  clear_bar (loop);
  g_printerr ("warning: not saved: %s\n", local->message);
  g_error_free (local);
  return TRUE;
}

static gboolean
save_on_the_way (Loop *loop, GError **error)
{
  GError *local = NULL;

  return save (loop, &local) || not_saved (loop, local, error);
}

/* Tells the trainer how good the epoch was; the best model gets a file of its own. */
static gboolean
keep_best (Loop *loop, double metric, gboolean *better, GError **error)
{
  g_autoptr (GCancellable) never = g_cancellable_new ();
  GError *local                  = NULL;
  gboolean ok;

  g_cancellable_push_current (never);
  ok = kette_trainer_end_epoch (loop->trainer, metric, loop->args->best, better, &local);
  g_cancellable_pop_current (never);
  return ok || not_saved (loop, local, error);
}

static gboolean
evaluate (Loop *loop, double *loss, double *accuracy, GError **error)
{
  KetteTrainState state;

  *loss = *accuracy = NAN;
  kette_trainer_get_state (loop->trainer, &state);
  if (!loop->args->val_data && state.n_held_out == 0)
    return TRUE;
  return kette_trainer_evaluate (loop->trainer, NULL, NULL, loss, accuracy, error);
}

/* What loss scaling has come to. */
static gboolean
print_scale (Loop *loop, GError **error)
{
  double scale;
  guint64 skipped;

  if (!kette_trainer_get_loss_scale (loop->trainer, &scale, &skipped, error))
    return FALSE;
  if (scale > 0)
    g_print ("  loss-scale %g", scale);
  if (skipped > 0)
    g_print ("  %" G_GUINT64_FORMAT " steps left out", skipped);
  return TRUE;
}

static void
log_row (Loop *loop, const KetteTrainState *s, double loss, double val_loss,
         double accuracy)
{
  if (!loop->log)
    return;
  fprintf (loop->log, "%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT ",%.9g,", s->step,
           s->epoch, loss);
  if (isfinite (val_loss))
    fprintf (loop->log, "%.9g", val_loss);
  fputc (',', loop->log);
  if (isfinite (accuracy))
    fprintf (loop->log, "%.6f", accuracy);
  fprintf (loop->log, ",%.9g,%.3f\n", s->rate,
           (double) (g_get_monotonic_time () - loop->started) / 1e6);
}

/* What is said and done when an epoch is complete. */
static gboolean
end_epoch (Loop *loop, GError **error)
{
  KetteTrainState s;
  double val_loss, accuracy;
  gboolean better;
  const double seconds = (double) (g_get_monotonic_time () - loop->epoch_started) / 1e6;

  kette_trainer_get_state (loop->trainer, &s);
  if (!evaluate (loop, &val_loss, &accuracy, error)
      || !keep_best (loop, isfinite (val_loss) ? val_loss : s.epoch_loss, &better, error))
    return FALSE;
  clear_bar (loop);
  if (!loop->args->quiet)
    {
      g_print ("epoch %" G_GUINT64_FORMAT "  loss %.6f", s.epoch, s.epoch_loss);
      if (isfinite (val_loss))
        g_print ("  val-loss %.6f", val_loss);
      if (isfinite (accuracy))
        g_print ("  accuracy %.4f", accuracy);
      if (!print_scale (loop, error))
        return FALSE;
      g_print ("  %.2f s%s\n", seconds, better && loop->args->best ? "  best" : "");
    }
  log_row (loop, &s, s.epoch_loss, val_loss, accuracy);
  if (loop->log)
    fflush (loop->log);
  loop->epoch_started = g_get_monotonic_time ();
  if (loop->args->every_epochs > 0 && s.epoch % (guint64) loop->args->every_epochs == 0
      && s.epoch < (guint64) loop->args->epochs)
    return save_on_the_way (loop, error);
  return TRUE;
}

static gboolean
is_done (const Loop *loop, const KetteTrainState *s)
{
  const guint64 patience = (guint64) loop->args->patience;

  return s->epoch >= (guint64) loop->args->epochs
         || (patience > 0 && s->position == 0 && isfinite (s->best_metric)
             && s->evaluated >= s->best_epoch + patience)
         || (loop->args->steps > 0 && s->step >= (guint64) loop->args->steps);
}

/* One step, and what follows from it. */
static gboolean
advance (Loop *loop, KetteTrainState *s, GError **error)
{
  const gint64 pause = (gint64) (loop->args->every_seconds * 1e6);
  double loss;

  if (!kette_trainer_step (loop->trainer, &loss, kette_tool_deadline (), error))
    return FALSE;
  kette_trainer_get_state (loop->trainer, s);
  if (loop->args->log_every > 0 && s->step % (guint64) loop->args->log_every == 0)
    log_row (loop, s, loss, NAN, NAN);
  draw_bar (loop, s);
  if (s->position == 0 && !end_epoch (loop, error))
    return FALSE;
  return pause <= 0 || g_get_monotonic_time () - loop->saved < pause
         || save_on_the_way (loop, error);
}

/* Until all is done, or it is time to stop. */
static gboolean
run_loop (Loop *loop, GError **error)
{
  g_autoptr (GError) local = NULL;
  KetteTrainState s;
  gboolean ok = TRUE;

  kette_trainer_get_state (loop->trainer, &s);
  loop->started = loop->epoch_started = loop->saved = g_get_monotonic_time ();
  loop->samples_before                              = s.epoch * s.n_samples + s.position;
  /* A run that was stopped behind the last step of an epoch comes back to its evaluation. */
  if (s.position == 0 && s.evaluated < s.epoch)
    ok = end_epoch (loop, &local);
  for (kette_trainer_get_state (loop->trainer, &s); ok && !is_done (loop, &s);
       kette_trainer_get_state (loop->trainer, &s))
    ok = advance (loop, &s, &local);
  clear_bar (loop);
  if (ok)
    return TRUE;
  if (g_error_matches (local, KETTE_ERROR, KETTE_ERROR_CANCEL)
      || g_error_matches (local, KETTE_ERROR, KETTE_ERROR_TIMEOUT))
    {
      loop->stopped = g_steal_pointer (&local);
      return TRUE;
    }
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
open_log (Loop *loop, GError **error)
{
  const char *file = loop->args->log;
  const gboolean old
      = file && loop->args->train.resume && g_file_test (file, G_FILE_TEST_EXISTS);

  if (!file)
    return TRUE;
  loop->log = fopen (file, old ? "ae" : "we");
  if (!loop->log)
    {
      g_set_error (error, KETTE_ERROR, KETTE_ERROR_IO, "%s: io: cannot open: %s", file,
                   g_strerror (errno));
      return FALSE;
    }
  if (!old)
    fputs ("step,epoch,loss,val_loss,accuracy,lr,seconds\n", loop->log);
  return TRUE;
}

static gboolean
close_log (Loop *loop, GError **error)
{
  FILE *log = loop->log;

  loop->log = NULL;
  if (!log)
    return TRUE;
  if (!ferror (log) && fclose (log) == 0)
    return TRUE;
  g_set_error (error, KETTE_ERROR, KETTE_ERROR_IO, "%s: io: cannot write: %s",
               loop->args->log, g_strerror (errno));
  return FALSE;
}

gboolean
train_loop (TrainArguments *a, KetteTrainer *trainer, GError **error)
{
  Loop loop
      = { .args = a, .trainer = trainer, .bar = !a->quiet && isatty (STDERR_FILENO) };
  KetteTrainState s;
  gboolean ok = open_log (&loop, error);

  ok = ok && run_loop (&loop, error) && save (&loop, error);
  kette_trainer_get_state (trainer, &s);
  if (ok && !a->quiet && s.skipped > 0)
    g_print ("%" G_GUINT64_FORMAT " steps skipped: their loss was not finite\n",
             s.skipped);
  if (ok && !a->quiet)
    g_print ("saved %s%s\n", a->out, loop.stopped ? ", to be resumed with --resume" : "");
  ok = close_log (&loop, ok ? error : NULL) && ok;
  if (ok && g_error_matches (loop.stopped, KETTE_ERROR, KETTE_ERROR_TIMEOUT))
    {
      g_propagate_error (error, g_steal_pointer (&loop.stopped));
      ok = FALSE;
    }
  a->stopped = ok && loop.stopped;
  g_clear_error (&loop.stopped);
  return ok;
}
