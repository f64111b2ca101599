/* SPDX-License-Identifier: Apache-2.0
 * Which box a node of a plan belongs to: by the names of the values it makes, else by its own
 * name or that of the node it comes from, else by who reads what it makes.
 */
#include "draw/match.h"
#include <string.h>

#define GRADIENT "grad/"

static void
add_name (GHashTable *names, const char *name, guint box)
{
  gpointer before;

  if (!name || !name[0])
    return;
  if (g_hash_table_lookup_extended (names, name, NULL, &before)
      && before != GUINT_TO_POINTER (box + 1))
    box = (guint) -1;
  g_hash_table_insert (names, (gpointer) name, GUINT_TO_POINTER (box + 1));
}

static gint
find_name (GHashTable *names, const char *name)
{
  return name ? (gint) GPOINTER_TO_UINT (g_hash_table_lookup (names, name)) - 1
              : KETTE_NO_BOX;
}

static void
add_node_names (KetteMatch *f, const KetteNode *node, guint box)
{
  if (!node)
    return;
  add_name (f->nodes, node->name, box);
  for (int32_t k = 0; k < node->n_out; k++)
    if (node->out[k])
      {
        add_name (f->values, node->out[k]->name, box);
        /* Nodes that come from one without a name have that of its output. */
        if (k == 0 && !node->name[0])
          add_name (f->nodes, node->out[k]->name, box);
      }
}

gboolean
_kette_match_passes_on (const KetteNode *node)
{
  return _kette_is_copy (node)
         || (strcmp (node->op, "Reorder") == 0 && strcmp (node->domain, "kette") == 0);
}

gboolean
_kette_match_is_backward (const KetteNode *node)
{
  return g_str_has_prefix (node->name, GRADIENT);
}

/* "grad/fc1/MatMul" computes a gradient of node "fc1", as files say that hold such nodes. */
static gint
find_forward (const KetteMatch *f, const char *name)
{
  g_autofree char *base = g_strdup (name + strlen (GRADIENT));
  gint box              = KETTE_NO_BOX;

  for (char *slash; box == KETTE_NO_BOX && (slash = strrchr (base, '/'));)
    {
      *slash = '\0';
      box    = find_name (f->nodes, base);
      if (box == KETTE_NO_BOX) /* "grad/x/Sum" */
        box = find_name (f->values, base);
    }
  return box;
}

static gint
find_box (const KetteMatch *f, const KetteNode *node)
{
  gint box = KETTE_NO_BOX;

  for (int32_t k = 0;
       !_kette_match_is_backward (node) && box == KETTE_NO_BOX && k < node->n_out; k++)
    if (node->out[k])
      box = f->box_of_root[f->root[node->out[k]->index]];
  if (box == KETTE_NO_BOX)
    box = find_name (f->nodes, node->name);
  if (box == KETTE_NO_BOX)
    box = find_name (f->nodes, node->origin);
  if (box == KETTE_NO_BOX && _kette_match_is_backward (node))
    box = find_forward (f, node->name);
  return box;
}

/* A value that is not drawn stays inside a box: nodes that nothing names, those of functions, go
 * where all their readers are. */
static gboolean
find_inner (KetteMatch *f, GError **error)
{
  enum
  {
    SEVERAL = -2
  };
  const KetteGraph *g = f->plan->graph;
  gint *reader /* by value: the box of all that read it */
      = _kette_alloc (_kette_account_process (), g->n_values + 1, sizeof *reader, error);

  for (size_t i = 0; reader && i < g->n_values; i++)
    reader[i] = KETTE_NO_BOX;
  for (size_t i = g->n_nodes; reader && i-- > 0;)
    {
      const KetteNode *node = g->nodes[i];
      gint *box             = &f->box_of_node[i];

      if (_kette_match_passes_on (node))
        continue;
      for (int32_t k = 0; *box == KETTE_NO_BOX && k < node->n_out; k++)
        if (node->out[k] && reader[f->root[node->out[k]->index]] >= 0)
          *box = reader[f->root[node->out[k]->index]];
      for (int32_t k = 0; *box >= 0 && k < node->n_in; k++)
        if (node->in[k])
          {
            gint *own = &reader[f->root[node->in[k]->index]];

            *own = *own == KETTE_NO_BOX || *own == *box ? *box : SEVERAL;
          }
    }
  _kette_free (reader);
  return reader != NULL;
}

/* Names of the view, then what the plan's values and nodes are of it. */
gboolean
_kette_match_init (KetteMatch *f, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  const KetteGraph *g   = f->plan->graph;

  f->values      = g_hash_table_new (g_str_hash, g_str_equal);
  f->nodes       = g_hash_table_new (g_str_hash, g_str_equal);
  f->root        = _kette_alloc (account, g->n_values + 1, sizeof *f->root, error);
  f->box_of_root = _kette_alloc (account, g->n_values + 1, sizeof *f->box_of_root, error);
  f->box_of_node = _kette_alloc (account, g->n_nodes + 1, sizeof *f->box_of_node, error);
  f->hidden      = _kette_alloc (account, g->n_nodes + 1, 1, error);
  if (!f->root || !f->box_of_root || !f->box_of_node || !f->hidden)
    return FALSE;
  for (guint i = 0; i < f->view->boxes->len; i++)
    {
      const KetteBox *box = KETTE_BOX (f->view, i);

      add_node_names (f, box->node, i);
      add_node_names (f, box->product, i);
      if (!box->node)
        add_name (f->values, box->value->name, i);
    }
  for (size_t i = 0; i < g->n_values; i++)
    {
      f->root[i]        = (uint32_t) i;
      f->box_of_root[i] = KETTE_NO_BOX;
    }
  for (size_t i = 0; i < g->n_nodes; i++)
    if (_kette_match_passes_on (g->nodes[i]))
      f->root[g->nodes[i]->out[0]->index] = f->root[g->nodes[i]->in[0]->index];
  for (size_t i = 0; i < g->n_values; i++)
    if (f->box_of_root[f->root[i]] == KETTE_NO_BOX)
      f->box_of_root[f->root[i]] = find_name (f->values, g->values[i]->name);
  for (size_t i = 0; i < g->n_nodes; i++)
    f->box_of_node[i]
        = _kette_match_passes_on (g->nodes[i]) ? KETTE_NO_BOX : find_box (f, g->nodes[i]);
  return find_inner (f, error);
}

void
_kette_match_clear (KetteMatch *f)
{
  g_clear_pointer (&f->values, g_hash_table_unref);
  g_clear_pointer (&f->nodes, g_hash_table_unref);
  _kette_free (f->root);
  _kette_free (f->box_of_root);
  _kette_free (f->box_of_node);
  _kette_free (f->hidden);
}

gint
_kette_match_find (const KetteMatch *f, const char *name)
{
  return find_name (f->values, name);
}
