/* SPDX-License-Identifier: Apache-2.0
 *
 * window-nodes.c: convolutions in standard operators, for the bodies of gradients.
 */
#include "window-nodes.h"

kt_value
kt_dims_of (const kt_host *host, kt_graph *g, kt_value shape, int64_t first, int64_t end)
{
  const kt_value in[]
      = { shape, kt_ints (host, g, &first, 1), kt_ints (host, g, &end, 1) };

  return kt_node (host, g, "Slice", in, 3, NULL, 0);
}

kt_value
kt_join_dims (const kt_host *host, kt_graph *g, const kt_value *parts, int32_t n)
{
  const kt_attr axis = { .name = "axis", .kind = KT_A_INT, .i = 0 };
  kt_value in[8];
  int32_t n_in = 0;

  for (int32_t i = 0; i < n && n_in < 8; i++)
    if (parts[i])
      in[n_in++] = parts[i];
  return n_in == 1 ? in[0] : kt_node (host, g, "Concat", in, n_in, &axis, 1);
}

kt_value
kt_transpose (const kt_host *host, kt_graph *g, kt_value v, const int64_t *perm,
              int32_t n)
{
  const kt_attr a = { .name = "perm", .kind = KT_A_INTS, .v = perm, .n = (size_t) n };

  return kt_node (host, g, "Transpose", &v, 1, &a, 1);
}

kt_value
kt_ones (const kt_host *host, kt_graph *g, int32_t dtype, kt_value shape)
{
  return kt_expand (host, g, kt_scalar (host, g, dtype, 1), shape);
}

bool
kt_window_has_pads (const kt_window *w)
{
  bool known = true;

  for (int32_t d = 0; d < w->n; d++)
    known = known && kt_dim_known (w->begin[d]) && kt_dim_known (w->end[d]);
  return known;
}

void
kt_same_pads (const kt_host *host, kt_graph *g, const kt_window *w, kt_value large,
              kt_value small, kt_value *begin, kt_value *end)
{
  int64_t beyond[KT_WINDOW_DIMS]; /* span - stride */

  for (int32_t d = 0; d < w->n; d++)
    beyond[d] = kt_window_span (w, d) - w->stride[d];

  const kt_value steps = kt_mul (host, g, small, kt_ints (host, g, w->stride, w->n));
  const kt_value reach = kt_add (host, g, steps, kt_ints (host, g, beyond, w->n));
  const kt_value over[]
      = { kt_sub (host, g, reach, large), kt_scalar (host, g, KT_I64, 0) };
  const kt_value total = kt_node (host, g, "Max", over, 2, NULL, 0);
  const kt_value less  = kt_div (host, g, total, kt_scalar (host, g, KT_I64, 2));
  const kt_value more  = kt_sub (host, g, total, less);

  *begin = w->auto_pad == KT_PAD_SAME_LOWER ? more : less;
  *end   = w->auto_pad == KT_PAD_SAME_LOWER ? less : more;
}

/* Cells BEGIN .. BEGIN + SHAPE of V along the spatial dims; BEGIN 0: from the first one. */
static kt_value
cut_from (const kt_host *host, kt_graph *g, kt_value v, kt_value begin, kt_value shape,
          int32_t n)
{
  const int64_t zeros[KT_WINDOW_DIMS] = { 0 };
  const kt_value size                 = kt_dims_of (host, g, shape, 2, n + 2);
  int64_t axes[KT_WINDOW_DIMS];

  for (int32_t d = 0; d < n; d++)
    axes[d] = d + 2;

  const kt_value in[]
      = { v, begin ? begin : kt_ints (host, g, zeros, n),
          begin ? kt_add (host, g, begin, size) : size, kt_ints (host, g, axes, n) };
  return kt_node (host, g, "Slice", in, 4, NULL, 0);
}

kt_value
kt_cut_to (const kt_host *host, kt_graph *g, kt_value v, kt_value shape, int32_t n)
{
  return cut_from (host, g, v, 0, shape, n);
}

kt_value
kt_window_back (const kt_host *host, kt_graph *g, kt_value small, kt_value weights,
                const kt_window *w, int64_t group, kt_value shape)
{
  const kt_value in[] = { small, weights };
  const bool padded   = kt_window_has_pads (w);
  int64_t extra[KT_WINDOW_DIMS];
  kt_window_attrs a;
  kt_value out = 0, begin = 0, end;
  bool exact       = padded;
  kt_window widest = *w;
  kt_type t        = { 0 };

  host->g_type (g, small, &t);
  for (int32_t d = 0; d < w->n; d++)
    {
      if (!kt_dim_known (w->kernel[d]))
        {
          kt_fail (host, g, KT_E_UNSUPPORTED, "its body needs to know the kernel's dims");
          return 0;
        }
      exact = exact && kt_dim_known (w->small[d]) && kt_dim_known (w->large[d])
              && w->small[d] > 0;
    }
  for (int32_t d = 0; d < w->n; d++)
    {
      /* What the windows reach beyond the end, if all is known; else as long as it can be. */
      const int64_t over = exact ? w->stride[d] * (w->small[d] - 1)
                                       + kt_window_span (w, d) - w->begin[d] - w->large[d]
                                 : 0;
      widest.begin[d]    = padded ? w->begin[d] : 0;
      widest.end[d]      = over > 0 ? over : 0;
      extra[d]           = !exact ? w->stride[d] - 1 : over < 0 ? -over : 0;
    }
  kt_window_emit (&widest, true, &a);
  a.attrs[a.n++] = (kt_attr){ .name = "group", .kind = KT_A_INT, .i = group };
  a.attrs[a.n++] = (kt_attr){
    .name = "output_padding", .kind = KT_A_INTS, .v = extra, .n = (size_t) w->n
  };
  host->g_node (g, "", "ConvTranspose", kt_window_opset (t.dtype), in, 2, &out, 1,
                a.attrs, a.n);
  if (!padded)
    kt_same_pads (host, g, w, kt_dims_of (host, g, shape, 2, w->n + 2),
                  kt_dims_of (host, g, kt_shape_of (host, g, small), 2, w->n + 2), &begin,
                  &end);
  return exact ? out : cut_from (host, g, out, begin, shape, w->n);
}
