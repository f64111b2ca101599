/* SPDX-License-Identifier: Apache-2.0
 * The host functions of emit.c, for the table in host.c.
 */
#pragma once
#include "op/context.h"

/* The status that says the same as an error of the library; KT_E_INTERNAL for others. */
kt_status _kette_status_of (const GError *error);

kt_value _kette_host_g_in (kt_graph *g, int32_t i);
kt_value _kette_host_g_out (kt_graph *g, int32_t i);
kt_value _kette_host_g_seed (kt_graph *g, int32_t i);
int32_t _kette_host_g_wanted (const kt_graph *g, int32_t i);
kt_status _kette_host_g_node (kt_graph *g, const char *domain, const char *op,
                              int32_t version, const kt_value *in, int32_t n_in,
                              kt_value *out, int32_t n_out, const kt_attr *attrs,
                              int32_t n_attrs);
kt_status _kette_host_g_set (kt_graph *g, int32_t i, kt_value value);
kt_status _kette_host_g_type (const kt_graph *g, kt_value value, kt_type *out);
kt_status _kette_host_g_constant (kt_graph *g, const kt_tensor *tensor, kt_value *out);
