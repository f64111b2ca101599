/* SPDX-License-Identifier: Apache-2.0
 *
 * Slice: along each of `axes` the elements from start to before end, every step-th; negative
 * steps walk backwards.  Source: ONNX Slice-13.
 */
#include "cut.h"
#include "emit.h"

/* Passes on what is known of a vector of integers. */
static kt_status
cut_ints (const kt_host *host, kt_infer *infer, const kt_cut *cut)
{
  int64_t taken[256];
  const int64_t *v;
  size_t n;

  KT_TRY (host->ints (infer, 0, &v, &n));
  if (!v || cut->count[0] > (int64_t) (sizeof taken / sizeof *taken))
    return KT_OK;
  for (int64_t i = 0; i < cut->count[0]; i++)
    taken[i] = v[cut->first[0] + i * cut->step[0]];
  return host->out_ints (infer, 0, taken, (size_t) cut->count[0]);
}

static kt_status
slice_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);
  kt_cut_lists lists;
  bool all;
  kt_cut cut;

  (void) user;
  if (x.kind == 0)
    return KT_OK;
  KT_TRY (kt_cut_known (host, infer, 1, &lists, &all));
  if (x.ndim < 0 || !all)
    return kt_set_unknown (host, infer, 0, x.dtype, x.ndim);
  KT_TRY (kt_cut_resolve (host, infer, x.ndim, x.dims, &lists, &cut));
  KT_TRY (kt_set_out (host, infer, 0, x.dtype, cut.count, x.ndim));
  return x.ndim == 1 && kt_dim_known (x.dims[0]) ? cut_ints (host, infer, &cut) : KT_OK;
}

typedef struct
{
  int32_t dtype;
  bool ready;
  int64_t first;
  kt_move move;
} State;

static void
plan (State *s, int32_t ndim, const int64_t *dims, const kt_cut *cut)
{
  int64_t in[KT_MAX_RANK], out[KT_MAX_RANK];

  s->first = kt_cut_strides (ndim, dims, cut, in);
  kt_strides (cut->count, ndim, out);
  kt_move_plan (&s->move, s->dtype, ndim, cut->count, in, out);
}

static kt_status
slice_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0);
  kt_cut_lists lists;
  State *s;
  kt_cut cut;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s        = *state;
  s->dtype = x.dtype;
  KT_TRY (kt_cut_known (host, prep, 1, &lists, &s->ready));
  if (!s->ready)
    return KT_OK;
  KT_TRY (kt_cut_resolve (host, prep, x.ndim, x.dims, &lists, &cut));
  plan (s, x.ndim, x.dims, &cut);
  return KT_OK;
}

static kt_status
slice_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s     = state;
  const kt_tensor *x = &run->in[0], *y = &run->out[0];
  int64_t content[4][KT_MAX_RANK];
  kt_cut_lists lists;
  State now;
  kt_cut cut;

  if (s->ready)
    return kt_move_run (host, run, &s->move, x->data, s->first, y->data, 0);
  KT_TRY (kt_cut_at_run (host, run, 1, content, &lists));
  KT_TRY (kt_cut_resolve (host, run, x->ndim, x->shape, &lists, &cut));
  for (int32_t d = 0; d < x->ndim; d++)
    if (cut.count[d] != y->shape[d])
      return kt_fail (host, run, KT_E_SHAPE,
                      "axis %d is cut to %lld, the output has %lld", (int) d,
                      (long long) cut.count[d], (long long) y->shape[d]);
  now.dtype = s->dtype;
  plan (&now, x->ndim, x->shape, &cut);
  return kt_move_run (host, run, &now.move, x->data, now.first, y->data, 0);
}

static const kt_kernel slice_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = slice_prepare, .run = slice_run },
  { 0 },
};

/* dE/dx = dE/dy at the places that were taken, 0 elsewhere: kette.SliceGrad. */
static kt_status
slice_gradient (const kt_host *host, kt_graph *g, void *user)
{
  kt_value in[6] = { host->g_seed (g, 0), kt_shape_of (host, g, host->g_in (g, 0)) };
  int32_t n      = 2;

  (void) user;
  for (int32_t i = 1; i < 5; i++)
    {
      in[i + 1] = host->g_in (g, i);
      n         = in[i + 1] ? i + 2 : n;
    }
  return host->g_set (g, 0, kt_own (host, g, "SliceGrad", in, n, NULL, 0));
}

/* Slice-1: starts, ends and axes are attributes. */
static kt_status
slice_1_body (const kt_host *host, kt_graph *g, void *user)
{
  static const char *const names[] = { "starts", "ends", "axes" };
  kt_value in[4]                   = { host->g_in (g, 0) };
  int32_t n_in                     = 1;

  (void) user;
  for (int i = 0; i < 3; i++)
    {
      size_t n;
      const int64_t *v = kt_attr_ints (host, g, names[i], &n);
      if (!v && i < 2)
        return kt_fail (host, g, KT_E_ATTR, "the attribute %s is missing", names[i]);
      if (v)
        in[n_in++] = kt_ints (host, g, v, (int64_t) n);
    }
  return host->g_set (g, 0, kt_node (host, g, "Slice", in, n_in, NULL, 0));
}

const kt_operator kette_op_slice = {
  .op     = { KT_OP ("Slice", 10), .flags = KT_OP_PURE, .infer = slice_infer,
              .gradient = slice_gradient },
  .kernel = slice_kernel,
  .old    = (const kt_op[]){ { KT_OLD ("Slice", 1, 9), .flags = KT_OP_PURE,
                               .body = slice_1_body },
                             { 0 } },
};
