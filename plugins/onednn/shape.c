/* SPDX-License-Identifier: Apache-2.0
 *
 * shape.c: what a convolution is in numbers, and its descriptors for oneDNN.
 */
#include "conv.h"
#include <string.h>

bool
conv_shape (const kt_host *host, const void *ctx, const ConvLayout *layout, kt_type x,
            kt_type w, kt_type y, Shape *s)
{
  memset (s, 0, sizeof *s);
  if (x.kind != KT_TENSOR || w.kind != KT_TENSOR || y.kind != KT_TENSOR
      || x.dtype != KT_F32 || w.ndim != x.ndim || x.ndim < 3
      || !window_read (host, ctx, &x, &y, w.dims + 2, &s->w))
    return false;
  s->processors = host->processors ();
  s->x_wide     = layout->widen && layout->x_block == 8;
  s->y_wide     = layout->widen && layout->y_block == 8;
  s->x_block    = s->x_wide ? 16 : layout->x_block;
  s->y_block    = s->y_wide ? 16 : layout->y_block;
  s->images     = x.dims[0];
  s->group      = dnn_int (host, ctx, "group", 1);
  s->x_channels = x.dims[1];
  s->y_channels = s->y_made = y.dims[1];
  if (s->images < 1 || s->group < 1 || s->x_channels < 1 || s->y_channels < 1
      || s->images > INT32_MAX || s->x_channels > INT32_MAX || s->y_channels > INT32_MAX
      || s->x_channels % s->group || s->y_channels % s->group)
    return false;

  /* oneDNN counts elements in int here and there. */
  if (window_count (s->w.large, s->w.n) > INT32_MAX / s->x_channels
      || window_count (s->w.small, s->w.n) > INT32_MAX / s->y_channels)
    return false;

  const int64_t x_group = s->x_channels / s->group, y_group = s->y_channels / s->group;
  const bool depthwise = x_group == 1 && y_group == 1;
  if ((s->x_wide || s->y_wide) && s->group > 1)
    return false;
  if (s->group > 1 && !depthwise
      && ((s->x_block && x_group % s->x_block) || (s->y_block && y_group % s->y_block)))
    return false;
  s->work = 2.0 * (double) s->images * (double) s->y_channels * (double) x_group
            * (double) window_count (s->w.kernel, s->w.n)
            * (double) window_count (s->w.small, s->w.n);
  return true;
}

int64_t
conv_units (const Shape *s, int64_t channels, int block)
{
  if (s->group == 1)
    return !block ? channels : channels % block ? 1 : channels / block;
  if (s->x_channels == s->group && s->y_channels == s->group)
    return s->y_block ? s->group / s->y_block : s->group;
  return s->group;
}

bool
conv_describe (const Shape *s, int64_t images, int64_t x_splits, int64_t y_splits,
               Descriptors *d)
{
  const int n = s->w.n, grouped = s->group > 1;
  dnnl_dims_t b = { s->y_made / y_splits }, x = { images, s->x_channels / x_splits },
              y = { images, s->y_made / y_splits }, w = { 0 }, w_steps = { 0 };
  int at = 0;

  if (grouped)
    w[at++] = s->group / y_splits;
  w[at++] = y[1] / (grouped ? w[0] : 1);
  w[at++] = x[1] / (grouped ? w[0] : 1);
  for (int i = 0; i < n; i++)
    {
      x[i + 2] = s->w.large[i];
      y[i + 2] = s->w.small[i];
      w[at++]  = s->w.kernel[i];

      d->stride[i]   = s->w.stride[i];
      d->dilation[i] = s->w.dilation[i] - 1;
      d->begin[i]    = s->w.begin[i];
      d->end[i]      = s->w.end[i];
    }
  /* A share of the input channels is no range of the weights. */
  w_steps[at - 1] = 1;
  for (int i = at - 2; i >= 0; i--)
    w_steps[i] = w_steps[i + 1] * (i == grouped ? s->x_channels / s->group : w[i + 1]);
  return dnn.memory_desc_init_by_tag (&d->x, n + 2, x, dnnl_f32, dnn_tag (n, s->x_block))
             == dnnl_success
         && dnn.memory_desc_init_by_tag (&d->y, n + 2, y, dnnl_f32,
                                         dnn_tag (n, s->y_block))
                == dnnl_success
         && dnn.memory_desc_init_by_tag (&d->w, at, w, dnnl_f32, dnnl_format_tag_any)
                == dnnl_success
         && dnn.memory_desc_init_by_strides (&d->plain_w, at, w, dnnl_f32, w_steps)
                == dnnl_success
         && dnn.memory_desc_init_by_tag (&d->b, 1, b, dnnl_f32, dnnl_x) == dnnl_success;
}

static dnnl_status_t
add_sum (dnnl_primitive_attr_t attr)
{
  dnnl_post_ops_t ops;
  dnnl_status_t status = dnn.post_ops_create (&ops);

  if (status != dnnl_success)
    return status;
  status = dnn.post_ops_append_sum (ops, 1);
  if (status == dnnl_success)
    status = dnn.primitive_attr_set_post_ops (attr, ops);
  dnn.post_ops_destroy (ops);
  return status;
}

dnnl_primitive_desc_t
conv_create (const_dnnl_op_desc_t desc, bool sum)
{
  dnnl_primitive_attr_t attr;
  dnnl_primitive_desc_t made = NULL;

  if (dnn.primitive_attr_create (&attr) != dnnl_success)
    return NULL;
  if (dnn.primitive_attr_set_scratchpad_mode (attr, dnnl_scratchpad_mode_user)
          != dnnl_success
      || (sum && add_sum (attr) != dnnl_success)
      || dnn.primitive_desc_create (&made, desc, attr, dnn.engine, NULL) != dnnl_success)
    made = NULL;
  dnn.primitive_attr_destroy (attr);
  if (made && !primitive_is_fast (made))
    {
      dnn.primitive_desc_destroy (made);
      return NULL;
    }
  return made;
}
