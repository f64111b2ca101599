/* SPDX-License-Identifier: Apache-2.0
 * A mutator that knows what a model is made of: unpacks the message, edits a few fields of a
 * few of its messages, and packs it again. Most results still load, or fail late.
 */
#include "mutate.h"
#include <string.h>

uint64_t
_fuzz_next (Mutator *m)
{
  uint64_t z = m->state += UINT64_C (0x9e3779b97f4a7c15);

  z = (z ^ z >> 30) * UINT64_C (0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C (0x94d049bb133111eb);
  return z ^ z >> 31;
}

size_t
_fuzz_below (Mutator *m, size_t n)
{
  return n ? (size_t) (_fuzz_next (m) % n) : 0;
}

void *
_fuzz_alloc (Mutator *m, size_t count, size_t size)
{
  GError *error = NULL;
  void *out     = _kette_region_alloc (m->region, count, size, &error);

  if (!out)
    fuzz_fault ("the mutator has no memory: %s", error->message);
  return out;
}

/* -- the messages of a model --------------------------------------------------------------- */

static gboolean
is_set (const ProtobufCMessage *message, const ProtobufCFieldDescriptor *f)
{
  return !(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
         || *(const uint32_t *) FUZZ_AT (message, f->quantifier_offset) == f->id;
}

static void
note_children (Mutator *m, ProtobufCMessage *message)
{
  const ProtobufCMessageDescriptor *type = message->descriptor;

  for (unsigned i = 0; i < type->n_fields; i++)
    {
      const ProtobufCFieldDescriptor *f = &type->fields[i];
      const size_t n                    = f->label == PROTOBUF_C_LABEL_REPEATED
                                              ? *(size_t *) FUZZ_AT (message, f->quantifier_offset)
                                              : 1;
      void **list                       = f->label == PROTOBUF_C_LABEL_REPEATED
                                              ? *(void ***) FUZZ_AT (message, f->offset)
                                              : (void **) FUZZ_AT (message, f->offset);

      if ((f->type != PROTOBUF_C_TYPE_MESSAGE && f->type != PROTOBUF_C_TYPE_STRING)
          || !is_set (message, f))
        continue;
      for (size_t k = 0; k < n; k++)
        if (list[k] && list[k] != f->default_value)
          g_ptr_array_add (f->type == PROTOBUF_C_TYPE_MESSAGE ? m->messages : m->texts,
                           list[k]);
    }
}

/* All messages of the tree, breadth first, and all texts. */
static void
note_all (Mutator *m)
{
  g_ptr_array_set_size (m->messages, 0);
  g_ptr_array_set_size (m->texts, 0);
  g_ptr_array_add (m->messages, m->root);
  for (guint i = 0; i < m->messages->len; i++)
    note_children (m, m->messages->pdata[i]);
}

ProtobufCMessage *
_fuzz_any (Mutator *m, const ProtobufCMessageDescriptor *type)
{
  const guint n     = m->messages->len;
  const guint start = (guint) _fuzz_below (m, n);

  for (guint i = 0; i < n; i++)
    {
      ProtobufCMessage *message = m->messages->pdata[(start + i) % n];

      if (!type || message->descriptor == type)
        return message;
    }
  return NULL;
}

char *
_fuzz_any_text (Mutator *m)
{
  return m->texts->len ? m->texts->pdata[_fuzz_below (m, m->texts->len)] : (char *) "";
}

static void *
region_alloc (void *data, size_t size)
{
  return _fuzz_alloc (data, size, 1);
}

static void
region_free (void *data, void *pointer)
{
  (void) data;
  (void) pointer;
}

ProtobufCMessage *
_fuzz_copy (Mutator *m, const ProtobufCMessage *message)
{
  ProtobufCAllocator allocator = { region_alloc, region_free, m };
  const size_t n               = protobuf_c_message_get_packed_size (message);
  uint8_t *bytes;

  if (n > m->most)
    return NULL;
  bytes = _fuzz_alloc (m, n + 1, 1);
  protobuf_c_message_pack (message, bytes);
  return protobuf_c_message_unpack (message->descriptor, &allocator, n, bytes);
}

/* -- packing --------------------------------------------------------------------------------- */

/* One byte of a text, where it stands in the packed message. */
static void
spoil_text (Mutator *m, uint8_t *data, size_t n)
{
  static const uint8_t bad[] = { 0, 0xff, 0xc0, 0xed, 0x80, 0x1b };
  const char *text           = _fuzz_any_text (m);
  const size_t length        = strlen (text);
  uint8_t *at                = length ? memmem (data, n, text, length) : NULL;

  if (at)
    at[_fuzz_below (m, length)] = bad[_fuzz_below (m, G_N_ELEMENTS (bad))];
}

static size_t
edit_and_pack (Mutator *m, uint8_t *data)
{
  size_t n;
  uint8_t *out;

  /* Mostly one edit: what has many faults is refused for the first. */
  for (int i = 0; i < 4 && (i == 0 || _fuzz_below (m, 3) == 0); i++)
    {
      note_all (m);
      if (_fuzz_below (m, 2))
        _fuzz_edit_field (m);
      else
        _fuzz_edit_model (m);
    }
  n = protobuf_c_message_get_packed_size (m->root);
  if (n > m->most)
    return 0;
  /* The weights still point into DATA's copy; DATA itself may be written. */
  out = _fuzz_alloc (m, n + 1, 1);
  n   = protobuf_c_message_pack (m->root, out);
  if (_fuzz_below (m, 32) == 0)
    {
      note_all (m);
      spoil_text (m, out, n);
    }
  memcpy (data, out, n);
  return n;
}

size_t
fuzz_mutate_model (uint8_t *data, size_t n, size_t most, uint64_t seed)
{
  GBytes *bytes = g_bytes_new (data, n);
  Mutator m     = { .state = seed, .most = most };
  KetteMessage *message;
  KetteLimits limits;
  size_t size = 0;

  _kette_limits_complete (NULL, &limits);
  message = _kette_message_new (bytes, &onnx__model_proto__descriptor, &limits, NULL);

  m.region = _kette_region_new (NULL);
  if (message && m.region)
    {
      m.root     = message->root;
      m.messages = g_ptr_array_new ();
      m.texts    = g_ptr_array_new ();
      size       = edit_and_pack (&m, data);
      g_ptr_array_unref (m.messages);
      g_ptr_array_unref (m.texts);
    }
  _kette_region_free (m.region);
  _kette_message_free (message);
  g_bytes_unref (bytes);
  return size;
}
