/* SPDX-License-Identifier: Apache-2.0
 * What the verbs share: options, errors and their exit statuses.
 */
#include "model.h"
#include "verbs.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
kette_tool_fail (const GError *error)
{
  static const int statuses[] = {
    [KETTE_ERROR_FORMAT] = 65,      [KETTE_ERROR_GRAPH] = 65,
    [KETTE_ERROR_UNSUPPORTED] = 65, [KETTE_ERROR_ATTR] = 65,
    [KETTE_ERROR_TENSOR] = 65,      [KETTE_ERROR_TYPE] = 65,
    [KETTE_ERROR_SHAPE] = 65,       [KETTE_ERROR_VALUE] = 65,
    [KETTE_ERROR_IO] = 66,          [KETTE_ERROR_PATH] = 77,
    [KETTE_ERROR_LIMIT] = 70,       [KETTE_ERROR_MEMORY] = 70,
    [KETTE_ERROR_TIMEOUT] = 70,     [KETTE_ERROR_CANCEL] = 130,
    [KETTE_ERROR_PLUGIN] = 69,      [KETTE_ERROR_DEVICE] = 69,
    [KETTE_ERROR_INTERNAL] = 70,
  };

  if (!error)
    return 70;
  fprintf (stderr, "%s\n", error->message);
  if (error->domain == G_OPTION_ERROR)
    return KETTE_EXIT_USAGE;
  if (g_error_matches (error, KETTE_ERROR, KETTE_ERROR_CANCEL) && kette_tool_signal ())
    return 128 + kette_tool_signal ();
  if (error->domain == KETTE_ERROR && error->code >= 0
      && (size_t) error->code < G_N_ELEMENTS (statuses))
    return statuses[error->code];
  return 70;
}

/* What the library has to say beside errors: "warning: ..." on standard error. */
static GLogWriterOutput
write_log (GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user)
{
  for (gsize i = 0; level & (G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_WARNING) && i < n; i++)
    if (strcmp (fields[i].key, "MESSAGE") == 0 && fields[i].length < 0)
      {
        fprintf (stderr, "warning: %s\n", (const char *) fields[i].value);
        return G_LOG_WRITER_HANDLED;
      }
  return g_log_writer_default (level, fields, n, user);
}

void
kette_tool_catch_warnings (void)
{
  g_log_set_writer_func (write_log, NULL, NULL);
}

int
kette_tool_usage (const char *format, ...)
{
  va_list args;

  va_start (args, format);
  fputs ("kette: ", stderr);
  vfprintf (stderr, format, args);
  fputs ("\n", stderr);
  va_end (args);
  return KETTE_EXIT_USAGE;
}

void
kette_tool_warn_places (const char *file, KetteSession *session)
{
  g_autofree char *idle = kette_session_find_idle_places (session);

  if (*idle)
    fprintf (stderr, "warning: %s: %s\n", file, idle);
}

static int write_errno; /* why standard output failed first */

void
kette_tool_print (const char *text)
{
  errno = 0;
  if (fputs (text, stdout) < 0 && write_errno == 0)
    write_errno = errno;
}

int
kette_tool_finish (int status)
{
  const gboolean failed = ferror (stdout) != 0;
  struct stat info;

  errno = 0;
  if (fflush (stdout) == 0 && !failed)
    return status;
  if (write_errno == 0)
    write_errno = errno;
  if (fstat (STDOUT_FILENO, &info) != 0 || S_ISFIFO (info.st_mode)
      || S_ISSOCK (info.st_mode))
    return status;
  fprintf (stderr, "standard output: io: cannot write%s%s\n", write_errno ? ": " : "",
           write_errno ? g_strerror (write_errno) : "");
  return status ? status : KETTE_EXIT_IO;
}

gboolean
kette_tool_parse (int *argc, char ***argv, const GOptionEntry *entries, const char *usage,
                  const char *summary, const char *examples, int *status)
{
  g_autoptr (GOptionContext) context = g_option_context_new (usage);
  g_autoptr (GError) error           = NULL;
  g_autofree char *description       = g_strdup_printf ("Examples:\n%s", examples);
  g_autofree char *program           = g_strdup_printf ("kette %s", (*argv)[0]);

  g_option_context_set_help_enabled (context, TRUE);
  g_option_context_set_summary (context, summary);
  g_option_context_set_description (context, description);
  g_option_context_add_main_entries (context, entries, NULL);
  kette_tool_add_model_options (context);
  g_set_prgname (program);
  if (g_option_context_parse (context, argc, argv, &error))
    *status = kette_tool_apply_model_options ();
  else
    *status = kette_tool_usage ("%s", error->message);
  return *status == 0;
}
