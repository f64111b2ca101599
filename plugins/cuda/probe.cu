/* SPDX-License-Identifier: Apache-2.0
 *
 * probe.cu: what the build asks the compiler of CUDA to compile.
 */
__global__ void
kette_probe (void)
{
}
