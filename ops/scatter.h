/* SPDX-License-Identifier: Apache-2.0
 *
 * scatter.h: gradients that put elements back where they came from, in ONNX's operators.
 */
#pragma once
#include "emit.h"

/* Zeros of SHAPE and of the element type of LIKE. */
kt_value kt_zeros (const kt_host *host, kt_graph *g, kt_value like, kt_value shape);
/* For operators whose outputs are copies of elements of one input: what such an operator makes
 * of kt_places, 0, 1, 2, ... in the input's SHAPE, says where dy is to be added. */
kt_value kt_places (const kt_host *host, kt_graph *g, kt_value shape);
kt_value kt_add_at_places (const kt_host *host, kt_graph *g, kt_value dy, kt_value places,
                           kt_value shape);

/* The gradients of ScatterElements and ScatterND; user: kt_scatter_form. Where duplicates
 * replace each other (reduction none, which ONNX leaves undefined) each of them gets dE/dy. */
typedef struct kt_scatter_form
{
  const char *scatter, *gather;
  bool has_axis;
} kt_scatter_form;
kt_status kt_scatter_gradient (const kt_host *host, kt_graph *g, void *user);
