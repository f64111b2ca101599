/* SPDX-License-Identifier: Apache-2.0
 * Where in a model a fault is, told before there are nodes to ask.
 */
#include "io/build.h"
#include <string.h>

/* Appends to a text of KETTE_WHERE_SIZE; what is too long is cut between characters. */
G_GNUC_PRINTF (2, 3)
static void
add (char *out, const char *format, ...)
{
  size_t n = strlen (out);
  va_list args;
  const char *end;

  if (n + 1 >= KETTE_WHERE_SIZE)
    return;
  va_start (args, format);
  g_vsnprintf (out + n, KETTE_WHERE_SIZE - n, format, args);
  va_end (args);
  if (!g_utf8_validate (out, -1, &end))
    out[end - out] = '\0';
}

static void
add_node (const KetteScope *scope, size_t i, char *out)
{
  const Onnx__NodeProto *node = scope->nodes[i];
  const char *op              = _kette_text (node->op_type);

  if (*_kette_text (node->name))
    add (out, "node %s", KETTE_QUOTE (node->name));
  else
    add (out, "node #%zu", i);
  if (*op && strlen (op) <= 64 && g_str_is_ascii (op) && !strpbrk (op, "\"\\\n\r\t ()"))
    add (out, " (%s)", op);
  else if (*op)
    add (out, " (%s)", KETTE_QUOTE (op));
}

static void
add_scope (const KetteScope *scope, char *out)
{
  const char *domain = scope->function ? _kette_text (scope->function->domain) : "";

  if (scope->function)
    {
      char key[512];

      g_snprintf (key, sizeof key, "%.200s:%.200s", domain,
                  _kette_text (scope->function->name));
      add (out, "function %s", KETTE_QUOTE (key));
    }
  else if (scope->label)
    add (out, "%s", scope->label);
}

const char *
_kette_scope_where (const KetteBuild *b, size_t scope, gssize node, const char *kind,
                    const char *name, char out[KETTE_WHERE_SIZE])
{
  size_t way[KETTE_MOST_SUBGRAPH_DEPTH + 2];
  size_t n = 0;

  out[0] = '\0';
  for (size_t i = scope; i != KETTE_NO_SCOPE && n < G_N_ELEMENTS (way);
       i        = b->scopes[i].parent)
    way[n++] = i;
  for (size_t all = n; n-- > 0;)
    {
      const KetteScope *s = &b->scopes[way[n]];

      if (_kette_where_skips (all, n))
        {
          if (!_kette_where_skips (all, n + 1))
            add (out, ", ...");
          continue;
        }

      if (s->parent == KETTE_NO_SCOPE || s->label)
        {
          if (*out && s->label)
            add (out, ", ");
          add_scope (s, out);
        }
      else
        {
          const KetteScope *parent   = &b->scopes[s->parent];
          const Onnx__NodeProto *own = parent->nodes[s->node];
          const char *branch         = _kette_text (own->attribute[s->attribute]->name);
          const gboolean plain       = strlen (branch) <= 64 && g_str_is_ascii (branch)
                                 && !strpbrk (branch, "\"\\\n\r\t ,:");

          if (*out)
            add (out, ", ");
          add_node (parent, s->node, out);
          add (out, ", %s", plain ? branch : KETTE_QUOTE (branch));
          if (s->element != KETTE_NO_SCOPE)
            add (out, "[%zu]", s->element);
        }
    }
  if (node >= 0)
    {
      if (*out)
        add (out, ", ");
      add_node (&b->scopes[scope], (size_t) node, out);
    }
  if (kind)
    add (out, "%s%s", *out ? ", " : "", kind);
  if (kind && name)
    add (out, " %s", KETTE_QUOTE (name));
  if (!*out)
    add (out, "graph");
  return out;
}

const char *
_kette_scope_where_attr (const KetteBuild *b, size_t scope, size_t node,
                         const char *attribute, char out[KETTE_WHERE_SIZE])
{
  return _kette_scope_where (b, scope, (gssize) node, "attribute",
                             _kette_text (attribute), out);
}
