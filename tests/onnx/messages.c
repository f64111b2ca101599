/* SPDX-License-Identifier: Apache-2.0
 * What saving may change, and nothing else:
 *   - the producer is Kette; the former one is the metadata entry kette.previous_producer
 *   - metadata_props of the model are sorted by key; of equal keys the last one stays, and
 *     checksums of the former file go
 *   - the nodes of a graph are sorted, where they were not
 */
#include "messages.h"
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_DEPTH 512

typedef struct
{
  const ProtobufCMessage *a, *b;
  char *place;
} Pair;

/* Pairs that are still to be compared, and the first difference. */
typedef struct
{
  GArray *pairs;
  char *fault;
} Work;

G_GNUC_PRINTF (3, 4)
static void
differ (Work *work, const char *place, const char *format, ...)
{
  va_list args;
  g_autofree char *text = NULL;

  if (work->fault)
    return;
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  work->fault = g_strdup_printf ("%s: %s", place, text);
}

static void
push (Work *work, const ProtobufCMessage *a, const ProtobufCMessage *b, char *place)
{
  const Pair pair = { a, b, place };

  if (!a != !b)
    differ (work, place, "is %s", a ? "gone" : "new");
  if (a && b)
    g_array_append_val (work->pairs, pair);
  else
    g_free (place);
}

static size_t
width_of (const ProtobufCFieldDescriptor *field)
{
  switch (field->type)
    {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
      return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
      return sizeof (void *);
    case PROTOBUF_C_TYPE_BYTES:
      return sizeof (ProtobufCBinaryData);
    default:
      return 4;
    }
}

/* One element; numbers are compared as bits, so that a NaN equals itself. */
static void
compare_element (Work *work, const ProtobufCFieldDescriptor *field, const void *a,
                 const void *b, const char *place)
{
  if (field->type == PROTOBUF_C_TYPE_MESSAGE)
    push (work, *(const ProtobufCMessage *const *) a,
          *(const ProtobufCMessage *const *) b, g_strdup (place));
  else if (field->type == PROTOBUF_C_TYPE_STRING)
    {
      const char *x = *(const char *const *) a, *y = *(const char *const *) b;

      if (g_strcmp0 (x, y) != 0)
        differ (work, place, "was %s, is %s", x ? x : "absent", y ? y : "absent");
    }
  else if (field->type == PROTOBUF_C_TYPE_BYTES)
    {
      const ProtobufCBinaryData *x = a, *y = b;

      if (x->len != y->len)
        differ (work, place, "had %zu bytes, has %zu", x->len, y->len);
      else if (x->len > 0 && memcmp (x->data, y->data, x->len) != 0)
        differ (work, place, "its %zu bytes are others", x->len);
    }
  else if (memcmp (a, b, width_of (field)) != 0)
    differ (work, place, "the number is another");
}

static size_t
count_of (const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
  return *(const size_t *) ((const char *) message + field->quantifier_offset);
}

static const char *
array_of (const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
  return *(const char *const *) ((const char *) message + field->offset);
}

static void
compare_repeated (Work *work, const Pair *pair, const ProtobufCFieldDescriptor *field,
                  const char *place)
{
  const size_t n = count_of (pair->a, field), width = width_of (field);
  const char *a = array_of (pair->a, field), *b = array_of (pair->b, field);

  if (n != count_of (pair->b, field))
    {
      differ (work, place, "had %zu entries, has %zu", n, count_of (pair->b, field));
      return;
    }
  if (width <= 8 && field->type != PROTOBUF_C_TYPE_MESSAGE
      && field->type != PROTOBUF_C_TYPE_STRING)
    {
      if (n > 0 && memcmp (a, b, n * width) != 0)
        differ (work, place, "the %zu numbers are others", n);
      return;
    }
  for (size_t i = 0; i < n && !work->fault; i++)
    {
      g_autofree char *inner = g_strdup_printf ("%s[%zu]", place, i);

      compare_element (work, field, a + i * width, b + i * width, inner);
    }
}

static void
compare_unknown (Work *work, const Pair *pair)
{
  const ProtobufCMessage *a = pair->a, *b = pair->b;

  if (a->n_unknown_fields != b->n_unknown_fields)
    differ (work, pair->place, "had %u unknown fields, has %u", a->n_unknown_fields,
            b->n_unknown_fields);
  for (unsigned i = 0; i < a->n_unknown_fields && !work->fault; i++)
    {
      const ProtobufCMessageUnknownField *x = &a->unknown_fields[i],
                                         *y = &b->unknown_fields[i];

      if (x->tag != y->tag || x->wire_type != y->wire_type || x->len != y->len
          || memcmp (x->data, y->data, x->len) != 0)
        differ (work, pair->place, "unknown field %u is another", i);
    }
}

/* Was the order of the nodes one in which each value is made before it is read? Reads in
 * subgraphs count. */
static gboolean
is_sorted (const Onnx__GraphProto *graph)
{
  g_autoptr (GHashTable) made   = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GPtrArray) pending = g_ptr_array_new ();
  gboolean sorted               = TRUE;

  for (size_t i = 0; i < graph->n_node; i++)
    for (size_t k = 0; k < graph->node[i]->n_output; k++)
      g_hash_table_add (made, graph->node[i]->output[k]);
  for (size_t i = 0; i < graph->n_node && sorted; i++)
    {
      g_ptr_array_add (pending, graph->node[i]);
      while (pending->len > 0)
        {
          const Onnx__NodeProto *node
              = g_ptr_array_remove_index (pending, pending->len - 1);

          for (size_t k = 0; k < node->n_input; k++)
            sorted
                = sorted
                  && (!*node->input[k] || !g_hash_table_contains (made, node->input[k]));
          for (size_t k = 0; k < node->n_attribute; k++)
            {
              const Onnx__AttributeProto *at = node->attribute[k];

              for (size_t j = 0; at->g && j < at->g->n_node; j++)
                g_ptr_array_add (pending, at->g->node[j]);
            }
        }
      for (size_t k = 0; k < graph->node[i]->n_output; k++)
        g_hash_table_remove (made, graph->node[i]->output[k]);
    }
  return sorted;
}

/* The first output is the name of a node: no two nodes make one value. */
static const char *
first_output (const Onnx__NodeProto *node)
{
  for (size_t i = 0; i < node->n_output; i++)
    if (*node->output[i])
      return node->output[i];
  return "";
}

/* Nodes that were not sorted: each is still there, and now they are. */
static void
compare_nodes (Work *work, const Onnx__GraphProto *a, const Onnx__GraphProto *b,
               const char *place)
{
  g_autoptr (GHashTable) by_output = g_hash_table_new (g_str_hash, g_str_equal);

  if (a->n_node != b->n_node)
    differ (work, place, "had %zu nodes, has %zu", a->n_node, b->n_node);
  else if (!is_sorted (b))
    differ (work, place, "the nodes are not sorted");
  for (size_t i = 0; i < b->n_node; i++)
    g_hash_table_insert (by_output, (char *) first_output (b->node[i]), b->node[i]);
  for (size_t i = 0; i < a->n_node && !work->fault; i++)
    {
      const Onnx__NodeProto *node
          = g_hash_table_lookup (by_output, first_output (a->node[i]));

      push (work, &a->node[i]->base, node ? &node->base : NULL,
            g_strdup_printf ("%s.node[%zu]", place, i));
    }
}

static int
compare_entries (const void *a, const void *b)
{
  const Onnx__StringStringEntryProto *const *x = a, *const *y = b;
  const int order = g_strcmp0 ((*x)->key, (*y)->key);

  return order ? order : (*x > *y) - (*x < *y);
}

static void
compare_metadata (Work *work, const Onnx__ModelProto *a, const Onnx__ModelProto *b)
{
  g_autoptr (GHashTable) last = g_hash_table_new (g_str_hash, g_str_equal);
  const char *producer        = a->producer_name ? a->producer_name : "";
  const gboolean note         = *producer && strcmp (producer, "kette") != 0;
  g_autofree char *previous
      = g_strjoin (a->producer_version && *a->producer_version ? " " : "", producer,
                   a->producer_version ? a->producer_version : "", NULL);

  for (size_t i = 0; i < a->n_metadata_props; i++)
    {
      const Onnx__StringStringEntryProto *entry = a->metadata_props[i];

      if (!g_str_has_prefix (entry->key, "kette.crc.")
          && strcmp (entry->key, "kette.sha256") != 0)
        g_hash_table_insert (last, entry->key, entry->value);
    }
  if (note)
    g_hash_table_insert (last, (char *) "kette.previous_producer", previous);
  if (g_hash_table_size (last) != b->n_metadata_props)
    differ (work, "metadata_props", "should be %u entries, are %zu",
            g_hash_table_size (last), b->n_metadata_props);
  for (size_t i = 0; i < b->n_metadata_props && !work->fault; i++)
    {
      const Onnx__StringStringEntryProto *entry = b->metadata_props[i];

      if (i > 0 && compare_entries (&b->metadata_props[i - 1], &entry) >= 0
          && strcmp (b->metadata_props[i - 1]->key, entry->key) >= 0)
        differ (work, "metadata_props", "are not sorted");
      if (g_strcmp0 (g_hash_table_lookup (last, entry->key), entry->value) != 0)
        differ (work, "metadata_props", "%s is another", entry->key);
    }
  if (g_strcmp0 (b->producer_name, "kette") != 0 || !b->producer_version
      || !*b->producer_version)
    differ (work, "producer_name", "is not that of Kette");
}

/* What is compared in its own way: TRUE. */
static gboolean
compare_specially (Work *work, const Pair *pair, const ProtobufCFieldDescriptor *field)
{
  const ProtobufCMessageDescriptor *type = pair->a->descriptor;

  if (type == &onnx__model_proto__descriptor)
    {
      if (strcmp (field->name, "metadata_props") == 0)
        compare_metadata (work, (const Onnx__ModelProto *) pair->a,
                          (const Onnx__ModelProto *) pair->b);
      return strcmp (field->name, "metadata_props") == 0
             || g_str_has_prefix (field->name, "producer_");
    }
  if (type == &onnx__graph_proto__descriptor && strcmp (field->name, "node") == 0
      && !is_sorted ((const Onnx__GraphProto *) pair->a))
    {
      compare_nodes (work, (const Onnx__GraphProto *) pair->a,
                     (const Onnx__GraphProto *) pair->b, pair->place);
      return TRUE;
    }
  return FALSE;
}

static void
compare_field (Work *work, const Pair *pair, const ProtobufCFieldDescriptor *field)
{
  const char *a = (const char *) pair->a, *b = (const char *) pair->b;
  const gboolean oneof = field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
  g_autofree char *place
      = g_strdup_printf ("%s%s%s", pair->place, *pair->place ? "." : "", field->name);

  if (compare_specially (work, pair, field))
    return;
  if (field->label == PROTOBUF_C_LABEL_REPEATED)
    {
      compare_repeated (work, pair, field, place);
      return;
    }
  /* has_X, or the number of the member of a oneof; texts and messages are NULL instead. */
  if (field->quantifier_offset
      && *(const uint32_t *) (a + field->quantifier_offset)
             != *(const uint32_t *) (b + field->quantifier_offset))
    {
      differ (work, place, "is set in one of the two only");
      return;
    }
  if (!oneof || *(const uint32_t *) (a + field->quantifier_offset) == field->id)
    compare_element (work, field, a + field->offset, b + field->offset, place);
}

const char *
messages_differ (const Onnx__ModelProto *original, const Onnx__ModelProto *saved)
{
  static char text[1024];
  Work work = { .pairs = g_array_new (FALSE, FALSE, sizeof (Pair)) };

  push (&work, &original->base, &saved->base, g_strdup (""));
  while (work.pairs->len > 0)
    {
      const Pair pair = g_array_index (work.pairs, Pair, work.pairs->len - 1);
      const ProtobufCMessageDescriptor *type = pair.a->descriptor;

      g_array_set_size (work.pairs, work.pairs->len - 1);
      for (unsigned i = 0; i < type->n_fields && !work.fault; i++)
        compare_field (&work, &pair, &type->fields[i]);
      if (!work.fault)
        compare_unknown (&work, &pair);
      g_free (pair.place);
    }
  g_array_free (work.pairs, TRUE);
  if (!work.fault)
    return NULL;
  g_strlcpy (text, work.fault, sizeof text);
  g_free (work.fault);
  return text;
}

/* Field 7,777 with the bytes "unknown" as its content. */
static void
add_unknown (ProtobufCMessage *message)
{
  static const uint8_t content[] = { 7, 'u', 'n', 'k', 'n', 'o', 'w', 'n' };
  const unsigned n               = message->n_unknown_fields;
  ProtobufCMessageUnknownField *fields
      = realloc (message->unknown_fields, (n + 1) * sizeof *fields);

  if (!fields || !(fields[n].data = malloc (sizeof content)))
    abort ();
  memcpy (fields[n].data, content, sizeof content);
  fields[n].tag             = 7777;
  fields[n].wire_type       = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
  fields[n].len             = sizeof content;
  message->unknown_fields   = fields;
  message->n_unknown_fields = n + 1;
}

void
messages_add_unknown (ProtobufCMessage *message)
{
  g_autoptr (GPtrArray) pending = g_ptr_array_new ();

  g_ptr_array_add (pending, message);
  while (pending->len > 0)
    {
      ProtobufCMessage *m = g_ptr_array_remove_index (pending, pending->len - 1);

      add_unknown (m);
      for (unsigned i = 0; i < m->descriptor->n_fields; i++)
        {
          const ProtobufCFieldDescriptor *field = &m->descriptor->fields[i];
          const char *base                      = (const char *) m;

          if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
          if (field->label == PROTOBUF_C_LABEL_REPEATED)
            for (size_t k = 0; k < count_of (m, field); k++)
              g_ptr_array_add (pending, ((gpointer *) (void *) array_of (m, field))[k]);
          else if ((!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
                    || *(const uint32_t *) (base + field->quantifier_offset) == field->id)
                   && *(gpointer const *) (base + field->offset))
            g_ptr_array_add (pending, *(gpointer const *) (base + field->offset));
        }
    }
}
