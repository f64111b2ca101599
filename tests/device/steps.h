/* SPDX-License-Identifier: Apache-2.0
 * Training steps over several devices, and graphs, for the tests of devices.
 */
#pragma once
#include "exec/places.h"
#include "networks.h"

enum
{
  STEPS        = 7, /* batches of 10, 10, 5, ...: the third one of 10 is recorded */
  N_PLACEMENTS = 7
};

enum
{
  DENSE,
  CNN,    /* with batch normalisation */
  DROPOUT /* that, dropout, and Adam */
};

typedef struct
{
  const char *name;
  int network;
  const char *device;
  const char *place[6];
} Placement;

extern const Placement placements[N_PLACEMENTS];

/* The main function's first words. */
void steps_init (int *argc, char ***argv);
KetteTrainer *trainer_new (const Placement *p, KetteGraph **graph, GError **error);
/* STEPS steps, the last one of a smaller batch; the digest of all weights, NULL with *error. */
char *train (const Placement *p, GError **error);
char *train_on_cpu (const Placement *p);
/* Bytes that guard:0 has left. */
size_t free_memory (void);
/* A chain of N tiny nodes "n0", "n1", ... on "x" [4]. */
KetteGraph *chain_new (int n);
