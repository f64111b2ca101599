/* SPDX-License-Identifier: Apache-2.0
 * Drawing: golden pictures, rules for every scene, hostile names, limits, the renderer.
 *
 * KETTE_UPDATE_GOLDEN=1 writes the golden files anew; look at them before committing.
 */
#include "draw-devices.h"
#include "draw-graphs.h"
#include "draw-lint.h"
#include <glib/gstdio.h>
#include <locale.h>
#include <sys/stat.h>

/* Draws GRAPH (taken) by hand-made scope and, with ADD, devices; checks the scene; returns the
 * SVG. */
static char *
draw_with (KetteGraph *graph, const char *loss, const char *engine, const char *title,
           void (*add) (KetteView *), char **dot)
{
  KetteDrawOptions options;
  KetteScope scope;
  KetteView view;
  KetteLayout layout;
  KetteScene scene;
  GError *error = NULL;

  kette_draw_options_init (&options);
  options.title = title;
  make_scope (&scope, graph, loss);
  g_assert_true (_kette_view_init (&view, &scope, &options, &error));
  g_assert_no_error (error);
  if (add)
    add (&view);
  _kette_layout_init (&layout, &view, engine, &error);
  g_assert_no_error (error);
  _kette_scene_init (&scene, &layout);
  lint_scene (&scene);
  char *svg = _kette_svg_write (&scene);
  if (dot)
    *dot = _kette_dot_write (&view);
  _kette_scene_clear (&scene);
  _kette_layout_clear (&layout);
  _kette_view_clear (&view);
  _kette_scope_clear (&scope);
  return svg;
}

static char *
draw (KetteGraph *graph, const char *loss, const char *engine, const char *title,
      char **dot)
{
  return draw_with (graph, loss, engine, title, NULL, dot);
}

static void
compare_golden (const char *name, const char *text)
{
  g_autofree char *file = g_test_build_filename (G_TEST_DIST, "unit", "draw", name, NULL);
  g_autofree char *want = NULL;
  g_autoptr (GError) error = NULL;

  if (g_getenv ("KETTE_UPDATE_GOLDEN"))
    {
      g_file_set_contents (file, text, -1, &error);
      g_assert_no_error (error);
    }
  g_file_get_contents (file, &want, NULL, &error);
  g_assert_no_error (error);
  if (strcmp (want, text) != 0)
    {
      g_test_message ("%s differs", file);
      g_test_fail ();
    }
}

static void
check_golden (KetteGraph *(*make) (void), const char *loss, const char *name)
{
  g_autofree char *dot_text = NULL;
  g_autofree char *svg      = draw (make (), loss, "row", NULL, &dot_text);
  g_autofree char *svg_name = g_strconcat (name, ".svg", NULL);
  g_autofree char *dot_name = g_strconcat (name, ".dot", NULL);

  compare_golden (svg_name, svg);
  compare_golden (dot_name, dot_text);
}

static KetteGraph *
lecture_forward (void)
{
  return lecture_graph (FALSE);
}

static KetteGraph *
lecture_both (void)
{
  return lecture_graph (TRUE);
}

static void
test_golden (void)
{
  check_golden (lecture_forward, NULL, "lecture-forward");
  check_golden (lecture_both, "loss", "lecture-both");
  check_golden (deep_graph, "loss", "deep");
  check_golden (cnn_graph, "loss", "cnn");
  check_golden (node_graph, NULL, "node");
}

static void
check_devices (KetteGraph *graph, const char *loss, const char *name)
{
  g_autofree char *dot_text = NULL;
  g_autofree char *svg = draw_with (graph, loss, "row", NULL, add_devices, &dot_text);
  g_autofree char *svg_name = g_strconcat (name, ".svg", NULL);
  g_autofree char *dot_name = g_strconcat (name, ".dot", NULL);

  compare_golden (svg_name, svg);
  compare_golden (dot_name, dot_text);
}

static void
test_devices (void)
{
  check_devices (lecture_forward (), NULL, "devices");
  check_devices (lecture_both (), "loss", "devices-both");
  check_devices (cnn_graph (), "loss", "devices-cnn");
}

/* Three digits, rounded once. */
static void
test_bytes (void)
{
  static const struct
  {
    guint n;
    gsize each;
    const char *text;
  } cases[] = { { 1, 0, "0 B" },
                { 1, 999, "999 B" },
                { 1, 1000, "1.00 kB" },
                { 1, 31360, "31.4 kB" },
                { 1, 1234567, "1.23 MB" },
                { 1, 9996, "10.0 kB" },
                { 1, 999499, "999 kB" },
                { 1, 999999, "1.00 MB" },
                { 1, G_MAXSIZE, "18447 PB" },
                { 1, (gsize) 7 << 30, "7.52 GB" },
                { 2, 400, "2 \xc3\x97 400 B" } };

  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      KetteDrawCopy copy     = { .n     = cases[i].n,
                                 .bytes = cases[i].n * cases[i].each,
                                 .each  = cases[i].each };
      g_autofree char *label = _kette_copy_label (&copy);

      g_assert_cmpstr (label, ==, cases[i].text);
    }
}

/* Numbers are printed without the locale's help. */
static void
test_locale (void)
{
  g_autofree char *c = draw (lecture_both (), "loss", "row", NULL, NULL);
  const char *locale = setlocale (LC_ALL, "de_DE.UTF-8");

  if (!locale)
    locale = setlocale (LC_ALL, "");
  g_autofree char *other = draw (lecture_both (), "loss", "row", NULL, NULL);
  setlocale (LC_ALL, "C");
  g_assert_cmpstr (c, ==, other);
}

static gboolean
has_renderer (void)
{
  const char *path = g_getenv ("KETTE_RENDERER");

  if (path && g_file_test (path, G_FILE_TEST_IS_EXECUTABLE))
    return TRUE;
  g_test_skip ("kette-render was not built");
  return FALSE;
}

static void
test_dot (void)
{
  if (!has_renderer ())
    return;
  g_autofree char *chain    = draw (lecture_both (), "loss", "dot", NULL, NULL);
  g_autofree char *residual = draw (residual_graph (3), "loss", "auto", NULL, NULL);
  g_autofree char *devices
      = draw_with (residual_graph (3), "loss", "auto", NULL, add_devices, NULL);
  g_autofree char *forward = draw (residual_graph (6), NULL, "auto", NULL, NULL);
  g_autofree char *again   = draw (residual_graph (6), NULL, "auto", NULL, NULL);
  g_autofree char *fan     = draw (fan_graph (60), NULL, "auto", NULL, NULL);

  g_assert_cmpstr (forward, ==, again);
  g_assert_nonnull (strstr (chain, "Layer L"));
  g_assert_nonnull (strstr (fan, ">Concat<"));
  g_assert_nonnull (strstr (devices, ">31.4 kB<"));
  g_assert_nonnull (strstr (residual, ">missing<"));
}

/* An engine's failure: what it says, and that it leaves nothing behind. */
static void
expect_failure (KetteGraph *graph, const char *engine, guint limit, KetteErrorCode code,
                const char *text)
{
  KetteDrawOptions options;
  KetteScope scope;
  KetteView view;
  KetteLayout layout;
  GError *error = NULL;

  kette_draw_options_init (&options);
  options.max_boxes = limit;
  make_scope (&scope, graph, NULL);
  if (_kette_view_init (&view, &scope, &options, &error))
    {
      g_assert_false (_kette_layout_init (&layout, &view, engine, &error));
      _kette_view_clear (&view);
    }
  g_assert_error (error, KETTE_ERROR, (int) code);
  if (!strstr (error->message, text))
    g_error ("\"%s\" does not say \"%s\"", error->message, text);
  g_clear_error (&error);
  _kette_scope_clear (&scope);
}

static void
test_limits (void)
{
  expect_failure (residual_graph (6), "auto", 20, KETTE_ERROR_LIMIT,
                  "more than 20 boxes");
  expect_failure (residual_graph (1), "auto", 2001, KETTE_ERROR_LIMIT, "at most 2000");
  expect_failure (residual_graph (1), "row", 0, KETTE_ERROR_UNSUPPORTED, "chains");
  expect_failure (lecture_graph (FALSE), "circo", 0, KETTE_ERROR_VALUE, "\"circo\"");
}

/* A program in place of the renderer. */
static void
expect_renderer (const char *script, KetteErrorCode code, const char *text)
{
  g_autofree char *before  = g_strdup (g_getenv ("KETTE_RENDERER"));
  g_autofree char *file    = NULL;
  g_autoptr (GError) error = NULL;

  if (script)
    {
      const int fd = g_file_open_tmp ("kette-render-XXXXXX", &file, &error);

      g_assert_no_error (error);
      g_close (fd, NULL);
      g_assert_true (g_file_set_contents (file, script, -1, &error));
      g_chmod (file, 0700);
    }
  g_setenv ("KETTE_RENDERER", file ? file : "/nonexistent/kette-render", TRUE);
  expect_failure (residual_graph (1), "auto", 0, code, text);
  if (file)
    g_unlink (file);
  if (before)
    g_setenv ("KETTE_RENDERER", before, TRUE);
  else
    g_unsetenv ("KETTE_RENDERER");
}

static void
test_renderer (void)
{
  expect_renderer (NULL, KETTE_ERROR_UNSUPPORTED, "kette-render");
  expect_renderer ("#!/bin/sh\nkill -SEGV $$\n", KETTE_ERROR_INTERNAL, "signal 11");
  expect_renderer ("#!/bin/sh\nexit 3\n", KETTE_ERROR_INTERNAL, "status 3");
  expect_renderer ("#!/bin/sh\ncat > /dev/null\necho hello\n", KETTE_ERROR_INTERNAL,
                   "hello");
  expect_renderer (
      "#!/bin/sh\ncat > /dev/null\nprintf 'kette-layout 1\\n10 10\\n1 1\\n'\n",
      KETTE_ERROR_INTERNAL, "incomplete");
}

static void
test_renderer_silent (void)
{
  if (!g_test_slow ())
    return g_test_skip ("takes 10 s");
  expect_renderer ("#!/bin/sh\nexec sleep 1000\n", KETTE_ERROR_TIMEOUT, "took over 10 s");
}

static void
check_program (const char *text, const char *suffix, const char *const *command)
{
  g_autofree char *program   = g_find_program_in_path (command[0]);
  g_autofree char *file      = NULL;
  g_autofree char *pattern   = g_strconcat ("kette-XXXXXX", suffix, NULL);
  g_autoptr (GError) error   = NULL;
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  int status;

  if (!program)
    return;
  const int fd = g_file_open_tmp (pattern, &file, &error);
  g_assert_no_error (error);
  g_close (fd, NULL);
  g_assert_true (g_file_set_contents (file, text, -1, &error));
  for (; *command; command++)
    g_ptr_array_add (argv, (gpointer) *command);
  g_ptr_array_add (argv, file);
  g_ptr_array_add (argv, NULL);
  g_assert_true (g_spawn_sync (NULL, (char **) argv->pdata, NULL,
                               G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL, NULL,
                               NULL, NULL, NULL, &status, &error));
  g_assert_cmpint (status, ==, 0);
  g_unlink (file);
}

/* All ids of the SVG, each once. */
static void
check_ids (const char *svg)
{
  g_autoptr (GHashTable) ids
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (const char *p = strstr (svg, " id=\""); p; p = strstr (p + 5, " id=\""))
    {
      char *id = g_strndup (p + 5, (gsize) (strchr (p + 5, '"') - p - 5));

      g_assert_cmpuint (strlen (id), <=, 140); /* an edge's is made of two */
      g_assert_true (g_hash_table_add (ids, id));
    }
}

static void
test_hostile (void)
{
  static const char *const xmllint[] = { "xmllint", "--noout", "--nonet", NULL };
  static const char *const canon[]   = { "dot", "-Tcanon", NULL };
  g_autofree char *huge              = g_strnfill (1 << 20, 'm');
  const char *const names[]          = {
             "]]>",
             "\"><script>alert(1)</script>",
             "javascript:alert(1)",
             "\\N\\G\\",
             "%s%n%d",
             "\xe2\x80\xae"
                      "abc\xd7\x90",
             "a\nb\tc\x01",
             "\xff\xfe\x80",
             huge,
             "&amp;&#x41;&bogus;",
             "$0${alpha}",
             "x^{2}_{\\sigma}}{",
             "e\xcc\x81\xcc\x81\xcc\x81\xcc\x81",
             "/",
             "/a/b/",
             "\xef\xbf\xbe\xef\xbf\xbf",
             "--><!--",
             "<![CDATA[",
  };

  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    for (int chain = 0; chain < 2; chain++)
      {
        g_autofree char *dot_text = NULL;
        g_autofree char *svg
            = draw (hostile_graph (names[i], chain), NULL, "row", names[i], &dot_text);

        g_assert_true (g_utf8_validate (svg, -1, NULL));
        g_assert_true (g_utf8_validate (dot_text, -1, NULL));
        g_assert_null (strstr (svg, "<script"));
        g_assert_null (strstr (svg, "href"));
        g_assert_null (strstr (svg, "<!--"));
        g_assert_null (strstr (svg, "<![CDATA"));
        g_assert_cmpuint (strlen (svg), <, 40000);
        check_ids (svg);
        check_program (svg, ".svg", xmllint);
        check_program (dot_text, ".dot", canon);
      }
}

static void
check_markup (const char *markup, const char *plain)
{
  g_autofree char *text = _kette_markup_plain (markup);

  g_assert_cmpstr (text, ==, plain);
}

static void
test_markup (void)
{
  g_autoptr (GPtrArray) runs = NULL;
  double width;

  check_markup ("z^{(L-1)}", "z^(L\xe2\x88\x92"
                             "1)");
  check_markup ("\\sigma(z)", "\xcf\x83(z)");
  check_markup ("\\partial E/\\partial W", "\xe2\x88\x82"
                                           "E/\xe2\x88\x82W");
  check_markup ("\\frac{1}{2} x^2", "\xc2\xbd x^2");
  check_markup ("\\frac{1}{2B} \\sum x", "1/(2B) \xce\xa3 x");
  check_markup ("\\frac{a + b}{c}", "(a + b)/c");
  check_markup ("\\sqrt{x_{1}}", "\xe2\x88\x9ax_1");
  check_markup ("\\text{a b}", "a b");
  check_markup ("\\max(0, x)", "max(0, x)");
  check_markup ("a \\cdot b", "a \xc2\xb7 b");
  check_markup ("^", "^");
  check_markup ("}{x", "}x");
  check_markup ("\\", "\\");
  check_markup ("\\frac{1}", "1");
  check_markup ("{{{{{{{{{{{{x}}}}}}}}}}}}", "x");

  /* A script has its own run, smaller and raised, and begins where its base ends. */
  runs                     = _kette_markup_runs ("a^{2}", 20, &width);
  const KetteTextRun *base = runs->pdata[0], *script = runs->pdata[1];
  g_assert_cmpuint (runs->len, ==, 2);
  g_assert_cmpint (base->font, ==, KETTE_FONT_SERIF_ITALIC);
  g_assert_cmpint (script->font, ==, KETTE_FONT_SERIF);
  g_assert_cmpfloat_with_epsilon (script->size, 14, 1e-9);
  g_assert_cmpfloat_with_epsilon (script->dy, -7.2, 1e-9);
  g_assert_cmpfloat_with_epsilon (script->x, 10, 1e-9);
  g_assert_cmpfloat_with_epsilon (width, 17, 1e-9);
}

static void
test_text (void)
{
  g_autofree char *cut    = _kette_text_cut ("0123456789", 5);
  g_autofree char *fit    = _kette_text_fit ("mmmmmmmmmm", KETTE_FONT_SANS, 10, 45);
  g_autofree char *clean  = _kette_clean ("a\xe2\x80\x8b\xff", 10);
  g_autofree char *shown  = _kette_clean_title ("a\xe2\x80\xae\xff", 10);
  g_autofree char *id     = _kette_clean_id ("n-", "/fc1/Add:0");
  g_autofree char *name   = g_strnfill (200, 'x');
  g_autofree char *capped = _kette_clean_id ("n-", name);

  g_assert_cmpstr (cut, ==,
                   "01\xe2\x80\xa6"
                   "89");
  g_assert_cmpfloat (_kette_text_width (fit, KETTE_FONT_SANS, 10), <=, 45);
  g_assert_cmpstr (clean, ==, "a\xef\xbf\xbd\xef\xbf\xbd");
  g_assert_cmpstr (shown, ==, "a\\u202e\\xff");
  g_assert_cmpstr (id, ==, "n-_2ffc1_2fAdd_3a0");
  g_assert_cmpuint (strlen (capped), ==, 60);
  /* Liberation Sans: "0" is 1139 of 2048. */
  g_assert_cmpfloat_with_epsilon (_kette_text_width ("0", KETTE_FONT_SANS, 2048), 1139,
                                  1e-9);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/draw/text", test_text);
  g_test_add_func ("/draw/markup", test_markup);
  g_test_add_func ("/draw/golden", test_golden);
  g_test_add_func ("/draw/devices", test_devices);
  g_test_add_func ("/draw/bytes", test_bytes);
  g_test_add_func ("/draw/locale", test_locale);
  g_test_add_func ("/draw/dot", test_dot);
  g_test_add_func ("/draw/limits", test_limits);
  g_test_add_func ("/draw/renderer", test_renderer);
  g_test_add_func ("/draw/renderer-silent", test_renderer_silent);
  g_test_add_func ("/draw/hostile", test_hostile);
  return g_test_run ();
}
