/* SPDX-License-Identifier: Apache-2.0
 * Unpacks scanned bytes with an allocator that has a cap, and puts the weights back where
 * the scan left stubs: as pointers into the file, not as copies.
 */
#include "io/scan.h"
#include "onnx.pb-c.h"
#include <string.h>

#define SMALL ((size_t) 1024)

/* In front of each block. Small ones die with the region; large ones can be given back,
 * which protobuf-c does with its lists of fields while it unpacks. */
typedef struct Block Block;
struct Block
{
  Block *next, *prev; /* prev NULL and next NULL and size <= SMALL: in the region */
  size_t size;
  size_t unused; /* keeps the header at a multiple of 16 bytes */
};

static void *
message_alloc (void *data, size_t size)
{
  KetteMessage *self = data;
  Block *block;
  size_t total;

  if (size > self->cap - self->used || !_kette_add (size, sizeof *block, &total))
    {
      self->refused = TRUE;
      return NULL;
    }
  if (size <= SMALL)
    block = _kette_region_alloc (self->region, 1, total, NULL);
  else
    block = _kette_alloc_raw (_kette_account_process (), total, 1, NULL);
  if (!block)
    return NULL;
  *block = (Block){ .size = size };
  if (size > SMALL)
    {
      block->next = self->large;
      if (block->next)
        block->next->prev = block;
      self->large = block;
    }
  self->used += size;
  return block + 1;
}

static void
message_release (void *data, void *pointer)
{
  KetteMessage *self = data;
  Block *block       = pointer;

  if (!pointer)
    return;
  block--;
  self->used -= block->size;
  if (block->size <= SMALL)
    return;
  if (block->prev)
    block->prev->next = block->next;
  else
    self->large = block->next;
  if (block->next)
    block->next->prev = block->prev;
  _kette_free (block);
}

void
_kette_message_free (gpointer message)
{
  KetteMessage *self = message;

  if (!self)
    return;
  for (Block *block = self->large, *next; block; block = next)
    {
      next = block->next;
      _kette_free (block);
    }
  _kette_region_free (self->region);
  g_clear_pointer (&self->bytes, g_bytes_unref);
  _kette_free (self);
}

/* Turns a stub into a pointer to the file's bytes. */
static gboolean
fill_raw_data (Onnx__TensorProto *tensor, GBytes *bytes, GError **error)
{
  size_t size;
  const uint8_t *data = g_bytes_get_data (bytes, &size);
  uint64_t stub[2];

  if (!tensor->has_raw_data || tensor->raw_data.len < KETTE_STUB_BYTES)
    return TRUE;
  if (tensor->raw_data.len != KETTE_STUB_BYTES)
    return _kette_fail (error, KETTE_ERROR_INTERNAL, NULL,
                        "a stub of %zu bytes; please report this", tensor->raw_data.len);
  memcpy (stub, tensor->raw_data.data, sizeof stub);
  if (stub[0] > size || stub[1] > size - stub[0])
    return _kette_fail (error, KETTE_ERROR_INTERNAL, NULL,
                        "a stub outside the file; please report this");
  tensor->raw_data.data = (uint8_t *) data + stub[0];
  tensor->raw_data.len  = (size_t) stub[1];
  return TRUE;
}

typedef struct
{
  ProtobufCMessage *message;
  unsigned field;
  size_t element;
} Place;

/* The next sub-message of PLACE, or NULL; moves on. */
static ProtobufCMessage *
next_child (Place *place)
{
  const ProtobufCMessageDescriptor *type = place->message->descriptor;
  const char *base                       = (const char *) place->message;

  for (; place->field < type->n_fields; place->field++, place->element = 0)
    {
      const ProtobufCFieldDescriptor *f = &type->fields[place->field];

      if (f->type != PROTOBUF_C_TYPE_MESSAGE)
        continue;
      if (f->label == PROTOBUF_C_LABEL_REPEATED)
        {
          size_t n                 = *(const size_t *) (base + f->quantifier_offset);
          ProtobufCMessage **array = *(ProtobufCMessage * *const *) (base + f->offset);

          if (place->element < n)
            return array[place->element++];
          continue;
        }
      if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
          && *(const uint32_t *) (base + f->quantifier_offset) != f->id)
        continue;
      if (place->element++ == 0 && *(ProtobufCMessage *const *) (base + f->offset))
        return *(ProtobufCMessage *const *) (base + f->offset);
    }
  return NULL;
}

static gboolean
fill_all (ProtobufCMessage *root, GBytes *bytes, GError **error)
{
  Place stack[KETTE_MOST_DEPTH + 1];
  int depth = 0;

  stack[0] = (Place){ .message = root };
  if (root->descriptor == &onnx__tensor_proto__descriptor
      && !fill_raw_data ((Onnx__TensorProto *) root, bytes, error))
    return FALSE;
  while (depth >= 0)
    {
      ProtobufCMessage *child = next_child (&stack[depth]);

      if (!child)
        {
          depth--;
          continue;
        }
      if (child->descriptor == &onnx__tensor_proto__descriptor
          && !fill_raw_data ((Onnx__TensorProto *) child, bytes, error))
        return FALSE;
      if (depth == KETTE_MOST_DEPTH)
        return _kette_fail (error, KETTE_ERROR_LIMIT, "graph",
                            "messages nested more than %d deep", KETTE_MOST_DEPTH);
      stack[++depth] = (Place){ .message = child };
    }
  return TRUE;
}

KetteMessage *
_kette_message_new (GBytes *bytes, const ProtobufCMessageDescriptor *type,
                    const KetteLimits *limits, GError **error)
{
  KetteThin thin = { 0 };
  ProtobufCAllocator allocator;
  KetteMessage *self;

  self = _kette_alloc (_kette_account_process (), 1, sizeof *self, error);
  if (!self)
    return NULL;
  self->bytes  = g_bytes_ref (bytes);
  self->cap    = _kette_scan_cap (limits, g_bytes_get_size (bytes));
  self->region = _kette_region_new (error);
  if (!self->region || !_kette_scan (bytes, type, limits, &thin, error))
    goto failed;
  allocator  = (ProtobufCAllocator){ .alloc          = message_alloc,
                                     .free           = message_release,
                                     .allocator_data = self };
  self->root = protobuf_c_message_unpack (type, &allocator, thin.n, thin.data);
  if (!self->root)
    {
      if (self->refused)
        _kette_scan_too_much (self->cap, error);
      else
        _kette_fail (error, KETTE_ERROR_MEMORY, "graph", "no memory to unpack %zu bytes",
                     thin.n);
      goto failed;
    }
  _kette_free (thin.data);
  thin.data = NULL;
  if (!fill_all (self->root, bytes, error))
    goto failed;
  return self;

failed:
  _kette_free (thin.data);
  _kette_message_free (self);
  return NULL;
}
