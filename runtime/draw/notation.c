/* SPDX-License-Identifier: Apache-2.0
 * Symbols. In a chain of layers: input x, linear z = x W + b, activation a, loss E, target y,
 * anything else h, the layer as a superscript. Elsewhere a box carries its operator and name.
 */
#include "draw/notation.h"
#include <string.h>

static gboolean
is_standard (const KetteNode *node, const char *const *names)
{
  if (node->domain[0])
    return FALSE;
  for (; *names; names++)
    if (strcmp (node->op, *names) == 0)
      return TRUE;
  return FALSE;
}

/* Operators that start a layer, with their weight and bias. */
static void
find_linear (KetteBox *box)
{
  static const char *const matmul[]    = { "MatMul", NULL };
  static const char *const with_bias[] = { "Gemm", "Conv", "ConvTranspose", NULL };
  const KetteNode *node                = box->node;

  if (!node || box->product)
    box->linear = box->product != NULL;
  else if ((is_standard (node, matmul) || is_standard (node, with_bias))
           && node->n_in >= 2 && node->in[0] && node->in[1]
           && !_kette_fold_is_constant (node->in[0])
           && _kette_fold_is_constant (node->in[1]))
    {
      box->linear = TRUE;
      box->weight = node->in[1];
      if (node->n_in > 2 && node->in[2] && _kette_fold_is_constant (node->in[2]))
        box->bias = node->in[2];
    }
}

static gboolean
is_activation (const KetteNode *node)
{
  static const char *const names[]
      = { "Sigmoid", "Tanh",    "Relu",        "LeakyRelu", "Elu",      "Selu",
          "Celu",    "Softmax", "LogSoftmax",  "Softplus",  "Softsign", "Gelu",
          "Mish",    "Swish",   "HardSigmoid", "HardSwish", "PRelu",    "ThresholdedRelu",
          "Clip",    NULL };

  return is_standard (node, names);
}

static char *
layer_mark (guint layer, guint n)
{
  if (n > 3)
    return g_strdup_printf ("^{(%u)}", layer);
  return layer == n ? g_strdup ("^{(L)}") : g_strdup_printf ("^{(L-%u)}", n - layer);
}

char *
_kette_notation_layer (guint layer, guint n)
{
  if (n > 3)
    return g_strdup_printf ("Layer %u", layer);
  return layer == n ? g_strdup ("Layer L")
                    : g_strdup_printf ("Layer L \xe2\x88\x92 %u", n - layer);
}

static gboolean
is_matrix (const KetteValue *v)
{
  const int64_t *dims = v->type.kind == KT_TENSOR ? v->type.dims : NULL;
  const int rank      = v->type.ndim;
  gboolean big        = rank > 2;

  for (int i = 0; dims && i < rank; i++)
    big |= dims[i] != 1;
  return rank >= 2 && big;
}

/* Is anything but the operator itself standing at box I: a second input? */
static gboolean
has_second_input (const KetteView *view, guint home)
{
  for (guint i = home + 1; i < view->boxes->len; i++)
    if (KETTE_BOX (view, i)->home == (gint) home
        && KETTE_BOX (view, i)->kind == KETTE_BOX_DATA)
      return TRUE;
  return FALSE;
}

typedef struct
{
  guint layer, hidden;
  gboolean active, behind; /* the layer has its a; the target has come in */
} Walk;

static void
name_operator (KetteView *view, guint i, Walk *walk)
{
  KetteBox *box         = KETTE_BOX (view, i);
  g_autofree char *mark = NULL;

  walk->behind |= walk->layer == view->n_layers
                  && (box->kind == KETTE_BOX_LOSS
                      || (view->scope->loss && has_second_input (view, i)));
  if (box->linear)
    {
      walk->layer++;
      walk->active = FALSE;
    }
  box->layer = walk->behind ? 0 : walk->layer;
  mark       = box->layer ? layer_mark (box->layer, view->n_layers) : NULL;
  if (box->kind == KETTE_BOX_OP && box->linear)
    box->symbol = g_strconcat ("z", mark, NULL);
  else if (box->kind == KETTE_BOX_OP && !walk->active && is_activation (box->node)
           && mark)
    {
      box->symbol  = g_strconcat ("a", mark, NULL);
      walk->active = TRUE;
    }
  else if (box->kind == KETTE_BOX_OP && box->value)
    box->symbol = g_strdup_printf ("h_{%u}", ++walk->hidden);
}

static void
name_layers (KetteView *view)
{
  g_autofree gint *next             = g_new (gint, view->boxes->len + 1);
  g_autofree gboolean *has_previous = g_new0 (gboolean, view->boxes->len + 1);
  Walk walk                         = { 0 };

  for (guint i = 0; i < view->boxes->len; i++)
    next[i] = -1;
  for (guint e = 0; e < view->edges->len; e++)
    {
      const KetteEdge *edge = KETTE_EDGE (view, e);

      if (KETTE_BOX (view, edge->from)->home >= 0)
        continue;
      next[edge->from]       = (gint) edge->to;
      has_previous[edge->to] = TRUE;
    }
  for (guint i = 0; i < view->boxes->len; i++)
    if (!has_previous[i] && KETTE_BOX (view, i)->home < 0)
      for (gint k = (gint) i; k >= 0; k = next[k])
        if (KETTE_BOX (view, k)->node)
          name_operator (view, (guint) k, &walk);
}

static void
name_parameter (const KetteView *view, KetteBox *box)
{
  const KetteBox *home = box->home >= 0 ? KETTE_BOX (view, box->home) : NULL;
  const KetteDtype *dtype
      = box->value->type.kind ? _kette_dtype (box->value->type.dtype) : NULL;
  const gboolean weight = home && home->weight == box->value;
  const gboolean bias   = home && home->bias == box->value;

  box->word
      = g_strdup (weight                                                ? "weight"
                  : bias                                                ? "bias"
                  : box->value->producer || (dtype && !dtype->is_float) ? "constant"
                                                                        : "parameter");
  if ((weight || bias) && home->layer && view->n_layers)
    {
      g_autofree char *mark = layer_mark (home->layer, view->n_layers);

      box->symbol = g_strconcat (bias                     ? "b"
                                 : is_matrix (box->value) ? "W"
                                                          : "w",
                                 mark, NULL);
    }
}

static void
name_data (const KetteView *view, KetteBox *box, guint *n, guint total)
{
  const KetteBox *home = box->home >= 0 ? KETTE_BOX (view, box->home) : NULL;

  box->is_target = home && view->scope->loss
                   && (view->n_layers ? home->layer == 0 : home->kind == KETTE_BOX_LOSS);
  box->word = g_strdup (box->is_target   ? "target"
                        : box->is_output ? "input, output"
                                         : "input");
  if (box->is_target && view->n_layers)
    box->symbol = g_strdup ("y");
  else if (view->n_layers)
    box->symbol = total > 1 ? g_strdup_printf ("x_{%u}", ++*n) : g_strdup ("x");
}

/* The last component of a name's path. */
char *
_kette_notation_name (const char *name, size_t characters)
{
  const char *slash = strrchr (name, '/');
  g_autofree char *text
      = _kette_clean (slash && slash[1] ? slash + 1 : name, 4 * characters);

  return _kette_text_cut (text, characters);
}

static void
set_words (KetteView *view, KetteBox *box)
{
  g_autofree char *op = _kette_clean (box->node->op, 40);

  box->head = box->product ? g_strdup ("MatMul + Add") : g_strdup (op);
  if (box->kind == KETTE_BOX_MISSING)
    box->word = g_strdup ("missing");
  else if (box->symbol)
    box->word = box->product ? g_strdup ("linear") : g_strdup (op);
  else if (box->is_output)
    box->word = g_strdup ("output");
  if (box->symbol && view->n_layers)
    box->formula = _kette_notation_formula (view, box);
  if (box->kind == KETTE_BOX_MISSING && box->node->domain[0])
    g_ptr_array_add (box->notes, _kette_notation_name (box->node->domain, 24));
  if (!box->formula && box->value)
    g_ptr_array_add (box->notes, _kette_notation_name (box->value->name, 24));
}

static void
set_gradient (const KetteView *view, KetteBox *box)
{
  g_autofree char *name = NULL;
  g_autofree char *text = NULL;

  box->gradient
      = box->value && view->scope->gradients && view->scope->active[box->value->index];
  if (!box->gradient)
    return;
  if (box->symbol)
    box->derivative = g_strdup_printf ("\\partial E/\\partial %s%s", box->symbol,
                                       box->kind == KETTE_BOX_LOSS ? " = 1" : "");
  else if (!box->node && strlen (box->value->name) <= 12)
    {
      name            = _kette_clean (box->value->name, 12);
      text            = _kette_markup_text (name);
      box->derivative = g_strdup_printf ("\\partial E/\\partial %s", text);
    }
  else
    box->derivative = g_strdup ("\\text{gradient}");
}

/* What a pointer resting on the box should say: everything, with full names. */
static void
set_title (const KetteView *view, KetteBox *box)
{
  GString *out          = g_string_new (NULL);
  g_autofree char *head = box->node ? g_strdup (box->head) : g_strdup (box->word);

  g_string_append (out, head);
  if (box->kind == KETTE_BOX_MISSING)
    g_string_append (out, ", missing: no plugin provides it");
  if (box->node && box->node->name[0])
    {
      g_autofree char *name = _kette_clean_title (box->node->name, 200);

      g_string_append_printf (out, "; node %s", name);
    }
  if (box->value)
    {
      g_autofree char *name = _kette_clean_title (box->value->name, 200);

      g_string_append_printf (out, "; value %s%s%s", name, box->shape[0] ? ", " : "",
                              box->shape);
    }
  if (box->gradient)
    {
      g_autofree char *grad = g_strconcat ("grad/", box->value->name, NULL);
      g_autofree char *name = _kette_clean_title (grad, 200);

      g_string_append_printf (out, "; gradient %s",
                              _kette_graph_find (view->scope->graph, grad) ? name
                                                                           : "of E");
    }
  box->title = g_string_free (out, FALSE);
}

static void
set_id (KetteBox *box, guint i, GHashTable *ids)
{
  g_autofree char *own
      = box->value ? g_strdup (box->value->name) : g_strdup_printf ("node#%u", i);
  g_autofree char *id = _kette_clean_id ("n-", own);

  box->id = g_strdup (id);
  for (guint k = 2; g_hash_table_contains (ids, box->id); k++)
    {
      g_free (box->id);
      box->id = g_strdup_printf ("%s_x%u", id, k);
    }
  g_hash_table_add (ids, box->id);
}

void
_kette_notation (KetteView *view)
{
  g_autoptr (GHashTable) ids = g_hash_table_new (g_str_hash, g_str_equal);
  guint n_inputs = 0, input = 0;

  for (guint i = 0; i < view->boxes->len; i++)
    {
      find_linear (KETTE_BOX (view, i));
      view->n_layers += KETTE_BOX (view, i)->linear;
    }
  if (!view->chain)
    view->n_layers = 0;
  if (view->n_layers)
    name_layers (view);
  for (guint i = 0; i < view->boxes->len; i++)
    {
      const KetteBox *box = KETTE_BOX (view, i);

      n_inputs += box->kind == KETTE_BOX_DATA
                  && (box->home < 0 || KETTE_BOX (view, box->home)->layer);
    }
  for (guint i = 0; i < view->boxes->len; i++)
    {
      KetteBox *box = KETTE_BOX (view, i);

      if (box->kind == KETTE_BOX_DATA)
        name_data (view, box, &input, n_inputs);
      else if (box->kind == KETTE_BOX_PARAMETER)
        name_parameter (view, box);
      else if (box->kind == KETTE_BOX_LOSS)
        box->symbol = g_strdup ("E");
    }
  for (guint i = 0; i < view->boxes->len; i++) /* all symbols are known: formulas */
    if (KETTE_BOX (view, i)->node)
      set_words (view, KETTE_BOX (view, i));
    else
      KETTE_BOX (view, i)->head
          = _kette_notation_name (KETTE_BOX (view, i)->value->name, 18);
  for (guint i = 0; i < view->boxes->len; i++)
    {
      KetteBox *box = KETTE_BOX (view, i);

      box->shape = box->value ? _kette_notation_shape (box->value, TRUE) : g_strdup ("");
      set_id (box, i, ids);
      set_gradient (view, box);
      _kette_notation_notes (view, box);
      set_title (view, box);
    }
}
