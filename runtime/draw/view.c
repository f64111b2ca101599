/* SPDX-License-Identifier: Apache-2.0
 * The view graph: boxes and edges as a person would sketch them. One box per operator (a
 * MatMul and the Add of its bias are one), one per graph input and parameter. A parameter
 * stands at the operator that reads it; so does a second input, such as the target at the
 * loss, so that the main line stays a line.
 */
#include "draw/draw-private.h"
#include <string.h>

enum /* instead of a box */
{
  NO_BOX  = -1,
  AS_TEXT = -2 /* a line of text in the consumer's box */
};

typedef struct
{
  KetteView *view;
  const KetteGraph *graph;
  const KetteUses *uses;
  gint *of_node, *of_value; /* box by index */
  const KetteNode **sum;    /* by index of a MatMul: the Add that is drawn with it */
  guint *seen;              /* per box: mark of the walk */
} Builder;

static void
box_clear (gpointer data)
{
  KetteBox *box = data;

  g_free (box->id);
  g_free (box->title);
  g_free (box->symbol);
  g_free (box->head);
  g_free (box->word);
  g_free (box->formula);
  g_free (box->shape);
  g_free (box->derivative);
  g_free (box->fetch.text);
  g_free (box->saved.text);
  g_free (box->inside.text);
  g_ptr_array_unref (box->notes);
}

static void
edge_clear (gpointer data)
{
  KetteEdge *edge = data;

  g_free (edge->copy.text);
  g_free (edge->back_copy.text);
}

static gboolean
add_box (Builder *b, KetteBoxKind kind, const KetteNode *node, const KetteValue *value,
         gint *place, GError **error)
{
  KetteBox box = { .kind = kind, .node = node, .value = value, .home = -1 };

  if (b->view->boxes->len >= b->view->limit)
    return _kette_fail (
        error, KETTE_ERROR_LIMIT, "draw",
        "the picture has more than %u boxes, the graph %zu nodes; max-boxes raises "
        "the limit to %u at most",
        b->view->limit, b->graph->n_nodes, KETTE_DRAW_BOXES_MAX);
  box.notes = g_ptr_array_new_with_free_func (g_free);
  *place    = (gint) b->view->boxes->len;
  g_array_append_val (b->view->boxes, box);
  return TRUE;
}

/* The box of a node, once made. */
static gint
box_of (const Builder *b, const KetteNode *node)
{
  return b->of_node[b->sum[node->index] ? b->sum[node->index]->index : node->index];
}

/* The value that comes along the main line: the first that an operator makes, else the
 * first input. */
static const KetteValue *
main_input (const KetteNode *node)
{
  const KetteValue *first = NULL;

  for (int32_t i = 0; i < node->n_in; i++)
    {
      const KetteValue *v = node->in[i];

      if (!v || _kette_fold_is_constant (v))
        continue;
      if (v->producer)
        return v;
      first = first ? first : v;
    }
  return first;
}

/* The one node that reads V as far as the picture goes (a MatMul counts as its sum), or NULL
 * if there are several or the reader is a subgraph. */
static const KetteNode *
only_reader (const Builder *b, const KetteValue *v)
{
  const KetteNode *reader = NULL;

  for (uint32_t u = b->uses->start[v->index]; u < b->uses->start[v->index + 1]; u++)
    {
      const KetteNode *node = b->uses->nodes[u];

      if (!b->view->scope->needed[node->index])
        continue;
      node = b->sum[node->index] ? b->sum[node->index] : node;
      if (reader && reader != node)
        return NULL;
      reader = node;
    }
  return reader;
}

static guint
count_attached (const KetteView *view, gint home)
{
  guint n = 0;

  for (guint i = view->boxes->len; i-- > 0;)
    n += KETTE_BOX (view, i)->home == home;
  return n;
}

/* A box, or a line of text, for a value without an operator. HOME: the reader's box if it
 * exists already. */
static gboolean
add_source (Builder *b, const KetteValue *v, const KetteNode *reader, gint home,
            GError **error)
{
  const gboolean constant = _kette_fold_is_constant (v);
  const gboolean single   = home >= 0 && only_reader (b, v) != NULL;
  g_autofree char *text   = constant ? _kette_fold_text (v, reader) : NULL;
  gint place              = NO_BOX;

  if (text
      || (constant && single && count_attached (b->view, home) >= KETTE_DRAW_ATTACHED))
    {
      b->of_value[v->index] = AS_TEXT;
      return TRUE;
    }
  if (!add_box (b, constant ? KETTE_BOX_PARAMETER : KETTE_BOX_DATA, NULL, v, &place,
                error))
    return FALSE;
  b->of_value[v->index] = place;
  if (single && (constant || v != main_input (reader))
      && count_attached (b->view, home) < KETTE_DRAW_ATTACHED)
    KETTE_BOX (b->view, place)->home = home;
  return TRUE;
}

/* Sources of NODE: those of the main line before its box is made, the others behind it. */
static gboolean
add_sources (Builder *b, const KetteNode *node, gboolean before, GError **error)
{
  const gint home = before ? -1 : box_of (b, node);

  for (int32_t i = 0; i < node->n_in; i++)
    {
      const KetteValue *v      = node->in[i];
      const gboolean main_line = v && !_kette_fold_is_constant (v)
                                 && (v == main_input (node) || !only_reader (b, v));

      if (!v || b->of_value[v->index] != NO_BOX || main_line != before
          || (v->producer && !_kette_fold_is_constant (v)))
        continue;
      if (!add_source (b, v, node, home, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
is_missing (const KetteNode *node)
{
  return !node->def
         && !_kette_model_find_function (node->graph->model, node->domain, node->op,
                                         node->overload);
}

static gboolean
add_node (Builder *b, const KetteNode *node, GError **error)
{
  const KetteNode *product = NULL;
  const KetteValue *value = NULL, *bias = NULL;
  KetteBoxKind kind = is_missing (node) ? KETTE_BOX_MISSING : KETTE_BOX_OP;
  gint place        = NO_BOX;

  for (int32_t i = node->n_out; i-- > 0;)
    {
      value = node->out[i] ? node->out[i] : value;
      if (node->out[i] && node->out[i] == b->view->scope->loss)
        kind = KETTE_BOX_LOSS;
    }
  if (_kette_fold_bias (node, b->uses, &product, &bias)
      && !add_sources (b, product, TRUE, error))
    return FALSE;
  if (!add_sources (b, node, TRUE, error)
      || !add_box (b, kind, node, value, &place, error))
    return FALSE;
  b->of_node[node->index] = place;
  for (int32_t i = 0; i < node->n_out; i++)
    if (node->out[i])
      {
        b->of_value[node->out[i]->index] = place;
        KETTE_BOX (b->view, place)->is_output
            |= !b->view->scope->loss && (node->out[i]->flags & KETTE_VALUE_OUTPUT);
      }
  KETTE_BOX (b->view, place)->product = product;
  KETTE_BOX (b->view, place)->bias    = bias;
  if (product)
    {
      KETTE_BOX (b->view, place)->weight = product->in[1];
      if (!add_sources (b, product, FALSE, error))
        return FALSE;
    }
  return add_sources (b, node, FALSE, error);
}

/* Values that only a subgraph reads, and inputs that nobody reads. */
static gboolean
add_rest (Builder *b, GError **error)
{
  gint place = NO_BOX;

  for (size_t i = 0; i < b->graph->n_values; i++)
    {
      const KetteValue *v = b->graph->values[i];
      const gboolean used = b->uses->start[i + 1] > b->uses->start[i];
      const gboolean input
          = (v->flags & KETTE_VALUE_INPUT) && !_kette_fold_is_constant (v);

      if (b->of_value[i] != NO_BOX || b->view->scope->loss || v->outer || !(used || input)
          || (v->producer && !_kette_fold_is_constant (v)))
        continue;
      if (!add_box (b, input ? KETTE_BOX_DATA : KETTE_BOX_PARAMETER, NULL, v, &place,
                    error))
        return FALSE;
      b->of_value[i]                        = place;
      KETTE_BOX (b->view, place)->is_output = (v->flags & KETTE_VALUE_OUTPUT) != 0;
    }
  return TRUE;
}

static gboolean
is_constant_node (const KetteNode *node)
{
  return node->n_out == 1 && node->out[0] && _kette_fold_is_constant (node->out[0]);
}

static gboolean
add_boxes (Builder *b, GError **error)
{
  for (size_t k = 0; k < b->graph->n_nodes; k++)
    {
      const KetteNode *node = b->graph->nodes[k], *product;
      const KetteValue *bias;

      if (b->view->scope->needed[k] && _kette_fold_bias (node, b->uses, &product, &bias))
        b->sum[product->index] = node;
    }
  for (size_t k = 0; k < b->graph->n_nodes; k++)
    {
      const KetteNode *node = b->graph->nodes[k];

      if (b->view->scope->needed[k] && !b->sum[k] && !is_constant_node (node)
          && !add_node (b, node, error))
        return FALSE;
    }
  return add_rest (b, error);
}

/* Does a gradient flow from the box of NODE back along its input V? */
static gboolean
flows_back (const Builder *b, const KetteNode *node, const KetteValue *v)
{
  const KetteScope *scope = b->view->scope;
  gboolean out            = FALSE;

  for (int32_t i = 0; i < node->n_out; i++)
    out |= node->out[i] && scope->active[node->out[i]->index];
  for (int32_t i = 0; out && scope->active[v->index] && i < node->n_in; i++)
    if (node->in[i] == v && _kette_scope_flows (node, i))
      return TRUE;
  return FALSE;
}

/* One edge per pair of boxes, in the order of the values that make them. */
static gboolean
add_edges (Builder *b, const KetteValue *v, gint from, GError **error)
{
  for (uint32_t u = b->uses->start[v->index]; u < b->uses->start[v->index + 1]; u++)
    {
      const KetteNode *node = b->uses->nodes[u];
      const gint to = b->view->scope->needed[node->index] ? box_of (b, node) : NO_BOX;
      const gboolean back
          = to >= 0 && b->view->scope->gradients && flows_back (b, node, v);
      GArray *edges = b->view->edges;

      if (to < 0 || to == from)
        continue;
      if (b->seen[to])
        KETTE_EDGE (b->view, b->seen[to] - 1)->backward |= back;
      else if (edges->len >= KETTE_DRAW_EDGES_MAX)
        return _kette_fail (error, KETTE_ERROR_LIMIT, "draw",
                            "the picture has more than %u edges", KETTE_DRAW_EDGES_MAX);
      else
        {
          KetteEdge edge = { .from = (guint) from, .to = (guint) to, .backward = back };

          g_array_append_val (edges, edge);
          b->seen[to] = edges->len;
        }
    }
  return TRUE;
}

static gboolean
connect_boxes (Builder *b, GError **error)
{
  for (guint i = 0; i < b->view->boxes->len; i++)
    {
      const KetteBox *box = KETTE_BOX (b->view, i);
      const guint first   = b->view->edges->len;

      if (!box->node && !add_edges (b, box->value, (gint) i, error))
        return FALSE;
      for (int32_t k = 0; box->node && k < box->node->n_out; k++)
        if (box->node->out[k] && !add_edges (b, box->node->out[k], (gint) i, error))
          return FALSE;
      for (guint e = first; e < b->view->edges->len; e++)
        b->seen[KETTE_EDGE (b->view, e)->to] = 0;
    }
  return TRUE;
}

/* A chain: the columns form lines without a branch. */
static gboolean
is_chain (const KetteView *view)
{
  g_autofree guint8 *in  = g_new0 (guint8, view->boxes->len + 1);
  g_autofree guint8 *out = g_new0 (guint8, view->boxes->len + 1);

  for (guint e = 0; e < view->edges->len; e++)
    {
      const KetteEdge *edge = KETTE_EDGE (view, e);

      if (KETTE_BOX (view, edge->from)->home >= 0)
        continue;
      if (out[edge->from]++ || in[edge->to]++)
        return FALSE;
    }
  return TRUE;
}

static gboolean
build (Builder *b, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  const size_t n_nodes = b->graph->n_nodes, n_values = b->graph->n_values;
  gboolean ok;

  b->of_node  = _kette_alloc (account, n_nodes + 1, sizeof *b->of_node, error);
  b->of_value = _kette_alloc (account, n_values + 1, sizeof *b->of_value, error);
  b->sum      = _kette_alloc (account, n_nodes + 1, sizeof *b->sum, error);
  b->seen     = _kette_alloc (account, KETTE_DRAW_BOXES_MAX + 1, sizeof *b->seen, error);
  ok          = b->of_node && b->of_value && b->sum && b->seen;
  for (size_t i = 0; ok && i < n_nodes; i++)
    b->of_node[i] = NO_BOX;
  for (size_t i = 0; ok && i < n_values; i++)
    b->of_value[i] = NO_BOX;
  ok = ok && add_boxes (b, error) && connect_boxes (b, error);
  _kette_free (b->of_node);
  _kette_free (b->of_value);
  _kette_free (b->sum);
  _kette_free (b->seen);
  return ok;
}

gboolean
_kette_view_init (KetteView *view, const KetteScope *scope,
                  const KetteDrawOptions *options, GError **error)
{
  Builder b = { .view = view, .graph = scope->graph };
  KetteUses *uses;
  gboolean ok;

  *view       = (KetteView){ .scope = scope };
  view->limit = options->max_boxes ? options->max_boxes : KETTE_DRAW_BOXES;
  if (view->limit > KETTE_DRAW_BOXES_MAX)
    return _kette_fail (error, KETTE_ERROR_LIMIT, "draw",
                        "a picture has at most %u boxes, not %u", KETTE_DRAW_BOXES_MAX,
                        view->limit);
  view->boxes = g_array_new (FALSE, TRUE, sizeof (KetteBox));
  view->edges = g_array_new (FALSE, TRUE, sizeof (KetteEdge));
  g_array_set_clear_func (view->boxes, box_clear);
  g_array_set_clear_func (view->edges, edge_clear);
  b.uses = uses = _kette_uses_new (scope->graph, error);
  ok            = uses && build (&b, error);
  _kette_uses_free (uses);
  if (!ok)
    {
      _kette_view_clear (view);
      return FALSE;
    }
  view->chain = is_chain (view);
  view->title = options->title      ? _kette_clean (options->title, 200)
                : !scope->gradients ? g_strdup ("Forward graph")
                : scope->pale       ? g_strdup ("Backward graph: all gradients of E")
                                    : g_strdup ("Forward and backward graph");
  _kette_notation (view);
  return TRUE;
}

void
_kette_view_clear (KetteView *view)
{
  if (view->boxes)
    g_array_unref (view->boxes);
  if (view->edges)
    g_array_unref (view->edges);
  g_free (view->title);
  _kette_devices_free (view->devices);
  *view = (KetteView){ 0 };
}
