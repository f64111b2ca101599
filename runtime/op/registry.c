/* SPDX-License-Identifier: Apache-2.0
 * The registry: operators and kernels by (domain, name), filled while plugins are loaded and
 * only read afterwards.
 */
#include "op/context.h"
#include <string.h>

static struct
{
  KetteRegion *region;
  KetteNames *names; /* "domain:name" -> family */
  KetteFamily **families;
  size_t n_families, capacity;
} registry;

gboolean
_kette_registry_init (GError **error)
{
  if (registry.names)
    return TRUE;
  if (!registry.region && !(registry.region = _kette_region_new (error)))
    return FALSE;
  return (registry.names = _kette_names_new (error)) != NULL;
}

/* Operator names and domains are short by nature; longer ones are nobody's. */
typedef struct
{
  char text[512];
} Key;

static const char *
make_key (Key *key, const char *domain, const char *name)
{
  const int n = g_snprintf (key->text, sizeof key->text, "%s:%s", domain, name);

  return (size_t) n < sizeof key->text ? key->text : NULL;
}

const KetteFamily *
_kette_registry_family (const char *domain, const char *name)
{
  Key key;

  return registry.names && make_key (&key, domain, name)
             ? _kette_names_get (registry.names, key.text)
             : NULL;
}

const KetteOp *
_kette_registry_op (const char *domain, const char *name, int32_t opset)
{
  const KetteFamily *family = _kette_registry_family (domain, name);

  for (size_t i = 0; family && i < family->n_ops; i++)
    if (family->ops[i]->op.since <= opset)
      return family->ops[i]->op.until == 0 || opset <= family->ops[i]->op.until
                 ? family->ops[i]
                 : NULL;
  return NULL;
}

const KetteFamily *
_kette_registry_nth (size_t i)
{
  return i < registry.n_families ? registry.families[i] : NULL;
}

int32_t
_kette_registry_newest (const char *domain)
{
  int32_t newest = 0;

  for (size_t i = 0; i < registry.n_families; i++)
    if (strcmp (registry.families[i]->domain, domain) == 0 && registry.families[i]->n_ops)
      newest = MAX (newest, registry.families[i]->ops[0]->op.since);
  return newest;
}

/* Levenshtein distance, up to LIMIT; names longer than 64 bytes are never near. */
static unsigned
edit_distance (const char *a, const char *b, unsigned limit)
{
  const size_t n = strlen (a), m = strlen (b);
  unsigned row[65];

  if (n > 64 || m > 64 || (n > m ? n - m : m - n) > limit)
    return limit + 1;
  for (size_t j = 0; j <= m; j++)
    row[j] = (unsigned) j;
  for (size_t i = 1; i <= n; i++)
    {
      unsigned diagonal = row[0];
      row[0]            = (unsigned) i;
      for (size_t j = 1; j <= m; j++)
        {
          const unsigned above = row[j];
          const unsigned swap  = diagonal + (a[i - 1] != b[j - 1]);
          row[j]               = MIN (swap, MIN (above, row[j - 1]) + 1);
          diagonal             = above;
        }
    }
  return row[m];
}

const char *
_kette_registry_nearest (const char *domain, const char *name)
{
  const char *best = NULL;
  /* Of a short word nearly everything is near: less than half of it may differ. */
  unsigned best_cost = MIN (3, (unsigned) (strlen (name) + 1) / 2);

  for (size_t i = 0; i < registry.n_families; i++)
    if (strcmp (registry.families[i]->domain, domain) == 0 && registry.families[i]->n_ops)
      {
        const unsigned cost = edit_distance (name, registry.families[i]->name, 2);
        if (cost < best_cost)
          {
            best      = registry.families[i]->name;
            best_cost = cost;
          }
      }
  return best;
}

kt_status
_kette_reg_refuse (kt_reg *reg, const char *format, ...)
{
  char text[512];
  va_list args;

  va_start (args, format);
  g_vsnprintf (text, sizeof text, format, args);
  va_end (args);
  return _kette_host ()->fail (reg, KT_E_INTERNAL, text, strlen (text));
}

/* The family, made where there is none yet; NULL: REG has the failure. */
static KetteFamily *
family_for (kt_reg *reg, const char *domain, const char *name)
{
  Key key;
  g_autoptr (GError) error = NULL;
  KetteFamily *family;

  if (!make_key (&key, domain, name))
    {
      _kette_reg_refuse (reg, "a name of %zu bytes is too long",
                         strlen (domain) + 1 + strlen (name));
      return NULL;
    }
  family = _kette_names_get (registry.names, key.text);
  if (family)
    return family;

  family = _kette_region_alloc (registry.region, 1, sizeof *family, &error);
  const char *text
      = family ? _kette_region_strdup (registry.region, key.text, &error) : NULL;
  if (!text
      || !_kette_grow (&registry.families, &registry.capacity, registry.n_families + 1,
                       sizeof *registry.families, &error)
      || !_kette_names_set (registry.names, text, family, &error))
    {
      _kette_host ()->fail (reg, KT_E_NOMEM, error->message, strlen (error->message));
      return NULL;
    }
  family->domain = domain;
  family->name   = name;

  registry.families[registry.n_families++] = family;
  return family;
}

/* The default TEXT of a parameter, as an attribute; kind 0 where there is none. */
static gboolean
parse_default (const kt_param *param, kt_attr *out, GError **error)
{
  static const struct
  {
    const char *word;
    int32_t kind;
  } kinds[] = { { "FLOAT", KT_A_FLOAT },
                { "INT", KT_A_INT },
                { "STRING", KT_A_STRING },
                { "FLOATS", KT_A_FLOATS },
                { "INTS", KT_A_INTS } };

  *out = (kt_attr){ .name = param->name };
  if (!param->def)
    return TRUE;
  for (size_t i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (strcmp (kinds[i].word, param->type) == 0)
      out->kind = kinds[i].kind;

  size_t n = 0;
  for (const char *p = param->def; *p; p++)
    n += *p != ' ' && (p == param->def || p[-1] == ' ');
  if (out->kind == KT_A_FLOAT)
    out->f = (float) g_ascii_strtod (param->def, NULL);
  else if (out->kind == KT_A_INT)
    out->i = g_ascii_strtoll (param->def, NULL, 10);
  else if (out->kind == KT_A_STRING)
    {
      out->v = param->def;
      out->n = strlen (param->def);
    }
  else if (out->kind == KT_A_INTS || out->kind == KT_A_FLOATS)
    {
      int64_t *ints = _kette_region_alloc (registry.region, n, sizeof *ints, error);
      float *floats = (float *) ints;
      char *end     = (char *) (uintptr_t) param->def;
      if (!ints)
        return FALSE;
      for (size_t i = 0; i < n; i++)
        if (out->kind == KT_A_INTS)
          ints[i] = g_ascii_strtoll (end, &end, 10);
        else
          floats[i] = (float) g_ascii_strtod (end, &end);
      out->v = ints;
      out->n = n;
    }
  return TRUE;
}

kt_status
_kette_registry_add_op (kt_reg *reg, const kt_op *given)
{
  g_autoptr (GError) error = NULL;
  kt_op op                 = { 0 };

  memcpy (&op, given, MIN (given->struct_size, sizeof op));
  if (!op.domain || !op.name || op.since < 1 || op.n_in < 0 || op.n_out < 0
      || op.n_attr < 0)
    return _kette_reg_refuse (reg, "an operator has no domain, name or version");

  KetteFamily *family = family_for (reg, op.domain, op.name);
  if (!family)
    return reg->context->failure->status;
  for (size_t i = 0; i < family->n_ops; i++)
    if (family->ops[i]->op.since == op.since && reg->again
        && family->ops[i]->plugin == reg->file)
      return KT_OK;
    else if (family->ops[i]->op.since == op.since)
      return _kette_reg_refuse (reg,
                                "the operator %s:%s-%d is registered already, by \"%s\"",
                                op.domain, op.name, op.since, family->ops[i]->plugin);

  KetteOp *row       = _kette_region_alloc (registry.region, 1, sizeof *row, &error);
  kt_attr *const def = row ? _kette_region_alloc (registry.region, (size_t) op.n_attr + 1,
                                                  sizeof *def, &error)
                           : NULL;
  if (!def
      || !_kette_grow (&family->ops, &family->ops_capacity, family->n_ops + 1,
                       sizeof *family->ops, &error))
    return KT_E_NOMEM;
  for (int32_t i = 0; i < op.n_attr; i++)
    if (!parse_default (&op.attr[i], &def[i], &error))
      return KT_E_NOMEM;
  *row = (KetteOp){ .op = op, .defaults = def, .family = family, .plugin = reg->file };

  size_t at = family->n_ops++;
  for (; at > 0 && family->ops[at - 1]->op.since < op.since; at--)
    family->ops[at] = family->ops[at - 1];
  family->ops[at] = row;
  reg->n_ops++;
  return KT_OK;
}

kt_status
_kette_registry_add_kernel (kt_reg *reg, const kt_kernel *given)
{
  g_autoptr (GError) error = NULL;
  kt_kernel k              = { 0 };

  memcpy (&k, given, MIN (given->struct_size, sizeof k));
  if (!k.domain || !k.name || !k.device || !k.run)
    return _kette_reg_refuse (reg, "a kernel has no domain, name, device or run");

  if (!_kette_layout_check (k.layout))
    return _kette_reg_refuse (reg, "a kernel of %s:%s has the layout \"%s\"", k.domain,
                              k.name, k.layout);

  KetteFamily *family = family_for (reg, k.domain, k.name);
  if (!family)
    return reg->context->failure->status;
  for (size_t i = 0; i < family->n_kernels; i++)
    {
      const kt_kernel *other = &family->kernels[i]->kernel;
      if (other->priority == k.priority && strcmp (other->device, k.device) == 0
          && g_strcmp0 (other->types, k.types) == 0 && other->since == k.since)
        return reg->again && family->kernels[i]->plugin == reg->file
                       && other->run == k.run
                   ? KT_OK
                   : _kette_reg_refuse (
                       reg, "a kernel of %s:%s has the priority of the one of \"%s\"",
                       k.domain, k.name, family->kernels[i]->plugin);
    }

  KetteKernel *row = _kette_region_alloc (registry.region, 1, sizeof *row, &error);
  if (!row
      || !_kette_grow (&family->kernels, &family->kernels_capacity, family->n_kernels + 1,
                       sizeof *family->kernels, &error))
    return KT_E_NOMEM;
  *row = (KetteKernel){ .kernel = k, .family = family, .plugin = reg->file };

  size_t at = family->n_kernels++;
  for (; at > 0 && family->kernels[at - 1]->kernel.priority < k.priority; at--)
    family->kernels[at] = family->kernels[at - 1];
  family->kernels[at] = row;
  reg->n_kernels++;
  return KT_OK;
}
