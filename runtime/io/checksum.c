/* SPDX-License-Identifier: Apache-2.0
 * CRC-32C of tensors, and the SHA-256 that may end a file.
 */
#include "io/save.h"
#include <string.h>

/* Reflected polynomial of Castagnoli, four bits at a time: small, and fast enough beside
 * the write that follows. */
static const uint32_t crc_nibble[16] = {
  0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
  0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
  0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t
_kette_crc32c (uint32_t crc, const void *data, size_t n)
{
  const uint8_t *p = data;

  crc = ~crc;
  for (size_t i = 0; i < n; i++)
    {
      crc ^= p[i];
      crc = crc >> 4 ^ crc_nibble[crc & 15];
      crc = crc >> 4 ^ crc_nibble[crc & 15];
    }
  return ~crc;
}

/* The entry as it stands at the end: metadata_props { key "kette.sha256" value HEX }. */
#define HEX 64
static const uint8_t entry_head[]
    = { 0x72, 4 + 12 + HEX, 0x0a, 12,  'k', 'e', 't', 't',  'e',
        '.',  's',          'h',  'a', '2', '5', '6', 0x12, HEX };

size_t
_kette_sha256_entry (const char *hex, uint8_t out[KETTE_SHA256_ENTRY])
{
  memcpy (out, entry_head, sizeof entry_head);
  memcpy (out + sizeof entry_head, hex, HEX);
  return sizeof entry_head + HEX;
}

gboolean
_kette_check_sha256 (GBytes *bytes, gboolean *present, GError **error)
{
  size_t n;
  const uint8_t *data = g_bytes_get_data (bytes, &n);
  const size_t entry  = sizeof entry_head + HEX;
  char *hex;
  gboolean same;

  *present = n >= entry && memcmp (data + n - entry, entry_head, sizeof entry_head) == 0;
  if (!*present)
    return TRUE;
  hex  = g_compute_checksum_for_data (G_CHECKSUM_SHA256, data, n - entry);
  same = memcmp (hex, data + n - HEX, HEX) == 0;
  if (!same)
    {
      KetteQuoted quoted;

      _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                   "the file is damaged: its SHA-256 is %s, kette.sha256 says %s", hex,
                   _kette_quote_n (&quoted, (const char *) data + n - HEX, HEX));
    }
  g_free (hex);
  return same;
}
