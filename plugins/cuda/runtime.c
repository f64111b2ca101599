/* SPDX-License-Identifier: Apache-2.0
 *
 * runtime.c: the table of CUDA's functions, which are linked in from the runtime's archive.
 */
#include "device.h"
#include <dlfcn.h>
#include <stdio.h>

/* The runtime opens it by itself, but says less when that fails. It is not closed again. */
static bool
driver (void)
{
  return dlopen ("libcuda.so.1", RTLD_NOW | RTLD_LOCAL) != NULL;
}

static cudaError_t
name (int i, char *text, size_t size)
{
  struct cudaDeviceProp p;
  const cudaError_t error = cudaGetDeviceProperties (&p, i);

  if (error == cudaSuccess)
    snprintf (text, size, "%s", p.name);
  return error;
}

static cudaError_t
instantiate (cudaGraphExec_t *out, cudaGraph_t graph)
{
  return cudaGraphInstantiate (out, graph, 0);
}

Cuda cu = {
#define CU_FILL(NAME) .NAME = cuda##NAME,
  CU_CALLS (CU_FILL)
#undef CU_FILL
      .driver
  = driver,
  .name        = name,
  .instantiate = instantiate,
};
