/* SPDX-License-Identifier: Apache-2.0
 * Who waits for whom. The steps of a plan with devices are spread over lanes: the host, and two
 * streams of each device. A step waits for the last one of another lane that wrote what it
 * touches, or read what it writes, unless it knows already that this one is done: from its own
 * lane's earlier waits, or because the host waited before it handed the step on. It is memory that
 * is looked at, not values, because arenas are used again and again.
 */
#include "exec/plan.h"
#include <stdlib.h>
#include <string.h>

enum
{
  MOST_LANES = 2 * KETTE_MOST_UNITS + 1
};

/* Numbers of steps are one more than the step; 0: none. */
typedef struct
{
  uint32_t writer, writer_lane;
} Cell;

typedef struct
{
  KettePlan *plan;
  uint32_t n_lanes;
  size_t *bounds[KETTE_MOST_UNITS + 1]; /* by unit: where storages begin or end, sorted */
  size_t n_bounds[KETTE_MOST_UNITS + 1], first_cell[KETTE_MOST_UNITS + 1];
  Cell *cells;        /* of arenas, then one per storage that is elsewhere */
  uint32_t *readers;  /* by cell and lane: the last step that read it */
  size_t outside;     /* the first of those */
  uint32_t *known;    /* by lane and lane: up to which step it is behind the other one */
  uint32_t *snapshot; /* by step and lane: known of its lane when it was given */
  uint32_t need[MOST_LANES];
  /* Storages that nobody reads at the end, of devices that want to know when: the last use in the
   * upper half, sorted; of those before NEXT_MORTAL the first N_DYING wait for a step to be told
   * with. */
  uint64_t *mortal;
  size_t n_mortal, next_mortal, n_dying;
} Lanes;

static int
compare_sizes (const void *a, const void *b)
{
  const size_t x = *(const size_t *) a, y = *(const size_t *) b;

  return x < y ? -1 : x > y;
}

static gboolean
collect_bounds (Lanes *l, uint32_t unit, size_t *n_cells, GError **error)
{
  const KettePlan *plan = l->plan;
  size_t *bounds = _kette_alloc (_kette_account_process (), 2 * plan->n_storages + 2,
                                 sizeof *bounds, error);
  size_t n = 0, kept = 0;

  if (!bounds)
    return FALSE;
  for (size_t i = 0; i < plan->n_storages; i++)
    if (plan->storages[i].place == KETTE_AT_ARENA && plan->storages[i].unit == unit)
      {
        bounds[n++] = plan->storages[i].offset;
        bounds[n++] = plan->storages[i].offset + plan->storages[i].bytes;
      }
  qsort (bounds, n, sizeof *bounds, compare_sizes);
  for (size_t i = 0; i < n; i++)
    if (kept == 0 || bounds[kept - 1] != bounds[i])
      bounds[kept++] = bounds[i];
  l->bounds[unit]     = bounds;
  l->n_bounds[unit]   = kept;
  l->first_cell[unit] = *n_cells;
  *n_cells += kept;
  return TRUE;
}

/* The cells that S covers: FIRST <= c < END. */
static void
cells_of (const Lanes *l, const KetteStorage *s, size_t *first, size_t *end)
{
  const size_t *bounds = l->bounds[s->unit];
  size_t low = 0, high = l->n_bounds[s->unit];

  if (s->place != KETTE_AT_ARENA)
    {
      *first = l->outside + (size_t) (s - l->plan->storages);
      *end   = *first + 1;
      return;
    }
  while (low < high)
    {
      const size_t middle = (low + high) / 2;
      if (bounds[middle] < s->offset)
        low = middle + 1;
      else
        high = middle;
    }
  *first = *end = l->first_cell[s->unit] + low;
  while (low < l->n_bounds[s->unit] && bounds[low] < s->offset + s->bytes)
    {
      low++;
      ++*end;
    }
}

static void
require (Lanes *l, uint32_t step, uint32_t lane)
{
  if (step)
    l->need[lane] = MAX (l->need[lane], step);
}

/* What a step of LANE that touches S must come behind. */
static void
look (Lanes *l, const KetteStorage *s, gboolean write)
{
  size_t first, end;

  if (!s)
    return;
  cells_of (l, s, &first, &end);
  for (size_t c = first; c < end; c++)
    {
      require (l, l->cells[c].writer, l->cells[c].writer_lane);
      for (uint32_t lane = 0; write && lane < l->n_lanes; lane++)
        require (l, l->readers[c * l->n_lanes + lane], lane);
    }
}

static void
note (Lanes *l, const KetteStorage *s, gboolean write, uint32_t step, uint32_t lane)
{
  size_t first, end;

  if (!s)
    return;
  cells_of (l, s, &first, &end);
  for (size_t c = first; c < end; c++)
    if (write)
      {
        l->cells[c] = (Cell){ step, lane };
        memset (&l->readers[c * l->n_lanes], 0, l->n_lanes * sizeof *l->readers);
      }
    else
      l->readers[c * l->n_lanes + lane] = step;
}

/* Calls look (STEP 0) or note for all that the steps at I touch. */
static void
touch (Lanes *l, size_t i, gboolean write, uint32_t step, uint32_t lane)
{
  const KettePlan *plan = l->plan;

  for (uint32_t k = 0; k < plan->steps[i].span; k++)
    {
      const KetteStep *s = &plan->steps[i + k];
      KetteValue *const *operands;
      uint32_t first, end;

      if (s->update)
        {
          const KetteValue *v = write ? s->update->key : s->update->value;
          if (step)
            note (l, _kette_plan_storage (plan, v), write, step, lane);
          else
            look (l, _kette_plan_storage (plan, v), write);
          continue;
        }
      operands = plan->operands + s->first_tensor;
      first    = write ? s->n_in : 0;
      end      = write ? s->n_in + s->n_out : s->n_in;
      for (uint32_t o = first; o < end; o++)
        if (operands[o] && step)
          note (l, _kette_plan_storage (plan, operands[o]), write, step, lane);
        else if (operands[o])
          look (l, _kette_plan_storage (plan, operands[o]), write);
    }
}

static uint32_t
lane_of (const KettePlan *plan, const KetteStep *step)
{
  if (step->update)
    {
      const uint32_t to = step->update->key->unit, from = step->update->value->unit;
      return to ? 2 * to - 1 : from ? 2 * from - 1 : 0;
    }
  const uint32_t unit = step->node->unit;
  return unit == 0 ? 0 : _kette_is_copy (step->node) ? 2 * unit : 2 * unit - 1;
}

static gboolean
add_wait (Lanes *l, KetteSync *sync, uint32_t lane, uint32_t step, GError **error)
{
  KettePlan *plan = l->plan;

  if (!_kette_grow (&plan->waits, &plan->waits_capacity, plan->n_waits + 1,
                    sizeof *plan->waits, error))
    return FALSE;
  plan->waits[plan->n_waits++] = step - 1;
  sync->n_waits++;
  if (plan->sync[step - 1].event == 0)
    plan->sync[step - 1].event = (uint32_t) ++plan->n_events;
  /* What that step was behind, this one is, too. */
  uint32_t *known      = &l->known[lane * l->n_lanes];
  const uint32_t *then = &l->snapshot[(step - 1) * l->n_lanes];
  for (uint32_t m = 0; m < l->n_lanes; m++)
    known[m] = MAX (known[m], then[m]);
  return TRUE;
}

/* -- deaths -------------------------------------------------------------------------------- */

static gboolean
wants_deaths (const KettePlan *plan, uint32_t unit)
{
  return unit && _kette_plan_unit (plan, unit)->device->execute;
}

static int
compare_mortal (const void *a, const void *b)
{
  const uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

  return x < y ? -1 : x > y;
}

static gboolean
collect_mortal (Lanes *l, GError **error)
{
  const KettePlan *plan = l->plan;

  l->mortal = _kette_alloc (_kette_account_process (), plan->n_storages + 1,
                            sizeof *l->mortal, error);
  for (size_t i = 0; l->mortal && i < plan->n_storages; i++)
    {
      const KetteStorage *s = &plan->storages[i];
      if (s->place == KETTE_AT_ARENA && s->bytes && s->last < plan->graph->n_nodes
          && wants_deaths (plan, s->unit))
        l->mortal[l->n_mortal++] = (uint64_t) s->last << 32 | i;
    }
  if (l->n_mortal)
    qsort (l->mortal, l->n_mortal, sizeof *l->mortal, compare_mortal);
  return l->mortal != NULL;
}

/* Is step ME of LANE behind all that touched S? And did it touch S itself, unless S is APART, where
 * nobody else comes? */
static gboolean
is_behind (const Lanes *l, const KetteStorage *s, uint32_t me, uint32_t lane,
           gboolean apart)
{
  const uint32_t *known = &l->known[lane * l->n_lanes];
  size_t first, end;

  cells_of (l, s, &first, &end);
  for (size_t c = first; c < end; c++)
    {
      const Cell *cell        = &l->cells[c];
      const uint32_t *readers = &l->readers[c * l->n_lanes];
      if (cell->writer > known[cell->writer_lane]
          || (!apart && cell->writer != me && readers[lane] != me))
        return FALSE;
      for (uint32_t m = 0; m < l->n_lanes; m++)
        if (readers[m] > known[m])
          return FALSE;
    }
  return TRUE;
}

/* Notes with step I whose last use is over by then. */
static gboolean
note_deaths (Lanes *l, size_t i, GError **error)
{
  KettePlan *plan       = l->plan;
  KetteSync *sync       = &plan->sync[i];
  const KetteStep *step = &plan->steps[i], *final = step + step->span - 1;
  size_t kept = 0;

  sync->first_death = (uint32_t) plan->n_deaths;
  if (!step->node || !wants_deaths (plan, step->node->unit)
      || _kette_is_copy (step->node))
    return TRUE;
  while (l->next_mortal < l->n_mortal
         && l->mortal[l->next_mortal] >> 32 <= final->node->index + final->n_absorbed)
    l->mortal[l->n_dying++] = l->mortal[l->next_mortal++];
  for (size_t k = 0; k < l->n_dying; k++)
    {
      const uint32_t at     = (uint32_t) l->mortal[k];
      const KetteStorage *s = &plan->storages[at];
      const gboolean apart  = plan->separate >> s->unit & 1;
      /* Memory that others use again may be somebody else's by now, unless this is the last use. */
      if (s->unit == step->node->unit && (apart || s->last >= step->node->index)
          && is_behind (l, s, (uint32_t) i + 1, sync->lane, apart))
        {
          if (!_kette_grow (&plan->deaths, &plan->deaths_capacity, plan->n_deaths + 1,
                            sizeof *plan->deaths, error))
            return FALSE;
          plan->deaths[plan->n_deaths++] = at;
          sync->n_deaths++;
        }
      else if (apart)
        l->mortal[kept++] = l->mortal[k];
    }
  l->n_dying = kept;
  return TRUE;
}

/* -- steps --------------------------------------------------------------------------------- */

static gboolean
order_step (Lanes *l, size_t i, GError **error)
{
  KettePlan *plan     = l->plan;
  KetteSync *sync     = &plan->sync[i];
  const uint32_t me   = (uint32_t) i + 1;
  const uint32_t lane = sync->lane = lane_of (plan, &plan->steps[i]);
  uint32_t *known                  = &l->known[lane * l->n_lanes];

  sync->first_wait = (uint32_t) plan->n_waits;
  memset (l->need, 0, sizeof l->need);
  touch (l, i, FALSE, 0, lane);
  touch (l, i, TRUE, 0, lane);
  /* It is handed on by the host: behind all that the host did and waited for. */
  for (uint32_t m = 0; m < l->n_lanes; m++)
    known[m] = MAX (known[m], l->known[m]);
  for (;;)
    { /* the latest one first: it may know of the others */
      uint32_t best = 0, of = 0;
      for (uint32_t m = 0; m < l->n_lanes; m++)
        if (m != lane && l->need[m] > known[m] && l->need[m] > best)
          {
            best = l->need[m];
            of   = m;
          }
      if (best == 0)
        break;
      if (!add_wait (l, sync, lane, best, error))
        return FALSE;
      known[of] = MAX (known[of], best);
    }
  known[lane] = me;
  if (lane == 0)
    l->known[0] = me;
  memcpy (&l->snapshot[i * l->n_lanes], known, l->n_lanes * sizeof *known);
  touch (l, i, FALSE, me, lane);
  touch (l, i, TRUE, me, lane);
  return note_deaths (l, i, error);
}

static void
find_workspaces (KettePlan *plan)
{
  for (size_t i = 0; i < plan->n_steps; i++)
    if (plan->steps[i].node)
      {
        size_t *most = &plan->unit_workspace[plan->steps[i].node->unit];
        *most        = MAX (*most, plan->steps[i].workspace);
      }
}

gboolean
_kette_plan_lanes (KettePlan *plan, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  Lanes l               = { .plan = plan, .n_lanes = 2 * plan->n_units + 1 };
  size_t n_cells        = 0;
  gboolean ok           = TRUE;

  if (plan->n_units == 0)
    return TRUE;
  for (uint32_t unit = 0; ok && unit <= plan->n_units; unit++)
    ok = collect_bounds (&l, unit, &n_cells, error);
  l.outside = n_cells;
  n_cells += plan->n_storages + 1;
  ok = ok && (l.cells = _kette_alloc (account, n_cells, sizeof *l.cells, error))
       && (l.readers
           = _kette_alloc (account, n_cells * l.n_lanes, sizeof *l.readers, error))
       && (l.known = _kette_alloc (account, (size_t) l.n_lanes * l.n_lanes,
                                   sizeof *l.known, error))
       && (l.snapshot = _kette_alloc (account, (plan->n_steps + 1) * l.n_lanes,
                                      sizeof *l.snapshot, error))
       && collect_mortal (&l, error)
       && (plan->sync
           = _kette_alloc (account, plan->n_steps + 1, sizeof *plan->sync, error));
  for (size_t i = 0; ok && i < plan->n_steps; i += plan->steps[i].span)
    ok = order_step (&l, i, error);
  if (ok)
    find_workspaces (plan);
  for (uint32_t unit = 0; unit <= plan->n_units; unit++)
    _kette_free (l.bounds[unit]);
  _kette_free (l.cells);
  _kette_free (l.readers);
  _kette_free (l.known);
  _kette_free (l.snapshot);
  _kette_free (l.mortal);
  return ok;
}
