/* SPDX-License-Identifier: Apache-2.0
 * Which value and node of one graph is which of another.
 *
 * From what is certain (inputs, outputs, parameters of one name, nodes that make values of one
 * name) pairs spread along the edges: the makers of paired values are paired if they apply the
 * same operator, and so are readers at the same input, first those whose other inputs agree.
 * Names may mislead where an exporter numbers its values, so that is tried with and without
 * them, and the better outcome stays.
 */
#include "exec/diff-private.h"
#include <string.h>

enum
{
  FAN_OUT_MOST = 64, /* readers of one value that are compared each with each */

  AGREEING = 0, /* readers all of whose inputs are paired, and attributes the same */
  POSSIBLE,     /* none of whose inputs contradicts */
  SIMILAR       /* the same operator */
};

typedef struct
{
  KetteValue *value; /* of a; NULL: */
  KetteNode *node;
} Item;

typedef struct
{
  KettePair *pair;
  KetteUses *a, *b;
  Item *queue;
  size_t n, head;
} Match;

static gboolean
same_operator (const KetteNode *x, const KetteNode *y)
{
  return strcmp (x->op, y->op) == 0 && strcmp (x->domain, y->domain) == 0;
}

static void
map_values (Match *m, KetteValue *a, KetteValue *b)
{
  KettePair *p = m->pair;

  if (!a || !b || p->to_b[a->index] || p->to_a[b->index])
    return;
  p->to_b[a->index] = b;
  p->to_a[b->index] = a;
  m->queue[m->n++]  = (Item){ a, NULL };
}

static void
match_nodes (Match *m, KetteNode *a, KetteNode *b)
{
  KettePair *p = m->pair;

  if (!a || !b || p->node_b[a->index] || p->node_a[b->index])
    return;
  p->node_b[a->index] = b;
  p->node_a[b->index] = a;
  m->queue[m->n++]    = (Item){ NULL, a };
}

static gboolean
is_initializer (const KetteValue *v)
{
  return (v->flags & KETTE_VALUE_INITIALIZER) && !v->outer && !v->producer;
}

/* Can X of a and Y of b be one input? */
static gboolean
inputs_agree (const KettePair *p, const KetteValue *x, const KetteValue *y, int level)
{
  if (!x || !y)
    return !x == !y || level >= POSSIBLE;
  if (p->to_b[x->index] || p->to_a[y->index])
    return p->to_b[x->index] == y;
  return level >= POSSIBLE || (is_initializer (x) && is_initializer (y));
}

static gboolean
same_shape (const kt_tensor *x, const kt_tensor *y)
{
  return x->code == y->code && x->bits == y->bits && x->ndim == y->ndim
         && (x->ndim <= 0
             || memcmp (x->shape, y->shape, (size_t) x->ndim * sizeof *x->shape) == 0);
}

/* Cheap: numbers, kinds and sizes; what differs in detail is found later. */
static gboolean
attributes_agree (const KetteNode *x, const KetteNode *y)
{
  if (x->n_attrs != y->n_attrs)
    return FALSE;
  for (int32_t i = 0; i < x->n_attrs; i++)
    {
      const kt_attr *a = &x->attrs[i], *b = _kette_node_attr (y, a->name);

      if (!b || a->kind != b->kind || a->i != b->i || a->f != b->f || a->n != b->n)
        return FALSE;
      if (a->kind == KT_A_TENSOR && a->v && b->v && !same_shape (a->v, b->v))
        return FALSE;
      if ((a->kind == KT_A_INTS || a->kind == KT_A_STRING) && a->n
          && memcmp (a->v, b->v, a->n * (a->kind == KT_A_INTS ? sizeof (int64_t) : 1))
                 != 0)
        return FALSE;
    }
  return TRUE;
}

static gboolean
readers_agree (const KettePair *p, const KetteNode *x, const KetteNode *y, int level)
{
  if (p->node_b[x->index] || p->node_a[y->index] || !same_operator (x, y))
    return FALSE;
  if (level >= SIMILAR)
    return TRUE;
  if (x->n_in != y->n_in || (level == AGREEING && !attributes_agree (x, y)))
    return FALSE;
  for (int32_t i = 0; i < x->n_in; i++)
    if (!inputs_agree (p, x->in[i], y->in[i], level))
      return FALSE;
  return TRUE;
}

static gboolean
reads_at (const KetteNode *x, const KetteValue *a, const KetteNode *y,
          const KetteValue *b)
{
  for (int32_t i = 0; i < x->n_in && i < y->n_in; i++)
    if (x->in[i] == a && y->in[i] == b)
      return TRUE;
  return FALSE;
}

static void
match_readers (Match *m, const KetteValue *a, const KetteValue *b, int level)
{
  const uint32_t i0 = m->a->start[a->index], n = m->a->start[a->index + 1] - i0;
  const uint32_t k0 = m->b->start[b->index], l = m->b->start[b->index + 1] - k0;
  const gboolean few = n <= FAN_OUT_MOST && l <= FAN_OUT_MOST;

  for (uint32_t i = 0; i < n; i++)
    for (uint32_t k = few ? 0 : i; k < l && (few || k == i); k++)
      {
        KetteNode *x = m->a->nodes[i0 + i], *y = m->b->nodes[k0 + k];

        if (readers_agree (m->pair, x, y, level)
            && (reads_at (x, a, y, b) || level >= SIMILAR))
          {
            match_nodes (m, x, y);
            break;
          }
      }
}

/* Do X and Y come from places that may be the same? */
static gboolean
same_source (const KetteValue *x, const KetteValue *y)
{
  if (x->producer && y->producer)
    return x->slot == y->slot && same_operator (x->producer, y->producer);
  return !x->producer && !y->producer && !x->outer == !y->outer
         && is_initializer (x) == is_initializer (y);
}

static void
spread (Match *m, int level)
{
  const KettePair *p = m->pair;

  for (m->head = 0; m->head < m->n; m->head++)
    {
      const Item item = m->queue[m->head];

      if (item.value)
        {
          KetteValue *a = item.value, *b = p->to_b[a->index];

          if (a->producer && b->producer && a->slot == b->slot
              && same_operator (a->producer, b->producer))
            match_nodes (m, a->producer, b->producer);
          match_readers (m, a, b, level);
          continue;
        }
      const KetteNode *x = item.node, *y = p->node_b[x->index];
      for (int32_t i = 0; i < x->n_out && i < y->n_out; i++)
        map_values (m, x->out[i], y->out[i]);
      for (int32_t i = 0; i < x->n_in && i < y->n_in; i++)
        if (x->in[i] && y->in[i] && same_source (x->in[i], y->in[i]))
          map_values (m, x->in[i], y->in[i]);
    }
}

/* By name, then by place where the numbers of the others are the same. */
static void
map_border (Match *m, KetteValue *const *as, size_t n_a, KetteValue *const *bs,
            size_t n_b, uint32_t flag)
{
  const KettePair *p = m->pair;
  size_t k           = 0;

  for (size_t i = 0; i < n_a; i++)
    {
      KetteValue *b = _kette_graph_find (p->b, as[i]->name);

      if (b && (b->flags & flag) && is_initializer (b) == is_initializer (as[i]))
        map_values (m, as[i], b);
    }
  if (n_a != n_b)
    return;
  for (size_t i = 0; i < n_a; i++)
    {
      if (p->to_b[as[i]->index])
        continue;
      while (k < n_b && p->to_a[bs[k]->index])
        k++;
      if (k < n_b && is_initializer (as[i]) == is_initializer (bs[k]))
        map_values (m, as[i], bs[k]);
    }
}

static void
map_named (Match *m, const KettePair *parent, gboolean by_name)
{
  const KettePair *p = m->pair;

  for (size_t i = 0; i < p->a->n_values; i++)
    {
      KetteValue *a = p->a->values[i], *outer = NULL, *b;

      if (a->outer && parent && a->outer->graph == parent->a)
        outer = parent->to_b[a->outer->index];
      b = outer ? _kette_graph_find (p->b, outer->name) : NULL;
      if (b && b->outer == outer)
        map_values (m, a, b);
      if (a->outer || !by_name)
        continue;
      b = _kette_graph_find (p->b, a->name);
      if (b && is_initializer (a) && is_initializer (b))
        map_values (m, a, b);
      else if (b && a->producer && b->producer
               && same_operator (a->producer, b->producer))
        match_nodes (m, a->producer, b->producer);
    }
}

/* A node between partners whose operator was exchanged, or that only its own name tells. */
static void
match_exchanged (Match *m, gboolean by_name)
{
  const KettePair *p = m->pair;

  for (size_t i = 0; i < p->a->n_nodes; i++)
    {
      KetteNode *x    = p->a->nodes[i];
      KetteValue *out = x->n_out ? x->out[0] : NULL, *same;

      if (p->node_b[i] || !out)
        continue;
      same = p->to_b[out->index];
      if (!same && by_name)
        same = _kette_graph_find (p->b, out->name);
      if (!same && m->a->start[out->index + 1] > m->a->start[out->index])
        {
          const KetteNode *reader = m->a->nodes[m->a->start[out->index]];
          const KetteNode *other  = p->node_b[reader->index];
          for (int32_t k = 0; other && k < reader->n_in && k < other->n_in && !same; k++)
            same = reader->in[k] == out ? other->in[k] : NULL;
        }
      if (!same || !same->producer || same->slot != 0
          || (p->to_a[same->index] && p->to_a[same->index] != out))
        continue;
      for (int32_t k = 0; k < x->n_in && k < same->producer->n_in; k++)
        if (x->in[k] && p->to_b[x->in[k]->index]
            && p->to_b[x->in[k]->index] == same->producer->in[k])
          {
            match_nodes (m, x, same->producer);
            break;
          }
    }
}

/* What no edge leads to, such as constants that only a subgraph reads: in the order of the
 * file. */
static void
match_in_order (Match *m)
{
  const KettePair *p = m->pair;
  size_t from        = 0;

  for (size_t i = 0; i < p->a->n_nodes; i++)
    {
      KetteNode *x = p->a->nodes[i];

      if (p->node_b[i])
        continue;
      while (from < p->b->n_nodes && p->node_a[from])
        from++;
      for (size_t k = from, seen = 0; k < p->b->n_nodes && seen < FAN_OUT_MOST; k++)
        {
          KetteNode *y = p->b->nodes[k];

          seen += !p->node_a[k];
          if (!p->node_a[k] && readers_agree (p, x, y, POSSIBLE)
              && attributes_agree (x, y))
            {
              match_nodes (m, x, y);
              break;
            }
        }
    }
}

static size_t
count_differences (const KettePair *p)
{
  size_t n = 0;

  for (size_t i = 0; i < p->b->n_nodes; i++)
    n += !p->node_a[i];
  for (size_t i = 0; i < p->a->n_nodes; i++)
    {
      const KetteNode *x = p->a->nodes[i], *y = p->node_b[i];

      n += !y;
      for (int32_t k = 0; y && k < x->n_in && k < y->n_in; k++)
        n += !inputs_agree (p, x->in[k], y->in[k], AGREEING);
    }
  return n;
}

static gboolean
match (KettePair *p, const KettePair *parent, gboolean by_name, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  Match m               = { .pair = p };
  gboolean ok;

  p->to_b   = _kette_alloc (account, p->a->n_values + 1, sizeof *p->to_b, error);
  p->to_a   = p->to_b ? _kette_alloc (account, p->b->n_values + 1, sizeof *p->to_a, error)
                      : NULL;
  p->node_b = p->to_a
                  ? _kette_alloc (account, p->a->n_nodes + 1, sizeof *p->node_b, error)
                  : NULL;
  p->node_a = p->node_b
                  ? _kette_alloc (account, p->b->n_nodes + 1, sizeof *p->node_a, error)
                  : NULL;
  m.queue   = p->node_a ? _kette_alloc (account, p->a->n_values + p->a->n_nodes + 1,
                                        sizeof *m.queue, error)
                        : NULL;
  m.a       = m.queue ? _kette_uses_new (p->a, error) : NULL;
  m.b       = m.a ? _kette_uses_new (p->b, error) : NULL;
  ok        = m.b != NULL;
  if (ok)
    {
      map_border (&m, p->a->inputs, p->a->n_inputs, p->b->inputs, p->b->n_inputs,
                  KETTE_VALUE_INPUT);
      map_named (&m, parent, by_name);
      map_border (&m, p->a->outputs, p->a->n_outputs, p->b->outputs, p->b->n_outputs,
                  KETTE_VALUE_OUTPUT);
      for (int level = AGREEING; level <= SIMILAR; level++)
        spread (&m, level);
      match_exchanged (&m, by_name);
      spread (&m, SIMILAR);
      match_in_order (&m);
      spread (&m, SIMILAR);
      p->alike = count_differences (p) == 0;
    }
  _kette_uses_free (m.a);
  _kette_uses_free (m.b);
  _kette_free (m.queue);
  return ok;
}

gboolean
_kette_pair_init (KettePair *pair, KetteGraph *a, KetteGraph *b, const KettePair *parent,
                  GError **error)
{
  KettePair other;

  *pair = (KettePair){ .a = a, .b = b };
  if (!match (pair, parent, TRUE, error))
    {
      _kette_pair_clear (pair);
      return FALSE;
    }
  if (pair->alike)
    return TRUE;
  other = (KettePair){ .a = a, .b = b };
  if (!match (&other, parent, FALSE, error))
    {
      _kette_pair_clear (&other);
      _kette_pair_clear (pair);
      return FALSE;
    }
  if (count_differences (&other) < count_differences (pair))
    {
      const KettePair worse = *pair;

      *pair = other;
      other = worse;
    }
  _kette_pair_clear (&other);
  return TRUE;
}

void
_kette_pair_clear (KettePair *pair)
{
  _kette_free (pair->to_b);
  _kette_free (pair->to_a);
  _kette_free (pair->node_b);
  _kette_free (pair->node_a);
  *pair = (KettePair){ 0 };
}
