/* SPDX-License-Identifier: Apache-2.0
 * What the thread is doing in a plugin right now, for a program's crash reporter. The handler
 * of a signal reads it: plain pointers to texts that outlive the call.
 */
#pragma once
#include "base/kette-base.h"

typedef struct
{
  const char *plugin; /* file */
  const char *node;   /* its name; "": none; NULL: no node is concerned */
  const char *op;
  const char *task; /* NULL: run; "infer", "prepare", ... */
  guint32 index;    /* of the node in its graph */
} KetteRunning;

/* Set before a plugin is called: one store per step. Whoever sets it puts back what was there
 * when the plugin has returned. */
extern _Thread_local const KetteRunning *_kette_running
    __attribute__ ((tls_model ("initial-exec")));

/* `plugin "kette-x.so", node "n0" (Swish)`; "" and 0: no plugin is at work. Takes no lock and no
 * memory. */
gsize _kette_running_text (char *out, gsize size);
