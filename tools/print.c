/* SPDX-License-Identifier: Apache-2.0
 * Tensors for people: columns that are aligned at the decimal point, lines of a terminal's
 * width, and of large tensors only the ends of each dim.
 */
#include "print.h"
#include <stdio.h>
#include <string.h>

enum
{
  ALL_MAX   = 1000, /* elements that are printed without leaving any out    */
  ENDS      = 3,    /* of a long dim: so many at either end                 */
  SHOWN_MAX = 100000,
  WIDTH     = 79,
  RANK_MAX  = 64
};

typedef struct
{
  const KetteTensor *tensor;
  const gint64 *dims;
  guint rank;
  gboolean brief;
  gint64 at[RANK_MAX]; /* the slot in each dim; one slot of a long dim is the gap */
  int left, right;     /* widths before and from the decimal point on           */
} Printer;

static gint64
slots (const Printer *p, guint k)
{
  return p->brief && p->dims[k] > 2 * ENDS ? 2 * ENDS + 1 : p->dims[k];
}

static gboolean
is_gap (const Printer *p, guint k)
{
  return p->brief && p->dims[k] > 2 * ENDS && p->at[k] == ENDS;
}

static gsize
element_index (const Printer *p)
{
  gsize index = 0;

  for (guint k = 0; k < p->rank; k++)
    {
      const gboolean behind = p->brief && p->dims[k] > 2 * ENDS && p->at[k] > ENDS;
      index                 = index * (gsize) p->dims[k]
              + (gsize) (behind ? p->dims[k] - 2 * ENDS - 1 + p->at[k] : p->at[k]);
    }
  return index;
}

/* The widths of a text to the left of its decimal point and from there on. */
static void
split (const char *text, int *left, int *right)
{
  const gboolean is_number
      = g_ascii_isdigit (*text) || *text == '-' || *text == 'n' || *text == 'i';
  const int n = (int) g_utf8_strlen (text, -1);

  *left  = is_number ? (int) strcspn (text, ".e") : 0;
  *right = n - *left;
}

/* Steps to the next slot of dims 0 .. n-1; FALSE behind the last. */
static gboolean
advance (Printer *p, guint n)
{
  for (guint k = n; k-- > 0;)
    {
      if (++p->at[k] < slots (p, k))
        return TRUE;
      p->at[k] = 0;
    }
  return FALSE;
}

static void
measure (Printer *p)
{
  do
    {
      gboolean gap = FALSE;
      for (guint k = 0; k < p->rank; k++)
        gap = gap || is_gap (p, k);
      if (gap)
        continue;
      g_autofree char *text
          = kette_tensor_element_to_string (p->tensor, element_index (p));
      int left, right;
      split (text ? text : "?", &left, &right);
      p->left  = MAX (p->left, left);
      p->right = MAX (p->right, right);
    }
  while (advance (p, p->rank));
  memset (p->at, 0, sizeof p->at);
}

static void
print_row (Printer *p)
{
  const guint last = p->rank - 1;
  const gint64 n   = slots (p, last);
  int column = (int) p->rank, pending = 0;

  for (p->at[last] = 0; p->at[last] < n; p->at[last]++)
    {
      g_autofree char *text
          = is_gap (p, last)
                ? NULL
                : kette_tensor_element_to_string (p->tensor, element_index (p));
      int left = p->left, right = p->right;
      if (text)
        split (text, &left, &right);
      if (p->at[last] > 0 && column + pending + p->left + p->right + 1 > WIDTH)
        {
          column = (int) p->rank;
          printf ("\n%*s", column, "");
        }
      else
        {
          column += pending;
          printf ("%*s", pending, "");
        }
      if (text)
        printf ("%*s%s", p->left - left, "", text);
      else
        printf ("...");
      column += text ? p->left + right : 3;
      pending = text ? p->right - right + 1 : 1;
      if (p->at[last] + 1 < n)
        {
          putchar (',');
          column++;
        }
    }
  p->at[last] = 0;
}

/* The lines of a tensor of rank 1 or more that has elements. */
static void
print_rows (Printer *p)
{
  const guint outer = p->rank - 1;

  for (;;)
    {
      guint opened = 1, closed = 1, gap = 0;

      while (gap < outer && !is_gap (p, gap))
        gap++;
      if (gap < outer)
        {
          printf ("%*s...,\n", (int) gap + 1, "");
          for (guint k = gap + 1; k < outer; k++)
            putchar ('\n');
          p->at[gap]++;
          continue;
        }
      while (opened <= outer && p->at[outer - opened] == 0)
        opened++;
      while (closed <= outer && p->at[outer - closed] + 1 == slots (p, outer - closed))
        closed++;
      printf ("%*s", (int) (p->rank - opened), "");
      for (guint k = 0; k < opened; k++)
        putchar ('[');
      print_row (p);
      for (guint k = 0; k < closed; k++)
        putchar (']');
      if (!advance (p, outer))
        break;
      putchar (',');
      for (guint k = 0; k < closed; k++)
        putchar ('\n');
    }
  putchar ('\n');
}

void
kette_tool_print_tensor (const char *name, const KetteTensor *tensor)
{
  Printer p             = { .tensor = tensor };
  const gsize n         = kette_tensor_get_count (tensor);
  g_autofree char *head = kette_tensor_to_string (tensor, 1);
  gsize shown           = 1;

  p.dims  = kette_tensor_get_dims (tensor, &p.rank);
  p.brief = n > ALL_MAX;
  for (guint k = 0; k < p.rank; k++)
    shown = MIN (shown * (gsize) MIN (slots (&p, k), SHOWN_MAX), (gsize) SHOWN_MAX);
  if (p.rank == 0 || n == 0 || p.rank > RANK_MAX || shown >= SHOWN_MAX)
    { /* a number, nothing, or a great many short dims */
      g_autofree char *text = kette_tensor_to_string (tensor, ALL_MAX);
      printf ("%s = %s\n", name, text ? text : "?");
      return;
    }
  printf ("%s = %.*s\n", name, head ? (int) strcspn (head, "\n") : 0, head ? head : "");
  measure (&p);
  print_rows (&p);
}
