/* SPDX-License-Identifier: Apache-2.0
 * What all verbs share that read a model: options of loading, limits, time, signals.
 */
#pragma once
#include "kette.h"

/* --limit, --max-memory, --time-limit, --data-root, ... : part of every verb's options. */
void kette_tool_add_model_options (GOptionContext *context);
/* After parsing: 0, or the exit status of wrong use. */
int kette_tool_apply_model_options (void);
/* The model FILE, "-" for standard input, as the options say. */
KetteGraph *kette_tool_load (const char *file, GError **error);
/* The same, with up to 20 faults handed to FAULT. */
KetteGraph *kette_tool_load_with (const char *file, KetteFaultFunc fault, gpointer user,
                                  GError **error);
/* What stops the verb: its time limit, and from the first call on SIGINT and SIGTERM, so ask
 * for it only to hand it to work that looks at it. */
GCancellable *kette_tool_deadline (void);
/* The signal that stops the verb; 0: none. */
int kette_tool_signal (void);
