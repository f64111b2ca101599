/* SPDX-License-Identifier: Apache-2.0
 * Functions: unique keys, no calls in a circle, and a bound on what inlining would make,
 * counted bottom-up because a few kB of functions can mean 2^n nodes.
 */
#include "io/build.h"
#include <string.h>

/* A text that is the same for equal (domain, name, overload) only. */
static char *
key_of (KetteRegion *region, const char *domain, const char *name, const char *overload,
        GError **error)
{
  size_t n  = strlen (domain) + strlen (name) + strlen (overload) + 64;
  char *key = _kette_region_alloc (region, n, 1, error);

  if (key)
    g_snprintf (key, n, "%zu,%zu:%s%s%s", strlen (domain), strlen (name), domain, name,
                overload);
  return key;
}

gssize
_kette_build_callee (const KetteBuild *b, const Onnx__NodeProto *node, GError **error)
{
  const char *domain = _kette_domain (node->domain), *name = _kette_text (node->op_type),
             *overload = _kette_text (node->overload);
  char small[256], *key = small;
  size_t n;
  gpointer found;

  if (b->proto->n_functions == 0)
    return -1;
  n = strlen (domain) + strlen (name) + strlen (overload) + 64;
  if (n > sizeof small)
    key = _kette_alloc_raw (_kette_account_process (), n, 1, error);
  if (!key)
    return -1;
  g_snprintf (key, n, "%zu,%zu:%s%s%s", strlen (domain), strlen (name), domain, name,
              overload);
  found = _kette_names_get (b->function_keys, key);
  if (key != small)
    _kette_free (key);
  return (gssize) GPOINTER_TO_SIZE (found) - 1;
}

/* The sets of operators that the body of a function means. */
static gboolean
read_opsets (KetteBuild *b, size_t scope, GError **error)
{
  const Onnx__FunctionProto *proto = b->scopes[scope].function;
  KetteNames *versions             = _kette_names_new (error);
  char where[KETTE_WHERE_SIZE];

  b->scopes[scope].opsets = versions;
  _kette_scope_where (b, scope, -1, NULL, NULL, where);
  for (size_t i = 0; versions && i < proto->n_opset_import; i++)
    {
      const Onnx__OperatorSetIdProto *id = proto->opset_import[i];
      const char *domain                 = _kette_domain (id->domain);
      size_t before;

      if (!_kette_build_check_opset (b, where, id, error))
        return FALSE;
      before = GPOINTER_TO_SIZE (_kette_names_get (versions, domain));
      if (before && before != (size_t) id->version)
        return _kette_fail (error, KETTE_ERROR_GRAPH, where,
                            "imports domain %s twice, versions %zu and %" G_GINT64_FORMAT,
                            KETTE_QUOTE (domain), before, id->version);
      if (!before
          && !_kette_names_set (versions, domain, GSIZE_TO_POINTER (id->version), error))
        return FALSE;
    }
  return versions != NULL;
}

static gboolean
make_keys (KetteBuild *b, GError **error)
{
  char where[KETTE_WHERE_SIZE];

  b->function_keys = _kette_names_new (error);
  if (!b->function_keys)
    return FALSE;
  for (size_t i = 0; i < b->proto->n_functions; i++)
    {
      const Onnx__FunctionProto *f = b->proto->functions[i];
      char *key                    = key_of (b->model->region, _kette_domain (f->domain),
                                             _kette_text (f->name), _kette_text (f->overload), error);

      if (!key)
        return FALSE;
      _kette_scope_where (b, b->functions + i, -1, NULL, NULL, where);
      if (!*_kette_text (f->name))
        _kette_fail (error, KETTE_ERROR_GRAPH, where, "has no name");
      else if (_kette_names_get (b->function_keys, key))
        _kette_fail (error, KETTE_ERROR_GRAPH, where, "is there twice");
      else if (_kette_names_set (b->function_keys, key, GSIZE_TO_POINTER (i + 1), error)
               && read_opsets (b, b->functions + i, error))
        continue;
      if (!_kette_build_go_on (b, error))
        return FALSE;
    }
  return TRUE;
}

/* Calls in compressed form: of function f (n: the main graph and training steps)
 * callee[start[f]] ... callee[start[f + 1] - 1]. */
typedef struct
{
  size_t n, *start, *callee;
  uint64_t *size; /* nodes after inlining */
  uint32_t *depth;
  uint8_t *state; /* 0 new, 1 on the way, 2 done */
  size_t *stack, *next;
} Calls;

static void
calls_clear (Calls *c)
{
  _kette_free (c->start);
  _kette_free (c->callee);
  _kette_free (c->size);
  _kette_free (c->depth);
  _kette_free (c->state);
  _kette_free (c->stack);
  _kette_free (c->next);
}

static size_t
caller_of (const KetteBuild *b, const Calls *c, size_t scope)
{
  const KetteScope *root = &b->scopes[b->scopes[scope].root];

  return root->function ? b->scopes[scope].root - b->functions : c->n;
}

/* Two passes over all nodes: count the calls, then note them. */
static gboolean
calls_collect (const KetteBuild *b, Calls *c, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  GError *inner         = NULL;
  size_t total          = 0;

  c->n     = b->proto->n_functions;
  c->start = _kette_alloc (account, c->n + 2, sizeof *c->start, error);
  c->next  = c->start ? _kette_alloc (account, c->n + 2, sizeof *c->next, error) : NULL;
  c->size  = c->next ? _kette_alloc (account, c->n + 1, sizeof *c->size, error) : NULL;
  c->depth = c->size ? _kette_alloc (account, c->n + 1, sizeof *c->depth, error) : NULL;
  c->state = c->depth ? _kette_alloc (account, c->n + 1, 1, error) : NULL;
  c->stack = c->state ? _kette_alloc (account, c->n + 1, sizeof *c->stack, error) : NULL;
  if (!c->stack)
    return FALSE;
  for (int pass = 0; pass < 2; pass++)
    {
      for (size_t s = 0; s < b->n_scopes; s++)
        for (size_t i = 0; i < b->scopes[s].n_nodes; i++)
          {
            const size_t caller = caller_of (b, c, s);
            const gssize callee = _kette_build_callee (b, b->scopes[s].nodes[i], &inner);

            if (inner)
              {
                g_propagate_error (error, inner);
                return FALSE;
              }
            if (pass == 0 && callee >= 0)
              c->start[caller + 1]++;
            else if (pass == 0)
              c->size[caller]++;
            else if (callee >= 0)
              c->callee[c->next[caller]++] = (size_t) callee;
          }
      if (pass == 1)
        break;
      for (size_t f = 0; f <= c->n; f++)
        {
          total += c->start[f + 1];
          c->start[f + 1] = total;
        }
      memcpy (c->next, c->start, (c->n + 2) * sizeof *c->next);
      c->callee = _kette_alloc (account, total, sizeof *c->callee, error);
      if (!c->callee)
        return FALSE;
    }
  memcpy (c->next, c->start, (c->n + 2) * sizeof *c->next);
  return TRUE;
}

/* `function "local:f" calls itself: f -> g -> f`; the way from FIRST on is on the stack. */
static gboolean
fail_cycle (const KetteBuild *b, const Calls *c, size_t n, size_t first, GError **error)
{
  char text[700], where[KETTE_WHERE_SIZE];
  size_t at = 0, from = 0, shown = 0;

  while (c->stack[from] != first)
    from++;
  for (size_t i = from; i < n && shown < 10 && at < 500; i++, shown++)
    at += (size_t) g_snprintf (text + at, sizeof text - at, "%.40s -> ",
                               _kette_text (b->proto->functions[c->stack[i]]->name));
  g_snprintf (text + at, sizeof text - at, "%s%.40s", from + shown < n ? "... -> " : "",
              _kette_text (b->proto->functions[first]->name));
  for (char *p = text; *p; p++)
    if ((uint8_t) *p < 0x20 || (uint8_t) *p >= 0x7f || *p == '"' || *p == '\\')
      *p = '?';
  return _kette_fail (error, KETTE_ERROR_GRAPH, NULL, "%s calls itself: %s",
                      _kette_scope_where (b, b->functions + first, -1, NULL, NULL, where),
                      text);
}

static gboolean
calls_finish (const KetteBuild *b, Calls *c, size_t f, GError **error)
{
  const KetteLimits *limits = &b->loading->limits;
  char where[KETTE_WHERE_SIZE], hint[96];

  for (size_t i = c->start[f]; i < c->start[f + 1]; i++)
    {
      const size_t callee = c->callee[i];

      c->depth[f] = MAX (c->depth[f], c->depth[callee] + 1);
      if (__builtin_add_overflow (c->size[f], c->size[callee], &c->size[f]))
        c->size[f] = UINT64_MAX;
    }
  c->state[f] = 2;
  if (f < c->n)
    _kette_scope_where (b, b->functions + f, -1, NULL, NULL, where);
  else
    g_strlcpy (where, "graph", sizeof where);
  if (c->depth[f] > limits->call_depth)
    return _kette_fail (
        error, KETTE_ERROR_LIMIT, where,
        "calls of functions nested more than %" G_GUINT64_FORMAT " deep%s",
        limits->call_depth, _kette_limits_hint ("call-depth", limits->call_depth, hint));
  if (f == c->n && c->size[f] > limits->nodes)
    return _kette_fail (error, KETTE_ERROR_LIMIT, where,
                        "more than %" G_GUINT64_FORMAT " nodes after inlining%s",
                        limits->nodes, _kette_limits_hint ("nodes", limits->nodes, hint));
  return TRUE;
}

/* Depth-first from F, with the way in c->stack. */
static gboolean
calls_visit (const KetteBuild *b, Calls *c, size_t f, GError **error)
{
  size_t n = 0;

  if (c->state[f])
    return TRUE;
  c->stack[n++] = f;
  c->state[f]   = 1;
  while (n > 0)
    {
      const size_t at = c->stack[n - 1];

      if (c->next[at] < c->start[at + 1])
        {
          const size_t callee = c->callee[c->next[at]++];

          if (c->state[callee] == 1)
            return fail_cycle (b, c, n, callee, error);
          if (c->state[callee] == 0)
            {
              c->state[callee] = 1;
              c->stack[n++]    = callee;
            }
          continue;
        }
      if (!calls_finish (b, c, at, error))
        return FALSE;
      n--;
    }
  return TRUE;
}

gboolean
_kette_build_check_calls (KetteBuild *b, GError **error)
{
  Calls c     = { 0 };
  gboolean ok = TRUE;

  if (b->proto->n_functions == 0)
    return TRUE;
  ok = make_keys (b, error) && _kette_faults_none (b->loading->faults, error)
       && calls_collect (b, &c, error);
  for (size_t f = 0; ok && f <= c.n; f++)
    ok = calls_visit (b, &c, f, error);
  calls_clear (&c);
  return ok;
}

static gboolean
function_opsets (KetteBuild *b, size_t scope, KetteFunction *f, GError **error)
{
  const Onnx__FunctionProto *proto = b->scopes[scope].function;

  f->opsets = _kette_region_alloc (b->model->region, proto->n_opset_import,
                                   sizeof *f->opsets, error);
  if (!f->opsets)
    return FALSE;
  for (size_t i = 0; i < proto->n_opset_import; i++)
    f->opsets[i] = (KetteOpset){ _kette_domain (proto->opset_import[i]->domain),
                                 (int32_t) proto->opset_import[i]->version };
  f->n_opsets = proto->n_opset_import;
  return TRUE;
}

gboolean
_kette_build_functions (KetteBuild *b, GError **error)
{
  KetteModel *model = b->model;

  for (size_t i = 0; i < b->proto->n_functions; i++)
    {
      const size_t scope               = b->functions + i;
      const Onnx__FunctionProto *proto = b->proto->functions[i];
      KetteFunction *f = _kette_region_alloc (model->region, 1, sizeof *f, error);

      if (!f
          || (model->n_functions == model->functions_capacity
              && !_kette_grow (&model->functions, &model->functions_capacity,
                               model->n_functions + 1, sizeof (KetteFunction *), error)))
        return FALSE;
      f->domain       = _kette_domain (proto->domain);
      f->name         = _kette_text (proto->name);
      f->overload     = _kette_text (proto->overload);
      f->attributes   = (const char **) proto->attribute;
      f->n_attributes = proto->n_attribute;
      f->proto        = proto;
      if ((!function_opsets (b, scope, f, error)
           || !_kette_build_attr_defaults (b, scope, f, error))
          && !_kette_build_go_on (b, error))
        return FALSE;
      f->body                                = b->scopes[scope].graph;
      b->scopes[scope].owned                 = FALSE;
      model->functions[model->n_functions++] = f;
    }
  return TRUE;
}
