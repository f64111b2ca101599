/* SPDX-License-Identifier: Apache-2.0
 * Target draw: what loads can be drawn, as DOT and as SVG, and the SVG is valid XML in which
 * nothing can act.
 */
#include "draw/draw.h"
#include "fuzz.h"
#include "io/io.h"
#include "op/devices.h"
#include "op/plugins.h"
#include "xml.h"
#include <string.h>

static void
draw (KetteGraph *graph, const KetteDrawOptions *options)
{
  GError *error = NULL;
  char *text    = kette_graph_draw (graph, options, &error);

  if (fuzz_judge (text != NULL, &error))
    {
      if (!g_utf8_validate (text, -1, NULL))
        fuzz_fault ("a picture that is no UTF-8");
      if (strcmp (options->format, "svg") == 0)
        fuzz_judge_svg (text);
    }
  g_free (text);
}

/* Devices stay open: what that takes is no leak. */
static void
open_devices (void)
{
  static gboolean open;
  KetteUnit *unit;

  if (open || !kette_plugins_get (NULL))
    return;
  open = TRUE;
  for (int i = 0; i < 2; i++)
    _kette_unit_get (i ? "guard:1" : "guard:0", &unit, NULL);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t n)
{
  static const char *const views[]   = { "auto", "forward", "backward", "both" };
  static const char *const devices[] = { "cpu", "guard:1", "auto", "stored" };
  static const char *const place[]   = { "*a*=cpu", "*0*=guard", NULL };
  GBytes *bytes                      = g_bytes_new (data, n);
  GError *error                      = NULL;
  KetteDrawOptions options;
  KetteGraph *graph;
  uint64_t choice;

  open_devices ();
  fuzz_begin (data, n);
  fuzz_fail_allocations (1000);
  choice = fuzz_random ();
  graph  = kette_graph_load_bytes (bytes, &error);
  if (fuzz_judge (graph != NULL, &error))
    {
      kette_draw_options_init (&options);
      options.view   = views[choice & 3];
      options.loss   = choice >> 2 & 1 ? "half-sse" : NULL;
      options.format = choice >> 3 & 3 ? "svg" : "dot";
      /* The other engine is a program: slow to start. */
      options.layout = choice >> 5 & 31 ? "row" : "auto";
      /* Where a plan would execute it; what copies there are shows in the unit tests. */
      if ((choice >> 10 & 3) == 0)
        {
          options.device = devices[choice >> 12 & 3];
          options.place  = choice >> 14 & 1 ? place : NULL;
          options.batch  = choice >> 15 & 7;
        }
      draw (graph, &options);
    }
  kette_graph_unref (graph);
  g_bytes_unref (bytes);
  fuzz_end ();
  return 0;
}
