/* SPDX-License-Identifier: Apache-2.0
 * Parsing the text form of test cases.
 */
#include "case.h"
#include <stdlib.h>
#include <string.h>

/* What attributes point to lives as long as their case. */
static gpointer
keep (Case *c, gpointer memory)
{
  g_ptr_array_add (c->kept, memory);
  return memory;
}

static void
case_free (gpointer data)
{
  Case *c = data;

  for (int i = 0; i < CASE_MOST; i++)
    {
      kette_tensor_unref (c->in[i]);
      kette_tensor_unref (c->out[i]);
      kette_tensor_unref (c->tensors[i]);
    }
  g_ptr_array_unref (c->kept);
  g_free (c->domain);
  g_free (c->op);
  g_free (c->error_code);
  g_free (c->error_text);
  g_free (c);
}

/* "f64[2,3]" at the beginning of TEXT: type and dims; what follows, or NULL. */
static const char *
parse_type (const char *text, int *dtype, int64_t *dims, int *rank)
{
  const size_t n = strcspn (text, "[ {");
  char *end;

  *dtype = _kette_dtype_from_brief (text, n);
  *rank  = 0;
  if (!*dtype)
    return NULL;
  text += n;
  if (*text != '[')
    return text;
  for (text++; *text != ']'; text += *text == ',')
    {
      if (*rank >= KETTE_MAX_RANK)
        return NULL;
      dims[(*rank)++] = strtoll (text, &end, 10);
      if (end == text || (*end != ',' && *end != ']'))
        return NULL;
      text = end;
    }
  return text + 1;
}

/* Elements up to END ('\0' or '}'); what follows, or NULL. */
static const char *
parse_elements (const char *text, char end, KetteTensor *t, gboolean *any)
{
  *any = FALSE;
  text += strspn (text, " ");
  if (*text == '*')
    {
      *any = TRUE;
      return text + 1;
    }
  for (size_t i = 0; i < t->count; i++)
    {
      char *after;
      text += strspn (text, " ");
      if (t->dtype == KT_I64)
        ((int64_t *) t->data)[i] = strtoll (text, &after, 10);
      else if (t->dtype == KT_U64)
        ((uint64_t *) t->data)[i] = strtoull (text, &after, 10);
      else
        _kette_tensor_set_double (t, i, g_ascii_strtod (text, &after));
      if (after == text)
        return NULL;
      text = after;
    }
  text += strspn (text, " ");
  return *text == end ? text : NULL;
}

/* Elements of a string tensor: "a" "bc" "" */
static const char *
parse_texts (const char *text, char end, const int64_t *dims, int rank, KetteTensor **out)
{
  g_autofree kt_str *strings = g_new0 (kt_str, strlen (text) + 1);
  int64_t n = 0, count = 1;

  for (text += strspn (text, " "); *text == '"'; text += strspn (text, " "))
    {
      const char *last = strchr (text + 1, '"');
      if (!last)
        return NULL;
      strings[n++] = (kt_str){ text + 1, (size_t) (last - text - 1) };
      text         = last + 1;
    }
  for (int d = 0; d < rank; d++)
    if (dims[d] < 0 || __builtin_mul_overflow (count, dims[d], &count))
      return NULL;
  if (*text != end || count != n)
    return NULL;
  *out = _kette_tensor_new_strings (strings, dims, rank, NULL);
  return *out ? text : NULL;
}

static const char *
parse_tensor (const char *text, char end, KetteTensor **out, gboolean *any)
{
  int64_t dims[KETTE_MAX_RANK];
  int dtype, rank;

  text = parse_type (text, &dtype, dims, &rank);
  if (!text)
    return NULL;
  if (end == '}' && *text++ != '{')
    return NULL;
  *any = FALSE;
  if (dtype == KT_STRING)
    return parse_texts (text, end, dims, rank, out);
  *out = kette_tensor_new (dtype, dims, (guint) rank, NULL);
  return *out ? parse_elements (text, end, *out, any) : NULL;
}

/* [1,2] or [0.5,1]: INTS where no element has a point or exponent. */
static gboolean
parse_list (const char *text, Case *c, kt_attr *attr)
{
  const gboolean floats = strpbrk (text, ".en") != NULL;
  int64_t *ints         = keep (c, g_new0 (int64_t, strlen (text) + 1));
  float *numbers        = (float *) ints;
  size_t n              = 0;

  for (text++; *text && *text != ']'; n++)
    {
      char *end;
      if (floats)
        numbers[n] = (float) g_ascii_strtod (text, &end);
      else
        ints[n] = strtoll (text, &end, 10);
      if (end == text)
        return FALSE;
      text = end + (*end == ',');
    }
  attr->kind = floats ? KT_A_FLOATS : KT_A_INTS;
  attr->v    = ints; /* lives as long as the process, as the attribute */
  attr->n    = n;
  return *text == ']';
}

/* ["a","b"] */
static gboolean
parse_strings (const char *text, Case *c, kt_attr *attr)
{
  kt_str *strings = keep (c, g_new0 (kt_str, strlen (text) + 1));
  size_t n        = 0;

  for (text++; *text == '"'; n++)
    {
      const char *end = strchr (text + 1, '"');
      if (!end)
        return FALSE;
      strings[n] = (kt_str){ keep (c, g_strndup (text + 1, (gsize) (end - text - 1))),
                             (size_t) (end - text - 1) };
      text       = end + 1 + (end[1] == ',');
    }
  attr->kind = KT_A_STRINGS;
  attr->v    = strings;
  attr->n    = n;
  return *text == ']';
}

/* NAME=VALUE */
static gboolean
parse_attr (const char *word, Case *c, kt_attr *attr)
{
  const char *equals = strchr (word, '=');
  const char *v      = equals + 1;
  char *end;

  *attr = (kt_attr){ .name = keep (c, g_strndup (word, (gsize) (equals - word))) };
  if (*v == '"')
    {
      const size_t n = strlen (v);
      if (n < 2 || v[n - 1] != '"')
        return FALSE;
      attr->kind = KT_A_STRING;
      attr->v    = keep (c, g_strndup (v + 1, n - 2));
      attr->n    = n - 2;
      return TRUE;
    }
  if (*v == '[')
    return v[1] == '"' ? parse_strings (v, c, attr) : parse_list (v, c, attr);
  if (strchr (v, '{'))
    {
      KetteTensor **t = &c->tensors[attr - c->attrs];
      gboolean any;
      if (!parse_tensor (v, '}', t, &any))
        return FALSE;
      kt_tensor *view = keep (c, g_new0 (kt_tensor, 1));
      _kette_tensor_view (*t, view);
      attr->kind = KT_A_TENSOR;
      attr->v    = view;
      attr->n    = 1;
      return TRUE;
    }
  attr->kind = KT_A_INT;
  attr->i    = strtoll (v, &end, 10);
  if (*end)
    {
      attr->kind = KT_A_FLOAT;
      attr->f    = (double) (float) g_ascii_strtod (v, &end);
    }
  return *end == '\0' && end != v;
}

/* The next word of *text; blanks inside quotes and braces belong to it. */
static char *
next_word (const char **text)
{
  const char *begin = *text + strspn (*text, " ");
  const char *p     = begin;
  int depth         = 0;
  gboolean quoted   = FALSE;

  for (; *p && (*p != ' ' || depth || quoted); p++)
    {
      quoted = *p == '"' ? !quoted : quoted;
      depth += (*p == '{') - (*p == '}');
    }
  *text = p;
  return p == begin ? NULL : g_strndup (begin, (gsize) (p - begin));
}

static gboolean
parse_op (const char *rest, Case *c)
{
  g_autofree char *name = next_word (&rest);
  char *colon           = name ? strrchr (name, ':') : NULL;
  char *at              = name ? strchr (name, '@') : NULL;

  if (!name)
    return FALSE;
  if (at)
    {
      c->opset = (int) CLAMP (strtol (at + 1, NULL, 10), 0, 1000);
      *at      = '\0';
    }
  c->domain = colon ? g_strndup (name, (gsize) (colon - name)) : g_strdup ("");
  c->op     = g_strdup (colon ? colon + 1 : name);
  for (;;)
    {
      g_autofree char *word = next_word (&rest);

      if (!word)
        return TRUE;
      if (strcmp (word, "nograd") == 0)
        c->nograd = TRUE;
      else if (strcmp (word, "f64only") == 0)
        c->f64_only = TRUE;
      else if (!strchr (word, '=') || c->n_attrs >= CASE_MOST
               || !parse_attr (word, c, &c->attrs[c->n_attrs++]))
        return FALSE;
    }
}

static gboolean
parse_operand (const char *rest, KetteTensor **tensors, gboolean *any, int *n)
{
  gboolean ignored;

  if (*n >= CASE_MOST)
    return FALSE;
  rest += strspn (rest, " ");
  if (strcmp (rest, "-") == 0)
    {
      ++*n;
      return TRUE;
    }
  ++*n;
  return parse_tensor (rest, '\0', &tensors[*n - 1], any ? &any[*n - 1] : &ignored)
         != NULL;
}

static gboolean
parse_line (const char *line, Case *c)
{
  if (g_str_has_prefix (line, "x "))
    return parse_operand (line + 2, c->in, NULL, &c->n_in);
  if (g_str_has_prefix (line, "y "))
    return parse_operand (line + 2, c->out, c->any, &c->n_out);
  if (g_str_has_prefix (line, "error ") && !c->error_code)
    {
      const char *rest = line + 6;
      c->error_code    = next_word (&rest);
      c->error_text    = g_strstrip (g_strdup (rest));
      return c->error_code != NULL;
    }
  return FALSE;
}

GPtrArray *
case_parse (const char *text, char **problem)
{
  GPtrArray *cases     = g_ptr_array_new_with_free_func (case_free);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  Case *c              = NULL;

  *problem = NULL;
  for (int i = 0; lines[i] && !*problem; i++)
    {
      const char *line = g_strchomp (lines[i]);
      gboolean ok      = TRUE;
      if (!*line || *line == '#')
        continue;
      if (g_str_has_prefix (line, "op "))
        {
          c       = g_new0 (Case, 1);
          c->line = i + 1;
          c->kept = g_ptr_array_new_with_free_func (g_free);
          g_ptr_array_add (cases, c);
          ok = parse_op (line + 3, c);
        }
      else
        ok = c && parse_line (line, c);
      if (!ok)
        *problem = g_strdup_printf ("line %d is no part of a case: %s", i + 1, line);
    }
  if (!*problem)
    return cases;
  g_ptr_array_unref (cases);
  return NULL;
}
