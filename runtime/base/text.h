/* SPDX-License-Identifier: Apache-2.0
 * Small texts that several floors write.
 */
#pragma once
#include <glib.h>

/* S (NULL: "") as a JSON string by RFC 8259; bytes that are not UTF-8 become U+FFFD. */
void _kette_json_string (GString *out, const char *s);
/* What stands behind the last slash of PATH. */
const char *_kette_base_name (const char *path);
