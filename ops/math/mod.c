/* SPDX-License-Identifier: Apache-2.0
 *
 * Mod: what is left of a / b, element by element, with broadcasting: with the sign of b, or
 * (`fmod`) with that of a, as C's fmod; floats only with fmod.  Source: ONNX Mod-13.
 */
#include "arithmetic.h"
#include "emit.h"

/* The least number by -1 leaves nothing; the processor would trap. */
#define LEFT (b == -1 ? 0 : a % b)
#define FLOORED (LEFT != 0 && (LEFT < 0) != (b < 0) ? LEFT + b : LEFT)

#define CHECK(SUFFIX, T)                                                                 \
  static int64_t mod_check_##SUFFIX (const void *a, int64_t a_step, const void *b_data,  \
                                     int64_t b_step, int64_t n)                          \
  {                                                                                      \
    const T *const b = b_data;                                                           \
                                                                                         \
    for (int64_t i = 0; i < n; i++)                                                      \
      if (b[i * b_step] == 0)                                                            \
        return 2 * i;                                                                    \
    return -1;                                                                           \
  }
#define SIGNED_LOOPS(SUFFIX, T)                                                          \
  KETTE_ZIP_PLAIN_LOOP (floored, SUFFIX, T, T, T, a, b, FLOORED)                         \
  KETTE_ZIP_PLAIN_LOOP (left, SUFFIX, T, T, T, a, b, LEFT)                               \
  CHECK (SUFFIX, T)
#define UNSIGNED_LOOP(SUFFIX, T)                                                         \
  KETTE_ZIP_PLAIN_LOOP (left, SUFFIX, T, T, T, a, b, a % b)                              \
  CHECK (SUFFIX, T)

SIGNED_LOOPS (i8, int8_t)
SIGNED_LOOPS (i16, int16_t)
SIGNED_LOOPS (i32, int32_t)
SIGNED_LOOPS (i64, int64_t)
UNSIGNED_LOOP (u8, uint8_t)
UNSIGNED_LOOP (u16, uint16_t)
UNSIGNED_LOOP (u32, uint32_t)
UNSIGNED_LOOP (u64, uint64_t)
KETTE_ZIP_PLAIN_LOOP (left, f32, float, float, float, a, b, fmodf (a, b))
KETTE_ZIP_PLAIN_LOOP (left, f64, double, double, double, a, b, fmod (a, b))

#define ROW(TYPE, NAME, SUFFIX)                                                          \
  {                                                                                      \
    .in = TYPE, .out = TYPE, .loop = NAME##_##SUFFIX, .check = mod_check_##SUFFIX        \
  }
#define UNSIGNED_ROWS                                                                    \
  ROW (KT_U8, left, u8), ROW (KT_U16, left, u16), ROW (KT_U32, left, u32),               \
      ROW (KT_U64, left, u64)

static const kt_zip_loops floored_loops
    = { .fault = { "division by 0" },
        .loop
        = { ROW (KT_I8, floored, i8), ROW (KT_I16, floored, i16),
            ROW (KT_I32, floored, i32), ROW (KT_I64, floored, i64), UNSIGNED_ROWS } };
static const kt_zip_loops left_loops
    = { .fault = { "division by 0" },
        .loop  = { KT_FLOAT_ROWS (left), ROW (KT_I8, left, i8), ROW (KT_I16, left, i16),
                   ROW (KT_I32, left, i32), ROW (KT_I64, left, i64), UNSIGNED_ROWS } };

static kt_status
mod_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type a = kt_in_type (host, infer, 0);

  if (a.kind && kt_is_float (a.dtype) && kt_attr_int (host, infer, "fmod", 0) == 0)
    return kt_fail (host, infer, KT_E_ATTR, "floats need fmod=1");
  return kt_infer_broadcast (host, infer, user);
}

static kt_status
mod_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_zip_loops *loops
      = kt_attr_int (host, prep, "fmod", 0) ? &left_loops : &floored_loops;

  (void) user;
  return kt_zip_prepare (host, prep, (void *) (uintptr_t) loops, state);
}

static const kt_kernel mod_kernel[]
    = { { KT_KERNEL, .types = KT_NUMBER_TYPES, .flags = KT_CPU_FLAGS | KT_K_TILEABLE,
          .n_alias = 2, .alias = (const kt_alias[]){ { 0, 0, 0, 0 }, { 1, 0, 0, 0 } },
          .prepare = mod_prepare, .run = kt_zip_run, .tile = kt_zip_tile },
        { 0 } };

/* dE/da = dE/dy; none to b, which ONNX does not differentiate. */
static kt_status
mod_gradient (const kt_host *host, kt_graph *g, void *user)
{
  (void) user;
  return host->g_wanted (g, 0) ? host->g_set (
             g, 0, kt_sum_to (host, g, host->g_seed (g, 0), host->g_in (g, 0)))
                               : KT_OK;
}

const kt_operator kette_op_mod = {
  .op = { KT_OP ("Mod", 10), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE, .infer = mod_infer,
          .gradient = mod_gradient },
  .kernel = mod_kernel,
};
