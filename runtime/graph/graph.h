/* SPDX-License-Identifier: Apache-2.0
 * Public: graphs.
 */
#pragma once
#include "base/tensor.h"

G_BEGIN_DECLS

/**
 * KetteGraph:
 *
 * A computation graph: nodes that apply operators to values, with inputs, outputs and
 * initializers (the parameters). Made by kette_graph_load(). Reference counted.
 */
typedef struct _KetteGraph KetteGraph;
#define KETTE_TYPE_GRAPH (kette_graph_get_type ())
KETTE_EXPORT GType kette_graph_get_type (void);

/**
 * kette_graph_ref:
 * @self: a graph
 * Returns: (transfer full): @self
 */
KETTE_EXPORT KetteGraph *kette_graph_ref (KetteGraph *self);
/**
 * kette_graph_unref:
 * @self: (transfer full) (nullable): a graph
 */
KETTE_EXPORT void kette_graph_unref (KetteGraph *self);
/**
 * kette_graph_get_n_inputs:
 * @self: a graph
 * Returns: the number of inputs that a caller feeds; initializers are not counted
 */
KETTE_EXPORT guint kette_graph_get_n_inputs (KetteGraph *self);
/**
 * kette_graph_get_input_name:
 * @self: a graph
 * @i: index, below kette_graph_get_n_inputs()
 * Returns: (transfer none) (nullable): the name, %NULL beyond the last
 */
KETTE_EXPORT const char *kette_graph_get_input_name (KetteGraph *self, guint i);
/**
 * kette_graph_get_input_type: (skip)
 * @self: a graph
 * @i: index, below kette_graph_get_n_inputs()
 * @dtype: (out): element type, ONNX's number; 0: not known
 * @rank: (out): number of dims; -1: not known
 *
 * Returns: (transfer none) (nullable): the dims; negative ones are open
 */
KETTE_EXPORT const gint64 *kette_graph_get_input_type (KetteGraph *self, guint i,
                                                       int *dtype, int *rank);
/**
 * kette_graph_get_n_defaults:
 * @self: a graph
 * Returns: the number of inputs that have a default: initializers that are inputs as well
 */
KETTE_EXPORT guint kette_graph_get_n_defaults (KetteGraph *self);
/**
 * kette_graph_get_default_name:
 * @self: a graph
 * @i: index, below kette_graph_get_n_defaults()
 * Returns: (transfer none) (nullable): the name, %NULL beyond the last
 */
KETTE_EXPORT const char *kette_graph_get_default_name (KetteGraph *self, guint i);
/**
 * kette_graph_get_n_outputs:
 * @self: a graph
 * Returns: the number of outputs
 */
KETTE_EXPORT guint kette_graph_get_n_outputs (KetteGraph *self);
/**
 * kette_graph_get_output_name:
 * @self: a graph
 * @i: index, below kette_graph_get_n_outputs()
 * Returns: (transfer none) (nullable): the name, %NULL beyond the last
 */
KETTE_EXPORT const char *kette_graph_get_output_name (KetteGraph *self, guint i);
/**
 * kette_graph_get_parameter:
 * @self: a graph
 * @name: name of an initializer
 * Returns: (transfer none) (nullable): its content, %NULL if there is no such initializer
 */
KETTE_EXPORT KetteTensor *kette_graph_get_parameter (KetteGraph *self, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KetteGraph, kette_graph_unref)
G_END_DECLS
