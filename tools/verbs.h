/* SPDX-License-Identifier: Apache-2.0
 * The verbs of the command `kette`: one file each, a function that takes the words from the
 * verb on and returns the exit status.
 */
#pragma once
#include "kette.h"

int kette_verb_info (int argc, char **argv);
int kette_verb_check (int argc, char **argv);
int kette_verb_diff (int argc, char **argv);
int kette_verb_run (int argc, char **argv);
int kette_verb_test (int argc, char **argv);
int kette_verb_train (int argc, char **argv);
int kette_verb_grad (int argc, char **argv);
int kette_verb_convert (int argc, char **argv);
int kette_verb_draw (int argc, char **argv);
int kette_verb_ops (int argc, char **argv);
int kette_verb_bench (int argc, char **argv);

enum /* exit statuses beside those of errors */
{
  KETTE_EXIT_FAULTS = 1, /* check, test, bench ran and found faults */
  KETTE_EXIT_USAGE  = 64,
  KETTE_EXIT_IO     = 66
};

/* Prints the error on standard error; returns its exit status (docs: errors). */
int kette_tool_fail (const GError *error);
/* The options of a verb: parses ARGV in place; FALSE: *status is the exit status. USAGE is
 * what stands behind the verb's name, SUMMARY one sentence, EXAMPLES whole lines. */
gboolean kette_tool_parse (int *argc, char ***argv, const GOptionEntry *entries,
                           const char *usage, const char *summary, const char *examples,
                           int *status);
/* Says on standard error what is wrong with the words of the command; KETTE_EXIT_USAGE. */
int kette_tool_usage (const char *format, ...) G_GNUC_PRINTF (1, 2);
/* Warnings of the library become lines on standard error. */
void kette_tool_catch_warnings (void);
/* Says on standard error which --place of FILE's SESSION, which has run, fit no node. */
void kette_tool_warn_places (const char *file, KetteSession *session);
/* Writes TEXT to standard output. */
void kette_tool_print (const char *text);
/* Writes what is still in the buffer of standard output; the exit status. A reader that went
 * away (kette info m.onnx | head -1) is no fault and nothing is said; a full disk is. */
int kette_tool_finish (int status);
