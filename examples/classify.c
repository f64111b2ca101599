/* SPDX-License-Identifier: Apache-2.0
 * What does the model MODEL.onnx say about the samples of X.npy? classify MODEL.onnx X.npy
 */
#include <kette.h>

int
main (int argc, char **argv)
{
  g_autoptr (GError) error         = NULL;
  g_autoptr (KetteGraph) model     = kette_graph_load (argc > 1 ? argv[1] : "", &error);
  g_autoptr (KetteSession) session = model ? kette_session_new (model, &error) : NULL;
  g_autoptr (KetteTensor) x
      = session ? kette_tensor_load (argc > 2 ? argv[2] : "", &error) : NULL;
  g_autoptr (KetteTensor) y = NULL;

  if (!x || !kette_session_run (session, &x, &y, NULL, &error))
    return g_printerr ("%s\n", error->message), 1;
  g_autofree char *text = kette_tensor_to_string (y, 0);
  g_print ("%s\n", text);
  return 0;
}
