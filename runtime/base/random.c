/* SPDX-License-Identifier: Apache-2.0
 * Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011), and what is drawn with it.
 */
#include "base/random.h"

void
_kette_philox (const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
  uint32_t k0 = key[0], k1 = key[1];
  uint32_t x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3];

  for (int round = 0; round < 10; round++)
    {
      const uint64_t a = (uint64_t) 0xd2511f53u * x0, b = (uint64_t) 0xcd9e8d57u * x2;

      x0 = (uint32_t) (b >> 32) ^ x1 ^ k0;
      x1 = (uint32_t) b;
      x2 = (uint32_t) (a >> 32) ^ x3 ^ k1;
      x3 = (uint32_t) a;
      k0 += 0x9e3779b9u; /* the golden ratio and the root of 3, as in the paper */
      k1 += 0xbb67ae85u;
    }
  out[0] = x0;
  out[1] = x1;
  out[2] = x2;
  out[3] = x3;
}

/* FNV-1a, whose upper bits hardly move for short names, with the finaliser of SplitMix64. */
static uint64_t
hash_name (const char *name)
{
  uint64_t h = 0xcbf29ce484222325u;

  for (; *name; name++)
    h = (h ^ (uint8_t) *name) * 0x100000001b3u;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
  return h ^ (h >> 31);
}

void
_kette_random_key (uint64_t seed, const char *name, uint32_t key[2])
{
  const uint64_t sum = seed + hash_name (name);

  key[0] = (uint32_t) sum;
  key[1] = (uint32_t) (sum >> 32);
}

static void
draw_four (const uint32_t key[2], uint64_t step, uint64_t block, uint32_t out[4])
{
  const uint32_t counter[4] = { (uint32_t) block, (uint32_t) (block >> 32),
                                (uint32_t) step, (uint32_t) (step >> 32) };

  _kette_philox (key, counter, out);
}

/* Words of a stream, one after the other. */
typedef struct
{
  const uint32_t *key;
  uint64_t step, i;
  uint32_t four[4];
} Stream;

static uint32_t
next_word (Stream *s)
{
  if (s->i % 4 == 0)
    draw_four (s->key, s->step, s->i / 4, s->four);
  return s->four[s->i++ % 4];
}

/* Uniform in 0 .. n-1, n > 0, without bias: the upper half of word * n; words whose lower half
 * is among the 2^32 mod n smallest are drawn again. */
static uint32_t
below (Stream *s, uint32_t n)
{
  uint64_t product = (uint64_t) next_word (s) * n;

  if ((uint32_t) product < n)
    {
      const uint32_t spare = (uint32_t) -n % n;

      while ((uint32_t) product < spare)
        product = (uint64_t) next_word (s) * n;
    }
  return (uint32_t) (product >> 32);
}

void
_kette_random_permutation (const uint32_t key[2], uint64_t step, uint32_t *order,
                           uint32_t n)
{
  Stream s = { .key = key, .step = step };

  for (uint32_t i = 0; i < n; i++)
    order[i] = i;
  for (uint32_t i = n; i > 1; i--)
    {
      const uint32_t j    = below (&s, i);
      const uint32_t last = order[i - 1];

      order[i - 1] = order[j];
      order[j]     = last;
    }
}

float
_kette_random_uniform (const uint32_t key[2], uint64_t step, uint64_t i)
{
  uint32_t four[4];

  draw_four (key, step, i / 4, four);
  return (float) (four[i % 4] >> 8) * 0x1p-24f;
}
