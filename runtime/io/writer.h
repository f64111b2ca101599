/* SPDX-License-Identifier: Apache-2.0
 * The writer, into memory as well as into files.
 */
#pragma once
#include "io/io-private.h"

/* What FUNC writes, as bytes. */
GBytes *_kette_write_bytes (KetteWriteFunc func, gpointer user, GError **error);
