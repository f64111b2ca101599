/* SPDX-License-Identifier: Apache-2.0
 * The mutator's own view: mutate.c unpacks and packs, mutate-field.c edits fields whatever they
 * mean, mutate-model.c knows what the fields of a model are for.
 */
#pragma once
#include "fuzz.h"
#include "io/scan.h"
#include "onnx.pb-c.h"

typedef struct
{
  uint64_t state;
  size_t most; /* bytes of the result */
  KetteRegion *region;
  ProtobufCMessage *root;
  GPtrArray *messages, *texts; /* of the whole model */
} Mutator;

#define FUZZ_AT(message, offset) ((void *) ((char *) (message) + (offset)))
uint64_t _fuzz_next (Mutator *m);
/* 0 .. N - 1; 0 for N 0. */
size_t _fuzz_below (Mutator *m, size_t n);
/* Zeroed, lives as long as the mutator. */
void *_fuzz_alloc (Mutator *m, size_t count, size_t size);
/* Any message of TYPE (NULL: of any type); NULL: there is none. */
ProtobufCMessage *_fuzz_any (Mutator *m, const ProtobufCMessageDescriptor *type);
char *_fuzz_any_text (Mutator *m);
/* NULL: too large. */
ProtobufCMessage *_fuzz_copy (Mutator *m, const ProtobufCMessage *message);

/* mutate-field.c: one edit of any field. */
void _fuzz_edit_field (Mutator *m);
/* mutate-model.c: one edit that means something. */
void _fuzz_edit_model (Mutator *m);
