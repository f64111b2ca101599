/* SPDX-License-Identifier: Apache-2.0
 * Every tensor of the model by itself, before any name is looked at. The lists made here are
 * read again in the same order when values and nodes are made.
 */
#include "graph/sparse.h"
#include "io/build.h"
#include <string.h>

/* Takes STORED over. */
static gboolean
push (KetteScope *scope, KetteStored stored, GError **error)
{
  if (!stored.tensor && !stored.sparse)
    return FALSE;
  if (scope->n_tensors == scope->tensors_capacity
      && !_kette_grow (&scope->tensors, &scope->tensors_capacity, scope->n_tensors + 1,
                       sizeof *scope->tensors, error))
    {
      kette_tensor_unref (stored.tensor);
      _kette_sparse_unref (stored.sparse);
      return FALSE;
    }
  scope->tensors[scope->n_tensors++] = stored;
  return TRUE;
}

static gboolean
push_proto (KetteBuild *b, size_t scope, const Onnx__TensorProto *proto,
            const char *where, GError **error)
{
  const KetteTensorSource source
      = { b->message->bytes, b->external, &b->loading->limits };

  const KetteStored stored
      = { .tensor = _kette_tensor_from_proto (proto, &source, where, error) };

  return push (&b->scopes[scope], stored, error) || _kette_build_go_on (b, error);
}

static gboolean
push_sparse (KetteBuild *b, size_t scope, const Onnx__SparseTensorProto *proto,
             const char *where, GError **error)
{
  const KetteTensorSource source
      = { b->message->bytes, b->external, &b->loading->limits };

  const KetteStored stored
      = { .sparse = _kette_sparse_from_proto (proto, &source, where, error) };

  return push (&b->scopes[scope], stored, error) || _kette_build_go_on (b, error);
}

static gboolean
attribute_tensors (KetteBuild *b, size_t scope, const Onnx__AttributeProto *a,
                   const char *where, GError **error)
{
  if (a->t && !push_proto (b, scope, a->t, where, error))
    return FALSE;
  for (size_t i = 0; i < a->n_tensors; i++)
    if (!push_proto (b, scope, a->tensors[i], where, error))
      return FALSE;
  if (a->sparse_tensor && !push_sparse (b, scope, a->sparse_tensor, where, error))
    return FALSE;
  for (size_t i = 0; i < a->n_sparse_tensors; i++)
    if (!push_sparse (b, scope, a->sparse_tensors[i], where, error))
      return FALSE;
  return TRUE;
}

static gboolean
has_tensors (const Onnx__AttributeProto *a)
{
  return a->t || a->n_tensors || a->sparse_tensor || a->n_sparse_tensors;
}

static gboolean
graph_tensors (KetteBuild *b, size_t index, GError **error)
{
  const Onnx__GraphProto *proto = b->scopes[index].proto;
  char where[KETTE_WHERE_SIZE];

  for (size_t i = 0; i < proto->n_initializer; i++)
    if (!push_proto (b, index, proto->initializer[i],
                     _kette_scope_where (b, index, -1, "initializer",
                                         _kette_text (proto->initializer[i]->name),
                                         where),
                     error))
      return FALSE;
  for (size_t i = 0; i < proto->n_sparse_initializer; i++)
    {
      const Onnx__SparseTensorProto *sparse = proto->sparse_initializer[i];
      const char *name = sparse->values ? _kette_text (sparse->values->name) : "";

      if (!push_sparse (b, index, sparse,
                        _kette_scope_where (b, index, -1, "initializer", name, where),
                        error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
scope_tensors (KetteBuild *b, size_t index, GError **error)
{
  const KetteScope *scope = &b->scopes[index];
  char where[KETTE_WHERE_SIZE];

  if (scope->proto && !graph_tensors (b, index, error))
    return FALSE;
  for (size_t i = 0; i < scope->n_nodes; i++)
    for (size_t k = 0; k < scope->nodes[i]->n_attribute; k++)
      {
        const Onnx__AttributeProto *a = scope->nodes[i]->attribute[k];

        if (has_tensors (a)
            && !attribute_tensors (b, index, a,
                                   _kette_scope_where_attr (b, index, i, a->name, where),
                                   error))
          return FALSE;
      }
  for (size_t k = 0; scope->function && k < scope->function->n_attribute_proto; k++)
    {
      const Onnx__AttributeProto *a = scope->function->attribute_proto[k];

      if (has_tensors (a)
          && !attribute_tensors (b, index, a,
                                 _kette_scope_where (b, index, -1, "attribute",
                                                     _kette_text (a->name), where),
                                 error))
        return FALSE;
    }
  return TRUE;
}

gboolean
_kette_build_tensors (KetteBuild *b, GError **error)
{
  for (size_t i = 0; i < b->n_scopes; i++)
    if (!scope_tensors (b, i, error))
      return FALSE;
  return TRUE;
}
