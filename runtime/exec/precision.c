/* SPDX-License-Identifier: Apache-2.0
 * To what products of float32 may round their factors: the words for it, and which devices have
 * it. Nobody gets less than was asked for without being told: where no device has it, there is
 * no session.
 */
#include "exec/places.h"
#include "exec/session-private.h"
#include <string.h>

static const char *const names[]
    = { [KT_ROUND_NONE] = "f32", [KT_ROUND_TF32] = "tf32", [KT_ROUND_BF16] = "bf16" };
static const KetteSessionFlags flags_of[] = { [KT_ROUND_NONE] = (KetteSessionFlags) 0,
                                              [KT_ROUND_TF32] = KETTE_SESSION_TF32,
                                              [KT_ROUND_BF16] = KETTE_SESSION_BF16 };

const char *
_kette_precision_name (int32_t precision)
{
  return precision > 0 && precision < (int32_t) G_N_ELEMENTS (names) ? names[precision]
                                                                     : names[0];
}

gboolean
_kette_precision_from_name (const char *name, int32_t *out, GError **error)
{
  for (*out = 0; *out < (int32_t) G_N_ELEMENTS (names); ++*out)
    if (strcmp (name ? name : names[0], names[*out]) == 0)
      return TRUE;
  return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                      "there is no precision %s, only f32, tf32, bf16",
                      KETTE_QUOTE (name));
}

gboolean
kette_session_flags_for_precision (const char *name, KetteSessionFlags *flags,
                                   GError **error)
{
  int32_t precision;

  *flags = (KetteSessionFlags) 0;
  if (!_kette_precision_from_name (name, &precision, error))
    return FALSE;
  *flags = flags_of[precision];
  return TRUE;
}

int32_t
_kette_session_flags_precision (KetteSessionFlags flags)
{
  return flags & KETTE_SESSION_BF16   ? KT_ROUND_BF16
         : flags & KETTE_SESSION_TF32 ? KT_ROUND_TF32
                                      : KT_ROUND_NONE;
}

static gboolean
has (const KetteUnit *unit, int32_t precision)
{
  return unit && unit->device->rounds
         && unit->device->rounds (unit->handle, precision) != 0;
}

int32_t
_kette_places_precision (const KettePlaces *places, const KetteUnit *unit)
{
  return places && places->precision && has (unit, places->precision) ? places->precision
                                                                      : KT_ROUND_NONE;
}

gboolean
_kette_places_set_precision (KettePlaces *places, int32_t precision, GError **error)
{
  char units[KETTE_MOST_UNITS * sizeof places->units[0]->name + 1] = "";

  if (precision == KT_ROUND_NONE)
    return TRUE;
  for (uint32_t u = 1; places && u <= places->n_units; u++)
    if (has (places->units[u], precision))
      {
        places->precision = precision;
        return TRUE;
      }
  for (uint32_t u = 1; places && u <= places->n_units; u++)
    {
      g_strlcat (units, u > 1 ? ", " : "", sizeof units);
      g_strlcat (units, places->units[u]->name, sizeof units);
    }
  return _kette_fail (error, KETTE_ERROR_DEVICE, NULL,
                      "%s %s float32 as float32 only: precision %s needs a device that "
                      "has it, such as cuda",
                      *units ? units : "the cpu",
                      places && places->n_units > 1 ? "compute" : "computes",
                      _kette_precision_name (precision));
}
