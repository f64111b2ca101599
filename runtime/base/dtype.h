/* SPDX-License-Identifier: Apache-2.0
 * Element types: one table, ONNX's numbers (KT_F32 ... of kette-plugin.h).
 */
#pragma once
#include "base/error.h"
#include "kette-plugin.h"

#define KETTE_DTYPE_LAST KT_I2
#define KETTE_MAX_RANK 32

typedef struct
{
  const char *name;  /* "float32": texts and errors    */
  const char *brief; /* "f32": pictures and test cases */
  const char *proto; /* "FLOAT": ONNX's own word       */
  uint8_t bits;      /* per element; 0: string         */
  uint8_t code;      /* DLPack                         */
  uint8_t is_float, is_integer;
} KetteDtype;

/* The row of DTYPE; NULL if there is no such type. */
const KetteDtype *_kette_dtype (int dtype);
/* "f32" -> KT_F32; 0: unknown. */
int _kette_dtype_from_brief (const char *brief, size_t n);
int _kette_dtype_of_view (const kt_tensor *view); /* by code and bits; 0: unknown */
/* Bytes of COUNT elements, sub-byte types packed. FALSE on overflow. */
gboolean _kette_dtype_bytes (int dtype, size_t count, size_t *bytes);

/* "float32[2,?,batch]" into OUT; SYMBOLS names KT_DIM (k), may be NULL. Returns OUT. */
const char *_kette_shape_text (char *out, size_t size, const int64_t *dims, int rank,
                               const char *const *symbols);
const char *_kette_type_text (char *out, size_t size, const kt_type *type,
                              const char *const *symbols);
