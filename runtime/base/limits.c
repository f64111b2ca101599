/* SPDX-License-Identifier: Apache-2.0
 * The table of limits: names, defaults, and what they may be raised to.
 */
#include "base/limits.h"
#include "base/alloc.h"
#include "base/limits-private.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static const struct
{
  const char *name;
  size_t offset;
  guint64 standard, most;
} table[] = {
  { "file-bytes", offsetof (KetteLimits, file_bytes), G_MAXINT32, G_MAXINT32 },
  { "depth", offsetof (KetteLimits, depth), 100, KETTE_MOST_DEPTH },
  { "subgraph-depth", offsetof (KetteLimits, subgraph_depth), 32,
    KETTE_MOST_SUBGRAPH_DEPTH },
  { "type-depth", offsetof (KetteLimits, type_depth), 16, 64 },
  { "unpacked-bytes", offsetof (KetteLimits, unpacked_bytes), 0, PTRDIFF_MAX },
  { "name-bytes", offsetof (KetteLimits, name_bytes), 65536, 1 << 20 },
  { "text-bytes", offsetof (KetteLimits, text_bytes), 16 << 20, 256 << 20 },
  { "rank", offsetof (KetteLimits, rank), KETTE_MOST_RANK, KETTE_MOST_RANK },
  { "nodes", offsetof (KetteLimits, nodes), 1000000, G_MAXINT32 },
  { "call-depth", offsetof (KetteLimits, call_depth), 100, 1000 },
  { "external-files", offsetof (KetteLimits, external_files), 4096, 32768 },
};

static guint64 *
field (KetteLimits *self, size_t i)
{
  return (guint64 *) (void *) ((char *) self + table[i].offset);
}

void
kette_limits_init (KetteLimits *self)
{
  self->size = sizeof *self;
  for (size_t i = 0; i < G_N_ELEMENTS (table); i++)
    *field (self, i) = table[i].standard;
}

gboolean
kette_limits_set (KetteLimits *self, const char *name, guint64 value, GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS (table); i++)
    {
      if (strcmp (name, table[i].name) != 0)
        continue;
      if (value < 1 || value > table[i].most)
        return _kette_fail (error, KETTE_ERROR_LIMIT, NULL,
                            "%s is %" G_GUINT64_FORMAT ", must be 1..%" G_GUINT64_FORMAT,
                            name, value, table[i].most);
      *field (self, i) = value;
      return TRUE;
    }
  return _kette_fail (error, KETTE_ERROR_LIMIT, NULL, "there is no limit %s",
                      KETTE_QUOTE (name));
}

const char *
_kette_limits_hint (const char *name, guint64 value, char out[96])
{
  size_t i = 0;

  while (i < G_N_ELEMENTS (table) && strcmp (table[i].name, name) != 0)
    i++;
  if (i < G_N_ELEMENTS (table) && value < table[i].most)
    g_snprintf (out, 96, "; --limit %s=VALUE allows more", name);
  else
    g_snprintf (out, 96, ", the most that --limit %s allows", name);
  return out;
}

void
_kette_limits_complete (const KetteLimits *limits, KetteLimits *out)
{
  kette_limits_init (out);
  if (limits)
    memcpy (out, limits, MIN (limits->size, sizeof *out));
  out->size = sizeof *out;
  for (size_t i = 0; i < G_N_ELEMENTS (table); i++)
    if (*field (out, i) == 0)
      *field (out, i) = table[i].standard;
    else
      *field (out, i) = MIN (*field (out, i), table[i].most);
}

const KetteLimits *
_kette_limits_most (void)
{
  static KetteLimits limits;
  static gsize once;

  if (g_once_init_enter (&once))
    {
      for (size_t i = 0; i < G_N_ELEMENTS (table); i++)
        *field (&limits, i) = table[i].most;
      limits.size = sizeof limits;
      g_once_init_leave (&once, 1);
    }
  return &limits;
}

const KetteLimits *
_kette_limits_default (void)
{
  static KetteLimits limits;
  static gsize once;

  if (g_once_init_enter (&once))
    {
      kette_limits_init (&limits);
      g_once_init_leave (&once, 1);
    }
  return &limits;
}
