/* SPDX-License-Identifier: Apache-2.0
 * The digest of a graph, which says whether a checkpoint belongs to it: the same for the same
 * file, another one for each change of what the graph computes.
 */
#include "../unit/pack.h"
#include "io/io-private.h"
#include "train/train-private.h"
#include <string.h>

/* @ stands for an attribute of the node. */
static const char model[] = "1:8 8:{2:13} 8:{1:'l' 2:1} 7:{" INPUT ("x") OUTPUT ("y")
    OUTPUT ("z") "1:{1:'x' 2:'y' 3:'n' 4:'Op' 7:'l' @} "
                 "1:{1:'x' 1:'s' 2:'z' 3:'m' 4:'f' 7:'l'} "
                 "5:{1:1 2:8 8:'s' 6:'one'} "
                 "1:{1:'e' 2:'v' 4:'Op' 7:'l'} "
                 "15:{1:{1:2 2:1 4:f1 4:f2 8:'e'} 2:{1:2 2:7 7:0 7:2} 3:5}} "
                 "25:{1:'f' 10:'l' 4:'a' 4:'b' 5:'c' 9:{2:13} 9:{1:'l' 2:1} "
                 "7:{1:'a' 2:'c' 4:'Relu'}}";

static char *
hash_of (const char *text)
{
  g_autoptr (GError) error     = NULL;
  g_autoptr (GBytes) bytes     = pack (text);
  g_autoptr (KetteGraph) graph = kette_graph_load_bytes (bytes, &error);
  char hash[65];

  g_assert_no_error (error);
  g_assert_true (_kette_graph_hash (graph, hash, &error));
  return g_strdup (hash);
}

static char *
with (const char *from, const char *to)
{
  g_auto (GStrv) parts = g_strsplit (model, from, 2);

  g_assert_nonnull (parts[1]);
  return g_strconcat (parts[0], to, parts[1], NULL);
}

/* Texts A and B mean graphs that compute different things. */
static void
differ (const char *from, const char *a, const char *b)
{
  g_autofree char *one = with (from, a), *two = with (from, b), *of_one = NULL,
                  *again = NULL, *of_two = NULL;

  if (!strchr (from, '@'))
    {
      char **texts[] = { &one, &two };

      for (size_t i = 0; i < G_N_ELEMENTS (texts); i++)
        {
          g_auto (GStrv) parts = g_strsplit (*texts[i], "@", 2);

          g_free (*texts[i]);
          *texts[i] = g_strconcat (parts[0], parts[1], NULL);
        }
    }
  of_one = hash_of (one);
  again  = hash_of (one);
  of_two = hash_of (two);
  g_assert_cmpstr (of_one, ==, again);
  if (strcmp (of_one, of_two) == 0)
    g_error ("\"%s\" and \"%s\" have the same digest", a, b);
}

static void
test_attributes (void)
{
  static const char *const pairs[][2] = {
    { "5:{1:'i' 3:7 20:2}", "5:{1:'i' 3:8 20:2}" },
    { "5:{1:'i' 3:7 20:2}", "5:{1:'j' 3:7 20:2}" },
    { "5:{1:'f' 2:f1 20:1}", "5:{1:'f' 2:f2 20:1}" },
    { "5:{1:'s' 4:'text' 20:3}", "5:{1:'s' 4:'next' 20:3}" },
    { "5:{1:'is' 8:1 8:2 20:7}", "5:{1:'is' 8:1 8:3 20:7}" },
    { "5:{1:'is' 8:1 20:7} 5:{1:'js' 8:2 20:7}",
      "5:{1:'is' 8:1 8:2 20:7} 5:{1:'js' 20:7}" },
    { "5:{1:'fs' 7:f1 20:6}", "5:{1:'fs' 7:f1 7:f1 20:6}" },
    { "5:{1:'ss' 9:'a' 9:'b' 20:8}", "5:{1:'ss' 9:'a' 9:'c' 20:8}" },
    { "5:{1:'ss' 9:'ab' 9:'c' 20:8}", "5:{1:'ss' 9:'a' 9:'bc' 20:8}" },
    { "5:{1:'t' 5:{1:2 2:1 4:f1 4:f2} 20:4}", "5:{1:'t' 5:{1:2 2:1 4:f1 4:f3} 20:4}" },
    { "5:{1:'t' 5:{1:2 2:1 4:f1 4:f2} 20:4}", "5:{1:'t' 5:{2:1 4:f1} 20:4}" },
    { "5:{1:'t' 5:{1:1 2:8 6:'p'} 20:4}", "5:{1:'t' 5:{1:1 2:8 6:'q'} 20:4}" },
    { "5:{1:'t' 5:{1:4 2:6 5:1 5:2 5:3 5:4} 20:4}",
      "5:{1:'t' 5:{1:4 2:6 5:1 5:2 5:3 5:5} 20:4}" },
    { "5:{1:'ts' 10:{1:1 2:7 7:3} 20:9}", "5:{1:'ts' 10:{1:1 2:7 7:4} 20:9}" },
    { "5:{1:'p' 20:11 22:{1:{1:1 2:1 4:f1} 2:{1:1 2:7 7:0} 3:3}}",
      "5:{1:'p' 20:11 22:{1:{1:1 2:1 4:f1} 2:{1:1 2:7 7:1} 3:3}}" },
    { "5:{1:'g' 20:5 6:{2:'b' 1:{1:'x' 2:'u' 4:'Relu'} 12:{1:'u'}}}",
      "5:{1:'g' 20:5 6:{2:'b' 1:{1:'x' 2:'u' 4:'Neg'} 12:{1:'u'}}}" },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (pairs); i++)
    differ ("@", pairs[i][0], pairs[i][1]);
}

static void
test_parts (void)
{
  differ ("4:'Op'", "4:'Op'", "4:'Oq'");
  differ ("3:'n'", "3:'n'", "3:'o'");
  differ ("6:'one'", "6:'one'", "6:'two'");
  differ ("8:{2:13}", "8:{2:13}", "8:{2:14}");
  /* Sparse initializers: values, places, shape. */
  differ ("4:f2 8:'e'", "4:f2 8:'e'", "4:f3 8:'e'");
  differ ("7:0 7:2", "7:0 7:2", "7:0 7:3");
  differ ("3:5}", "3:5}", "3:6}");
  /* The function that a node calls. */
  differ ("4:'Relu'", "4:'Relu'", "4:'Neg'");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/train/hash/attributes", test_attributes);
  g_test_add_func ("/train/hash/parts", test_parts);
  return g_test_run ();
}
