/* SPDX-License-Identifier: Apache-2.0
 *
 * Cast: y = x as another element type; conversions as convert.h says, from text the whole
 * text or an error. To text there is no kernel: the host plans memory before it is known.
 * Source: ONNX Cast-13.
 */
#include "convert.h"
#include "emit.h"
#include "shape.h"
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>

#define GRAIN 32768
#define BLOCK 512
#define MAX_TEXT 512 /* bytes of a number's text */

typedef struct
{
  int32_t from, to;
  int64_t n;
  kt_narrowing narrowing;
  locale_t locale; /* "C", for texts */
} CastState;

typedef struct
{
  const kt_run *run;
  const CastState *state;
} Work;

static kt_narrowing
narrowing_of (const kt_host *host, const void *ctx)
{
  return (kt_narrowing){ .saturate = kt_attr_int (host, ctx, "saturate", 1) != 0,
                         .round    = kt_attr_is (host, ctx, "round_mode", "down")
                                         ? KT_ROUND_DOWN
                                     : kt_attr_is (host, ctx, "round_mode", "nearest")
                                         ? KT_ROUND_NEAREST
                                         : KT_ROUND_UP };
}

static kt_status
cast_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0), y = kt_out_type (host, prep, 0);
  const bool small = kt_bits_of (x.dtype) < 8 || kt_bits_of (y.dtype) < 8;
  void *memory;

  if ((kt_family_of (x.dtype) == KT_NO_NUMBER && x.dtype != KT_STRING
       && x.dtype != y.dtype)
      || (kt_family_of (y.dtype) == KT_NO_NUMBER && x.dtype != y.dtype))
    return kt_fail (host, prep, KT_E_UNSUPPORTED,
                    "no conversion from element type %d to %d", x.dtype, y.dtype);
  if (small != (user != NULL))
    return KT_E_UNSUPPORTED;
  KT_TRY (host->keep (prep, sizeof (CastState), &memory));

  CastState *s = memory;
  s->from      = x.dtype;
  s->to        = y.dtype;
  s->n         = kt_count (x.dims, x.ndim);
  s->narrowing = narrowing_of (host, prep);
  if (x.dtype == KT_STRING && !(s->locale = newlocale (LC_ALL_MASK, "C", (locale_t) 0)))
    return kt_fail (host, prep, KT_E_NOMEM, "no memory for the locale \"C\"");
  *state = s;
  return KT_OK;
}

static void
cast_destroy (void *state)
{
  const CastState *s = state;

  if (s->locale)
    freelocale (s->locale);
}

static void
cast_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Work *work       = arg;
  const CastState *s     = work->state;
  const kt_family family = kt_family_of (s->from);
  const char *x          = work->run->in[0].data;
  char *y                = work->run->out[0].data;
  union
  {
    double f[BLOCK];
    uint64_t i[BLOCK];
  } block;

  (void) worker;
  for (int64_t i = begin; i < end; i += BLOCK)
    {
      const int64_t n  = end - i < BLOCK ? end - i : BLOCK;
      const void *from = x + i * kt_bits_of (s->from) / 8;
      void *to         = y + i * kt_bits_of (s->to) / 8;
      if (kt_is_narrow (s->to))
        {
          kt_load_f64 (s->from, from, block.f, n);
          kt_store_narrow (s->to, block.f, to, n, s->narrowing);
        }
      else if (family == KT_FLOATING)
        {
          kt_load_f64 (s->from, from, block.f, n);
          kt_store_f64 (s->to, block.f, to, n);
        }
      else
        {
          kt_load_int (s->from, from, block.i, n);
          kt_store_int (s->to, family, block.i, to, n);
        }
    }
}

/* The whole number in the text COPY, into element Y; it must be in the type's range. */
static bool
parse_whole (const CastState *s, const char *copy, char **end, void *y)
{
  const bool is_signed = kt_family_of (s->to) == KT_SIGNED;
  uint64_t whole, back = 0;

  errno = 0;
  whole = is_signed ? (uint64_t) strtoll_l (copy, end, 10, s->locale)
                    : strtoull_l (copy, end, 10, s->locale);
  kt_store_int (s->to, is_signed ? KT_SIGNED : KT_UNSIGNED, &whole, y, 1);
  kt_load_int (s->to, y, &back, 1);
  return errno != ERANGE && back == whole && (is_signed || copy[0] != '-');
}

/* The number that TEXT holds, into element Y. "nan(1)" and hexadecimal digits are C's. */
static bool
parse (const CastState *s, const kt_str *text, void *y)
{
  char copy[MAX_TEXT + 1];
  char *end = copy;
  bool good;

  if (text->n == 0 || text->n > MAX_TEXT || memchr (text->s, '\0', text->n)
      || isspace_l ((unsigned char) text->s[0], s->locale))
    return false;
  memcpy (copy, text->s, text->n);
  copy[text->n] = '\0';
  if (kt_family_of (s->to) == KT_FLOATING || s->to == KT_BOOL)
    {
      const double v = strtod_l (copy, &end, s->locale);
      kt_store_f64 (s->to, &v, y, 1);
      good = !strpbrk (copy, "xX(");
    }
  else
    good = parse_whole (s, copy, &end, y);
  return good && end == copy + text->n;
}

static kt_status
cast_strings (const kt_host *host, const kt_run *run, const CastState *s, int64_t begin,
              int64_t end)
{
  const kt_str *x = run->in[0].data;
  char *y         = run->out[0].data;

  for (int64_t i = begin; i < end; i++)
    if (!parse (s, &x[i], y + i * (int64_t) kt_size_of (s->to)))
      return kt_fail (host, run, KT_E_VALUE,
                      "element %lld of %llu bytes is no number of this type",
                      (long long) i, (unsigned long long) x[i].n);
  return KT_OK;
}

static kt_status
cast_run (const kt_host *host, kt_run *run, void *state)
{
  const CastState *s = state;
  Work work          = { run, s };
  const kt_tensor *x = &run->in[0];

  if (s->n == 0)
    return KT_OK;
  if (s->from == s->to)
    memcpy (run->out[0].data, x->data, (size_t) (s->n * x->bits * x->lanes + 7) / 8);
  else if (s->from == KT_STRING)
    return cast_strings (host, run, s, 0, s->n);
  else if (s->n > GRAIN)
    return host->parallel_for (run, s->n, GRAIN, cast_piece, &work);
  else
    cast_piece (&work, 0, s->n, 0);
  return KT_OK;
}

static kt_status
cast_tile (const kt_host *host, kt_run *run, void *state, int64_t begin, int64_t end,
           int32_t worker)
{
  const CastState *s = state;
  Work work          = { run, s };
  const int64_t bits = run->in[0].bits * run->in[0].lanes, first = begin * bits / 8;

  if (s->from == s->to)
    memcpy ((char *) run->out[0].data + first, (const char *) run->in[0].data + first,
            (size_t) ((end * bits + 7) / 8 - first));
  else if (s->from == KT_STRING)
    return cast_strings (host, run, s, begin, end);
  else
    cast_piece (&work, begin, end, worker);
  return KT_OK;
}

/* The second one serves elements of less than a byte: tiles would share bytes. */
static const kt_kernel cast_kernel[]
    = { { KT_KERNEL, .flags = KT_CPU_FLAGS | KT_K_TILEABLE, .prepare = cast_prepare,
          .run = cast_run, .tile = cast_tile, .destroy = cast_destroy },
        { KT_KERNEL, .flags = KT_CPU_FLAGS, .priority = -1, .user = (void *) 1,
          .prepare = cast_prepare, .run = cast_run, .destroy = cast_destroy },
        { 0 } };

static kt_status
cast_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const int64_t to = kt_attr_int (host, infer, "to", 0);
  const kt_type x  = kt_in_type (host, infer, 0);
  const int64_t *v;
  size_t n;

  (void) user;
  if (to <= 0 || to > KT_I2)
    return kt_fail (host, infer, KT_E_ATTR, "attribute \"to\" is %lld, no element type",
                    (long long) to);
  KT_TRY (kt_set_out (host, infer, 0, (int32_t) to, x.dims,
                      x.kind == KT_TENSOR ? x.ndim : -1));
  KT_TRY (host->ints (infer, 0, &v, &n));
  if (!v || (to != KT_I32 && to != KT_I64))
    return KT_OK;
  for (size_t i = 0; i < n; i++)
    if (to == KT_I32 && kt_dim_known (v[i]) && v[i] != (int32_t) v[i])
      return KT_OK;
  return host->out_ints (infer, 0, v, n);
}

/* dE/dx = dE/dy as x's type, from float to float; elsewhere none passes. */
static kt_status
cast_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy  = host->g_seed (g, 0);
  const int32_t from = kt_in_type (host, g, 0).dtype, to = kt_out_type (host, g, 0).dtype;
  const kt_attr back = { .name = "to", .kind = KT_A_INT, .i = from };

  (void) user;
  if (!kt_is_float (from) || !kt_is_float (to))
    return KT_OK;
  return host->g_set (g, 0, kt_node (host, g, "Cast", &dy, 1, &back, 1));
}

/* Versions 1-5: "to" is a name. */
static kt_status
cast_old_body (const kt_host *host, kt_graph *g, void *user)
{
  static const char *const names[] = {
    [KT_F32] = "FLOAT",   [KT_U8] = "UINT8",   [KT_I8] = "INT8",    [KT_U16] = "UINT16",
    [KT_I16] = "INT16",   [KT_I32] = "INT32",  [KT_I64] = "INT64",  [KT_BOOL] = "BOOL",
    [KT_F16] = "FLOAT16", [KT_F64] = "DOUBLE", [KT_U32] = "UINT32", [KT_U64] = "UINT64",
  };
  const kt_value x = host->g_in (g, 0);

  (void) user;
  for (int64_t i = 0; i < (int64_t) (sizeof names / sizeof *names); i++)
    if (names[i] && kt_attr_is (host, g, "to", names[i]))
      {
        const kt_attr to = { .name = "to", .kind = KT_A_INT, .i = i };
        return host->g_set (g, 0, kt_node (host, g, "Cast", &x, 1, &to, 1));
      }
  return kt_fail (host, g, KT_E_ATTR, "attribute \"to\" names no element type");
}

const kt_operator kette_op_cast = {
  .op = { KT_OP ("Cast", 6), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE, .infer = cast_infer,
          .gradient = cast_gradient },
  .kernel = cast_kernel,
  .old    = (const kt_op[]){ { KT_OLD ("Cast", 1, 5), .flags = KT_OP_PURE,
                               .body = cast_old_body },
                             { 0 } },
};
