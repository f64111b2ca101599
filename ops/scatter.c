/* SPDX-License-Identifier: Apache-2.0
 *
 * scatter.c: slices put back where they were taken, as a product with a matrix of ones and
 * zeros.
 */
#include "scatter.h"

kt_value
kt_part (const kt_host *host, kt_graph *g, kt_value v, int64_t begin, int64_t end)
{
  const kt_value in[] = { v, kt_ints (host, g, &begin, 1), kt_ints (host, g, &end, 1) };

  return v ? kt_node (host, g, "Slice", in, 3, NULL, 0) : 0;
}

kt_value
kt_count_up (const kt_host *host, kt_graph *g, kt_value n)
{
  static const int64_t zero = 0;
  const kt_value squeeze[]  = { n, kt_ints (host, g, &zero, 1) };
  const kt_value in[]       = { kt_scalar (host, g, KT_I64, 0),
                                kt_node (host, g, "Squeeze", squeeze, 2, NULL, 0),
                                kt_scalar (host, g, KT_I64, 1) };

  return kt_node (host, g, "Range", in, 3, NULL, 0);
}

/* The length of V's dims from FIRST on, multiplied (BEHIND), or of those in front of it. */
static kt_value
extent (const kt_host *host, kt_graph *g, kt_value v, int32_t first, int64_t behind)
{
  const kt_attr axis   = { .name = "axis", .kind = KT_A_INT, .i = first };
  const kt_value plane = kt_node (host, g, "Flatten", &v, 1, &axis, 1);

  return kt_part (host, g, kt_shape_of (host, g, plane), behind, behind + 1);
}

static kt_value
cast (const kt_host *host, kt_graph *g, kt_value v, int32_t dtype)
{
  const kt_attr to = { .name = "to", .kind = KT_A_INT, .i = dtype };

  return kt_node (host, g, "Cast", &v, 1, &to, 1);
}

kt_value
kt_add_slices (const kt_host *host, kt_graph *g, kt_value dy, kt_value index,
               int32_t index_rank, kt_value shape, int32_t axis)
{
  static const int64_t one = 1, all = -1;
  const kt_attr first = { .name = "axis", .kind = KT_A_INT, .i = 0 };
  kt_type type        = { 0 };

  host->g_type (g, dy, &type);

  /* dy as [outer, slices, inner]; what is dim AXIS of the result is n. */
  const kt_value at
      = kt_reshape (host, g, cast (host, g, index, KT_I64), kt_ints (host, g, &all, 1));
  const kt_value dims[] = { extent (host, g, dy, axis, 0), kt_shape_of (host, g, at),
                            extent (host, g, dy, axis + index_rank, 1) };
  const kt_value planes
      = kt_reshape (host, g, dy, kt_node (host, g, "Concat", dims, 3, &first, 1));
  const kt_value n = kt_part (host, g, shape, axis, axis + 1);

  /* A row receives a slice whose index names it, from the front or from the end. */
  const kt_value row[]  = { kt_count_up (host, g, n), kt_ints (host, g, &one, 1) };
  const kt_value rows   = kt_node (host, g, "Unsqueeze", row, 2, NULL, 0);
  const kt_value hits[] = { kt_equal (host, g, rows, at),
                            kt_equal (host, g, rows, kt_add (host, g, at, n)) };
  const kt_value hit    = kt_node (host, g, "Or", hits, 2, NULL, 0);

  return kt_reshape (host, g,
                     kt_matmul (host, g, cast (host, g, hit, type.dtype), planes), shape);
}
