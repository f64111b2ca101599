/* SPDX-License-Identifier: Apache-2.0
 * Are pictures valid and inert?
 */
#pragma once
#include "fuzz.h"

/* Ends the process where TEXT is no XML, or holds a script, a link, an image or a URL. */
void fuzz_judge_svg (const char *text);
