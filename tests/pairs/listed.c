/* SPDX-License-Identifier: Apache-2.0
 * Loading twice: the second time what is wrong is listed.
 */
#include "listed.h"
#include "base/error.h"
#include <string.h>

#define MOST_TOLD 21 /* 20, and what ended loading */

static KetteGraph *
load (const GByteArray *packed, const char *file, gboolean as_file,
      const KetteLoadOptions *options, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;

  if (as_file)
    return g_file_set_contents (file, (char *) packed->data, packed->len, error)
               ? kette_graph_load_full (file, options, error)
               : NULL;
  bytes = g_bytes_new (packed->data, packed->len);
  return kette_graph_load_bytes_full (bytes, file, options, error);
}

static void
take_fault (const GError *fault, gpointer user)
{
  g_ptr_array_add (user, g_strdup (fault->message));
}

/* Why the list is not one that begins with WANT; NULL: it is. */
static char *
list_fault (const GPtrArray *list, const GError *error, const char *want)
{
  if (!error)
    return g_strdup ("it loads when faults are listed");
  if (strcmp (error->message, want) != 0)
    return g_strdup_printf ("the error with a list is %s", error->message);
  if (list->len < 1 || list->len > MOST_TOLD || strcmp (list->pdata[0], want) != 0)
    return g_strdup_printf ("of %u listed faults the first is %s", list->len,
                            list->len ? (char *) list->pdata[0] : "none");
  for (guint i = 1; i < list->len; i++)
    if (strcmp (list->pdata[i], list->pdata[i - 1]) == 0)
      return g_strdup_printf ("listed twice: %s", (char *) list->pdata[i]);
  return NULL;
}

KetteGraph *
listed_load (const GByteArray *packed, const char *file, gboolean as_file,
             const KetteLoadOptions *options, GError **error)
{
  g_autoptr (GPtrArray) list  = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) first    = NULL;
  g_autoptr (GError) second   = NULL;
  KetteLoadOptions listing    = *options;
  KetteGraph *graph           = load (packed, file, as_file, options, &first);
  g_autofree char *difference = NULL;

  if (graph)
    return graph;
  listing.fault = take_fault;
  listing.user  = list;
  graph         = load (packed, file, as_file, &listing, &second);
  difference    = list_fault (list, second, first->message);
  g_clear_pointer (&graph, kette_graph_unref);
  if (difference)
    g_set_error (error, KETTE_ERROR, KETTE_ERROR_INTERNAL, "%s: %s, must be %s", file,
                 difference, first->message);
  else
    g_propagate_error (error, g_steal_pointer (&first));
  return NULL;
}
