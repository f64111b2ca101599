/* SPDX-License-Identifier: Apache-2.0
 * Signals and the time limit of the command: one deadline, which all work looks at.
 */
#include "stop.h"
#include "crash.h"
#include <signal.h>
#include <unistd.h>

static KetteDeadline *deadline;

/* The second signal: what is on the disk is whole at any moment. */
static void
on_signal (int number)
{
  if (kette_deadline_get_signal (deadline))
    _exit (128 + number);
  kette_deadline_interrupt (deadline, number);
}

/* A signal that is ignored, as behind nohup or "&" in a script, stays ignored. */
static void
catch_signal (int number)
{
  const struct sigaction action = { .sa_handler = on_signal };
  struct sigaction old;

  if (sigaction (number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
    sigaction (number, &action, NULL);
}

void
kette_tool_watch (void)
{
  kette_tool_watch_crashes ();
  signal (SIGPIPE, SIG_IGN); /* a closed pipe ends the command by its write error */
  signal (SIGXFSZ, SIG_IGN); /* a file at its size limit is a write error, no death */
  deadline = kette_deadline_new (0);
  g_cancellable_push_current (G_CANCELLABLE (deadline));
  catch_signal (SIGINT);
  catch_signal (SIGTERM);
}

void
kette_tool_set_time_limit (double seconds)
{
  kette_deadline_set_seconds (deadline, seconds);
}

GCancellable *
kette_tool_deadline (void)
{
  return G_CANCELLABLE (deadline);
}

int
kette_tool_signal (void)
{
  return kette_deadline_get_signal (deadline);
}
