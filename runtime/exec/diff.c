/* SPDX-License-Identifier: Apache-2.0
 * kette_graph_diff: the walk over the graphs, functions and training steps of two models.
 */
#include "exec/diff-private.h"
#include "op/plugins.h"
#include <string.h>

typedef struct
{
  KetteDiff d;
  KettePair *pairs;
  size_t n, capacity;
} Walk;

static gboolean
add_pair (Walk *w, KetteGraph *a, KetteGraph *b, size_t parent, GError **error)
{
  if (w->n == w->capacity
      && !_kette_grow (&w->pairs, &w->capacity, w->n + 1, sizeof *w->pairs, error))
    return FALSE;
  if (!_kette_pair_init (&w->pairs[w->n], a, b,
                         parent == SIZE_MAX ? NULL : &w->pairs[parent], error))
    return FALSE;
  w->n++;
  return TRUE;
}

/* The subgraphs of paired nodes, by the attributes' names. */
static gboolean
add_subgraphs (Walk *w, size_t pair, GError **error)
{
  for (size_t i = 0; i < w->pairs[pair].a->n_nodes; i++)
    {
      const KetteNode *a = w->pairs[pair].a->nodes[i], *b = w->pairs[pair].node_b[i];

      for (int32_t k = 0; b && a->subgraphs && b->subgraphs && k < a->n_attrs; k++)
        {
          const kt_attr *same = _kette_node_attr (b, a->attrs[k].name);
          KetteGraph *other   = same ? b->subgraphs[same - b->attrs] : NULL;

          if (a->subgraphs[k] && other
              && !add_pair (w, a->subgraphs[k], other, pair, error))
            return FALSE;
        }
    }
  return TRUE;
}

/* What is on one side only, or has another version on the other. */
static gboolean
diff_opsets (KetteDiff *d, const char *where, KetteDiffSection section,
             const KetteOpset *as, size_t n_a, const KetteOpset *bs, size_t n_b,
             GError **error)
{
  KetteNames *others = NULL;

  for (int side = 0; side < 2; side++)
    {
      const KetteOpset *mine = side ? bs : as, *other = side ? as : bs;
      const size_t n = side ? n_b : n_a, n_other = side ? n_a : n_b;

      others = _kette_names_new (error);
      for (size_t i = 0; others && i < n_other; i++)
        if (!_kette_names_set (others, other[i].domain, (gpointer) &other[i], error))
          g_clear_pointer (&others, _kette_names_free);
      if (!others)
        return FALSE;
      for (size_t i = 0; i < n; i++)
        {
          const KetteOpset *same = _kette_names_get (others, mine[i].domain);
          const char *name = *mine[i].domain ? KETTE_QUOTE (mine[i].domain) : "ai.onnx";

          if (!same)
            _kette_diff_tell (d, section, side ? '+' : '-', where, "%s opset %d", name,
                              mine[i].version);
          else if (!side && same->version != mine[i].version)
            _kette_diff_tell (d, section, '~', where, "%s opset %d -> %d", name,
                              mine[i].version, same->version);
        }
      _kette_names_free (others);
    }
  return TRUE;
}

static const char *
function_where (const KetteFunction *f, char out[KETTE_WHERE_SIZE])
{
  char text[512];

  g_snprintf (text, sizeof text, "%.200s:%.200s%s%.80s", f->domain, f->name,
              f->overload && *f->overload ? ":" : "", f->overload ? f->overload : "");
  g_snprintf (out, KETTE_WHERE_SIZE, "function %s", KETTE_QUOTE (text));
  return out;
}

static gboolean
diff_function_head (KetteDiff *d, const KetteFunction *a, const KetteFunction *b,
                    GError **error)
{
  char where[KETTE_WHERE_SIZE];

  function_where (a, where);
  if (!diff_opsets (d, where, KETTE_DIFF_FUNCTIONS, a->opsets, a->n_opsets, b->opsets,
                    b->n_opsets, error))
    return FALSE;
  if (a->n_attributes != b->n_attributes || a->n_defaults != b->n_defaults)
    {
      _kette_diff_tell (d, KETTE_DIFF_FUNCTIONS, '~', where,
                        "%zu attributes, %zu with a default -> %zu, %zu",
                        a->n_attributes + a->n_defaults, a->n_defaults,
                        b->n_attributes + b->n_defaults, b->n_defaults);
      return TRUE;
    }
  for (size_t i = 0; i < a->n_attributes; i++)
    if (strcmp (a->attributes[i], b->attributes[i]) != 0)
      _kette_diff_tell (d, KETTE_DIFF_FUNCTIONS, '~', where, "attribute %s -> %s",
                        KETTE_QUOTE (a->attributes[i]), KETTE_QUOTE (b->attributes[i]));
  /* Defaults are compared as the attributes of a node are. */
  if (a->n_defaults && a->n_defaults <= INT32_MAX)
    {
      g_autoptr (GString) text = g_string_new (NULL);
      KetteNode x              = { .graph    = a->body,
                                   .name     = "",
                                   .domain   = a->domain,
                                   .op       = a->name,
                                   .overload = "kept",
                                   .n_attrs  = (int32_t) a->n_defaults,
                                   .attrs    = a->defaults };
      KetteNode y              = x;

      y.graph = b->body;
      y.attrs = b->defaults;
      if (_kette_diff_attributes (d, &x, &y, text))
        _kette_diff_tell (d, KETTE_DIFF_FUNCTIONS, '~', where, "default of %s",
                          text->str);
    }
  return TRUE;
}

static gboolean
diff_functions (Walk *w, const KetteModel *a, const KetteModel *b, GError **error)
{
  char where[KETTE_WHERE_SIZE];

  for (size_t i = 0; i < a->n_functions; i++)
    {
      KetteFunction *f = a->functions[i];
      KetteFunction *other
          = _kette_model_find_function (b, f->domain, f->name, f->overload);

      if (!other)
        _kette_diff_tell (&w->d, KETTE_DIFF_FUNCTIONS, '-', function_where (f, where),
                          "%zu nodes", f->body->n_nodes);
      else
        {
          if (!diff_function_head (&w->d, f, other, error)
              || !add_pair (w, f->body, other->body, SIZE_MAX, error))
            return FALSE;
          for (size_t k = 0; k < f->n_graphs && f->n_graphs == other->n_graphs; k++)
            if (!add_pair (w, f->graphs[k], other->graphs[k], SIZE_MAX, error))
              return FALSE;
        }
    }
  for (size_t i = 0; i < b->n_functions; i++)
    {
      const KetteFunction *f = b->functions[i];

      if (!_kette_model_find_function (a, f->domain, f->name, f->overload))
        _kette_diff_tell (&w->d, KETTE_DIFF_FUNCTIONS, '+', function_where (f, where),
                          "%zu nodes", f->body->n_nodes);
    }
  return TRUE;
}

static void
diff_bindings (KetteDiff *d, const char *where, const char *what, const KetteBinding *a,
               size_t n_a, const KetteBinding *b, size_t n_b)
{
  if (n_a != n_b)
    {
      _kette_diff_tell (d, KETTE_DIFF_TRAINING, '~', where, "%zu -> %zu %s", n_a, n_b,
                        what);
      return;
    }
  for (size_t i = 0; i < n_a; i++)
    if (strcmp (a[i].key->name, b[i].key->name) != 0
        || strcmp (a[i].value->name, b[i].value->name) != 0)
      _kette_diff_tell (d, KETTE_DIFF_TRAINING, '~', where,
                        "%s: %s from %s -> %s from %s", what,
                        KETTE_QUOTE (a[i].key->name), KETTE_QUOTE (a[i].value->name),
                        KETTE_QUOTE (b[i].key->name), KETTE_QUOTE (b[i].value->name));
}

static gboolean
diff_training (Walk *w, const KetteModel *a, const KetteModel *b, GError **error)
{
  for (size_t i = 0; i < MAX (a->n_training, b->n_training); i++)
    {
      const KetteTraining *x   = i < a->n_training ? a->training[i] : NULL,
                          *y   = i < b->n_training ? b->training[i] : NULL,
                          *one = x ? x : y;
      char where[64];

      g_snprintf (where, sizeof where, "training_info[%zu]", i);
      if (!x || !y)
        {
          _kette_diff_tell (&w->d, KETTE_DIFF_TRAINING, x ? '-' : '+', where,
                            "%zu nodes, %zu updated tensors",
                            one->algorithm ? one->algorithm->n_nodes : 0, one->n_update);
          continue;
        }
      if (!x->algorithm != !y->algorithm)
        _kette_diff_tell (&w->d, KETTE_DIFF_TRAINING, x->algorithm ? '-' : '+', where,
                          "algorithm");
      if (!x->initialization != !y->initialization)
        _kette_diff_tell (&w->d, KETTE_DIFF_TRAINING, x->initialization ? '-' : '+',
                          where, "initialization");
      diff_bindings (&w->d, where, "updates", x->update, x->n_update, y->update,
                     y->n_update);
      diff_bindings (&w->d, where, "initializations", x->initial, x->n_initial,
                     y->initial, y->n_initial);
      if ((x->algorithm && y->algorithm
           && !add_pair (w, x->algorithm, y->algorithm, 0, error))
          || (x->initialization && y->initialization
              && !add_pair (w, x->initialization, y->initialization, SIZE_MAX, error)))
        return FALSE;
    }
  return TRUE;
}

static void
diff_text (KetteDiff *d, const char *what, const char *a, const char *b)
{
  if (g_strcmp0 (a ? a : "", b ? b : "") != 0)
    _kette_diff_tell (d, KETTE_DIFF_META, '~', "", "%s: %s -> %s", what, KETTE_QUOTE (a),
                      KETTE_QUOTE (b));
}

static void
diff_metadata (KetteDiff *d, const KetteModel *a, const KetteModel *b)
{
  diff_text (d, "producer", a->producer, b->producer);
  diff_text (d, "producer version", a->producer_version, b->producer_version);
  diff_text (d, "domain", a->domain, b->domain);
  diff_text (d, "doc string", a->doc, b->doc);
  if (a->model_version != b->model_version)
    _kette_diff_tell (d, KETTE_DIFF_META, '~', "",
                      "model version: %" G_GINT64_FORMAT " -> %" G_GINT64_FORMAT,
                      a->model_version, b->model_version);
  for (size_t i = 0; i < a->n_meta; i++)
    {
      const char *other = _kette_model_get_meta (b, a->meta[i].key);

      if (!other)
        _kette_diff_tell (d, KETTE_DIFF_META, '-', "", "%s = %s",
                          KETTE_QUOTE (a->meta[i].key), KETTE_QUOTE (a->meta[i].value));
      else
        diff_text (d, KETTE_QUOTE (a->meta[i].key), a->meta[i].value, other);
    }
  for (size_t i = 0; i < b->n_meta; i++)
    if (!_kette_model_get_meta (a, b->meta[i].key))
      _kette_diff_tell (d, KETTE_DIFF_META, '+', "", "%s = %s",
                        KETTE_QUOTE (b->meta[i].key), KETTE_QUOTE (b->meta[i].value));
}

static gboolean
diff_models (Walk *w, KetteGraph *a, KetteGraph *b, GError **error)
{
  const KetteModel *x = a->model, *y = b->model;

  if (x->ir_version != y->ir_version)
    _kette_diff_tell (&w->d, KETTE_DIFF_MODEL, '~', "",
                      "IR version %" G_GINT64_FORMAT " -> %" G_GINT64_FORMAT,
                      x->ir_version, y->ir_version);
  if (!diff_opsets (&w->d, "", KETTE_DIFF_MODEL, x->opsets, x->n_opsets, y->opsets,
                    y->n_opsets, error)
      || !add_pair (w, a, b, SIZE_MAX, error) || !diff_functions (w, x, y, error)
      || !diff_training (w, x, y, error))
    return FALSE;
  for (size_t i = 0; i < w->n; i++)
    if (!_kette_diff_graphs (&w->d, &w->pairs[i], error) || !add_subgraphs (w, i, error))
      return FALSE;
  if (w->d.options.flags & KETTE_DIFF_METADATA)
    diff_metadata (&w->d, x, y);
  return TRUE;
}

static void
take_options (KetteDiffOptions *to, const KetteDiffOptions *from)
{
  if (from)
    memcpy (to, from, MIN (from->size, sizeof *to));
  to->size = sizeof *to;
  if (!to->most)
    to->most = 20;
}

char *
kette_graph_diff (KetteGraph *a, KetteGraph *b, const KetteDiffOptions *options,
                  gboolean *equal, GError **error)
{
  Walk w         = { 0 };
  char *text     = NULL;
  gboolean alike = FALSE;

  take_options (&w.d.options, options);
  w.d.region = kette_plugins_get (error) ? _kette_region_new (error) : NULL;
  if (w.d.region && diff_models (&w, a, b, error))
    text = _kette_diff_finish (&w.d, a, b, &alike);
  if (equal)
    *equal = alike;
  for (size_t i = 0; i < w.n; i++)
    _kette_pair_clear (&w.pairs[i]);
  for (int s = 0; s < KETTE_DIFF_SECTIONS; s++)
    if (w.d.lists[s])
      g_string_free (w.d.lists[s], TRUE);
  _kette_free (w.pairs);
  _kette_free (w.d.parameters);
  _kette_region_free (w.d.region);
  return text;
}
