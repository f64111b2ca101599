/* SPDX-License-Identifier: Apache-2.0
 * The wire scan: one loop over the bytes of a file, driven by protobuf-c's own descriptors,
 * that finds whatever the unpacker would trip over and writes the thinned copy. Each byte is
 * copied first and looked at in the copy: a mapped file may change under our hands.
 */
#include "io/scan.h"
#include "onnx.pb-c.h"
#include <string.h>

typedef struct
{
  const ProtobufCMessageDescriptor *type;
  const ProtobufCFieldDescriptor *field; /* that holds this message */
  size_t end;                            /* in the file */
  size_t length_at;                      /* in the copy: where its length stands */
  unsigned width;                        /* bytes of that length */
  uint32_t seen;                         /* fields of this message, by index */
} Frame;

typedef struct
{
  const uint8_t *in;
  size_t pos, size; /* in the file */
  size_t field_at;  /* where the current field begins */
  size_t cap;
  const KetteLimits *limits;
  KetteThin *out;
  int depth;
  Frame stack[KETTE_MOST_DEPTH + 1];
  GError **error;
} Scan;

size_t
_kette_scan_cap (const KetteLimits *limits, size_t size)
{
  const size_t memory = _kette_account_process ()->cap;
  size_t cap;

  if (limits->unpacked_bytes > 0)
    return (size_t) MIN (limits->unpacked_bytes, memory);
  if (!_kette_mul (size, 8, &cap) || !_kette_add (cap, (size_t) 256 << 20, &cap))
    return memory;
  return MIN (cap, memory);
}

G_GNUC_PRINTF (3, 4)
static gboolean
scan_fail (Scan *s, KetteErrorCode code, const char *format, ...)
{
  char where[32], text[512];
  va_list args;

  va_start (args, format);
  g_vsnprintf (text, sizeof text, format, args);
  va_end (args);
  g_snprintf (where, sizeof where, "byte %zu", s->field_at);
  return _kette_fail (s->error, code, where, "%s", text);
}

/* The field needs N bytes more than there are before END. */
static gboolean
scan_short (Scan *s, size_t end, uint64_t n)
{
  return scan_fail (s, KETTE_ERROR_FORMAT,
                    "a field needs %" G_GUINT64_FORMAT " byte%s more than the %s has", n,
                    n == 1 ? "" : "s", end == s->size ? "file" : "message around it");
}

static gboolean
scan_charge (Scan *s, size_t n)
{
  if (!_kette_add (s->out->estimate, n, &s->out->estimate) || s->out->estimate > s->cap)
    return _kette_scan_too_much (s->cap, s->error);
  return TRUE;
}

gboolean
_kette_scan_too_much (size_t cap, GError **error)
{
  char hint[96];

  if (cap >= _kette_account_process ()->cap)
    return _kette_fail (error, KETTE_ERROR_MEMORY, "graph",
                        "unpacked it needs more than the %zu bytes of memory that are "
                        "allowed",
                        cap);
  return _kette_fail (error, KETTE_ERROR_LIMIT, "graph",
                      "unpacked it needs more than %zu bytes%s", cap,
                      _kette_limits_hint ("unpacked-bytes", cap, hint));
}

/* Room for N more bytes in the copy. */
static gboolean
scan_room (Scan *s, size_t n)
{
  size_t need;

  if (!_kette_add (s->out->n, n, &need))
    return scan_fail (s, KETTE_ERROR_MEMORY, "the file is too large");
  return need <= s->out->capacity
         || _kette_grow (&s->out->data, &s->out->capacity, need, 1, s->error);
}

static gboolean
scan_copy (Scan *s, size_t n)
{
  if (!scan_room (s, n))
    return FALSE;
  memcpy (s->out->data + s->out->n, s->in + s->pos, n);
  s->out->n += n;
  s->pos += n;
  return TRUE;
}

/* Copies and reads a number of at most MAX bytes that ends before END. */
static gboolean
scan_varint (Scan *s, size_t end, unsigned max, uint64_t *value)
{
  uint64_t v = 0;

  if (!scan_room (s, max))
    return FALSE;
  for (unsigned i = 0; i < max; i++)
    {
      uint8_t byte;

      if (s->pos >= end)
        return scan_short (s, end, 1);
      byte = s->in[s->pos++];

      s->out->data[s->out->n++] = byte;
      if (i == 9 && byte > 1)
        return scan_fail (s, KETTE_ERROR_FORMAT, "a number does not fit 64 bits");
      v |= (uint64_t) (byte & 0x7f) << (7 * i);
      if (byte < 0x80)
        {
          *value = v;
          return TRUE;
        }
    }
  return scan_fail (s, KETTE_ERROR_FORMAT, "a number has more than %u bytes", max);
}

/* Writes VALUE over WIDTH bytes at AT, filled up with empty groups of 7 bits. */
static void
put_varint (uint8_t *at, unsigned width, uint64_t value)
{
  for (unsigned i = 0; i + 1 < width; i++, value >>= 7)
    at[i] = (uint8_t) (value | 0x80);
  at[width - 1] = (uint8_t) (value & 0x7f);
}

static gboolean
scan_string (Scan *s, const Frame *frame, const ProtobufCFieldDescriptor *field,
             const uint8_t *data, size_t n)
{
  const gboolean text = strcmp (field->name, "doc_string") == 0
                        || (frame->type == &onnx__string_string_entry_proto__descriptor
                            && field->id == 2);
  const uint64_t max = text ? s->limits->text_bytes : s->limits->name_bytes;
  char hint[96];

  if (n > max)
    return scan_fail (s, KETTE_ERROR_LIMIT,
                      "%s of %s has %zu bytes, may have %" G_GUINT64_FORMAT "%s",
                      field->name, frame->type->short_name, n, max,
                      _kette_limits_hint (text ? "text-bytes" : "name-bytes", max, hint));
  if (memchr (data, 0, n))
    return scan_fail (
        s,
        frame->field && frame->type == &onnx__string_string_entry_proto__descriptor
                && strcmp (frame->field->name, "external_data") == 0
            ? KETTE_ERROR_PATH
            : KETTE_ERROR_FORMAT,
        "%s of %s holds a zero byte", field->name, frame->type->short_name);
  if (!g_utf8_validate_len ((const char *) data, n, NULL))
    return scan_fail (s, KETTE_ERROR_FORMAT, "%s of %s is not UTF-8", field->name,
                      frame->type->short_name);
  return scan_charge (s, n);
}

static gboolean
is_varint (ProtobufCType type)
{
  switch (type)
    {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
      return TRUE;
    default:
      return FALSE;
    }
}

static unsigned
wire_type_of (ProtobufCType type)
{
  switch (type)
    {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
      return 2;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
      return 1;
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
      return 5;
    default:
      return 0;
    }
}

/* Numbers behind each other, already copied to DATA. */
static gboolean
scan_packed (Scan *s, const ProtobufCFieldDescriptor *field, const uint8_t *data,
             size_t n)
{
  const unsigned wire = wire_type_of (field->type);
  const size_t width  = wire == 1 ? 8 : 4;
  size_t count        = 0;
  unsigned length     = 0;

  if (!is_varint (field->type))
    {
      if (n % width != 0)
        return scan_fail (s, KETTE_ERROR_FORMAT,
                          "%s has %zu bytes, not a multiple of %zu", field->name, n,
                          width);
      return scan_charge (s, n);
    }
  for (size_t i = 0; i < n; i++)
    {
      length++;
      if (length > 10 || (length == 10 && data[i] > 1))
        return scan_fail (s, KETTE_ERROR_FORMAT, "%s: a number does not fit 64 bits",
                          field->name);
      if (data[i] < 0x80)
        {
          length = 0;
          count++;
        }
    }
  if (length)
    return scan_fail (s, KETTE_ERROR_FORMAT, "%s: the last number is cut off",
                      field->name);
  if (!_kette_mul (count, 8, &count))
    count = SIZE_MAX;
  return scan_charge (s, count);
}

static gboolean
scan_too_deep (Scan *s)
{
  return _kette_fail (s->error, KETTE_ERROR_LIMIT, "graph",
                      "messages nested more than %" G_GUINT64_FORMAT " deep",
                      s->limits->depth);
}

/* ONNX has no groups. Their nesting is counted before they are refused. */
static gboolean
scan_group (Scan *s, size_t end)
{
  int depth = s->depth + 1;
  uint64_t v;

  while (s->pos < end && depth > s->depth)
    {
      if ((uint64_t) depth > s->limits->depth)
        return scan_too_deep (s);
      if (!scan_varint (s, end, 5, &v))
        return FALSE;
      if ((v & 7) == 3)
        depth++;
      else if ((v & 7) == 4)
        depth--;
      else if ((v & 7) == 0 && !scan_varint (s, end, 10, &v))
        return FALSE;
      else if ((v & 7) != 0)
        break;
    }
  return scan_fail (s, KETTE_ERROR_FORMAT, "a group, which ONNX does not have");
}

/* A singular sub-message, or a member of a oneof, may stand once in a message. */
static gboolean
scan_once (Scan *s, Frame *frame, const ProtobufCFieldDescriptor *field)
{
  const ProtobufCMessageDescriptor *type = frame->type;
  const unsigned index                   = (unsigned) (field - type->fields);
  const gboolean oneof                   = field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;

  if (field->label == PROTOBUF_C_LABEL_REPEATED
      || (field->type != PROTOBUF_C_TYPE_MESSAGE && !oneof))
    return TRUE;
  for (unsigned i = 0; i < type->n_fields; i++)
    {
      const ProtobufCFieldDescriptor *other = &type->fields[i];

      if (!(frame->seen >> i & 1))
        continue;
      if (i != index
          && !(oneof && (other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
               && other->quantifier_offset == field->quantifier_offset))
        continue;
      if (field->descriptor == &onnx__graph_proto__descriptor)
        return scan_fail (s, KETTE_ERROR_GRAPH, "%s of %s is there twice", field->name,
                          type->short_name);
      if (i == index)
        return scan_fail (s, KETTE_ERROR_FORMAT, "%s of %s is there twice", field->name,
                          type->short_name);
      return scan_fail (s, KETTE_ERROR_FORMAT, "%s has both %s and %s", type->short_name,
                        other->name, field->name);
    }
  frame->seen |= (uint32_t) 1 << index;
  return TRUE;
}

/* Leaves raw_data where it is; the copy gets offset and length. */
static gboolean
scan_stub (Scan *s, size_t length_at, size_t n)
{
  uint8_t *out;
  uint64_t stub[2] = { GUINT64_TO_LE (s->pos), GUINT64_TO_LE (n) };

  put_varint (s->out->data + length_at, (unsigned) (s->out->n - length_at),
              KETTE_STUB_BYTES);
  if (!scan_room (s, KETTE_STUB_BYTES))
    return FALSE;
  out = s->out->data + s->out->n;
  memcpy (out, stub, sizeof stub);
  s->out->n += KETTE_STUB_BYTES;
  s->pos += n;
  return scan_charge (s, KETTE_STUB_BYTES);
}

/* A field with a length: text, bytes, message, packed numbers, or unknown. */
static gboolean
scan_length (Scan *s, Frame *frame, const ProtobufCFieldDescriptor *field)
{
  const size_t end = frame->end, length_at = s->out->n;
  uint64_t length;
  size_t n, at;

  if (!scan_varint (s, end, 5, &length))
    return FALSE;
  if (length > end - s->pos)
    return scan_short (s, end, length - (end - s->pos));
  n = (size_t) length;
  if (field && field->type == PROTOBUF_C_TYPE_MESSAGE)
    {
      if ((uint64_t) s->depth >= s->limits->depth)
        return scan_too_deep (s);
      s->stack[++s->depth] = (Frame){ .type      = field->descriptor,
                                      .field     = field,
                                      .end       = s->pos + n,
                                      .length_at = length_at,
                                      .width     = (unsigned) (s->out->n - length_at) };
      return scan_charge (s, s->stack[s->depth].type->sizeof_message + 24 + 8);
    }
  if (field && frame->type == &onnx__tensor_proto__descriptor
      && strcmp (field->name, "raw_data") == 0 && n >= KETTE_STUB_BYTES)
    return scan_stub (s, length_at, n);
  at = s->out->n;
  if (!scan_copy (s, n))
    return FALSE;
  if (!field)
    return scan_charge (s, n);
  if (field->type == PROTOBUF_C_TYPE_STRING)
    return scan_string (s, frame, field, s->out->data + at, n);
  if (field->type == PROTOBUF_C_TYPE_BYTES)
    return scan_charge (s, n);
  return scan_packed (s, field, s->out->data + at, n);
}

static gboolean
scan_field (Scan *s)
{
  Frame *frame = &s->stack[s->depth];
  const ProtobufCFieldDescriptor *field;
  uint64_t tag, value;
  unsigned wire;

  s->field_at = s->pos;
  if (!scan_varint (s, frame->end, 5, &tag))
    return FALSE;
  wire = (unsigned) (tag & 7);
  if (tag >> 3 == 0 || tag >> 3 > 536870911 || wire > 5)
    return scan_fail (s, KETTE_ERROR_FORMAT,
                      "field number %" G_GUINT64_FORMAT
                      " with wire type %u does not exist",
                      tag >> 3, wire);
  if (wire == 3 || wire == 4)
    return scan_group (s, frame->end);
  field = protobuf_c_message_descriptor_get_field (frame->type, (unsigned) (tag >> 3));
  if (field)
    {
      const unsigned own      = wire_type_of (field->type);
      const gboolean repeated = field->label == PROTOBUF_C_LABEL_REPEATED;

      if (wire != own && !(wire == 2 && repeated))
        return scan_fail (s, KETTE_ERROR_FORMAT, "%s of %s has wire type %u, must be %u",
                          field->name, frame->type->short_name, wire, own);
      if (!scan_once (s, frame, field))
        return FALSE;
    }
  /* For a known field its entry (and the unpacker's note of it), for an unknown its list. */
  if (!scan_charge (s, field ? 25 : 40))
    return FALSE;
  switch (wire)
    {
    case 0:
      return scan_varint (s, frame->end, 10, &value);
    case 2:
      return scan_length (s, frame, field);
    default:
      value = wire == 1 ? 8 : 4;
      if (frame->end - s->pos < value)
        return scan_short (s, frame->end, value - (frame->end - s->pos));
      return scan_copy (s, (size_t) value);
    }
}

gboolean
_kette_scan (GBytes *bytes, const ProtobufCMessageDescriptor *type,
             const KetteLimits *limits, KetteThin *out, GError **error)
{
  Scan s = { .limits = limits, .out = out, .error = error };

  *out  = (KetteThin){ 0 };
  s.in  = g_bytes_get_data (bytes, &s.size);
  s.cap = _kette_scan_cap (limits, s.size);
  if (s.size == 0)
    return scan_fail (&s, KETTE_ERROR_FORMAT, "the file is empty");
  if (s.size > limits->file_bytes)
    return _kette_fail (error, KETTE_ERROR_LIMIT, NULL,
                        "has %zu bytes, file-bytes allows %" G_GUINT64_FORMAT, s.size,
                        limits->file_bytes);
  s.stack[0] = (Frame){ .type = type, .end = s.size };
  while (s.depth >= 0)
    {
      Frame *frame = &s.stack[s.depth];

      if (s.pos < frame->end)
        {
          if (!scan_field (&s))
            goto failed;
          continue;
        }
      if (s.depth > 0)
        put_varint (out->data + frame->length_at, frame->width,
                    out->n - frame->length_at - frame->width);
      s.depth--;
    }
  return TRUE;

failed:
  _kette_free (out->data);
  *out = (KetteThin){ 0 };
  return FALSE;
}
