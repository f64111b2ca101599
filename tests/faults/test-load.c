/* SPDX-License-Identifier: Apache-2.0
 * Every file call fails once, and from it on for ever, while models, external data and tensors
 * are read: the file is there as ever, or the text names it and the reason; no descriptor and
 * no memory is kept.
 */
#include "../train/networks.h"
#include "base/faults.h"
#include "base/pool.h"
#include "io/io-private.h"
#include "models.h"
#include "op/plugins.h"
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#if KETTE_FAULTS

static GPtrArray *models;
static guint attempts;

static gboolean
load (const char *file, GError **error)
{
  KetteGraph *loaded;

  if (!g_str_has_suffix (file, ".onnx"))
    {
      KetteTensor *t = kette_tensor_load (file, error);

      kette_tensor_unref (t);
      return t != NULL;
    }
  loaded = kette_graph_load (file, error);
  if (loaded)
    kette_graph_unref (loaded);
  return loaded != NULL;
}

static void
try_load (const char *file, guint64 n, gboolean forever, gsize e)
{
  g_autofree char *fault   = g_strdup_printf ("io:%" G_GUINT64_FORMAT "%s:%s", n,
                                            forever ? "+" : "", fault_errors[e].name);
  g_autofree char *base    = g_path_get_basename (file);
  const guint open         = fault_descriptors ();
  const gsize used         = _kette_account_process ()->used;
  g_autoptr (GError) error = NULL;
  gboolean ok;

  g_assert_true (_kette_faults_set (fault, NULL));
  ok = load (file, &error);
  _kette_faults_set (NULL, NULL);
  attempts++;
  g_assert_true (ok == !error);
  if (!ok
      && (error->domain != KETTE_ERROR || fault_errors[e].number == 0
          || (error->code != KETTE_ERROR_IO && error->code != KETTE_ERROR_PATH)
          || !g_str_has_prefix (error->message, file)))
    g_test_fail_printf ("%s, %s: %s", base, fault, error->message);
  else if (!ok && error->code == KETTE_ERROR_IO
           && !strstr (error->message, g_strerror (fault_errors[e].number)))
    g_test_fail_printf ("%s, %s: without the reason: %s", base, fault, error->message);
  if (fault_descriptors () != open)
    g_test_fail_printf ("%s, %s: %u descriptors, before %u", base, fault,
                        fault_descriptors (), open);
  if (_kette_account_process ()->used != used)
    g_test_fail_printf ("%s, %s: memory is kept", base, fault);
  g_assert_true (load (file, NULL));
}

static void
test_load (void)
{
  const int sizes[]               = { 700, 500 };
  g_autoptr (KetteGraph) big      = network_new (KT_F32, sizes, 1, NULL);
  g_autofree char *files[4]       = { NULL };
  g_autoptr (KetteTensor) numbers = network_rows (KT_F32, 20, 10, 3);
  guint64 all                     = 0;

  attempts = 0;
  for (guint i = 0; i < models->len; i++)
    if (((FaultModel *) models->pdata[i])->external)
      files[0] = g_strdup (((FaultModel *) models->pdata[i])->file);
  files[1] = g_build_filename (fault_folder (), "big.onnx", NULL);
  files[2] = g_build_filename (fault_folder (), "rows.npy", NULL);
  files[3] = g_build_filename (fault_folder (), "rows.pb", NULL);
  g_assert_true (kette_graph_save (big, files[1], NULL));
  g_assert_true (kette_tensor_save (numbers, files[2], NULL));
  g_assert_true (kette_tensor_save (numbers, files[3], NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      guint64 calls;

      _kette_faults_set (NULL, NULL);
      g_assert_true (load (files[i], NULL));
      calls = _kette_faults_count (KETTE_FAULT_IO);
      all += calls;
      for (guint64 n = 1; n <= calls; n++)
        for (gsize e = 0; e < FAULT_ERRORS; e++)
          {
            try_load (files[i], n, FALSE, e);
            if (fault_errors[e].can_last)
              try_load (files[i], n, TRUE, e);
          }
    }
  g_test_message ("%" G_GUINT64_FORMAT " calls, %u faults", all, attempts);
  for (gsize i = 1; i < G_N_ELEMENTS (files); i++)
    {
      g_unlink (files[i]);
      g_free (files[i]);
      files[i] = NULL;
    }
  g_free (files[0]);
  files[0] = NULL;
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  _kette_pool_set_threads (1);
  kette_plugins_get (NULL);
  models = fault_models ();
  g_test_set_nonfatal_assertions ();
  g_test_add_func ("/faults/load/calls", test_load);
  status = g_test_run ();
  fault_models_free (models);
  return status;
}

#else

int
main (void)
{
  puts ("1..0 # SKIP built without -Dfaults=true");
  return 0;
}
#endif
