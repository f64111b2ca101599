/* SPDX-License-Identifier: Apache-2.0
 * The harness of operator tests: reads cases (case.h) and checks of each
 *
 *   values     inferred and real type and shape, elements within tolerance
 *   symbolic   shape inference with open dims and open ranks agrees with the real shapes
 *   inference  so does all else that may be known of the inputs (infercheck.c)
 *   constants  the same result when inputs are constants (folding, shape inputs)
 *   float32    a case in f64 again in f32
 *   body       the same result from the operator's body, where it has one
 *   threads    the same bits with 1 and with 3 threads
 *   gradient   central differences in f64, wherever the descriptor has a gradient
 *
 * opcheck FILE.txt... ; prints TAP. On the device that KETTE_TEST_DEVICE names, with
 * the rules of KETTE_TEST_PLACE between blanks.
 */
#include "opcheck.h"
#include "base/compare.h"
#include "base/pool.h"
#include "case.h"
#include "exec/session-private.h"
#include "gradcheck.h"
#include "infercheck.h"
#include "pass/pass.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static int n_tests, n_failed;

static void
report (const char *file, const Case *c, const char *what, GError *error)
{
  const gboolean ok = error == NULL;

  n_failed += !ok;
  printf ("%s %d - %s:%d %s %s\n", ok ? "ok" : "not ok", ++n_tests, file, c->line, c->op,
          what);
  if (error)
    {
      printf ("# %s\n", error->message);
      g_error_free (error);
    }
}

/* T in float32 where it is float64; a reference to T otherwise. */
static KetteTensor *
narrowed (KetteTensor *t)
{
  if (!t || t->dtype != KT_F64)
    return t ? kette_tensor_ref (t) : NULL;
  KetteTensor *f = kette_tensor_new (KT_F32, t->dims, (guint) t->rank, NULL);
  for (size_t i = 0; i < t->count; i++)
    _kette_tensor_set_double (f, i, _kette_tensor_get_double (t, i));
  return f;
}

KetteGraph *
opcheck_graph (const Case *c, KetteTensor *const *in, OpcheckMode mode, GError **error)
{
  KetteModel *model             = _kette_model_new ("case", error);
  KetteGraph *graph             = _kette_graph_new (model, "case", error);
  const int32_t newest          = _kette_registry_newest (c->domain);
  const int32_t opset           = c->opset ? c->opset : newest;
  KetteValue *inputs[CASE_MOST] = { NULL }, *outputs[CASE_MOST] = { NULL };
  kt_attr attrs[CASE_MOST];

  _kette_model_set_opset (model, c->domain, opset, error);
  if (*c->domain)
    _kette_model_set_opset (model, "", _kette_registry_newest (""), error);
  _kette_model_unref (model);
  memcpy (attrs, c->attrs, sizeof attrs);
  const KetteOp *def = _kette_registry_op (c->domain, c->op, opset);
  for (int i = 0; i < c->n_attrs && def; i++)
    for (int k = 0; k < def->op.n_attr; k++)
      if (strcmp (def->op.attr[k].name, attrs[i].name) == 0 && attrs[i].kind == KT_A_INT
          && strcmp (def->op.attr[k].type, "FLOAT") == 0)
        { /* "alpha=1" */
          attrs[i].kind = KT_A_FLOAT;
          attrs[i].f    = (double) attrs[i].i;
        }
  for (int i = 0; i < c->n_in; i++)
    {
      char name[16];
      if (!in[i])
        continue;
      g_snprintf (name, sizeof name, "x%d", i);
      const KetteDtype *row = _kette_dtype (in[i]->dtype);
      if ((mode & OPCHECK_CONSTANT)
          || ((mode & OPCHECK_CONSTANT_INTS) && row->is_integer))
        inputs[i] = _kette_graph_add_constant (graph, name, in[i], error);
      else
        {
          inputs[i] = _kette_graph_add_value (graph, name, error);
          _kette_value_set_tensor_type (inputs[i], in[i]->dtype, in[i]->dims, in[i]->rank,
                                        error);
          _kette_graph_add_input (graph, inputs[i], error);
        }
    }
  for (int i = 0; i < MAX (c->n_out, 1); i++)
    if (c->n_out == 0 || c->out[i])
      {
        char name[16];
        g_snprintf (name, sizeof name, "y%d", i);
        outputs[i] = _kette_graph_add_value (graph, name, error);
      }
  KetteNode *node
      = _kette_graph_add_node (graph, "n", c->domain, c->op, opset, inputs, c->n_in,
                               outputs, MAX (c->n_out, 1), attrs, c->n_attrs, error);
  for (int i = 0; node && i < MAX (c->n_out, 1); i++)
    if (outputs[i])
      _kette_graph_add_output (graph, outputs[i], error);
  if (node)
    return graph;
  kette_graph_unref (graph);
  return NULL;
}

gboolean
opcheck_run (KetteGraph *graph, KetteTensor *const *in, int n_in, gboolean no_native,
             KetteTensor **out, GError **error)
{
  const char *words                 = g_getenv ("KETTE_TEST_PLACE");
  g_auto (GStrv) place              = words ? g_strsplit (words, " ", -1) : NULL;
  const KetteSessionOptions options = { .struct_size = sizeof options,
                                        .no_native   = no_native,
                                        .seed        = 7,
                                        .place       = (const char *const *) place,
                                        .device      = g_getenv ("KETTE_TEST_DEVICE") };
  g_autoptr (KetteSession) session  = _kette_session_new_full (graph, &options, error);
  KetteTensor *fed[CASE_MOST];
  int n = 0;

  for (int i = 0; i < n_in; i++)
    {
      char name[16];
      g_snprintf (name, sizeof name, "x%d", i);
      const KetteValue *value = _kette_graph_find (graph, name);
      if (in[i] && value && !value->data)
        fed[n++] = in[i];
    }
  return session && kette_session_run (session, fed, out, NULL, error);
}

/* Elements against the case's: f64 nearly exact, f32 as its 24 bits allow. */
static gboolean
compare (const Case *c, KetteTensor *const *expected, KetteTensor **actual,
         GError **error)
{
  int k = 0;

  for (int i = 0; i < c->n_out; i++)
    {
      KetteTensor *e = expected[i];
      double largest = 0, rtol = 1e-10;
      if (!e)
        continue;
      KetteTensor *a = actual[k++];
      for (size_t j = 0; j < e->count && e->dtype != KT_STRING; j++)
        {
          const double v = fabs (_kette_tensor_get_double (e, j));
          largest        = isfinite (v) && v > largest ? v : largest;
        }
      if (e->dtype == KT_F32)
        rtol = 2e-6;
      else if (e->dtype == KT_F16)
        rtol = 1e-3;
      else if (e->dtype == KT_BF16)
        rtol = 8e-3;
      if (c->any[i])
        { /* any elements: type and shape are compared with themselves' elements */
          if (a->dtype != e->dtype || a->rank != e->rank
              || (a->rank
                  && memcmp (a->dims, e->dims, (size_t) a->rank * sizeof *a->dims)))
            return kette_tensor_compare (a, e, 0, 0, NULL, error);
          continue;
        }
      if (!kette_tensor_compare (
              a, e, rtol, _kette_dtype (e->dtype)->is_float ? rtol * largest + 1e-300 : 0,
              NULL, error))
        {
          g_prefix_error (error, "output %d: ", i);
          return FALSE;
        }
    }
  return TRUE;
}

static void
free_outputs (KetteTensor **out, int n)
{
  for (int i = 0; i < n; i++)
    g_clear_pointer (&out[i], kette_tensor_unref);
}

static GError *
check_run (const Case *c, KetteTensor *const *in, KetteTensor *const *expected,
           OpcheckMode mode, gboolean no_native, GBytes **bits)
{
  GError *error                   = NULL;
  KetteTensor *out[CASE_MOST + 1] = { NULL };
  g_autoptr (KetteGraph) graph    = opcheck_graph (c, in, mode, &error);

  if (graph && opcheck_run (graph, in, c->n_in, no_native, out, &error))
    {
      compare (c, expected, out, &error);
      if (bits && out[0] && out[0]->dtype != KT_STRING)
        *bits = g_bytes_new (out[0]->data, out[0]->bytes);
    }
  else
    memset (out, 0, sizeof out);
  free_outputs (out, CASE_MOST);
  return error;
}

/* Infers with dims (or ranks) of the inputs open; what is inferred must fit the real shapes. */
static GError *
check_symbolic (const Case *c, gboolean open_ranks)
{
  GError *error                = NULL;
  g_autoptr (KetteGraph) graph = opcheck_graph (c, c->in, 0, &error);
  int64_t open[KETTE_MAX_RANK];

  for (int d = 0; d < KETTE_MAX_RANK; d++)
    open[d] = KT_DIM (0);
  for (size_t i = 0; graph && i < graph->n_inputs; i++)
    {
      KetteValue *v = graph->inputs[i];
      _kette_value_set_tensor_type (v, v->type.dtype, open,
                                    open_ranks ? -1 : v->type.ndim, &error);
    }
  if (!graph || !_kette_pass_check (graph, &error)
      || !_kette_pass_canonical (graph, &error) || !_kette_pass_infer (graph, &error))
    return error;
  for (size_t i = 0, k = 0; i < (size_t) c->n_out; i++)
    {
      if (!c->out[i])
        continue;
      const kt_type *type = &graph->outputs[k++]->type;
      if (type->kind == 0)
        continue;
      gboolean fits = type->dtype == c->out[i]->dtype
                      && (type->ndim < 0 || type->ndim == c->out[i]->rank);
      for (int d = 0; fits && d < type->ndim; d++)
        fits = KT_IS_DIM (type->dims[d]) || type->dims[d] == c->out[i]->dims[d];
      if (!fits)
        {
          char text[256];
          _kette_fail (&error, KETTE_ERROR_SHAPE, NULL, "output %zu is inferred as %s", i,
                       _kette_type_text (text, sizeof text, type, NULL));
          return error;
        }
    }
  return NULL;
}

static void
check_error (const char *file, const Case *c)
{
  KetteTensor *out[CASE_MOST + 1] = { NULL };
  GError *error                   = NULL;
  g_autoptr (KetteGraph) graph    = opcheck_graph (c, c->in, 0, &error);
  GError *wrong                   = NULL;

  if (graph && opcheck_run (graph, c->in, c->n_in, FALSE, out, &error))
    {
      free_outputs (out, CASE_MOST);
      _kette_fail (&wrong, KETTE_ERROR_INTERNAL, NULL, "no error was raised");
    }
  else if (strcmp (_kette_error_code_name ((KetteErrorCode) error->code), c->error_code)
               != 0
           || !strstr (error->message, c->error_text))
    _kette_fail (&wrong, KETTE_ERROR_INTERNAL, NULL, "the error is: %s", error->message);
  g_clear_error (&error);
  report (file, c, "error", wrong);
}

static gboolean
has_f64 (const Case *c)
{
  for (int i = 0; i < c->n_in; i++)
    if (c->in[i] && c->in[i]->dtype == KT_F64)
      return TRUE;
  return FALSE;
}

static void
check_narrow (const char *file, const Case *c)
{
  KetteTensor *in[CASE_MOST], *out[CASE_MOST];

  for (int i = 0; i < CASE_MOST; i++)
    {
      in[i]  = narrowed (c->in[i]);
      out[i] = narrowed (c->out[i]);
    }
  report (file, c, "float32", check_run (c, in, out, 0, FALSE, NULL));
  for (int i = 0; i < CASE_MOST; i++)
    {
      kette_tensor_unref (in[i]);
      kette_tensor_unref (out[i]);
    }
}

static void
check_case (const char *file, const Case *c)
{
  GBytes *bits[2] = { NULL, NULL };

  if (c->error_code)
    {
      check_error (file, c);
      report (file, c, "inference", infercheck_less (c));
      report (file, c, "inference refused", infercheck_refusal (c));
      return;
    }
  _kette_pool_set_threads (1);
  GError *error       = check_run (c, c->in, c->out, 0, FALSE, &bits[0]);
  const gboolean runs = error == NULL;
  report (file, c, "values", error);
  if (!runs)
    return;

  _kette_pool_set_threads (3);
  error = check_run (c, c->in, c->out, 0, FALSE, &bits[1]);
  if (!error && bits[0] && !g_bytes_equal (bits[0], bits[1]))
    _kette_fail (&error, KETTE_ERROR_VALUE, NULL,
                 "other bits with 3 threads than with 1");
  report (file, c, "threads", error);
  g_clear_pointer (&bits[0], g_bytes_unref);
  g_clear_pointer (&bits[1], g_bytes_unref);

  const KetteOp *def = _kette_registry_op (
      c->domain, c->op, c->opset ? c->opset : _kette_registry_newest (c->domain));
  report (file, c, "symbolic", check_symbolic (c, FALSE));
  error = check_symbolic (c, TRUE);
  if (g_error_matches (error, KETTE_ERROR, KETTE_ERROR_UNSUPPORTED))
    g_clear_error (&error); /* old forms that need a rank may say so */
  report (file, c, "open ranks", error);
  report (file, c, "inference", infercheck_less (c));
  report (file, c, "inference refused", infercheck_refusal (c));
  report (file, c, "constants",
          check_run (c, c->in, c->out, OPCHECK_CONSTANT, FALSE, NULL));
  report (file, c, "constant integers",
          check_run (c, c->in, c->out, OPCHECK_CONSTANT_INTS, FALSE, NULL));
  if (has_f64 (c) && !c->f64_only)
    check_narrow (file, c);
  if (def && def->op.body)
    {
      error = check_run (c, c->in, c->out, 0, TRUE, NULL);
      if (g_error_matches (error, KETTE_ERROR, KETTE_ERROR_UNSUPPORTED))
        { /* it needs to know what shapes and the like hold */
          g_clear_error (&error);
          error = check_run (c, c->in, c->out, OPCHECK_CONSTANT, TRUE, NULL);
        }
      report (file, c, "body", error);
    }
  if (def && def->op.gradient && has_f64 (c) && !c->nograd)
    report (file, c, "gradient", gradcheck_case (c));
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  if (!kette_plugins_get (&error))
    {
      printf ("Bail out! %s\n", error->message);
      return 1;
    }
  for (int i = 1; i < argc; i++)
    {
      g_autofree char *text       = NULL;
      g_autofree char *base       = g_path_get_basename (argv[i]);
      g_autofree char *fault      = NULL;
      g_autoptr (GPtrArray) cases = g_file_get_contents (argv[i], &text, NULL, NULL)
                                        ? case_parse (text, &fault)
                                        : NULL;
      if (!cases || cases->len == 0)
        {
          printf ("not ok %d - %s: %s\n", ++n_tests, base, fault ? fault : "no cases");
          n_failed++;
          continue;
        }
      for (guint k = 0; k < cases->len; k++)
        check_case (base, g_ptr_array_index (cases, k));
    }
  printf ("1..%d\n", n_tests);
  return n_failed != 0;
}
