/* SPDX-License-Identifier: Apache-2.0
 * Names to pointers: open addressing over an array of entries in the order of insertion.
 *
 * The hash is SipHash-1-3 (Aumasson, Bernstein, INDOCRYPT 2012) with a key drawn once per
 * process: nobody can compute names that collide. Nothing visible depends on the key.
 */
#include "graph/graph-private.h"
#include <string.h>
#include <sys/random.h>

typedef struct
{
  const char *name; /* NULL: removed */
  gpointer value;
  uint32_t hash;
} Entry;

struct _KetteNames
{
  Entry *entries;
  size_t n_entries, capacity, n_removed;
  uint32_t *slots; /* entry's index plus one; 0: free */
  size_t n_slots;  /* a power of two, over twice the entries; or 0 */
};

static const uint64_t *
hash_key (void)
{
  static uint64_t key[2];
  static gsize once;

  if (g_once_init_enter (&once))
    {
      if (getrandom (key, sizeof key, 0) != (ssize_t) sizeof key)
        { /* old kernels: the address of a variable and the time are better than nothing */
          key[0] = (uint64_t) g_get_real_time () * 0x9e3779b97f4a7c15u;
          key[1] = (uint64_t) (uintptr_t) &once ^ (uint64_t) g_get_monotonic_time ();
        }
      g_once_init_leave (&once, 1);
    }
  return key;
}

static inline void
sip_round (uint64_t v[4])
{
#define ROTATE(x, b) ((x) << (b) | (x) >> (64 - (b)))
  v[0] += v[1];
  v[2] += v[3];
  v[1] = ROTATE (v[1], 13) ^ v[0];
  v[3] = ROTATE (v[3], 16) ^ v[2];
  v[0] = ROTATE (v[0], 32);
  v[2] += v[1];
  v[0] += v[3];
  v[1] = ROTATE (v[1], 17) ^ v[2];
  v[3] = ROTATE (v[3], 21) ^ v[0];
  v[2] = ROTATE (v[2], 32);
#undef ROTATE
}

static uint32_t
hash_of (const char *name)
{
  const uint64_t *key = hash_key ();
  const size_t n      = strlen (name);
  uint64_t v[4]       = { key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                          key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u };
  uint64_t word;
  size_t at = 0;

  for (; at + 8 <= n; at += 8)
    {
      memcpy (&word, name + at, 8);
      v[3] ^= word;
      sip_round (v);
      v[0] ^= word;
    }
  word = 0;
  memcpy (&word, name + at, n - at);
  word |= (uint64_t) n << 56;
  v[3] ^= word;
  sip_round (v);
  v[0] ^= word;
  v[2] ^= 0xff;
  for (int i = 0; i < 3; i++)
    sip_round (v);
  word = v[0] ^ v[1] ^ v[2] ^ v[3];
  return (uint32_t) (word ^ word >> 32);
}

KetteNames *
_kette_names_new (GError **error)
{
  return _kette_alloc (NULL, 1, sizeof (KetteNames), error);
}

void
_kette_names_free (KetteNames *names)
{
  if (!names)
    return;
  _kette_free (names->entries);
  _kette_free (names->slots);
  _kette_free (names);
}

/* The slot of NAME, or the free one where its search ends; there is always one. */
static size_t
slot_of (const KetteNames *names, const char *name, uint32_t hash)
{
  size_t slot = hash & (names->n_slots - 1);

  for (;; slot = (slot + 1) & (names->n_slots - 1))
    {
      const Entry *entry;

      if (names->slots[slot] == 0)
        return slot;
      entry = &names->entries[names->slots[slot] - 1];
      if (entry->hash == hash && entry->name && strcmp (entry->name, name) == 0)
        return slot;
    }
}

/* Makes room for one more: drops removed entries, doubles the slots where they get full. */
static gboolean
make_room (KetteNames *names, GError **error)
{
  const size_t live = names->n_entries - names->n_removed;
  size_t n_slots = 16, kept = 0;
  uint32_t *slots;

  if (names->n_slots > 0 && names->n_entries + 1 <= names->n_slots / 2)
    return _kette_grow (&names->entries, &names->capacity, names->n_entries + 1,
                        sizeof (Entry), error);
  while (n_slots / 4 < live + 1 && n_slots < SIZE_MAX / 4)
    n_slots *= 2;
  if (live >= UINT32_MAX - 1)
    return _kette_fail (error, KETTE_ERROR_LIMIT, NULL, "more than %u names",
                        UINT32_MAX - 1);
  if (!_kette_grow (&names->entries, &names->capacity, live + 1, sizeof (Entry), error))
    return FALSE;
  slots = _kette_alloc (NULL, n_slots, sizeof *slots, error);
  if (!slots)
    return FALSE;
  for (size_t i = 0; i < names->n_entries; i++)
    if (names->entries[i].name)
      names->entries[kept++] = names->entries[i];
  names->n_entries = kept;
  names->n_removed = 0;
  for (size_t i = 0; i < kept; i++)
    {
      size_t slot = names->entries[i].hash & (n_slots - 1);

      while (slots[slot] != 0)
        slot = (slot + 1) & (n_slots - 1);
      slots[slot] = (uint32_t) i + 1;
    }
  _kette_free (names->slots);
  names->slots   = slots;
  names->n_slots = n_slots;
  return TRUE;
}

gboolean
_kette_names_set (KetteNames *names, const char *name, gpointer value, GError **error)
{
  const uint32_t hash = hash_of (name);
  size_t slot;

  if (!make_room (names, error))
    return FALSE;
  slot = slot_of (names, name, hash);
  if (names->slots[slot] != 0)
    {
      names->entries[names->slots[slot] - 1].value = value;
      return TRUE;
    }
  names->entries[names->n_entries++] = (Entry){ name, value, hash };
  names->slots[slot]                 = (uint32_t) names->n_entries;
  return TRUE;
}

gpointer
_kette_names_get (const KetteNames *names, const char *name)
{
  size_t slot;

  if (!names || names->n_slots == 0)
    return NULL;
  slot = slot_of (names, name, hash_of (name));
  return names->slots[slot] ? names->entries[names->slots[slot] - 1].value : NULL;
}

void
_kette_names_remove (KetteNames *names, const char *name)
{
  size_t slot;

  if (names->n_slots == 0)
    return;
  slot = slot_of (names, name, hash_of (name));
  if (names->slots[slot] == 0)
    return;
  /* The slot stays taken, so that the search for others passes over it. */
  names->entries[names->slots[slot] - 1].name = NULL;
  names->n_removed++;
}
