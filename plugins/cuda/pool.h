/* SPDX-License-Identifier: Apache-2.0
 *
 * pool.h: memory in blocks. It comes in segments of at least 2 MiB, is cut into blocks of
 * multiples of 256 bytes, and neighbours that are free become one again. A segment that is
 * wholly free is kept for the next call, until memory runs out. Nothing here knows of CUDA.
 */
#ifndef KETTE_CUDA_POOL_H
#define KETTE_CUDA_POOL_H

#include <stdbool.h>
#include <stddef.h>

typedef struct CuBlock CuBlock;

typedef struct
{
  /* A segment: false: it cannot be had. */
  bool (*get) (void *user, size_t bytes, void **memory);
  void (*put) (void *user, void *memory);
  void *user;
  CuBlock *first; /* all blocks: by segment, and within it by address */
  size_t held, used;
} CuPool;

enum
{
  CU_UNIT    = 256,
  CU_SEGMENT = 2 * 1024 * 1024
};

/* NULL: there is no memory, even after all free segments were given back. */
void *cu_pool_take (CuPool *pool, size_t bytes);
/* false: MEMORY is none of the pool's. */
bool cu_pool_give (CuPool *pool, void *memory);
/* Gives back all segments that are free. */
void cu_pool_trim (CuPool *pool);
/* Gives back everything. */
void cu_pool_clear (CuPool *pool);

#endif /* KETTE_CUDA_POOL_H */
