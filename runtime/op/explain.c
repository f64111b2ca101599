/* SPDX-License-Identifier: Apache-2.0
 * What is there: the operators, kernels and plugins of this process, as JSON and as text.
 */
#include "base/text.h"
#include "op/loader.h"
#include <string.h>

static void
append_family (GString *out, const KetteFamily *family)
{
  const KetteOp *newest = family->ops[0];

  g_string_append (out, "    {\"domain\": ");
  _kette_json_string (out, family->domain);
  g_string_append (out, ", \"name\": ");
  _kette_json_string (out, family->name);
  g_string_append (out, ", \"versions\": [");
  for (size_t i = 0; i < family->n_ops; i++)
    g_string_append_printf (out, "%s%d", i ? ", " : "", family->ops[i]->op.since);
  g_string_append_printf (out, "], \"gradient\": %s, \"body\": %s, \"plugin\": ",
                          newest->op.gradient ? "true" : "false",
                          newest->op.body ? "true" : "false");
  _kette_json_string (out, _kette_base_name (newest->plugin));
  g_string_append (out, ", \"kernels\": [");
  for (size_t i = 0; i < family->n_kernels; i++)
    {
      const KetteKernel *k = family->kernels[i];
      g_string_append (out, i ? ", {\"device\": " : "{\"device\": ");
      _kette_json_string (out, k->kernel.device);
      g_string_append (out, ", \"plugin\": ");
      _kette_json_string (out, _kette_base_name (k->plugin));
      g_string_append_printf (out, ", \"priority\": %d, \"types\": ", k->kernel.priority);
      _kette_json_string (out, k->kernel.types ? k->kernel.types : "");
      g_string_append_c (out, '}');
    }
  g_string_append (out, "]}");
}

char *
kette_plugins_to_json (KettePlugins *self)
{
  GString *out         = g_string_new ("{\n  \"operators\": [\n");
  const char *separate = "";

  (void) self;
  for (size_t i = 0; _kette_registry_nth (i); i++)
    if (_kette_registry_nth (i)->n_ops)
      {
        g_string_append (out, separate);
        append_family (out, _kette_registry_nth (i));
        separate = ",\n";
      }
  g_string_append (out, "\n  ],\n  \"plugins\": [\n");
  for (guint i = 0; _kette_plugins_nth (i); i++)
    {
      const KettePluginFile *file = _kette_plugins_nth (i);
      g_string_append (out, i ? ",\n    {\"file\": " : "    {\"file\": ");
      _kette_json_string (out, file->path);
      g_string_append_printf (out, ", \"operators\": %zu, \"kernels\": %zu", file->n_ops,
                              file->n_kernels);
      if (file->reason)
        {
          g_string_append (out, ", \"refused\": ");
          _kette_json_string (out, file->reason);
        }
      g_string_append_c (out, '}');
    }
  g_string_append (out, "\n  ]\n}\n");
  return g_string_free (out, FALSE);
}

/* "Gemm" or "kette:SGD", and "1 6 7": what the first two columns say. */
static void
columns_of (const KetteFamily *f, char name[128], char versions[128])
{
  g_snprintf (name, 128, "%s%s%s", f->domain, *f->domain ? ":" : "", f->name);
  *versions = '\0';
  for (size_t k = f->n_ops; k-- > 0;)
    {
      const size_t n = strlen (versions);
      g_snprintf (versions + n, 128 - n, "%s%d", n ? " " : "", f->ops[k]->op.since);
    }
}

char *
kette_plugins_to_text (KettePlugins *self)
{
  GString *out = g_string_new (NULL);
  int wide = 8, wider = 8;
  char name[128], versions[128];

  (void) self;
  for (size_t i = 0; _kette_registry_nth (i); i++)
    if (_kette_registry_nth (i)->n_ops)
      {
        columns_of (_kette_registry_nth (i), name, versions);
        wide  = MAX (wide, (int) strlen (name));
        wider = MAX (wider, (int) strlen (versions));
      }
  g_string_append_printf (out, "%-*s  %-*s  %-8s  %s\n", wide, "operator", wider,
                          "versions", "gradient", "kernels");
  for (size_t i = 0; _kette_registry_nth (i); i++)
    {
      const KetteFamily *f = _kette_registry_nth (i);
      if (!f->n_ops)
        continue;
      columns_of (f, name, versions);
      const kt_op *op = &f->ops[0]->op;
      g_string_append_printf (out, "%-*s  %-*s  %-8s ", wide, name, wider, versions,
                              op->gradient                      ? "yes"
                              : op->flags & KT_OP_ZERO_GRADIENT ? "stops"
                              : op->flags & KT_OP_NO_GRADIENT   ? "no"
                              : op->body                        ? "by body"
                                                                : "-");
      for (size_t k = 0; k < f->n_kernels; k++)
        g_string_append_printf (out, " %s", _kette_base_name (f->kernels[k]->plugin));
      g_string_append (out, f->n_kernels ? "\n" : op->body ? " (by body)\n" : "\n");
    }
  for (guint i = 0; _kette_plugins_nth (i); i++)
    if (_kette_plugins_nth (i)->reason)
      g_string_append_printf (out, "refused: %s: %s\n", _kette_plugins_nth (i)->path,
                              _kette_plugins_nth (i)->reason);
  return g_string_free (out, FALSE);
}

static void
explain_params (GString *out, const char *what, const kt_param *params, int32_t n)
{
  for (int32_t i = 0; i < n; i++)
    {
      g_string_append_printf (out, "  %-9s %s: %s", i ? "" : what, params[i].name,
                              params[i].type);
      if (params[i].def)
        g_string_append_printf (out, " = %s", params[i].def);
      if (params[i].flags & KT_P_OPTIONAL)
        g_string_append (out, " (optional)");
      if (params[i].flags & KT_P_VARIADIC)
        g_string_append (out, " (any number)");
      g_string_append_c (out, '\n');
    }
}

static void
explain_family (GString *out, const KetteFamily *family)
{
  const kt_op *op = &family->ops[0]->op;

  g_string_append_printf (out, "%s%s%s-%d, from %s\n", family->domain,
                          *family->domain ? ":" : "", family->name, op->since,
                          _kette_base_name (family->ops[0]->plugin));
  explain_params (out, "inputs", op->in, op->n_in);
  explain_params (out, "outputs", op->out, op->n_out);
  explain_params (out, "attr", op->attr, op->n_attr);
  explain_params (out, "types", op->var, op->n_var);
  g_string_append (out, "  versions ");
  for (size_t i = 0; i < family->n_ops; i++)
    g_string_append_printf (
        out, " %d%s", family->ops[i]->op.since,
        family->ops[i]->op.body != op->body ? " (rewritten to the newest)" : "");
  g_string_append_printf (out, "\n  gradient  %s\n",
                          op->gradient ? "yes"
                          : op->flags & KT_OP_ZERO_GRADIENT
                              ? "none by nature: it stops here"
                          : op->flags & KT_OP_NO_GRADIENT ? "not differentiable"
                          : op->body                      ? "through its body"
                                                          : "none");
  for (size_t i = 0; i < family->n_kernels; i++)
    {
      const kt_kernel *k = &family->kernels[i]->kernel;
      g_string_append_printf (out, "  kernel    %s on %s, priority %d, types %s%s\n",
                              _kette_base_name (family->kernels[i]->plugin), k->device,
                              k->priority, k->types ? k->types : "all",
                              i == 0 ? ": wins where its types fit" : "");
    }
  if (!family->n_kernels)
    g_string_append (out, op->body ? "  kernel    none: replaced by its body\n"
                                   : "  kernel    none: expanded before a run\n");
}

gsize
kette_plugins_running (char *out, gsize size)
{
  return _kette_running_text (out, size);
}

char *
kette_plugins_explain (KettePlugins *self, const char *op)
{
  const char *colon       = strrchr (op, ':');
  g_autofree char *domain = colon ? g_strndup (op, (gsize) (colon - op)) : g_strdup ("");
  const char *name        = colon ? colon + 1 : op;
  const KetteFamily *family = NULL;
  GString *out              = g_string_new (NULL);

  (void) self;
  for (size_t i = 0; !family && _kette_registry_nth (i); i++)
    {
      const KetteFamily *f = _kette_registry_nth (i);
      if (f->n_ops && strcmp (f->name, name) == 0
          && (!colon || strcmp (f->domain, domain) == 0))
        family = f;
    }
  if (family)
    explain_family (out, family);
  else
    {
      const char *near = _kette_registry_nearest (domain, name);
      g_string_append_printf (out, "no plugin has the operator \"%s\"", op);
      if (near)
        g_string_append_printf (out, "; did you mean \"%s\"?", near);
      g_string_append_c (out, '\n');
    }
  for (guint i = 0; _kette_plugins_nth (i); i++)
    if (_kette_plugins_nth (i)->reason)
      g_string_append_printf (out, "refused: %s: %s\n", _kette_plugins_nth (i)->path,
                              _kette_plugins_nth (i)->reason);
  return g_string_free (out, FALSE);
}
