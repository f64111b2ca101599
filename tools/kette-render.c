/* SPDX-License-Identifier: Apache-2.0
 * kette-render layout: reads boxes and edges as numbers from standard input, writes their
 * places to standard output. The only program that sees Graphviz, and Graphviz sees neither
 * names nor fonts; whatever it does with time and memory ends with this process.
 *
 *   in    kette-layout 1, then: boxes edges nodesep ranksep; width height group per box;
 *         from to weight per edge. All lengths in tenths of a point, groups from 1, 0 is none.
 *   out   kette-layout 1, then: width height; x y of the middle per box; per edge the number of
 *         points of its chain of cubic curves and the points; end. y grows downwards.
 */
#include <errno.h>
#include <gvc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MAGIC "kette-layout 1\n"
#define INPUT_LIMIT (16u << 20)
#define MAX_BOXES 20000
#define MAX_EDGES 200000
#define MEMORY_LIMIT ((rlim_t) 1 << 30)
#define MANY_BOXES 1500 /* above, dot's search for places is cut short */

#ifdef __has_feature /* clang's way to say what gcc defines */
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

extern gvplugin_library_t gvplugin_dot_layout_LTX_library, gvplugin_core_LTX_library;

static lt_symlist_t plugins[] = {
  { "gvplugin_dot_layout_LTX_library", &gvplugin_dot_layout_LTX_library },
  { "gvplugin_core_LTX_library", &gvplugin_core_LTX_library },
  { 0, 0 },
};

typedef struct
{
  int n_boxes, n_edges;
  Agraph_t *graph;
  Agnode_t **boxes;
  Agedge_t **edges;
} Picture;

static int
fail (const char *what)
{
  fprintf (stderr, "kette-render: %s\n", what);
  return 1;
}

static char *
read_input (void)
{
  char *text = malloc (INPUT_LIMIT + 1);
  size_t n;

  if (!text)
    return NULL;
  n = fread (text, 1, INPUT_LIMIT + 1, stdin);
  if (n > INPUT_LIMIT || ferror (stdin) || strlen (MAGIC) > n
      || memcmp (text, MAGIC, strlen (MAGIC)) != 0)
    {
      free (text);
      return NULL;
    }
  text[n] = '\0';
  return text;
}

/* The next number if it lies in 0 .. MAX; -1 otherwise. */
static long
read_number (char **p, long max)
{
  char *end;
  long v;

  errno = 0;
  v     = strtol (*p, &end, 10);
  if (end == *p || errno != 0 || v < 0 || v > max)
    return -1;
  *p = end;
  return v;
}

/* Sets an attribute of OBJECT to V tenths of a point, in inches. */
static void
set_inches (void *object, const char *name, long v)
{
  char text[32];

  snprintf (text, sizeof text, "%.4f", (double) v / 720);
  agsafeset (object, (char *) name, text, (char *) "");
}

static void
set_defaults (Agraph_t *graph, long nodesep, long ranksep, int n_boxes)
{
  agattr (graph, AGRAPH, (char *) "rankdir", (char *) "LR");
  agattr (graph, AGRAPH, (char *) "splines", (char *) "true");
  set_inches (graph, "nodesep", nodesep);
  set_inches (graph, "ranksep", ranksep);
  if (n_boxes > MANY_BOXES)
    agattr (graph, AGRAPH, (char *) "nslimit", (char *) "0.1");
  agattr (graph, AGNODE, (char *) "shape", (char *) "box");
  agattr (graph, AGNODE, (char *) "label", (char *) "");
  agattr (graph, AGNODE, (char *) "fixedsize", (char *) "true");
  agattr (graph, AGEDGE, (char *) "tailport", (char *) "e");
  agattr (graph, AGEDGE, (char *) "headport", (char *) "w");
  agattr (graph, AGEDGE, (char *) "dir", (char *) "none");
}

static int
read_boxes (Picture *picture, char **p)
{
  for (int i = 0; i < picture->n_boxes; i++)
    {
      const long width = read_number (p, 1000000), height = read_number (p, 1000000);
      const long group = read_number (p, MAX_BOXES);
      Agraph_t *parent = picture->graph;
      char name[32];

      if (width < 1 || height < 1 || group < 0)
        return 0;
      if (group > 0)
        {
          snprintf (name, sizeof name, "cluster_%ld", group);
          parent = agsubg (picture->graph, name, 1);
        }
      snprintf (name, sizeof name, "n%d", i);
      picture->boxes[i] = parent ? agnode (parent, name, 1) : NULL;
      if (!picture->boxes[i])
        return 0;
      set_inches (picture->boxes[i], "width", width);
      set_inches (picture->boxes[i], "height", height);
    }
  return 1;
}

static int
read_edges (Picture *picture, char **p)
{
  for (int i = 0; i < picture->n_edges; i++)
    {
      const long from   = read_number (p, picture->n_boxes - 1);
      const long to     = read_number (p, picture->n_boxes - 1);
      const long weight = read_number (p, 1000);
      char text[32];

      if (from < 0 || to < 0 || weight < 0 || from == to)
        return 0;
      picture->edges[i]
          = agedge (picture->graph, picture->boxes[from], picture->boxes[to], NULL, 1);
      if (!picture->edges[i])
        return 0;
      snprintf (text, sizeof text, "%ld", weight);
      agsafeset (picture->edges[i], (char *) "weight", text, (char *) "1");
    }
  return 1;
}

static int
read_picture (Picture *picture, char *text)
{
  char *p = text + strlen (MAGIC);
  long nodesep, ranksep;

  picture->n_boxes = (int) read_number (&p, MAX_BOXES);
  picture->n_edges = (int) read_number (&p, MAX_EDGES);
  nodesep          = read_number (&p, 100000);
  ranksep          = read_number (&p, 100000);
  if (picture->n_boxes < 0 || picture->n_edges < 0 || nodesep < 0 || ranksep < 0)
    return 0;
  picture->boxes = calloc ((size_t) picture->n_boxes + 1, sizeof *picture->boxes);
  picture->edges = calloc ((size_t) picture->n_edges + 1, sizeof *picture->edges);
  picture->graph = agopen ((char *) "g", Agdirected, NULL);
  if (!picture->boxes || !picture->edges || !picture->graph)
    return 0;
  set_defaults (picture->graph, nodesep, ranksep, picture->n_boxes);
  return read_boxes (picture, &p) && read_edges (picture, &p);
}

static long
tenths (double v)
{
  return lround (v * 10);
}

static int
write_curve (const Picture *picture, Agedge_t *edge)
{
  const double top = GD_bb (picture->graph).UR.y, left = GD_bb (picture->graph).LL.x;
  const splines *curve = ED_spl (edge);

  if (!curve || curve->size < 1 || curve->list[0].size < 4)
    return 0;
  printf ("%d", (int) curve->list[0].size);
  for (int i = 0; i < (int) curve->list[0].size; i++)
    printf (" %ld %ld", tenths (curve->list[0].list[i].x - left),
            tenths (top - curve->list[0].list[i].y));
  putchar ('\n');
  return 1;
}

static int
write_picture (const Picture *picture)
{
  const boxf bb = GD_bb (picture->graph);

  printf (MAGIC "%ld %ld\n", tenths (bb.UR.x - bb.LL.x), tenths (bb.UR.y - bb.LL.y));
  for (int i = 0; i < picture->n_boxes; i++)
    printf ("%ld %ld\n", tenths (ND_coord (picture->boxes[i]).x - bb.LL.x),
            tenths (bb.UR.y - ND_coord (picture->boxes[i]).y));
  for (int i = 0; i < picture->n_edges; i++)
    if (!write_curve (picture, picture->edges[i]))
      return 0;
  printf ("end\n");
  return fflush (stdout) == 0;
}

static int
run (int argc, char **argv)
{
  Picture picture = { 0 };
  GVC_t *gvc;
  char *text;

#ifndef __SANITIZE_ADDRESS__
  const struct rlimit limit = { MEMORY_LIMIT, MEMORY_LIMIT };

  if (setrlimit (RLIMIT_AS, &limit) != 0)
    return fail ("cannot limit the memory");
#endif
  if (argc != 2 || strcmp (argv[1], "layout") != 0)
    return fail ("usage: kette-render layout < numbers; it is a helper of kette draw");
  text = read_input ();
  if (!text)
    return fail ("cannot read the input");
  agseterr (AGERR);
  gvc = gvContextPlugins (plugins, 0);
  if (!gvc)
    return fail ("cannot start Graphviz");
  if (!read_picture (&picture, text))
    return fail ("the input makes no sense");
  if (gvLayout (gvc, picture.graph, "dot") != 0 || agerrors () != 0)
    return fail ("Graphviz found no layout");
  if (!write_picture (&picture))
    return fail ("cannot write the layout");
  return 0;
}

/* Nothing is freed, and Graphviz keeps what it allocated: the process ends here. */
int
main (int argc, char **argv)
{
  const int status = run (argc, argv);

  _exit (fflush (stdout) == 0 ? status : 1);
}
