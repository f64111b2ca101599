/* SPDX-License-Identifier: Apache-2.0
 * Target roundtrip: what loads can be saved, loads again, is the same graph, and is saved as
 * the same bytes.
 */
#include "fuzz.h"
#include "io/io-private.h"
#include "io/io.h"
#include "train/train-private.h"
#include <string.h>

/* NULL only for want of memory. */
static GBytes *
save (KetteGraph *graph)
{
  GError *error = NULL;
  GBytes *bytes = _kette_graph_to_bytes (graph, &error);

  fuzz_expect (bytes != NULL, &error, "cannot be saved");
  return bytes;
}

static gboolean
same_hash (KetteGraph *a, KetteGraph *b)
{
  char before[65], after[65];
  GError *error = NULL;

  return !fuzz_expect (_kette_graph_hash (a, before, &error), &error, "no hash")
         || !fuzz_expect (_kette_graph_hash (b, after, &error), &error, "no hash")
         || strcmp (before, after) == 0;
}

static void
judge_graph (KetteGraph *graph)
{
  GError *error = NULL;
  GBytes *first = save (graph), *second = NULL;
  KetteGraph *new = NULL;

  fuzz_reached.loaded++;
  if (first)
    {
      new = kette_graph_load_bytes (first, &error);
      fuzz_expect (new != NULL, &error, "cannot be loaded after saving");
    }
  if (new && !same_hash (graph, new))
    fuzz_fault ("another graph after saving");
  if (new && (second = save (new)) && !g_bytes_equal (first, second))
    fuzz_fault ("other bytes when saved again");
  kette_graph_unref (new);
  g_clear_pointer (&first, g_bytes_unref);
  g_clear_pointer (&second, g_bytes_unref);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t n)
{
  GBytes *bytes = g_bytes_new (data, n);
  GError *error = NULL;
  KetteGraph *graph;

  fuzz_begin (data, n);
  fuzz_fail_allocations (1000);
  graph = kette_graph_load_bytes (bytes, &error);
  if (fuzz_judge (graph != NULL, &error))
    judge_graph (graph);
  kette_graph_unref (graph);
  g_bytes_unref (bytes);
  fuzz_end ();
  return 0;
}
