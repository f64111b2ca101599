/* SPDX-License-Identifier: Apache-2.0
 * Several faults of one step of checking, in the order in which they were found.
 */
#include "base/error.h"

gboolean
_kette_faults_go_on (KetteFaults *faults, GError **error)
{
  if (!faults || (*error)->domain != KETTE_ERROR)
    return FALSE;
  switch ((*error)->code)
    {
    case KETTE_ERROR_IO:
    case KETTE_ERROR_LIMIT:
    case KETTE_ERROR_MEMORY:
    case KETTE_ERROR_TIMEOUT:
    case KETTE_ERROR_CANCEL:
    case KETTE_ERROR_INTERNAL:
      return FALSE;
    default:
      break;
    }
  if (faults->n + 1 >= KETTE_FAULTS_MOST)
    return FALSE;
  faults->list[faults->n++] = *error;
  *error                    = NULL;
  return TRUE;
}

gboolean
_kette_faults_none (const KetteFaults *faults, GError **error)
{
  if (!faults || faults->n == 0)
    return TRUE;
  if (error && !*error)
    *error = g_error_copy (faults->list[0]);
  return FALSE;
}

void
_kette_faults_clear (KetteFaults *faults)
{
  for (size_t i = 0; i < faults->n; i++)
    g_error_free (faults->list[i]);
  faults->n = 0;
}
