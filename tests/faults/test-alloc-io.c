/* SPDX-License-Identifier: Apache-2.0
 * Every allocation is refused while files are read and written: models whose messages were
 * forgotten, data outside of the model, tensors in each format, files that are no model.
 */
#include "../onnx/messages.h"
#include "alloc.h"
#include "exec/transform.h"
#include "graph/sparse.h"
#include "io/io-private.h"
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#if KETTE_FAULTS

/* What the file was made from is forgotten: all of it is written from the graph. */
static gboolean
have_forgotten (Work *w, GError **error)
{
  if (!have_graph (w, error))
    return FALSE;
  messages_forget (w->graph);
  return TRUE;
}

/* As for running: sparse weights are dense, and written again as the file has them. */
static gboolean
have_dense (Work *w, GError **error)
{
  return have_graph (w, error) && _kette_graph_make_dense (w->graph, error);
}

static gboolean
act_bytes (Work *w, GError **error)
{
  GBytes *bytes = _kette_graph_to_bytes (w->graph, error);

  if (!bytes)
    return FALSE;
  set_result (w, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  g_bytes_unref (bytes);
  return TRUE;
}

/* What is written from the graph alone is a model, too. */
static gboolean
act_same (Work *w, GError **error)
{
  KetteGraph *again        = NULL;
  g_autoptr (GBytes) bytes = NULL;

  messages_forget (w->graph);
  bytes = _kette_graph_to_bytes (w->graph, error);
  if (bytes)
    again = kette_graph_load_bytes (bytes, error);
  if (!again)
    return FALSE;
  kette_graph_unref (again);
  set_result (w, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  return TRUE;
}

static gboolean
save (Work *w, KetteSaveFlags flags, GError **error)
{
  const KetteSaveOptions options = { .size = sizeof options, .flags = flags };
  gboolean ok;

  w->out = w->out ? w->out : g_build_filename (fault_folder (), "again.onnx", NULL);
  ok     = kette_graph_save_full (w->graph, w->out, &options, error);
  set_result_file (w, ok);
  return ok;
}

static gboolean
act_outside (Work *w, GError **error)
{
  return save (w, KETTE_SAVE_EXTERNAL_DATA, error);
}

static gboolean
act_checksums (Work *w, GError **error)
{
  return save (w, KETTE_SAVE_CHECKSUMS | KETTE_SAVE_KEEP_OLD, error);
}

static gboolean
act_load (Work *w, GError **error)
{
  KetteGraph *graph = kette_graph_load_bytes (w->model->bytes, error);

  if (graph)
    kette_graph_unref (graph);
  return graph != NULL;
}

static gboolean
act_open (Work *w, GError **error)
{
  KetteGraph *graph = kette_graph_load (w->model->file, error);

  if (graph)
    kette_graph_unref (graph);
  return graph != NULL;
}

/* Half of a file: what is wrong with it, and what it might be instead. */
static gboolean
act_damaged (Work *w, GError **error)
{
  gsize n;
  const char *data        = g_bytes_get_data (w->model->bytes, &n);
  g_autoptr (GBytes) half = g_bytes_new_static (data, n / 2);
  KetteGraph *graph       = kette_graph_load_bytes (half, error);

  if (graph)
    kette_graph_unref (graph);
  return graph != NULL;
}

/* Another opset: functions and nodes are written anew, though there is a file. */
static gboolean
act_raised (Work *w, GError **error)
{
  return kette_graph_raise_opset (w->graph, 18, error) && act_bytes (w, error);
}

/* -- tensors ------------------------------------------------------------------------------ */

/* One model stands for all: its input is what is saved. */
static gboolean
is_chain (const FaultModel *model)
{
  return strcmp (model->name, "chain") == 0;
}

static gboolean
have_tensor (Work *w, GError **error)
{
  return have_graph (w, error) && have_inputs (w, 2);
}

static gboolean
act_tensor (Work *w, const char *name, GError **error)
{
  KetteTensor *again;

  w->out = w->out ? w->out : g_build_filename (fault_folder (), name, NULL);
  if (!kette_tensor_save (w->inputs[0], w->out, error))
    return FALSE;
  again = kette_tensor_load (w->out, error);
  if (again)
    set_result (w, again->data, again->bytes);
  kette_tensor_unref (again);
  return again != NULL;
}

static gboolean
act_npy (Work *w, GError **error)
{
  return act_tensor (w, "t.npy", error);
}

static gboolean
act_pb (Work *w, GError **error)
{
  return act_tensor (w, "t.pb", error);
}

/* Large enough that it is unpacked in two steps. */
static gboolean
have_idx (Work *w, GError **error)
{
  guint8 data[4 + 4 + 400] = { 0, 0, 8, 1, 0, 0, 1, 0x90 };
  char packed[1024];
  gsize n_read, n = sizeof data;
  g_autoptr (GZlibCompressor) gz
      = g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP, -1);

  w->out = g_build_filename (fault_folder (), "t.idx", NULL);
  g_assert_cmpint (g_converter_convert (G_CONVERTER (gz), data, n, packed, sizeof packed,
                                        G_CONVERTER_INPUT_AT_END, &n_read, &n, NULL),
                   ==, G_CONVERTER_FINISHED);
  return g_file_set_contents (w->out, packed, (gssize) n, error);
}

static gboolean
act_idx (Work *w, GError **error)
{
  KetteTensor *t = kette_tensor_load (w->out, error);

  if (t)
    set_result (w, t->data, t->bytes);
  kette_tensor_unref (t);
  return t != NULL;
}

static const Stage stages[] = {
  { "load", NULL, NULL, act_load, .quick = TRUE },
  { "open", NULL, NULL, act_open, .quick = TRUE },
  { "damaged", NULL, NULL, act_damaged, .quick = TRUE },
  { "bytes", NULL, have_graph, act_bytes, .quick = TRUE },
  { "dense", NULL, have_dense, act_bytes, .quick = TRUE },
  { "forgotten", NULL, have_forgotten, act_bytes, .quick = TRUE },
  { "forgotten-loads", NULL, have_graph, act_same },
  { "raised", NULL, have_graph, act_raised, .fresh = TRUE, .quick = TRUE },
  { "outside", NULL, have_graph, act_outside },
  { "forgotten-outside", NULL, have_forgotten, act_outside },
  { "checksums", NULL, have_graph, act_checksums },
  { "npy", is_chain, have_tensor, act_npy },
  { "pb", is_chain, have_tensor, act_pb },
  { "idx", is_chain, have_idx, act_idx },
};

int
main (int argc, char **argv)
{
  return stages_main (argc, argv, stages, G_N_ELEMENTS (stages));
}

#else

int
main (void)
{
  puts ("1..0 # SKIP built without -Dfaults=true");
  return 0;
}
#endif
