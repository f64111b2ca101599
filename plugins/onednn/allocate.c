/* SPDX-License-Identifier: Apache-2.0
 *
 * allocate.c: the small blocks that libdnnl takes and gives back at each call of a primitive
 * (lists of its arguments). A step in steady state is to allocate nothing, so libdnnl's calls of
 * C++'s operator new and delete are led here, by the table through which it calls other
 * libraries: what it gives back is kept for its next call, per thread. Blocks come from malloc
 * and may be freed by anybody, so nothing depends on who else's calls are led here.
 */
#include "onednn.h"
#include <dlfcn.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum
{
  CLASSES = 32, /* class k: blocks with room for 16 k + 8 bytes */
  MOST    = 32  /* blocks of a class that a thread keeps */
};

#if defined(__x86_64__)
#define IS_CALL(TYPE) ((TYPE) == R_X86_64_JUMP_SLOT)
#elif defined(__aarch64__)
#define IS_CALL(TYPE) ((TYPE) == R_AARCH64_JUMP_SLOT)
#else
#define IS_CALL(TYPE) 0
#endif

typedef struct Block
{
  struct Block *next;
} Block;

typedef struct
{
  Block *blocks[CLASSES];
  int n[CLASSES];
} Kept;

static __thread Kept *kept;
static pthread_key_t key;
static void *(*plain_new) (size_t);

static void
forget (void *data)
{
  Kept *k = data;

  for (int i = 0; i < CLASSES; i++)
    while (k->blocks[i])
      {
        Block *block = k->blocks[i];
        k->blocks[i] = block->next;
        free (block);
      }
  free (k);
  kept = NULL;
}

/* The calling thread's lists; NULL: there is no memory for them. */
static Kept *
lists (void)
{
  if (!kept && (kept = calloc (1, sizeof *kept)) && pthread_setspecific (key, kept) != 0)
    {
      free (kept);
      kept = NULL;
    }
  return kept;
}

static void *
take (size_t bytes)
{
  const size_t k = bytes <= 8 ? 0 : (bytes - 8 + 15) / 16;
  Kept *own      = k < CLASSES ? lists () : NULL;

  if (own && own->blocks[k])
    {
      Block *block   = own->blocks[k];
      own->blocks[k] = block->next;
      own->n[k]--;
      return block;
    }

  void *block = malloc (k < CLASSES ? 16 * k + 8 : bytes);
  return block ? block : plain_new (bytes); /* which throws */
}

static void
give (void *block)
{
  const size_t room = block ? malloc_usable_size (block) : 0;
  const size_t k    = room < 8 ? CLASSES : (room - 8) / 16;
  Kept *own         = k < CLASSES ? lists () : NULL;

  if (!own || own->n[k] == MOST)
    {
      free (block);
      return;
    }
  ((Block *) block)->next = own->blocks[k];
  own->blocks[k]          = block;
  own->n[k]++;
}

/* Is this libstdc++'s own operator, which is malloc or free? Others (a program's own, a
 * sanitizer's) are left alone. */
static bool
is_usual (const void *function)
{
  Dl_info info;
  const char *name;

  if (!dladdr (function, &info) || !info.dli_fname)
    return false;
  name = strrchr (info.dli_fname, '/');
  return strncmp (name ? name + 1 : info.dli_fname, "libstdc++.so", 12) == 0;
}

/* The table is read-only once the library is open. */
static bool
write_entry (void **entry, void *value)
{
  const size_t page = (size_t) sysconf (_SC_PAGESIZE);
  void *const begin = (void *) ((uintptr_t) entry & ~(uintptr_t) (page - 1));

  if (mprotect (begin, page, PROT_READ | PROT_WRITE) != 0)
    return false;
  *entry = value;
  mprotect (begin, page, PROT_READ);
  return true;
}

/* The entry of the table for the function NAME; NULL: there is none. */
static void **
find_entry (const struct link_map *map, const char *name)
{
  const ElfW (Rela) *rows   = NULL;
  const ElfW (Sym) *symbols = NULL;
  const char *names         = NULL;
  size_t bytes              = 0;

  for (const ElfW (Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++)
    {
      const void *const p = (const void *) d->d_un.d_ptr;
      symbols             = d->d_tag == DT_SYMTAB ? p : symbols;
      names               = d->d_tag == DT_STRTAB ? p : names;
      rows                = d->d_tag == DT_JMPREL ? p : rows;
      bytes               = d->d_tag == DT_PLTRELSZ ? d->d_un.d_val : bytes;
    }
  for (size_t i = 0; rows && symbols && names && i < bytes / sizeof *rows; i++)
    if (IS_CALL (ELF64_R_TYPE (rows[i].r_info))
        && strcmp (names + symbols[ELF64_R_SYM (rows[i].r_info)].st_name, name) == 0)
      return (void **) (map->l_addr + rows[i].r_offset);
  return NULL;
}

void
allocate_begin (void *library)
{
  struct link_map *map = NULL;
  void **take_entry, **give_entry;

  if (dlinfo (library, RTLD_DI_LINKMAP, &map) != 0
      || !(take_entry = find_entry (map, "_Znwm"))
      || !(give_entry = find_entry (map, "_ZdlPv")) || !is_usual (*take_entry)
      || !is_usual (*give_entry) || pthread_key_create (&key, forget) != 0)
    return;
  *(void **) &plain_new = *take_entry;
  /* Blocks of either operator new may be given back by either delete. */
  if (write_entry (take_entry, *(void **) &(void *(*) (size_t)){ take }))
    write_entry (give_entry, *(void **) &(void (*) (void *)){ give });
}
