/* SPDX-License-Identifier: Apache-2.0
 * Limits of control groups: read from the process' own group up to the root.
 */
#include "base/cgroup.h"
#include "base/system.h"
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>

/* The beginning of a small file as text; FALSE: cannot be read. */
static gboolean
read_small (const char *path, char *out, size_t size)
{
  const int fd = _kette_system.openat (AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  size_t at    = 0;

  if (fd < 0)
    return FALSE;
  while (at + 1 < size)
    {
      const ssize_t n = _kette_system.read (fd, out + at, size - 1 - at);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        break;
      at += (size_t) n;
    }
  _kette_system.close (fd);
  out[at] = '\0';
  return at > 0;
}

static uint64_t
limit_of (const char *path)
{
  char text[128], *end;
  uint64_t first, second;

  if (!read_small (path, text, sizeof text) || !g_ascii_isdigit (text[0]))
    return UINT64_MAX; /* not there, or "max" */
  first = g_ascii_strtoull (text, &end, 10);
  while (*end == ' ')
    end++;
  if (!g_ascii_isdigit (*end))
    return first;
  second = g_ascii_strtoull (end, NULL, 10);
  return second > 0 ? first / second + (first % second != 0) : UINT64_MAX;
}

uint64_t
_kette_cgroup_limit (const char *file)
{
  static const char root[] = "/sys/fs/cgroup";
  char groups[4096], path[4096 + 256];
  uint64_t least = UINT64_MAX;
  const char *own;
  size_t n;

  if (!read_small ("/proc/self/cgroup", groups, sizeof groups))
    return least;
  own = g_str_has_prefix (groups, "0::/") ? groups : strstr (groups, "\n0::/");
  if (!own)
    return least;
  own += *own == '\n' ? 4 : 3;
  n = strcspn (own, "\n");
  /* In a container the name is one of outside: what is not there is passed over. */
  for (;;)
    {
      while (n > 0 && own[n - 1] == '/')
        n--;
      g_snprintf (path, sizeof path, "%s%.*s/%s", root, (int) n, own, file);
      least = MIN (least, limit_of (path));
      if (n == 0)
        return least;
      while (n > 0 && own[n - 1] != '/')
        n--;
    }
}
