/* SPDX-License-Identifier: Apache-2.0
 * The digit network of ../shared/zoo/cnn-mnist8 knows at least 99 % of the 10,000 digits of
 * ../shared/datasets. Its batch is fixed to one, so that each is a run of one session: of the
 * first 2,000, with KETTE_LONG=1 of all.
 */
#include "kette.h"

enum
{
  PIXELS  = 784,
  CLASSES = 10
};

static char *
shared (const char *name)
{
  return g_build_filename (g_getenv ("KETTE_SOURCE"), "..", "shared", name, NULL);
}

static int
largest (const float *row)
{
  int best = 0;

  for (int i = 1; i < CLASSES; i++)
    if (row[i] > row[best])
      best = i;
  return best;
}

static gsize
count_right (KetteSession *session, const KetteTensor *images, const KetteTensor *labels,
             gsize n)
{
  const guint8 *pixels      = kette_tensor_get_data (images);
  const guint8 *label       = kette_tensor_get_data (labels);
  const gint64 dims[]       = { 1, 1, 28, 28 };
  g_autoptr (KetteTensor) x = kette_tensor_new (1, dims, 4, NULL);
  float *in                 = kette_tensor_get_data (x);
  gsize right               = 0;

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (KetteTensor) y = NULL;
      GError *error             = NULL;

      for (int k = 0; k < PIXELS; k++)
        in[k] = pixels[i * PIXELS + (gsize) k];
      if (!kette_session_run (session, &x, &y, NULL, &error))
        g_error ("%s", error->message);
      right += largest (kette_tensor_get_data (y)) == label[i];
    }
  return right;
}

static void
test_digits (void)
{
  g_autofree char *model_file  = shared ("zoo/cnn-mnist8/model.onnx");
  g_autofree char *images_file = shared ("datasets/mnist-10k-images-idx3-ubyte.gz");
  g_autofree char *labels_file = shared ("datasets/mnist-10k-labels-idx1-ubyte.gz");
  g_autoptr (GError) error     = NULL;

  if (!g_file_test (model_file, G_FILE_TEST_EXISTS)
      || !g_file_test (images_file, G_FILE_TEST_EXISTS))
    {
      g_test_skip ("no ../shared beside the checkout");
      return;
    }
  g_autoptr (KetteGraph) graph = kette_graph_load (model_file, &error);
  g_assert_no_error (error);
  g_autoptr (KetteSession) session = kette_session_new (graph, &error);
  g_assert_no_error (error);
  g_autoptr (KetteTensor) images = kette_tensor_load (images_file, &error);
  g_assert_no_error (error);
  g_autoptr (KetteTensor) labels = kette_tensor_load (labels_file, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (kette_tensor_get_count (labels), ==, 10000);

  const gsize n     = g_strcmp0 (g_getenv ("KETTE_LONG"), "1") == 0 ? 10000 : 2000;
  const gsize right = count_right (session, images, labels, n);
  g_test_message ("%zu of %zu digits are right", right, n);
  g_assert_cmpuint (right, >=, n / 100 * 99);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/models/digits", test_digits);
  return g_test_run ();
}
