/* SPDX-License-Identifier: Apache-2.0
 *
 * Where: y = a where the condition holds, else b; element by element, with broadcasting of
 * all three.  Source: ONNX Where-16.
 */
#include "elementwise.h"
#include "emit.h"

/* Elements are moved by size; those of 16 bytes are complex numbers and strings. */
typedef struct
{
  uint64_t half[2];
} Wide;

typedef void Loop (const uint8_t *c, const void *a, const void *b, void *y, int64_t n,
                   const int64_t step[3]);

typedef struct
{
  Loop *loop;
  kt_spread spread;
} WhereState;

typedef struct
{
  const kt_run *run;
  const WhereState *state;
} Work;

/* The usual steps become loops of their own: the compiler sees constants. */
#define WHERE_LOOP(NAME, T)                                                              \
  KT_INLINE void NAME##_steps (const uint8_t *c, const T *a, const T *b, T *y,           \
                               int64_t n, int64_t i, int64_t j, int64_t k)               \
  {                                                                                      \
    KT_LOOP for (int64_t at = 0; at < n; at++)                                           \
    {                                                                                    \
      const T left = a[at * j], right = b[at * k];                                       \
      y[at] = c[at * i] ? left : right;                                                  \
    }                                                                                    \
  }                                                                                      \
  KT_VECTOR static void NAME (const uint8_t *c, const void *a, const void *b, void *y,   \
                              int64_t n, const int64_t step[3])                          \
  {                                                                                      \
    if (step[0] == 1 && step[1] == 1 && step[2] == 1)                                    \
      NAME##_steps (c, a, b, y, n, 1, 1, 1);                                             \
    else if (step[0] == 1 && step[1] == 1)                                               \
      NAME##_steps (c, a, b, y, n, 1, 1, 0);                                             \
    else if (step[0] == 1 && step[2] == 1)                                               \
      NAME##_steps (c, a, b, y, n, 1, 0, 1);                                             \
    else                                                                                 \
      NAME##_steps (c, a, b, y, n, step[0], step[1], step[2]);                           \
  }

WHERE_LOOP (where_1, uint8_t)
WHERE_LOOP (where_2, uint16_t)
WHERE_LOOP (where_4, uint32_t)
WHERE_LOOP (where_8, uint64_t)
WHERE_LOOP (where_16, Wide)

static kt_status
where_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  static Loop *const loops[] = { where_1, where_2, where_4, where_8, where_16 };
  void *memory;
  int32_t i = 0;

  (void) user;
  KT_TRY (host->keep (prep, sizeof (WhereState), &memory));
  WhereState *s = memory;
  KT_TRY (kt_spread_prepare (host, prep, &s->spread));
  while (i < 5 && 1 << i != s->spread.out_size)
    i++;
  if (i == 5)
    return kt_fail (host, prep, KT_E_UNSUPPORTED, "no code for this element type");
  s->loop = loops[i];
  *state  = s;
  return KT_OK;
}

static void
where_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Work *work      = arg;
  const kt_spread *sp   = &work->state->spread;
  const int64_t step[3] = { sp->in[0].step, sp->in[1].step, sp->in[2].step };
  kt_walk walk;

  (void) worker;
  for (kt_walk_start (&walk, sp, begin, end); walk.count > 0; kt_walk_next (&walk))
    work->state->loop (kt_walk_in (&walk, work->run, 0), kt_walk_in (&walk, work->run, 1),
                       kt_walk_in (&walk, work->run, 2), kt_walk_out (&walk, work->run),
                       walk.count, step);
}

static kt_status
where_run (const kt_host *host, kt_run *run, void *state)
{
  const WhereState *s = state;
  Work work           = { run, s };

  return kt_spread_run (host, run, &s->spread, where_piece, &work);
}

static kt_status
where_tile (const kt_host *host, kt_run *run, void *state, int64_t begin, int64_t end,
            int32_t worker)
{
  Work work = { run, state };

  (void) host;
  where_piece (&work, begin, end, worker);
  return KT_OK;
}

static const kt_kernel where_kernel[]
    = { { KT_KERNEL, .flags = KT_CPU_FLAGS | KT_K_TILEABLE, .n_alias = 2,
          .alias   = (const kt_alias[]){ { 1, 0, 0, 0 }, { 2, 0, 0, 0 } },
          .prepare = where_prepare, .run = where_run, .tile = where_tile },
        { 0 } };

static kt_status
where_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type a = kt_in_type (host, infer, 1), b = kt_in_type (host, infer, 2);

  (void) user;
  if (a.kind == 0 && b.kind == 0)
    return KT_OK;
  return kt_infer_broadcast_as (host, infer, a.kind ? a.dtype : b.dtype);
}

/* dE/da = dE/dy where the condition holds, dE/db = dE/dy where not; 0 elsewhere; summed back
 * over broadcast dims. */
static kt_status
where_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value c = host->g_in (g, 0), dy = host->g_seed (g, 0);
  const kt_value zero = kt_scalar_like (host, g, dy, 0);

  (void) user;
  if (host->g_wanted (g, 1))
    KT_TRY (host->g_set (
        g, 1, kt_sum_to (host, g, kt_where (host, g, c, dy, zero), host->g_in (g, 1))));
  if (host->g_wanted (g, 2))
    KT_TRY (host->g_set (
        g, 2, kt_sum_to (host, g, kt_where (host, g, c, zero, dy), host->g_in (g, 2))));
  return KT_OK;
}

const kt_operator kette_op_where = {
  .op     = { KT_OP ("Where", 9), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = where_infer, .gradient = where_gradient },
  .kernel = where_kernel,
};
