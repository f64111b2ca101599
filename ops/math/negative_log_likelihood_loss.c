/* SPDX-License-Identifier: Apache-2.0
 *
 * NegativeLogLikelihoodLoss: -q_i x_i[label_i], q the label's weight, each or their sum or that
 * over the sum of q.  Source: ONNX NegativeLogLikelihoodLoss-13.
 */
#include "emit.h"
#include "label-loss.h"

static kt_status
likelihood_infer (const kt_host *host, kt_infer *infer, void *user)
{
  (void) user;
  KT_TRY (kt_labels_check (host, infer, 0));
  return kt_labels_set_loss (host, infer, 0);
}

/* dE/dx = -onehot q dE/dloss, over the sum of q for a mean. */
static kt_status
likelihood_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0);

  (void) user;
  if (host->g_wanted (g, 2))
    return kt_fail (host, g, KT_E_UNSUPPORTED, "no gradient by the weights of classes");

  const kt_hot hot    = kt_labels_hot (host, g, 0);
  const kt_value seed = kt_labels_seed (host, g, hot.weight, host->g_seed (g, 0));
  return host->g_set (g, 0,
                      kt_where (host, g, hot.hot, kt_neg (host, g, seed),
                                kt_scalar_like (host, g, x, 0)));
}

static kt_status
likelihood_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_hot hot = kt_labels_hot (host, g, 0);

  (void) user;
  return host->g_set (g, 0, kt_labels_loss (host, g, &hot, host->g_in (g, 0)));
}

static const kt_kernel likelihood_kernel[]
    = { { KT_KERNEL, .types = "T=f32|f64", .flags = KT_CPU_FLAGS,
          .prepare = kt_label_loss_prepare, .run = kt_label_loss_run },
        { 0 } };

const kt_operator kette_op_negative_log_likelihood_loss = {
  .op     = { KT_OP ("NegativeLogLikelihoodLoss", 12), .flags = KT_OP_PURE,
              .infer = likelihood_infer, .gradient = likelihood_gradient,
              .body = likelihood_body },
  .kernel = likelihood_kernel,
};
