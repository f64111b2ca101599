/* SPDX-License-Identifier: Apache-2.0
 * Limits of the loader: at the limit a model loads, one beyond it is refused. Also little
 * memory, and models that are large but honest.
 */
#include "base/alloc.h"
#include "io/io-private.h"
#include "pack.h"

/* N times FRONT, then MIDDLE, then N times BACK; FRONT may hold one %d, the index. */
static GBytes *
repeat (const char *before, const char *front, int n, const char *middle,
        const char *back, const char *after)
{
  g_autoptr (GString) text = g_string_new (before);

  for (int i = 0; i < n; i++)
    {
      g_autofree char *index  = g_strdup_printf ("%d", i);
      g_autoptr (GString) one = g_string_new (front);

      g_string_replace (one, "%d", index, 0);
      g_string_append (text, one->str);
    }
  g_string_append (text, middle);
  for (int i = 0; i < n; i++)
    g_string_append (text, back);
  g_string_append (text, after);
  return pack (text->str);
}

/* WANT NULL: loads. Else the error is of the code `limit` and contains WANT. */
static void
expect (GBytes *take, const char *want)
{
  g_autoptr (GBytes) bytes     = take;
  g_autoptr (GError) error     = NULL;
  g_autoptr (KetteGraph) graph = kette_graph_load_bytes (bytes, &error);

  if (!want)
    {
      g_assert_no_error (error);
      return;
    }
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_LIMIT);
  if (!strstr (error->message, want))
    g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, want));
}

static void
test_texts (void)
{
  expect (repeat ("1:8 2:'", "x", 65536, "'", "", " 7:{}"), NULL);
  expect (
      repeat ("1:8 2:'", "x", 65537, "'", "", " 7:{}"),
      "producer_name of ModelProto has 65537 bytes, may have 65536; --limit name-bytes");
  expect (repeat ("1:8 6:'", "0123456789abcdef", 1 << 20, "'", "", " 7:{}"), NULL);
  expect (repeat ("1:8 6:'0", "0123456789abcdef", 1 << 20, "'", "", " 7:{}"),
          "doc_string of ModelProto has 16777217 bytes, may have 16777216; --limit "
          "text-bytes");
}

static void
test_rank (void)
{
  expect (repeat ("1:8 7:{5:{2:1 8:'w' 9:x00000000 ", "1:1 ", 32, "", "", "}}"), NULL);
  expect (repeat ("1:8 7:{5:{2:1 8:'w' 9:x00000000 ", "1:1 ", 33, "", "", "}}"),
          "has rank 33, rank allows 32");
  expect (repeat ("1:8 7:{11:{1:'x' 2:{1:{1:1 2:{", "1:{1:1} ", 32, "", "", "}}}}}"),
          NULL);
  expect (repeat ("1:8 7:{11:{1:'x' 2:{1:{1:1 2:{", "1:{1:1} ", 33, "", "", "}}}}}"),
          "has rank 33, rank allows 32");
}

static void
test_depth (void)
{
  /* ModelProto is 0, graph 1, input 2, its type 3, each sequence 2 more, Tensor 1. */
  expect (repeat ("1:8 7:{11:{1:'x' 2:{", "4:{1:{", 16, "1:{1:1}", "}}", "}}}"), NULL);
  expect (repeat ("1:8 7:{11:{1:'x' 2:{", "4:{1:{", 17, "1:{1:1}", "}}", "}}}"),
          "a type nested more than 16 deep; --limit type-depth");
  expect (repeat ("1:8 7:{11:{1:'x' 2:{", "4:{1:{", 48, "1:{1:1}", "}}", "}}}"),
          "type-depth");
  expect (repeat ("1:8 7:{11:{1:'x' 2:{", "4:{1:{", 49, "1:{1:1}", "}}", "}}}"),
          "messages nested more than 100 deep");
}

/* f0 calls nothing, f(i+1) calls f(i). */
static GBytes *
calls (int n)
{
  g_autoptr (GString) text
      = g_string_new ("1:8 7:{} 25:{10:'l' 1:'f0' 9:{2:13} 7:{4:'Relu'}} ");

  for (int i = 1; i <= n; i++)
    g_string_append_printf (text, "25:{10:'l' 1:'f%d' 9:{1:'l' 2:1} 7:{4:'f%d' 7:'l'}} ",
                            i, i - 1);
  return pack (text->str);
}

static void
test_calls (void)
{
  expect (calls (100), NULL);
  expect (calls (101),
          "calls of functions nested more than 100 deep; --limit call-depth");
}

/* A group of groups: counted in the depth before it is refused. */
static void
test_groups (void)
{
  for (int n = 50; n <= 150; n += 100)
    {
      const int want               = n < 100 ? KETTE_ERROR_FORMAT : KETTE_ERROR_LIMIT;
      g_autofree char *data        = g_malloc ((gsize) n);
      g_autoptr (GBytes) bytes     = NULL;
      g_autoptr (GError) error     = NULL;
      g_autoptr (KetteGraph) graph = NULL;

      memset (data, 0x0b, (gsize) n);
      bytes = g_bytes_new (data, (gsize) n);
      graph = kette_graph_load_bytes (bytes, &error);
      g_assert_true (g_error_matches (error, KETTE_ERROR, want));
    }
}

/* Small bytes that unpack to much: refused before the memory is gone. */
static void
test_amplification (void)
{
  const gsize n            = (gsize) 8 << 20;
  GByteArray *array        = g_byte_array_sized_new ((guint) n);
  g_autoptr (GBytes) bytes = NULL;
  GByteArray *model        = g_byte_array_new ();

  for (gsize i = 0; i < n; i += 2)
    g_byte_array_append (array, (const guint8 *) "\x2a", 2);
  pack_bytes (model, 7, array->data, array->len);
  g_byte_array_unref (array);
  expect (g_byte_array_free_to_bytes (model), "unpacked-bytes");
}

/* A chain of 100,000 nodes, last one first in the file. */
static void
test_chain (void)
{
  const int n              = 100000;
  g_autoptr (GString) text = g_string_new ("1:8 8:{2:13} 7:{" INPUT ("v0"));
  gint64 start;

  for (int i = n; i > 0; i--)
    g_string_append_printf (text, "1:{1:'v%d' 2:'v%d' 4:'Relu'} ", i - 1, i);
  g_string_append_printf (text, "12:{1:'v%d'}}", n);
  start = g_get_monotonic_time ();
  expect (pack (text->str), NULL);
  g_test_message ("%.2f s", (double) (g_get_monotonic_time () - start) / 1e6);
}

/* 20,000 branches, each of which reads a value of its own from outside, and one branch that
 * reads them all. */
static void
test_captures (void)
{
  const int n              = 20000;
  g_autoptr (GString) text = g_string_new ("1:8 8:{2:13} 7:{" INPUT ("v0"));
  gint64 start;

  for (int i = 1; i <= n; i++)
    g_string_append_printf (text,
                            "1:{1:'v0' 2:'v%d' 4:'If' 5:{1:'then_branch' 20:5 "
                            "6:{1:{1:'v%d' 2:'t%d' 4:'Relu'} 12:{1:'t%d'}}}} ",
                            i, i - 1, i, i);
  g_string_append (text, "1:{1:'v0' 2:'y' 4:'If' 5:{1:'then_branch' 20:5 6:{");
  for (int i = 1; i <= n; i++)
    g_string_append_printf (text, "1:{1:'v%d' 2:'u%d' 4:'Relu'} ", i, i);
  g_string_append (text, "}}}}");
  start = g_get_monotonic_time ();
  expect (pack (text->str), NULL);
  g_test_message ("%.2f s", (double) (g_get_monotonic_time () - start) / 1e6);
}

/* Ever more memory, from none to enough: an error of the code `memory` (or the loader's own
 * sum) each time, then the graph. */
static void
test_memory (void)
{
  g_autoptr (GBytes) bytes = pack ("1:8 8:{2:13} 14:{1:'k' 2:'v'} 7:{" INPUT (
      "x") "12:{1:'y'} "
           "1:{1:'x' 2:'y' 4:'If' 5:{1:'then_branch' 20:5 6:{1:{1:'x' 2:'t' 4:'f' 7:'l' "
           "5:{1:'a' 20:8 9:'s'} 5:{1:'t' 20:4 5:{1:2 2:8 6:'p' 6:'q'}}} 12:{1:'t'}}}} "
           "5:{1:2 2:1 4:f1 4:f2 8:'w'}} 8:{1:'l' 2:1} "
           "25:{10:'l' 1:'f' 4:'a' 5:'b' 9:{2:13} 7:{1:'a' 2:'b' 4:'Relu'}} "
           "20:{2:{1:{1:'w' 2:'v' 4:'Neg'} 12:{1:'v'}} 4:{1:'w' 2:'v'}}");
  KetteAccount *account    = _kette_account_process ();
  const gsize cap          = account->cap;
  gboolean ok              = FALSE;
  guint refused            = 0;

  for (gsize extra = 0; !ok; extra += 64)
    {
      g_autoptr (GError) error     = NULL;
      g_autoptr (KetteGraph) graph = NULL;
      g_autoptr (GBytes) saved     = NULL;
      const gsize used             = account->used;

      account->cap = used + extra;
      graph        = kette_graph_load_bytes (bytes, &error);
      saved        = graph ? _kette_graph_to_bytes (graph, &error) : NULL;
      account->cap = cap;
      ok           = saved != NULL;
      if (!ok)
        {
          refused++;
          g_assert_true (g_error_matches (error, KETTE_ERROR, KETTE_ERROR_MEMORY)
                         || g_error_matches (error, KETTE_ERROR, KETTE_ERROR_LIMIT));
          g_clear_pointer (&graph, kette_graph_unref);
          g_assert_cmpuint (account->used, ==, used);
        }
    }
  g_assert_cmpuint (refused, >, 50);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/io/limits/texts", test_texts);
  g_test_add_func ("/io/limits/rank", test_rank);
  g_test_add_func ("/io/limits/depth", test_depth);
  g_test_add_func ("/io/limits/calls", test_calls);
  g_test_add_func ("/io/limits/groups", test_groups);
  g_test_add_func ("/io/limits/amplification", test_amplification);
  g_test_add_func ("/io/limits/chain", test_chain);
  g_test_add_func ("/io/limits/captures", test_captures);
  g_test_add_func ("/io/limits/memory", test_memory);
  return g_test_run ();
}
