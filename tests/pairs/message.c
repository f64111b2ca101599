/* SPDX-License-Identifier: Apache-2.0
 * Trees of fields, read from text. Short forms of messages are in short.c.
 */
#include "message-private.h"
#include <stdlib.h>
#include <string.h>

static void
entry_clear (gpointer data)
{
  Entry *e = data;

  message_free (e->message);
  g_clear_pointer (&e->bytes, g_bytes_unref);
}

Message *
message_new (const ProtobufCMessageDescriptor *type)
{
  Message *m = g_new0 (Message, 1);

  m->type    = type;
  m->entries = g_array_new (FALSE, TRUE, sizeof (Entry));
  g_array_set_clear_func (m->entries, entry_clear);
  return m;
}

void
message_free (Message *m)
{
  if (!m)
    return;
  g_array_unref (m->entries);
  g_free (m);
}

static Entry
entry_copy (const Entry *e)
{
  Entry copy = *e;

  if (copy.message)
    copy.message = message_copy (copy.message);
  if (copy.bytes)
    g_bytes_ref (copy.bytes);
  return copy;
}

Message *
message_copy (const Message *m)
{
  Message *copy = message_new (m->type);

  for (guint i = 0; i < m->entries->len; i++)
    {
      Entry e = entry_copy (&g_array_index (m->entries, Entry, i));

      g_array_append_val (copy->entries, e);
    }
  return copy;
}

void
text_fail (const Text *t, const char *what)
{
  g_error ("%s: %s at \"%.40s\"", t->where, what, t->p);
}

void
text_blanks (Text *t)
{
  while (*t->p == ' ' || *t->p == '\n' || *t->p == '\t')
    t->p++;
}

gboolean
text_take (Text *t, char c)
{
  text_blanks (t);
  if (*t->p != c)
    return FALSE;
  t->p++;
  return TRUE;
}

char *
text_word (Text *t)
{
  const char *begin;

  text_blanks (t);
  begin = t->p;
  while (g_ascii_isalnum (*t->p) || *t->p == '_')
    t->p++;
  if (t->p == begin)
    text_fail (t, "a name is missing");
  return g_strndup (begin, (gsize) (t->p - begin));
}

static guint8
text_hex (Text *t)
{
  if (!g_ascii_isxdigit (t->p[0]) || !g_ascii_isxdigit (t->p[1]))
    text_fail (t, "two hexadecimal digits are missing");
  t->p += 2;
  return (guint8) (g_ascii_xdigit_value (t->p[-2]) << 4
                   | g_ascii_xdigit_value (t->p[-1]));
}

/* "^100": what stands from FROM on, 100 times. */
static void
text_power (Text *t, GByteArray *out, guint from)
{
  g_autofree guint8 *piece = NULL;
  const guint n            = out->len - from;
  guint64 times;
  char *end;

  if (*t->p != '^')
    return;
  times = g_ascii_strtoull (t->p + 1, &end, 10);
  t->p  = end;
  piece = g_memdup2 (out->data + from, n);
  g_byte_array_set_size (out, from);
  for (guint64 i = 0; i < times; i++)
    g_byte_array_append (out, piece, n);
}

static void
text_index (Text *t, GByteArray *out)
{
  char number[32];
  gint64 i = t->index;

  if (*t->p == '+' || *t->p == '-')
    i += *t->p++ == '+' ? 1 : -1;
  g_snprintf (number, sizeof number, "%" G_GINT64_FORMAT, i);
  g_byte_array_append (out, (const guint8 *) number, (guint) strlen (number));
}

static void
text_quoted (Text *t, GByteArray *out)
{
  const guint from = out->len;

  for (t->p++; *t->p != '"';)
    {
      guint8 c = (guint8) *t->p++;

      if (c == '\0')
        text_fail (t, "a quotation mark is missing");
      if (c == '%' && t->index >= 0)
        {
          text_index (t, out);
          continue;
        }
      if (c == '\\')
        switch (*t->p++)
          {
          case 'n':
            c = '\n';
            break;
          case 't':
            c = '\t';
            break;
          case 'x':
            c = text_hex (t);
            break;
          default:
            c = (guint8) t->p[-1];
          }
      g_byte_array_append (out, &c, 1);
    }
  t->p++;
  text_power (t, out, from);
}

/* "ab" "c"^9 x00ff^3: texts and hexadecimal numbers, joined. */
GBytes *
text_bytes (Text *t)
{
  GByteArray *out = g_byte_array_new ();

  for (text_blanks (t);; text_blanks (t))
    if (*t->p == '"')
      text_quoted (t, out);
    else if (*t->p == 'x' && (g_ascii_isxdigit (t->p[1]) || t->p[1] == '^'))
      {
        const guint from = out->len;

        for (t->p++; g_ascii_isxdigit (*t->p);)
          {
            const guint8 byte = text_hex (t);

            g_byte_array_append (out, &byte, 1);
          }
        text_power (t, out, from);
      }
    else
      return g_byte_array_free_to_bytes (out);
}

static Wire
wire_of (const ProtobufCFieldDescriptor *field)
{
  switch (field->type)
    {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
      return WIRE_BLOCK;
    case PROTOBUF_C_TYPE_DOUBLE:
      return WIRE_FIXED64;
    case PROTOBUF_C_TYPE_FLOAT:
      return WIRE_FIXED32;
    default:
      return WIRE_VARINT;
    }
}

/* A number, or a name out of the enum of the field (of element types for those). */
static guint64
text_number (Text *t, const ProtobufCFieldDescriptor *field, Wire wire)
{
  char *end;
  guint64 v;

  text_blanks (t);
  if (wire == WIRE_FIXED32 || wire == WIRE_FIXED64)
    {
      const double d = g_ascii_strtod (t->p, &end);
      const float f  = (float) d;
      guint32 bits;

      memcpy (&bits, &f, sizeof bits);
      v = bits;
      if (wire == WIRE_FIXED64)
        memcpy (&v, &d, sizeof v);
    }
  else if (g_ascii_isalpha (*t->p))
    {
      g_autofree char *name = text_word (t);

      return (guint64) (gint64) (field && field->type == PROTOBUF_C_TYPE_ENUM
                                     ? enum_number (t, field->descriptor, name)
                                     : element_number (t, name));
    }
  else if (*t->p == '-')
    v = (guint64) g_ascii_strtoll (t->p, &end, 10);
  else
    v = g_ascii_strtoull (t->p, &end, 10);
  if (end == t->p)
    text_fail (t, "a number is missing");
  t->p = end;
  return v;
}

/* [1 2 3]: one field with all numbers. */
static void
text_packed (Text *t, Message *m, const ProtobufCFieldDescriptor *field)
{
  const Wire wire = wire_of (field);
  GByteArray *out = g_byte_array_new ();

  while (!text_take (t, ']'))
    {
      const guint64 v = text_number (t, field, wire);

      if (wire == WIRE_VARINT)
        put_varint (out, v);
      else
        put_little_endian (out, v, wire == WIRE_FIXED64 ? 8 : 4);
      text_take (t, ',');
    }
  message_add_bytes (m, field->id, WIRE_BLOCK, g_byte_array_free_to_bytes (out));
}

void
message_add_bytes (Message *m, guint64 number, Wire wire, GBytes *bytes)
{
  Entry e = { .number = number, .wire = wire, .bytes = bytes };

  g_array_append_val (m->entries, e);
}

void
message_add_number (Message *m, guint64 number, Wire wire, guint64 value)
{
  Entry e = { .number = number, .wire = wire, .value = value };

  g_array_append_val (m->entries, e);
}

Message *
message_add_message (Message *m, const ProtobufCFieldDescriptor *field)
{
  Entry e = { .number = field->id, .wire = WIRE_BLOCK };

  e.message = message_new (field->descriptor);
  g_array_append_val (m->entries, e);
  return e.message;
}

const ProtobufCFieldDescriptor *
message_field (const Text *t, const Message *m, const char *name)
{
  const ProtobufCFieldDescriptor *field
      = protobuf_c_message_descriptor_get_field_by_name (m->type, name);

  if (!field)
    g_error ("%s: %s has no field \"%s\"", t->where, m->type->short_name, name);
  return field;
}

static void
text_message (Text *t, Message *m, const ProtobufCFieldDescriptor *field)
{
  Message *inner = message_add_message (m, field);

  text_blanks (t);
  if (*t->p == '"')
    {
      g_autoptr (GBytes) bytes = text_bytes (t);
      gsize n;
      const char *data      = g_bytes_get_data (bytes, &n);
      g_autofree char *copy = g_strndup (data ? data : "", n);

      if (strlen (copy) != n)
        text_fail (t, "a short form with a zero byte");
      short_form (t, inner, copy);
      text_blanks (t);
      if (*t->p != '{')
        return;
    }
  if (!text_take (t, '{'))
    text_fail (t, "a message in {} is missing");
  text_fields (t, inner, '}');
}

/* The value behind a field's name or number. */
static void
text_value (Text *t, Message *m, guint64 number, const ProtobufCFieldDescriptor *field)
{
  text_take (t, ':');
  text_blanks (t);
  if (!field && (*t->p == '"' || *t->p == 'x'))
    message_add_bytes (m, number, WIRE_BLOCK, text_bytes (t));
  else if (!field)
    message_add_number (m, number, WIRE_VARINT, text_number (t, NULL, WIRE_VARINT));
  else if (field->type == PROTOBUF_C_TYPE_MESSAGE)
    text_message (t, m, field);
  else if (wire_of (field) == WIRE_BLOCK)
    message_add_bytes (m, number, WIRE_BLOCK, text_bytes (t));
  else if (*t->p == '[')
    {
      t->p++;
      text_packed (t, m, field);
    }
  else
    message_add_number (m, number, wire_of (field),
                        text_number (t, field, wire_of (field)));
}

static void
text_field (Text *t, Message *m)
{
  const ProtobufCFieldDescriptor *field = NULL;
  const char *begin;
  gint64 times = 1, outer = t->index;
  guint64 number = 0;

  text_blanks (t);
  if (g_ascii_isdigit (*t->p))
    number = text_number (t, NULL, WIRE_VARINT);
  else
    {
      g_autofree char *name = text_word (t);

      if (strcmp (name, "raw") == 0)
        {
          message_add_bytes (m, 0, WIRE_RAW, text_bytes (t));
          return;
        }
      field  = message_field (t, m, name);
      number = field->id;
    }
  if (text_take (t, '*'))
    {
      times    = (gint64) text_number (t, NULL, WIRE_VARINT);
      t->index = 0;
    }
  begin = t->p;
  for (gint64 i = 0; i < times; i++)
    {
      t->p = begin;
      if (times > 1)
        t->index = i;
      text_value (t, m, number, field);
    }
  t->index = outer;
}

void
text_fields (Text *t, Message *m, char end)
{
  while (!text_take (t, end))
    {
      if (*t->p == '\0')
        text_fail (t, "the end is missing");
      text_field (t, m);
    }
}

void
message_parse (Message *m, const char *text, const char *where)
{
  Text t = { .p = text, .where = where, .index = -1 };

  for (text_blanks (&t); *t.p; text_blanks (&t))
    text_field (&t, m);
}
