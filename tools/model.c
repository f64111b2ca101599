/* SPDX-License-Identifier: Apache-2.0
 * What all verbs share that read a model: options of loading, limits, time, signals.
 */
#include "model.h"
#include "verbs.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char **limit_words, **data_roots;
static char *max_memory;
static double time_limit;
static int spin = G_MININT;
static gboolean allow_links, allow_newer, no_checksum;
static KetteLimits limits;

static const GOptionEntry entries[] = {
  { "limit", 0, 0, G_OPTION_ARG_STRING_ARRAY, &limit_words,
    "change a limit: file-bytes, depth, subgraph-depth, type-depth, unpacked-bytes, "
    "name-bytes, text-bytes, rank, nodes, call-depth, external-files, memory, time",
    "NAME=VALUE" },
  { "max-memory", 0, 0, G_OPTION_ARG_STRING, &max_memory,
    "memory for models, tensors and plans together (500M, 2G); default: 75 % of what "
    "there "
    "is",
    "BYTES" },
  { "time-limit", 0, 0, G_OPTION_ARG_DOUBLE, &time_limit, "stop after this time",
    "SECONDS" },
  { "data-root", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &data_roots,
    "one more folder in which external data may lie", "DIR" },
  { "allow-links", 0, 0, G_OPTION_ARG_NONE, &allow_links,
    "external data may be links that end in an allowed folder", NULL },
  { "allow-newer", 0, 0, G_OPTION_ARG_NONE, &allow_newer,
    "try models that are newer than this program", NULL },
  { "no-checksum", 0, 0, G_OPTION_ARG_NONE, &no_checksum,
    "do not compare external data with their checksums", NULL },
  { "spin", 0, 0, G_OPTION_ARG_INT, &spin,
    "how long threads without work look for some before they sleep (30); 0: they sleep "
    "at once, for machines that have other things to do",
    "MICROSECONDS" },
  { NULL, 0, 0, 0, NULL, NULL, NULL },
};

void
kette_tool_add_model_options (GOptionContext *context)
{
  GOptionGroup *group = g_option_group_new (
      "model", "Options of reading models:", "Show the options of reading models", NULL,
      NULL);

  g_option_group_add_entries (group, entries);
  g_option_context_add_group (context, group);
}

/* "512", "64K", "1.5G", "2GiB": units are powers of 1,024. */
static gboolean
parse_bytes (const char *text, guint64 *out)
{
  static const char units[] = "KMGT";
  char *end;
  double v               = g_ascii_strtod (text, &end);
  const char *const unit = *end ? strchr (units, g_ascii_toupper (*end)) : NULL;

  if (end == text || !(v >= 0))
    return FALSE;
  if (unit)
    {
      for (const char *u = units; u <= unit; u++)
        v *= 1024;
      end++;
    }
  if (*end == 'i' && unit)
    end++;
  if (*end == 'B')
    end++;
  if (*end || v < 1 || v >= 0x1p63)
    return FALSE;
  *out = (guint64) v;
  return TRUE;
}

static int
apply_limit (const char *word)
{
  g_autoptr (GError) error = NULL;
  const char *value        = strchr (word, '=');
  g_autofree char *name    = value ? g_strndup (word, (gsize) (value - word)) : NULL;
  guint64 number;
  char *end;

  if (!value || value == word)
    return kette_tool_usage ("--limit %s: must be NAME=VALUE", word);
  value++;
  if (strcmp (name, "time") == 0)
    {
      time_limit = g_ascii_strtod (value, &end);
      return *value && !*end && time_limit > 0
                 ? 0
                 : kette_tool_usage ("--limit %s: the value must be seconds", word);
    }
  if (!parse_bytes (value, &number))
    return kette_tool_usage ("--limit %s: the value must be a number from 1 on", word);
  if (strcmp (name, "memory") == 0)
    kette_set_memory_limit (number);
  else if (!kette_limits_set (&limits, name, number, &error))
    return kette_tool_usage ("--limit %s: %s", word, error->message);
  return 0;
}

int
kette_tool_apply_model_options (void)
{
  guint64 bytes;

  kette_limits_init (&limits);
  for (char **word = limit_words; word && *word; word++)
    if (apply_limit (*word))
      return KETTE_EXIT_USAGE;
  if (time_limit < 0 || time_limit != time_limit || time_limit > 1e9)
    return kette_tool_usage ("--time-limit must be seconds");
  if (max_memory && !parse_bytes (max_memory, &bytes))
    return kette_tool_usage ("--max-memory %s: must be bytes, such as 500M or 2G",
                             max_memory);
  if (max_memory)
    kette_set_memory_limit (bytes);
  if (spin != G_MININT && (spin < 0 || spin > 1000000))
    return kette_tool_usage ("--spin %d: must be 0 to 1000000 microseconds", spin);
  if (spin != G_MININT)
    kette_set_spin (spin);
  kette_tool_set_time_limit (time_limit);
  return 0;
}

/* Until there is something to read, or it is time to stop. */
static gboolean
wait_for_input (GError **error)
{
  enum
  {
    PAUSE_MS = 50
  };
  struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

  do
    if (!kette_deadline_check (KETTE_DEADLINE (kette_tool_deadline ()), NULL, error))
      return FALSE;
  while (poll (&input, 1, PAUSE_MS) == 0);
  return TRUE;
}

/* All of standard input, up to the limit of a file. */
static GBytes *
read_input (GError **error)
{
  gsize n = 0, room = 0;
  char *data = NULL;

  for (;;)
    {
      gssize got;

      if (n == room)
        {
          char *more
              = n > limits.file_bytes ? NULL : g_try_realloc (data, 2 * room + 65536);
          if (!more)
            {
              if (n > limits.file_bytes)
                g_set_error (error, KETTE_ERROR, KETTE_ERROR_LIMIT,
                             "-: limit: has more than the %" G_GUINT64_FORMAT
                             " bytes that file-bytes allows",
                             limits.file_bytes);
              else
                g_set_error (error, KETTE_ERROR, KETTE_ERROR_MEMORY,
                             "-: memory: no memory for more than %zu bytes", n);
              g_free (data);
              return NULL;
            }
          data = more;
          room = 2 * room + 65536;
        }
      got = wait_for_input (error) ? read (STDIN_FILENO, data + n, room - n) : -2;
      if (got == -1 && errno == EINTR)
        continue;
      if (got < 0)
        {
          if (got == -1)
            g_set_error (error, KETTE_ERROR, KETTE_ERROR_IO, "-: io: cannot read: %s",
                         g_strerror (errno));
          else
            g_prefix_error (error, "-: ");
          g_free (data);
          return NULL;
        }
      if (got == 0)
        return g_bytes_new_take (data, n);
      n += (gsize) got;
    }
}

KetteGraph *
kette_tool_load_with (const char *file, KetteFaultFunc fault, gpointer user,
                      GError **error)
{
  const KetteLoadOptions options
      = { .size        = sizeof options,
          .limits      = &limits,
          .flags       = (KetteLoadFlags) ((allow_links ? KETTE_LOAD_ALLOW_LINKS : 0)
                                     | (allow_newer ? KETTE_LOAD_ALLOW_NEWER : 0)
                                     | (no_checksum ? KETTE_LOAD_NO_CHECKSUM : 0)),
          .data_roots  = (const char *const *) data_roots,
          .cancellable = kette_tool_deadline (),
          .fault       = fault,
          .user        = user };
  g_autoptr (GBytes) bytes = NULL;

  if (strcmp (file, "-") != 0)
    return kette_graph_load_full (file, &options, error);
  bytes = read_input (error);
  return bytes ? kette_graph_load_bytes_full (bytes, file, &options, error) : NULL;
}

void
kette_tool_verify (KetteGraph *graph, const char *file)
{
  g_autoptr (GError) error = NULL;
  const char *note         = NULL;

  if (!kette_graph_verify (graph, &note, &error))
    fprintf (stderr, "warning: %s\n", error->message);
  else if (note)
    fprintf (stderr, "note: %s: %s\n", file, note);
}

KetteGraph *
kette_tool_load (const char *file, GError **error)
{
  KetteGraph *graph = kette_tool_load_with (file, NULL, NULL, error);

  if (graph)
    kette_tool_verify (graph, file);
  return graph;
}
