/* SPDX-License-Identifier: Apache-2.0
 * The tensors of a model that is saved with external data, or was loaded with such. Messages
 * are not changed, because many are those of the loaded file: the ones on the way to a tensor
 * are copied; data are pointed to.
 */
#include "io/save-data.h"
#include <string.h>

typedef struct
{
  ProtobufCMessage ***slots; /* a stack of places whose messages are still to be copied */
  size_t n, capacity;
} Stack;

/* Messages below which tensors may be. */
static gboolean
may_hold (const ProtobufCMessageDescriptor *type)
{
  static const ProtobufCMessageDescriptor *const types[] = {
    &onnx__node_proto__descriptor,          &onnx__attribute_proto__descriptor,
    &onnx__graph_proto__descriptor,         &onnx__tensor_proto__descriptor,
    &onnx__sparse_tensor_proto__descriptor, &onnx__function_proto__descriptor,
    &onnx__training_info_proto__descriptor,
  };

  for (size_t i = 0; i < G_N_ELEMENTS (types); i++)
    if (type == types[i])
      return TRUE;
  return FALSE;
}

static gboolean
push (Stack *stack, ProtobufCMessage **slot, GError **error)
{
  if (stack->n == stack->capacity
      && !_kette_grow (&stack->slots, &stack->capacity, stack->n + 1,
                       sizeof *stack->slots, error))
    return FALSE;
  stack->slots[stack->n++] = slot;
  return TRUE;
}

/* The fields of MESSAGE, a copy, that may lead to tensors: the last one first, so that the
 * first one is on top. */
static gboolean
push_fields (KetteData *self, Stack *stack, ProtobufCMessage *message, GError **error)
{
  const ProtobufCMessageDescriptor *type = message->descriptor;
  char *base                             = (char *) message;

  for (unsigned i = type->n_fields; i-- > 0;)
    {
      const ProtobufCFieldDescriptor *f = &type->fields[i];

      if (f->type != PROTOBUF_C_TYPE_MESSAGE || !may_hold (f->descriptor))
        continue;
      if (f->label == PROTOBUF_C_LABEL_REPEATED)
        {
          const size_t n            = *(size_t *) (base + f->quantifier_offset);
          ProtobufCMessage ***array = (ProtobufCMessage ***) (base + f->offset);

          if (n == 0)
            continue;
          *array
              = _kette_region_dup (self->saver->region, *array, n, sizeof **array, error);
          if (!*array)
            return FALSE;
          for (size_t k = n; k-- > 0;)
            if (!push (stack, *array + k, error))
              return FALSE;
        }
      else if (!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
               && *(ProtobufCMessage **) (base + f->offset)
               && !push (stack, (ProtobufCMessage **) (base + f->offset), error))
        return FALSE;
    }
  return TRUE;
}

/* Numbers in typed fields as they lie in memory. */
static gboolean
decode (KetteData *self, const Onnx__TensorProto *old, Onnx__TensorProto *tensor,
        GError **error)
{
  const KetteTensorSource source = { .limits = _kette_limits_most () };
  KetteTensor *data;

  if (self->n_decoded == self->decoded_capacity
      && !_kette_grow (&self->decoded, &self->decoded_capacity, self->n_decoded + 1,
                       sizeof *self->decoded, error))
    return FALSE;
  data = _kette_tensor_from_proto (old, &source, NULL, error);
  if (!data)
    return FALSE;
  self->decoded[self->n_decoded++] = data;
  if (data->bytes < KETTE_DATA_LEAST)
    return TRUE;
  return _kette_saver_content (self->saver, tensor, data, error);
}

static gboolean
is_typed (const Onnx__TensorProto *t)
{
  return !t->has_raw_data && t->n_string_data == 0
         && (t->n_float_data || t->n_int32_data || t->n_int64_data || t->n_double_data
             || t->n_uint64_data);
}

/* Bytes that typed fields may stand for at most. */
static size_t
typed_bytes (const Onnx__TensorProto *t)
{
  return (t->n_float_data + t->n_int32_data) * 4
         + (t->n_int64_data + t->n_double_data + t->n_uint64_data) * 8;
}

static gboolean
take_tensor (KetteData *self, const Onnx__TensorProto *old, Onnx__TensorProto *tensor,
             gboolean outside, GError **error)
{
  if (old->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
    {
      const KetteExternalData *data = _kette_model_external (self->saver->model, old);

      if (!data)
        return _kette_fail (error, KETTE_ERROR_INTERNAL, NULL,
                            "the external data of tensor %s are not known; please "
                            "report this",
                            KETTE_QUOTE (_kette_text (old->name)));
      tensor->has_data_location = FALSE;
      tensor->data_location     = ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT;
      tensor->n_external_data   = 0;
      tensor->external_data     = NULL;
      tensor->has_raw_data      = TRUE;
      tensor->raw_data.len      = data->n;
      tensor->raw_data.data
          = (uint8_t *) g_bytes_get_data (data->bytes, NULL) + data->offset;
    }
  if (!outside)
    return TRUE;
  if (is_typed (old) && typed_bytes (old) >= KETTE_DATA_LEAST
      && !decode (self, old, tensor, error))
    return FALSE;
  if (!tensor->has_raw_data || tensor->raw_data.len < KETTE_DATA_LEAST)
    return TRUE;
  if (self->n == self->capacity
      && !_kette_grow (&self->tensors, &self->capacity, self->n + 1,
                       sizeof *self->tensors, error))
    return FALSE;
  self->tensors[self->n++] = tensor;
  return TRUE;
}

static Onnx__TensorProto *
copy_tensor (KetteData *self, const Onnx__TensorProto *old, gboolean outside,
             GError **error)
{
  Onnx__TensorProto *copy
      = _kette_region_dup (self->saver->region, old, 1, sizeof *old, error);

  return copy && take_tensor (self, old, copy, outside, error) ? copy : NULL;
}

/* The indices stay inside: that is where readers look for them. */
static gboolean
copy_sparse (KetteData *self, Onnx__SparseTensorProto *sparse, GError **error)
{
  return (!sparse->indices
          || (sparse->indices = copy_tensor (self, sparse->indices, FALSE, error)))
         && (!sparse->values
             || (sparse->values
                 = copy_tensor (self, sparse->values, self->outside, error)));
}

static gboolean
copy_one (KetteData *self, Stack *stack, ProtobufCMessage **slot, GError **error)
{
  const ProtobufCMessage *old            = *slot;
  const ProtobufCMessageDescriptor *type = old->descriptor;

  if (type == &onnx__tensor_proto__descriptor)
    {
      Onnx__TensorProto *copy
          = copy_tensor (self, (const Onnx__TensorProto *) old, self->outside, error);

      *slot = (ProtobufCMessage *) copy;
      return copy != NULL;
    }
  *slot = _kette_region_dup (self->saver->region, old, 1, type->sizeof_message, error);
  if (!*slot)
    return FALSE;
  return type == &onnx__sparse_tensor_proto__descriptor
             ? copy_sparse (self, (Onnx__SparseTensorProto *) *slot, error)
             : push_fields (self, stack, *slot, error);
}

gboolean
_kette_data_collect (KetteData *self, const Onnx__ModelProto *model, GError **error)
{
  Stack stack            = { 0 };
  ProtobufCMessage *root = (ProtobufCMessage *) (void *) model;
  gboolean ok            = push (&stack, &root, error);

  while (ok && stack.n > 0)
    ok = copy_one (self, &stack, stack.slots[--stack.n], error);
  _kette_free (stack.slots);
  self->model = (Onnx__ModelProto *) root;
  return ok;
}
