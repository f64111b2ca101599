/* SPDX-License-Identifier: Apache-2.0
 *
 * buffer.h: what the entry function tells buffer.c.
 */
#pragma once

/* This OpenBLAS is not safe with several threads. */
void buffer_one_at_a_time (void);
