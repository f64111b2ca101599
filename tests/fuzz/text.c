/* SPDX-License-Identifier: Apache-2.0
 * Target text: the first byte chooses what reads the others: cases of operators, rules of
 * initial weights, settings and recipes in metadata, the markup of pictures, limits.
 */
#include "base/text.h"
#include "base/limits.h"
#include "case.h"
#include "draw/text.h"
#include "fuzz.h"
#include "train/train-private.h"
#include <math.h>
#include <string.h>

static void
read_cases (const char *text)
{
  g_autofree char *problem = NULL;
  GPtrArray *cases         = case_parse (text, &problem);

  if (!cases == !problem)
    fuzz_fault ("cases: %s", problem ? problem : "neither cases nor a problem");
  g_clear_pointer (&cases, g_ptr_array_unref);
}

static void
read_rules (const char *text)
{
  g_auto (GStrv) parts = g_strsplit (text, "\n", 2);
  GError *error        = NULL;

  if (!parts[0])
    return;
  fuzz_judge (_kette_init_check (parts[0], &error), &error);
  _kette_glob_list_match (parts[0], parts[1] ? parts[1] : "layer1.weight");
  _kette_loss_find (parts[0]);
  _kette_optimizer_find (parts[0]);
}

/* A model whose metadata are the lines "KEY VALUE". */
static KetteGraph *
graph_of (const char *text, const char *prefix)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", 40);
  GError *error        = NULL;
  KetteModel *model    = _kette_model_new ("test", &error);
  KetteGraph *graph    = model ? _kette_graph_new (model, "test", &error) : NULL;
  gboolean ok          = graph != NULL;

  for (guint i = 0; ok && lines[i]; i++)
    {
      const char *blank    = strchr (lines[i], ' ');
      g_autofree char *key = g_strdup_printf (
          "%s%.*s", prefix, (int) (blank ? blank - lines[i] : 0), lines[i]);

      ok = _kette_model_set_meta (model, key, blank ? blank + 1 : lines[i], &error);
    }
  if (model)
    _kette_model_unref (model);
  if (fuzz_expect (ok, &error, "no model"))
    return graph;
  kette_graph_unref (graph);
  return NULL;
}

static void
read_settings (const char *text)
{
  KetteGraph *graph   = graph_of (text, "kette.option.");
  KetteRegion *region = _kette_region_new (NULL);
  GError *error       = NULL;
  KetteTrainOptions options;
  KetteSettings settings;

  kette_train_options_init (&options);
  if (graph && region
      && fuzz_judge (
          _kette_settings_fill (&settings, &options, graph, TRUE, region, &error),
          &error))
    fuzz_expect (_kette_settings_save (&settings, graph->model, &error), &error,
                 "settings cannot be written");
  _kette_region_free (region);
  kette_graph_unref (graph);
}

static void
read_recipe (const char *text)
{
  KetteGraph *graph = graph_of (text, "kette.input.");
  GError *error     = NULL;
  KetteInputRecipe recipe;
  gboolean present;

  if (graph
      && fuzz_judge (kette_graph_get_input_recipe (graph, "x", &recipe, &present, &error),
                     &error)
      && present && (!isfinite (recipe.scale) || recipe.std == 0))
    fuzz_fault ("a recipe with scale %g and std %g", recipe.scale, recipe.std);
  kette_graph_unref (graph);
}

static void
squeeze (char *text)
{
  char *out = text;

  for (; *text; text++)
    if (*text != ' ')
      *out++ = *text;
  *out = '\0';
}

/* Names as pictures and errors show them: always valid, never longer than promised. */
static void
show (const char *text)
{
  g_autofree char *clean = _kette_clean (text, 12),
                  *title = _kette_clean_title (text, 40),
                  *id = _kette_clean_id ("n", text), *markup = NULL, *plain = NULL,
                  *cut = NULL, *fit = NULL;
  double width;

  if (!g_utf8_validate (clean, -1, NULL) || g_utf8_strlen (clean, -1) > 13
      || !g_utf8_validate (title, -1, NULL) || strlen (id) > 64)
    fuzz_fault ("names: %s, %s, %s", clean, title, id);
  markup = _kette_markup_text (clean);
  plain  = _kette_markup_plain (markup);
  cut    = _kette_text_cut (clean, 5);
  fit    = _kette_text_fit (clean, KETTE_FONT_SANS, 12, 40);
  /* Blanks are told from the places of the pieces. */
  squeeze (plain);
  squeeze (clean);
  if (strcmp (plain, clean) != 0 || !g_utf8_validate (fit, -1, NULL)
      || !g_utf8_validate (cut, -1, NULL))
    fuzz_fault ("\"%s\" is printed as \"%s\"", clean, plain);
  if (!g_utf8_validate (text, -1, NULL))
    return;
  g_ptr_array_unref (_kette_markup_runs (text, 12, &width));
  g_free (_kette_markup_plain (text));
  if (!isfinite (width) || width < 0)
    fuzz_fault ("markup of width %g", width);
}

static void
read_limit (const char *text)
{
  const char *equals   = strchr (text, '=');
  g_autofree char *key = equals ? g_strndup (text, (gsize) (equals - text)) : NULL;
  GError *error        = NULL;
  KetteLimits limits;

  kette_limits_init (&limits);
  if (key)
    fuzz_judge (
        kette_limits_set (&limits, key, g_ascii_strtoull (equals + 1, NULL, 10), &error),
        &error);
  _kette_dtype_from_brief (text, strlen (text));
}

/* One line of an error, whatever the text. */
static void
quote (const char *text)
{
  GError *error = NULL;

  _kette_fail (&error, KETTE_ERROR_GRAPH, NULL, "no value %s, only %s",
               KETTE_QUOTE (text), KETTE_QUOTE (text));
  fuzz_judge (FALSE, &error);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t n)
{
  static void (*const readers[]) (const char *)
      = { read_cases, read_rules, read_settings, read_recipe, show, read_limit, quote };
  g_autofree char *text = n ? g_strndup ((const char *) data + 1, n - 1) : NULL;

  if (!text)
    return 0;
  fuzz_begin (data, n);
  fuzz_fail_allocations (16);
  readers[data[0] % G_N_ELEMENTS (readers)](text);
  fuzz_end ();
  return 0;
}
