/* SPDX-License-Identifier: Apache-2.0
 *
 * primitive.c: a primitive of oneDNN with the memory objects that its calls need. A call takes
 * a set of them that nobody uses, sets the pointers, and gives it back; sets are made when
 * there are not enough, so that a run that is like an earlier one allocates nothing here.
 */
#include "onednn.h"
#include <stdlib.h>
#include <string.h>

bool
primitive_is_fast (dnnl_primitive_desc_t desc)
{
  const char *name = NULL;

  return dnn.primitive_desc_query (desc, dnnl_query_impl_info_str, 0, (void *) &name)
             == dnnl_success
         && name && !strstr (name, "ref") && !strstr (name, "gemm");
}

static const dnnl_memory_desc_t *
md_of (dnnl_primitive_desc_t desc, int arg)
{
  switch (arg)
    {
    case DNNL_ARG_SRC:
      return dnn.primitive_desc_query_md (desc, dnnl_query_src_md, 0);
    case DNNL_ARG_DST:
      return dnn.primitive_desc_query_md (desc, dnnl_query_dst_md, 0);
    case DNNL_ARG_WEIGHTS:
      return dnn.primitive_desc_query_md (desc, dnnl_query_weights_md, 0);
    case DNNL_ARG_BIAS:
      return dnn.primitive_desc_query_md (desc, dnnl_query_weights_md, 1);
    case DNNL_ARG_DIFF_SRC:
      return dnn.primitive_desc_query_md (desc, dnnl_query_diff_src_md, 0);
    case DNNL_ARG_DIFF_DST:
      return dnn.primitive_desc_query_md (desc, dnnl_query_diff_dst_md, 0);
    case DNNL_ARG_DIFF_WEIGHTS:
      return dnn.primitive_desc_query_md (desc, dnnl_query_diff_weights_md, 0);
    case DNNL_ARG_DIFF_BIAS:
      return dnn.primitive_desc_query_md (desc, dnnl_query_diff_weights_md, 1);
    default:
      return dnn.primitive_desc_query_md (desc, dnnl_query_scratchpad_md, 0);
    }
}

static void
free_slot (Slot *slot)
{
  for (int i = 0; i < slot->n; i++)
    dnn.memory_destroy (slot->args[i].memory);
  free (slot->scratch);
  free (slot);
}

static Slot *
new_slot (const Primitive *p)
{
  Slot *slot = calloc (1, sizeof *slot);

  if (!slot)
    return NULL;
  atomic_store (&slot->busy, true);
  if (p->scratch && !(slot->scratch = aligned_alloc (64, (p->scratch + 63) / 64 * 64)))
    {
      free_slot (slot);
      return NULL;
    }
  for (int i = 0; i < p->n_args + (p->scratch != 0); i++)
    {
      const int arg                = i < p->n_args ? p->args[i] : DNNL_ARG_SCRATCHPAD;
      const dnnl_memory_desc_t *md = i < p->n_args ? &p->md[i] : md_of (p->desc, arg);
      dnnl_memory_t memory;
      if (dnn.memory_create (&memory, md, dnn.engine,
                             i < p->n_args ? DNNL_MEMORY_NONE : slot->scratch)
          != dnnl_success)
        {
          free_slot (slot);
          return NULL;
        }
      slot->args[slot->n++] = (dnnl_exec_arg_t){ arg, memory };
    }
  return slot;
}

/* A set of memory objects for the caller alone; NULL: there is no memory for one. */
static Slot *
take_slot (Primitive *p)
{
  for (int i = 0; i < MOST_SLOTS; i++)
    {
      Slot *slot = atomic_load_explicit (&p->slots[i], memory_order_acquire),
           *none = NULL;

      if (slot && !atomic_load_explicit (&slot->busy, memory_order_relaxed)
          && !atomic_exchange_explicit (&slot->busy, true, memory_order_acquire))
        return slot;
      if (slot)
        continue;
      if (!(slot = new_slot (p)))
        return NULL;
      if (atomic_compare_exchange_strong (&p->slots[i], &none, slot))
        return slot;
      free_slot (slot);
      i--;
    }
  return NULL;
}

dnnl_status_t
primitive_run (Primitive *p, void *const *data)
{
  Slot *slot           = take_slot (p);
  dnnl_status_t status = slot ? dnnl_success : dnnl_out_of_memory;

  for (int i = 0; status == dnnl_success && i < p->n_args; i++)
    status = dnn.memory_set_data_handle (slot->args[i].memory, data[i]);
  if (status == dnnl_success)
    status = dnn.primitive_execute (p->primitive, dnn.stream, slot->n, slot->args);
  if (slot)
    atomic_store_explicit (&slot->busy, false, memory_order_release);
  return status;
}

kt_status
primitive_init (const kt_host *host, const void *ctx, Primitive *p,
                dnnl_primitive_desc_t desc, const int *args, int n_args)
{
  p->desc   = desc;
  p->n_args = n_args;
  for (int i = 0; i < n_args; i++)
    {
      p->args[i] = args[i];
      p->md[i]   = *md_of (desc, args[i]);
    }
  p->scratch = dnn.memory_desc_get_size (md_of (desc, DNNL_ARG_SCRATCHPAD));

  const dnnl_status_t status = dnn.primitive_create (&p->primitive, desc);
  if (status != dnnl_success)
    return dnn_failed (host, ctx, status);
  Slot *slot = take_slot (p); /* so that a run on one thread finds one */
  if (!slot)
    return dnn_failed (host, ctx, dnnl_out_of_memory);
  atomic_store (&slot->busy, false);
  return KT_OK;
}

size_t
primitive_bytes (const Primitive *p, int i)
{
  return dnn.memory_desc_get_size (&p->md[i]);
}

void
primitive_clear (Primitive *p)
{
  for (int i = 0; i < MOST_SLOTS; i++)
    if (atomic_load (&p->slots[i]))
      free_slot (atomic_load (&p->slots[i]));
  if (p->primitive)
    dnn.primitive_destroy (p->primitive);
  if (p->desc)
    dnn.primitive_desc_destroy (p->desc);
  memset (p, 0, sizeof *p);
}

kt_status
primitive_init_reorder (const kt_host *host, const void *ctx, Primitive *p,
                        const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to)
{
  const int args[] = { DNNL_ARG_FROM, DNNL_ARG_TO };
  dnnl_primitive_attr_t attr;
  dnnl_primitive_desc_t desc;
  dnnl_status_t status = dnn.primitive_attr_create (&attr);

  if (status != dnnl_success)
    return dnn_failed (host, ctx, status);
  dnn.primitive_attr_set_scratchpad_mode (attr, dnnl_scratchpad_mode_user);
  status
      = dnn.reorder_primitive_desc_create (&desc, from, dnn.engine, to, dnn.engine, attr);
  dnn.primitive_attr_destroy (attr);
  return status == dnnl_success ? primitive_init (host, ctx, p, desc, args, 2)
                                : dnn_failed (host, ctx, status);
}
