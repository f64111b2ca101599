/* SPDX-License-Identifier: Apache-2.0
 * Public: pictures of graphs.
 */
#pragma once
#include "graph/graph.h"

G_BEGIN_DECLS

/**
 * KetteDrawOptions:
 * @view: "forward", "backward", "both" or "auto"
 * @loss: (nullable): the value whose gradients are drawn, or a loss of training such as
 *   "half-sse", which is then drawn behind the first output; %NULL: that of the model's
 *   training step, or its scalar output
 * @format: "svg" or "dot"; %NULL: from the file's suffix
 * @title: (nullable): printed above the graph; %NULL: a title that names the view, "": none
 * @layout: "auto", "row" (a chain, in the library itself), or "dot" (the program kette-render)
 * @max_boxes: more boxes than that are the error `limit`; 0: 300, never more than 2,000
 * @batch: with @device or @place: what open dims are taken for; 0: 1
 * @device: (nullable): shows where a session on this device (kette_session_new_on()) executes
 *   each node and what it copies; "stored": where the training that made the file did
 * @place: (nullable) (array zero-terminated=1): likewise
 *
 * What to draw. Start from kette_draw_options_init().
 */
typedef struct
{
  const char *view, *loss, *format, *title;
  const char *layout;
  guint max_boxes, batch;
  const char *device;
  const char *const *place;
  gpointer reserved[4];
} KetteDrawOptions;
KETTE_EXPORT void kette_draw_options_init (KetteDrawOptions *options);

/**
 * kette_graph_draw:
 * @self: a graph; operators that no plugin provides become boxes named as missing
 * @options: what to draw
 * @error: return location
 *
 * Returns: (transfer full) (nullable): the picture as text
 */
KETTE_EXPORT char *kette_graph_draw (KetteGraph *self, const KetteDrawOptions *options,
                                     GError **error);

G_END_DECLS
