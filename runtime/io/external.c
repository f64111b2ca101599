/* SPDX-License-Identifier: Apache-2.0
 * Data of tensors in files beside the model: which file, which part of it, is it the right
 * one. One map per file, shared by its tensors.
 */
#include "io/external.h"
#include "io/build.h"
#include <stdlib.h>
#include <string.h>

typedef struct
{
  const char *location;
  GBytes *bytes;
  char *sha1; /* computed when first asked for */
} External;

struct KetteExternal
{
  const KetteLoading *loading;
  KetteFolders folders;
  KetteModel *model;
  KetteRegion *region;
  KetteNames *names; /* location -> External */
  External **files;
  size_t n_files, capacity;
  gboolean warned;
};

KetteExternal *
_kette_external_new (int folder, KetteModel *model, const KetteLoading *loading,
                     GError **error)
{
  KetteExternal *self = _kette_alloc (_kette_account_process (), 1, sizeof *self, error);

  if (!self)
    return NULL;
  self->loading = loading;
  self->model   = model;
  if (_kette_folders_open (&self->folders, folder, loading, error)
      && (self->region = _kette_region_new (error))
      && (self->names = _kette_names_new (error)))
    return self;
  _kette_external_free (self);
  return NULL;
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
  _kette_folders_close (&self->folders);
  _kette_free (self);
}

/* Takes BYTES over. */
static External *
external_add (KetteExternal *self, const char *path, GBytes *bytes, GError **error)
{
  External *file = _kette_region_alloc (self->region, 1, sizeof *file, error);

  if (!file
      || (self->n_files == self->capacity
          && !_kette_grow (&self->files, &self->capacity, self->n_files + 1,
                           sizeof (External *), error))
      || !(file->location = _kette_region_strdup (self->region, path, error))
      || !_kette_names_set (self->names, file->location, file, error))
    {
      g_bytes_unref (bytes);
      return NULL;
    }
  file->bytes                  = bytes;
  self->files[self->n_files++] = file;
  return file;
}

static External *
external_open (KetteExternal *self, const char *location, char *path, const char *where,
               GError **error)
{
  char name[KETTE_QUOTE_SIZE + 16];
  struct stat st;
  GBytes *bytes;
  int fd;

  if (self->n_files >= self->loading->limits.external_files)
    {
      char hint[96];

      _kette_fail (error, KETTE_ERROR_LIMIT, where,
                   "more than %" G_GUINT64_FORMAT " external files%s",
                   self->loading->limits.external_files,
                   _kette_limits_hint ("external-files",
                                       self->loading->limits.external_files, hint));
      return NULL;
    }
  fd = _kette_folders_find (&self->folders, location, path, &st, where, error);
  if (fd < 0)
    return NULL;
  g_snprintf (name, sizeof name, "external data %s", KETTE_QUOTE (path));
  bytes
      = _kette_fd_bytes (fd, (size_t) st.st_size, self->model->maps, name, where, error);
  _kette_system.close (fd);
  return bytes ? external_add (self, path, bytes, error) : NULL;
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
read_keys (KetteExternal *self, const Onnx__TensorProto *proto, Keys *keys,
           const char *where, GError **error)
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
          if (!self->warned)
            g_message ("%s: external data: the key %s is unknown and ignored", where,
                       KETTE_QUOTE (_kette_text (entry->key)));
          self->warned = TRUE;
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
                        "external data %s has the checksum %s, needs %s; --no-checksum "
                        "reads it all the same",
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

/* The model keeps the data of PROTO, for saving. Takes BYTES over. */
static gboolean
remember (KetteModel *model, const Onnx__TensorProto *proto, GBytes *bytes, size_t offset,
          size_t n, GError **error)
{
  if (model->n_external == model->external_capacity
      && !_kette_grow (&model->external, &model->external_capacity, model->n_external + 1,
                       sizeof *model->external, error))
    {
      g_bytes_unref (bytes);
      return FALSE;
    }
  model->external[model->n_external++]
      = (KetteExternalData){ .proto = proto, .bytes = bytes, .offset = offset, .n = n };
  return TRUE;
}

static int
compare_proto (const void *a, const void *b)
{
  const uintptr_t x = (uintptr_t) ((const KetteExternalData *) a)->proto,
                  y = (uintptr_t) ((const KetteExternalData *) b)->proto;

  return x < y ? -1 : x > y;
}

void
_kette_external_sort (KetteModel *model)
{
  if (model->n_external > 0)
    qsort (model->external, model->n_external, sizeof *model->external, compare_proto);
}

const KetteExternalData *
_kette_model_external (const KetteModel *model, const void *proto)
{
  const KetteExternalData key = { .proto = proto };

  return model->n_external > 0 ? bsearch (&key, model->external, model->n_external,
                                          sizeof key, compare_proto)
                               : NULL;
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

  if (!read_keys (self, proto, &keys, where, error))
    return FALSE;
  path = _kette_alloc (_kette_account_process (), strlen (keys.location) + 1, 1, error);
  if (!path)
    return FALSE;
  if (!_kette_location_check (keys.location, path, where, error))
    goto done;
  file = _kette_names_get (self->names, path);
  if (!file)
    file = external_open (self, keys.location, path, where, error);
  if (!file
      || (keys.checksum && !(self->loading->flags & KETTE_LOAD_NO_CHECKSUM)
          && !check_sum (file, keys.checksum, where, error))
      || !check_range (file, &keys, need, offset, type_text, where, error))
    goto done;
  *bytes = file->bytes;
  ok     = remember (self->model, proto, g_bytes_ref (file->bytes), *offset, need, error);

done:
  _kette_free (path);
  return ok;
}
