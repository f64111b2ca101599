/* SPDX-License-Identifier: Apache-2.0
 * kette test: ONNX backend test directories (model.onnx, test_data_set_N/input_K.pb, ...).
 */
#include "feed.h"
#include "model.h"
#include <stdio.h>
#include <string.h>

typedef struct
{
  double rtol, atol;
  gboolean no_native, no_fusion, quiet;
  char *device, **place;
  guint n_passed, n_failed, n_unsupported;
  GError *stopped; /* by a signal, the time limit, or because there is no such device */
} Tests;

enum /* ONNX's numbers of element types */
{
  UINT16   = 4,
  BFLOAT16 = 16
};

/* Numpy has no bfloat16: old test directories hold such tensors as uint16, the same bits. */
static gboolean
as_bfloat16 (KetteTensor **tensor, GError **error)
{
  guint rank;
  const gint64 *dims = kette_tensor_get_dims (*tensor, &rank);
  KetteTensor *same  = kette_tensor_new (BFLOAT16, dims, rank, error);
  const gsize n      = kette_tensor_get_count (*tensor);

  if (!same)
    return FALSE;
  if (n > 0)
    memcpy (kette_tensor_get_data (same), kette_tensor_get_data (*tensor), n * 2);
  kette_tensor_unref (*tensor);
  *tensor = same;
  return TRUE;
}

/* The files PREFIX_K.pb of DIR for K = 0 .. n-1. */
static gboolean
load_set (const char *dir, const char *prefix, guint n, KetteTensor **tensors,
          GError **error)
{
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *name = g_strdup_printf ("%s_%u.pb", prefix, i);
      g_autofree char *path = g_build_filename (dir, name, NULL);
      if (!(tensors[i] = kette_tensor_load (path, error)))
        return FALSE;
    }
  return TRUE;
}

static gboolean
declared_inputs (KetteGraph *graph, KetteTensor **inputs, GError **error)
{
  for (guint i = 0; i < kette_graph_get_n_inputs (graph); i++)
    {
      int dtype, rank;
      kette_graph_get_input_type (graph, i, &dtype, &rank);
      if (dtype == BFLOAT16 && kette_tensor_get_dtype (inputs[i]) == UINT16
          && !as_bfloat16 (&inputs[i], error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
compare_set (KetteGraph *graph, KetteTensor **actual, KetteTensor **expected,
             const Tests *tests, double *worst, GError **error)
{
  for (guint i = 0; i < kette_graph_get_n_outputs (graph); i++)
    {
      double w;
      if (kette_tensor_get_dtype (actual[i]) == BFLOAT16
          && kette_tensor_get_dtype (expected[i]) == UINT16
          && !as_bfloat16 (&expected[i], error))
        return FALSE;
      if (!kette_tensor_compare (actual[i], expected[i], tests->rtol, tests->atol, &w,
                                 error))
        {
          g_prefix_error (error,
                          "output \"%s\": ", kette_graph_get_output_name (graph, i));
          return FALSE;
        }
      *worst = MAX (*worst, w);
    }
  return TRUE;
}

static gboolean
run_set (KetteGraph *graph, KetteSession *session, const char *dir, const Tests *tests,
         double *worst, GError **error)
{
  const guint n_in       = kette_graph_get_n_inputs (graph),
              n_out      = kette_graph_get_n_outputs (graph);
  KetteTensor **inputs   = g_new0 (KetteTensor *, n_in + 1);
  KetteTensor **expected = g_new0 (KetteTensor *, n_out + 1);
  KetteTensor **actual   = g_new0 (KetteTensor *, n_out + 1);
  gboolean ok            = load_set (dir, "input", n_in, inputs, error)
                && declared_inputs (graph, inputs, error)
                && load_set (dir, "output", n_out, expected, error);

  if (ok)
    {
      ok = kette_session_run (session, inputs, actual, kette_tool_deadline (), error);
      if (!ok)
        memset (actual, 0, n_out * sizeof *actual);
      ok = ok && compare_set (graph, actual, expected, tests, worst, error);
    }
  kette_tool_free_tensors (inputs, n_in);
  kette_tool_free_tensors (expected, n_out);
  kette_tool_free_tensors (actual, n_out);
  return ok;
}

static gboolean
run_directory (const char *dir, Tests *tests, double *worst, GError **error)
{
  g_autofree char *model       = g_build_filename (dir, "model.onnx", NULL);
  g_autoptr (KetteGraph) graph = kette_tool_load (model, error);
  g_autoptr (KetteSession) session
      = graph ? kette_session_new_on (
            graph,
            (KetteSessionFlags) ((tests->no_native ? KETTE_SESSION_NO_NATIVE : 0)
                                 | (tests->no_fusion ? KETTE_SESSION_NO_FUSION : 0)),
            tests->device, (const char *const *) tests->place, error)
              : NULL;

  if (graph && !session && g_error_matches (*error, KETTE_ERROR, KETTE_ERROR_DEVICE))
    tests->stopped = g_error_copy (*error);

  for (guint set = 0; session; set++)
    {
      g_autofree char *name = g_strdup_printf ("test_data_set_%u", set);
      g_autofree char *path = g_build_filename (dir, name, NULL);
      if (!g_file_test (path, G_FILE_TEST_IS_DIR))
        {
          if (set > 0)
            return TRUE;
          g_set_error (error, KETTE_ERROR, KETTE_ERROR_IO,
                       "%s: io: has no test_data_set_0", dir);
          return FALSE;
        }
      if (!run_set (graph, session, path, tests, worst, error))
        return FALSE;
    }
  return FALSE;
}

static void
test_directory (const char *dir, Tests *tests)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *name    = g_path_get_basename (dir);
  double worst             = 0;

  const gboolean ok = run_directory (dir, tests, &worst, &error);
  if (tests->stopped)
    return;
  if (ok)
    {
      tests->n_passed++;
      if (!tests->quiet)
        printf ("PASS %s (largest error %.3g of the tolerance)\n", name, worst);
    }
  else if (g_error_matches (error, KETTE_ERROR, KETTE_ERROR_CANCEL)
           || g_error_matches (error, KETTE_ERROR, KETTE_ERROR_TIMEOUT))
    tests->stopped = g_steal_pointer (&error);
  else if (g_error_matches (error, KETTE_ERROR, KETTE_ERROR_UNSUPPORTED))
    {
      tests->n_unsupported++;
      if (!tests->quiet)
        printf ("UNSUPPORTED %s: %s\n", name, error->message);
    }
  else
    {
      tests->n_failed++;
      printf ("FAIL %s: %s\n", name, error ? error->message : "?");
    }
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* DIR itself, or every directory below it that holds a model.onnx. */
static gboolean
test_tree (const char *root, Tests *tests)
{
  g_autoptr (GPtrArray) pending = g_ptr_array_new_with_free_func (g_free);
  gboolean found                = FALSE;

  g_ptr_array_add (pending, g_strdup (root));
  while (pending->len && !tests->stopped
         && !ferror (stdout)) /* a reader that went away ends it */
    {
      g_autofree char *dir        = g_ptr_array_steal_index (pending, pending->len - 1);
      g_autofree char *model      = g_build_filename (dir, "model.onnx", NULL);
      g_autoptr (GPtrArray) below = g_ptr_array_new ();
      GDir *entries;
      if (g_file_test (model, G_FILE_TEST_EXISTS))
        {
          test_directory (dir, tests);
          found = TRUE;
          continue;
        }
      if (!(entries = g_dir_open (dir, 0, NULL)))
        continue;
      for (const char *name; (name = g_dir_read_name (entries));)
        {
          char *path = g_build_filename (dir, name, NULL);
          if (g_file_test (path, G_FILE_TEST_IS_DIR)
              && !g_file_test (path, G_FILE_TEST_IS_SYMLINK))
            g_ptr_array_add (below, path);
          else
            g_free (path);
        }
      g_dir_close (entries);
      g_ptr_array_sort (below, compare_names);
      for (guint i = below->len; i-- > 0;)
        g_ptr_array_add (pending, g_ptr_array_index (below, i));
    }
  return found;
}

static int
run_all (int argc, char **argv, Tests *tests)
{
  for (int i = 1; i < argc && !tests->stopped; i++)
    if (!test_tree (argv[i], tests))
      return kette_tool_usage ("%s: holds no model.onnx, nor does any directory below",
                               argv[i]);
  printf ("%u passed, %u failed, %u unsupported\n", tests->n_passed, tests->n_failed,
          tests->n_unsupported);
  if (tests->stopped)
    {
      g_autoptr (GError) error = tests->stopped;
      return kette_tool_fail (error);
    }
  return tests->n_failed ? KETTE_EXIT_FAULTS : 0;
}

int
kette_verb_test (int argc, char **argv)
{
  Tests tests                  = { .rtol = 1e-3, .atol = 1e-7 };
  int threads                  = 0, status;
  const GOptionEntry entries[] = {
    { "rtol", 0, 0, G_OPTION_ARG_DOUBLE, &tests.rtol, "relative tolerance (1e-3)", "R" },
    { "atol", 0, 0, G_OPTION_ARG_DOUBLE, &tests.atol, "absolute tolerance (1e-7)", "A" },
    { "no-native", 0, 0, G_OPTION_ARG_NONE, &tests.no_native,
      "operators that have a body run as their body", NULL },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &tests.quiet, "print failures only", NULL },
    { "no-fusion", 0, 0, G_OPTION_ARG_NONE, &tests.no_fusion,
      "run each node on its own; the same bits, slower", NULL },
    { "device", 0, 0, G_OPTION_ARG_STRING, &tests.device,
      "where: cpu, auto, or what kette ops --devices lists, such as cuda, cuda:1", "D" },
    { "place", 0, 0, G_OPTION_ARG_STRING_ARRAY, &tests.place,
      "nodes whose name or operator fits go there; the first rule that fits counts",
      "GLOB=D" },
    { "threads", 0, 0, G_OPTION_ARG_INT, &threads, "threads", "N" },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };

  if (!kette_tool_parse (&argc, &argv, entries, "DIR...",
                         "Runs ONNX backend tests: directories with model.onnx and "
                         "test_data_set_N/.",
                         "  kette test node/test_relu\n  kette test -q node simple\n"
                         "  kette test --device cuda node\n",
                         &status))
    return status;
  if (argc < 2)
    return kette_tool_usage ("test needs a DIR");
  if (!(tests.rtol >= 0) || !(tests.atol >= 0) || threads < 0 || threads > 256)
    return kette_tool_usage ("a number is out of range");
  kette_set_threads (threads);
  status = run_all (argc, argv, &tests);
  g_free (tests.device);
  g_strfreev (tests.place);
  return status;
}
