/* SPDX-License-Identifier: Apache-2.0
 * Sparse tensors: life, and how they become dense.
 */
#include "graph/sparse.h"
#include <string.h>

KetteSparse *
_kette_sparse_new (const int64_t *dims, int rank, size_t count, KetteTensor *values,
                   KetteTensor *indices, const void *proto, GError **error)
{
  KetteSparse *self = _kette_alloc (NULL, 1, sizeof *self, error);

  if (!self)
    return NULL;
  self->ref   = 1;
  self->dtype = values->dtype;
  self->rank  = rank;
  if (rank > 0)
    memcpy (self->dims, dims, (size_t) rank * sizeof *dims);
  self->values  = kette_tensor_ref (values);
  self->indices = kette_tensor_ref (indices);
  self->proto   = proto;
  self->count   = count;
  return self;
}

KetteSparse *
_kette_sparse_ref (KetteSparse *self)
{
  g_atomic_int_inc (&self->ref);
  return self;
}

void
_kette_sparse_unref (KetteSparse *self)
{
  if (!self || !g_atomic_int_dec_and_test (&self->ref))
    return;
  kette_tensor_unref (self->values);
  kette_tensor_unref (self->indices);
  kette_tensor_unref (self->dense);
  _kette_free (self);
}

int64_t
_kette_sparse_place (const KetteSparse *self, size_t i)
{
  const int64_t *index = self->indices->data;
  int64_t place        = 0;

  if (self->indices->rank == 1)
    return index[i];
  for (int k = 0; k < self->rank; k++)
    place = place * self->dims[k] + index[i * (size_t) self->rank + (size_t) k];
  return place;
}

KetteTensor *
_kette_sparse_dense (KetteSparse *self, GError **error)
{
  static GMutex mutex;
  size_t width;

  g_mutex_lock (&mutex);
  if (!self->dense)
    self->dense = kette_tensor_new (self->dtype, self->dims, (guint) self->rank, error);
  else
    {
      g_mutex_unlock (&mutex);
      return kette_tensor_ref (self->dense);
    }
  width = (size_t) _kette_dtype (self->dtype)->bits / 8;
  for (size_t i = 0; self->dense && i < self->values->count; i++)
    memcpy ((char *) self->dense->data + (size_t) _kette_sparse_place (self, i) * width,
            (const char *) self->values->data + i * width, width);
  g_mutex_unlock (&mutex);
  return self->dense ? kette_tensor_ref (self->dense) : NULL;
}

gboolean
_kette_model_keep_sparse (KetteModel *model, KetteSparse *sparse, kt_tensor *view,
                          GError **error)
{
  const KetteDtype *type = _kette_dtype (sparse->dtype);

  if (model->n_sparse == model->sparse_capacity
      && !_kette_grow (&model->sparse, &model->sparse_capacity, model->n_sparse + 1,
                       sizeof *model->sparse, error))
    return FALSE;
  model->sparse[model->n_sparse++] = _kette_sparse_ref (sparse);
  *view                            = (kt_tensor){ .device_type = KT_CPU,
                                                  .ndim        = sparse->rank,
                                                  .code        = type->code,
                                                  .bits        = type->bits,
                                                  .lanes       = 1,
                                                  .shape       = sparse->dims,
                                                  .byte_offset = model->n_sparse };
  return TRUE;
}

KetteSparse *
_kette_model_sparse (const KetteModel *model, const kt_tensor *view)
{
  return !view->data && view->byte_offset > 0 && view->byte_offset <= model->n_sparse
             ? model->sparse[view->byte_offset - 1]
             : NULL;
}

/* An error of memory says which tensor it was. */
static KetteTensor *
dense_of (KetteSparse *sparse, const char *where, GError **error)
{
  GError *inner       = NULL;
  KetteTensor *tensor = _kette_sparse_dense (sparse, &inner);
  const kt_type type  = {
     .kind = KT_TENSOR, .dtype = sparse->dtype, .ndim = sparse->rank, .dims = sparse->dims
  };
  const KetteAccount *account = _kette_account_process ();
  char text[256];

  if (tensor)
    return tensor;
  _kette_fail (error, KETTE_ERROR_MEMORY, where,
               "%s with %zu entries needs %.0f bytes when it is dense, %zu of %zu are in "
               "use",
               _kette_type_text (text, sizeof text, &type, NULL), sparse->values->count,
               (double) sparse->count * _kette_dtype (sparse->dtype)->bits / 8,
               account->used, account->cap);
  g_clear_error (&inner);
  return NULL;
}

static gboolean
make_attribute_dense (KetteNode *node, kt_attr *attr, GError **error)
{
  KetteGraph *graph = node->graph;
  kt_tensor *views  = (kt_tensor *) (void *) attr->v; /* in the graph's own region */
  char where[KETTE_WHERE_SIZE];

  for (size_t i = 0; i < attr->n; i++)
    {
      KetteSparse *sparse = _kette_model_sparse (graph->model, &views[i]);
      KetteTensor *dense;

      if (!sparse)
        continue;
      dense = dense_of (sparse, _kette_node_where (node, where), error);
      if (!dense
          || !_kette_grow (&graph->kept, &graph->kept_capacity, graph->n_kept + 1,
                           sizeof (KetteTensor *), error))
        {
          kette_tensor_unref (dense);
          return FALSE;
        }
      graph->kept[graph->n_kept++] = dense;
      _kette_tensor_view (dense, &views[i]);
    }
  return TRUE;
}

static gboolean
make_values_dense (KetteGraph *graph, GError **error)
{
  char where[KETTE_WHERE_SIZE];

  for (size_t i = 0; i < graph->n_values; i++)
    {
      KetteValue *v = graph->values[i];
      KetteTensor *dense;

      if (!v->sparse)
        continue;
      g_snprintf (where, sizeof where, "initializer %s", KETTE_QUOTE (v->name));
      dense = dense_of (v->sparse, where, error);
      if (!dense)
        return FALSE;
      _kette_value_set_data (v, dense);
      _kette_value_set_sparse (v, NULL);
      kette_tensor_unref (dense);
    }
  return TRUE;
}

gboolean
_kette_graph_make_dense (KetteGraph *graph, GError **error)
{
  KetteGraph **list = NULL;
  size_t n = 0, capacity = 0;
  gboolean ok = _kette_grow (&list, &capacity, 1, sizeof *list, error);

  if (ok)
    list[n++] = graph;
  for (size_t g = 0; ok && g < n; g++)
    {
      ok = make_values_dense (list[g], error);
      for (size_t i = 0; ok && i < list[g]->n_nodes; i++)
        {
          KetteNode *node = list[g]->nodes[i];

          for (int32_t k = 0; ok && k < node->n_attrs; k++)
            {
              if (node->attrs[k].kind == KT_A_SPARSE_TENSOR
                  || node->attrs[k].kind == KT_A_SPARSE_TENSORS)
                ok = make_attribute_dense (node, &node->attrs[k], error);
              if (!ok || !node->subgraphs || !node->subgraphs[k])
                continue;
              ok = _kette_grow (&list, &capacity, n + 1, sizeof *list, error);
              if (ok)
                list[n++] = node->subgraphs[k];
            }
        }
    }
  _kette_free (list);
  return ok;
}
