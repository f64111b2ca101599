/* SPDX-License-Identifier: Apache-2.0
 *
 * Split: x cut along `axis` into parts of the lengths in `split`, or into num_outputs parts
 * of one length, the last of which may be shorter.  Source: ONNX Split-18.
 */
#include "emit.h"
#include "parts.h"

#define MOST 1024 /* parts; their lengths are followed before the run */

/* Lengths of the N parts of LENGTH (may be unknown) elements where no input gives them. */
static kt_status
equal_parts (const kt_host *host, const void *ctx, int64_t length, int32_t n,
             int32_t version, int64_t *parts)
{
  const int64_t asked = kt_attr_int (host, ctx, "num_outputs", -1);

  if (asked != -1 && asked != n)
    return kt_fail (host, ctx, KT_E_ATTR, "num_outputs is %lld, the node has %d outputs",
                    (long long) asked, (int) n);
  if (asked == -1 && version >= 18)
    return kt_fail (host, ctx, KT_E_ATTR, "neither split nor num_outputs is given");
  if (!kt_dim_known (length))
    {
      for (int32_t i = 0; i < n; i++)
        parts[i] = KT_DIM (0);
      return KT_OK;
    }

  const int64_t part = length / n + (length % n != 0);
  if (version < 18 && length % n != 0)
    return kt_fail (host, ctx, KT_E_SHAPE, "%lld elements do not make %d equal parts",
                    (long long) length, (int) n);
  for (int32_t i = 0; i < n; i++)
    {
      const int64_t rest = length - (int64_t) i * part;
      if (rest < 0)
        return kt_fail (host, ctx, KT_E_SHAPE,
                        "%lld elements do not make %d parts of %lld", (long long) length,
                        (int) n, (long long) part);
      parts[i] = rest < part ? rest : part;
    }
  return KT_OK;
}

/* Checks given lengths; those that are not known may have any sum. */
static kt_status
check_parts (const kt_host *host, const void *ctx, int64_t length, int32_t n,
             const int64_t *parts)
{
  int64_t sum = 0;

  for (int32_t i = 0; i < n; i++)
    {
      if (KT_IS_DIM (parts[i]))
        return KT_OK;
      if (parts[i] < 0 || __builtin_add_overflow (sum, parts[i], &sum))
        return kt_fail (host, ctx, KT_E_VALUE, "part %d has length %lld", (int) i,
                        (long long) parts[i]);
    }
  return !kt_dim_known (length) || sum == length
             ? KT_OK
             : kt_fail (host, ctx, KT_E_SHAPE,
                        "the parts have %lld elements, axis has %lld", (long long) sum,
                        (long long) length);
}

static kt_status
split_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);
  int64_t dims[KT_MAX_RANK], parts[MOST], n_lengths;
  int32_t n_in, n_out, version, axis = 0;
  const int64_t *given;
  size_t n;

  (void) user;
  KT_TRY (host->arity (infer, &n_in, &n_out, &version));
  KT_TRY (kt_length_of (host, infer, 1, &n_lengths));
  KT_TRY (host->ints (infer, 1, &given, &n));
  if (x.kind == 0)
    return KT_OK;
  if (x.ndim >= 0)
    KT_TRY (kt_axis (host, infer, KT_E_ATTR, kt_attr_int (host, infer, "axis", 0), x.ndim,
                     &axis));

  const bool by_input = !kt_is_absent (kt_in_type (host, infer, 1));
  if (by_input && n_lengths >= 0 && n_lengths != n_out)
    return kt_fail (host, infer, KT_E_SHAPE,
                    "split has %lld lengths, the node %d outputs", (long long) n_lengths,
                    (int) n_out);
  if (by_input && kt_attr_int (host, infer, "num_outputs", -1) != -1)
    return kt_fail (host, infer, KT_E_ATTR, "both split and num_outputs are given");
  if (n_out > MOST)
    return kt_fail (host, infer, KT_E_UNSUPPORTED, "%d parts, at most %d are served",
                    (int) n_out, (int) MOST);
  if (x.ndim < 0)
    {
      for (int32_t i = 0; i < n_out; i++)
        KT_TRY (kt_set_unknown (host, infer, i, x.dtype, -1));
      return KT_OK;
    }
  for (int32_t i = 0; by_input && i < n_out; i++)
    parts[i] = given ? given[i] : KT_DIM (0);
  KT_TRY (by_input ? check_parts (host, infer, x.dims[axis], n_out, parts)
                   : equal_parts (host, infer, x.dims[axis], n_out, version, parts));
  memcpy (dims, x.dims, (size_t) x.ndim * sizeof *dims);
  for (int32_t i = 0; i < n_out; i++)
    {
      dims[axis] = parts[i];
      KT_TRY (kt_set_out (host, infer, i, x.dtype, dims, x.ndim));
    }
  return KT_OK;
}

typedef struct
{
  const kt_part *parts;
  int64_t lengths[]; /* of the outputs */
} State;

/* Outputs that are there have the lengths that inference found; for the others it is done
 * again. */
static kt_status
split_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0);
  int32_t n_in, n_out, version, axis = 0;
  const int64_t *given;
  void *parts;
  State *s;
  size_t n;

  (void) user;
  KT_TRY (host->arity (prep, &n_in, &n_out, &version));
  KT_TRY (kt_axis (host, prep, KT_E_ATTR, kt_attr_int (host, prep, "axis", 0), x.ndim,
                   &axis));
  KT_TRY (host->keep (prep, sizeof *s + (size_t) n_out * sizeof (int64_t), state));
  s = *state;
  KT_TRY (host->ints (prep, 1, &given, &n));
  if (kt_is_absent (kt_in_type (host, prep, 1)))
    KT_TRY (equal_parts (host, prep, x.dims[axis], n_out, version, s->lengths));
  else
    for (int32_t i = 0; i < n_out; i++)
      {
        const kt_type y = kt_out_type (host, prep, i);
        if (y.kind == 0 && (!given || KT_IS_DIM (given[i])))
          return kt_fail (host, prep, KT_E_UNSUPPORTED,
                          "output %d is absent, and its length is not known", (int) i);
        s->lengths[i] = y.kind ? y.dims[axis] : given[i];
      }
  KT_TRY (kt_parts_prepare (host, prep, true, axis, s->lengths, n_out, &parts));
  s->parts = parts;
  return KT_OK;
}

/* Where the lengths come from other nodes, the outputs may have been declared otherwise. */
static kt_status
split_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s = state;

  if (run->n_in > 1 && run->in[1].device_type)
    for (int32_t i = 0; i < run->n_out; i++)
      if (kt_int_at (&run->in[1], i) != s->lengths[i])
        return kt_fail (host, run, KT_E_SHAPE, "part %d has length %lld, output %d %lld",
                        (int) i, (long long) kt_int_at (&run->in[1], i), (int) i,
                        (long long) s->lengths[i]);
  return kt_parts_run (host, run, true, s->parts);
}

static const kt_kernel split_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = split_prepare, .run = split_run },
  { 0 },
};

/* dE/dx = the gradients of the parts, joined; zeros for parts on which E does not depend. */
static kt_status
split_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_attr axis
      = { .name = "axis", .kind = KT_A_INT, .i = kt_attr_int (host, g, "axis", 0) };
  const kt_value x = host->g_in (g, 0);
  kt_value parts[64];
  int32_t n_in, n_out;

  (void) user;
  KT_TRY (host->arity (g, &n_in, &n_out, NULL));
  if (n_out > 64)
    return kt_fail (host, g, KT_E_UNSUPPORTED,
                    "a gradient of %d parts, at most 64 are served", (int) n_out);
  for (int32_t i = 0; i < n_out; i++)
    {
      parts[i] = host->g_seed (g, i);
      if (!parts[i])
        parts[i] = kt_expand (host, g, kt_scalar_like (host, g, x, 0),
                              kt_shape_of (host, g, host->g_out (g, i)));
    }
  return host->g_set (g, 0, kt_node (host, g, "Concat", parts, n_out, &axis, 1));
}

/* Older forms refuse parts that are not equal, where the newest one makes a shorter last one:
 * known lengths are checked here; for others *lengths are equal ones that Split checks later. */
static kt_status
demand_equal (const kt_host *host, kt_graph *g, int32_t n_out, kt_value *lengths)
{
  const kt_value x   = host->g_in (g, 0);
  const int64_t axis = kt_attr_int (host, g, "axis", 0), n = n_out;
  kt_type type = { .ndim = -1 };
  int32_t at   = 0;

  host->g_type (g, x, &type);
  if (type.kind && type.ndim > 0)
    KT_TRY (kt_axis (host, g, KT_E_ATTR, axis, type.ndim, &at));
  if (type.kind && type.ndim > 0 && !KT_IS_DIM (type.dims[at]))
    return type.dims[at] % n == 0
               ? KT_OK
               : kt_fail (host, g, KT_E_SHAPE, "%lld elements do not make %d equal parts",
                          (long long) type.dims[at], (int) n_out);
  const kt_value pick[2]
      = { kt_shape_of (host, g, x), kt_scalar (host, g, KT_I64, (double) axis) };
  const kt_value part = kt_div (host, g, kt_node (host, g, "Gather", pick, 2, NULL, 0),
                                kt_scalar (host, g, KT_I64, (double) n));
  *lengths            = kt_expand (host, g, part, kt_ints (host, g, &n, 1));
  return KT_OK;
}

/* The newest form: of LENGTHS where they are given, else of equal parts. */
static kt_status
emit_split (const kt_host *host, kt_graph *g, kt_value lengths)
{
  kt_attr given[2]
      = { { .name = "axis", .kind = KT_A_INT, .i = kt_attr_int (host, g, "axis", 0) },
          { .name = "num_outputs", .kind = KT_A_INT } };
  kt_value out[MOST];
  int32_t n_in, n_out;

  KT_TRY (host->arity (g, &n_in, &n_out, NULL));
  if (n_out > MOST)
    return kt_fail (host, g, KT_E_UNSUPPORTED, "%d parts, at most %d are served",
                    (int) n_out, (int) MOST);
  if (!lengths)
    KT_TRY (demand_equal (host, g, n_out, &lengths));
  const kt_value in[2] = { host->g_in (g, 0), lengths };
  given[1].i           = n_out;
  KT_TRY (host->g_node (g, "", "Split", KT_EMIT_OPSET, in, lengths ? 2 : 1, out, n_out,
                        given, lengths ? 1 : 2));
  for (int32_t i = 0; i < n_out; i++)
    if (host->g_wanted (g, i))
      KT_TRY (host->g_set (g, i, out[i]));
  return KT_OK;
}

/* Split-13: without lengths as many equal parts as there are outputs. */
static kt_status
split_13_body (const kt_host *host, kt_graph *g, void *user)
{
  (void) user;
  return emit_split (host, g, host->g_in (g, 1));
}

/* Split-1, Split-2: lengths in the attribute split, or (1) as floats in input 1, or equal. */
static kt_status
split_old_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_attr to = { .name = "to", .kind = KT_A_INT, .i = KT_I64 };
  kt_value lengths = host->g_in (g, 1);
  size_t n;
  const int64_t *fixed = kt_attr_ints (host, g, "split", &n);

  (void) user;
  if (lengths)
    lengths = kt_node (host, g, "Cast", &lengths, 1, &to, 1);
  else if (fixed)
    lengths = kt_ints (host, g, fixed, (int64_t) n);
  return emit_split (host, g, lengths);
}

const kt_operator kette_op_split = {
  .op     = { KT_OP ("Split", 18), .flags = KT_OP_PURE, .infer = split_infer,
              .gradient = split_gradient },
  .kernel = split_kernel,
  .old    = (const kt_op[]){ { KT_OLD ("Split", 13, 17), .flags = KT_OP_PURE,
                               .infer = split_infer, .body = split_13_body },
                             { KT_OLD ("Split", 1, 12), .flags = KT_OP_PURE,
                               .body = split_old_body },
                             { 0 } },
};
