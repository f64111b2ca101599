/* SPDX-License-Identifier: Apache-2.0
 * ONNX messages from text that a person can write, for tests. Names and types of the fields
 * are those of protobuf-c's descriptors (and so of schema/onnx.proto).
 *
 *   ir_version: 8 opset_import { version: 13 } graph { name: "g" }     as in protobuf's text form
 *   77: 5        a number is a field that no schema knows           raw x0a03  bytes as they are
 *   ints [1 2 3] packed       raw_data x00ff^8  bytes, repeated      doc_string "ab"^100 "c"
 *   node *10 "y%+ = Relu y%"  ten fields; % is their index, %+ and %- the next and the last
 *
 * A text where a message belongs is short for one, and {} behind it adds fields:
 *   input "x float[2,N,?]"           ValueInfoProto; also seq(T), opt(T), map(int64,T)
 *   node "n0: y z = Split x axis=1"  NodeProto; "_" is an absent value, "d:F" an operator of d
 *   initializer "w float[2] 1 2"     TensorProto; the numbers go to the typed field
 *   attribute "axis=1"               AttributeProto: 1  0.5  'text'  [1,2]  [0.5]  {a,b}
 *   opset_import "13" or "d:1"       OperatorSetIdProto
 *   metadata_props "key=value"       StringStringEntryProto
 */
#pragma once
#include <glib.h>
#include <protobuf-c/protobuf-c.h>

typedef struct Message Message;

Message *message_new (const ProtobufCMessageDescriptor *type);
Message *message_copy (const Message *m);
void message_free (Message *m);
/* Appends the fields of TEXT. WHERE ("names.txt:12") stands in the report of a mistake, which
 * ends the program. */
void message_parse (Message *m, const char *text, const char *where);
/* One line: "set PATH FIELD VALUE", "add PATH FIELDS", "del PATH FIELD"; PATH is "." or
 * "graph.node[1].attribute[0]", FIELD "name" (all of that name) or "name[1]". */
void message_edit (Message *m, const char *line, const char *where);
/* The bytes on the wire. */
GByteArray *message_pack (const Message *m);
