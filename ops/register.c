/* SPDX-License-Identifier: Apache-2.0
 *
 * register.c: hands the operators of a module to the host, one kt_op per version in the
 * tables. Versions that differ in types only share the newest form's functions.
 */
#include "operator.h"

/* The descriptor that covers version SINCE of an operator; NULL: not served. */
static const kt_op *
descriptor_for (const kt_operator *o, int32_t since)
{
  if (since >= o->op.since)
    return &o->op;
  for (const kt_op *old = o->old; old && old->name; old++)
    if (since >= old->since && since <= old->until)
      return old;
  return NULL;
}

static kt_status
register_version (const kt_host *host, kt_reg *reg, const kt_operator *o,
                  const kt_schema *s)
{
  const kt_op *form = descriptor_for (o, s->since);

  if (!form)
    return KT_OK;

  kt_op op  = *form;
  op.domain = s->domain;
  op.since  = s->since;
  op.until  = s->until;
  op.flags |= s->flags;
  op.n_in   = s->n_in;
  op.in     = s->in;
  op.n_out  = s->n_out;
  op.out    = s->out;
  op.n_attr = s->n_attr;
  op.attr   = s->attr;
  op.n_var  = s->n_var;
  op.var    = s->var;
  return host->add_op (reg, &op);
}

static kt_status
register_operator (const kt_host *host, kt_reg *reg, const kt_operator *o,
                   const kt_schema *schemas, size_t n_schemas)
{
  const char *domain = NULL;

  for (size_t i = 0; i < n_schemas; i++)
    if (strcmp (schemas[i].name, o->op.name) == 0)
      {
        domain = schemas[i].domain;
        KT_TRY (register_version (host, reg, o, &schemas[i]));
      }
  if (!domain)
    return kt_fail (host, reg, KT_E_INTERNAL, "operator %s has no schema", o->op.name);

  for (const kt_kernel *k = o->kernel; k && k->run; k++)
    {
      kt_kernel kernel = *k;
      kernel.domain    = domain;
      kernel.name      = o->op.name;
      if (kernel.since == 0)
        kernel.since = o->op.since;
      KT_TRY (host->add_kernel (reg, &kernel));
    }
  return KT_OK;
}

kt_status
kt_register (const kt_host *host, kt_reg *reg, const kt_operator *const *operators,
             size_t n_operators, const kt_schema *schemas, size_t n_schemas)
{
  for (size_t i = 0; i < n_operators; i++)
    KT_TRY (register_operator (host, reg, operators[i], schemas, n_schemas));
  return KT_OK;
}
