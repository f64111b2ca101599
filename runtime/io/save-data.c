/* SPDX-License-Identifier: Apache-2.0
 * The data file of a model: NAME-HASH.data beside NAME, each tensor at a multiple of 4,096
 * with zeros between, HASH the first 16 digits of its SHA-1. So the same data have the same
 * name, other data never take the place of those that a model still refers to, and what is
 * there already need not be written again.
 */
#include "io/save-data.h"
#include "base/guard-private.h"
#include "io/external.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#define PIECE ((size_t) 1 << 20)

static gboolean
layout (KetteData *self, GError **error)
{
  if (!_kette_grow (&self->offsets, &self->offsets_capacity, self->n,
                    sizeof *self->offsets, error))
    return FALSE;
  self->size = 0;
  for (size_t i = 0; i < self->n; i++)
    {
      self->offsets[i]
          = (self->size + KETTE_DATA_LEAST - 1) / KETTE_DATA_LEAST * KETTE_DATA_LEAST;
      self->size = self->offsets[i] + self->tensors[i]->raw_data.len;
      if (self->size > INT64_MAX / 2)
        return _kette_fail (error, KETTE_ERROR_LIMIT, NULL,
                            "the external data are too large");
    }
  return TRUE;
}

/* The file's bytes, in pieces, to a sum and a writer (either may be NULL). */
static gboolean
emit (const KetteData *self, GChecksum *sum, KetteWriter *writer)
{
  static const uint8_t zeros[KETTE_DATA_LEAST];
  uint64_t at = 0;

  for (size_t i = 0; i < self->n; i++)
    {
      const ProtobufCBinaryData *raw = &self->tensors[i]->raw_data;
      const size_t gap               = (size_t) (self->offsets[i] - at);

      if (sum && gap > 0)
        g_checksum_update (sum, zeros, (gssize) gap);
      if (writer && !_kette_writer_add (writer, zeros, gap))
        return FALSE;
      if (sum)
        g_checksum_update (sum, raw->data, (gssize) raw->len);
      if (writer && !_kette_writer_add (writer, raw->data, raw->len))
        return FALSE;
      at = self->offsets[i] + raw->len;
    }
  return TRUE;
}

static gboolean
write_data (KetteWriter *writer, gpointer user, GError **error)
{
  const KetteData *self = user;

  /* On failure the writer has the reason. */
  return _kette_guard_outcome (self->saver->model->maps, emit (self, NULL, writer),
                               error);
}

/* The name, by the content, and whether a reader would take it. */
static gboolean
give_name (KetteData *self, const char *file, GError **error)
{
  g_autofree char *base = g_path_get_basename (file);
  char hash[17], *clean;
  struct stat st;
  GChecksum *sum;
  const gboolean exists
      = _kette_system.fstatat (AT_FDCWD, file, &st, AT_SYMLINK_NOFOLLOW) == 0;

  if (exists && !S_ISLNK (st.st_mode) && !_kette_regular (&st, NULL, error))
    return FALSE;
  if (exists && S_ISLNK (st.st_mode))
    return _kette_fail (error, KETTE_ERROR_PATH, NULL,
                        "is a symbolic link; a model with external data must be written "
                        "under its own name, because they are looked for beside it");
  sum = g_checksum_new (G_CHECKSUM_SHA1);
  emit (self, sum, NULL);
  g_strlcpy (self->sha1, g_checksum_get_string (sum), sizeof self->sha1);
  g_checksum_free (sum);
  if (!_kette_guard_outcome (self->saver->model->maps, TRUE, error))
    return FALSE;
  self->folder = g_path_get_dirname (file);
  g_strlcpy (hash, self->sha1, sizeof hash);
  self->name = g_strconcat (base, "-", hash, ".data", NULL);
  if (!g_utf8_validate (base, -1, NULL))
    return _kette_fail (error, KETTE_ERROR_PATH, NULL,
                        "the name of a model with external data must be UTF-8");
  clean = _kette_region_alloc (self->saver->region, strlen (self->name) + 1, 1, error);
  return clean && _kette_location_check (self->name, clean, NULL, error);
}

/* Is just this file there already? */
static gboolean
is_written (const KetteData *self, const char *path)
{
  struct stat st;
  GChecksum *sum;
  uint8_t *piece;
  ssize_t n;
  gboolean same = FALSE;
  const int fd  = _kette_system.openat (
       AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);

  if (fd < 0)
    return FALSE;
  piece = _kette_alloc_raw (_kette_account_process (), PIECE, 1, NULL);
  if (piece && _kette_system.fstat (fd, &st) == 0 && S_ISREG (st.st_mode)
      && st.st_nlink == 1 && (uint64_t) st.st_size == self->size)
    {
      sum = g_checksum_new (G_CHECKSUM_SHA1);
      while ((n = _kette_system.read (fd, piece, PIECE)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
          g_checksum_update (sum, piece, (gssize) n);
      same = n == 0 && strcmp (g_checksum_get_string (sum), self->sha1) == 0;
      g_checksum_free (sum);
    }
  _kette_free (piece);
  _kette_system.close (fd);
  return same;
}

static gboolean
refer (const KetteData *self, size_t i, GError **error)
{
  KetteSaver *s             = self->saver;
  Onnx__TensorProto *tensor = self->tensors[i];
  char offset[24], length[24];
  const struct
  {
    const char *key, *value;
  } entries[] = { { "location", self->name },
                  { "offset", offset },
                  { "length", length },
                  { "checksum", self->sha1 } };

  g_snprintf (offset, sizeof offset, "%" G_GUINT64_FORMAT, self->offsets[i]);
  g_snprintf (length, sizeof length, "%zu", tensor->raw_data.len);
  tensor->external_data = _kette_region_alloc (s->region, G_N_ELEMENTS (entries),
                                               sizeof *tensor->external_data, error);
  if (!tensor->external_data)
    return FALSE;
  for (size_t k = 0; k < G_N_ELEMENTS (entries); k++)
    {
      const char *value = entries[k].value;

      if (value == offset || value == length)
        value = _kette_region_strdup (s->region, value, error);
      if (!value
          || !(tensor->external_data[k]
               = _kette_saver_entry (s, entries[k].key, value, error)))
        return FALSE;
    }
  tensor->n_external_data   = G_N_ELEMENTS (entries);
  tensor->has_data_location = TRUE;
  tensor->data_location     = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
  tensor->has_raw_data      = FALSE;
  tensor->raw_data          = (ProtobufCBinaryData){ 0 };
  return TRUE;
}

/* Holds the file that is there until the model that refers to it is there, too. */
static gboolean
hold (KetteData *self, const char *path, GError **error)
{
  struct stat st;

  self->lock
      = _kette_system.openat (AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
  if (self->lock < 0)
    return _kette_fail_errno (error, errno, NULL, "cannot open the data file again");
  /* Some file systems have no locks; there the other writer is not kept away. */
  _kette_system.flock (self->lock, LOCK_SH);
  if (_kette_system.fstat (self->lock, &st) != 0)
    return _kette_fail_errno (error, errno, NULL, "cannot look at the data file");
  if (st.st_nlink == 0)
    return _kette_fail (error, KETTE_ERROR_IO, NULL,
                        "its data file was removed by another writer of this model");
  return TRUE;
}

gboolean
_kette_data_write (KetteData *self, const char *file, GError **error)
{
  g_autofree char *path = NULL;

  if (self->n == 0)
    return TRUE;
  if (!layout (self, error) || !give_name (self, file, error))
    return FALSE;
  path = g_build_filename (self->folder, self->name, NULL);
  if (!is_written (self, path)
      && !_kette_write_file (path, FALSE, write_data, self, error))
    return FALSE;
  if (!hold (self, path, error))
    return FALSE;
  for (size_t i = 0; i < self->n; i++)
    if (!refer (self, i, error))
      return FALSE;
  return TRUE;
}

void
_kette_data_clear (KetteData *self)
{
  for (size_t i = 0; i < self->n_decoded; i++)
    kette_tensor_unref (self->decoded[i]);
  if (self->lock >= 0)
    _kette_system.close (self->lock);
  _kette_free (self->decoded);
  _kette_free (self->tensors);
  _kette_free (self->offsets);
  g_free (self->folder);
  g_free (self->name);
  *self = (KetteData){ .lock = -1 };
}
