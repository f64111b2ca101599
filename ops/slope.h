/* SPDX-License-Identifier: Apache-2.0
 *
 * slope.h: gradients of elementwise operators in one kernel: dx = dy f'(z), where z is the
 * operator's input or, where that serves as well, its output (which the next operator keeps
 * anyway).
 *
 *   KETTE_SLOPE (word, "Name", formula, dy, z, expr, attributes...)
 *
 * defines kette_op_WORD for the operator Name of domain "kette": expr as in KETTE_ZIP, the
 * same in standard nodes by the function word_body that stands before.
 */
#pragma once
#include "elementwise.h"
#include "emit.h"

#define KETTE_SLOPE(WORD, NAME, FORMULA, dy, z, EXPR, ...)                               \
  KETTE_ZIP (WORD, dy, z, EXPR, __VA_ARGS__)                                             \
  const kt_operator kette_op_##WORD = {                                                  \
    .op     = { KT_OP (NAME, 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,                \
                .infer = kt_infer_broadcast, .body = WORD##_body, .formula = FORMULA },  \
    .kernel = WORD##_kernel,                                                             \
  };

/* dE/dx as the operator OP of domain "kette" of (dE/dy, Z). */
static inline kt_status
kt_set_slope (const kt_host *host, kt_graph *g, const char *op, kt_value z,
              const kt_attr *attrs, int32_t n_attrs)
{
  const kt_value in[] = { host->g_seed (g, 0), z };

  return host->g_set (g, 0, kt_own (host, g, op, in, 2, attrs, n_attrs));
}

/* Gradient callbacks: user is the operator's name; z is the output, or the input. */
static inline kt_status
kt_slope_of_output (const kt_host *host, kt_graph *g, void *user)
{
  return kt_set_slope (host, g, user, host->g_out (g, 0), NULL, 0);
}

static inline kt_status
kt_slope_of_input (const kt_host *host, kt_graph *g, void *user)
{
  return kt_set_slope (host, g, user, host->g_in (g, 0), NULL, 0);
}

/* The FLOAT attribute NAME of the node, to be passed on. */
static inline kt_attr
kt_passed_float (const kt_host *host, kt_graph *g, const char *name)
{
  return (
      kt_attr){ .name = name, .kind = KT_A_FLOAT, .f = kt_attr_float (host, g, name, 0) };
}
