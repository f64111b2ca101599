/* SPDX-License-Identifier: Apache-2.0
 * test:Host, an operator that does nothing, and what is needed to call the host as a plugin does.
 */
#pragma once
#include "base/faults.h"
#include "graphs.h"
#include "op/host-private.h"
#include "op/loader.h"
#include <string.h>

static KetteFailure failure;
static KetteContext context = { NULL, &failure };
static const kt_host *host;

/* The failure since the last call is STATUS with TEXT in it. */
static inline void
assert_failed (kt_status status, const char *text)
{
  g_assert_cmpint (failure.status, ==, status);
  if (!strstr (failure.text, text))
    g_error ("\"%s\" has not \"%s\"", failure.text, text);
  failure = (KetteFailure){ 0 };
}

/* test:Host: x, y... -> a, optional b and c; its kernel and rules do nothing. */
static const kt_param in[]
    = { { .name = "x", .type = "T" },
        { .name = "y", .type = "T", .flags = KT_P_VARIADIC } },
    out[]  = { { .name = "a", .type = "T" },
               { .name = "b", .type = "T", .flags = KT_P_OPTIONAL },
               { .name = "c", .type = "U", .flags = KT_P_OPTIONAL } },
    var[]  = { { .name = "T", .type = "f32|f64|i64|i32" }, { .name = "U", .type = "*" } },
    attr[] = { { .name = "seed", .type = "INT", .flags = KT_P_OPTIONAL },
               { .name = "odd", .type = "TENSOR", .def = "none" },
               { .name = "list", .type = "INTS", .def = " 4 5" } };

static inline kt_status
nothing (const kt_host *h, kt_run *run, void *state)
{
  (void) h;
  (void) run;
  (void) state;
  return KT_OK;
}

static inline kt_status
all_same (const kt_host *h, kt_infer *infer, void *user)
{
  kt_type type;
  int32_t n_in, n_out;

  (void) user;
  h->type (infer, 0, 0, &type);
  h->arity (infer, &n_in, &n_out, NULL);
  for (int32_t i = 0; i < n_out; i++)
    if (h->out_type (infer, i, &type) != KT_OK)
      return KT_E_NOMEM;
  return KT_OK;
}

static inline kt_op
op_named (const char *domain, const char *name, int32_t since)
{
  return (kt_op){ .struct_size = sizeof (kt_op),
                  .domain      = domain,
                  .name        = name,
                  .since       = since,
                  .n_in        = 2,
                  .n_out       = 3,
                  .n_attr      = 3,
                  .in          = in,
                  .out         = out,
                  .attr        = attr,
                  .n_var       = 2,
                  .var         = var,
                  .infer       = all_same };
}

static inline kt_kernel
kernel_named (const char *domain, const char *name, const char *types)
{
  return (kt_kernel){ .struct_size = sizeof (kt_kernel),
                      .domain      = domain,
                      .name        = name,
                      .device      = "cpu",
                      .types       = types,
                      .since       = 1,
                      .run         = nothing };
}

/* Registers as the file FILE. */
static inline kt_status
add_as (const char *file, gboolean again, const kt_op *op, const kt_kernel *kernel)
{
  KetteContext none = { NULL, &failure };
  kt_reg reg        = { .context = &none, .file = file, .again = again };

  return op ? host->add_op (&reg, op) : host->add_kernel (&reg, kernel);
}

/* x0, x1 -> test:Host -> a, b where it is wanted, c. */
static inline KetteNode *
node_of (KetteGraph *graph, const char *name, int n_out, gboolean first)
{
  KetteValue *values[] = { graph_input (graph, "x0", KT_F64, 1, (const int64_t[]){ 2 }),
                           graph_input (graph, "x1", KT_F64, 1, (const int64_t[]){ 2 }) },
             *outs[]   = { first ? _kette_graph_add_value (graph, "a", NULL) : NULL,
                         _kette_graph_add_value (graph, "b", NULL) };
  GError *error   = NULL;
  KetteNode *node = _kette_graph_add_node (graph, name, "test", "Host", 5, values, 2,
                                           outs, n_out, NULL, 0, &error);

  g_assert_no_error (error);
  g_assert_true (_kette_node_resolve (node, &error));
  g_assert_true (_kette_node_infer (node, &error));
  context.node = node;
  return node;
}
