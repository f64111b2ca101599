/* SPDX-License-Identifier: Apache-2.0
 * pairs FILE.txt... [-- PAIR]: makes both models of every pair (cases.h), loads them, infers,
 * runs, and compares the error; prints TAP. With -o FOLDER it writes the models there; with
 * -d FOLDER, where other files may lie, it loads them as the file m.onnx of that folder.
 */
#include "cases.h"
#include "exec/session.h"
#include "graph/graph-private.h"
#include "io/io-private.h"
#include "io/tensor-file.h"
#include "listed.h"
#include "message.h"
#include "onnx.pb-c.h"
#include <string.h>

#define MOST_INPUTS 16

static char *data_folder; /* -d: models are written there, and loaded as files */

/* A model made from a base and its edits, and how it is to be used. */
typedef struct
{
  Message *message;
  GByteArray *bytes; /* once it is no message any more */
  KetteLimits limits;
  KetteLoadOptions options;
  KetteSessionFlags session_flags;
  GPtrArray *feeds, *warnings, *warned; /* TensorProto as Message; texts */
  char *roots[2];
} Model;

static void
model_clear (Model *m)
{
  message_free (m->message);
  if (m->bytes)
    g_byte_array_unref (m->bytes);
  g_ptr_array_unref (m->feeds);
  g_ptr_array_unref (m->warnings);
  g_ptr_array_unref (m->warned);
  g_free (m->roots[0]);
}

static GByteArray *
model_bytes (Model *m)
{
  if (!m->bytes)
    m->bytes = message_pack (m->message);
  return m->bytes;
}

/* Bytes as they stand behind "raw". */
static GBytes *
parse_bytes (const char *text, const char *where)
{
  g_autofree char *field = g_strconcat ("raw ", text, NULL);
  Message *m             = message_new (&onnx__model_proto__descriptor);
  GByteArray *out;

  message_parse (m, field, where);
  out = message_pack (m);
  message_free (m);
  return g_byte_array_free_to_bytes (out);
}

/* "N A | B @ C | D". */
static void
model_nest (Model *m, const char *text, const char *where)
{
  char *rest;
  const guint64 n          = g_ascii_strtoull (text, &rest, 10);
  g_auto (GStrv) parts     = g_strsplit (rest, "|", -1);
  g_autoptr (GString) line = g_string_new (NULL);
  g_auto (GStrv) around    = NULL;

  if (g_strv_length (parts) != 3)
    g_error ("%s: nest needs three parts", where);
  around = g_strsplit (parts[1], "@", 2);
  g_string_append (line, g_strstrip (parts[0]));
  for (guint64 i = 0; i < n; i++)
    g_string_append (line, around[0]);
  g_string_append (line, parts[2]);
  for (guint64 i = 0; i < n; i++)
    g_string_append (line, around[1]);
  message_edit (m->message, line->str, where);
}

static void
model_option (Model *m, const char *name, const char *where)
{
  if (strcmp (name, "newer") == 0)
    m->options.flags |= KETTE_LOAD_ALLOW_NEWER;
  else if (strcmp (name, "links") == 0)
    m->options.flags |= KETTE_LOAD_ALLOW_LINKS;
  else if (strcmp (name, "checksums") == 0)
    m->options.flags |= KETTE_LOAD_NO_CHECKSUM;
  else if (strcmp (name, "bodies") == 0)
    m->session_flags = KETTE_SESSION_NO_NATIVE;
  else
    g_error ("%s: \"%s\" cannot be allowed", where, name);
}

static void
model_limit (Model *m, const char *text, const char *where)
{
  g_auto (GStrv) parts     = g_strsplit (text, "=", 2);
  g_autoptr (GError) error = NULL;

  if (!parts[1]
      || !kette_limits_set (&m->limits, parts[0], g_ascii_strtoull (parts[1], NULL, 10),
                            &error))
    g_error ("%s: %s", where, error ? error->message : "NAME=VALUE");
  m->options.limits = &m->limits;
}

static void
model_feed (Model *m, const char *text, const char *where)
{
  Message *tensor        = message_new (&onnx__graph_proto__descriptor);
  g_autofree char *field = g_strconcat ("initializer ", text, NULL);

  message_parse (tensor, field, where);
  g_ptr_array_add (m->feeds, tensor);
}

/* Edits of the bytes; the message cannot be edited afterwards. */
static gboolean
model_edit_bytes (Model *m, const char *verb, const char *rest, const char *where)
{
  GByteArray *bytes;
  char *end = (char *) rest;
  guint64 at;

  if (strcmp (verb, "bytes") == 0)
    {
      model_bytes (m);
      g_byte_array_set_size (m->bytes, 0);
    }
  else if (strcmp (verb, "append") != 0 && strcmp (verb, "cut") != 0
           && strcmp (verb, "poke") != 0)
    return FALSE;
  bytes = model_bytes (m);
  at    = bytes->len;
  if (strcmp (verb, "cut") == 0)
    {
      g_byte_array_set_size (bytes,
                             bytes->len - (guint) g_ascii_strtoull (rest, NULL, 10));
      return TRUE;
    }
  if (strcmp (verb, "poke") == 0)
    at = g_ascii_strtoull (rest, &end, 10);
  {
    g_autoptr (GBytes) more = parse_bytes (end, where);
    gsize n;
    const guint8 *data = g_bytes_get_data (more, &n);

    if (at == bytes->len)
      g_byte_array_append (bytes, data, (guint) n);
    else
      memcpy (bytes->data + at, data, MIN (n, bytes->len - at));
  }
  return TRUE;
}

static void
model_line (Model *m, const Line *line)
{
  const char *blank     = strchr (line->text, ' ');
  g_autofree char *verb = blank ? g_strndup (line->text, (gsize) (blank - line->text))
                                : g_strdup (line->text);
  const char *rest      = blank ? blank + 1 : "";

  if (strcmp (verb, "nest") == 0)
    model_nest (m, rest, line->where);
  else if (strcmp (verb, "limit") == 0)
    model_limit (m, rest, line->where);
  else if (strcmp (verb, "allow") == 0)
    model_option (m, rest, line->where);
  else if (strcmp (verb, "root") == 0)
    {
      m->roots[0]           = g_build_filename (data_folder, rest, NULL);
      m->options.data_roots = (const char *const *) m->roots;
    }
  else if (strcmp (verb, "feed") == 0)
    model_feed (m, rest, line->where);
  else if (strcmp (verb, "warns") == 0)
    g_ptr_array_add (m->warnings, g_strdup (rest));
  else if (!model_edit_bytes (m, verb, rest, line->where))
    message_edit (m->message, line->text, line->where);
}

static void
model_make (Model *m, const Cases *cases, const Pair *pair, const Side *side)
{
  const Message *base = g_hash_table_lookup (cases->bases, pair->base);

  if (!base)
    g_error ("%s: there is no base \"%s\"", pair->where, pair->base);
  *m = (Model){ .message = message_copy (base),
                .options = { .size = sizeof m->options } };
  kette_limits_init (&m->limits);
  m->feeds    = g_ptr_array_new_with_free_func ((GDestroyNotify) message_free);
  m->warnings = g_ptr_array_new_with_free_func (g_free);
  m->warned   = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < side->lines->len; i++)
    model_line (m, side->lines->pdata[i]);
}

/* ---- stages ---- */

static KetteTensor *
make_feed (const Model *m, KetteGraph *graph, guint i, GError **error)
{
  const char *name = kette_graph_get_input_name (graph, i);
  int dtype, rank;
  const gint64 *open;
  gint64 dims[KETTE_MAX_RANK];
  KetteTensor *tensor;

  for (guint k = 0; k < m->feeds->len; k++)
    {
      GByteArray *packed     = message_pack (m->feeds->pdata[k]);
      GBytes *bytes          = g_byte_array_free_to_bytes (packed);
      Onnx__GraphProto *one  = onnx__graph_proto__unpack (NULL, g_bytes_get_size (bytes),
                                                          g_bytes_get_data (bytes, NULL));
      const gboolean meant   = strcmp (one->initializer[0]->name, name) == 0;
      gsize n                = onnx__tensor_proto__get_packed_size (one->initializer[0]);
      guint8 *data           = g_malloc (n + 1);
      g_autoptr (GBytes) raw = NULL;

      onnx__tensor_proto__pack (one->initializer[0], data);
      raw = g_bytes_new_take (data, n);
      onnx__graph_proto__free_unpacked (one, NULL);
      g_bytes_unref (bytes);
      if (meant)
        return _kette_tensor_pb_parse (raw, error);
    }
  open = kette_graph_get_input_type (graph, i, &dtype, &rank);
  for (int d = 0; d < rank; d++)
    dims[d] = open[d] < 0 ? 2 : open[d];
  tensor = kette_tensor_new (dtype, dims, (guint) MAX (rank, 0), error);
  for (gsize k = 0; tensor && dtype != KT_STRING && k < kette_tensor_get_count (tensor);
       k++)
    _kette_tensor_set_double (tensor, k, 1);
  return tensor;
}

static gboolean
run_session (const Model *m, KetteGraph *graph, KetteSession *session, GError **error)
{
  KetteTensor *in[MOST_INPUTS] = { NULL }, **out;
  const guint n_in             = kette_graph_get_n_inputs (graph),
              n_out            = kette_graph_get_n_outputs (graph);
  gboolean ok                  = n_in <= MOST_INPUTS;

  out = g_new0 (KetteTensor *, n_out + 1);
  for (guint i = 0; ok && i < n_in; i++)
    ok = (in[i] = make_feed (m, graph, i, error)) != NULL;
  ok = ok && kette_session_run (session, in, out, NULL, error);
  for (guint i = 0; i < MOST_INPUTS; i++)
    kette_tensor_unref (in[i]);
  for (guint i = 0; ok && i < n_out; i++)
    kette_tensor_unref (out[i]);
  g_free (out);
  return ok;
}

/* What loads is saved, and that loads again and is saved as the same bytes. */
static gboolean
save_again (const Model *m, KetteGraph *graph, GError **error)
{
  g_autoptr (GBytes) first = _kette_graph_to_bytes (graph, error), second = NULL;
  g_autoptr (KetteGraph) again = NULL;
  KetteLoadOptions options     = m->options;
  KetteLimits limits           = m->limits;

  limits.file_bytes = 0; /* saved it may be a little longer */
  options.limits    = &limits;
  if (first)
    again = kette_graph_load_bytes_full (first, "<memory>", &options, error);

  if (again)
    second = _kette_graph_to_bytes (again, error);
  if (second && !g_bytes_equal (first, second))
    return _kette_fail (error, KETTE_ERROR_INTERNAL, NULL,
                        "saved, loaded and saved again, the bytes differ");
  return second != NULL;
}

static char *
model_file (void)
{
  return data_folder ? g_build_filename (data_folder, "m.onnx", NULL)
                     : g_strdup ("<memory>");
}

static KetteGraph *
load_model (Model *m, GError **error)
{
  const GByteArray *packed = model_bytes (m);
  g_autofree char *file    = model_file ();

  return listed_load (packed, file, data_folder != NULL, &m->options, error);
}

/* Goes on up to and with stage LAST; the stage that failed, or STAGES. */
static Stage
run_stages (Model *m, Stage last, gboolean save, GError **error)
{
  g_autoptr (KetteGraph) graph     = NULL;
  g_autoptr (KetteSession) session = NULL;

  graph = load_model (m, error);
  if (!graph || (save && !save_again (m, graph, error)))
    return STAGE_LOAD;
  if (last == STAGE_LOAD)
    return STAGES;
  session = kette_session_new_with_flags (graph, m->session_flags, error);
  if (!session)
    return STAGE_INFER;
  if (last == STAGE_INFER || run_session (m, graph, session, error))
    return STAGES;
  return STAGE_RUN;
}

/* ---- report ---- */

static Model *current; /* whose warnings come */

static void
note_warning (const char *domain, GLogLevelFlags level, const char *text, gpointer user)
{
  (void) user;
  if (current && (level & (G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_WARNING)))
    g_ptr_array_add (current->warned, g_strdup (text));
  else if (!current || !(level & G_LOG_LEVEL_DEBUG))
    g_log_default_handler (domain, level, text, NULL);
}

/* What was said against what was to be said, both once. */
static char *
compare_warnings (const Model *m)
{
  for (guint i = 0; i < m->warned->len; i++)
    if (!g_ptr_array_find_with_equal_func (m->warnings, m->warned->pdata[i], g_str_equal,
                                           NULL))
      return g_strdup_printf ("a warning that is not expected: %s",
                              (char *) m->warned->pdata[i]);
  for (guint i = 0; i < m->warnings->len; i++)
    if (!g_ptr_array_find_with_equal_func (m->warned, m->warnings->pdata[i], g_str_equal,
                                           NULL))
      return g_strdup_printf ("the warning is missing: %s",
                              (char *) m->warnings->pdata[i]);
  return NULL;
}

static int n_tests, n_failed;

/* PATTERN is the text itself; "<N>" in it is any number. */
static gboolean
matches (const char *pattern, const char *text)
{
  for (; *pattern; pattern++, text++)
    if (g_str_has_prefix (pattern, "<N>") && g_ascii_isdigit (*text))
      {
        pattern += 2;
        while (g_ascii_isdigit (text[1]))
          text++;
      }
    else if (*pattern != *text)
      return FALSE;
  return *text == '\0';
}
static const char *const stage_names[STAGES + 1] = { "load", "infer", "run", "none" };

static void
report (const char *file, const Pair *pair, const char *what, const char *fault)
{
  n_failed += fault != NULL;
  g_print ("%sok %d - %s %s: %s\n", fault ? "not " : "", ++n_tests, file, pair->name,
           what);
  if (fault)
    g_print ("#   %s: %s\n", pair->where, fault);
}

static void
check_fault (const char *file, const Cases *cases, const Pair *pair)
{
  g_autofree char *loaded  = model_file ();
  g_autofree char *prefix  = g_strconcat (loaded, ": ", NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *fault   = NULL;
  const char *text;
  Model m;
  Stage at;

  model_make (&m, cases, pair, &pair->fault);
  current = &m;
  at      = run_stages (&m, STAGE_RUN, FALSE, &error);
  current = NULL;
  text    = error ? error->message : "";
  if (g_str_has_prefix (text, prefix))
    text += strlen (prefix);
  else if (at == STAGE_LOAD)
    fault = g_strdup_printf ("an error of loading without a file: %s", text);
  if (!fault && (at != pair->stage || !matches (pair->error, text)))
    fault
        = g_strdup_printf ("found by %s, must be by %s\n#   is    %s\n#   needs %s",
                           stage_names[at], stage_names[pair->stage], text, pair->error);
  else if (!fault
           && (error->domain != KETTE_ERROR
               || !g_str_has_prefix (
                   text, _kette_error_code_name ((KetteErrorCode) error->code))))
    fault = g_strdup_printf ("the code is %d: %s", error->code, text);
  report (file, pair, "fault", fault);
  model_clear (&m);
}

static void
check_good (const char *file, const Cases *cases, const Pair *pair)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *fault   = NULL;
  Model m;
  Stage at;

  model_make (&m, cases, pair, &pair->good);
  current = &m;
  at      = run_stages (&m, pair->reach, TRUE, &error);
  current = NULL;
  fault   = compare_warnings (&m);
  if (at != STAGES)
    g_free (fault);
  if (at != STAGES)
    fault
        = g_strdup_printf ("%s fails: %s", stage_names[at], error ? error->message : "");
  report (file, pair, "neighbour", fault);
  model_clear (&m);
}

static void
write_models (const char *folder, const Cases *cases, const Pair *pair)
{
  for (int i = 0; i < 2; i++)
    {
      g_autofree char *name
          = g_strdup_printf ("%s/%s.%s.onnx", folder, pair->name, i ? "good" : "fault");
      Model m;

      model_make (&m, cases, pair, i ? &pair->good : &pair->fault);
      g_file_set_contents (name, (char *) model_bytes (&m)->data, model_bytes (&m)->len,
                           NULL);
      model_clear (&m);
    }
}

int
main (int argc, char **argv)
{
  const char *folder = NULL;

  g_log_set_default_handler (note_warning, NULL);
  for (int i = 1; i < argc; i++)
    {
      g_autofree char *name = NULL;
      Cases *cases;

      if (strcmp (argv[i], "-o") == 0 && i + 1 < argc)
        {
          folder = argv[++i];
          continue;
        }
      if (strcmp (argv[i], "-d") == 0 && i + 1 < argc)
        {
          data_folder = argv[++i];
          continue;
        }
      name  = g_path_get_basename (argv[i]);
      cases = cases_read (argv[i]);
      for (guint k = 0; k < cases->pairs->len; k++)
        {
          const Pair *pair = cases->pairs->pdata[k];

          if (!pair->error)
            g_error ("%s: no error is expected", pair->where);
          if (folder)
            write_models (folder, cases, pair);
          check_fault (name, cases, pair);
          check_good (name, cases, pair);
        }
      cases_free (cases);
    }
  g_print ("1..%d\n", n_tests);
  return n_failed > 0;
}
