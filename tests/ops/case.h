/* SPDX-License-Identifier: Apache-2.0
 * The text form of an operator's test cases.
 *
 *   op Gemm transB=1 alpha=0.5       operator ("kette:HalfSSE"; "ReduceSum@11": opset 11),
 *                                    attributes: 1, 0.5, "text", [0,1], f32[2]{1 2}; the word
 *                                    nograd leaves the gradient check out, f64only the
 *                                    run in float32
 *   x f64[2,3] 1 2 3 4 5 6           one line per input, "x -": absent
 *   y f64[2,4] ...                   one line per output; "*" stands for any elements;
 *                                    strings are "a" "bc" ""
 *   error shape TEXT                 instead of y: the error's code, and what its text holds
 *
 * Cases are divided by blank lines; # begins a comment line.
 */
#pragma once
#include "graph/graph-private.h"

enum
{
  CASE_MOST = 32
};

typedef struct
{
  char *domain, *op, *error_code, *error_text;
  int line, opset;
  gboolean nograd, f64_only;
  kt_attr attrs[CASE_MOST];
  KetteTensor *tensors[CASE_MOST];             /* of attributes */
  GPtrArray *kept;                             /* what else attributes point to */
  KetteTensor *in[CASE_MOST], *out[CASE_MOST]; /* NULL: absent */
  gboolean any[CASE_MOST];                     /* output I may hold any elements */
  int n_attrs, n_in, n_out;
} Case;

/* The cases of TEXT, in order. NULL with *problem set where TEXT is no such form. */
GPtrArray *case_parse (const char *text, char **problem);
