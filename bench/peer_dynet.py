# SPDX-License-Identifier: Apache-2.0
"""DyNet's training step, for the driver: peer_dynet.py MODEL X.npy T.npy LOSS RATE BATCH

Dense networks; one thread (DyNet has no more). A batch is one expression, its samples are
DyNet's own batch dimension. Clipping, which DyNet does unasked, is off.
"""
import sys

import dynet_config

dynet_config.set(mem=512, random_seed=1)
import dynet as dy  # noqa: E402
import numpy as np  # noqa: E402

import serve  # noqa: E402


def main():
    model, x_file, t_file, loss_name, rate, batch = sys.argv[1:7]
    n = int(batch)
    collection, layers = dy.ParameterCollection(), []
    for op, attributes, weights in serve.read_network(model):
        if op in ("Gemm", "MatMul"):
            w = weights[0] if attributes.get("transB") else weights[0].T
            layers.append([collection.add_parameters(w.shape, init=np.ascontiguousarray(w)), None, None])
            if len(weights) > 1:
                layers[-1][1] = collection.add_parameters(weights[1].shape, init=weights[1])
        elif op == "Add":
            layers[-1][1] = collection.add_parameters(weights[0].shape, init=weights[0])
        elif op != "Flatten":
            layers[-1][2] = {"Relu": dy.rectify, "Sigmoid": dy.logistic}[op]
    trainer = dy.SimpleSGDTrainer(collection, learning_rate=float(rate))
    trainer.set_clip_threshold(0)
    x, t = np.load(x_file), np.load(t_file)
    # The batch is DyNet's last, slowest dimension: rows of samples are columns there.
    batches = [(np.ascontiguousarray(x[i:i + n].reshape(n, -1)).T,
                t[i:i + n].tolist() if t.ndim == 1 else np.ascontiguousarray(t[i:i + n]).T)
               for i in range(0, len(x) - n + 1, n)]

    def step(i):
        a, b = batches[i % len(batches)]
        dy.renew_cg()
        h = dy.inputTensor(a, batched=True)
        for w, bias, activation in layers:
            h = dy.affine_transform([bias, w, h])
            h = activation(h) if activation else h
        if loss_name == "cross-entropy":
            loss = dy.sum_batches(dy.pickneglogsoftmax_batch(h, b)) / n
        else:
            loss = dy.sum_batches(dy.squared_distance(h, dy.inputTensor(b, batched=True))) * (0.5 / n)
        loss.forward()
        loss.backward()
        trainer.update()
        return loss

    curve = [step(0).value()]

    def check():
        curve.extend(step(i).value() for i in range(1, serve.CURVE))
        return np.array(curve, np.float32)

    serve.serve({"dynet": lambda i: step(i + serve.CURVE)}, check, "2.2 (dynet38)")


main()
