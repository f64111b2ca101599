/* SPDX-License-Identifier: Apache-2.0
 * Trees of fields as bytes.
 */
#include "message-private.h"

void
put_varint (GByteArray *out, guint64 v)
{
  do
    {
      const guint8 byte = (guint8) ((v & 0x7f) | (v > 0x7f ? 0x80 : 0));

      g_byte_array_append (out, &byte, 1);
      v >>= 7;
    }
  while (v > 0);
}

void
put_little_endian (GByteArray *out, guint64 v, guint n)
{
  const guint64 le = GUINT64_TO_LE (v);

  g_byte_array_append (out, (const guint8 *) &le, n);
}

static void
put_block (GByteArray *out, guint64 number, const void *data, gsize n)
{
  put_varint (out, number << 3 | 2);
  put_varint (out, n);
  g_byte_array_append (out, data, (guint) n);
}

static void
put_entry (GByteArray *out, const Entry *e)
{
  gsize n;

  switch (e->wire)
    {
    case WIRE_VARINT:
      put_varint (out, e->number << 3);
      put_varint (out, e->value);
      break;
    case WIRE_FIXED64:
    case WIRE_FIXED32:
      put_varint (out, e->number << 3 | (guint64) e->wire);
      put_little_endian (out, e->value, e->wire == WIRE_FIXED64 ? 8 : 4);
      break;
    case WIRE_BLOCK:
      if (e->message)
        {
          GByteArray *inner = message_pack (e->message);

          put_block (out, e->number, inner->data, inner->len);
          g_byte_array_unref (inner);
        }
      else
        {
          const void *data = g_bytes_get_data (e->bytes, &n);

          put_block (out, e->number, data, n);
        }
      break;
    case WIRE_RAW:
      {
        const void *data = g_bytes_get_data (e->bytes, &n);

        g_byte_array_append (out, data, (guint) n);
        break;
      }
    }
}

GByteArray *
message_pack (const Message *m)
{
  GByteArray *out = g_byte_array_new ();

  for (guint i = 0; i < m->entries->len; i++)
    put_entry (out, &g_array_index (m->entries, Entry, i));
  return out;
}
