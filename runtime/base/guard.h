/* SPDX-License-Identifier: Apache-2.0
 * Public: files that are cut short while they are mapped.
 */
#pragma once
#include "base/kette-base.h"

G_BEGIN_DECLS

/**
 * kette_guard_mapped_files:
 *
 * Large files are mapped, and the system answers a look at a page that a mapped file no
 * longer has with the signal SIGBUS, which ends the process. After this call such a page
 * reads as zeros and the work that read it fails with `io: became shorter while it was in
 * use`. A SIGBUS that concerns no file of ours goes to the handler that was there before.
 *
 * The library takes no signals of its own accord: call this once, after other handlers for
 * SIGBUS are set. More calls do nothing.
 */
KETTE_EXPORT void kette_guard_mapped_files (void);

G_END_DECLS
