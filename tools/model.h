/* SPDX-License-Identifier: Apache-2.0
 * What all verbs share that read a model: options of loading, limits, time, signals.
 */
#pragma once
#include "stop.h"

/* --limit, --max-memory, --time-limit, --data-root, ... : part of every verb's options. */
void kette_tool_add_model_options (GOptionContext *context);
/* After parsing: 0, or the exit status of wrong use. */
int kette_tool_apply_model_options (void);
/* Warns when the file is not what Kette wrote into it. */
void kette_tool_verify (KetteGraph *graph, const char *file);
/* The model FILE, "-" for standard input, as the options say; verified. */
KetteGraph *kette_tool_load (const char *file, GError **error);
/* The same, not verified, with up to 20 faults handed to FAULT (or NULL). */
KetteGraph *kette_tool_load_with (const char *file, KetteFaultFunc fault, gpointer user,
                                  GError **error);
