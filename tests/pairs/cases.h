/* SPDX-License-Identifier: Apache-2.0
 * Files of pairs: a faulty model with the text of its error, and its valid neighbour.
 *
 *   base add                        a model that pairs start from, written as message.h says
 *     ir_version: 8 ...
 *   pair twice "one definition each"   a check by its name, and the sentence that asks for it
 *     of add                        the base; without it the last one of the file
 *     add graph node "y = Relu x"   edits, which make the fault (message.h)
 *     load graph: ...               where it is found, and the error in full
 *     good                          then come edits of the base that make the neighbour;
 *                                   without it the neighbour is the base as it is
 *
 * An error is compared in full, where "<N>" stands for any number.
 * Stages: load, infer (a session is made), run. Further lines of a side: "nest N A | B @ C | D"
 * (A, N times B, D, N times C), "bytes X" (instead of the message), "append X", "cut N", "poke AT X"
 * (X as in raw), "feed "x float[2] 1 2"", "limit NAME=VALUE", "allow newer"
 * (links, checksums, bodies: instead of kernels), "root FOLDER". Of a neighbour: "loads" and
 * "infers", when it is not meant to run, "warns TEXT". A line that is indented by more than four
 * continues the one before.
 */
#pragma once
#include <glib.h>

typedef enum
{
  STAGE_LOAD,
  STAGE_INFER,
  STAGE_RUN,
  STAGES
} Stage;

typedef struct
{
  GPtrArray *lines; /* Line */
} Side;

typedef struct
{
  char *text, *where; /* where: "names.txt:12" */
} Line;

typedef struct
{
  char *name, *quote, *where, *base;
  Side fault, good;
  gboolean has_good;
  Stage stage, reach; /* of the fault; how far the neighbour gets */
  char *error;
} Pair;

typedef struct
{
  GHashTable *bases; /* name -> Message */
  GPtrArray *pairs;  /* Pair */
} Cases;

Cases *cases_read (const char *file);
void cases_free (Cases *self);
