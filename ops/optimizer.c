/* SPDX-License-Identifier: Apache-2.0
 *
 * optimizer.c: attributes and shapes of optimizers, and their walk over parameters: one pass over memory per
 * parameter.
 */
#include "optimizer.h"
#include "loss.h"

#define GRAIN 16384 /* elements in a piece of work */

/* Attributes ---------------------------------------------------------------------------- */

kt_status
kt_momentum_read (const kt_host *host, const void *ctx, double c[KT_COEFFICIENTS])
{
  c[KT_MOMENTUM_ALPHA]    = kt_attr_float (host, ctx, "alpha", 0);
  c[KT_MOMENTUM_BETA]     = kt_attr_float (host, ctx, "beta", 0);
  c[KT_MOMENTUM_NORM]     = kt_attr_float (host, ctx, "norm_coefficient", 0);
  c[KT_MOMENTUM_NESTEROV] = kt_attr_is (host, ctx, "mode", "nesterov");
  if (c[KT_MOMENTUM_NESTEROV] == 0 && !kt_attr_is (host, ctx, "mode", "standard"))
    return kt_fail (host, ctx, KT_E_ATTR, "mode must be \"standard\" or \"nesterov\"");
  return KT_OK;
}

kt_status
kt_adagrad_read (const kt_host *host, const void *ctx, double c[KT_COEFFICIENTS])
{
  c[KT_ADAGRAD_DECAY]   = kt_attr_float (host, ctx, "decay_factor", 0);
  c[KT_ADAGRAD_EPSILON] = kt_attr_float (host, ctx, "epsilon", 1e-6);
  c[KT_ADAGRAD_NORM]    = kt_attr_float (host, ctx, "norm_coefficient", 0);
  return KT_OK;
}

kt_status
kt_adam_read (const kt_host *host, const void *ctx, double c[KT_COEFFICIENTS])
{
  c[KT_ADAM_ALPHA]   = kt_attr_float (host, ctx, "alpha", 0.9);
  c[KT_ADAM_BETA]    = kt_attr_float (host, ctx, "beta", 0.999);
  c[KT_ADAM_EPSILON] = kt_attr_float (host, ctx, "epsilon", 1e-6);
  c[KT_ADAM_NORM]    = kt_attr_float (host, ctx, "norm_coefficient", 0);
  c[KT_ADAM_POST]    = kt_attr_float (host, ctx, "norm_coefficient_post", 0);
  return KT_OK;
}

/* Shapes, and the walk ------------------------------------------------------------------ */

typedef struct
{
  const kt_optimizer *optimizer;
  double c[KT_COEFFICIENTS];
  int32_t n; /* parameters */
  bool wide_rate;
} State;

typedef struct
{
  void (*loop) (const double c[KT_COEFFICIENTS], const kt_update *u);
  const double *c;
  kt_update update;
} Work;

kt_status
kt_optimizer_count (const kt_host *host, const void *ctx, int32_t n_states, int32_t *n)
{
  int32_t n_in, n_out;

  KT_TRY (host->arity (ctx, &n_in, &n_out, NULL));
  *n = (n_in - 2) / (2 + n_states);
  if (n_in < 3 || (n_in - 2) % (2 + n_states))
    return kt_fail (
        host, ctx, KT_E_SHAPE,
        "%d tensors are no equal numbers of parameters, gradients and %d states each",
        (int) n_in - 2, (int) n_states);
  if (n_out != *n * (1 + n_states))
    return kt_fail (host, ctx, KT_E_SHAPE, "%d parameters need %d outputs, there are %d",
                    (int) *n, (int) (*n * (1 + n_states)), (int) n_out);
  return KT_OK;
}

kt_status
kt_optimizer_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_optimizer *const o = user;
  double c[KT_COEFFICIENTS];
  int32_t n;

  KT_TRY (o->read (host, infer, c));
  KT_TRY (kt_check_scalar (host, infer, 0, "the rate R"));
  KT_TRY (kt_check_scalar (host, infer, 1, "the update count T"));
  KT_TRY (kt_optimizer_count (host, infer, o->n_states, &n));
  for (int32_t i = 0; i < n; i++)
    {
      const kt_type x = kt_in_type (host, infer, 2 + i);
      for (int32_t k = 1; k < 2 + o->n_states; k++)
        {
          const kt_type other = kt_in_type (host, infer, 2 + k * n + i);
          if (x.kind && other.kind && x.dtype != other.dtype)
            return kt_fail (host, infer, KT_E_TYPE,
                            "parameter %d and its %s differ in element type", (int) i,
                            k == 1 ? "gradient" : "state");
          KT_TRY (kt_same_dims (host, infer, 2 + i, "a parameter", 2 + k * n + i,
                                k == 1 ? "its gradient" : "its state"));
        }
      for (int32_t k = 0; x.kind && k < 1 + o->n_states; k++)
        KT_TRY (host->out_type (infer, k * n + i, &x));
    }
  return KT_OK;
}

kt_status
kt_optimizer_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_optimizer *const o = user;

  KT_TRY (host->keep (prep, sizeof (State), state));

  State *const s = *state;
  s->optimizer   = o;
  s->wide_rate   = kt_in_type (host, prep, 0).dtype == KT_F64;
  KT_TRY (kt_optimizer_count (host, prep, o->n_states, &s->n));
  return o->read (host, prep, s->c);
}

kt_status
kt_optimizer_prepare_one (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  int32_t n;

  KT_TRY (kt_optimizer_count (host, prep, ((const kt_optimizer *) user)->n_states, &n));
  if (n != 1)
    return kt_fail (host, prep, KT_E_UNSUPPORTED, "more than one parameter");
  return kt_optimizer_prepare (host, prep, user, state);
}

static void
update_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Work *const work = arg;
  kt_update update       = work->update;

  (void) worker;
  update.begin = begin;
  update.end   = end;
  work->loop (work->c, &update);
}

kt_status
kt_optimizer_run (const kt_host *host, kt_run *run, void *state)
{
  const State *const s        = state;
  const kt_optimizer *const o = s->optimizer;
  const void *const rate      = run->in[0].data;
  double c[KT_COEFFICIENTS];

  memcpy (c, s->c, sizeof c);
  o->step (c, s->wide_rate ? *(const double *) rate : (double) *(const float *) rate,
           *(const int64_t *) run->in[1].data);
  for (int32_t i = 0; i < run->n_out; i++)
    if (run->out[i].device_type == 0)
      return kt_fail (host, run, KT_E_UNSUPPORTED, "output %d is left out", (int) i);
  for (int32_t i = 0; i < s->n; i++)
    {
      const kt_tensor *const x = &run->in[2 + i];
      const int64_t n          = kt_count (x->shape, x->ndim);
      Work work                = {
                       x->bits == 64 ? o->loop_f64 : o->loop_f32,
        c,
        { .x = x->data, .g = run->in[2 + s->n + i].data, .new_x = run->out[i].data }
      };
      for (int32_t k = 0; k < o->n_states; k++)
        {
          work.update.state[k]     = run->in[2 + (2 + k) * s->n + i].data;
          work.update.new_state[k] = run->out[(1 + k) * s->n + i].data;
        }
      if (n > GRAIN)
        KT_TRY (host->parallel_for (run, n, GRAIN, update_piece, &work));
      else
        update_piece (&work, 0, n, 0);
    }
  return KT_OK;
}
