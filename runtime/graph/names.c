/* SPDX-License-Identifier: Apache-2.0
 * Names to pointers: open addressing with a hash that is keyed per process, so that a file
 * cannot choose names that collide. Nothing visible depends on the key.
 */
#include "graph/graph-private.h"
#include <string.h>
#include <sys/random.h>

typedef struct
{
  const char *name; /* NULL: empty; removed entries keep their name and have value NULL */
  gpointer value;
  uint64_t hash;
} Entry;

struct _KetteNames
{
  Entry *entries;
  size_t capacity, used; /* capacity is a power of two; used counts removed ones, too */
};

static uint64_t key[2];

static void
make_key (void)
{
  static gsize done;

  if (!g_once_init_enter (&done))
    return;
  if (getrandom (key, sizeof key, GRND_NONBLOCK) != (ssize_t) sizeof key)
    {
      key[0] = (uint64_t) g_get_monotonic_time ();
      key[1] = (uint64_t) (uintptr_t) &key;
    }
  g_once_init_leave (&done, 1);
}

static inline uint64_t
rotate (uint64_t x, int n)
{
  return x << n | x >> (64 - n);
}

static inline void
sip_round (uint64_t v[4])
{
  v[0] += v[1], v[1] = rotate (v[1], 13) ^ v[0], v[0] = rotate (v[0], 32);
  v[2] += v[3], v[3] = rotate (v[3], 16) ^ v[2];
  v[0] += v[3], v[3] = rotate (v[3], 21) ^ v[0];
  v[2] += v[1], v[1] = rotate (v[1], 17) ^ v[2], v[2] = rotate (v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein 2012, reduced rounds). */
static uint64_t
hash_name (const char *name)
{
  const size_t n = strlen (name);
  uint64_t v[4]  = { key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                     key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u };
  uint64_t word;

  for (size_t i = 0; i + 8 <= n; i += 8)
    {
      memcpy (&word, name + i, 8);
      v[3] ^= word;
      sip_round (v);
      v[0] ^= word;
    }
  word = (uint64_t) n << 56;
  memcpy (&word, name + (n & ~(size_t) 7), n & 7);
  v[3] ^= word;
  sip_round (v);
  v[0] ^= word;
  v[2] ^= 0xff;
  for (int i = 0; i < 3; i++)
    sip_round (v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

KetteNames *
_kette_names_new (GError **error)
{
  make_key ();
  return _kette_alloc (_kette_account_process (), 1, sizeof (KetteNames), error);
}

void
_kette_names_free (KetteNames *names)
{
  if (names)
    _kette_free (names->entries);
  _kette_free (names);
}

/* The entry of NAME, or the empty one where it would go. */
static Entry *
find (const KetteNames *names, const char *name, uint64_t hash)
{
  const size_t mask = names->capacity - 1;

  for (size_t i = hash & mask;; i = (i + 1) & mask)
    {
      Entry *e = &names->entries[i];
      if (!e->name || (e->hash == hash && strcmp (e->name, name) == 0))
        return e;
    }
}

static gboolean
grow (KetteNames *names, GError **error)
{
  KetteNames larger = { .capacity = MAX (names->capacity * 2, 16) };

  larger.entries = _kette_alloc (_kette_account_process (), larger.capacity,
                                 sizeof *larger.entries, error);
  if (!larger.entries)
    return FALSE;
  for (size_t i = 0; i < names->capacity; i++)
    if (names->entries[i].value)
      {
        *find (&larger, names->entries[i].name, names->entries[i].hash) = names->entries[i];
        larger.used++;
      }
  _kette_free (names->entries);
  *names = larger;
  return TRUE;
}

gboolean
_kette_names_set (KetteNames *names, const char *name, gpointer value, GError **error)
{
  const uint64_t hash = hash_name (name);
  Entry *entry;

  if ((names->used + 1) * 4 > names->capacity * 3 && !grow (names, error))
    return FALSE;
  entry = find (names, name, hash);
  names->used += entry->name == NULL;
  *entry = (Entry){ name, value, hash };
  return TRUE;
}

gpointer
_kette_names_get (const KetteNames *names, const char *name)
{
  return names->capacity ? find (names, name, hash_name (name))->value : NULL;
}

void
_kette_names_remove (KetteNames *names, const char *name)
{
  if (names->capacity)
    find (names, name, hash_name (name))->value = NULL;
}
