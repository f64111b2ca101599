/* SPDX-License-Identifier: Apache-2.0
 * The crash reporter: names the plugin and the node that were at work, then lets the signal do
 * what it would have done without it.
 */
#include "crash.h"
#include "kette.h"
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum
{
  STACK_BYTES = 64 * 1024,
  EXIT_PLUGIN = 69
};

static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
static struct sigaction before[G_N_ELEMENTS (fatal)];
static char spare_stack[STACK_BYTES];

/* Writes "kette: WHAT TEXT\n", with the number of a signal where that is not 0. */
static void
report (const char *what, const char *text, int number)
{
  char line[768];
  const char *parts[] = { "kette: ", what, text };
  size_t n            = 0;

  for (size_t i = 0; i < G_N_ELEMENTS (parts); i++)
    for (const char *p = parts[i]; *p && n < sizeof line - 32; p++)
      line[n++] = *p;
  if (number)
    {
      const char tail[] = " (signal ";
      memcpy (line + n, tail, sizeof tail - 1);
      n += sizeof tail - 1;
      if (number >= 10)
        line[n++] = (char) ('0' + number / 10);
      line[n++] = (char) ('0' + number % 10);
      line[n++] = ')';
    }
  line[n++] = '\n';
  while (write (STDERR_FILENO, line, n) < 0 && errno == EINTR)
    ;
}

static void
on_crash (int number, siginfo_t *info, void *context)
{
  static atomic_int reporter; /* thread; several may crash at once, one reports */
  const int self = gettid ();
  int nobody     = 0;
  char text[640];

  (void) context;
  if (atomic_compare_exchange_strong (&reporter, &nobody, self))
    {
      if (kette_plugins_running (text, sizeof text) > 0)
        report ("crashed in ", text, number);
      else
        report ("crashed", "; please report it", number);
    }
  else if (nobody != self)
    for (;;) /* until the reporter's crash ends the process */
      pause ();
  /* Whoever handled the signal before us gets it next; mostly that is the system. */
  for (size_t i = 0; i < G_N_ELEMENTS (fatal); i++)
    sigaction (fatal[i], &before[i], NULL);
  /* A fault of the program comes again behind this handler; a signal that was sent does not. */
  if (info->si_code <= 0)
    raise (number);
}

/* A plugin that calls exit () ends us with its own status, as if all were done. */
static void
on_exit_call (void)
{
  char text[640];

  if (kette_plugins_running (text, sizeof text) == 0)
    return;
  fflush (stdout);
  report ("the program was ended by ", text, 0);
  _exit (EXIT_PLUGIN);
}

void
kette_tool_watch_crashes (void)
{
  const stack_t stack     = { .ss_sp = spare_stack, .ss_size = sizeof spare_stack };
  struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK };

  action.sa_sigaction = on_crash;
  sigemptyset (&action.sa_mask);
  sigaltstack (&stack, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (fatal); i++)
    sigaction (fatal[i], &action, &before[i]);
  atexit (on_exit_call);
}
