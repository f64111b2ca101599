/* SPDX-License-Identifier: Apache-2.0
 * kette_graph_check and its relatives: is a graph sound, and what does it lack here?
 */
#include "exec/transform.h"
#include "op/registry.h"
#include "pass/pass.h"

/* The training steps, each by itself: a fault in one does not hide those of the next. */
static gboolean
check_training (KetteGraph *graph, KetteFaults *faults, GError **error)
{
  for (size_t i = 0; i < graph->model->n_training; i++)
    {
      GError *fault = NULL;
      KetteBinding *updates;
      KetteGraph *step;

      if (!graph->model->training[i]->algorithm)
        continue;
      step = _kette_pass_training (graph, i, &updates, &fault);
      if (step)
        {
          kette_graph_unref (step);
          _kette_free (updates);
        }
      else if (!_kette_faults_go_on (faults, &fault))
        {
          g_propagate_error (error, fault);
          return FALSE;
        }
    }
  return TRUE;
}

static gboolean
check (KetteGraph *graph, gboolean structure, KetteFaults *faults, GError **error)
{
  KetteGraph *examined = _kette_pass_examine (
      graph, structure ? KETTE_TOLERANT : KETTE_STRICT, faults, error);

  kette_graph_unref (examined);
  if (!examined)
    return FALSE;
  /* Gradients need an operator's own rule, and what nobody provides has none. */
  return structure || faults->n || check_training (graph, faults, error);
}

gboolean
kette_graph_check_full (KetteGraph *self, gboolean structure, KetteFaultFunc fault,
                        gpointer user, GError **error)
{
  KetteFaults faults = { 0 };
  GError *last       = NULL;
  gboolean ok        = check (self, structure, &faults, &last);

  for (size_t i = 0; i < faults.n; i++)
    {
      _kette_error_in_file (&faults.list[i], self->model->file);
      if (fault)
        fault (faults.list[i], user);
    }
  _kette_error_in_file (&last, self->model->file);
  if (last && fault)
    fault (last, user);
  if (!_kette_faults_none (&faults, error))
    ok = FALSE;
  else if (last)
    g_propagate_error (error, g_steal_pointer (&last));
  g_clear_error (&last);
  _kette_faults_clear (&faults);
  return ok;
}

gboolean
kette_graph_check (KetteGraph *self, gboolean structure, GError **error)
{
  return kette_graph_check_full (self, structure, NULL, NULL, error);
}

char *
kette_graph_list_missing (KetteGraph *self, GError **error)
{
  KetteTally *rows;
  size_t n;
  GString *out;

  if (!_kette_pass_tally (self, &rows, &n, error))
    return NULL;
  out = g_string_new (NULL);
  for (size_t i = 0; i < n; i++)
    if (rows[i].missing)
      {
        KetteQuoted name;

        g_string_append_printf (out, "%s%s (%zu node%s)", out->len ? ", " : "",
                                _kette_tally_name (&rows[i], &name), rows[i].n,
                                rows[i].n == 1 ? "" : "s");
      }
  _kette_free (rows);
  return g_string_free (out, FALSE);
}
