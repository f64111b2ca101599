/* SPDX-License-Identifier: Apache-2.0
 *
 * scatter.c: gradients that put elements back where they came from, in ONNX's operators.
 */
#include "scatter.h"
#include "combine.h"

kt_value
kt_zeros (const kt_host *host, kt_graph *g, kt_value like, kt_value shape)
{
  return kt_expand (host, g, kt_scalar_like (host, g, like, 0), shape);
}

kt_value
kt_places (const kt_host *host, kt_graph *g, kt_value shape)
{
  const kt_value zero = kt_scalar (host, g, KT_I64, 0);
  const kt_value all  = kt_expand (host, g, zero, shape);
  const kt_value in[] = { zero, kt_node (host, g, "Size", &all, 1, NULL, 0),
                          kt_scalar (host, g, KT_I64, 1) };

  return kt_reshape (host, g, kt_node (host, g, "Range", in, 3, NULL, 0), shape);
}

kt_value
kt_add_at_places (const kt_host *host, kt_graph *g, kt_value dy, kt_value places,
                  kt_value shape)
{
  static const int64_t all = -1;
  const kt_value flat      = kt_ints (host, g, &all, 1);
  const kt_attr attrs[]
      = { { .name = "axis", .kind = KT_A_INT, .i = 0 },
          { .name = "reduction", .kind = KT_A_STRING, .v = "add", .n = 3 } };
  const kt_value in[]
      = { kt_reshape (host, g, kt_zeros (host, g, dy, shape), flat),
          kt_reshape (host, g, places, flat), kt_reshape (host, g, dy, flat) };

  return kt_reshape (host, g, kt_node (host, g, "ScatterElements", in, 3, attrs, 2),
                     shape);
}

/* -- Scatter*: y = x, with u put in at the indices ------------------------------------- */

typedef struct
{
  const kt_host *host;
  kt_graph *g;
  const kt_scatter_form *form;
  kt_value x, index, u, dy;
} Node;

static kt_value
scatter (const Node *n, kt_value x, kt_value u, const char *reduction)
{
  const kt_attr attrs[] = {
    { .name = "reduction", .kind = KT_A_STRING, .v = reduction, .n = strlen (reduction) },
    { .name = "axis", .kind = KT_A_INT, .i = kt_attr_int (n->host, n->g, "axis", 0) }
  };
  const kt_value in[] = { x, n->index, u };

  return kt_node (n->host, n->g, n->form->scatter, in, 3, attrs,
                  n->form->has_axis ? 2 : 1);
}

static kt_value
gather (const Node *n, kt_value x)
{
  const kt_attr axis
      = { .name = "axis", .kind = KT_A_INT, .i = kt_attr_int (n->host, n->g, "axis", 0) };
  const kt_value in[] = { x, n->index };

  return kt_node (n->host, n->g, n->form->gather, in, 2, &axis, n->form->has_axis);
}

static kt_value
number (const Node *n, double v)
{
  return kt_scalar_like (n->host, n->g, n->dy, v);
}

/* 1 where V is true, else 0. */
static kt_value
ones (const Node *n, kt_value v)
{
  kt_type type = { 0 };
  kt_attr to   = { .name = "to", .kind = KT_A_INT };

  n->host->g_type (n->g, n->dy, &type);
  to.i = type.dtype;
  return kt_node (n->host, n->g, "Cast", &v, 1, &to, 1);
}

static kt_status
set (const Node *n, kt_value dx, kt_value du)
{
  if (n->host->g_wanted (n->g, 0))
    KT_TRY (n->host->g_set (n->g, 0, dx));
  return n->host->g_wanted (n->g, 2) ? n->host->g_set (n->g, 2, du) : KT_OK;
}

/* max, min: shared equally among all that are equal to y. */
static kt_status
share (const Node *n)
{
  const kt_host *host = n->host;
  kt_graph *g         = n->g;
  const kt_value y = host->g_out (g, 0), zero = number (n, 0);
  const kt_value x_is = kt_equal (host, g, n->x, y),
                 u_is = kt_equal (host, g, n->u, gather (n, y));
  const kt_value part
      = kt_div (host, g, n->dy, scatter (n, ones (n, x_is), ones (n, u_is), "add"));

  return set (n, kt_where (host, g, x_is, part, zero),
              kt_where (host, g, u_is, gather (n, part), zero));
}

/* mul: the product of all other factors: y / v where none of them is 0; where v alone is 0,
 * the product without it; else 0. */
static kt_status
product (const Node *n)
{
  const kt_host *host = n->host;
  kt_graph *g         = n->g;
  const kt_value zero = number (n, 0), one = number (n, 1);
  const kt_value x_is  = kt_equal (host, g, n->x, zero),
                 u_is  = kt_equal (host, g, n->u, zero);
  const kt_value x     = kt_where (host, g, x_is, one, n->x),
                 u     = kt_where (host, g, u_is, one, n->u);
  const kt_value zeros = scatter (n, ones (n, x_is), ones (n, u_is), "add");
  const kt_value slope = kt_mul (host, g, n->dy, scatter (n, x, u, "mul"));
  const kt_value none  = kt_where (host, g, kt_equal (host, g, zeros, zero), slope, zero);
  const kt_value alone = kt_where (host, g, kt_equal (host, g, zeros, one), slope, zero);

  return set (
      n, kt_where (host, g, x_is, alone, kt_div (host, g, none, x)),
      kt_where (host, g, u_is, gather (n, alone), kt_div (host, g, gather (n, none), u)));
}

kt_status
kt_scatter_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const Node n = { host,
                   g,
                   user,
                   host->g_in (g, 0),
                   host->g_in (g, 1),
                   host->g_in (g, 2),
                   host->g_seed (g, 0) };
  kt_reduction reduction;

  KT_TRY (kt_reduction_of (host, g, &reduction));
  switch (reduction)
    {
    case KT_REDUCTION_ADD:
      return set (&n, n.dy, gather (&n, n.dy));
    case KT_REDUCTION_MUL:
      return product (&n);
    case KT_REDUCTION_MAX:
    case KT_REDUCTION_MIN:
      return share (&n);
    default:
      return set (&n,
                  scatter (&n, n.dy, kt_zeros (host, g, n.dy, kt_shape_of (host, g, n.u)),
                           "none"),
                  gather (&n, n.dy));
    }
}
