/* SPDX-License-Identifier: Apache-2.0
 *
 * capture.c: what streams are given, recorded as a CUDA graph and replayed by one launch.
 */
#include "device.h"
#include <stdlib.h>

/* Other threads may do meanwhile what a recording does not allow: prepare nodes, say. */
kt_status
cu_capture_begin (kt_call *call, kt_stream *s)
{
  const kt_status status = cu_enter (call, s->device);

  return status != KT_OK ? status
                         : cu_told (call, s->device,
                                    cu.StreamBeginCapture (
                                        s->handle, cudaStreamCaptureModeThreadLocal),
                                    "cudaStreamBeginCapture");
}

kt_status
cu_capture_end (kt_call *call, kt_stream *s, kt_recording **recording)
{
  CuDevice *d       = s->device;
  cudaGraph_t graph = NULL;
  kt_recording *r   = calloc (1, sizeof *r);
  kt_status status  = cu_enter (call, d);

  *recording = NULL;
  if (status == KT_OK)
    status = cu_told (call, d, cu.StreamEndCapture (s->handle, &graph),
                      "cudaStreamEndCapture");
  if (status == KT_OK && !r)
    status = cu_fail (cu_host, call, KT_E_NOMEM, "no memory");
  if (status == KT_OK)
    {
      r->device = d;
      status
          = cu_told (call, d, cu.instantiate (&r->exec, graph), "cudaGraphInstantiate");
    }
  if (graph)
    cu.GraphDestroy (graph);
  if (status == KT_OK)
    *recording = r;
  else
    free (r);
  return status;
}

kt_status
cu_replay (kt_call *call, kt_stream *s, kt_recording *r)
{
  const kt_status status = cu_enter (call, s->device);

  return status != KT_OK ? status
                         : cu_told (call, s->device, cu.GraphLaunch (r->exec, s->handle),
                                    "cudaGraphLaunch");
}

void
cu_recording_free (kt_recording *r)
{
  if (!r)
    return;
  cu_use (r->device);
  cu.GraphExecDestroy (r->exec);
  cu.GetLastError ();
  free (r);
}
