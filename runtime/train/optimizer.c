/* SPDX-License-Identifier: Apache-2.0
 * Optimizers: one row each. ONNX's own operators where it has them; every coefficient is
 * written into the file, as its defaults are not ours.
 *
 * The order of operands is that of ai.onnx.preview.training: R, T, then parameter, gradient,
 * states; outputs: new parameter, new states.
 */
#include "train/train-private.h"
#include <string.h>

static const KetteOptimizer optimizers[] = {
  { .name = "sgd", .domain = "kette", .op = "SGD", .rate = 0.01 },
  { .name      = "momentum",
    .domain    = KETTE_TRAINING_DOMAIN,
    .op        = "Momentum",
    .rate      = 0.01,
    .slots     = { "velocity" },
    .has_count = TRUE,
    .attrs     = { { "alpha", NULL, KETTE_BETA, 0.9 },
                   { "beta", NULL, KETTE_FIXED, 1 },
                   { "mode", "standard", KETTE_FIXED, 0 },
                   { "norm_coefficient", NULL, KETTE_FIXED, 0 } } },
  { .name      = "nesterov",
    .domain    = KETTE_TRAINING_DOMAIN,
    .op        = "Momentum",
    .rate      = 0.01,
    .slots     = { "velocity" },
    .has_count = TRUE,
    .attrs     = { { "alpha", NULL, KETTE_BETA, 0.9 },
                   { "beta", NULL, KETTE_FIXED, 1 },
                   { "mode", "nesterov", KETTE_FIXED, 0 },
                   { "norm_coefficient", NULL, KETTE_FIXED, 0 } } },
  { .name      = "adagrad",
    .domain    = KETTE_TRAINING_DOMAIN,
    .op        = "Adagrad",
    .rate      = 0.01,
    .slots     = { "squares" },
    .has_count = TRUE,
    .attrs     = { { "decay_factor", NULL, KETTE_FIXED, 0 },
                   { "epsilon", NULL, KETTE_EPSILON, 1e-10 },
                   { "norm_coefficient", NULL, KETTE_FIXED, 0 } } },
  { .name           = "adam",
    .domain         = KETTE_TRAINING_DOMAIN,
    .op             = "Adam",
    .rate           = 1e-3,
    .slots          = { "mean", "variance" },
    .has_count      = TRUE,
    .count_from_one = TRUE,
    .attrs          = { { "alpha", NULL, KETTE_BETA, 0.9 },
                        { "beta", NULL, KETTE_BETA2, 0.999 },
                        { "epsilon", NULL, KETTE_EPSILON, 1e-8 },
                        { "norm_coefficient", NULL, KETTE_FIXED, 0 },
                        { "norm_coefficient_post", NULL, KETTE_FIXED, 0 } } },
};

const KetteOptimizer *
_kette_optimizer_find (const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS (optimizers); i++)
    if (strcmp (optimizers[i].name, name) == 0)
      return &optimizers[i];
  return NULL;
}

char *
_kette_optimizer_names (void)
{
  GString *text = g_string_new (NULL);

  for (size_t i = 0; i < G_N_ELEMENTS (optimizers); i++)
    g_string_append_printf (text, "%s%s", i ? ", " : "", optimizers[i].name);
  return g_string_free (text, FALSE);
}
