/* SPDX-License-Identifier: Apache-2.0
 * Opening external data, so that no model opens anything outside its folder: the text of the
 * location, an open below the folder, a look at what was opened.
 *
 * Whatever is read was opened by open_below(): by the kernel's own promise the file then lay
 * below an allowed folder and no link was on the way. Where links are allowed, they only serve
 * to find a name: the path behind them is resolved to a descriptor that can neither read nor
 * write, the system is asked for its place, and that place, if it lies below an allowed folder,
 * goes through open_below() like a name in a model. Whoever exchanges links or folders
 * meanwhile changes which file of an allowed folder is read, but gets no other one opened.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_PATH */
#endif
#include "base/alloc.h"
#include "io/external.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>

gboolean
_kette_folders_open (KetteFolders *self, int folder, const KetteLoading *loading,
                     GError **error)
{
  size_t n = 1;

  while (loading->data_roots && loading->data_roots[n - 1])
    n++;
  *self      = (KetteFolders){ .flags = loading->flags };
  self->list = _kette_alloc (_kette_account_process (), n, sizeof *self->list, error);
  if (!self->list)
    return FALSE;
  self->list[self->n++] = folder;
  while (self->n < n)
    {
      const char *root = loading->data_roots[self->n - 1];
      const int fd
          = _kette_system.openat (AT_FDCWD, root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

      if (fd < 0)
        {
          _kette_fail_errno (error, errno, NULL, "cannot open this folder for data");
          _kette_error_in_file (error, root);
          return FALSE;
        }
      self->list[self->n++] = fd;
    }
  return TRUE;
}

void
_kette_folders_close (KetteFolders *self)
{
  for (size_t i = 1; i < self->n; i++)
    _kette_system.close (self->list[i]);
  _kette_free (self->list);
  *self = (KetteFolders){ 0 };
}

gboolean
_kette_location_check (const char *location, char *clean, const char *where,
                       GError **error)
{
  const char *why = NULL;
  size_t out      = 0;

  if (!*location)
    why = "is empty";
  else if (strstr (location, "_ORT_MEM_ADDR_"))
    why = "is an address in memory";
  else if (*location == '/')
    why = "is absolute, must be relative to the model's folder";
  else if (strstr (location, "://"))
    why = "is a URL";
  else if (strchr (location, '\\'))
    why = "holds a backslash";
  for (const char *p = location; *p && !why; p++)
    if ((uint8_t) *p < 0x20 || *p == 0x7f)
      why = "holds a control character";
  for (const char *p = location; *p && !why;)
    {
      const size_t n = strcspn (p, "/");

      if (n == 2 && p[0] == '.' && p[1] == '.')
        why = "leaves the model's folder";
      else if (n > 0 && !(n == 1 && p[0] == '.'))
        {
          if (out > 0)
            clean[out++] = '/';
          memcpy (clean + out, p, n);
          out += n;
        }
      p += n;
      while (*p == '/')
        p++;
    }
  clean[out] = '\0';
  if (!why && out == 0)
    why = "names no file";
  if (why)
    return _kette_fail (error, KETTE_ERROR_PATH, where, "location %s %s",
                        KETTE_QUOTE (location), why);
  return TRUE;
}

/* close() without a word to errno. */
static void
close_quietly (int fd)
{
  const int number = errno;

  _kette_system.close (fd);
  errno = number;
}

/* What stands in the way is a folder for openat only if it is no link: ENOTDIR says both. */
static void
tell_link (int at, const char *name)
{
  struct stat st;

  if (errno != ENOTDIR)
    return;
  if (_kette_system.fstatat (at, name, &st, AT_SYMLINK_NOFOLLOW) == 0
      && S_ISLNK (st.st_mode))
    errno = ELOOP;
  else
    errno = ENOTDIR;
}

/* The old way, component by component, for kernels without openat2. */
static int
open_steps (int folder, char *path)
{
  int at = folder, next;

  for (char *p = path;;)
    {
      char *slash = strchr (p, '/');

      if (slash)
        *slash = '\0';
      next = _kette_system.openat (
          at, p,
          O_CLOEXEC | O_NOFOLLOW
              | (slash ? O_PATH | O_DIRECTORY : O_RDONLY | O_NONBLOCK | O_NOCTTY),
          0);
      if (next < 0 && slash)
        tell_link (at, p);
      if (slash)
        *slash = '/';
      if (at != folder)
        close_quietly (at);
      if (next < 0 || !slash)
        return next;
      at = next;
      p  = slash + 1;
    }
}

/* Layer 2: opened below the folder, through no link. */
static int
open_below (int folder, char *path)
{
  const int fd = _kette_system.openat2 (
      folder, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);

  if (fd < 0 && (errno == ENOSYS || errno == EPERM))
    return open_steps (folder, path);
  return fd;
}

/* Where an open descriptor's file is; FALSE where that cannot be told. */
static gboolean
place_of (int fd, char out[PATH_MAX])
{
  char name[64];
  ssize_t n;

  g_snprintf (name, sizeof name, "/proc/self/fd/%d", fd);
  n = _kette_system.readlinkat (AT_FDCWD, name, out, PATH_MAX - 1);
  if (n <= 0 || n >= PATH_MAX - 1 || *out != '/')
    return FALSE;
  out[n] = '\0';
  return TRUE;
}

/* The part of PLACE below FOLDER, or NULL. */
static char *
below (char *place, int folder)
{
  char path[PATH_MAX];
  size_t n;

  if (folder < 0 || !place_of (folder, path))
    return NULL;
  n = strlen (path);
  while (n > 0 && path[n - 1] == '/')
    n--;
  return strncmp (place, path, n) == 0 && place[n] == '/' && place[n + 1] ? place + n + 1
                                                                          : NULL;
}

/* A link is on the way from FOLDER to PATH: opens where it leads. -1 with errno ELOOP: out of
 * all allowed folders. */
static int
open_linked (const KetteFolders *self, int folder, const char *path)
{
  char place[PATH_MAX], *rest = NULL;
  int fd
      = _kette_system.openat2 (folder, path, O_PATH | O_CLOEXEC, RESOLVE_NO_MAGICLINKS);
  gboolean known;

  if (fd < 0 && (errno == ENOSYS || errno == EPERM))
    fd = _kette_system.openat (folder, path, O_PATH | O_CLOEXEC, 0);
  if (fd < 0)
    return -1;
  known = place_of (fd, place);
  _kette_system.close (fd);
  for (size_t i = 0; known && !rest && i < self->n; i++)
    if ((rest = below (place, self->list[i])))
      return open_below (self->list[i], rest);
  errno = ELOOP;
  return -1;
}

static gboolean
fail_open (const KetteFolders *self, int number, const char *location, const char *where,
           GError **error)
{
  char what[KETTE_QUOTE_SIZE + 64];

  if (number == ELOOP || number == EXDEV)
    return _kette_fail (error, KETTE_ERROR_PATH, where,
                        self->flags & KETTE_LOAD_ALLOW_LINKS
                            ? "location %s leads through a link to a place outside the "
                              "allowed folders; --data-root names further ones"
                            : "location %s leads through a symbolic link; --allow-links "
                              "accepts links to files in allowed folders",
                        KETTE_QUOTE (location));
  g_snprintf (what, sizeof what, "cannot open external data %s", KETTE_QUOTE (location));
  return number == ENOENT ? _kette_fail_errno_hint (error, number, where, what,
                                                    "--data-root names further folders")
                          : _kette_fail_errno (error, number, where, what);
}

/* Layer 3: a regular file with one name. */
static gboolean
check_file (const KetteFolders *self, int fd, struct stat *st, const char *location,
            const char *where, GError **error)
{
  if (_kette_system.fstat (fd, st) != 0)
    return _kette_fail_errno (error, errno, where, "cannot look at external data");
  if (!S_ISREG (st->st_mode))
    return _kette_fail (error, KETTE_ERROR_PATH, where,
                        "location %s is not a regular file", KETTE_QUOTE (location));
  if (st->st_nlink != 1 && !(self->flags & KETTE_LOAD_ALLOW_LINKS))
    return _kette_fail (error, KETTE_ERROR_PATH, where,
                        "location %s has %ju names (hard links), must have 1; "
                        "--allow-links accepts it",
                        KETTE_QUOTE (location), (uintmax_t) st->st_nlink);
  if (st->st_size < 0 || (uintmax_t) st->st_size > PTRDIFF_MAX)
    return _kette_fail (error, KETTE_ERROR_LIMIT, where, "location %s has %jd bytes",
                        KETTE_QUOTE (location), (intmax_t) st->st_size);
  return TRUE;
}

int
_kette_folders_find (const KetteFolders *self, const char *location, char *path,
                     struct stat *st, const char *where, GError **error)
{
  int fd = -1, number = 0;

  for (size_t i = 0; i < self->n && fd < 0; i++)
    {
      if (self->list[i] < 0)
        continue;
      fd = open_below (self->list[i], path);
      if (fd < 0 && errno == ELOOP && (self->flags & KETTE_LOAD_ALLOW_LINKS))
        fd = open_linked (self, self->list[i], path);
      number = fd < 0 ? errno : 0;
      /* Only what is not there may be somewhere else. */
      if (number != 0 && number != ENOENT && number != ENOTDIR)
        break;
    }
  if (fd < 0 && number == 0)
    _kette_fail (error, KETTE_ERROR_PATH, where,
                 "location %s: this model has no folder for external data; --data-root "
                 "names one",
                 KETTE_QUOTE (location));
  else if (fd < 0)
    fail_open (self, number, location, where, error);
  else if (!check_file (self, fd, st, location, where, error))
    {
      _kette_system.close (fd);
      return -1;
    }
  return fd;
}
