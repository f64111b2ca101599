/* SPDX-License-Identifier: Apache-2.0
 *
 * window.c: attributes, pads and dims of windows that slide. What is not known of a dim is
 * not known of its output, except where the output is the same dim (SAME, stride 1).
 */
#include "window.h"

#define MOST_ATTR INT32_MAX /* of a stride, a dilation, a pad, a side of a kernel */
#define MOST_DIM ((int64_t) 1 << 61) /* of a dim: sums with pads and spans fit */

/* The attribute NAME, a list of N numbers from LEAST on, else all FALLBACK. */
static kt_status
read_list (const kt_host *host, const void *ctx, const char *name, int32_t n,
           int64_t least, int64_t fallback, int64_t *out)
{
  size_t length;
  const int64_t *v = kt_attr_ints (host, ctx, name, &length);

  if (v && length != (size_t) n)
    return kt_fail (host, ctx, KT_E_ATTR, "%s has %zu elements, needs %d", name, length,
                    (int) n);
  for (int32_t i = 0; i < n; i++)
    {
      out[i] = v ? v[i] : fallback;
      if (out[i] < least || out[i] > MOST_ATTR)
        return kt_fail (host, ctx, KT_E_ATTR, "%s has %lld at %d, must be in %lld..%d",
                        name, (long long) out[i], (int) i, (long long) least, MOST_ATTR);
    }
  return KT_OK;
}

static kt_status
read_kernel (const kt_host *host, const void *ctx, kt_window *w)
{
  int64_t given[KT_WINDOW_DIMS];
  size_t length;
  const int64_t *v = kt_attr_ints (host, ctx, "kernel_shape", &length);

  if (v && (length > KT_WINDOW_DIMS || length == 0))
    return kt_fail (host, ctx, KT_E_ATTR, "kernel_shape has %zu elements", length);
  if (v && w->n < 0)
    {
      w->n = (int32_t) length;
      for (int32_t d = 0; d < w->n; d++)
        w->kernel[d] = KT_DIM (0);
    }
  if (w->n < 0)
    return KT_OK;
  if (v)
    KT_TRY (read_list (host, ctx, "kernel_shape", w->n, 1, 1, given));
  for (int32_t d = 0; d < w->n; d++)
    {
      if (v && kt_dim_known (w->kernel[d]) && w->kernel[d] != given[d])
        return kt_fail (host, ctx, KT_E_ATTR,
                        "kernel_shape has %lld at %d, the weights have %lld",
                        (long long) given[d], (int) d, (long long) w->kernel[d]);
      if (v)
        w->kernel[d] = given[d];
      if (kt_dim_known (w->kernel[d]) && (w->kernel[d] < 1 || w->kernel[d] > MOST_ATTR))
        return kt_fail (host, ctx, KT_E_SHAPE, "the kernel has %lld cells along axis %d",
                        (long long) w->kernel[d], (int) d + 2);
    }
  return KT_OK;
}

static kt_status
read_auto_pad (const kt_host *host, const void *ctx, kt_window *w)
{
  static const char *const names[] = { "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER" };
  kt_attr a;

  w->auto_pad = KT_PAD_NOTSET;
  KT_TRY (host->attr (ctx, "auto_pad", &a));
  if (a.kind != KT_A_STRING || a.n == 0)
    return KT_OK;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (kt_attr_is (host, ctx, "auto_pad", names[i]))
      {
        w->auto_pad = i;
        return KT_OK;
      }
  return kt_fail (host, ctx, KT_E_ATTR,
                  "auto_pad must be NOTSET, VALID, SAME_UPPER or SAME_LOWER");
}

kt_status
kt_window_read (const kt_host *host, const void *ctx, kt_window *w)
{
  int64_t pads[2 * KT_WINDOW_DIMS];

  w->ceil_mode = kt_attr_int (host, ctx, "ceil_mode", 0) != 0;
  KT_TRY (read_auto_pad (host, ctx, w));
  KT_TRY (read_kernel (host, ctx, w));
  if (w->n < 0)
    return KT_OK;
  KT_TRY (read_list (host, ctx, "strides", w->n, 1, 1, w->stride));
  KT_TRY (read_list (host, ctx, "dilations", w->n, 1, 1, w->dilation));
  KT_TRY (read_list (host, ctx, "pads", 2 * w->n, 0, 0, pads));
  for (int32_t d = 0; d < w->n; d++)
    {
      w->begin[d] = w->auto_pad == KT_PAD_NOTSET ? pads[d] : 0;
      w->end[d]   = w->auto_pad == KT_PAD_NOTSET ? pads[w->n + d] : 0;
      w->large[d] = w->small[d] = KT_DIM (0);
    }
  return KT_OK;
}

/* TOTAL cells of padding along axis D; FIRST: the odd one stands at the begin. */
static void
share_pads (kt_window *w, int32_t d, int64_t total, bool first)
{
  w->begin[d] = first ? total - total / 2 : total / 2;
  w->end[d]   = total - w->begin[d];
}

static kt_status
check_dim (const kt_host *host, const void *ctx, int64_t dim, int32_t d)
{
  return dim <= MOST_DIM ? KT_OK
                         : kt_fail (host, ctx, KT_E_LIMIT, "axis %d has %lld elements",
                                    (int) d + 2, (long long) dim);
}

/* SAME: as many windows as strides fit into the large side. */
static void
slide_same (kt_window *w, int32_t d)
{
  const int64_t in = w->large[d], stride = w->stride[d], span = kt_window_span (w, d);

  if (kt_dim_known (in))
    w->small[d] = in / stride + (in % stride != 0);
  else if (stride == 1)
    w->small[d] = in;
  if (kt_dim_known (span) && (stride == 1 || kt_dim_known (in)))
    {
      const int64_t total
          = stride == 1 ? span - 1 : (w->small[d] - 1) * stride + span - in;
      share_pads (w, d, total > 0 ? total : 0, w->auto_pad == KT_PAD_SAME_LOWER);
    }
  else
    w->begin[d] = w->end[d] = KT_DIM (0);
}

kt_status
kt_window_slide (const kt_host *host, const void *ctx, kt_window *w)
{
  for (int32_t d = 0; d < w->n; d++)
    {
      const int64_t in = w->large[d], stride = w->stride[d];
      const int64_t span = kt_window_span (w, d), pads = w->begin[d] + w->end[d];

      if (kt_dim_known (in))
        KT_TRY (check_dim (host, ctx, in, d));
      if (w->auto_pad >= KT_PAD_SAME_UPPER)
        slide_same (w, d);
      else if (kt_dim_known (in) && kt_dim_known (span))
        {
          const int64_t room = in + pads - span;
          if (room < 0)
            return kt_fail (host, ctx, KT_E_SHAPE,
                            "the kernel spans %lld cells along axis %d, the padded "
                            "input has %lld",
                            (long long) span, (int) d + 2, (long long) (in + pads));
          w->small[d] = room / stride + 1;
          /* One more with ceil_mode, unless it would start in the padding at the end. */
          if (w->ceil_mode && room % stride && w->small[d] * stride < in + w->begin[d])
            w->small[d]++;
        }
      else if (stride == 1 && kt_dim_known (span) && pads == span - 1)
        w->small[d] = in;
    }
  return KT_OK;
}

/* Length and pads along axis D. SIZE: by output_shape, else -1; EXTRA: output_padding. */
static kt_status
spread_axis (const kt_host *host, const void *ctx, kt_window *w, int32_t d, int64_t extra,
             int64_t size)
{
  const int64_t in = w->small[d], stride = w->stride[d], span = kt_window_span (w, d);
  const bool same = w->auto_pad >= KT_PAD_SAME_UPPER && size < 0;
  int64_t full = KT_DIM (0), apart = KT_DIM (0);

  if (kt_dim_known (in))
    {
      KT_TRY (check_dim (host, ctx, in, d));
      if (__builtin_mul_overflow (in, stride, &apart) || apart > MOST_DIM)
        return kt_fail (host, ctx, KT_E_LIMIT, "axis %d has %lld elements, %lld apart",
                        (int) d + 2, (long long) in, (long long) stride);
      if (kt_dim_known (span))
        full = in > 0 ? apart - stride + span + extra : 0;
    }
  if (same)
    {
      const int64_t total = kt_dim_known (span) ? span + extra - stride : 0;
      w->large[d]         = stride == 1 ? in : apart;
      if (kt_dim_known (span))
        share_pads (w, d, total > 0 ? total : 0, w->auto_pad == KT_PAD_SAME_LOWER);
      else
        w->begin[d] = w->end[d] = KT_DIM (0);
    }
  else if (size >= 0)
    {
      w->large[d] = size;
      w->begin[d] = w->end[d] = KT_DIM (0);
      if (kt_dim_known (full))
        share_pads (w, d, full > size ? full - size : 0,
                    w->auto_pad != KT_PAD_SAME_UPPER);
    }
  else
    {
      if (kt_dim_known (full))
        w->large[d] = full - w->begin[d] - w->end[d];
      else if (stride == 1 && kt_dim_known (span)
               && w->begin[d] + w->end[d] == span - 1 + extra)
        w->large[d] = in;
      if (kt_dim_known (full) && w->large[d] < 0)
        return kt_fail (host, ctx, KT_E_SHAPE,
                        "pads take %lld cells along axis %d, the output has %lld",
                        (long long) (w->begin[d] + w->end[d]), (int) d + 2,
                        (long long) full);
      w->end[d] -= extra;
    }
  if (kt_dim_known (full) && kt_dim_known (w->large[d]))
    w->end[d] = full - extra - w->large[d] - w->begin[d];
  return KT_OK;
}

kt_status
kt_window_spread (const kt_host *host, const void *ctx, kt_window *w)
{
  int64_t extra[KT_WINDOW_DIMS];
  size_t length;
  const int64_t *size = kt_attr_ints (host, ctx, "output_shape", &length);

  if (w->n < 0)
    return KT_OK;
  KT_TRY (read_list (host, ctx, "output_padding", w->n, 0, 0, extra));
  /* Some exporters write all dims of the output. */
  if (size && length == (size_t) w->n + 2)
    size += 2, length -= 2;
  if (size && length != (size_t) w->n)
    return kt_fail (host, ctx, KT_E_ATTR, "output_shape has %zu elements, needs %d",
                    length, (int) w->n);
  for (int32_t d = 0; d < w->n; d++)
    {
      if (size && (size[d] < 0 || size[d] > MOST_ATTR))
        return kt_fail (host, ctx, KT_E_ATTR, "output_shape has %lld at %d",
                        (long long) size[d], (int) d);
      KT_TRY (spread_axis (host, ctx, w, d, extra[d], size ? size[d] : -1));
    }
  return KT_OK;
}

static void
add_ints (kt_window_attrs *out, const char *name, const int64_t *v, int32_t n)
{
  out->attrs[out->n++]
      = (kt_attr){ .name = name, .kind = KT_A_INTS, .v = v, .n = (size_t) n };
}

void
kt_window_emit (const kt_window *w, bool with_kernel, kt_window_attrs *out)
{
  static const char *const names[] = { "", "VALID", "SAME_UPPER", "SAME_LOWER" };
  bool known = true, kernel_known = with_kernel;

  out->n = 0;
  if (w->n < 0)
    return;
  for (int32_t d = 0; d < w->n; d++)
    {
      out->pads[d]        = w->begin[d];
      out->pads[w->n + d] = w->end[d] > 0 || !kt_dim_known (w->end[d]) ? w->end[d] : 0;
      known        = known && kt_dim_known (w->begin[d]) && kt_dim_known (w->end[d]);
      kernel_known = kernel_known && kt_dim_known (w->kernel[d]);
    }
  if (known)
    add_ints (out, "pads", out->pads, 2 * w->n);
  else
    out->attrs[out->n++] = (kt_attr){ .name = "auto_pad",
                                      .kind = KT_A_STRING,
                                      .v    = names[w->auto_pad],
                                      .n    = strlen (names[w->auto_pad]) };
  add_ints (out, "strides", w->stride, w->n);
  add_ints (out, "dilations", w->dilation, w->n);
  if (kernel_known)
    add_ints (out, "kernel_shape", w->kernel, w->n);
}
