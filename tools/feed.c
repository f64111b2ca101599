/* SPDX-License-Identifier: Apache-2.0
 * Inputs of a graph from NAME=FILE words.
 */
#include "feed.h"
#include <string.h>

void
kette_tool_free_tensors (KetteTensor **tensors, guint n)
{
  for (guint i = 0; tensors && i < n; i++)
    kette_tensor_unref (tensors[i]);
  g_free (tensors);
}

/* The inputs that must be fed, then those that have a default. */
static const char *
input_name (KetteGraph *graph, guint i)
{
  const guint n = kette_graph_get_n_inputs (graph);

  return i < n ? kette_graph_get_input_name (graph, i)
               : kette_graph_get_default_name (graph, i - n);
}

static int
input_index (KetteGraph *graph, const char *name, size_t n)
{
  for (guint i = 0; input_name (graph, i); i++)
    {
      const char *input = input_name (graph, i);
      if (strlen (input) == n && memcmp (input, name, n) == 0)
        return (int) i;
    }
  return -1;
}

/* The input that WORD feeds; *file is what stands behind "=". Names may hold "=": the longest
 * one that fits is meant. */
static int
split_word (KetteGraph *graph, const char *word, const char **file)
{
  for (size_t n = strlen (word); n-- > 0;)
    if (word[n] == '=')
      {
        const int i = input_index (graph, word, n);
        if (i >= 0)
          {
            *file = word + n + 1;
            return i;
          }
      }
  *file = word;
  return !strchr (word, '=') && kette_graph_get_n_inputs (graph) == 1 ? 0 : -1;
}

static KetteTensor *
load (KetteGraph *graph, int i, const char *file, int first, GError **error)
{
  g_autoptr (KetteTensor) raw  = kette_tensor_load (file, error);
  g_autoptr (KetteTensor) rows = NULL;
  KetteTensor *x;
  guint rank;

  if (!raw)
    return NULL;
  const gint64 *dims = kette_tensor_get_dims (raw, &rank);
  rows               = first > 0 && rank > 0 && dims[0] > first
                           ? kette_tensor_rows (raw, 0, (gsize) first, error)
                           : kette_tensor_ref (raw);
  x = rows ? kette_input_prepare (graph, input_name (graph, (guint) i), rows, error)
           : NULL;
  if (!x)
    g_prefix_error (error, "%s: ", file);
  return x;
}

KetteTensor **
kette_tool_feed (KetteGraph *graph, char *const *words, int first, int *status)
{
  const guint n            = kette_graph_get_n_inputs (graph);
  const guint all          = n + kette_graph_get_n_defaults (graph);
  KetteTensor **inputs     = g_new0 (KetteTensor *, all + 1);
  g_autoptr (GError) error = NULL;

  *status = 0;
  for (; words && *words && !*status; words++)
    {
      const char *file;
      const int i = split_word (graph, *words, &file);
      if (i < 0)
        *status = kette_tool_usage ("--input %s: the model has no such input", *words);
      else if (inputs[i])
        *status = kette_tool_usage ("--input %s: given twice", *words);
      else if (!(inputs[i] = load (graph, i, file, first, &error)))
        *status = kette_tool_fail (error);
    }
  for (guint i = 0; i < n && !*status; i++)
    if (!inputs[i])
      *status = kette_tool_usage ("the input \"%s\" needs --input %s=FILE",
                                  kette_graph_get_input_name (graph, i),
                                  kette_graph_get_input_name (graph, i));
  if (!*status)
    return inputs;
  kette_tool_free_tensors (inputs, all);
  return NULL;
}
