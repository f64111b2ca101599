/* SPDX-License-Identifier: Apache-2.0
 * Comparing unpacked ONNX messages field by field, through protobuf-c's descriptors, so that
 * a field which nobody thought of is compared too.
 */
#pragma once
#include "graph/graph-private.h"
#include "onnx.pb-c.h"

/* NULL: SAVED says what ORIGINAL says, but for what Kette changes on purpose (see the .c);
 * else the place and the difference, in a static buffer. */
const char *messages_differ (const Onnx__ModelProto *original,
                             const Onnx__ModelProto *saved);
/* Adds an unknown field to MESSAGE and all messages in it, freed with them. */
void messages_add_unknown (ProtobufCMessage *message);
/* anew.c: saving GRAPH no longer uses the messages of its file. */
void messages_forget (KetteGraph *graph);
