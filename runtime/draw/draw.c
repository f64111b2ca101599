/* SPDX-License-Identifier: Apache-2.0
 * kette_graph_draw: graph -> scope -> view -> layout -> scene -> text.
 */
#include "draw/draw-private.h"
#include "exec/session.h"
#include <string.h>

void
kette_draw_options_init (KetteDrawOptions *options)
{
  *options = (KetteDrawOptions){ .view = "auto", .layout = "auto" };
}

static char *
draw_svg (const KetteView *view, const char *engine, GError **error)
{
  KetteLayout layout;
  KetteScene scene;
  char *text;

  if (!_kette_layout_init (&layout, view, engine, error))
    return NULL;
  _kette_scene_init (&scene, &layout);
  text = _kette_svg_write (&scene);
  _kette_scene_clear (&scene);
  _kette_layout_clear (&layout);
  return text;
}

/* Where what VIEW shows would be executed. */
static gboolean
add_devices (KetteView *view, const KetteScope *scope, KetteGraph *graph,
             const KetteDrawOptions *options, GError **error)
{
  g_autofree char *idle = NULL;
  KetteSurvey survey;
  gboolean ok;

  if (!options->device && (!options->place || !options->place[0]))
    return TRUE;
  if (!_kette_survey_init (&survey, scope, graph, options, error))
    return FALSE;
  ok   = _kette_view_add_devices (view, survey.plan, MAX (options->batch, 1), error);
  idle = kette_session_find_idle_places (survey.session);
  if (*idle)
    g_message ("%s: %s", graph->model->file, idle);
  _kette_survey_clear (&survey);
  return ok;
}

char *
kette_graph_draw (KetteGraph *self, const KetteDrawOptions *options, GError **error)
{
  const char *format = options->format ? options->format : "svg";
  KetteScope scope;
  KetteView view;
  char *text = NULL;

  if (strcmp (format, "svg") != 0 && strcmp (format, "dot") != 0)
    {
      _kette_fail (error, KETTE_ERROR_UNSUPPORTED, "draw",
                   "there is no format %s, only svg and dot", KETTE_QUOTE (format));
      _kette_error_in_file (error, self->model->file);
      return NULL;
    }
  if (_kette_scope_init (&scope, self, options, error))
    {
      if (_kette_view_init (&view, &scope, options, error))
        {
          if (add_devices (&view, &scope, self, options, error))
            text = format[0] == 'd' ? _kette_dot_write (&view)
                                    : draw_svg (&view, options->layout, error);
          _kette_view_clear (&view);
        }
      _kette_scope_clear (&scope);
    }
  if (!text)
    _kette_error_in_file (error, self->model->file);
  return text;
}
