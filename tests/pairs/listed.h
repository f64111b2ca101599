/* SPDX-License-Identifier: Apache-2.0
 * Loading twice: the second time what is wrong is listed.
 */
#pragma once
#include "io/io.h"

/* Loads PACKED under the name FILE, or, AS_FILE, from FILE. When that fails it loads again with a
 * list of faults, of which the first must be this error, else the error tells of it. */
KetteGraph *listed_load (const GByteArray *packed, const char *file, gboolean as_file,
                         const KetteLoadOptions *options, GError **error);
