/* SPDX-License-Identifier: Apache-2.0
 *
 * SoftmaxCrossEntropyLoss: -q_i ln softmax (x_i)[label_i], q the label's weight, each or their
 * sum or that over the sum of q; the second output is the log-softmax.  Source: ONNX
 * SoftmaxCrossEntropyLoss-13.
 */
#include "emit.h"
#include "label-loss.h"

static kt_status
cross_entropy_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);

  (void) user;
  KT_TRY (kt_labels_check (host, infer, 0));
  KT_TRY (kt_labels_set_loss (host, infer, 0));
  return x.kind ? host->out_type (infer, 1, &x) : KT_OK;
}

/* dE/dx = (softmax (x) - onehot) q dE/dloss, over the sum of q for a mean, in one kernel:
 * kette.SoftmaxCrossEntropyGrad; the gradient of the second output is added. */
static kt_status
cross_entropy_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value de = host->g_seed (g, 0), dlog = host->g_seed (g, 1);
  const kt_value log_prob = host->g_out (g, 1);
  const kt_attr axis      = { .name = "axis", .kind = KT_A_INT, .i = 1 };
  kt_attr attrs[2];

  (void) user;
  if (host->g_wanted (g, 2))
    return kt_fail (host, g, KT_E_UNSUPPORTED, "no gradient by the weights of classes");
  if (!host->g_wanted (g, 0))
    return KT_OK;
  if (de)
    {
      const kt_value in[] = { de, log_prob, host->g_in (g, 1), host->g_in (g, 2) };
      const int32_t n_in  = in[3] ? 4 : 3;
      KT_TRY (host->g_set (g, 0,
                           kt_own (host, g, "SoftmaxCrossEntropyGrad", in, n_in, attrs,
                                   kt_labels_attrs (host, g, attrs))));
    }
  if (!dlog)
    return KT_OK;

  const kt_value in[] = { dlog, log_prob };
  return host->g_set (g, 0, kt_own (host, g, "LogSoftmaxGrad", in, 2, &axis, 1));
}

static kt_status
cross_entropy_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_attr axis      = { .name = "axis", .kind = KT_A_INT, .i = 1 };
  const kt_value x        = host->g_in (g, 0);
  const kt_value log_prob = kt_node (host, g, "LogSoftmax", &x, 1, &axis, 1);
  const kt_hot hot        = kt_labels_hot (host, g, 0);

  (void) user;
  KT_TRY (host->g_set (g, 0, kt_labels_loss (host, g, &hot, log_prob)));
  return host->g_wanted (g, 1) ? host->g_set (g, 1, log_prob) : KT_OK;
}

static const kt_kernel cross_entropy_kernel[]
    = { { KT_KERNEL, .types = "T=f32|f64", .flags = KT_CPU_FLAGS,
          .user = (void *) "softmax", .n_alias = 1,
          .alias = &(const kt_alias){ 0, 1, 0, 0 }, .prepare = kt_label_loss_prepare,
          .run = kt_label_loss_run },
        { 0 } };

const kt_operator kette_op_softmax_cross_entropy_loss = {
  .op     = { KT_OP ("SoftmaxCrossEntropyLoss", 12), .flags = KT_OP_PURE,
              .infer = cross_entropy_infer, .gradient = cross_entropy_gradient,
              .body = cross_entropy_body },
  .kernel = cross_entropy_kernel,
};
