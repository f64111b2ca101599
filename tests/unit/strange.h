/* SPDX-License-Identifier: Apache-2.0
 * test:Strange, an operator that misuses the host in the way that its attribute "what" says,
 * and test:StrangeBody, which does so in its body.
 */
#pragma once
#include "graphs.h"
#include "op/context.h"
#include "op/plugins.h"
#include <string.h>

enum
{
  GOOD,
  INFER_RANK,
  INFER_NEGATIVE,
  INFER_STATUS, /* the plain status in "status" */
  INFER_TWICE,
  INFER_FAIL_OK,
  INFER_OUTSIDE,
  PREPARE_WORKSPACE,
  PREPARE_KEEP,
  PREPARE_STATUS,
  RUN_HOST,
  RUN_OUTSIDE,
  RUN_SHAPE,
  RUN_STATUS,
  EMIT_NO_OUTPUT,
  EMIT_UNKNOWN,
  EMIT_SHAPE,
  EMIT_NOTHING,
  EMIT_SET_NOTHING,
  EMIT_SET_TWICE,
  EMIT_SET_OUTSIDE,
  EMIT_CONSTANT,
  EMIT_FAIL_FIRST
};

static int64_t
int_of (const kt_host *host, const void *ctx, const char *name)
{
  kt_attr attr;

  host->attr (ctx, name, &attr);
  return attr.i;
}

static kt_status
fail (const kt_host *host, const void *ctx, kt_status status, const char *text)
{
  return host->fail (ctx, status, text, strlen (text));
}

/* Operands that are not there, with every function of this stage. */
static void
look_outside (const kt_host *host, kt_infer *infer, const kt_type *type)
{
  static const int64_t many[65537];
  static const int32_t places[] = { -1, 1, 99 };
  const int64_t *v              = many;
  size_t n                      = 1;
  kt_type found;
  kt_tensor content;
  kt_attr attr;
  int32_t n_in, n_out;

  host->log (infer, 0, "strange", 7);
  host->attr (infer, "nothing", &attr);
  g_assert_cmpint (attr.kind, ==, 0);
  host->arity (infer, &n_in, &n_out, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (places); i++)
    {
      g_assert_cmpint (host->type (infer, 0, places[i], &found), ==, KT_OK);
      g_assert_cmpint (found.kind, ==, 0);
      g_assert_cmpint (host->constant (infer, places[i], &content), ==, KT_OK);
      g_assert_null (content.data);
      g_assert_cmpint (host->ints (infer, places[i], &v, &n), ==, KT_OK);
      g_assert_true (!v && n == 0);
      g_assert_cmpint (host->out_type (infer, places[i], type), ==, KT_OK);
      g_assert_cmpint (host->out_ints (infer, places[i], many, 1), ==, KT_OK);
    }
  g_assert_cmpint (host->out_ints (infer, 0, many, G_N_ELEMENTS (many)), ==, KT_OK);
}

static void
see_defaults (const kt_host *host, const void *ctx)
{
  kt_attr a;

  host->attr (ctx, "ints", &a);
  g_assert_cmpint (a.kind, ==, KT_A_INTS);
  g_assert_cmpuint (a.n, ==, 3);
  g_assert_cmpint (((const int64_t *) a.v)[2], ==, -3);
  host->attr (ctx, "floats", &a);
  g_assert_cmpuint (a.n, ==, 2);
  g_assert_cmpfloat (((const float *) a.v)[1], ==, 0.5f);
  host->attr (ctx, "text", &a);
  g_assert_cmpmem (a.v, a.n, "abc", 3);
  host->attr (ctx, "number", &a);
  g_assert_cmpfloat (a.f, ==, 1.5);
}

static kt_status
infer (const kt_host *host, kt_infer *ctx, void *user)
{
  static const int64_t many[33], negative[] = { 2, -7 };
  kt_type type;

  (void) user;
  host->type (ctx, 0, 0, &type);
  see_defaults (host, ctx);
  switch (int_of (host, ctx, "what"))
    {
    case INFER_RANK:
      return host->out_type (ctx, 0, &(kt_type){ KT_TENSOR, KT_F32, 33, 0, many, NULL });
    case INFER_NEGATIVE:
      return host->out_type (ctx, 0,
                             &(kt_type){ KT_TENSOR, KT_F32, 2, 0, negative, NULL });
    case INFER_STATUS:
      return (kt_status) int_of (host, ctx, "status");
    case INFER_TWICE:
      fail (host, ctx, KT_E_VALUE, "the first");
      return fail (host, ctx, KT_E_SHAPE, "the second");
    case INFER_FAIL_OK:
      fail (host, ctx, KT_OK, "no failure");
      fail (host, ctx, KT_E_ATTR, "only told");
      break;
    case INFER_OUTSIDE:
      look_outside (host, ctx, &type);
      break;
    default:
      break;
    }
  return host->out_type (ctx, 0, &type);
}

static kt_status
prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  void *block;

  (void) user;
  *state = NULL;
  switch (int_of (host, prep, "what"))
    {
    case PREPARE_WORKSPACE:
      return host->want_workspace (prep, SIZE_MAX - 1, 0);
    case PREPARE_KEEP:
      return host->keep (prep, SIZE_MAX / 2, &block);
    case PREPARE_STATUS:
      return (kt_status) int_of (host, prep, "status");
    default:
      break;
    }
  if (host->keep (prep, 0, &block) != KT_OK || host->keep (prep, 16, state) != KT_OK)
    return KT_E_NOMEM;
  ((int64_t *) *state)[0] = int_of (host, prep, "what");
  ((int64_t *) *state)[1] = int_of (host, prep, "status");
  return host->want_workspace (prep, 100, 1);
}

static void
piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  (void) worker;
  g_atomic_int_add ((gint *) arg, (gint) (end - begin));
}

static kt_status
use_host (const kt_host *host, kt_run *run)
{
  uint32_t key[2], counter[2];
  size_t bytes = 0;
  gint done    = 0;

  g_assert_nonnull (host->workspace (run, -1, NULL));
  g_assert_nonnull (host->workspace (run, 0, &bytes));
  g_assert_cmpuint (bytes, >=, 100);
  g_assert_null (host->native_stream (run));
  g_assert_cmpint (host->cancelled (run), ==, 0);
  g_assert_cmpint (host->parallel_for (run, 10, 0, piece, &done), ==, KT_OK);
  g_assert_cmpint (done, ==, 10);
  return host->random (run, key, counter);
}

static kt_status
execute (const kt_host *host, kt_run *run, void *state)
{
  static const int64_t other[] = { 5 };
  const int64_t what = ((const int64_t *) state)[0], dims[] = { 2 };
  kt_tensor out;

  memset (run->out[0].data, 0, 8);
  switch (what)
    {
    case RUN_HOST:
      return use_host (host, run);
    case RUN_OUTSIDE:
      return host->output_sized (run, 99, other, 1, &out);
    case RUN_SHAPE:
      if (host->output_sized (run, 0, dims, 1, &out) != KT_OK)
        return KT_E_INTERNAL;
      return host->output_sized (run, 0, other, 1, &out);
    case RUN_STATUS:
      return (kt_status) ((const int64_t *) state)[1];
    default:
      return KT_OK;
    }
}

/* The same faults in gradients and bodies. */
static kt_status
emit (const kt_host *host, kt_graph *g, void *user)
{
  const kt_tensor odd = { .device_type = KT_CPU, .code = 17, .bits = 3, .lanes = 1 };
  kt_value v = 0, in = host->g_in (g, 0);
  kt_type type;

  (void) user;
  g_assert_cmpint (host->g_in (g, -1), ==, 0);
  g_assert_cmpint (host->g_in (g, 9), ==, 0);
  g_assert_cmpint (host->g_out (g, 9), ==, 0);
  g_assert_cmpint (host->g_out (g, -1), ==, 0);
  g_assert_cmpint (host->g_seed (g, 9), ==, 0);
  g_assert_cmpint (host->g_wanted (g, 9), ==, 0);
  g_assert_cmpint (host->g_wanted (g, -1), ==, 0);
  host->g_type (g, 0, &type);
  g_assert_cmpint (type.kind, ==, 0);
  host->g_type (g, 1 << 30, &type);
  g_assert_cmpint (type.kind, ==, 0);
  switch (int_of (host, g, "what"))
    {
    case EMIT_NO_OUTPUT:
      return host->g_node (g, "", "Neg", 18, &in, 1, &v, 0, NULL, 0);
    case EMIT_UNKNOWN:
      return host->g_node (g, "", "NoSuchOperator", 18, &in, 1, &v, 1, NULL, 0);
    case EMIT_SHAPE:
      return host->g_node (
          g, "", "Transpose", 18, &in, 1, &v, 1,
          &(kt_attr){
              .name = "perm", .kind = KT_A_INTS, .v = (const int64_t[]){ 4, 5 }, .n = 2 },
          1);
    case EMIT_NOTHING:
      return KT_OK;
    case EMIT_SET_NOTHING:
      return host->g_set (g, 0, 0);
    case EMIT_SET_TWICE:
      host->g_set (g, 0, in);
      return host->g_set (g, 0, in);
    case EMIT_SET_OUTSIDE:
      host->g_set (g, -1, in);
      host->g_set (g, 7, in);
      break;
    case EMIT_CONSTANT:
      return host->g_constant (g, &odd, &v);
    case EMIT_FAIL_FIRST:
      fail (host, g, KT_E_UNSUPPORTED, "not for these");
      g_assert_cmpint (host->g_node (g, "", "Neg", 18, &in, 1, &v, 1, NULL, 0), !=,
                       KT_OK);
      g_assert_cmpint (host->g_set (g, 0, in), !=, KT_OK);
      g_assert_cmpint (host->g_constant (g, &odd, &v), !=, KT_OK);
      host->g_out (g, 0);
      return KT_OK;
    default:
      break;
    }
  return host->g_set (g, 0, in);
}

static const kt_param in[]   = { { .name = "x", .type = "T" } },
                      out[]  = { { .name = "y", .type = "T" } },
                      var[]  = { { .name = "T", .type = "f32|f64" } },
                      attr[] = {
                        { .name = "what", .type = "INT", .def = "0" },
                        { .name = "status", .type = "INT", .def = "0" },
                        { .name = "seed", .type = "INT", .flags = KT_P_OPTIONAL },
                        { .name = "number", .type = "FLOAT", .def = "1.5" },
                        { .name = "text", .type = "STRING", .def = "abc" },
                        { .name = "ints", .type = "INTS", .def = "1 2  -3" },
                        { .name = "floats", .type = "FLOATS", .def = "1 0.5" },
                        { .name = "graph", .type = "GRAPH", .flags = KT_P_OPTIONAL },
                      };

static kt_op
operator_named (const char *name)
{
  return (kt_op){ .struct_size = sizeof (kt_op),
                  .domain      = "test",
                  .name        = name,
                  .since       = 1,
                  .n_in        = 1,
                  .n_out       = 1,
                  .n_attr      = G_N_ELEMENTS (attr),
                  .in          = in,
                  .out         = out,
                  .attr        = attr,
                  .n_var       = 1,
                  .var         = var,
                  .infer       = infer,
                  .gradient    = emit };
}

static kt_kernel
kernel_named (const char *name)
{
  return (kt_kernel){ .struct_size = sizeof (kt_kernel),
                      .domain      = "test",
                      .name        = name,
                      .device      = "cpu",
                      .since       = 1,
                      .flags       = KT_K_REENTRANT,
                      .prepare     = prepare,
                      .run         = execute };
}

/* An entry of the test's own "plugin"; what it reported, KT_OK: nothing. */
static kt_status
add (const kt_op *op, const kt_kernel *kernel, const char *text)
{
  KetteFailure failure   = { 0 };
  KetteContext context   = { NULL, &failure };
  kt_reg reg             = { .context = &context, .file = text ? "other" : "test" };
  const kt_status status = op ? _kette_host ()->add_op (&reg, op)
                              : _kette_host ()->add_kernel (&reg, kernel);

  if (text)
    g_assert_nonnull (strstr (failure.text, text));
  return status;
}

static void
register_all (void)
{
  g_autoptr (GError) error = NULL;
  kt_op body               = operator_named ("StrangeBody");
  const kt_op strange      = operator_named ("Strange");
  const kt_kernel kernel   = kernel_named ("Strange");

  g_assert_nonnull (kette_plugins_get (&error));
  body.body = emit;
  g_assert_cmpint (add (&strange, NULL, NULL), ==, KT_OK);
  g_assert_cmpint (add (&body, NULL, NULL), ==, KT_OK);
  g_assert_cmpint (add (NULL, &kernel, NULL), ==, KT_OK);
}
