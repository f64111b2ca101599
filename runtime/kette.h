/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.h: all of libkette's public interface.
 *
 * Kette runs, trains and draws neural networks. A network is a graph: its nodes apply
 * operators (MatMul, Sigmoid, ...) to values (tensors), and an ONNX file holds it. Five types
 * are all there is to know:
 *
 *   KetteTensor    numbers with an element type and a shape
 *   KetteGraph     a model: nodes, parameters, named inputs and outputs
 *   KettePlugins   where operators come from: modules opened at run time, ours included
 *   KetteSession   a graph made ready to run: checked, simplified, planned
 *   KetteTrainer   a graph in training: loss, gradients and optimizer are nodes like all others
 *
 * A file is read with kette_graph_load(), and whatever its bytes are, the result is a graph
 * or an error. kette_session_new() looks at all operators and shapes once and lays out the
 * memory; kette_session_run() then only computes, from several threads if you like, and with
 * the same bits for any number of them. kette_trainer_new() adds the training step to a graph,
 * kette_trainer_epoch() goes once through the samples, kette_trainer_save() writes a file that
 * any ONNX program runs and that Kette can go on training. kette_graph_draw() makes a picture
 * of a graph, forward or backward.
 *
 * The rules are GLib's. What you got with (transfer full) is yours: unref it, or let
 * g_autoptr do it. Every function that can fail has a GError as its last parameter, returns
 * FALSE or NULL then, and its text names file, code and place in one line:
 * `model.onnx: shape: node "n0" (MatMul): [2,3] x [4,5]: 3 and 4 differ`. Nothing that a file,
 * a tensor or a plugin holds makes the library abort.
 *
 * Which digit is that? The program examples/classify.c, whole:
 *
 *   #include <kette.h>
 *
 *   int
 *   main (int argc, char **argv)
 *   {
 *     g_autoptr (GError) error         = NULL;
 *     g_autoptr (KetteGraph) model     = kette_graph_load (argc > 1 ? argv[1] : "", &error);
 *     g_autoptr (KetteSession) session = model ? kette_session_new (model, &error) : NULL;
 *     g_autoptr (KetteTensor) x
 *         = session ? kette_tensor_load (argc > 2 ? argv[2] : "", &error) : NULL;
 *     g_autoptr (KetteTensor) y = NULL;
 *
 *     if (!x || !kette_session_run (session, &x, &y, NULL, &error))
 *       return g_printerr ("%s\n", error->message), 1;
 *     g_autofree char *text = kette_tensor_to_string (y, 0);
 *     g_print ("%s\n", text);
 *     return 0;
 *   }
 *
 *   cc classify.c $(pkg-config --cflags --libs kette)
 */
#pragma once
#include "base/compare.h"
#include "base/deadline.h"
#include "base/guard.h"
#include "base/kette-base.h"
#include "base/limits.h"
#include "base/tensor.h"
#include "draw/draw.h"
#include "exec/diff.h"
#include "exec/session.h"
#include "exec/transform.h"
#include "graph/graph.h"
#include "io/io.h"
#include "op/plugins.h"
#include "train/input.h"
#include "train/trainer.h"
