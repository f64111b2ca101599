/* SPDX-License-Identifier: Apache-2.0
 * kette draw: a picture of a graph, forward and backward.
 */
#include "verbs.h"
#include "draw/draw.h"
#include "io/io.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
