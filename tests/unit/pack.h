/* SPDX-License-Identifier: Apache-2.0
 * Protobuf messages from a short text, for tests: "8:{2:13} 4:'Relu' 9:x00ff" is a message in
 * field 8, a text in field 4, bytes in field 9. Numbers are varints, "N:fX" a 32-bit float, "N:dX" a
 * 64-bit one. "~" before a closing brace, or at the end, leaves out the last byte.
 */
#pragma once
#include <glib.h>
#include <stdlib.h>
#include <string.h>

static inline void
pack_varint (GByteArray *out, guint64 v)
{
  do
    {
      const guint8 byte = (guint8) ((v & 0x7f) | (v > 0x7f ? 0x80 : 0));

      g_byte_array_append (out, &byte, 1);
      v >>= 7;
    }
  while (v > 0);
}

static inline void
pack_tag (GByteArray *out, guint64 field, unsigned wire)
{
  pack_varint (out, field << 3 | wire);
}

static inline void
pack_bytes (GByteArray *out, guint64 field, const void *data, gsize n)
{
  pack_tag (out, field, 2);
  pack_varint (out, n);
  g_byte_array_append (out, data, (guint) n);
}

static inline GByteArray *pack_until (const char **text, char end);

static inline void
pack_field (GByteArray *out, const char **text)
{
  char *p;
  const guint64 field = g_ascii_strtoull (*text, &p, 10);

  g_assert_cmpint (*p, ==, ':');
  p++;
  if (*p == '{')
    {
      GByteArray *inner;

      *text = p + 1;
      inner = pack_until (text, '}');
      pack_bytes (out, field, inner->data, inner->len);
      g_byte_array_unref (inner);
      return;
    }
  if (*p == '\'')
    {
      const char *end = strchr (p + 1, '\'');

      g_assert_nonnull (end);
      pack_bytes (out, field, p + 1, (gsize) (end - p - 1));
      *text = end + 1;
      return;
    }
  if (*p == 'x')
    {
      GByteArray *bytes = g_byte_array_new ();

      for (p++; g_ascii_isxdigit (p[0]) && g_ascii_isxdigit (p[1]); p += 2)
        {
          const guint8 byte
              = (guint8) (g_ascii_xdigit_value (p[0]) << 4 | g_ascii_xdigit_value (p[1]));

          g_byte_array_append (bytes, &byte, 1);
        }
      pack_bytes (out, field, bytes->data, bytes->len);
      g_byte_array_unref (bytes);
      *text = p;
      return;
    }
  if (*p == 'f')
    {
      const float v = (float) g_ascii_strtod (p + 1, &p);

      pack_tag (out, field, 5);
      g_byte_array_append (out, (const guint8 *) &v, 4);
      *text = p;
      return;
    }
  if (*p == 'd')
    {
      const double v = g_ascii_strtod (p + 1, &p);

      pack_tag (out, field, 1);
      g_byte_array_append (out, (const guint8 *) &v, 8);
      *text = p;
      return;
    }
  pack_tag (out, field, 0);
  pack_varint (out, (guint64) g_ascii_strtoll (p, &p, 10));
  *text = p;
}

static inline GByteArray *
pack_until (const char **text, char end)
{
  GByteArray *out = g_byte_array_new ();

  for (;;)
    {
      while (**text == ' ')
        ++*text;
      if (**text == '~')
        {
          g_byte_array_set_size (out, out->len - 1);
          ++*text;
          continue;
        }
      if (**text == end)
        break;
      g_assert_cmpint (**text, !=, '\0');
      pack_field (out, text);
    }
  if (end)
    ++*text;
  return out;
}

static inline GBytes *
pack (const char *text)
{
  return g_byte_array_free_to_bytes (pack_until (&text, '\0'));
}

/* Pieces of models. */
#define MODEL(graph) "1:8 8:{2:13} 7:{" graph "} "
#define INPUT(name) "11:{1:'" name "' 2:{1:{1:1 2:{1:{1:4}}}}} "
#define OUTPUT(name) "12:{1:'" name "' 2:{1:{1:1}}} "
#define NODE(name, op, in, out) "1:{1:'" in "' 2:'" out "' 3:'" name "' 4:'" op "'} "
#define RELU INPUT ("x") OUTPUT ("y") NODE ("n0", "Relu", "x", "y")
#define WEIGHT(fields)                                                                   \
  INPUT ("x") OUTPUT ("y") NODE ("n0", "Add", "x", "y") "5:{" fields "} "
#define WITH_ATTRIBUTE(fields)                                                           \
  INPUT ("x") OUTPUT ("y") "1:{1:'x' 2:'y' 3:'n0' 4:'Op' 5:{" fields "}} "
