/* SPDX-License-Identifier: Apache-2.0
 * The registry: operators and kernels of all loaded plugins. The core knows none by name.
 */
#pragma once
#include "graph/graph-private.h"
#include "op/plugins.h"

typedef struct _KetteOp KetteOp;
typedef struct _KetteKernel KetteKernel;
typedef struct _KetteFamily KetteFamily;

/* One definition (domain, name, since). Descriptors are copied at registration and live
 * until the process ends, as plugins are never unloaded. */
struct _KetteOp
{
  kt_op op;
  kt_attr *defaults; /* one per op.attr, kind 0: none */
  KetteFamily *family;
  const char *plugin; /* file name */
};

struct _KetteKernel
{
  kt_kernel kernel;
  KetteFamily *family;
  const char *plugin;
};

/* All of one (domain, name): definitions newest first, kernels by falling priority. */
struct _KetteFamily
{
  const char *domain, *name;
  KetteOp **ops;
  KetteKernel **kernels;
  size_t n_ops, n_kernels, ops_capacity, kernels_capacity;
};

const KetteFamily *_kette_registry_family (const char *domain,
                                           const char *name); /* or NULL */
/* The definition for an imported opset: the newest with since <= OPSET; NULL: none. */
const KetteOp *_kette_registry_op (const char *domain, const char *name, int32_t opset);
/* Families in order of registration. */
const KetteFamily *_kette_registry_nth (size_t i); /* NULL beyond the last */
/* The operator whose name is nearest to NAME (edit distance <= 2) in DOMAIN, or NULL. */
const char *_kette_registry_nearest (const char *domain, const char *name);
/* Newest opset of DOMAIN that a loaded definition has; 0: unknown domain. */
int32_t _kette_registry_newest (const char *domain);
/* Does TYPES, "f32|f64|..." or a variable of OP, hold DTYPE? */
gboolean _kette_op_allows (const kt_op *op, const char *type, int dtype);
/* The same for a type that is no tensor. */
gboolean _kette_op_takes (const kt_op *op, const char *name, const kt_type *type);
/* Can KERNEL serve NODE (resolved, types known) on DEVICE? */
gboolean _kette_kernel_serves (const KetteKernel *kernel, const KetteNode *node,
                               const char *device);

/* layout.c: how a kernel wants operand I to lie: 0 row-major, 8, 16, or ANY ("*"). */
enum
{
  KETTE_LAYOUT_ANY = 1
};
int _kette_layout_tag (const kt_kernel *kernel, gboolean is_out, int32_t i);
/* Is this text (or NULL) what kt_kernel.layout may be? */
gboolean _kette_layout_check (const char *layout);
/* The kernel's own answer, for a node that it serves. */
gboolean _kette_kernel_suits (const KetteKernel *kernel, KetteNode *node);
