/* SPDX-License-Identifier: Apache-2.0
 * libFuzzer's hook: models are mutated as models, now and then as bytes.
 */
#include "fuzz.h"

size_t
LLVMFuzzerCustomMutator (uint8_t *data, size_t n, size_t most, unsigned seed)
{
  const size_t size
      = seed % 16 ? fuzz_mutate_model (data, n, most, (uint64_t) seed << 8 | n % 256) : 0;

  return size ? size : LLVMFuzzerMutate (data, n, most);
}
