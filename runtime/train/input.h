/* SPDX-License-Identifier: Apache-2.0
 * Public: what was done to the inputs of a model before training.
 *
 * Training on uint8 images scales them. How is written into the model's metadata, entry
 * kette.input.NAME, text "uint8 scale=S mean=M std=D": value = (byte * S - M) / D. Whoever
 * feeds raw bytes later does the same by kette_input_prepare().
 */
#pragma once
#include "graph/graph.h"

G_BEGIN_DECLS

/**
 * KetteInputRecipe:
 * @scale: factor of the raw value
 * @mean: subtracted from the scaled value
 * @std: what it is divided by at last; not 0
 *
 * From raw values to those that the model was trained on.
 */
typedef struct
{
  double scale, mean, std;
} KetteInputRecipe;

/**
 * kette_graph_get_input_recipe:
 * @self: a graph
 * @input: name of an input
 * @recipe: (out): how raw uint8 values become inputs
 * @present: (out): whether the model says so
 * @error: return location
 *
 * Returns: %FALSE with `format` if the model's entry cannot be read
 */
KETTE_EXPORT gboolean kette_graph_get_input_recipe (KetteGraph *self, const char *input,
                                                    KetteInputRecipe *recipe,
                                                    gboolean *present, GError **error);
/**
 * kette_graph_set_input_recipe:
 * @self: a graph
 * @input: name of an input
 * @recipe: (nullable): how raw uint8 values become inputs; %NULL removes the entry
 * @error: return location
 *
 * Returns: %FALSE with `memory` or `value`
 */
KETTE_EXPORT gboolean kette_graph_set_input_recipe (KetteGraph *self, const char *input,
                                                    const KetteInputRecipe *recipe,
                                                    GError **error);
/**
 * kette_input_prepare:
 * @graph: a graph
 * @input: name of one of its inputs
 * @x: raw data: bytes from an IDX file or an image, or numbers
 * @error: return location
 *
 * Brings data into the type and the shape of an input: bytes by the model's recipe, samples
 * of another layout with as many elements, (N,784) for (N,1,28,28), reshaped. Data that fit
 * are returned as they are. Bytes for a float input without a recipe are an error, no guess.
 *
 * Returns: (transfer full) (nullable): the tensor to feed
 */
KETTE_EXPORT KetteTensor *kette_input_prepare (KetteGraph *graph, const char *input,
                                               KetteTensor *x, GError **error);

G_END_DECLS
