/* SPDX-License-Identifier: Apache-2.0
 * Small messages are put together in memory, weights are written as they come.
 */
#include "made.h"
#include <stdint.h>
#include <string.h>

/* Bytes of a message; one that is too long counts on, and flush refuses it. */
typedef struct
{
  uint8_t data[1024];
  size_t n;
} Bytes;

static void
put (Bytes *b, const void *data, size_t n)
{
  if (n <= sizeof b->data - b->n)
    memcpy (b->data + b->n, data, n);
  b->n += n;
}

static void
put_varint (Bytes *b, uint64_t value)
{
  do
    {
      const uint8_t byte = (uint8_t) (value > 127 ? value | 0x80 : value);

      put (b, &byte, 1);
      value >>= 7;
    }
  while (value);
}

static void
put_int (Bytes *b, unsigned field, uint64_t value)
{
  put_varint (b, field << 3);
  put_varint (b, value);
}

static void
put_bytes (Bytes *b, unsigned field, const void *data, size_t n)
{
  put_varint (b, field << 3 | 2);
  put_varint (b, n);
  put (b, data, n);
}

static void
put_text (Bytes *b, unsigned field, const char *text)
{
  put_bytes (b, field, text, strlen (text));
}

static void
put_message (Bytes *b, unsigned field, const Bytes *message)
{
  put_bytes (b, field, message->data, message->n);
}

/* ValueInfoProto: NAME float32[ROWS,COLUMNS], or [COLUMNS] for no rows. */
static void
put_value (Bytes *out, unsigned field, const char *name, size_t rows, size_t columns)
{
  Bytes dim = { .n = 0 }, shape = dim, tensor = dim, type = dim, value = dim;

  if (rows)
    {
      put_int (&dim, 1, rows);
      put_message (&shape, 1, &dim);
      dim.n = 0;
    }
  put_int (&dim, 1, columns);
  put_message (&shape, 1, &dim);
  put_int (&tensor, 1, 1);
  put_message (&tensor, 2, &shape);
  put_message (&type, 1, &tensor);
  put_text (&value, 1, name);
  put_message (&value, 2, &type);
  put_message (out, field, &value);
}

static void
put_header (Bytes *out)
{
  Bytes opset = { .n = 0 };

  put_int (out, 1, 8);
  put_text (out, 2, "made");
  put_text (&opset, 1, "");
  put_int (&opset, 2, 18);
  put_message (out, 8, &opset);
}

static int
flush (FILE *file, Bytes *b, size_t *written)
{
  const size_t n = b->n;

  b->n = 0;
  *written += n;
  return n <= sizeof b->data && fwrite (b->data, 1, n, file) == n;
}

/* A number in five bytes, so that its length does not depend on it. */
static void
put_wide (Bytes *b, uint64_t value)
{
  for (int i = 0; i < 4; i++, value >>= 7)
    {
      const uint8_t byte = (uint8_t) (value | 0x80);

      put (b, &byte, 1);
    }
  put_varint (b, value & 0x7f);
}

/* Field 5 of a graph, up to the tensor's data; FILL bytes of doc_string move them. */
static void
put_tensor_head (Bytes *out, size_t i, size_t bytes, size_t fill)
{
  Bytes tensor = { .n = 0 };
  char name[32], doc[128];

  snprintf (name, sizeof name, "w%05zu", i);
  put_int (&tensor, 1, bytes / 4);
  put_int (&tensor, 2, 1);
  put_text (&tensor, 8, name);
  memset (doc, '.', sizeof doc);
  put_varint (&tensor, 12 << 3 | 2);
  put_varint (&tensor, fill);
  put (&tensor, doc, fill);
  put_varint (&tensor, 9 << 3 | 2);
  put_wide (&tensor, bytes);
  put_varint (out, 5 << 3 | 2);
  put_wide (out, tensor.n + bytes);
  put (out, tensor.data, tensor.n);
}

static int
put_tensors (FILE *file, size_t n, size_t bytes, size_t off, size_t *written)
{
  static const float content[1024];
  Bytes b = { .n = 0 };

  for (size_t i = 0; i < n; i++)
    {
      size_t fill = 0;

      for (; fill < 127; fill++)
        {
          b.n = 0;
          put_tensor_head (&b, i, bytes, fill);
          if ((*written + b.n) % 64 == off)
            break;
        }
      if (!flush (file, &b, written))
        return 0;
      for (size_t done = 0; done < bytes; done += sizeof content)
        {
          const size_t piece
              = bytes - done < sizeof content ? bytes - done : sizeof content;

          if (fwrite (content, 1, piece, file) != piece)
            return 0;
          *written += piece;
        }
    }
  return 1;
}

static void
put_add (Bytes *out, size_t i)
{
  Bytes node = { .n = 0 };
  char text[32];

  snprintf (text, sizeof text, "x%05zu", i);
  put_text (&node, 1, text);
  snprintf (text, sizeof text, "w%05zu", i);
  put_text (&node, 1, text);
  snprintf (text, sizeof text, "x%05zu", i + 1);
  put_text (&node, 2, text);
  put_text (&node, 4, "Add");
  put_message (out, 1, &node);
}

size_t
made_weights (FILE *file, size_t n, size_t bytes, size_t off)
{
  size_t written = 0, graph;
  Bytes b = { .n = 0 }, nodes = b, tail = b;
  char last[32];
  long at;

  /* The graph's length is written when it is known. */
  put_header (&b);
  put_varint (&b, 7 << 3 | 2);
  at = (long) b.n;
  put_wide (&b, 0);
  if (!flush (file, &b, &written))
    return 0;
  graph = written;
  for (size_t i = 0; i < n; i++)
    {
      put_add (&nodes, i);
      if (!flush (file, &nodes, &written))
        return 0;
    }
  put_text (&tail, 2, "weights");
  if (!put_tensors (file, n, bytes, off, &written))
    return 0;
  snprintf (last, sizeof last, "x%05zu", n);
  put_value (&tail, 11, "x00000", 0, bytes / 4);
  put_value (&tail, 12, last, 0, bytes / 4);
  if (!flush (file, &tail, &written))
    return 0;
  put_wide (&b, written - graph);
  if (fseek (file, at, SEEK_SET) != 0 || fwrite (b.data, 1, b.n, file) != b.n
      || fflush (file) != 0)
    return 0;
  return written;
}

/* Attribute NAME with ints A, B, or with one int where B is negative. */
static void
put_attribute (Bytes *node, const char *name, int a, int b)
{
  Bytes attribute = { .n = 0 };

  put_text (&attribute, 1, name);
  if (b < 0)
    put_int (&attribute, 3, (uint64_t) (int64_t) a);
  else
    {
      put_int (&attribute, 8, (uint64_t) a);
      put_int (&attribute, 8, (uint64_t) b);
    }
  put_int (&attribute, 20, b < 0 ? 2 : 7);
  put_message (node, 5, &attribute);
}

static void
put_node (Bytes *out, size_t i)
{
  static const char *const ops[] = { "Add", "Relu", "Transpose", "Mul", "Softmax" };
  const char *op                 = ops[i % 5];
  const size_t layer             = i / 5;
  Bytes node                     = { .n = 0 };
  char text[96];

  snprintf (text, sizeof text, "/encoder/layers.%zu/block/output_%zu", layer, i);
  put_text (&node, 1, text);
  /* Add and Mul also read the block's first value. */
  snprintf (text, sizeof text, "/encoder/layers.%zu/block/output_%zu", layer, layer * 5);
  if (i % 5 == 0 || i % 5 == 3)
    put_text (&node, 1, text);
  snprintf (text, sizeof text, "/encoder/layers.%zu/block/output_%zu", (i + 1) / 5,
            i + 1);
  put_text (&node, 2, text);
  snprintf (text, sizeof text, "/encoder/layers.%zu/block/%s_%zu", layer, op, i);
  put_text (&node, 3, text);
  put_text (&node, 4, op);
  if (i % 5 == 2)
    put_attribute (&node, "perm", 1, 0);
  if (i % 5 == 4)
    put_attribute (&node, "axis", -1, -1);
  put_message (out, 1, &node);
}

size_t
made_nodes (FILE *file, size_t n)
{
  size_t written = 0, graph;
  Bytes b        = { .n = 0 };
  char name[96];
  long at;

  put_header (&b);
  put_varint (&b, 7 << 3 | 2);
  at = (long) b.n;
  put_wide (&b, 0);
  if (!flush (file, &b, &written))
    return 0;
  graph = written;
  for (size_t i = 0; i < n; i++)
    {
      put_node (&b, i);
      if (!flush (file, &b, &written))
        return 0;
    }
  put_text (&b, 2, "nodes");
  for (size_t i = 0; i <= n; i++)
    {
      snprintf (name, sizeof name, "/encoder/layers.%zu/block/output_%zu", i / 5, i);
      put_value (&b, i == 0 ? 11 : i == n ? 12 : 13, name, 64, 64);
      if (!flush (file, &b, &written))
        return 0;
    }
  put_wide (&b, written - graph);
  if (fseek (file, at, SEEK_SET) != 0 || fwrite (b.data, 1, b.n, file) != b.n
      || fflush (file) != 0)
    return 0;
  return written;
}
