/* SPDX-License-Identifier: Apache-2.0
 * Data files that no model refers to any more: NAME-HASH.data beside NAME and its predecessors
 * NAME.1, NAME.2, ... A file goes only when all could be read, and none names it.
 */
#include "base/system.h"
#include "io/save-data.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#define MAX_STALE 1024 /* of one sweep; the next one takes the rest */

/* Is ENTRY a data file of the model NAME? */
static gboolean
is_data_of (const char *entry, const char *name)
{
  const size_t n = strlen (name);

  if (strncmp (entry, name, n) != 0 || entry[n] != '-')
    return FALSE;
  entry += n + 1;
  return strspn (entry, "0123456789abcdef") == 16 && strcmp (entry + 16, ".data") == 0;
}

/* Takes the data files to which MESSAGE refers out of NAMES. */
static gboolean
keep_referred (ProtobufCMessage *root, KetteNames *names, GError **error)
{
  ProtobufCMessage **stack = NULL;
  size_t n = 0, capacity = 0;
  gboolean ok = _kette_grow (&stack, &capacity, 1, sizeof *stack, error);

  if (ok)
    stack[n++] = root;
  while (ok && n > 0)
    {
      ProtobufCMessage *message              = stack[--n];
      const ProtobufCMessageDescriptor *type = message->descriptor;
      const char *base                       = (const char *) message;

      if (type == &onnx__tensor_proto__descriptor)
        {
          const Onnx__TensorProto *tensor = (const Onnx__TensorProto *) message;

          for (size_t i = 0; i < tensor->n_external_data; i++)
            _kette_names_remove (names, _kette_text (tensor->external_data[i]->value));
          continue;
        }
      for (unsigned i = 0; ok && i < type->n_fields; i++)
        {
          const ProtobufCFieldDescriptor *f = &type->fields[i];
          const void *at                    = base + f->offset;
          ProtobufCMessage *const *children = at;
          size_t n_children                 = 1;

          if (f->type != PROTOBUF_C_TYPE_MESSAGE
              || (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
            continue;
          if (f->label == PROTOBUF_C_LABEL_REPEATED)
            {
              n_children = *(const size_t *) (const void *) (base + f->quantifier_offset);
              children   = *(ProtobufCMessage *const *const *) at;
            }
          ok = n + n_children <= capacity
               || _kette_grow (&stack, &capacity, n + n_children, sizeof *stack, error);
          for (size_t k = 0; ok && k < n_children; k++)
            if (children[k])
              stack[n++] = children[k];
        }
    }
  _kette_free (stack);
  return ok;
}

/* FALSE: the model cannot be read, so nobody knows what it refers to. */
static gboolean
keep_of_file (const char *path, KetteNames *names)
{
  GBytes *bytes = NULL;
  struct stat st;
  KetteMessage *message;
  gboolean ok;

  if (_kette_system.fstatat (AT_FDCWD, path, &st, 0) != 0)
    return errno == ENOENT;
  bytes = _kette_read_file (path, NULL);
  if (!bytes)
    return FALSE;
  message = _kette_message_new (bytes, &onnx__model_proto__descriptor,
                                _kette_limits_most (), NULL);
  ok      = message && keep_referred (message->root, names, NULL);
  _kette_message_free (message);
  g_bytes_unref (bytes);
  return ok;
}

static gboolean
keep_of_older (const char *file, KetteNames *names)
{
  gboolean ok = TRUE;

  for (int k = 1; ok && k <= KETTE_MOST_KEPT; k++)
    {
      char suffix[8];

      g_snprintf (suffix, sizeof suffix, ".%d", k);
      g_autofree char *older = g_strconcat (file, suffix, NULL);
      ok                     = keep_of_file (older, names);
    }
  return ok;
}

/* The data files of NAME in FOLDER; at most MAX_STALE of them. */
static gboolean
list_data (KetteRegion *region, const char *folder, const char *name, char **list,
           size_t *n, KetteNames *names)
{
  DIR *dir = _kette_system.opendir (folder);
  const struct dirent *entry;
  gboolean ok = dir != NULL;

  while (ok && *n < MAX_STALE && (entry = _kette_system.readdir (dir)))
    if (is_data_of (entry->d_name, name))
      {
        list[*n] = _kette_region_strdup (region, entry->d_name, NULL);
        ok       = list[*n] && _kette_names_set (names, list[*n], list[*n], NULL);
        *n += ok;
      }
  if (dir)
    _kette_system.closedir (dir);
  return ok;
}

/* Unless somebody is about to refer to it. */
static void
remove_data (int folder, const char *name)
{
  const int fd = _kette_system.openat (folder, name,
                                       O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);

  if (fd < 0)
    return;
  if (_kette_system.flock (fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
    _kette_system.unlinkat (folder, name);
  _kette_system.close (fd);
}

void
_kette_data_sweep (const char *file)
{
  g_autofree char *folder = g_path_get_dirname (file);
  g_autofree char *name   = g_path_get_basename (file);
  KetteRegion *region     = _kette_region_new (NULL);
  KetteNames *names       = region ? _kette_names_new (NULL) : NULL;
  char **list
      = names ? _kette_region_alloc (region, MAX_STALE, sizeof *list, NULL) : NULL;
  size_t n = 0;
  int at   = -1;

  if (list && list_data (region, folder, name, list, &n, names) && n > 0
      && keep_of_file (file, names) && keep_of_older (file, names))
    at = _kette_system.openat (AT_FDCWD, folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  for (size_t i = 0; at >= 0 && i < n; i++)
    if (_kette_names_get (names, list[i]))
      remove_data (at, list[i]);
  if (at >= 0)
    _kette_system.close (at);
  _kette_names_free (names);
  _kette_region_free (region);
}
