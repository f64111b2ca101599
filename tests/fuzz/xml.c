/* SPDX-License-Identifier: Apache-2.0
 * Are pictures valid and inert? Parsed by libxml2, which is also what browsers' parsers agree
 * with; by GLib's simpler parser where it is not installed.
 */
#include "xml.h"
#include <string.h>

static void
judge_element (const char *name)
{
  static const char *const allowed[]
      = { "svg",     "title",    "desc",    "defs",   "g",     "rect",
          "path",    "text",     "line",    "style",  "tspan", "marker",
          "polygon", "polyline", "ellipse", "circle", NULL };

  if (!g_strv_contains (allowed, name))
    fuzz_fault ("element %s in a picture", name);
}

static void
judge_attribute (const char *name, const char *value)
{
  if (g_str_has_prefix (name, "on") || strstr (name, "href")
      || (strstr (value, "url(") && !g_str_has_prefix (value, "url(#")))
    fuzz_fault ("attribute %s=\"%s\" in a picture", name, value);
}

#ifdef KETTE_FUZZ_LIBXML

#include <libxml/parser.h>

void
fuzz_judge_svg (const char *text)
{
  xmlDoc *doc = xmlReadMemory (text, (int) strlen (text), "picture.svg", NULL,
                               XML_PARSE_NONET | XML_PARSE_HUGE);
  xmlNode *node;

  if (!doc)
    fuzz_fault ("a picture that is no XML:\n%s", text);
  node = xmlDocGetRootElement (doc);
  while (node)
    {
      if (node->type == XML_ELEMENT_NODE)
        {
          judge_element ((const char *) node->name);
          for (xmlAttr *a = node->properties; a; a = a->next)
            {
              xmlChar *value = xmlNodeListGetString (doc, a->children, 1);

              judge_attribute ((const char *) a->name, value ? (const char *) value : "");
              xmlFree (value);
            }
        }
      else if (node->type != XML_TEXT_NODE && node->type != XML_COMMENT_NODE)
        fuzz_fault ("a node of type %d in a picture", (int) node->type);
      if (node->children)
        {
          node = node->children;
          continue;
        }
      while (node && !node->next)
        node = node->parent && node->parent->type == XML_ELEMENT_NODE ? node->parent
                                                                      : NULL;
      node = node ? node->next : NULL;
    }
  xmlFreeDoc (doc);
}

#else

static void
start_element (GMarkupParseContext *context, const char *element, const char **names,
               const char **values, gpointer user, GError **error)
{
  (void) context;
  (void) user;
  (void) error;
  judge_element (element);
  for (; *names; names++, values++)
    judge_attribute (*names, *values);
}

void
fuzz_judge_svg (const char *text)
{
  const GMarkupParser parser = { .start_element = start_element };
  GMarkupParseContext *context
      = g_markup_parse_context_new (&parser, G_MARKUP_PREFIX_ERROR_POSITION, NULL, NULL);
  GError *error = NULL;

  if (!g_markup_parse_context_parse (context, text, -1, &error)
      || !g_markup_parse_context_end_parse (context, &error))
    fuzz_fault ("a picture that is no XML: %s\n%s", error->message, text);
  g_markup_parse_context_free (context);
}

#endif
