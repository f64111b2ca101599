/* SPDX-License-Identifier: Apache-2.0
 * Types of operators: what a parameter of a definition may hold, which kernel serves a node.
 */
#include "op/context.h"
#include <string.h>

/* Is WORD (n bytes) one of the words of LIST that SEPARATOR divides? */
static gboolean
list_holds (const char *list, size_t n_list, const char *word, size_t n)
{
  const char *const end = list + n_list;

  for (const char *p = list; p < end;)
    {
      const char *bar = memchr (p, '|', (size_t) (end - p));
      const size_t m  = (size_t) ((bar ? bar : end) - p);
      if (m == n && memcmp (p, word, n) == 0)
        return TRUE;
      p += m + 1;
    }
  return FALSE;
}

static const char *
variable_types (const kt_op *op, const char *name)
{
  for (int32_t i = 0; i < op->n_var; i++)
    if (strcmp (op->var[i].name, name) == 0)
      return op->var[i].type;
  return NULL;
}

gboolean
_kette_op_allows (const kt_op *op, const char *type, int dtype)
{
  const KetteDtype *row = _kette_dtype (dtype);
  const char *types     = variable_types (op, type);

  types = types ? types : type;
  return row
         && (strcmp (types, "*") == 0
             || list_holds (types, strlen (types), row->brief, strlen (row->brief)));
}

/* "seq(f32)", "map(i64,f32)": how the tables name TYPE, which is no tensor; "" where they
 * have no name for it. */
static const char *
brief_of (const kt_type *type, char *out, size_t size)
{
  char *p     = out;
  size_t left = size;
  int depth   = 0;

  *out = '\0';
  for (; type && type->kind != KT_TENSOR; type = type->elem, depth++)
    {
      const KetteDtype *key = type->kind == KT_MAP ? _kette_dtype (type->key) : NULL;
      const int n           = g_snprintf (p, left, "%s%s%s",
                                type->kind == KT_SEQUENCE   ? "seq("
                                          : type->kind == KT_OPTIONAL ? "optional("
                                          : key                       ? "map("
                                                                      : "",
                                key ? key->brief : "", key ? "," : "");

      if (n <= 0 || (size_t) n >= left)
        return "";
      p += n;
      left -= (size_t) n;
    }
  const KetteDtype *row = type ? _kette_dtype (type->dtype) : NULL;

  if (!row || strlen (row->brief) + (size_t) depth >= left)
    return "";
  p = g_stpcpy (p, row->brief);
  memset (p, ')', (size_t) depth);
  p[depth] = '\0';
  return out;
}

gboolean
_kette_op_takes (const kt_op *op, const char *name, const kt_type *type)
{
  const char *types = variable_types (op, name);
  char text[256];
  const char *brief;

  types = types ? types : name;
  brief = brief_of (type, text, sizeof text);
  return strcmp (types, "*") == 0
         || (*brief && list_holds (types, strlen (types), brief, strlen (brief)));
}

/* Do all operands in VALUES whose type is the variable NAME (n bytes) have a type in TYPES? */
static gboolean
operands_fit (KetteValue *const *values, int32_t n_values, const kt_param *params,
              int32_t n_params, const char *name, size_t n, const char *types,
              size_t n_types)
{
  for (int32_t i = 0; i < n_values; i++)
    {
      /* A variadic one stands for all that follow; others there are not, says resolve.c. */
      const kt_param *param = &params[MIN (i, n_params - 1)];
      const KetteDtype *row = values[i] ? _kette_dtype (values[i]->type.dtype) : NULL;
      if (row && strlen (param->type) == n && memcmp (param->type, name, n) == 0
          && !list_holds (types, n_types, row->brief, strlen (row->brief)))
        return FALSE;
    }
  return TRUE;
}

/* types: "T=f32|f64;Tind=i64". */
static gboolean
types_fit (const char *types, const KetteNode *node, const kt_op *op)
{
  for (const char *p = types; p && *p;)
    {
      const char *end    = p + strcspn (p, ";");
      const char *equals = memchr (p, '=', (size_t) (end - p));
      if (!equals)
        return FALSE;
      const size_t n_name = (size_t) (equals - p), n_types = (size_t) (end - equals - 1);
      if (!operands_fit (node->in, node->n_in, op->in, op->n_in, p, n_name, equals + 1,
                         n_types)
          || !operands_fit (node->out, node->n_out, op->out, op->n_out, p, n_name,
                            equals + 1, n_types))
        return FALSE;
      p = *end ? end + 1 : end;
    }
  return TRUE;
}

gboolean
_kette_kernel_serves (const KetteKernel *kernel, const KetteNode *node,
                      const char *device)
{
  const kt_kernel *k = &kernel->kernel;
  const kt_op *op    = &node->def->op;

  return strcmp (k->device, device) == 0 && k->since <= op->since
         && (k->until == 0 || op->since <= k->until) && types_fit (k->types, node, op);
}
