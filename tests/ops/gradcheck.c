/* SPDX-License-Identifier: Apache-2.0
 * Central differences against the emitted gradient.
 *
 * E = sum of w * y over the float outputs, w fixed and irregular. Step 1e-5 max (1, |x|);
 * an element agrees if |a - n| <= 1e-6 max (|a|, |n|, rms of the gradient). Where the slopes
 * on both sides differ there is a kink: the element is left out.
 */
#include "gradcheck.h"
#include "op/context.h"
#include "opcheck.h"
#include "pass/pass.h"
#include <math.h>
#include <string.h>

static double
weight (size_t i)
{
  return 0.3 + 0.7 * sin (1.7 * (double) i + 0.4);
}

/* The weight of an element of output I, the K-th that is there: 0 where the operator says
 * that the output has no derivative (running statistics). */
static double
weight_of (const Case *c, int i, size_t k, size_t element)
{
  const KetteOp *def = _kette_registry_op (
      c->domain, c->op, c->opset ? c->opset : _kette_registry_newest (c->domain));
  const kt_param *out
      = def && def->op.n_out ? &def->op.out[MIN (i, def->op.n_out - 1)] : NULL;

  return out && (out->flags & KT_P_NO_GRADIENT) ? 0 : weight (element + 31 * k);
}

/* E of the case for inputs IN; FALSE with *error. */
static gboolean
energy (const Case *c, KetteTensor *const *in, double *sum, GError **error)
{
  KetteTensor *out[CASE_MOST + 1] = { NULL };
  g_autoptr (KetteGraph) graph    = opcheck_graph (c, in, 0, error);
  gboolean ok = graph && opcheck_run (graph, in, c->n_in, FALSE, out, error);

  *sum = 0;
  if (!ok)
    return FALSE;
  for (size_t k = 0, i = 0; k < graph->n_outputs; k++, i++)
    {
      while (i < CASE_MOST - 1 && !c->out[i])
        i++;
      for (size_t j = 0; out[k]->dtype == KT_F64 && j < out[k]->count; j++)
        *sum += weight_of (c, (int) i, k, j) * ((const double *) out[k]->data)[j];
      kette_tensor_unref (out[k]);
    }
  return TRUE;
}

/* sum (w * y) over all f64 outputs as nodes; the scalar value. */
static KetteValue *
add_energy (KetteGraph *graph, KetteTensor *const *expected, const Case *c,
            GError **error)
{
  KetteValue *terms[CASE_MOST];
  int32_t n = 0;
  size_t k  = 0;

  for (int i = 0; i < c->n_out; i++)
    {
      const KetteTensor *e = expected[i];
      if (!e)
        continue;
      const size_t output = k++;
      if (e->dtype != KT_F64)
        continue;
      KetteTensor *w = kette_tensor_new (KT_F64, e->dims, (guint) e->rank, error);
      for (size_t j = 0; j < e->count; j++)
        ((double *) w->data)[j] = weight_of (c, i, output, j);
      KetteValue *constant = _kette_graph_add_constant (graph, NULL, w, error);
      kette_tensor_unref (w);
      KetteValue *product = _kette_graph_add_value (graph, NULL, error);
      terms[n]            = _kette_graph_add_value (graph, NULL, error);
      const kt_attr keep  = { .name = "keepdims", .kind = KT_A_INT, .i = 0 };
      _kette_graph_add_node (graph, "", "", "Mul", 18,
                             (KetteValue *[]){ graph->outputs[output], constant }, 2,
                             &product, 1, NULL, 0, error);
      _kette_graph_add_node (graph, "", "", "ReduceSum", 18, &product, 1, &terms[n], 1,
                             &keep, 1, error);
      n++;
    }
  if (n <= 1)
    return n ? terms[0] : NULL;
  KetteValue *sum = _kette_graph_add_value (graph, NULL, error);
  _kette_graph_add_node (graph, "", "", "Sum", 18, terms, n, &sum, 1, NULL, 0, error);
  return sum;
}

/* dE/dx of every f64 input that the operator differentiates; NULL where none is. */
static gboolean
analytic (const Case *c, KetteTensor **grads, GError **error)
{
  g_autoptr (KetteGraph) graph = opcheck_graph (c, c->in, 0, error);
  KetteValue *wrt[CASE_MOST], *values[CASE_MOST], *target;
  int places[CASE_MOST];
  size_t n = 0;

  if (!graph || !_kette_pass_check (graph, error))
    return FALSE;
  const kt_op *op = &graph->nodes[0]->def->op;
  for (int i = 0; i < c->n_in; i++)
    if (c->in[i] && c->in[i]->dtype == KT_F64
        && !(op->in[MIN (i, op->n_in - 1)].flags & KT_P_NO_GRADIENT))
      {
        char name[16];
        g_snprintf (name, sizeof name, "x%d", i);
        wrt[n]      = _kette_graph_find (graph, name);
        places[n++] = i;
      }
  target = add_energy (graph, c->out, c, error);
  if (!n || !target)
    return TRUE;
  if (!_kette_pass_check (graph, error) || !_kette_pass_infer (graph, error)
      || !_kette_pass_gradient (graph, target, NULL, wrt, n, values, error))
    return FALSE;
  graph->n_outputs = 0;
  for (size_t k = 0; k < n; k++)
    {
      /* an output of its own even where two gradients are one value */
      KetteValue *out = _kette_graph_add_value (graph, NULL, error);
      _kette_graph_add_node (graph, "", "", "Identity", 18, &values[k], 1, &out, 1, NULL,
                             0, error);
      _kette_graph_add_output (graph, out, error);
    }
  KetteTensor *out[CASE_MOST + 1] = { NULL };
  if (!opcheck_run (graph, c->in, c->n_in, FALSE, out, error))
    return FALSE;
  for (size_t k = 0; k < n; k++)
    grads[places[k]] = out[k];
  return TRUE;
}

static gboolean
check_element (const Case *c, KetteTensor **in, int i, size_t j, double a, double rms,
               GError **error)
{
  double *x       = &((double *) in[i]->data)[j];
  const double x0 = *x, h = 1e-5 * fmax (1, fabs (x0));
  double middle, right, left;

  if (!isfinite (x0))
    return TRUE;
  if (!energy (c, in, &middle, error))
    return FALSE;
  *x          = x0 + h;
  gboolean ok = energy (c, in, &right, error);
  *x          = x0 - h;
  ok          = ok && energy (c, in, &left, error);
  *x          = x0;
  if (!ok)
    return FALSE;
  const double n  = (right - left) / (2 * h);
  const double up = (right - middle) / h, down = (middle - left) / h;
  if (fabs (up - down) > 1e-2 * fmax (fabs (up), fabs (down)) && fabs (up - down) > 1e-3)
    return TRUE; /* a kink, or curvature beyond what differences resolve */
  const double noise = 1e-15 * fabs (middle) / h; /* of the differences themselves */
  if (fabs (a - n) <= 1e-6 * fmax (fmax (fabs (a), fabs (n)), rms) + 4 * noise + 1e-9)
    return TRUE;
  return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                      "input %d element %zu: gradient %.12g, differences give %.12g", i,
                      j, a, n);
}

GError *
gradcheck_case (const Case *c)
{
  GError *error                 = NULL;
  KetteTensor *grads[CASE_MOST] = { NULL };
  KetteTensor *in[CASE_MOST]    = { NULL };
  gboolean ok                   = analytic (c, grads, &error);

  for (int i = 0; i < c->n_in; i++)
    in[i] = c->in[i] ? _kette_tensor_copy (c->in[i], NULL) : NULL;
  for (int i = 0; ok && i < c->n_in; i++)
    {
      double square = 0;
      if (!grads[i])
        continue;
      for (size_t j = 0; j < grads[i]->count; j++)
        square += pow (_kette_tensor_get_double (grads[i], j), 2);
      const double rms = sqrt (square / (double) MAX (grads[i]->count, 1));
      for (size_t j = 0; ok && j < in[i]->count && j < 64; j++)
        ok = check_element (c, in, i, j, _kette_tensor_get_double (grads[i], j), rms,
                            &error);
    }
  for (int i = 0; i < CASE_MOST; i++)
    {
      kette_tensor_unref (grads[i]);
      kette_tensor_unref (in[i]);
    }
  return error;
}
