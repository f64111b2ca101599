/* SPDX-License-Identifier: Apache-2.0
 * Attributes: deep copies into a graph, whose region and tensors then hold what they point to.
 */
#include "graph/sparse.h"
#include <string.h>

/* Bytes, with a zero byte behind them. */
static const char *
copy_bytes (KetteRegion *region, const char *s, size_t n, GError **error)
{
  char *copy = n < SIZE_MAX ? _kette_region_alloc (region, n + 1, 1, error) : NULL;

  if (copy && n > 0)
    memcpy (copy, s, n);
  return copy;
}

static gboolean
copy_strings (KetteRegion *region, const kt_attr *attr, kt_attr *out, GError **error)
{
  const kt_str *from = attr->v;
  kt_str *to         = _kette_region_alloc (region, attr->n, sizeof *to, error);

  for (size_t i = 0; to && i < attr->n; i++)
    {
      to[i].n = from[i].n;
      to[i].s = copy_bytes (region, from[i].s, from[i].n, error);
      if (!to[i].s)
        return FALSE;
    }
  out->v = to;
  return to != NULL;
}

static gboolean
copy_types (KetteRegion *region, const kt_attr *attr, kt_attr *out, GError **error)
{
  const kt_type *from = attr->v;
  kt_type *to         = _kette_region_alloc (region, attr->n, sizeof *to, error);

  for (size_t i = 0; to && i < attr->n; i++)
    if (!_kette_type_copy (region, &from[i], &to[i], error))
      return FALSE;
  out->v = to;
  return to != NULL;
}

/* A copy of the tensor behind VIEW, kept by GRAPH, becomes what VIEW sees. */
static gboolean
own_view (KetteGraph *graph, kt_tensor *view, GError **error)
{
  KetteTensor *tensor;

  if (!_kette_grow (&graph->kept, &graph->kept_capacity, graph->n_kept + 1,
                    sizeof *graph->kept, error))
    return FALSE;
  tensor = _kette_tensor_from_view (view, _kette_dtype_of_view (view), error);
  if (!tensor)
    return FALSE;
  graph->kept[graph->n_kept++] = tensor;
  _kette_tensor_view (tensor, view);
  return TRUE;
}

static gboolean
copy_tensors (KetteGraph *graph, const kt_attr *attr, gboolean shared, kt_attr *out,
              GError **error)
{
  kt_tensor *views
      = _kette_region_dup (graph->region, attr->v, attr->n, sizeof *views, error);

  for (size_t i = 0; views && !shared && i < attr->n; i++)
    if (!_kette_model_sparse (graph->model, &views[i])
        && !own_view (graph, &views[i], error))
      return FALSE;
  out->v = views;
  return views != NULL;
}

gboolean
_kette_attr_copy (KetteGraph *graph, const kt_attr *attr, gboolean shared, kt_attr *out,
                  GError **error)
{
  KetteRegion *region = graph->region;
  kt_attr from        = *attr;

  *out      = from;
  out->v    = NULL;
  out->name = _kette_region_strdup (region, from.name, error);
  out->ref
      = from.ref && out->name ? _kette_region_strdup (region, from.ref, error) : NULL;
  if (!out->name || (from.ref && !out->ref))
    return FALSE;
  if (!from.v)
    {
      out->n = 0;
      return TRUE;
    }
  switch (from.kind)
    {
    case KT_A_STRING:
      out->v = copy_bytes (region, from.v, from.n, error);
      return out->v != NULL;
    case KT_A_INTS:
      out->v = _kette_region_dup (region, from.v, from.n, sizeof (int64_t), error);
      return out->v != NULL;
    case KT_A_FLOATS:
      out->v = _kette_region_dup (region, from.v, from.n, sizeof (float), error);
      return out->v != NULL;
    case KT_A_STRINGS:
      return copy_strings (region, &from, out, error);
    case KT_A_TENSOR:
    case KT_A_SPARSE_TENSOR:
      out->n = from.n = 1; /* one, said or not */
      return copy_tensors (graph, &from, shared, out, error);
    case KT_A_TENSORS:
    case KT_A_SPARSE_TENSORS:
      return copy_tensors (graph, &from, shared, out, error);
    case KT_A_TYPE:
      out->n = from.n = 1;
      return copy_types (region, &from, out, error);
    case KT_A_TYPES:
      return copy_types (region, &from, out, error);
    default: /* FLOAT, INT: in the struct; graphs are no part of it */
      out->n = 0;
      return TRUE;
    }
}
