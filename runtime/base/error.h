/* SPDX-License-Identifier: Apache-2.0
 * Errors of the form FILE: CODE: WHERE: WHAT.
 *
 * Inside the library an error is made with _kette_fail as "CODE: WHERE: WHAT"; the function
 * that knows the file's name puts it in front (_kette_error_in_file). Text that comes from a
 * file is always printed through _kette_quote, so that it can neither forge a line nor send
 * codes to a terminal.
 */
#pragma once
#include "kette-base.h"

#define KETTE_QUOTE_SIZE 344 /* "80 characters of up to 4 bytes" + "..." + quotes + NUL */
#define KETTE_WHERE_SIZE 1024

typedef struct
{
  char text[KETTE_QUOTE_SIZE];
} KetteQuoted;

/* What an error of Kette holds beside GError's own fields; NULL for others. */
typedef struct
{
  char *file, *where, *what; /* NULL: none */
  int number;                /* errno; 0: none */
} KetteErrorParts;
const KetteErrorParts *_kette_error_parts (const GError *error);

/* Sets *error to "CODE: WHERE: WHAT" (WHERE may be NULL) and returns FALSE. */
gboolean _kette_fail (GError **error, KetteErrorCode code, const char *where,
                      const char *format, ...) G_GNUC_PRINTF (4, 5);
/* The same with errno's text behind it: "io: cannot open: No such file or directory". */
gboolean _kette_fail_errno (GError **error, int number, const char *where,
                            const char *what);
/* The same with "; HINT" at its end. */
gboolean _kette_fail_errno_hint (GError **error, int number, const char *where,
                                 const char *what, const char *hint);
/* Puts "FILE: " in front of *error's text. Does nothing when it has a file already. */
void _kette_error_in_file (GError **error, const char *file);
/* S in double quotes: at most 80 characters, then "..."; control characters, bytes that are
 * not UTF-8 as \xNN, quotes and backslashes with a backslash. Returns OUT->text. */
const char *_kette_quote (KetteQuoted *out, const char *s);
const char *_kette_quote_n (KetteQuoted *out, const char *s, size_t n);
#define KETTE_QUOTE(s) _kette_quote (&(KetteQuoted){ "" }, (s))
/* Several faults of one step. Who checks many things of a kind asks behind each fault whether
 * to go on; the step fails at its end if there was any. */
#define KETTE_FAULTS_MOST 20
typedef struct
{
  GError *list[KETTE_FAULTS_MOST];
  size_t n;
} KetteFaults;
/* TRUE: *ERROR was taken over and the caller may look at the next thing. FALSE: it stays,
 * because FAULTS is NULL (the first fault ends all), the list is full now, or the fault is
 * none of the input's (memory, time, the system). ERROR must not be NULL. */
gboolean _kette_faults_go_on (KetteFaults *faults, GError **error);
/* The end of a step: FALSE, with the first fault, if there was one. FAULTS may be NULL. */
gboolean _kette_faults_none (const KetteFaults *faults, GError **error);
void _kette_faults_clear (KetteFaults *faults);
/* "unsupported", ... */
const char *_kette_error_code_name (KetteErrorCode code);
