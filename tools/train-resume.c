/* SPDX-License-Identifier: Apache-2.0
 * Where kette train begins: with the model, or with a checkpoint of it.
 */
#include "model.h"
#include "train.h"
#include <string.h>
#include <sys/stat.h>

enum
{
  MOST_OLDER = 99
};

static gboolean
is_there (const char *file)
{
  return g_file_test (file, G_FILE_TEST_EXISTS);
}

/* A and B are one file, by whatever names. */
static gboolean
same_file (const char *a, const char *b)
{
  struct stat x, y;

  return stat (a, &x) == 0 && stat (b, &y) == 0 && x.st_dev == y.st_dev
         && x.st_ino == y.st_ino;
}

static gboolean
is_whole (const char *file)
{
  g_autoptr (KetteGraph) graph = kette_tool_load_with (file, NULL, NULL, NULL);

  return graph && kette_graph_is_checkpoint (graph)
         && kette_graph_verify (graph, NULL, NULL);
}

/* The newest older checkpoint that is whole, or NULL; g_free. */
static char *
older (const char *file)
{
  for (int k = 1; k <= MOST_OLDER; k++)
    {
      g_autofree char *name = g_strdup_printf ("%s.%d", file, k);
      if (is_there (name) && is_whole (name))
        return g_steal_pointer (&name);
    }
  return NULL;
}

/* FILE cannot be resumed: is one of its predecessors whole? */
static void
name_older (const char *file, GError **error)
{
  g_autofree char *name = NULL;
  char *text;

  if (kette_tool_signal () || !(name = older (file)))
    return;
  text = g_strdup_printf ("%s; \"%s\" is whole", (*error)->message, name);
  g_free ((*error)->message);
  (*error)->message = text;
}

/* The checkpoint must be one of the model that the user names. */
static gboolean
check_model (const TrainArguments *a, KetteTrainer *trainer, GError **error)
{
  const char *model = a->models[0];

  if (a->train.resume_anyway || same_file (model, a->out))
    return TRUE;
  g_autoptr (KetteGraph) graph = kette_tool_load (model, error);
  return graph && kette_trainer_check_model (trainer, graph, error);
}

static KetteTrainer *
resume (const TrainArguments *a, GError **error)
{
  g_autoptr (GError) fault     = NULL;
  g_autoptr (KetteGraph) graph = kette_tool_load_with (a->out, NULL, NULL, &fault);
  g_autoptr (KetteTrainer) trainer
      = graph ? kette_trainer_new (graph, &a->train, &fault) : NULL;

  if (trainer)
    return check_model (a, trainer, error) ? g_steal_pointer (&trainer) : NULL;
  if (!graph || g_error_matches (fault, KETTE_ERROR, KETTE_ERROR_FORMAT))
    name_older (a->out, &fault);
  g_propagate_error (error, g_steal_pointer (&fault));
  return NULL;
}

KetteTrainer *
train_make_trainer (TrainArguments *a, GError **error)
{
  g_autoptr (KetteGraph) graph = NULL;

  if (a->train.resume && is_there (a->out))
    return resume (a, error);
  if (a->train.resume)
    {
      g_autofree char *name = older (a->out);
      if (name)
        {
          g_set_error (error, KETTE_ERROR, KETTE_ERROR_IO,
                       "%s: io: is not there; \"%s\" is whole", a->out, name);
          return NULL;
        }
    }
  if (!(graph = kette_tool_load (a->models[0], error)))
    return NULL;
  if (a->train.resume && !kette_graph_is_checkpoint (graph))
    {
      if (!a->quiet)
        g_print ("%s is not there yet: training begins\n", a->out);
      a->train.resume = FALSE;
    }
  return kette_trainer_new (graph, &a->train, error);
}
