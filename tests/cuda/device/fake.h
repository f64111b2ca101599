/* SPDX-License-Identifier: Apache-2.0
 *
 * fake.h: a CUDA made of malloc and memcpy, which fails on demand. Its streams do all at once, or,
 * being lazy, only when somebody waits. It insists on what CUDA does: events are recorded on
 * streams of their device, nothing is allocated or waited for inside a recording.
 */
#pragma once
#include "device.h"

typedef struct
{
  bool no_driver;
  int devices;
  cudaError_t count_error;
  size_t memory;      /* of each device */
  int capability;     /* 90 */
  int fail_at;        /* this call from now on (1: the next) fails... */
  cudaError_t error;  /* ... like this */
  cudaError_t sticky; /* what every call says */
  int streams, events, blocks, pinned, graphs; /* that are there */
  int copies, host_functions, launches;
  bool capturing, lazy;
} Fake;
extern Fake fake;

/* What the host was told last. */
extern char told[512];
extern kt_status told_code;
extern const kt_host fake_host;
