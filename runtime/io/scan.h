/* SPDX-License-Identifier: Apache-2.0
 * From bytes to checked messages.
 */
#pragma once
#include "base/alloc.h"
#include "base/limits-private.h"
#include <protobuf-c/protobuf-c.h>

#define KETTE_STUB_BYTES 16 /* raw_data from this size on is replaced by a stub */

/* A private copy of a message's bytes that was checked, with the weights left out: each
 * raw_data of 16 bytes or more is 16 bytes, its offset and length in the original. */
typedef struct
{
  uint8_t *data; /* _kette_free */
  size_t n, capacity;
  size_t estimate; /* bytes that the unpacked message will need, about */
} KetteThin;

gboolean _kette_scan (GBytes *bytes, const ProtobufCMessageDescriptor *type,
                      const KetteLimits *limits, KetteThin *out, GError **error);
/* The cap of the estimate for a file of SIZE bytes. */
size_t _kette_scan_cap (const KetteLimits *limits, size_t size);

/* The error for a message that needs more than CAP bytes. */
gboolean _kette_scan_too_much (size_t cap, GError **error);

/* An unpacked message. Its raw_data point into BYTES. Everything is freed with it. */
typedef struct
{
  ProtobufCMessage *root;
  GBytes *bytes;
  KetteRegion *region; /* small blocks */
  void *large;         /* list of the others */
  size_t used, cap;
  gboolean refused;
} KetteMessage;

/* LIMITS: complete, without zeros but for unpacked_bytes. */
KetteMessage *_kette_message_new (GBytes *bytes, const ProtobufCMessageDescriptor *type,
                                  const KetteLimits *limits, GError **error);
void _kette_message_free (gpointer message);
