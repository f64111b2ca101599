/* SPDX-License-Identifier: Apache-2.0
 * Data of tensors in files beside the model: four layers of checks, so that no model opens
 * anything outside its folder. One map per file, shared by its tensors.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_PATH */
#endif
#include "io/build.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <unistd.h>

typedef struct
{
  const char *location;
  GBytes *bytes;
  char *sha1; /* computed when first asked for */
} External;

struct KetteExternal
{
  const KetteLoading *loading;
  int folder;
  KetteRegion *region;
  KetteNames *names; /* location -> External */
  External **files;
  size_t n_files, capacity;
};

KetteExternal *
_kette_external_new (int folder, const KetteLoading *loading, GError **error)
{
  KetteExternal *self = _kette_alloc (_kette_account_process (), 1, sizeof *self, error);

  if (!self)
    return NULL;
  self->loading = loading;
  self->folder  = folder;
  self->region  = _kette_region_new (error);
  self->names   = self->region ? _kette_names_new (error) : NULL;
  if (!self->names)
    {
      _kette_external_free (self);
      return NULL;
    }
  return self;
}

void
_kette_external_free (KetteExternal *self)
{
  if (!self)
    return;
  for (size_t i = 0; i < self->n_files; i++)
    {
      g_bytes_unref (self->files[i]->bytes);
      g_free (self->files[i]->sha1);
    }
  _kette_free (self->files);
  _kette_names_free (self->names);
  _kette_region_free (self->region);
  _kette_free (self);
}

/* Layer 1: the text. CLEAN (as large as the text) receives it without "." and "". */
static gboolean
check_location (const char *location, char *clean, const char *where, GError **error)
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
      if (slash)
        *slash = '/';
      if (at != folder)
        {
          const int number = errno;

          _kette_system.close (at);
          errno = number;
        }
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

/* Layer 3: a regular file with one name. */
static GBytes *
external_read (int fd, const char *location, const char *where, GError **error)
{
  struct stat st;

  if (_kette_system.fstat (fd, &st) != 0)
    {
      _kette_fail_errno (error, errno, where, "cannot look at external data");
      return NULL;
    }
  if (!S_ISREG (st.st_mode))
    {
      _kette_fail (error, KETTE_ERROR_PATH, where, "location %s is not a regular file",
                   KETTE_QUOTE (location));
      return NULL;
    }
  if (st.st_nlink != 1)
    {
      _kette_fail (error, KETTE_ERROR_PATH, where,
                   "location %s has %ju names (hard links), must have 1",
                   KETTE_QUOTE (location), (uintmax_t) st.st_nlink);
      return NULL;
    }
  if (st.st_size < 0 || (uintmax_t) st.st_size > PTRDIFF_MAX)
    {
      _kette_fail (error, KETTE_ERROR_LIMIT, where, "location %s has %jd bytes",
                   KETTE_QUOTE (location), (intmax_t) st.st_size);
      return NULL;
    }
  return _kette_fd_bytes (fd, (size_t) st.st_size, where, error);
}

static External *
external_open (KetteExternal *self, const char *location, char *path, const char *where,
               GError **error)
{
  External *file;
  int fd;

  if (self->n_files >= self->loading->limits.external_files)
    {
      _kette_fail (error, KETTE_ERROR_LIMIT, where,
                   "external-files allows %" G_GUINT64_FORMAT " files",
                   self->loading->limits.external_files);
      return NULL;
    }
  file = _kette_region_alloc (self->region, 1, sizeof *file, error);
  if (!file
      || (self->n_files == self->capacity
          && !_kette_grow (&self->files, &self->capacity, self->n_files + 1,
                           sizeof (External *), error)))
    return NULL;
  fd = open_below (self->folder, path);
  if (fd < 0)
    {
      char what[KETTE_QUOTE_SIZE + 64];

      if (errno == ELOOP || errno == EXDEV)
        _kette_fail (error, KETTE_ERROR_PATH, where,
                     "location %s leads through a symbolic link", KETTE_QUOTE (location));
      else
        {
          const int number = errno;

          g_snprintf (what, sizeof what, "cannot open external data %s",
                      KETTE_QUOTE (location));
          _kette_fail_errno (error, number, where, what);
        }
      return NULL;
    }
  file->bytes = external_read (fd, location, where, error);
  _kette_system.close (fd);
  if (!file->bytes)
    return NULL;
  self->files[self->n_files++] = file;
  file->location               = _kette_region_strdup (self->region, path, error);
  if (!file->location || !_kette_names_set (self->names, file->location, file, error))
    return NULL;
  return file;
}

static gboolean
parse_number (const char *key, const char *text, uint64_t *out, const char *where,
              GError **error)
{
  uint64_t v = 0;

  for (const char *p = text; *p; p++)
    if (*p < '0' || *p > '9' || __builtin_mul_overflow (v, 10, &v)
        || __builtin_add_overflow (v, (uint64_t) (*p - '0'), &v) || v > INT64_MAX)
      return _kette_fail (error, KETTE_ERROR_TENSOR, where,
                          "external data: %s is %s, must be a number from 0 to 2^63 - 1",
                          key, KETTE_QUOTE (text));
  if (!*text)
    return _kette_fail (error, KETTE_ERROR_TENSOR, where, "external data: %s is empty",
                        key);
  *out = v;
  return TRUE;
}

typedef struct
{
  const char *location, *offset, *length, *checksum, *basepath;
} Keys;

static gboolean
read_keys (const Onnx__TensorProto *proto, Keys *keys, const char *where, GError **error)
{
  const struct
  {
    const char *name, **value;
  } known[] = { { "location", &keys->location },
                { "offset", &keys->offset },
                { "length", &keys->length },
                { "checksum", &keys->checksum },
                { "basepath", &keys->basepath } };

  for (size_t i = 0; i < proto->n_external_data; i++)
    {
      const Onnx__StringStringEntryProto *entry = proto->external_data[i];
      size_t k                                  = 0;

      while (k < G_N_ELEMENTS (known)
             && strcmp (_kette_text (entry->key), known[k].name) != 0)
        k++;
      if (k == G_N_ELEMENTS (known))
        {
          g_message ("%s: external data: the key %s is unknown and ignored", where,
                     KETTE_QUOTE (_kette_text (entry->key)));
          continue;
        }
      if (*known[k].value)
        return _kette_fail (error, KETTE_ERROR_TENSOR, where,
                            "external data: %s is there twice", known[k].name);
      *known[k].value = _kette_text (entry->value);
    }
  if (!keys->location)
    return _kette_fail (error, KETTE_ERROR_TENSOR, where,
                        "external data without a location");
  return TRUE;
}

static gboolean
check_sum (External *file, const char *checksum, const char *where, GError **error)
{
  if (!file->sha1)
    file->sha1 = g_compute_checksum_for_bytes (G_CHECKSUM_SHA1, file->bytes);
  if (g_ascii_strcasecmp (file->sha1, checksum) != 0)
    return _kette_fail (error, KETTE_ERROR_TENSOR, where,
                        "external data %s has the checksum %s, needs %s",
                        KETTE_QUOTE (file->location), file->sha1, KETTE_QUOTE (checksum));
  return TRUE;
}

/* Layer 4: the range. */
static gboolean
check_range (const External *file, const Keys *keys, size_t need, size_t *out,
             const char *type_text, const char *where, GError **error)
{
  const size_t size = g_bytes_get_size (file->bytes);
  uint64_t offset = 0, length = need;

  if ((keys->offset && !parse_number ("offset", keys->offset, &offset, where, error))
      || (keys->length && !parse_number ("length", keys->length, &length, where, error)))
    return FALSE;
  if (length != need)
    return _kette_fail (error, KETTE_ERROR_TENSOR, where,
                        "%s needs %zu bytes, external data has length %" G_GUINT64_FORMAT,
                        type_text, need, length);
  if (offset > size || length > size - offset)
    return _kette_fail (error, KETTE_ERROR_TENSOR, where,
                        "%s needs %zu bytes at offset %" G_GUINT64_FORMAT
                        ", external data %s has %zu",
                        type_text, need, offset, KETTE_QUOTE (file->location), size);
  *out = (size_t) offset;
  return TRUE;
}

gboolean
_kette_external_find (KetteExternal *self, const Onnx__TensorProto *proto, size_t need,
                      const char *type_text, const char *where, GBytes **bytes,
                      size_t *offset, GError **error)
{
  Keys keys = { 0 };
  External *file;
  char *path;
  gboolean ok = FALSE;

  if (!read_keys (proto, &keys, where, error))
    return FALSE;
  path = _kette_alloc (_kette_account_process (), strlen (keys.location) + 1, 1, error);
  if (!path)
    return FALSE;
  if (!check_location (keys.location, path, where, error))
    goto done;
  if (self->folder < 0)
    {
      _kette_fail (error, KETTE_ERROR_PATH, where,
                   "location %s: this model has no folder for external data",
                   KETTE_QUOTE (keys.location));
      goto done;
    }
  file = _kette_names_get (self->names, path);
  if (!file)
    file = external_open (self, keys.location, path, where, error);
  if (!file || (keys.checksum && !check_sum (file, keys.checksum, where, error))
      || !check_range (file, &keys, need, offset, type_text, where, error))
    goto done;
  *bytes = g_bytes_ref (file->bytes);
  ok     = TRUE;

done:
  _kette_free (path);
  return ok;
}
