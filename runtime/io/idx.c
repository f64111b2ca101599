/* SPDX-License-Identifier: Apache-2.0
 * IDX files, in which MNIST and its kin are published: 0, 0, type, rank, dims, elements, all
 * big-endian; usually packed by gzip.
 */
#include "io/io-private.h"
#include "io/tensor-file.h"
#include <string.h>
#include <zlib.h>

#define CHUNK ((size_t) 1 << 20)
#define HEAD_MAX (4 + 4 * (size_t) KETTE_MAX_RANK)

/* zlib's memory is counted like all other. */
static voidpf
gz_alloc (voidpf user, uInt n, uInt size)
{
  (void) user;
  return _kette_alloc_raw (_kette_account_process (), n, size, NULL);
}

static void
gz_free (voidpf user, voidpf block)
{
  (void) user;
  _kette_free (block);
}

/* Unpacks into OUT, at most MAX bytes; *n: how many. More than that is an error, unless
 * PART says that the beginning is enough. */
static gboolean
inflate_into (const uint8_t *in, size_t n_in, uint8_t *out, size_t max, gboolean part,
              size_t *n, GError **error)
{
  z_stream z   = { .zalloc = gz_alloc, .zfree = gz_free };
  int code     = Z_OK;
  size_t taken = 0, made = 0;
  uint8_t more;
  gboolean ok = TRUE;

  if (inflateInit2 (&z, 15 + 16) != Z_OK)
    return _kette_fail (error, KETTE_ERROR_MEMORY, NULL, "no memory to unpack gzip");
  while (code != Z_STREAM_END)
    {
      const size_t give = MIN (n_in - taken, CHUNK), room = MIN (max - made, CHUNK);

      z.next_in   = (Bytef *) (void *) (in + taken);
      z.avail_in  = (uInt) give;
      z.next_out  = room > 0 ? out + made : &more;
      z.avail_out = room > 0 ? (uInt) room : 1;
      code        = inflate (&z, Z_NO_FLUSH);
      taken += give - z.avail_in;
      if (room > 0)
        made += room - z.avail_out;
      else if (z.avail_out == 0)
        {
          ok = _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                            "unpacked it has more than the %zu bytes that it needs", max);
          break;
        }
      if (part && made == max)
        break;
      if (code != Z_OK && code != Z_STREAM_END)
        {
          ok = code == Z_MEM_ERROR ? _kette_fail (error, KETTE_ERROR_MEMORY, NULL,
                                                  "no memory to unpack gzip")
               : taken == n_in
                   ? _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                                  "the gzip archive is cut off after %zu bytes", n_in)
                   : _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                                  "byte %zu: the gzip archive is damaged", taken);
          break;
        }
      if (code == Z_OK && taken == n_in && z.avail_out > 0)
        {
          ok = _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                            "the gzip archive is cut off after %zu bytes", n_in);
          break;
        }
    }
  inflateEnd (&z);
  *n = made;
  return ok;
}

typedef struct
{
  int dtype, rank;
  size_t head; /* bytes before the elements */
  int64_t dims[KETTE_MAX_RANK];
} Header;

static gboolean
parse_header (const uint8_t *data, size_t n, Header *h, GError **error)
{
  static const struct
  {
    uint8_t code;
    int dtype;
  } types[] = { { 0x08, KT_U8 },  { 0x09, KT_I8 },  { 0x0b, KT_I16 },
                { 0x0c, KT_I32 }, { 0x0d, KT_F32 }, { 0x0e, KT_F64 } };

  *h = (Header){ 0 };
  if (n < 4 || data[0] != 0 || data[1] != 0)
    return _kette_fail (error, KETTE_ERROR_FORMAT, NULL, "not an IDX file");
  for (size_t i = 0; i < G_N_ELEMENTS (types); i++)
    if (types[i].code == data[2])
      h->dtype = types[i].dtype;
  if (h->dtype == KT_UNDEFINED)
    return _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                        "byte 2: IDX has no element type 0x%02x", data[2]);
  if (data[3] > KETTE_MAX_RANK)
    return _kette_fail (error, KETTE_ERROR_LIMIT, NULL, "has rank %d, rank allows %d",
                        data[3], KETTE_MAX_RANK);
  h->rank = data[3];
  h->head = 4 + 4 * (size_t) h->rank;
  if (n < h->head)
    return _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                        "the IDX header needs %zu bytes, the file has %zu", h->head, n);
  for (int i = 0; i < h->rank; i++)
    {
      const uint8_t *p = data + 4 + 4 * i;

      h->dims[i] = (int64_t) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
    }
  return TRUE;
}

static void
to_host (KetteTensor *tensor)
{
#if G_BYTE_ORDER == G_LITTLE_ENDIAN
  const size_t width = (size_t) _kette_dtype (tensor->dtype)->bits / 8;

  if (width > 1)
    _kette_swap_bytes (tensor->data, tensor->count, width);
#endif
}

/* Header first, then the whole archive into the tensor's memory. The header is unpacked a
 * second time with it, in front of the elements. */
static KetteTensor *
parse_gz (const uint8_t *data, size_t n, GError **error)
{
  uint8_t first[HEAD_MAX], *all = NULL;
  KetteTensor *tensor = NULL;
  Header h;
  size_t have, count, bytes, total;

  if (!inflate_into (data, n, first, sizeof first, TRUE, &have, error)
      || !parse_header (first, have, &h, error)
      || !_kette_file_size (h.dtype, h.dims, h.rank, SIZE_MAX, &count, &bytes, error))
    return NULL;
  /* Deflate packs at most 1032 to 1, so a header that claims more is refused at once. */
  if (!_kette_add (bytes, h.head, &total) || total / 1040 > n)
    {
      _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                   "needs %zu bytes, but an archive of %zu bytes cannot hold them", total,
                   n);
      return NULL;
    }
  all = _kette_alloc_raw (_kette_account_process (), total, 1, error);
  if (all && inflate_into (data, n, all, total, FALSE, &have, error))
    {
      if (have != total)
        _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                     "needs %zu bytes, unpacked it has %zu", total, have);
      else if ((tensor = _kette_tensor_new_raw (h.dtype, h.dims, h.rank, error))
               && bytes > 0)
        memcpy (tensor->data, all + h.head, bytes);
    }
  _kette_free (all);
  if (tensor)
    to_host (tensor);
  return tensor;
}

KetteTensor *
_kette_idx_parse (GBytes *in, GError **error)
{
  size_t n, count, bytes;
  const uint8_t *data = g_bytes_get_data (in, &n);
  KetteTensor *tensor;
  Header h;

  if (n >= 2 && data[0] == 0x1f && data[1] == 0x8b)
    return parse_gz (data, n, error);
  if (!parse_header (data, n, &h, error)
      || !_kette_file_size (h.dtype, h.dims, h.rank, n - h.head, &count, &bytes, error))
    return NULL;
  tensor = _kette_tensor_new_raw (h.dtype, h.dims, h.rank, error);
  if (!tensor)
    return NULL;
  if (bytes > 0)
    memcpy (tensor->data, data + h.head, bytes);
  to_host (tensor);
  return tensor;
}
