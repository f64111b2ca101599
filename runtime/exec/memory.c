/* SPDX-License-Identifier: Apache-2.0
 * The memory plan: lifetimes to offsets in one arena.
 *
 * Storages are placed largest first, each at the lowest offset where nothing that lives at
 * the same time is in the way: within a few percent of the lower bound in practice. That is
 * quadratic, so long plans are placed in order of time from a list of free gaps instead.
 */
#include "exec/plan.h"
#include <stdlib.h>

#define ALIGN(n) (((n) + 63) & ~(size_t) 63)
#define MAX_BY_SIZE 4000

static int
compare_size (const void *a, const void *b)
{
  const KetteStorage *x = *(KetteStorage *const *) a, *y = *(KetteStorage *const *) b;

  if (x->bytes != y->bytes)
    return x->bytes < y->bytes ? 1 : -1;
  return x < y ? -1 : x > y;
}

static int
compare_offset (const void *a, const void *b)
{
  const KetteStorage *x = *(KetteStorage *const *) a, *y = *(KetteStorage *const *) b;

  if (x->offset != y->offset)
    return x->offset < y->offset ? -1 : 1;
  return x < y ? -1 : x > y;
}

static int
compare_first (const void *a, const void *b)
{
  const KetteStorage *x = *(KetteStorage *const *) a, *y = *(KetteStorage *const *) b;

  if (x->first != y->first)
    return x->first < y->first ? -1 : 1;
  return x < y ? -1 : x > y;
}

/* PLACED is kept in order of offset, so that one sweep finds the lowest gap. */
static void
place_by_size (KetteStorage **all, size_t n, KetteStorage **placed, size_t *end)
{
  size_t n_placed = 0;

  qsort (all, n, sizeof *all, compare_size);
  for (size_t i = 0; i < n; i++)
    {
      KetteStorage *s = all[i];
      size_t offset   = 0, at;
      for (size_t k = 0; k < n_placed; k++)
        {
          const KetteStorage *p = placed[k];
          if (p->last < s->first || s->last < p->first)
            continue;
          if (p->offset >= offset + s->bytes)
            break;
          offset = MAX (offset, ALIGN (p->offset + p->bytes));
        }
      s->offset = offset;
      *end      = MAX (*end, offset + s->bytes);
      for (at = n_placed++; at > 0 && compare_offset (&placed[at - 1], &s) > 0; at--)
        placed[at] = placed[at - 1];
      placed[at] = s;
    }
}

typedef struct
{
  size_t offset, bytes;
} Gap;

/* Gives OFFSET .. OFFSET + BYTES back, joined with its neighbours; gaps are sorted. */
static void
give_gap (Gap *gaps, size_t *n, size_t offset, size_t bytes)
{
  size_t at = *n;

  while (at > 0 && gaps[at - 1].offset > offset)
    at--;
  if (at > 0 && gaps[at - 1].offset + gaps[at - 1].bytes == offset)
    {
      gaps[at - 1].bytes += bytes;
      at--;
    }
  else
    {
      for (size_t k = (*n)++; k > at; k--)
        gaps[k] = gaps[k - 1];
      gaps[at] = (Gap){ offset, bytes };
    }
  if (at + 1 < *n && gaps[at].offset + gaps[at].bytes == gaps[at + 1].offset)
    {
      gaps[at].bytes += gaps[at + 1].bytes;
      for (size_t k = at + 1; k + 1 < *n; k++)
        gaps[k] = gaps[k + 1];
      --*n;
    }
}

static size_t
take_gap (Gap *gaps, size_t *n, size_t bytes, size_t *end)
{
  for (size_t k = 0; k < *n; k++)
    if (gaps[k].bytes >= bytes)
      {
        const size_t offset = gaps[k].offset;
        gaps[k].offset += bytes;
        gaps[k].bytes -= bytes;
        if (gaps[k].bytes == 0)
          {
            for (; k + 1 < *n; k++)
              gaps[k] = gaps[k + 1];
            --*n;
          }
        return offset;
      }
  *end += bytes;
  return *end - bytes;
}

static int
compare_last (const void *a, const void *b)
{
  const KetteStorage *x = *(KetteStorage *const *) a, *y = *(KetteStorage *const *) b;

  if (x->last != y->last)
    return x->last < y->last ? -1 : 1;
  return x < y ? -1 : x > y;
}

static gboolean
place_by_time (KetteStorage **all, size_t n, KetteStorage **ending, size_t *end,
               GError **error)
{
  Gap *gaps     = _kette_alloc (_kette_account_process (), n + 2, sizeof *gaps, error);
  size_t n_gaps = 0, next_end = 0;

  if (!gaps)
    return FALSE;
  for (size_t i = 0; i < n; i++)
    ending[i] = all[i];
  qsort (all, n, sizeof *all, compare_first);
  qsort (ending, n, sizeof *ending, compare_last);
  for (size_t i = 0; i < n; i++)
    {
      for (; next_end < n && ending[next_end]->last < all[i]->first; next_end++)
        give_gap (gaps, &n_gaps, ending[next_end]->offset,
                  ALIGN (ending[next_end]->bytes));
      all[i]->offset = take_gap (gaps, &n_gaps, ALIGN (all[i]->bytes), end);
    }
  _kette_free (gaps);
  return TRUE;
}

/* What must live at the worst moment: the lower bound of any plan. */
static gboolean
find_live_peak (KettePlan *plan, GError **error)
{
  const size_t n_nodes = plan->graph->n_nodes;
  int64_t *change
      = _kette_alloc (_kette_account_process (), n_nodes + 2, sizeof *change, error);
  int64_t live = 0;

  if (!change)
    return FALSE;
  for (size_t i = 0; i < plan->n_storages; i++)
    if (plan->storages[i].place == KETTE_AT_ARENA)
      {
        change[plan->storages[i].first] += (int64_t) plan->storages[i].bytes;
        change[plan->storages[i].last + 1] -= (int64_t) plan->storages[i].bytes;
      }
  for (size_t i = 0; i < n_nodes + 1; i++)
    {
      live += change[i];
      plan->live_peak = MAX (plan->live_peak, (size_t) live);
    }
  _kette_free (change);
  return TRUE;
}

/* Nothing lies where something else did. */
static void
place_apart (KetteStorage **all, size_t n, size_t *end)
{
  for (size_t i = 0; i < n; i++)
    {
      all[i]->offset = *end;
      *end += ALIGN (all[i]->bytes);
    }
}

static gboolean
is_separate (const KettePlan *plan, uint32_t unit)
{
  const KetteUnit *u = unit ? _kette_plan_unit (plan, unit) : NULL;

  return u && u->device->separate && u->device->separate (u->handle);
}

gboolean
_kette_plan_memory (KettePlan *plan, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  KetteStorage **all = _kette_alloc (account, plan->n_storages + 1, sizeof *all, error);
  KetteStorage **placed
      = all ? _kette_alloc (account, plan->n_storages + 1, sizeof *placed, error) : NULL;
  gboolean ok = placed != NULL;

  for (uint32_t unit = 0; ok && unit <= plan->n_units; unit++)
    {
      size_t *end = unit ? &plan->unit_arena[unit] : &plan->arena_bytes, n = 0;
      for (size_t i = 0; i < plan->n_storages; i++)
        if (plan->storages[i].place == KETTE_AT_ARENA && plan->storages[i].bytes
            && plan->storages[i].unit == unit)
          all[n++] = &plan->storages[i];
      if (is_separate (plan, unit))
        {
          plan->separate |= 1u << unit;
          place_apart (all, n, end);
        }
      else if (n <= MAX_BY_SIZE)
        place_by_size (all, n, placed, end);
      else
        ok = place_by_time (all, n, placed, end, error);
    }
  _kette_free (all);
  _kette_free (placed);
  return ok && find_live_peak (plan, error);
}
