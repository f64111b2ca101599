/* SPDX-License-Identifier: Apache-2.0
 *
 * NonMaxSuppression: boxes by falling score, of those that overlap too much the first; one list
 * per batch and class.  Source: ONNX NonMaxSuppression-11.
 */
#include "shape.h"
#include <math.h>

enum
{
  BOXES,
  SCORES,
  MOST,
  IOU,
  SCORE
};

static kt_status
nms_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type boxes  = kt_in_type (host, infer, BOXES);
  const kt_type scores = kt_in_type (host, infer, SCORES);
  const int64_t dims[] = { KT_DIM (0), 3 };

  (void) user;
  if (boxes.kind && boxes.ndim >= 0)
    {
      if (boxes.ndim != 3)
        return kt_fail (host, infer, KT_E_SHAPE, "boxes have rank %d, must have rank 3",
                        (int) boxes.ndim);
      if (kt_dim_known (boxes.dims[2]) && boxes.dims[2] != 4)
        return kt_fail (host, infer, KT_E_SHAPE, "boxes of %lld numbers, must be 4",
                        (long long) boxes.dims[2]);
    }
  if (scores.kind && scores.ndim >= 0 && scores.ndim != 3)
    return kt_fail (host, infer, KT_E_SHAPE, "scores have rank %d, must have rank 3",
                    (int) scores.ndim);
  for (int k = 0; boxes.ndim == 3 && scores.ndim == 3 && k < 2; k++)
    {
      const int64_t a = boxes.dims[k], b = scores.dims[2 * k];
      if (kt_dim_known (a) && kt_dim_known (b) && a != b)
        return kt_fail (host, infer, KT_E_SHAPE, "boxes of %lld %s, scores of %lld",
                        (long long) a, k ? "places" : "samples", (long long) b);
    }
  return kt_set_out (host, infer, 0, KT_I64, dims, 2);
}

typedef struct
{
  int64_t batch, classes, n;
  bool centred;
} State;

/* A list of n places per batch and class, and its length. */
static kt_status
nms_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type scores = kt_in_type (host, prep, SCORES);
  size_t lists, bytes;
  State *s;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s          = *state;
  s->batch   = scores.dims[0];
  s->classes = scores.dims[1];
  s->n       = scores.dims[2];
  s->centred = kt_attr_int (host, prep, "center_point_box", 0) != 0;
  if (s->n > INT32_MAX)
    return kt_fail (host, prep, KT_E_UNSUPPORTED,
                    "%lld boxes, at most 2^31 - 1 are served", (long long) s->n);
  if (kt_count (scores.dims, 3) == 0)
    return KT_OK;
  lists = (size_t) (s->batch * s->classes);
  bytes = lists * ((size_t) s->n * sizeof (int32_t) + sizeof (int64_t)) + 64;
  return host->want_workspace (prep, bytes, 0);
}

typedef struct
{
  const State *s;
  const float *boxes, *scores;
  int64_t most;
  float iou, least;
  bool has_least;
  int64_t *lengths; /* per list */
  int32_t *lists;
} Job;

/* A box as two corners. */
typedef struct
{
  float y0, x0, y1, x1;
} Box;

static Box
box_at (const Job *job, int64_t sample, int64_t i)
{
  const float *v = job->boxes + (sample * job->s->n + i) * 4;

  if (job->s->centred)
    return (Box){ v[1] - v[3] / 2, v[0] - v[2] / 2, v[1] + v[3] / 2, v[0] + v[2] / 2 };
  return (Box){ fminf (v[0], v[2]), fminf (v[1], v[3]), fmaxf (v[0], v[2]),
                fmaxf (v[1], v[3]) };
}

/* Is the intersection more than the threshold's share of the union? */
static bool
overlaps (const Job *job, Box a, Box b)
{
  const float h      = fminf (a.y1, b.y1) - fmaxf (a.y0, b.y0);
  const float w      = fminf (a.x1, b.x1) - fmaxf (a.x0, b.x0);
  const float area_a = (a.y1 - a.y0) * (a.x1 - a.x0);
  const float area_b = (b.y1 - b.y0) * (b.x1 - b.x0);

  if (!(h > 0 && w > 0 && area_a > 0 && area_b > 0))
    return false;
  return h * w / (area_a + area_b - h * w) > job->iou;
}

/* Does I come before K? By score, then by place; a NaN is the least. */
static bool
precedes (const float *score, int32_t i, int32_t k)
{
  const float a = score[i], b = score[k];

  if (a > b || (a == a && b != b))
    return true;
  return (a == b || (a != a && b != b)) && i < k;
}

static void
sift (const float *score, int32_t *heap, int64_t n, int64_t at)
{
  const int32_t moving = heap[at];

  for (int64_t child; (child = 2 * at + 1) < n; at = child)
    {
      if (child + 1 < n && precedes (score, heap[child + 1], heap[child]))
        child++;
      if (!precedes (score, heap[child], moving))
        break;
      heap[at] = heap[child];
    }
  heap[at] = moving;
}

/* The places of a list are a heap at first; those chosen stand behind it, the first one last. */
static void
choose (const Job *job, int64_t list)
{
  const State *s       = job->s;
  const float *score   = job->scores + list * s->n;
  int32_t *const heap  = job->lists + list * s->n;
  const int64_t sample = list / s->classes;
  int64_t n = 0, all, chosen = 0;

  for (int64_t i = 0; i < s->n; i++)
    if (!job->has_least || score[i] > job->least)
      heap[n++] = (int32_t) i;
  all = n;
  for (int64_t i = n / 2; i-- > 0;)
    sift (score, heap, n, i);
  while (n > 0 && chosen < job->most)
    {
      const int32_t best = heap[0];
      const Box box      = box_at (job, sample, best);
      bool keep          = true;

      heap[0] = heap[--n];
      if (n > 0)
        sift (score, heap, n, 0);
      for (int64_t k = 0; keep && k < chosen; k++)
        keep = !overlaps (job, box_at (job, sample, heap[all - 1 - k]), box);
      if (keep)
        heap[all - 1 - chosen++] = best;
    }
  for (int64_t k = 0; k < chosen; k++) /* to the list's end, whatever its length was */
    heap[s->n - 1 - k] = heap[all - 1 - k];
  job->lengths[list] = chosen;
}

static void
choose_lists (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  (void) worker;
  for (int64_t i = begin; i < end; i++)
    choose (arg, i);
}

static const kt_tensor *
given (const kt_run *run, int32_t i)
{
  return i < run->n_in && run->in[i].device_type != 0 ? &run->in[i] : NULL;
}

static kt_status
read_limits (const kt_host *host, kt_run *run, Job *job)
{
  static const char *const names[]
      = { "max_output_boxes_per_class", "iou_threshold", "score_threshold" };
  const kt_tensor *limit[3];

  for (int k = 0; k < 3; k++)
    {
      limit[k] = given (run, MOST + k);
      if (limit[k] && kt_count (limit[k]->shape, limit[k]->ndim) != 1)
        return kt_fail (host, run, KT_E_SHAPE, "%s has %lld elements, must be a scalar",
                        names[k], (long long) kt_count (limit[k]->shape, limit[k]->ndim));
    }
  job->most      = limit[0] ? *(const int64_t *) limit[0]->data : 0;
  job->iou       = limit[1] ? *(const float *) limit[1]->data : 0;
  job->has_least = limit[2] != NULL;
  job->least     = limit[2] ? *(const float *) limit[2]->data : 0;
  if (!(job->iou >= 0 && job->iou <= 1))
    return kt_fail (host, run, KT_E_VALUE, "iou_threshold is %g, not in [0, 1]",
                    (double) job->iou);
  return KT_OK;
}

/* The output; where the file declares its shape it was given one before the run. */
static kt_status
make_output (const kt_host *host, kt_run *run, int64_t n, kt_tensor *y)
{
  const int64_t dims[] = { n, 3 };

  *y = run->out[0];
  if (y->device_type == 0)
    return host->output_sized (run, 0, dims, 2, y);
  if (y->ndim == 2 && y->shape[0] == n && y->shape[1] == 3)
    return KT_OK;
  return kt_fail (host, run, KT_E_SHAPE,
                  "%lld boxes are selected, the output has room for %lld", (long long) n,
                  (long long) (y->ndim == 2 ? y->shape[0] : 0));
}

static kt_status
nms_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s      = state;
  const int64_t lists = s->batch * s->classes;
  const bool any      = lists > 0 && s->n > 0;
  int64_t n           = 0;
  Job job = { .s = s, .boxes = run->in[BOXES].data, .scores = run->in[SCORES].data };
  kt_tensor out;

  KT_TRY (read_limits (host, run, &job));
  if (any)
    {
      const int64_t grain = 4096 / s->n > 0 ? 4096 / s->n : 1;
      job.lengths         = host->workspace (run, -1, NULL);
      job.lists           = (int32_t *) (job.lengths + lists);
      if (lists > grain)
        KT_TRY (host->parallel_for (run, lists, grain, choose_lists, &job));
      else
        choose_lists (&job, 0, lists, 0);
      for (int64_t i = 0; i < lists; i++)
        n += job.lengths[i];
    }
  KT_TRY (make_output (host, run, n, &out));

  int64_t *y = out.data;
  for (int64_t i = 0; any && i < lists; i++)
    for (int64_t k = 0; k < job.lengths[i]; k++, y += 3)
      {
        y[0] = i / s->classes;
        y[1] = i % s->classes;
        y[2] = job.lists[(i + 1) * s->n - 1 - k];
      }
  return KT_OK;
}

static const kt_kernel nms_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = nms_prepare, .run = nms_run },
  { 0 },
};

const kt_operator kette_op_non_max_suppression = {
  .op     = { KT_OP ("NonMaxSuppression", 10), .flags = KT_OP_PURE | KT_OP_ZERO_GRADIENT,
              .infer = nms_infer },
  .kernel = nms_kernel,
};
