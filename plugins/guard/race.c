/* SPDX-License-Identifier: Apache-2.0
 *
 * race.c: who came before whom. Each operation has a clock: of every stream, the last operation
 * that is certainly done before it. Each range of bytes remembers its last writer and who read
 * it since. An access that does not come behind what it must come behind is a race, whatever
 * happened to happen first; so is reading what nobody wrote.
 */
#include "guard.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum
{
  MOST_READERS = 8 /* that are concurrent; further ones take the place of the first */
};

typedef struct
{
  uint32_t stream, time;
  const char *label;
} Access;

typedef struct
{
  size_t first, end;
  bool dead; /* what the writer did was to say so */
  Access writer, readers[MOST_READERS];
  uint32_t n_readers;
} Segment;

/* Sorted, not overlapping; what is in none was never written. */
struct History
{
  Segment *segments;
  size_t n, capacity;
};

Clock guard_host_clock;
pthread_mutex_t guard_clocks = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock  = PTHREAD_MUTEX_INITIALIZER; /* of all histories */

void
guard_merge (Clock *into, const Clock *from)
{
  const uint32_t n = __atomic_load_n (&guard_n_streams, __ATOMIC_ACQUIRE);

  for (uint32_t i = 0; i < n; i++)
    into->at[i] = into->at[i] > from->at[i] ? into->at[i] : from->at[i];
}

void
guard_set_clock (Clock *clock, const Clock *from)
{
  const uint32_t n = __atomic_load_n (&guard_n_streams, __ATOMIC_ACQUIRE);

  memcpy (clock->at, from->at, n * sizeof *clock->at);
}

static bool
is_before (const Access *access, const Clock *clock)
{
  return clock->at[access->stream] >= access->time;
}

static bool
race (char *text, const Access *other, const char *done, const char *label,
      const char *does)
{
  snprintf (text, TEXT,
            "race: \"%.80s\" %s what \"%.80s\" %s, and no event says who is first", label,
            does, other->label, done);
  return false;
}

/* Labels are remembered longer than they live. */
typedef struct Name
{
  struct Name *next;
  char text[];
} Name;

static const char *
keep_name (const char *text)
{
  static Name *names[1024];
  uint32_t hash = 2166136261u;

  for (const char *p = text; *p; p++)
    hash = (hash ^ (uint8_t) *p) * 16777619u;
  Name **at = &names[hash % 1024];
  for (Name *name = *at; name; name = name->next)
    if (strcmp (name->text, text) == 0)
      return name->text;
  const size_t n = strlen (text) + 1;
  Name *name     = malloc (sizeof *name + n);
  if (!name)
    return "?";
  memcpy (name->text, text, n);
  name->next = *at;
  *at        = name;
  return name->text;
}

/* The first segment that ends behind AT. */
static size_t
segment_at (const History *h, size_t at)
{
  size_t low = 0, high = h->n;

  while (low < high)
    {
      const size_t middle = (low + high) / 2;
      if (h->segments[middle].end > at)
        high = middle;
      else
        low = middle + 1;
    }
  return low;
}

/* Room for N more segments at place AT. */
static bool
insert (History *h, size_t at, size_t n)
{
  if (h->n + n > h->capacity)
    {
      const size_t capacity = 2 * h->capacity + n + 8;
      Segment *more         = realloc (h->segments, capacity * sizeof *more);
      if (!more)
        return false;
      h->segments = more;
      h->capacity = capacity;
    }
  memmove (h->segments + at + n, h->segments + at, (h->n - at) * sizeof *h->segments);
  h->n += n;
  return true;
}

/* No segment reaches over AT afterwards. */
static bool
split (History *h, size_t at)
{
  const size_t i = segment_at (h, at);

  if (i == h->n || h->segments[i].first >= at)
    return true;
  if (!insert (h, i, 1))
    return false;
  h->segments[i]     = h->segments[i + 1];
  h->segments[i].end = h->segments[i + 1].first = at;
  return true;
}

static bool
note_read (Segment *s, const Clock *clock, const Access *me, char *text)
{
  uint32_t n = 0;

  if (!is_before (&s->writer, clock))
    return race (text, &s->writer, "writes", me->label, "reads");
  if (s->dead)
    {
      snprintf (text, TEXT,
                "\"%.80s\" reads what is dead since \"%.80s\": it is used after its end",
                me->label, s->writer.label);
      return false;
    }
  for (uint32_t k = 0; k < s->n_readers; k++)
    if (!is_before (&s->readers[k],
                    clock)) /* who comes behind ME comes behind the others */
      s->readers[n++] = s->readers[k];
  s->readers[n < MOST_READERS ? n : 0] = *me;
  s->n_readers                         = n < MOST_READERS ? n + 1 : n;
  return true;
}

static bool
read_range (History *h, const Clock *clock, const Access *me, size_t first, size_t end,
            char *text)
{
  size_t at = first;

  for (size_t i = segment_at (h, first); at < end; i++)
    {
      if (i == h->n || h->segments[i].first > at)
        {
          snprintf (text, TEXT, "\"%.80s\" reads what nobody wrote: a copy is missing",
                    me->label);
          return false;
        }
      if (!note_read (&h->segments[i], clock, me, text))
        return false;
      at = h->segments[i].end;
    }
  return true;
}

static bool
write_range (History *h, const Clock *clock, const Access *me, size_t first, size_t end,
             bool dead, char *text)
{
  const size_t begin = segment_at (h, first);
  size_t i           = begin;

  for (; i < h->n && h->segments[i].first < end; i++)
    {
      const Segment *s = &h->segments[i];
      if (!is_before (&s->writer, clock))
        return race (text, &s->writer, "writes", me->label, "writes");
      for (uint32_t k = 0; k < s->n_readers; k++)
        if (!is_before (&s->readers[k], clock))
          return race (text, &s->readers[k], "reads", me->label, "writes");
    }
  if (i == begin && !insert (h, begin, 1))
    return true; /* no memory: nothing is known of these bytes */
  if (i > begin + 1)
    {
      memmove (h->segments + begin + 1, h->segments + i,
               (h->n - i) * sizeof *h->segments);
      h->n -= i - begin - 1;
    }
  h->segments[begin]
      = (Segment){ .first = first, .end = end, .dead = dead, .writer = *me };
  return true;
}

bool
guard_access (History **history, const Clock *clock, uint32_t stream, const char *label,
              size_t first, size_t end, Use use, char *text)
{
  bool ok = true;

  if (first == end)
    return true;
  pthread_mutex_lock (&lock);
  const Access me = { stream, clock->at[stream], keep_name (label ? label : "?") };
  if (!*history)
    *history = calloc (1, sizeof **history);
  if (*history && split (*history, first) && split (*history, end))
    ok = use == TO_READ
             ? read_range (*history, clock, &me, first, end, text)
             : write_range (*history, clock, &me, first, end, use == TO_DIE, text);
  pthread_mutex_unlock (&lock);
  return ok;
}

void
guard_history_free (History *history)
{
  if (history)
    free (history->segments);
  free (history);
}

static bool
check_one (const kt_range *r, const Device *device, uint32_t stream, const Clock *clock,
           const char *label, char *text)
{
  const Use use = r->dead ? TO_DIE : r->write ? TO_WRITE : TO_READ;
  char what[TEXT];
  size_t offset;
  Block *block = guard_hold (device, r, what);

  if (!block)
    {
      snprintf (text, TEXT, "\"%.80s\" %.300s", label ? label : "?", what);
      return false;
    }
  History **history = guard_block_history (block, r->memory, &offset);
  const bool ok = guard_access (history, clock, stream, label, offset, offset + r->bytes,
                                use, text);
  guard_drop (block);
  return ok;
}

bool
guard_check (bool deaths, const kt_range *ranges, int32_t n, const Device *device,
             uint32_t stream, const Clock *clock, const char *label, char *text)
{
  bool ok = true;

  /* Reads first: an operation may write over what it reads. */
  for (int32_t k = 0; ok && k < 2 * n; k++)
    {
      const kt_range *r = &ranges[k % n];
      if ((r->write != 0) == (k >= n) && (r->dead != 0) == deaths && r->bytes > 0)
        ok = check_one (r, device, stream, clock, label, text);
    }
  return ok;
}
