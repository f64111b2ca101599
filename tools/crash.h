/* SPDX-License-Identifier: Apache-2.0
 * The crash reporter.
 */
#pragma once

/* Says on standard error what was at work when the program crashes, or when a plugin ends it. */
void kette_tool_watch_crashes (void);
