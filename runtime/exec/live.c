/* SPDX-License-Identifier: Apache-2.0
 * Live parameters: initializers in one aligned block, so that training rewrites them where
 * every session sees them and an optimizer passes over memory once.
 */
#include "base/guard-private.h"
#include "exec/session-private.h"
#include <string.h>

#define ALIGN(n) (((n) + 63) & ~(size_t) 63)

typedef struct
{
  gint ref;
  uint8_t *memory;
} Block;

static void
release_block (gpointer data)
{
  Block *block = data;

  if (g_atomic_int_dec_and_test (&block->ref))
    {
      _kette_free (block->memory);
      _kette_free (block);
    }
}

static gboolean
is_movable (const KetteValue *value)
{
  return value->data && value->data->dtype != KT_STRING && !value->outer;
}

static size_t
bytes_needed (const KetteGraph *graph)
{
  size_t bytes = 0;

  for (size_t i = 0; i < graph->n_values; i++)
    if (is_movable (graph->values[i]))
      bytes += ALIGN (graph->values[i]->data->bytes);
  return bytes;
}

static gboolean
move (KetteGraph *graph, Block *block, size_t *offset, GError **error)
{
  for (size_t i = 0; i < graph->n_values; i++)
    {
      KetteValue *value = graph->values[i];
      if (!is_movable (value))
        continue;
      const KetteTensor *old = value->data;
      uint8_t *data          = block->memory + *offset;
      KetteTensor *tensor    = _kette_tensor_new_view (old->dtype, old->dims, old->rank,
                                                       data, release_block, block, error);
      if (!tensor)
        return FALSE;
      g_atomic_int_inc (&block->ref);
      _kette_tensor_read (old, data);
      *offset += ALIGN (old->bytes);
      _kette_value_set_data (value, tensor);
      kette_tensor_unref (tensor);
    }
  return TRUE;
}

gboolean
_kette_graph_make_live (KetteGraph *graph, GError **error)
{
  KetteAccount *account   = _kette_account_process ();
  const KetteModel *model = graph->model;
  size_t bytes = bytes_needed (graph), offset = 0;
  Block *block;
  gboolean ok = TRUE;

  for (size_t i = 0; i < model->n_training; i++)
    if (model->training[i]->algorithm)
      bytes += bytes_needed (model->training[i]->algorithm);
  if (!(block = _kette_alloc (account, 1, sizeof *block, error)))
    return FALSE;
  block->ref = 1;
  if (!(block->memory = _kette_alloc (account, MAX (bytes, 1), 1, error)))
    ok = FALSE;
  ok = ok && move (graph, block, &offset, error);
  for (size_t i = 0; ok && i < model->n_training; i++)
    if (model->training[i]->algorithm)
      ok = move (model->training[i]->algorithm, block, &offset, error);
  release_block (block);
  return _kette_guard_outcome (model->maps, ok, error);
}
