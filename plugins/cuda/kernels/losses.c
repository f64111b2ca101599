/* SPDX-License-Identifier: Apache-2.0
 *
 * losses.c: losses, their gradients and optimizers on the GPU: shapes and attributes, as the
 * CPU's code reads them, for losses.cu and updates.cu.
 */
#include "kernels.h"
#include "labels.h"
#include "loss.h"

#define BLOCK 4096
#define GROUP 64

/* HalfSSE ---------------------------------------------------------------------------------- */

/* USER: NULL for the loss, else the gradient, which has dE before the prediction. */
static kt_status
half_sse_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const int32_t first = user ? 1 : 0;
  kt_half_sse_params *p;

  KT_TRY (host->keep (prep, sizeof *p, state));
  p       = *state;
  p->wide = kt_in_type (host, prep, first).dtype == KT_F64;
  kt_loss_sizes (host, prep, first, &p->n, &p->batch);
  p->blocks = (p->n + BLOCK - 1) / BLOCK;
  return user ? KT_OK
              : host->want_workspace (prep,
                                      ((size_t) p->blocks + 1) * sizeof *p->partials, 0);
}

static kt_status
half_sse_run (const kt_host *host, kt_run *run, void *state)
{
  kt_half_sse_params p = *(const kt_half_sse_params *) state;

  p.y        = run->in[0].data;
  p.t        = run->in[1].data;
  p.out      = run->out[0].data;
  p.partials = host->workspace (run, -1, NULL);
  kt_half_sse_launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, "HalfSSE");
}

static kt_status
half_sse_grad_run (const kt_host *host, kt_run *run, void *state)
{
  kt_half_sse_params p = *(const kt_half_sse_params *) state;

  if (p.n == 0)
    return KT_OK;
  p.de  = run->in[0].data;
  p.y   = run->in[1].data;
  p.t   = run->in[2].data;
  p.out = run->out[0].data;
  kt_half_sse_grad_launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, "HalfSSEGrad");
}

/* Labels ----------------------------------------------------------------------------------- */

typedef struct
{
  kt_label_params p;
  kt_fault_text text;
} LabelState;

static kt_status
labels_prepare (const kt_host *host, kt_prep *prep, int32_t first, kt_label_params **out,
                void **state)
{
  kt_label_params *p;
  kt_labels l = { 0 };

  KT_TRY (kt_labels_read (host, prep, first, &l));
  if (l.count > 0 && l.classes == 0)
    return KT_GPU_LEAVE ("there are labels, but no classes");
  KT_TRY (host->keep (prep, sizeof (LabelState), state));

  kt_fault_text *const text = &((LabelState *) *state)->text;
  text->which[0]            = "label % at position @ is not in <..>";
  text->high                = l.classes - 1;

  p              = &((LabelState *) *state)->p;
  p->count       = l.count;
  p->classes     = l.classes;
  p->inner       = l.inner;
  p->ignore      = l.ignore;
  p->has_ignore  = l.has_ignore;
  p->wide        = l.wide;
  p->wide_labels = l.wide_labels;
  p->mean        = l.reduction == KT_MEAN;
  p->sum         = l.reduction == KT_SUM;
  p->batch       = l.inner ? l.count / l.inner : 0;

  p->groups_per_entry = (l.inner + GROUP - 1) / GROUP;
  p->groups
      = l.inner == 1 ? (l.count + GROUP - 1) / GROUP : p->batch * p->groups_per_entry;
  *out = p;
  return kt_gpu_fault_new (host, prep, text, &p->fault);
}

static kt_status
label_loss_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  kt_label_params *p = NULL;

  KT_TRY (labels_prepare (host, prep, 0, &p, state));
  p->soft = user != NULL;
  return host->want_workspace (
      prep, (size_t) (p->count + p->groups + 1) * 2 * sizeof (double), 0);
}

static kt_status
label_grad_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  kt_label_params *p = NULL;

  (void) user;
  KT_TRY (labels_prepare (host, prep, 1, &p, state));
  return host->want_workspace (prep, sizeof (double), 0);
}

static void
labels_destroy (void *state)
{
  kt_gpu_fault_free (((const LabelState *) state)->p.fault);
}

/* Operand I, or NULL. */
static void *
given (const kt_tensor *t, int32_t n, int32_t i)
{
  return i < n && t[i].device_type != 0 ? t[i].data : NULL;
}

static kt_status
label_loss_run (const kt_host *host, kt_run *run, void *state)
{
  kt_label_params p = ((const LabelState *) state)->p;

  p.x        = run->in[0].data;
  p.labels   = run->in[1].data;
  p.weights  = given (run->in, run->n_in, 2);
  p.loss     = run->out[0].data;
  p.log_prob = given (run->out, run->n_out, 1);
  p.each     = host->workspace (run, -1, NULL);
  p.weight   = p.each + p.count + p.groups + 1;
  kt_label_loss_launch (&p, kt_gpu_stream (host, run));
  KT_TRY (kt_gpu_launched (host, run, "the loss of labels"));
  return kt_gpu_fault_check (host, run, p.fault, &run->in[1]);
}

static kt_status
label_grad_run (const kt_host *host, kt_run *run, void *state)
{
  kt_label_params p = ((const LabelState *) state)->p;

  p.de      = run->in[0].data;
  p.x       = run->in[1].data;
  p.labels  = run->in[2].data;
  p.weights = given (run->in, run->n_in, 3);
  p.dx      = run->out[0].data;
  p.weight  = host->workspace (run, -1, NULL);
  kt_label_grad_launch (&p, kt_gpu_stream (host, run));
  KT_TRY (kt_gpu_launched (host, run, "SoftmaxCrossEntropyGrad"));
  return kt_gpu_fault_check (host, run, p.fault, &run->in[2]);
}

/* Optimizers -------------------------------------------------------------------------------- */

typedef struct
{
  const char *name;
  kt_update_launch *launch;
  int32_t n_states;
  const char *attrs[8]; /* FLOATs, to c[1] and on */
  const double absent[8];
} Rule;

typedef struct
{
  const Rule *rule;
  int32_t n;
  kt_update_params p;
} UpdateState;

static kt_status
update_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const Rule *const rule = user;
  int32_t n_in, n_out;

  KT_TRY (host->arity (prep, &n_in, &n_out, NULL));
  KT_TRY (host->keep (prep, sizeof (UpdateState), state));

  UpdateState *const s = *state;
  s->rule              = rule;
  s->n                 = (n_in - 2) / (2 + rule->n_states);
  if (s->n < 1 || (n_in - 2) % (2 + rule->n_states)
      || n_out != s->n * (1 + rule->n_states))
    return KT_GPU_LEAVE ("operands are missing");
  for (int32_t i = 0; i < n_out; i++)
    if (kt_out_type (host, prep, i).kind == 0)
      return KT_GPU_LEAVE ("an output is left out");
  s->p.wide_rate = kt_in_type (host, prep, 0).dtype == KT_F64;
  for (int32_t k = 1; k < 8; k++)
    if (rule->attrs[k])
      s->p.c[k] = kt_attr_float (host, prep, rule->attrs[k], rule->absent[k]);
  if (rule->launch == kt_momentum_launch)
    s->p.c[4] = kt_attr_is (host, prep, "mode", "nesterov");
  return KT_OK;
}

/* Aliases count operands, which stand elsewhere when there are more parameters than one. */
static kt_status
update_prepare_one (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  KT_TRY (update_prepare (host, prep, user, state));
  return ((const UpdateState *) *state)->n == 1
             ? KT_OK
             : KT_GPU_LEAVE ("more than one parameter");
}

static kt_status
update_run (const kt_host *host, kt_run *run, void *state)
{
  const UpdateState *const s = state;
  void *const stream         = kt_gpu_stream (host, run);
  kt_update_params p         = s->p;

  p.rate  = run->in[0].data;
  p.count = run->in[1].data;
  for (int32_t i = 0; i < s->n; i++)
    {
      const kt_tensor *const x = &run->in[2 + i];
      p.n                      = kt_count (x->shape, x->ndim);
      p.wide                   = x->bits == 64;
      p.x                      = x->data;
      p.g                      = run->in[2 + s->n + i].data;
      p.new_x                  = run->out[i].data;
      for (int32_t k = 0; k < s->rule->n_states; k++)
        {
          p.state[k]     = run->in[2 + (2 + k) * s->n + i].data;
          p.new_state[k] = run->out[(1 + k) * s->n + i].data;
        }
      if (p.n > 0)
        s->rule->launch (&p, stream);
    }
  return kt_gpu_launched (host, run, s->rule->name);
}

static kt_status
sgd_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 1);
  kt_update_params *p;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *p, state));
  p       = *state;
  p->n    = kt_count (x.dims, x.ndim);
  p->wide = p->wide_rate = x.dtype == KT_F64;
  return KT_OK;
}

static kt_status
sgd_run (const kt_host *host, kt_run *run, void *state)
{
  kt_update_params p = *(const kt_update_params *) state;

  if (p.n == 0)
    return KT_OK;
  p.rate  = run->in[0].data;
  p.x     = run->in[1].data;
  p.g     = run->in[2].data;
  p.new_x = run->out[0].data;
  kt_sgd_launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, "SGD");
}

/* The table ------------------------------------------------------------------------------- */

static const Rule momentum = {
  "Momentum", kt_momentum_launch, 1, { NULL, "alpha", "beta", "norm_coefficient" }, { 0 }
};
static const Rule adagrad = { "Adagrad",
                              kt_adagrad_launch,
                              1,
                              { NULL, "decay_factor", "epsilon", "norm_coefficient" },
                              { 0, 0, 1e-6, 0 } };
static const Rule adam
    = { "Adam",
        kt_adam_launch,
        2,
        { NULL, "alpha", "beta", "epsilon", "norm_coefficient", "norm_coefficient_post" },
        { 0, 0.9, 0.999, 1e-6, 0, 0 } };

#define TRAINING "ai.onnx.preview.training"
#define FLOATS "T=f32|f64"
#define IN_PLACE(...)                                                                    \
  .n_alias = sizeof ((const kt_alias[]){ __VA_ARGS__ }) / sizeof (kt_alias),             \
  .alias   = (const kt_alias[])                                                          \
  {                                                                                      \
    __VA_ARGS__                                                                          \
  }
#define OPTIMIZER(NAME, RULE, ...)                                                       \
  { KT_GPU (TRAINING, NAME, 1), .user = (void *) &RULE,        .priority = 1,            \
    IN_PLACE (__VA_ARGS__),     .prepare = update_prepare_one, .run = update_run },      \
  {                                                                                      \
    KT_GPU (TRAINING, NAME, 1), .user = (void *) &RULE, .prepare = update_prepare,       \
                                .run = update_run                                        \
  }

const kt_kernel cu_loss_kernels[] = {
  { KT_GPU ("kette", "HalfSSE", 1), .types = FLOATS, .prepare = half_sse_prepare,
    .run = half_sse_run },
  { KT_GPU ("kette", "HalfSSEGrad", 1), .types = FLOATS, .user = (void *) "gradient",
    IN_PLACE ({ 1, 0, 0, 0 }, { 2, 0, 0, 0 }), .prepare = half_sse_prepare,
    .run = half_sse_grad_run },
  { KT_GPU ("", "SoftmaxCrossEntropyLoss", 12), .types = FLOATS,
    .user = (void *) "softmax", IN_PLACE ({ 0, 1, 0, 0 }), .prepare = label_loss_prepare,
    .run = label_loss_run, .destroy = labels_destroy },
  { KT_GPU ("", "NegativeLogLikelihoodLoss", 12), .types = FLOATS,
    .prepare = label_loss_prepare, .run = label_loss_run, .destroy = labels_destroy },
  { KT_GPU ("kette", "SoftmaxCrossEntropyGrad", 1), .types = FLOATS,
    IN_PLACE ({ 1, 0, 0, 0 }), .prepare = label_grad_prepare, .run = label_grad_run,
    .destroy = labels_destroy },
  { KT_GPU ("kette", "SGD", 1), .types                  = FLOATS,
    IN_PLACE ({ 1, 0, 0, 0 }, { 2, 0, 0, 0 }), .prepare = sgd_prepare, .run = sgd_run },
  OPTIMIZER ("Momentum", momentum, { 2, 0, 0, 0 }, { 4, 1, 0, 0 }),
  OPTIMIZER ("Adagrad", adagrad, { 2, 0, 0, 0 }, { 4, 1, 0, 0 }),
  OPTIMIZER ("Adam", adam, { 2, 0, 0, 0 }, { 4, 1, 0, 0 }, { 5, 2, 0, 0 }),
  { 0 },
};
