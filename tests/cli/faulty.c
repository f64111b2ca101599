/* SPDX-License-Identifier: Apache-2.0
 * A plugin that does everything wrong: the operator faulty:Fault, y = x, whose attribute "how"
 * says in which way.
 */
#include "kette-plugin.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *
how (const void *ctx, const kt_host *host)
{
  kt_attr attr;

  return host->attr (ctx, "how", &attr) == KT_OK && attr.kind == KT_A_STRING ? attr.v
                                                                             : "";
}

/* On purpose: no sanitizer is to say so. */
__attribute__ ((no_sanitize ("undefined"))) static void
crash (void)
{
  volatile int *volatile nowhere = NULL;

  *nowhere = 1;
}

/* Until the stack is used up; through a pointer, so that no compiler sees it coming. */
static int (*volatile deeper) (const volatile char *above);

static int
overflow (const volatile char *above)
{
  volatile char room[4096];

  memset ((char *) room, 1, sizeof room);
  return above[0] + deeper (room) + room[100];
}

static void
doze (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const struct timespec tile = { .tv_nsec = 2000000 };

  (void) begin;
  (void) end;
  (void) worker;
  if (arg)
    crash ();
  nanosleep (&tile, NULL);
}

static kt_status
fault_infer (const kt_host *host, kt_infer *infer, void *user)
{
  kt_type type;

  (void) user;
  if (strcmp (how (infer, host), "infer") == 0)
    crash ();
  host->type (infer, 0, 0, &type);
  return host->out_type (infer, 0, &type);
}

static kt_status
fault_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const char *what = how (prep, host);
  char *kept;

  (void) user;
  if (strcmp (what, "prepare") == 0)
    crash ();
  if (host->keep (prep, strlen (what) + 1, (void **) &kept) != KT_OK)
    return KT_E_NOMEM;
  strcpy (kept, what);
  *state = kept;
  return KT_OK;
}

static kt_status
fault_run (const kt_host *host, kt_run *run, void *state)
{
  const char *what = state;
  kt_status status = KT_OK;
  size_t bytes     = 4;

  if (strcmp (what, "segv") == 0)
    crash ();
  else if (strcmp (what, "exit") == 0)
    exit (0);
  else if (strcmp (what, "fpe") == 0)
    raise (SIGFPE);
  else if (strcmp (what, "abort") == 0)
    abort ();
  else if (strcmp (what, "overflow") == 0)
    {
      deeper = overflow;
      return overflow ("");
    }
  else if (strcmp (what, "worker") == 0)
    status = host->parallel_for (run, 1000, 1, doze, run);
  else if (strcmp (what, "endless") == 0)
    status = host->parallel_for (run, INT64_MAX, 1, doze, NULL);
  else if (strcmp (what, "asking") == 0)
    while (!host->cancelled (run))
      doze (NULL, 0, 1, 0);
  if (strcmp (what, "asking") == 0)
    status = KT_E_CANCELLED;
  if (*what == '-') /* the number of a status, without a text */
    status = (kt_status) strtol (what, NULL, 10);
  if (status != KT_OK)
    return status;
  for (int32_t d = 0; d < run->in[0].ndim; d++)
    bytes *= (size_t) run->in[0].shape[d];
  memcpy (run->out[0].data, run->in[0].data, bytes);
  return KT_OK;
}

static const kt_param x     = { .name = "x", .type = "f32" },
                      y     = { .name = "y", .type = "f32" };
static const kt_param attrs = { .name = "how", .type = "STRING", .def = "" };

__attribute__ ((visibility ("default"))) kt_entry kette_plugin_v0;

kt_status
kette_plugin_v0 (const kt_host *host, kt_reg *reg)
{
  const kt_op op         = { .struct_size = sizeof op,
                             .domain      = "faulty",
                             .name        = "Fault",
                             .since       = 1,
                             .n_in        = 1,
                             .n_out       = 1,
                             .n_attr      = 1,
                             .in          = &x,
                             .out         = &y,
                             .attr        = &attrs,
                             .infer       = fault_infer };
  const kt_kernel kernel = { .struct_size = sizeof kernel,
                             .domain      = "faulty",
                             .name        = "Fault",
                             .device      = "cpu",
                             .since       = 1,
                             .prepare     = fault_prepare,
                             .run         = fault_run };
  const kt_status status = host->add_op (reg, &op);

  return status == KT_OK ? host->add_kernel (reg, &kernel) : status;
}
