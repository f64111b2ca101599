/* SPDX-License-Identifier: Apache-2.0
 * Between the files that make messages.
 */
#pragma once
#include "message.h"

typedef enum
{
  WIRE_VARINT  = 0,
  WIRE_FIXED64 = 1,
  WIRE_BLOCK   = 2,
  WIRE_FIXED32 = 5,
  WIRE_RAW     = 6 /* bytes without a tag */
} Wire;

typedef struct
{
  guint64 number, value;
  Wire wire;
  GBytes *bytes;
  Message *message;
} Entry;

struct Message
{
  const ProtobufCMessageDescriptor *type;
  GArray *entries; /* Entry */
};

typedef struct
{
  const char *p, *where;
  gint64 index; /* within "*N": which one; else -1 */
} Text;

/* message.c */
G_NORETURN void text_fail (const Text *t, const char *what);
void text_blanks (Text *t);
gboolean text_take (Text *t, char c);
char *text_word (Text *t);
GBytes *text_bytes (Text *t);
void text_fields (Text *t, Message *m, char end);
const ProtobufCFieldDescriptor *message_field (const Text *t, const Message *m,
                                               const char *name);
/* Each takes BYTES over. */
void message_add_bytes (Message *m, guint64 number, Wire wire, GBytes *bytes);
void message_add_number (Message *m, guint64 number, Wire wire, guint64 value);
Message *message_add_message (Message *m, const ProtobufCFieldDescriptor *field);

/* wire.c */
void put_varint (GByteArray *out, guint64 v);
void put_little_endian (GByteArray *out, guint64 v, guint n);

/* short.c */
void short_form (Text *t, Message *m, const char *text);
gint32 enum_number (const Text *t, const ProtobufCEnumDescriptor *type, const char *name);
/* Of "FLOAT" or "float". */
gint32 element_number (const Text *t, const char *name);
