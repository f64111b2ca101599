/* SPDX-License-Identifier: Apache-2.0
 * Devices in a picture: which of them executes each box, and which edge shows each copy. A box
 * may stand for several nodes of the plan (a function, a product with its sum, a node with its
 * gradient); match.c finds them.
 */
#include "draw/layout.h"
#include "draw/match.h"

/* -- boxes -------------------------------------------------------------------------------- */

/* Is NODE the host's though it was asked for elsewhere? As _kette_plan_text has it. */
static gboolean
is_fallback (const KettePlan *plan, const KetteNode *node)
{
  return plan->places && !node->unit && node->why >= KETTE_WHY_NO_KERNEL
         && (plan->places->automatic || _kette_places_wanted (plan->places, node) != 0);
}

static void
place_nodes (const KetteMatch *f)
{
  const KetteGraph *g = f->plan->graph;

  for (size_t i = 0; i < g->n_nodes; i++)
    {
      const KetteNode *node = g->nodes[i];
      KetteBox *box
          = f->box_of_node[i] < 0 ? NULL : KETTE_BOX (f->view, f->box_of_node[i]);

      if (!box)
        continue;
      if (node->why == KETTE_WHY_LATER)
        {
          box->unplaced = "at the run";
          continue;
        }
      *(_kette_match_is_backward (node) ? &box->back_units : &box->units)
          |= 1u << node->unit;
      box->fallback |= is_fallback (f->plan, node);
    }
}

/* A parameter lies wherever it is read; the file's tensor is what its values have in common. */
static void
place_parameters (const KetteMatch *f)
{
  const KetteGraph *g          = f->plan->graph;
  g_autoptr (GHashTable) boxes = g_hash_table_new (NULL, NULL);

  for (size_t i = 0; i < g->n_values; i++)
    {
      const gint box = _kette_match_find (f, g->values[i]->name);

      if (g->values[i]->data && box >= 0 && !KETTE_BOX (f->view, box)->node)
        g_hash_table_insert (boxes, g->values[i]->data, GINT_TO_POINTER (box + 1));
    }
  for (size_t i = 0; i < g->n_nodes; i++)
    for (int32_t k = 0; k < g->nodes[i]->n_in; k++)
      {
        const KetteValue *v = g->nodes[i]->in[k];
        const gint box      = v && v->data
                                  ? GPOINTER_TO_INT (g_hash_table_lookup (boxes, v->data)) - 1
                                  : KETTE_NO_BOX;

        if (box >= 0)
          KETTE_BOX (f->view, box)->units |= 1u << v->unit;
      }
}

/* What the plan does not name: inputs are the host's, a parameter that was packed or folded lies
 * with its reader, an operator on constants is computed before. */
static void
place_rest (const KetteMatch *f)
{
  for (guint i = 0; i < f->view->boxes->len; i++)
    {
      KetteBox *box = KETTE_BOX (f->view, i);
      const KetteValue *v
          = box->value ? _kette_graph_find (f->plan->graph, box->value->name) : NULL;

      box->strip = TRUE;
      if (box->units)
        box->unplaced = NULL;
      if (box->units || box->unplaced)
        continue;
      if (box->kind == KETTE_BOX_DATA)
        box->units = 1;
      else if (box->kind != KETTE_BOX_PARAMETER)
        box->unplaced = v && v->data ? "before the run" : "not executed";
    }
  for (guint e = 0; e < f->view->edges->len; e++)
    {
      KetteBox *box = KETTE_BOX (f->view, KETTE_EDGE (f->view, e)->from);

      if (box->kind == KETTE_BOX_PARAMETER && !box->units)
        box->units = KETTE_BOX (f->view, KETTE_EDGE (f->view, e)->to)->units;
    }
  for (guint i = 0; i < f->view->boxes->len; i++)
    if (!KETTE_BOX (f->view, i)->units && !KETTE_BOX (f->view, i)->unplaced)
      KETTE_BOX (f->view, i)->unplaced = "not read";
}

/* -- copies ------------------------------------------------------------------------------- */

static gsize
bytes_of (const KetteMatch *f, const KetteNode *copy)
{
  const KetteStorage *storage = _kette_plan_storage (f->plan, copy->out[0]);

  return storage ? storage->bytes : 0;
}

/* COPY is to be seen at SHOWN; only the first one of several counts it. */
static void
show_copy (KetteMatch *f, const KetteNode *copy, KetteDrawCopy *shown)
{
  if (!f->hidden[copy->index])
    {
      shown->elsewhere = TRUE;
      return;
    }
  g_autofree char *before = shown->text;

  f->hidden[copy->index] = 0;
  shown->each = !shown->n || shown->each == bytes_of (f, copy) ? bytes_of (f, copy) : 0;
  shown->n++;
  shown->bytes += bytes_of (f, copy);
  shown->text = g_strdup_printf ("%s%s%zu bytes, %s to %s", before ? before : "",
                                 before ? "; " : "", bytes_of (f, copy),
                                 (const char *) copy->attrs[0].v,
                                 (const char *) copy->attrs[1].v);
}

/* Does nothing of the plan stand for BOX in that direction, so that values pass it as they are? */
static gboolean
is_transparent (const KetteBox *box, gboolean backward)
{
  return backward ? !box->back_units : !box->units && box->node;
}

/* What shows that the box FROM gives a copied value to the box TO: the first edge of a way there
 * that no node of the plan interrupts. NULL: nothing does. */
static KetteDrawCopy *
find_edge (const KetteMatch *f, gint from, gint to, gboolean backward)
{
  const GArray *edges = f->view->edges;
  const guint n       = f->view->boxes->len;
  g_autofree gint *first
      = g_new (gint, n + 1); /* by box: edge; KETTE_NO_BOX: not reached */
  g_autofree guint *frontier = g_new (guint, n + 1);
  guint end                  = 0;

  if (from < 0 || to < 0 || from == to)
    return NULL;
  for (guint i = 0; i < n; i++)
    first[i] = KETTE_NO_BOX;
  frontier[end++] = (guint) from;
  for (guint k = 0; k < end; k++)
    for (guint e = 0; e < edges->len; e++)
      {
        KetteEdge *edge   = KETTE_EDGE (f->view, e);
        const guint start = backward ? edge->to : edge->from;
        const guint goal  = backward ? edge->from : edge->to;

        if (start != frontier[k] || (backward && !edge->backward) || first[goal] >= 0
            || goal == (guint) from)
          continue;
        first[goal] = k ? first[start] : (gint) e;
        if (goal == (guint) to)
          {
            edge = KETTE_EDGE (f->view, first[goal]);
            return backward ? &edge->back_copy : &edge->copy;
          }
        if (is_transparent (KETTE_BOX (f->view, goal), backward))
          frontier[end++] = goal;
      }
  return NULL;
}

/* VALUE, made by copies, is read by READER, or (NULL) given to the caller. */
static void
follow_copies (KetteMatch *f, const KetteValue *value, const KetteNode *reader)
{
  const KetteGraph *g     = f->plan->graph;
  const KetteValue *top   = g->values[f->root[value->index]];
  const gint maker        = f->box_of_root[top->index] >= 0 ? f->box_of_root[top->index]
                            : top->producer ? f->box_of_node[top->producer->index]
                                            : KETTE_NO_BOX;
  const gboolean gradient = top->producer && _kette_match_is_backward (top->producer);
  KetteDrawCopy *shown    = NULL;

  if (reader && maker >= 0 && maker == f->box_of_node[reader->index])
    shown = _kette_box_parts (KETTE_BOX (f->view, maker))
                    && _kette_match_is_backward (reader) && !gradient
                ? &KETTE_BOX (f->view, maker)->saved
                : &KETTE_BOX (f->view, maker)->inside;
  else if (reader)
    shown = find_edge (f, maker, f->box_of_node[reader->index], gradient);
  else if (maker >= 0 && !gradient && KETTE_BOX (f->view, maker)->node)
    shown = &KETTE_BOX (f->view, maker)->fetch;
  for (; shown && value->producer && _kette_match_passes_on (value->producer);
       value = value->producer->in[0])
    if (_kette_is_copy (value->producer))
      show_copy (f, value->producer, shown);
}

static void
place_copies (KetteMatch *f, KetteDrawDevices *devices)
{
  const KetteGraph *g = f->plan->graph;

  for (size_t i = 0; i < g->n_nodes; i++)
    if (_kette_is_copy (g->nodes[i]))
      {
        const KetteNode *copy = g->nodes[i];

        f->hidden[i] = 1;
        devices->n_in += copy->in[0]->unit == 0;
        devices->n_out += copy->out[0]->unit == 0;
        devices->n_between += copy->in[0]->unit && copy->out[0]->unit;
        devices->bytes += bytes_of (f, copy);
      }
  for (size_t i = 0; i < g->n_nodes; i++)
    for (int32_t k = 0; !_kette_match_passes_on (g->nodes[i]) && k < g->nodes[i]->n_in;
         k++)
      if (g->nodes[i]->in[k] && g->nodes[i]->in[k]->producer
          && _kette_match_passes_on (g->nodes[i]->in[k]->producer))
        follow_copies (f, g->nodes[i]->in[k], g->nodes[i]);
  for (size_t i = 0; i < g->n_outputs; i++)
    if (g->outputs[i]->producer && _kette_match_passes_on (g->outputs[i]->producer))
      follow_copies (f, g->outputs[i], NULL);
  for (size_t i = 0; i < g->n_nodes; i++)
    devices->n_hidden += f->hidden[i];
}

/* -- all of it ---------------------------------------------------------------------------- */

/* A device keeps its colour from picture to picture: that of its number, if it is free. */
static void
name_units (KetteDrawDevices *devices, const KettePlan *plan)
{
  gboolean taken[KETTE_DRAW_COLOURS] = { TRUE };

  devices->n_units  = 1 + (plan->places ? plan->places->n_units : 0);
  devices->names[0] = g_strdup ("cpu");
  for (guint u = 1; u < devices->n_units; u++)
    {
      const KetteUnit *unit = plan->places->units[u];
      const guint n         = KETTE_DRAW_COLOURS - 1;
      guint own             = (guint) unit->index % n;

      for (guint k = 0; k < n && taken[1 + own]; k++)
        own = (own + 1) % n;
      taken[1 + own]      = TRUE;
      devices->names[u]   = _kette_clean (unit->name, 40);
      devices->colours[u] = 1 + own;
    }
}

static void
extend_title (const KetteDrawDevices *devices, KetteBox *box)
{
  g_autofree char *before = box->title;
  g_autofree char *units  = _kette_devices_list (devices, box->units);
  g_autofree char *back   = _kette_devices_list (devices, box->back_units);
  GString *out            = g_string_new (before);

  g_string_append_printf (out, "; %s%s", box->unplaced ? "" : "on ",
                          box->unplaced ? box->unplaced : units);
  if (box->fallback)
    g_string_append (out, ", though asked for elsewhere");
  if (box->back_units)
    g_string_append_printf (out, "; gradient on %s", back);
  if (box->saved.text)
    g_string_append_printf (out, "; copied for the gradient: %s", box->saved.text);
  if (box->inside.text)
    g_string_append_printf (out, "; copied inside: %s", box->inside.text);
  if (box->fetch.text)
    g_string_append_printf (out, "; copied: %s", box->fetch.text);
  box->title = g_string_free (out, FALSE);
}

static gboolean
has_open_dims (const KetteGraph *graph)
{
  for (size_t i = 0; i < graph->n_inputs; i++)
    for (int32_t d = 0; d < graph->inputs[i]->type.ndim; d++)
      if (!(graph->inputs[i]->flags & KETTE_VALUE_INITIALIZER)
          && KT_IS_DIM (graph->inputs[i]->type.dims[d]))
        return TRUE;
  return FALSE;
}

gboolean
_kette_view_add_devices (KetteView *view, const KettePlan *plan, gint64 batch,
                         GError **error)
{
  KetteDrawDevices *devices = view->devices = g_new0 (KetteDrawDevices, 1);
  KetteMatch f                              = { .view = view, .plan = plan };
  gboolean ok;

  name_units (devices, plan);
  devices->batch = has_open_dims (view->scope->graph) ? batch : 0;
  ok             = _kette_match_init (&f, error);
  if (ok)
    {
      place_nodes (&f);
      place_parameters (&f);
      place_rest (&f);
      place_copies (&f, devices);
      for (guint i = 0; i < view->boxes->len; i++)
        {
          KetteBox *box = KETTE_BOX (view, i);

          devices->used |= box->units | box->back_units;
          extend_title (devices, box);
        }
    }
  _kette_match_clear (&f);
  return ok;
}

void
_kette_devices_free (KetteDrawDevices *devices)
{
  for (guint u = 0; devices && u < devices->n_units; u++)
    g_free (devices->names[u]);
  g_free (devices);
}
