/* SPDX-License-Identifier: Apache-2.0
 * Edits of one field, whatever it means: another number, text or message; elements added, taken
 * out, exchanged, repeated.
 */
#include "mutate.h"
#include <math.h>
#include <string.h>

static int64_t
odd_number (Mutator *m, int64_t old)
{
  static const int64_t odd[] = { 0,
                                 1,
                                 2,
                                 3,
                                 -1,
                                 -2,
                                 7,
                                 8,
                                 10,
                                 16,
                                 22,
                                 31,
                                 32,
                                 33,
                                 64,
                                 100,
                                 127,
                                 128,
                                 255,
                                 256,
                                 32767,
                                 65535,
                                 65536,
                                 1000000,
                                 2147483647,
                                 2147483648,
                                 4294967295,
                                 4294967296,
                                 INT64_MAX,
                                 INT64_MIN,
                                 INT64_MAX / 2,
                                 INT64_MAX / 4,
                                 -2147483648LL,
                                 -2147483649LL,
                                 1LL << 61,
                                 1LL << 40 };

  switch (_fuzz_below (m, 5))
    {
    case 0:
      return odd[_fuzz_below (m, G_N_ELEMENTS (odd))];
    case 1:
      return (int64_t) ((uint64_t) old + _fuzz_below (m, 7) - 3);
    case 2:
      return (int64_t) ((uint64_t) old ^ UINT64_C (1) << _fuzz_below (m, 64));
    default:
      return (int64_t) _fuzz_below (m, 28);
    }
}

static double
odd_real (Mutator *m)
{
  static const double odd[] = { 0,
                                -0.0,
                                1,
                                -1,
                                0.5,
                                2,
                                1e-45,
                                3e38,
                                1e30,
                                -1e9,
                                1e300,
                                1e-10,
                                (double) INFINITY,
                                -(double) INFINITY,
                                (double) NAN };

  return odd[_fuzz_below (m, G_N_ELEMENTS (odd))];
}

/* Another text; zero bytes and bad UTF-8 come in after packing. */
static char *
odd_text (Mutator *m, const char *old)
{
  static const char *const odd[] = { "",
                                     "ai.onnx",
                                     "kette",
                                     "ai.onnx.preview.training",
                                     "N",
                                     "?",
                                     "-1",
                                     "None",
                                     "..",
                                     "/",
                                     "a/../../b",
                                     "http://a",
                                     "4294967296",
                                     "18446744073709551616",
                                     "-0",
                                     "\xf0\x9f\x94\x97",
                                     "\xe2\x80\xae!",
                                     "\x1b[2J",
                                     "a\nb",
                                     "<b>&\"'",
                                     "\\",
                                     "$0" };
  char *copy;
  size_t n;

  switch (_fuzz_below (m, 5))
    {
    case 0:
      return (char *) odd[_fuzz_below (m, G_N_ELEMENTS (odd))];
    case 1:
      n    = strlen (old);
      copy = _fuzz_alloc (m, n + 2, 1);
      memcpy (copy, old, n);
      copy[_fuzz_below (m, n + 1)] = (char) ('a' + _fuzz_below (m, 26));
      return copy;
    case 2:
      if (_fuzz_below (m, 16))
        return _fuzz_any_text (m);
      n    = _fuzz_below (m, 70000);
      copy = _fuzz_alloc (m, n + 1, 1);
      memset (copy, 'x', n);
      return copy;
    default:
      return _fuzz_any_text (m);
    }
}

static size_t
width_of (ProtobufCType type)
{
  switch (type)
    {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
      return sizeof (void *);
    case PROTOBUF_C_TYPE_BYTES:
      return sizeof (ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
      return 8;
    default:
      return 4;
    }
}

static void
change_bytes (Mutator *m, ProtobufCBinaryData *data)
{
  size_t n = data->len;
  uint8_t *copy;

  if (_fuzz_below (m, 2))
    n = _fuzz_below (m, 3) ? _fuzz_below (m, n + 3) : n + _fuzz_below (m, 64);
  copy = _fuzz_alloc (m, n + 1, 1);
  if (n > 0 && data->len > 0)
    memcpy (copy, data->data, MIN (n, data->len));
  for (size_t i = _fuzz_below (m, 4); i > 0 && n > 0; i--)
    copy[_fuzz_below (m, n)] = (uint8_t) _fuzz_next (m);
  *data = (ProtobufCBinaryData){ n, copy };
}

/* Gives the element at AT of a field another content. FALSE: there is none. */
static gboolean
change_element (Mutator *m, const ProtobufCFieldDescriptor *f, void *at)
{
  ProtobufCMessage *message;
  int64_t v;

  switch (f->type)
    {
    case PROTOBUF_C_TYPE_MESSAGE:
      message = _fuzz_any (m, f->descriptor);
      message = message ? _fuzz_copy (m, message) : NULL;
      if (!message)
        {
          message = _fuzz_alloc (
              m, 1, ((const ProtobufCMessageDescriptor *) f->descriptor)->sizeof_message);
          protobuf_c_message_init (f->descriptor, message);
        }
      *(ProtobufCMessage **) at = message;
      return TRUE;
    case PROTOBUF_C_TYPE_STRING:
      *(char **) at = odd_text (m, *(char **) at ? *(char **) at : "");
      return TRUE;
    case PROTOBUF_C_TYPE_BYTES:
      change_bytes (m, at);
      return TRUE;
    case PROTOBUF_C_TYPE_FLOAT:
      *(float *) at = (float) odd_real (m);
      return TRUE;
    case PROTOBUF_C_TYPE_DOUBLE:
      *(double *) at = odd_real (m);
      return TRUE;
    default:
      if (width_of (f->type) == 8)
        *(int64_t *) at = odd_number (m, *(int64_t *) at);
      else
        {
          v               = odd_number (m, *(int32_t *) at);
          *(int32_t *) at = (int32_t) (uint32_t) (uint64_t) v;
        }
      return TRUE;
    }
}

static void
change_single (Mutator *m, ProtobufCMessage *message, const ProtobufCFieldDescriptor *f)
{
  void *at           = FUZZ_AT (message, f->offset);
  const gboolean has = (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0
                       && f->label == PROTOBUF_C_LABEL_OPTIONAL
                       && f->type != PROTOBUF_C_TYPE_STRING
                       && f->type != PROTOBUF_C_TYPE_MESSAGE;

  if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
    {
      uint32_t *which = FUZZ_AT (message, f->quantifier_offset);

      if (*which != f->id)
        memset (at, 0, width_of (f->type));
      *which = f->id;
    }
  if (_fuzz_below (m, 6) == 0 && !(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
    {
      if (has)
        *(protobuf_c_boolean *) FUZZ_AT (message, f->quantifier_offset) = 0;
      else
        *(void **) at = NULL;
      return;
    }
  change_element (m, f, at);
  if (has)
    *(protobuf_c_boolean *) FUZZ_AT (message, f->quantifier_offset) = 1;
}

/* A list with room for N more elements in place of the field's own. */
static char *
grow (Mutator *m, ProtobufCMessage *message, const ProtobufCFieldDescriptor *f,
      size_t more)
{
  const size_t width = width_of (f->type);
  const size_t n     = *(size_t *) FUZZ_AT (message, f->quantifier_offset);
  void **list        = FUZZ_AT (message, f->offset);
  char *copy         = _fuzz_alloc (m, n + more, width);

  if (n)
    memcpy (copy, *list, n * width);
  *list = copy;
  return copy;
}

static void
change_repeated (Mutator *m, ProtobufCMessage *message, const ProtobufCFieldDescriptor *f)
{
  const size_t width = width_of (f->type);
  size_t *n          = FUZZ_AT (message, f->quantifier_offset);
  size_t more, i, k;
  char *list, swap[sizeof (ProtobufCBinaryData)];

  if (*n == 0 && _fuzz_below (m, 2))
    return;
  more = _fuzz_below (m, 64) ? 1 : 1 + _fuzz_below (m, 300);
  list = grow (m, message, f, more);
  i    = _fuzz_below (m, *n);
  k    = _fuzz_below (m, *n);
  switch (*n ? _fuzz_below (m, 7) : 0)
    {
    case 0: /* a new element behind */
      change_element (m, f, list + *n * width);
      ++*n;
      return;
    case 1: /* one out */
      memmove (list + i * width, list + (i + 1) * width, (*n - i - 1) * width);
      --*n;
      return;
    case 2:
      memcpy (swap, list + i * width, width);
      memcpy (list + i * width, list + k * width, width);
      memcpy (list + k * width, swap, width);
      return;
    case 3: /* one again, or many times */
      for (size_t c = 0; c < more; c++)
        memcpy (list + (*n)++ * width, list + i * width, width);
      return;
    case 4:
      *n = i;
      return;
    default:
      change_element (m, f, list + i * width);
    }
}

void
_fuzz_edit_field (Mutator *m)
{
  ProtobufCMessage *message = _fuzz_any (m, NULL);
  const ProtobufCFieldDescriptor *f;

  /* Rare kinds of messages as often as frequent ones. */
  if (_fuzz_below (m, 2))
    {
      const ProtobufCMessage *other = _fuzz_any (m, NULL);
      const unsigned n              = other->descriptor->n_fields;
      const ProtobufCFieldDescriptor *through
          = n ? &other->descriptor->fields[_fuzz_below (m, n)] : NULL;

      if (through && through->type == PROTOBUF_C_TYPE_MESSAGE
          && _fuzz_any (m, through->descriptor))
        message = _fuzz_any (m, through->descriptor);
    }
  if (message->descriptor->n_fields == 0)
    return;
  f = &message->descriptor->fields[_fuzz_below (m, message->descriptor->n_fields)];
  if (f->label == PROTOBUF_C_LABEL_REPEATED)
    change_repeated (m, message, f);
  else
    change_single (m, message, f);
}
