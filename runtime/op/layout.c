/* SPDX-License-Identifier: Apache-2.0
 * The layout tags of kernels: "c8,,>c8".
 */
#include "op/context.h"
#include <string.h>

/* The tag that ends at *P, which moves behind it; -1: there is no such tag. */
static int
read_tag (const char **p)
{
  const size_t n = strcspn (*p, ",>");
  const char *at = *p;

  *p += n;
  if (n == 0)
    return 0;
  if (n == 1 && *at == '*')
    return KETTE_LAYOUT_ANY;
  if (n == 2 && at[0] == 'c' && at[1] == '8')
    return 8;
  return n == 3 && memcmp (at, "c16", 3) == 0 ? 16 : -1;
}

gboolean
_kette_layout_check (const char *layout)
{
  int arrows = 0;

  for (const char *p = layout; p; p++)
    {
      if (read_tag (&p) < 0)
        return FALSE;
      if (*p == '\0')
        return arrows <= 1;
      arrows += *p == '>';
    }
  return TRUE;
}

int
_kette_layout_tag (const kt_kernel *kernel, gboolean is_out, int32_t i)
{
  const char *p = kernel->layout;

  if (p && is_out)
    p = strchr (p, '>') ? strchr (p, '>') + 1 : NULL;
  for (; p; p++)
    {
      const int tag = read_tag (&p);
      if (i-- == 0)
        return tag;
      if (*p != ',')
        break;
    }
  return 0;
}

gboolean
_kette_kernel_suits (const KetteKernel *kernel, KetteNode *node)
{
  KetteFailure failure     = { 0 };
  KetteContext context     = { node, &failure };
  const struct kt_prep ctx = { .context = &context };
  const kt_kernel *k       = &kernel->kernel;

  return !k->suits || k->suits (_kette_host (), &ctx, k->user);
}
