/* SPDX-License-Identifier: Apache-2.0
 * The loop of kette train: steps, progress, log, checkpoints, signals.
 */
#include "io/io.h"
#include "train.h"
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct
{
  const TrainArguments *args;
  KetteTrainer *trainer;
  KetteTensor *val_x, *val_t;
  FILE *log;
  gboolean bar; /* a progress bar is drawn on stderr */
  gint64 started, epoch_started, drawn, saved;
  guint64 samples_before; /* samples of this process until the epoch began */
} Loop;

static volatile sig_atomic_t stop_signal;

/* The first signal ends training behind the step; the second ends the program at once: the
 * last checkpoint is whole. */
static void
on_signal (int number)
{
  if (stop_signal)
    _exit (128 + number);
  stop_signal = number;
}

static void
catch_signals (void)
{
  struct sigaction action = { .sa_handler = on_signal };

  sigemptyset (&action.sa_mask);
  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
}

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

static gboolean
save (Loop *loop, GError **error)
{
  loop->saved = g_get_monotonic_time ();
  return kette_trainer_save (loop->trainer, loop->args->out, error);
}

/* A checkpoint on the way: its failure is told, and ends training only if asked for. */
static gboolean
save_on_the_way (Loop *loop, GError **error)
{
  GError *local = NULL;

  if (save (loop, &local))
    return TRUE;
  if (loop->args->must_save)
    {
      g_propagate_error (error, local);
      return FALSE;
    }
  clear_bar (loop);
  g_printerr ("warning: no checkpoint: %s\n", local->message);
  g_error_free (local);
  return TRUE;
}

static gboolean
evaluate (Loop *loop, double *loss, double *accuracy, GError **error)
{
  KetteTrainState state;

  *loss = *accuracy = NAN;
  kette_trainer_get_state (loop->trainer, &state);
  if (!loop->val_x && state.n_held_out == 0)
    return TRUE;
  return kette_trainer_evaluate (loop->trainer, loop->val_x, loop->val_t, loss, accuracy,
                                 error);
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
  const double seconds = (double) (g_get_monotonic_time () - loop->epoch_started) / 1e6;

  kette_trainer_get_state (loop->trainer, &s);
  if (!evaluate (loop, &val_loss, &accuracy, error))
    return FALSE;
  clear_bar (loop);
  if (!loop->args->quiet)
    {
      g_print ("epoch %" G_GUINT64_FORMAT "  loss %.6f", s.epoch, s.epoch_loss);
      if (isfinite (val_loss))
        g_print ("  val-loss %.6f", val_loss);
      if (isfinite (accuracy))
        g_print ("  accuracy %.4f", accuracy);
      g_print ("  %.2f s\n", seconds);
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
  return s->epoch >= (guint64) loop->args->epochs
         || (loop->args->steps > 0 && s->step >= (guint64) loop->args->steps);
}

static gboolean
run_loop (Loop *loop, GError **error)
{
  const gint64 pause = (gint64) (loop->args->every_seconds * 1e6);
  KetteTrainState s;
  double loss;

  kette_trainer_get_state (loop->trainer, &s);
  loop->started = loop->epoch_started = loop->saved = g_get_monotonic_time ();
  loop->samples_before                              = s.epoch * s.n_samples + s.position;
  while (!is_done (loop, &s) && !stop_signal)
    {
      if (!kette_trainer_step (loop->trainer, &loss, NULL, error))
        {
          clear_bar (loop);
          return FALSE;
        }
      kette_trainer_get_state (loop->trainer, &s);
      if (loop->args->log_every > 0 && s.step % (guint64) loop->args->log_every == 0)
        log_row (loop, &s, loss, NAN, NAN);
      draw_bar (loop, &s);
      if (s.position == 0 && !end_epoch (loop, error))
        return FALSE;
      if (pause > 0 && g_get_monotonic_time () - loop->saved >= pause
          && !save_on_the_way (loop, error))
        return FALSE;
    }
  clear_bar (loop);
  return TRUE;
}

static gboolean
load_validation (Loop *loop, GError **error)
{
  const TrainArguments *a = loop->args;

  if (a->val_data && !(loop->val_x = kette_tensor_load (a->val_data, error)))
    return FALSE;
  return !a->val_target || (loop->val_t = kette_tensor_load (a->val_target, error));
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
  gboolean ok = load_validation (&loop, error) && open_log (&loop, error);

  catch_signals ();
  ok = ok && run_loop (&loop, error) && save (&loop, error);
  if (ok && !a->quiet)
    g_print ("saved %s%s\n", a->out, stop_signal ? ", to be resumed with --resume" : "");
  ok = close_log (&loop, ok ? error : NULL) && ok;
  kette_tensor_unref (loop.val_x);
  kette_tensor_unref (loop.val_t);
  return ok;
}

int
train_stop_signal (void)
{
  return stop_signal;
}
