/* SPDX-License-Identifier: Apache-2.0
 *
 * pool.c: memory in blocks: best fit, cut and merged.
 */
#include "pool.h"
#include <stdint.h>
#include <stdlib.h>

struct CuBlock
{
  CuBlock *before, *next;
  unsigned char *memory;
  size_t bytes;
  bool begins, busy; /* begins: a segment */
};

static size_t
round_up (size_t bytes, size_t unit)
{
  return bytes > SIZE_MAX - unit ? 0 : (bytes + unit - 1) / unit * unit;
}

/* The smallest free block that is large enough. */
static CuBlock *
best_of (const CuPool *pool, size_t bytes)
{
  CuBlock *best = NULL;

  for (CuBlock *b = pool->first; b; b = b->next)
    if (!b->busy && b->bytes >= bytes && (!best || b->bytes < best->bytes))
      best = b;
  return best;
}

static void
link_behind (CuPool *pool, CuBlock *before, CuBlock *b)
{
  b->before = before;
  b->next   = before ? before->next : pool->first;
  if (b->next)
    b->next->before = b;
  if (before)
    before->next = b;
  else
    pool->first = b;
}

static void
unlink_block (CuPool *pool, CuBlock *b)
{
  if (b->before)
    b->before->next = b->next;
  else
    pool->first = b->next;
  if (b->next)
    b->next->before = b->before;
  free (b);
}

static CuBlock *
add_segment (CuPool *pool, size_t bytes)
{
  CuBlock *b = calloc (1, sizeof *b);
  void *memory;

  if (!b)
    return NULL;
  bytes = round_up (bytes, CU_SEGMENT);
  if (bytes == 0 || !pool->get (pool->user, bytes, &memory))
    {
      free (b);
      return NULL;
    }
  *b = (CuBlock){ .memory = memory, .bytes = bytes, .begins = true };
  pool->held += bytes;
  link_behind (pool, NULL, b);
  return b;
}

void *
cu_pool_take (CuPool *pool, size_t bytes)
{
  CuBlock *b;

  if (bytes == 0 || (bytes = round_up (bytes, CU_UNIT)) == 0)
    return NULL;
  b = best_of (pool, bytes);
  /* A large one for a small piece: rather a segment for small ones. */
  if (b && bytes < CU_SEGMENT / 8 && b->begins && b->bytes > CU_SEGMENT)
    {
      CuBlock *small = add_segment (pool, bytes);
      b              = small ? small : b;
    }
  if (!b)
    b = add_segment (pool, bytes);
  if (!b)
    {
      cu_pool_trim (pool);
      b = add_segment (pool, bytes);
    }
  if (!b)
    return NULL;
  if (b->bytes > bytes)
    { /* without memory for the rest's description the block stays whole */
      CuBlock *rest = malloc (sizeof *rest);
      if (rest)
        {
          *rest    = (CuBlock){ .memory = b->memory + bytes, .bytes = b->bytes - bytes };
          b->bytes = bytes;
          link_behind (pool, b, rest);
        }
    }
  b->busy = true;
  pool->used += b->bytes;
  return b->memory;
}

/* B and the block behind it become one, if both are free and of one segment. */
static void
merge (CuPool *pool, CuBlock *b)
{
  CuBlock *next = b ? b->next : NULL;

  if (!next || b->busy || next->busy || next->begins)
    return;
  b->bytes += next->bytes;
  unlink_block (pool, next);
}

bool
cu_pool_give (CuPool *pool, void *memory)
{
  CuBlock *b = pool->first;

  while (b && (!b->busy || b->memory != memory))
    b = b->next;
  if (!b)
    return false;
  b->busy = false;
  pool->used -= b->bytes;
  merge (pool, b);
  if (!b->begins)
    merge (pool, b->before);
  return true;
}

void
cu_pool_trim (CuPool *pool)
{
  for (CuBlock *b = pool->first, *next; b; b = next)
    {
      next = b->next;
      if (b->busy || !b->begins || (next && !next->begins))
        continue;
      pool->put (pool->user, b->memory);
      pool->held -= b->bytes;
      unlink_block (pool, b);
    }
}

void
cu_pool_clear (CuPool *pool)
{
  while (pool->first)
    {
      if (pool->first->begins)
        pool->put (pool->user, pool->first->memory);
      unlink_block (pool, pool->first);
    }
  pool->held = pool->used = 0;
}
