/* SPDX-License-Identifier: Apache-2.0
 * External data of a model that is saved: which tensors, where in the file, and the file.
 */
#pragma once
#include "io/save.h"

typedef struct
{
  KetteSaver *saver;
  gboolean outside; /* FALSE: all data go into the model */
  Onnx__ModelProto *model;
  Onnx__TensorProto *
      *tensors; /* those outside, in graph order; raw_data until they refer */
  uint64_t *offsets;
  size_t n, capacity, offsets_capacity;
  KetteTensor **decoded; /* of typed fields, until the file is written */
  size_t n_decoded, decoded_capacity;
  uint64_t size;
  int lock; /* of the data file: no other writer's sweep may take it away; -1: none */
  char sha1[41];
  char *folder, *name; /* of the data file */
} KetteData;

/* A copy of MODEL's messages in the saver's region, in which no tensor refers to the data of
 * the file that was loaded; SELF->outside says what becomes of the large ones. */
gboolean _kette_data_collect (KetteData *self, const Onnx__ModelProto *model,
                              GError **error);
/* Writes the data file for the model FILE, unless it is there already, and lets the tensors
 * refer to it. */
gboolean _kette_data_write (KetteData *self, const char *file, GError **error);
void _kette_data_clear (KetteData *self);
/* Removes the data files of FILE to which neither it nor its predecessor refers. Where that
 * cannot be told, all stay. */
void _kette_data_sweep (const char *file);
