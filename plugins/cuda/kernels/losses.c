/* SPDX-License-Identifier: Apache-2.0
 *
 * losses.c: losses, their gradients and optimizers on the GPU: shapes and attributes, as the
 * CPU's code reads them, for losses.cu and updates.cu.
 */
#include "kernels.h"
#include "labels.h"
#include "loss.h"
#include "optimizer.h"

#define BLOCK 4096

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
labels_plan (const kt_host *host, const void *ctx, int32_t first, LabelState *s)
{
  kt_fault_text *const text = &s->text;
  kt_label_params *const p  = &s->p;
  kt_labels l               = { 0 };

  KT_TRY (kt_labels_read (host, ctx, first, &l));
  if (l.count > 0 && l.classes == 0)
    return KT_GPU_LEAVE (ctx, "there are labels, but no classes");
  text->which[0] = "label % at position @ is not in <..>";
  text->high     = l.classes - 1;

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

  p->groups_per_entry = (l.inner + KT_LABEL_GROUP - 1) / KT_LABEL_GROUP;
  p->groups           = l.inner == 1 ? (l.count + KT_LABEL_GROUP - 1) / KT_LABEL_GROUP
                                     : p->batch * p->groups_per_entry;
  return KT_OK;
}

/* USER: the scores pass a softmax. */
static kt_status
label_loss_plan (const kt_host *host, const void *ctx, void *user, LabelState *s)
{
  s->p.soft = user != NULL;
  return labels_plan (host, ctx, 0, s);
}

static kt_status
label_grad_plan (const kt_host *host, const void *ctx, void *user, LabelState *s)
{
  (void) user;
  return labels_plan (host, ctx, 1, s);
}

KT_GPU_SUITS (label_loss, LabelState)
KT_GPU_KEEP (label_loss, LabelState)
KT_GPU_SUITS (label_grad, LabelState)
KT_GPU_KEEP (label_grad, LabelState)

static kt_status
label_loss_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  LabelState *s;

  KT_TRY (label_loss_keep (host, prep, user, &s, state));
  KT_TRY (kt_gpu_fault_new (host, prep, &s->text, &s->p.fault));
  return host->want_workspace (
      prep, (size_t) (s->p.count + s->p.groups + 1) * 2 * sizeof (double), 0);
}

static kt_status
label_grad_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  LabelState *s;

  KT_TRY (label_grad_keep (host, prep, user, &s, state));
  KT_TRY (kt_gpu_fault_new (host, prep, &s->text, &s->p.fault));
  return host->want_workspace (prep, sizeof (double), 0);
}

static void
labels_destroy (void *state)
{
  kt_gpu_fault_free (((const LabelState *) state)->p.fault);
}

static kt_status
label_loss_run (const kt_host *host, kt_run *run, void *state)
{
  kt_label_params p = ((const LabelState *) state)->p;

  p.x        = run->in[0].data;
  p.labels   = run->in[1].data;
  p.weights  = kt_gpu_given (run->in, run->n_in, 2);
  p.loss     = run->out[0].data;
  p.log_prob = kt_gpu_given (run->out, run->n_out, 1);
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
  p.weights = kt_gpu_given (run->in, run->n_in, 3);
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
  kt_status (*read) (const kt_host *host, const void *ctx, double c[KT_COEFFICIENTS]);
} Rule;

typedef struct
{
  const Rule *rule;
  int32_t n;
  kt_update_params p;
} UpdateState;

static kt_status
update_plan (const kt_host *host, const void *ctx, void *user, UpdateState *s)
{
  const Rule *const rule = user;

  s->rule        = rule;
  s->p.wide_rate = kt_in_type (host, ctx, 0).dtype == KT_F64;
  KT_TRY (kt_optimizer_count (host, ctx, rule->n_states, &s->n));
  for (int32_t i = 0; i < s->n * (1 + rule->n_states); i++)
    if (kt_out_type (host, ctx, i).kind == 0)
      return KT_GPU_LEAVE (ctx, "an output is left out");
  return rule->read (host, ctx, s->p.c);
}

/* Aliases count operands, which stand elsewhere when there are more parameters than one. */
static kt_status
update_one_plan (const kt_host *host, const void *ctx, void *user, UpdateState *s)
{
  KT_TRY (update_plan (host, ctx, user, s));
  return s->n == 1 ? KT_OK : KT_GPU_LEAVE (ctx, "more than one parameter");
}

KT_GPU_PLANNED (update, UpdateState)
KT_GPU_PLANNED (update_one, UpdateState)

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

static const Rule momentum = { "Momentum", kt_momentum_launch, 1, kt_momentum_read },
                  adagrad  = { "Adagrad", kt_adagrad_launch, 1, kt_adagrad_read },
                  adam     = { "Adam", kt_adam_launch, 2, kt_adam_read };

#define TRAINING "ai.onnx.preview.training"
#define FLOATS "T=f32|f64"
#define IN_PLACE(...)                                                                    \
  .n_alias = sizeof ((const kt_alias[]){ __VA_ARGS__ }) / sizeof (kt_alias),             \
  .alias   = (const kt_alias[])                                                          \
  {                                                                                      \
    __VA_ARGS__                                                                          \
  }
#define OPTIMIZER(NAME, RULE, ...)                                                        \
  { KT_GPU (TRAINING, NAME, 1), .user = (void *) &RULE,    .priority = 1,                 \
    IN_PLACE (__VA_ARGS__),     .suits = update_one_suits, .prepare = update_one_prepare, \
    .run = update_run },                                                                  \
  {                                                                                       \
    KT_GPU (TRAINING, NAME, 1), .user = (void *) &RULE, .suits = update_suits,            \
                                .prepare = update_prepare, .run = update_run              \
  }

const kt_kernel cu_loss_kernels[] = {
  { KT_GPU ("kette", "HalfSSE", 1), .types = FLOATS, .prepare = half_sse_prepare,
    .run = half_sse_run },
  { KT_GPU ("kette", "HalfSSEGrad", 1), .types = FLOATS, .user = (void *) "gradient",
    IN_PLACE ({ 1, 0, 0, 0 }, { 2, 0, 0, 0 }), .prepare = half_sse_prepare,
    .run = half_sse_grad_run },
  { KT_GPU ("", "SoftmaxCrossEntropyLoss", 12), .types = FLOATS,
    .user = (void *) "softmax", IN_PLACE ({ 0, 1, 0, 0 }), .suits = label_loss_suits,
    .prepare = label_loss_prepare, .run = label_loss_run, .destroy = labels_destroy },
  { KT_GPU ("", "NegativeLogLikelihoodLoss", 12), .types = FLOATS,
    .suits = label_loss_suits, .prepare = label_loss_prepare, .run = label_loss_run,
    .destroy = labels_destroy },
  { KT_GPU ("kette", "SoftmaxCrossEntropyGrad", 1), .types = FLOATS,
    IN_PLACE ({ 1, 0, 0, 0 }), .suits = label_grad_suits, .prepare = label_grad_prepare,
    .run = label_grad_run, .destroy = labels_destroy },
  { KT_GPU ("kette", "SGD", 1), .types                  = FLOATS,
    IN_PLACE ({ 1, 0, 0, 0 }, { 2, 0, 0, 0 }), .prepare = sgd_prepare, .run = sgd_run },
  OPTIMIZER ("Momentum", momentum, { 2, 0, 0, 0 }, { 4, 1, 0, 0 }),
  OPTIMIZER ("Adagrad", adagrad, { 2, 0, 0, 0 }, { 4, 1, 0, 0 }),
  OPTIMIZER ("Adam", adam, { 2, 0, 0, 0 }, { 4, 1, 0, 0 }, { 5, 2, 0, 0 }),
  { 0 },
};
