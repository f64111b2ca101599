/* SPDX-License-Identifier: Apache-2.0
 * Lets a model forget the file that it came from: what is saved then is made from what Kette
 * knows, as it is for graphs that passes and training have made.
 */
#include "io/scan.h"
#include "messages.h"
#include <string.h>

static void
free_message (gpointer message)
{
  _kette_message_free (message);
}

static void
forget_graph (GPtrArray *pending, KetteGraph *graph)
{
  graph->proto = NULL;
  for (size_t i = 0; i < graph->n_values; i++)
    graph->values[i]->proto = NULL;
  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      KetteNode *node = graph->nodes[i];

      node->proto = NULL;
      for (int32_t k = 0; node->subgraphs && k < node->n_attrs; k++)
        if (node->subgraphs[k])
          g_ptr_array_add (pending, node->subgraphs[k]);
    }
}

/* Graphs that are defaults of attributes. */
static void
forget_defaults (GPtrArray *pending, const KetteFunction *function)
{
  size_t at = 0;

  for (size_t i = 0; i < function->n_defaults; i++)
    {
      const kt_attr *attr = &function->defaults[i];
      const int64_t n     = attr->kind == KT_A_GRAPH    ? 1
                            : attr->kind == KT_A_GRAPHS ? attr->i
                                                        : 0;

      for (int64_t k = 0; k < n; k++)
        g_ptr_array_add (pending, function->graphs[at++]);
    }
}

void
messages_forget (KetteGraph *graph)
{
  g_autoptr (GPtrArray) pending = g_ptr_array_new ();
  KetteModel *model             = graph->model;

  g_ptr_array_add (pending, graph);
  for (size_t i = 0; i < model->n_functions; i++)
    {
      model->functions[i]->proto = NULL;
      g_ptr_array_add (pending, model->functions[i]->body);
      forget_defaults (pending, model->functions[i]);
    }
  for (size_t i = 0; i < model->n_training; i++)
    {
      if (model->training[i]->initialization)
        g_ptr_array_add (pending, model->training[i]->initialization);
      if (model->training[i]->algorithm)
        g_ptr_array_add (pending, model->training[i]->algorithm);
    }
  while (pending->len > 0)
    forget_graph (pending, g_ptr_array_remove_index (pending, pending->len - 1));
  /* Texts and weights still lie in it; saving looks for its own function. */
  model->free_message = free_message;
}
