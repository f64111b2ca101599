/* SPDX-License-Identifier: Apache-2.0
 * Short forms of messages: each is written out as fields and read again.
 */
#include "message-private.h"
#include "onnx.pb-c.h"
#include <string.h>

gint32
enum_number (const Text *t, const ProtobufCEnumDescriptor *type, const char *name)
{
  const ProtobufCEnumValue *value
      = protobuf_c_enum_descriptor_get_value_by_name (type, name);

  if (!value)
    g_error ("%s: %s has no value \"%s\"", t->where, type->short_name, name);
  return value->value;
}

gint32
element_number (const Text *t, const char *name)
{
  g_autofree char *upper = g_ascii_strup (name, -1);

  return enum_number (t, &onnx__tensor_proto__data_type__descriptor, upper);
}

/* "name" and a text of N bytes in quotes. */
static void
put_text (GString *out, const char *field, const char *s, gssize n)
{
  g_string_append_printf (out, "%s \"", field);
  for (gssize i = 0; i < n; i++)
    if (g_ascii_isalnum (s[i]) || s[i] == '_')
      g_string_append_c (out, s[i]);
    else
      g_string_append_printf (out, "\\x%02x", (guint8) s[i]);
  g_string_append (out, "\" ");
}

static void
put_string (GString *out, const char *field, const char *s)
{
  put_text (out, field, s, (gssize) strlen (s));
}

/* Dims up to "]" as ITEMS: "dim { dim_value: 2 }" of a shape, "dims: 2" of a tensor. */
static const char *
put_dims (GString *out, const char *p, gboolean tensor)
{
  while (*p && *p != ']')
    {
      const gsize n = strcspn (p, ",]");

      if (tensor)
        g_string_append_printf (out, "dims: %.*s ", (int) n, p);
      else if (g_ascii_isdigit (*p) || *p == '-')
        g_string_append_printf (out, "dim { dim_value: %.*s } ", (int) n, p);
      else if (*p == '?')
        g_string_append (out, "dim { } ");
      else
        {
          g_string_append (out, "dim { ");
          put_text (out, "dim_param", p, (gssize) n);
          g_string_append (out, "} ");
        }
      p += n;
      p += *p == ',';
    }
  return p + (*p == ']');
}

/* The fields of a TypeProto for "float[2,N]", "seq(float)". */
static void
put_type (GString *out, const char *p)
{
  static const char *const nests[][3] = { { "seq(", "sequence_type", "elem_type" },
                                          { "opt(", "optional_type", "elem_type" },
                                          { "map(", "map_type", "value_type" } };
  const gsize n                       = strcspn (p, "[");

  for (gsize i = 0; i < G_N_ELEMENTS (nests); i++)
    if (g_str_has_prefix (p, nests[i][0]))
      {
        g_autofree char *inner = g_strndup (p + 4, strlen (p) - 5);
        char *elem             = inner;

        g_string_append_printf (out, "%s { ", nests[i][1]);
        if (i == 2)
          {
            elem = strchr (inner, ',');
            g_string_append_printf (out, "key_type: %.*s ", (int) (elem - inner), inner);
            elem++;
          }
        g_string_append_printf (out, "%s { ", nests[i][2]);
        put_type (out, elem);
        g_string_append (out, "} } ");
        return;
      }
  g_string_append_printf (out, "tensor_type { elem_type: %.*s ", (int) n, p);
  if (p[n])
    {
      g_string_append (out, "shape { ");
      put_dims (out, p + n + 1, FALSE);
      g_string_append (out, "} ");
    }
  g_string_append (out, "} ");
}

/* "x float[2]": the name ends at the last blank. */
static void
put_value_info (GString *out, const char *s)
{
  const char *blank = strrchr (s, ' ');

  put_text (out, "name", s, blank ? blank - s : (gssize) strlen (s));
  if (!blank)
    return;
  g_string_append (out, "type { ");
  put_type (out, blank + 1);
  g_string_append (out, "} ");
}

static const char *
data_field (const char *type)
{
  static const char *const others[][2]
      = { { "float", "float_data" },   { "complex64", "float_data" },
          { "double", "double_data" }, { "complex128", "double_data" },
          { "int64", "int64_data" },   { "uint32", "uint64_data" },
          { "uint64", "uint64_data" }, { "string", "string_data" } };

  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    if (strcmp (type, others[i][0]) == 0)
      return others[i][1];
  return "int32_data";
}

/* "w float[2] 1 2" or "float[2] 1 2". */
static void
put_tensor (GString *out, const char *s)
{
  g_auto (GStrv) words = g_strsplit (s, " ", -1);
  gsize at             = 0;
  char *bracket;

  if (!strchr (words[0], '['))
    put_string (out, "name", words[at++]);
  if (!words[at])
    return;
  bracket = strchr (words[at], '[');
  if (bracket)
    {
      put_dims (out, bracket + 1, TRUE);
      *bracket = '\0';
    }
  g_string_append_printf (out, "data_type: %s ", words[at]);
  for (gsize i = at + 1; words[i]; i++)
    if (strcmp (words[at], "string") == 0)
      put_string (out, "string_data", words[i]);
    else
      g_string_append_printf (out, "%s: %s ", data_field (words[at]), words[i]);
}

static void
put_list (GString *out, const char *value)
{
  g_auto (GStrv) words = g_strsplit_set (value, ",[]{}", -1);
  const gboolean texts = *value == '{', floats = strchr (value, '.') != NULL;

  g_string_append_printf (out, "type: %s ",
                          texts    ? "STRINGS"
                          : floats ? "FLOATS"
                                   : "INTS");
  for (gsize i = 0; words[i]; i++)
    if (*words[i] && texts)
      put_string (out, "strings", words[i]);
    else if (*words[i])
      g_string_append_printf (out, "%s: %s ", floats ? "floats" : "ints", words[i]);
}

/* "axis=1"; a name alone leaves the rest to the braces. */
static void
put_attribute (GString *out, const char *s)
{
  const char *equals = strchr (s, '='), *value = equals ? equals + 1 : NULL;

  put_text (out, "name", s, equals ? equals - s : (gssize) strlen (s));
  if (!value)
    return;
  if (*value == '[' || *value == '{')
    put_list (out, value);
  else if (*value == '\'')
    {
      g_string_append (out, "type: STRING ");
      put_text (out, "s", value + 1, (gssize) strlen (value) - 2);
    }
  else if (strpbrk (value, ".en"))
    g_string_append_printf (out, "type: FLOAT f: %s ", value);
  else
    g_string_append_printf (out, "type: INT i: %s ", value);
}

/* "n0: y = Add x w axis=1". */
static void
put_node (GString *out, const char *s)
{
  const char *colon = strstr (s, ": "), *equals = strstr (s, "= ");
  g_auto (GStrv) outputs = NULL, words = NULL;
  char *op;

  g_assert_nonnull (equals);
  if (colon && colon < equals)
    {
      put_text (out, "name", s, colon - s);
      s = colon + 2;
    }
  {
    g_autofree char *left = g_strndup (s, (gsize) (equals - s));

    outputs = g_strsplit (g_strstrip (left), " ", -1);
  }
  words = g_strsplit (equals + 2, " ", -1);
  op    = strrchr (words[0], ':');
  for (gsize i = 1; words[i]; i++)
    if (!strchr (words[i], '='))
      put_string (out, "input", strcmp (words[i], "_") == 0 ? "" : words[i]);
  for (gsize i = 0; outputs[i]; i++)
    put_string (out, "output", strcmp (outputs[i], "_") == 0 ? "" : outputs[i]);
  put_string (out, "op_type", op ? op + 1 : words[0]);
  if (op)
    put_text (out, "domain", words[0], op - words[0]);
  for (gsize i = 1; words[i]; i++)
    if (strchr (words[i], '='))
      {
        g_string_append (out, "attribute { ");
        put_attribute (out, words[i]);
        g_string_append (out, "} ");
      }
}

static void
put_opset (GString *out, const char *s)
{
  const char *colon = strrchr (s, ':');

  if (colon)
    put_text (out, "domain", s, colon - s);
  g_string_append_printf (out, "version: %s", colon ? colon + 1 : s);
}

static void
put_entry (GString *out, const char *s)
{
  const char *equals = strchr (s, '=');

  put_text (out, "key", s, equals ? equals - s : (gssize) strlen (s));
  if (equals)
    put_string (out, "value", equals + 1);
}

void
short_form (Text *t, Message *m, const char *text)
{
  static const struct
  {
    const ProtobufCMessageDescriptor *type;
    void (*put) (GString *out, const char *s);
  } forms[] = {
    { &onnx__value_info_proto__descriptor, put_value_info },
    { &onnx__type_proto__descriptor, put_type },
    { &onnx__tensor_proto__descriptor, put_tensor },
    { &onnx__attribute_proto__descriptor, put_attribute },
    { &onnx__node_proto__descriptor, put_node },
    { &onnx__operator_set_id_proto__descriptor, put_opset },
    { &onnx__string_string_entry_proto__descriptor, put_entry },
  };
  g_autoptr (GString) out = g_string_new (NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (forms); i++)
    if (forms[i].type == m->type)
      {
        forms[i].put (out, text);
        message_parse (m, out->str, t->where);
        return;
      }
  text_fail (t, "this message has no short form");
}
