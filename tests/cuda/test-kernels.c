/* SPDX-License-Identifier: Apache-2.0
 *
 * test-kernels: has every operator with a kernel for the CPU one for the GPU, but for those that
 * docs/gpu.md lists? Modules are opened with a host that only writes down what they register.
 *
 * test-kernels DOC CPU-MODULE... -- GPU-MODULE...
 */
#include "kette-plugin.h"
#include <dlfcn.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

static GHashTable *kernels; /* of the modules that are being opened */

static kt_status
fail (const void *ctx, kt_status code, const char *msg, size_t len)
{
  printf ("# %.*s\n", (int) len, msg);
  return code;
}

static kt_status
add_op (kt_reg *reg, const kt_op *op)
{
  return KT_OK;
}

static kt_status
add_kernel (kt_reg *reg, const kt_kernel *k)
{
  if (k->device && (strcmp (k->device, "cpu") == 0 || strcmp (k->device, "cuda") == 0))
    g_hash_table_add (kernels, g_strdup (k->name));
  return KT_OK;
}

static kt_status
add_device (kt_reg *reg, const struct kt_device *device)
{
  return KT_OK;
}

static gboolean
open_module (const char *path)
{
  static const kt_host host = { .struct_size = sizeof host,
                                .abi_major   = KT_ABI_MAJOR,
                                .abi_minor   = KT_ABI_MINOR,
                                .fail        = fail,
                                .add_op      = add_op,
                                .add_kernel  = add_kernel,
                                .add_device  = add_device };
  void *const module        = dlopen (path, RTLD_NOW | RTLD_LOCAL);
  void *symbol              = module ? dlsym (module, "kette_plugin_v0") : NULL;
  kt_entry *entry;

  if (!symbol)
    {
      printf ("# %s\n", dlerror ());
      return FALSE;
    }
  memcpy (&entry, &symbol, sizeof entry);
  return entry (&host, NULL) == KT_OK;
}

/* The names between backquotes at the beginning of lines, between the list's comments. */
static GHashTable *
read_list (const char *path)
{
  GHashTable *names     = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *text = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return names;
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  gboolean inside      = FALSE;
  for (char **line = lines; *line; line++)
    {
      const char *const end
          = g_str_has_prefix (*line, "- `") ? strchr (*line + 3, '`') : NULL;
      if (g_str_has_prefix (*line, "<!-- tests/cuda/test-kernels.c"))
        inside = TRUE;
      else if (g_str_has_prefix (*line, "<!-- end of the list"))
        inside = FALSE;
      else if (inside && end)
        g_hash_table_add (names, g_strndup (*line + 3, (gsize) (end - *line - 3)));
    }
  return names;
}

static int number;

static void
report (gboolean good, const char *what)
{
  printf ("%sok %d - %s\n", good ? "" : "not ", ++number, what);
}

int
main (int argc, char **argv)
{
  GHashTable *cpu = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GHashTable *gpu = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GHashTable) listed = argc > 1 ? read_list (argv[1]) : NULL;
  gboolean opened = TRUE, complete = TRUE, needed = TRUE;
  GHashTableIter i;
  gpointer name;

  kernels = cpu;
  for (int k = 2; k < argc; k++)
    if (strcmp (argv[k], "--") == 0)
      kernels = gpu;
    else
      opened = open_module (argv[k]) && opened;
  report (opened, "all modules register");
  report (g_hash_table_size (cpu) > 100 && g_hash_table_size (gpu) > 100,
          "there are many kernels of both");

  g_hash_table_iter_init (&i, cpu);
  while (g_hash_table_iter_next (&i, &name, NULL))
    if (!g_hash_table_contains (gpu, name) && !g_hash_table_contains (listed, name))
      {
        printf ("# %s: no kernel for the GPU, and not in the list\n", (char *) name);
        complete = FALSE;
      }
  report (complete, "what has no kernel for the GPU is in the list of docs/gpu.md");

  g_hash_table_iter_init (&i, listed);
  while (g_hash_table_iter_next (&i, &name, NULL))
    if (!g_hash_table_contains (cpu, name) || g_hash_table_contains (gpu, name))
      {
        printf ("# %s: in the list for nothing\n", (char *) name);
        needed = FALSE;
      }
  report (needed, "what is in the list has a kernel for the CPU alone");
  printf ("1..%d\n", number);
  g_hash_table_destroy (cpu);
  g_hash_table_destroy (gpu);
  return opened && complete && needed ? 0 : 1;
}
