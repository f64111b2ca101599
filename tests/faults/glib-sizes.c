/* SPDX-License-Identifier: Apache-2.0
 * Preloaded into the command: GLib, which ends the process when memory is short, asks for no
 * block of more than a mebibyte. Who does ends the process with 99 and says how large it was.
 */
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MOST ((size_t) 1 << 20)

void *__libc_malloc (size_t size);
void *__libc_calloc (size_t n, size_t size);
void *__libc_realloc (void *block, size_t size);
void *malloc (size_t size);
void *calloc (size_t n, size_t size);
void *realloc (void *block, size_t size);

static uintptr_t begin = 1, end; /* GLib's code */

static int
look (struct dl_phdr_info *info, size_t size, void *data)
{
  (void) size;
  (void) data;
  if (!strstr (info->dlpi_name, "libglib-2.0"))
    return 0;
  for (int i = 0; i < info->dlpi_phnum; i++)
    if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X))
      {
        begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        end   = begin + info->dlpi_phdr[i].p_memsz;
      }
  return 1;
}

__attribute__ ((constructor)) static void
find_glib (void)
{
  dl_iterate_phdr (look, NULL);
}

static void
check (const void *caller, size_t size)
{
  char text[64];

  if (size <= MOST || (uintptr_t) caller < begin || (uintptr_t) caller >= end)
    return;
  const int n = snprintf (text, sizeof text, "GLib asks for %zu bytes\n", size);
  if (write (2, text, (size_t) n) != n)
    _exit (98);
  _exit (99);
}

void *
malloc (size_t size)
{
  check (__builtin_return_address (0), size);
  return __libc_malloc (size);
}

void *
calloc (size_t n, size_t size)
{
  size_t bytes;

  check (__builtin_return_address (0),
         __builtin_mul_overflow (n, size, &bytes) ? SIZE_MAX : bytes);
  return __libc_calloc (n, size);
}

void *
realloc (void *block, size_t size)
{
  check (__builtin_return_address (0), size);
  return __libc_realloc (block, size);
}
