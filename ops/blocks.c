/* SPDX-License-Identifier: Apache-2.0
 *
 * blocks.c: DepthToSpace and SpaceToDepth are one move between [N, C b b, H, W] and
 * [N, C, H b, W b]; a channel of the first is (b, b, C) in mode DCR, (C, b, b) in CRD.
 */
#include "blocks.h"
#include "emit.h"

static kt_status
options (const kt_host *host, const void *ctx, int64_t *b, bool *columns)
{
  *b       = kt_attr_int (host, ctx, "blocksize", 0);
  *columns = kt_attr_is (host, ctx, "mode", "CRD");
  if (*b < 1)
    return kt_fail (host, ctx, KT_E_ATTR, "blocksize is %lld, must be positive",
                    (long long) *b);
  kt_attr mode;
  if (!*columns && host->attr (ctx, "mode", &mode) == KT_OK && mode.kind == KT_A_STRING
      && !kt_attr_is (host, ctx, "mode", "DCR"))
    return kt_fail (host, ctx, KT_E_ATTR, "mode is neither DCR nor CRD");
  return KT_OK;
}

/* dim D of the output: DIM times or over FACTOR. */
static kt_status
scaled (const kt_host *host, kt_infer *infer, int32_t d, int64_t dim, int64_t factor,
        bool times, int64_t *out)
{
  *out = KT_DIM (0);
  if (!kt_dim_known (dim))
    return KT_OK;
  if (!times && dim % factor != 0)
    return kt_fail (host, infer, KT_E_SHAPE, "dim %d is %lld, no multiple of %lld",
                    (int) d, (long long) dim, (long long) factor);
  return times ? kt_product (host, infer, (const int64_t[]){ dim, factor }, 2, out)
               : (*out = dim / factor, KT_OK);
}

kt_status
kt_blocks_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_blocks *form = user;
  const kt_type x       = kt_in_type (host, infer, 0);
  int64_t b, square, dims[4];
  bool columns;

  KT_TRY (options (host, infer, &b, &columns));
  if (__builtin_mul_overflow (b, b, &square))
    return kt_fail (host, infer, KT_E_ATTR, "blocksize is %lld: too large",
                    (long long) b);
  if (x.kind == 0)
    return KT_OK;
  if (x.ndim < 0)
    return kt_set_unknown (host, infer, 0, x.dtype, 4);
  if (x.ndim != 4)
    return kt_fail (host, infer, KT_E_SHAPE, "the input has rank %d, must have 4",
                    (int) x.ndim);
  dims[0] = x.dims[0];
  KT_TRY (scaled (host, infer, 1, x.dims[1], square, !form->to_space, &dims[1]));
  KT_TRY (scaled (host, infer, 2, x.dims[2], b, form->to_space, &dims[2]));
  KT_TRY (scaled (host, infer, 3, x.dims[3], b, form->to_space, &dims[3]));
  return kt_set_out (host, infer, 0, x.dtype, dims, 4);
}

kt_status
kt_blocks_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_blocks *form = user;
  const kt_type x = kt_in_type (host, prep, 0), y = kt_out_type (host, prep, 0);
  const int64_t *deep = form->to_space ? x.dims : y.dims,
                *wide = form->to_space ? y.dims : x.dims;
  int64_t b, depth[4], space[4];
  bool columns;

  KT_TRY (options (host, prep, &b, &columns));
  KT_TRY (host->keep (prep, sizeof (kt_move), state));
  kt_strides (deep, 4, depth);
  kt_strides (wide, 4, space);

  /* (n, c, row, row in block, column in block, column): what a row of the wide side is made of
   * is near each other in time. */
  const int64_t c       = wide[1];
  const int64_t dims[]  = { wide[0], c, deep[2], b, b, deep[3] };
  const int64_t wides[] = { space[0], space[1], b * space[2], space[2], 1, b };
  const int64_t deeps[] = { depth[0],
                            (columns ? b * b : 1) * depth[1],
                            depth[2],
                            (columns ? b : b * c) * depth[1],
                            (columns ? 1 : c) * depth[1],
                            1 };

  kt_move_plan (*state, x.dtype, 6, dims, form->to_space ? deeps : wides,
                form->to_space ? wides : deeps);
  return KT_OK;
}

kt_status
kt_blocks_run (const kt_host *host, kt_run *run, void *state)
{
  return kt_move_run (host, run, state, run->in[0].data, 0, run->out[0].data, 0);
}

/* Dim D of V, and over (or times) B, as vectors of one element. */
static kt_value
dim_of (const kt_host *host, kt_graph *g, kt_value v, int64_t d)
{
  const kt_attr part[] = { { .name = "start", .kind = KT_A_INT, .i = d },
                           { .name = "end", .kind = KT_A_INT, .i = d + 1 } };

  return kt_node (host, g, "Shape", &v, 1, part, 2);
}

/* SpaceToDepth in mode CRD, which ONNX has since 28: [N, C, H b, W b] is looked at as
 * [N, C, H, b, W, b], the parts of blocks go behind C. */
static kt_value
to_depth_by_columns (const kt_host *host, kt_graph *g, kt_value v, int64_t b)
{
  static const int64_t order[] = { 0, 1, 3, 5, 2, 4 };
  const kt_attr perm   = { .name = "perm", .kind = KT_A_INTS, .v = order, .n = 6 };
  const kt_attr join   = { .name = "axis", .kind = KT_A_INT, .i = 0 };
  const int64_t square = b * b;
  const kt_value block = kt_ints (host, g, &b, 1);
  const kt_value n = dim_of (host, g, v, 0), c = dim_of (host, g, v, 1);
  const kt_value h      = kt_div (host, g, dim_of (host, g, v, 2), block),
                 w      = kt_div (host, g, dim_of (host, g, v, 3), block);
  const kt_value six[]  = { n, c, h, block, w, block };
  const kt_value four[] = { n, kt_mul (host, g, c, kt_ints (host, g, &square, 1)), h, w };
  const kt_value cells
      = kt_reshape (host, g, v, kt_node (host, g, "Concat", six, 6, &join, 1));

  return kt_reshape (host, g, kt_node (host, g, "Transpose", &cells, 1, &perm, 1),
                     kt_node (host, g, "Concat", four, 4, &join, 1));
}

/* Each is the other's gradient. */
kt_status
kt_blocks_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_blocks *form = user;
  const kt_value dy     = host->g_seed (g, 0);
  kt_attr attrs[2]      = { { .name = "blocksize", .kind = KT_A_INT } };
  bool columns;

  KT_TRY (options (host, g, &attrs[0].i, &columns));
  if (form->to_space)
    return host->g_set (g, 0,
                        columns ? to_depth_by_columns (host, g, dy, attrs[0].i)
                                : kt_node (host, g, "SpaceToDepth", &dy, 1, attrs, 1));
  attrs[1] = (kt_attr){
    .name = "mode", .kind = KT_A_STRING, .v = columns ? "CRD" : "DCR", .n = 3
  };
  return host->g_set (g, 0, kt_node (host, g, "DepthToSpace", &dy, 1, attrs, 2));
}
