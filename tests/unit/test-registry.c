/* SPDX-License-Identifier: Apache-2.0
 * The registry: what it takes and refuses, what it finds, which kernel serves a node.
 */
#include "host.h"

/* Before anything is loaded, and where memory does not suffice for the beginning. */
static void
begin (void)
{
  host = _kette_host ();
  g_assert_null (_kette_registry_family ("", "Add"));
  g_assert_null (_kette_plugins_nth (0));
#if KETTE_FAULTS
  for (int n = 1; n < 3; n++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *text    = g_strdup_printf ("alloc:%d", n);

      _kette_faults_set (text, NULL);
      g_assert_false (kette_plugins_add_file ("/nowhere/a.so", FALSE, &error));
      _kette_faults_set (NULL, NULL);
      g_assert_error (error, KETTE_ERROR, KETTE_ERROR_MEMORY);
    }
  /* Memory ends while the plugins register: each is tried again when there is some. */
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) folders   = g_strsplit (g_getenv ("KETTE_PLUGIN_PATH"), ":", -1);
  g_autofree char *math    = g_build_filename (folders[0], "kette-math.so", NULL);

  _kette_faults_set ("alloc:100+", NULL);
  g_assert_null (kette_plugins_get (&error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_MEMORY);
  _kette_faults_set (NULL, NULL);
  g_assert_null (_kette_registry_op ("", "Sigmoid", 18));
  g_assert_true (kette_plugins_add_file (math, FALSE, NULL));
  g_assert_nonnull (_kette_registry_op ("", "Sigmoid", 18));
#endif
  g_assert_nonnull (kette_plugins_get (NULL));
  g_assert_nonnull (_kette_registry_op ("", "Where", 18));
}

static kt_status
nothing_either (const kt_host *h, kt_run *run, void *state)
{
  return nothing (h, run, state);
}

static void
test_versions (void)
{
  kt_op op = op_named ("test", "Host", 5);

  op.until = 7;
  g_assert_cmpint (add_as ("a", FALSE, &op, NULL), ==, KT_OK);
  op = op_named ("test", "Host", 1);
  g_assert_cmpint (add_as ("a", FALSE, &op, NULL), ==, KT_OK);
  op = op_named ("test", "Host", 9);
  g_assert_cmpint (add_as ("a", FALSE, &op, NULL), ==, KT_OK);
  g_assert_cmpint (_kette_registry_op ("test", "Host", 4)->op.since, ==, 1);
  g_assert_cmpint (_kette_registry_op ("test", "Host", 6)->op.since, ==, 5);
  g_assert_null (_kette_registry_op ("test", "Host", 8));
  g_assert_cmpint (_kette_registry_op ("test", "Host", 10)->op.since, ==, 9);
  g_assert_null (_kette_registry_op ("test", "Host", 0));
  g_assert_null (_kette_registry_op ("test", "None", 1));
  g_assert_cmpint (_kette_registry_newest ("test"), ==, 9);

  /* Once more from the same file: only when it is read again. */
  g_assert_cmpint (add_as ("a", TRUE, &op, NULL), ==, KT_OK);
  g_assert_cmpint (add_as ("a", FALSE, &op, NULL), ==, KT_E_INTERNAL);
  assert_failed (KT_E_INTERNAL, "registered already, by \"a\"");
  g_assert_cmpint (add_as ("b", TRUE, &op, NULL), ==, KT_E_INTERNAL);
  assert_failed (KT_E_INTERNAL, "test:Host-9");

  /* Of an older host's struct, what it has. */
  op.since       = 12;
  op.struct_size = offsetof (kt_op, infer);
  g_assert_cmpint (add_as ("a", FALSE, &op, NULL), ==, KT_OK);
  g_assert_null (_kette_registry_op ("test", "Host", 12)->op.infer);
}

static void
test_kernels (void)
{
  kt_kernel k = kernel_named ("test", "Host", "T=f32|f64");

  g_assert_cmpint (add_as ("a", FALSE, NULL, &k), ==, KT_OK);
  g_assert_cmpint (add_as ("a", TRUE, NULL, &k), ==, KT_OK);
  g_assert_cmpint (add_as ("a", FALSE, NULL, &k), ==, KT_E_INTERNAL);
  assert_failed (KT_E_INTERNAL, "has the priority of the one of \"a\"");
  g_assert_cmpint (add_as ("b", TRUE, NULL, &k), ==, KT_E_INTERNAL);
  assert_failed (KT_E_INTERNAL, "has the priority");
  k.run = nothing_either;
  g_assert_cmpint (add_as ("a", TRUE, NULL, &k), ==, KT_E_INTERNAL);
  assert_failed (KT_E_INTERNAL, "has the priority");
  k = kernel_named ("test", "Host", "T=i64");
  g_assert_cmpint (add_as ("a", FALSE, NULL, &k), ==, KT_OK);
  k.since = 5;
  g_assert_cmpint (add_as ("a", FALSE, NULL, &k), ==, KT_OK);
  k.device = "other";
  g_assert_cmpint (add_as ("a", FALSE, NULL, &k), ==, KT_OK);
  k.priority = 3;
  g_assert_cmpint (add_as ("a", FALSE, NULL, &k), ==, KT_OK);
  const KetteFamily *family = _kette_registry_family ("test", "Host");
  g_assert_cmpuint (family->n_kernels, ==, 5);
  g_assert_cmpint (family->kernels[0]->kernel.priority, ==, 3);

  /* A kernel alone makes no operator. */
  k = kernel_named ("test-kernels", "Alone", NULL);
  g_assert_cmpint (add_as ("a", FALSE, NULL, &k), ==, KT_OK);
  g_assert_cmpint (_kette_registry_newest ("test-kernels"), ==, 0);
  g_assert_null (_kette_registry_nearest ("test-kernels", "Alone"));
  g_assert_null (_kette_registry_op ("test-kernels", "Alone", 1));
}

static void
test_names (void)
{
  g_autofree char *longest = g_strnfill (600, 'n'), *longer = g_strnfill (65, 'n');
  kt_op op    = op_named ("test", longest, 1);
  kt_kernel k = kernel_named ("test", longest, NULL);

  g_assert_cmpint (add_as ("a", FALSE, &op, NULL), ==, KT_E_INTERNAL);
  assert_failed (KT_E_INTERNAL, "a name of 605 bytes is too long");
  g_assert_cmpint (add_as ("a", FALSE, NULL, &k), ==, KT_E_INTERNAL);
  assert_failed (KT_E_INTERNAL, "a name of 605 bytes is too long");
  g_assert_null (_kette_registry_family ("test", longest));
  op = op_named ("test", g_intern_string (longer), 1);
  g_assert_cmpint (add_as ("a", FALSE, &op, NULL), ==, KT_OK);
  g_assert_cmpstr (_kette_registry_nearest ("test", "Hots"), ==, NULL);
  g_assert_cmpstr (_kette_registry_nearest ("test", "Host"), ==, "Host");
  g_assert_cmpstr (_kette_registry_nearest ("test", "Hosst"), ==, "Host");
  g_assert_cmpstr (_kette_registry_nearest ("test", "Hos"), ==, "Host");
  g_assert_null (_kette_registry_nearest ("test", longer));
  g_assert_null (_kette_registry_nearest ("test", ""));
}

static void
test_register_memory (void)
{
#if KETTE_FAULTS
  const size_t before = _kette_registry_family ("test", "Host")->n_kernels;
  const kt_op op      = op_named ("test", "Scarce", 1);
  const kt_kernel k   = kernel_named ("test", "Scarcer", "T=i32");
  gboolean done       = FALSE;

  for (int both = 0; both < 2; both++, done = FALSE)
    for (int n = 1; !done; n++)
      {
        g_autofree char *text = g_strdup_printf ("alloc:%d", n);

        _kette_faults_set (text, NULL);
        const kt_status status = add_as ("a", FALSE, both ? NULL : &op, &k);
        done                   = _kette_faults_count (KETTE_FAULT_ALLOC) < (uint64_t) n;
        _kette_faults_set (NULL, NULL);
        g_assert_cmpint (status, ==, done ? KT_OK : KT_E_NOMEM);
        failure = (KetteFailure){ 0 };
        if (!done && !both)
          g_assert_null (_kette_registry_op ("test", "Scarce", 1));
        g_assert_cmpint (n, <, 20);
      }
  g_assert_nonnull (_kette_registry_op ("test", "Scarce", 1));
  g_assert_cmpuint (_kette_registry_family ("test", "Host")->n_kernels, ==, before);
#else
  g_test_skip ("needs -Dfaults=true");
#endif
}

/* -- types ---------------------------------------------------------------------------------- */

static void
test_takes (void)
{
  const kt_op op       = { .n_var = 2,
                           .var   = (const kt_param[]){
                                 { .name = "V", .type = "seq(f32)|map(i64,f32)|optional(f32)" },
                                 { .name = "W", .type = "*" } } };
  const kt_type f32    = { .kind = KT_TENSOR, .dtype = KT_F32 },
                odd    = { .kind = KT_TENSOR, .dtype = 99 },
                map    = { .kind = KT_MAP, .key = KT_I64, .elem = &f32 },
                no_key = { .kind = KT_MAP, .key = 99, .elem = &f32 },
                sparse = { .kind = KT_SPARSE, .elem = &f32 },
                maybe  = { .kind = KT_OPTIONAL, .elem = &f32 },
                list   = { .kind = KT_SEQUENCE, .elem = &f32 },
                bare   = { .kind = KT_SEQUENCE },
                odds   = { .kind = KT_SEQUENCE, .elem = &odd };
  kt_type deep[80];

  g_assert_true (_kette_op_takes (&op, "V", &list));
  g_assert_true (_kette_op_takes (&op, "V", &map));
  g_assert_true (_kette_op_takes (&op, "V", &maybe));
  g_assert_true (_kette_op_takes (&op, "seq(f32)", &list));
  g_assert_false (_kette_op_takes (&op, "f32", &list));
  g_assert_true (_kette_op_takes (&op, "W", &bare));
  g_assert_false (_kette_op_takes (&op, "V", &bare));
  g_assert_false (_kette_op_takes (&op, "V", &no_key));
  g_assert_false (_kette_op_takes (&op, "V", &sparse));
  g_assert_false (_kette_op_takes (&op, "V", &odds));
  /* Nested deeper than any table has a name for. */
  for (size_t n = 1; n < G_N_ELEMENTS (deep); n++)
    {
      deep[0] = f32;
      deep[n] = (kt_type){ .kind = KT_SEQUENCE, .elem = &deep[n - 1] };
      g_assert_cmpint (_kette_op_takes (&op, "V", &deep[n]), ==, n == 1);
    }
  g_assert_true (_kette_op_allows (&op, "W", KT_F16));
  g_assert_false (_kette_op_allows (&op, "W", 99));
  g_assert_true (_kette_op_allows (&op, "f16|f32", KT_F32));
  g_assert_false (_kette_op_allows (&op, "f16|f32", KT_F64));
}

static void
test_serves (void)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  KetteNode *node              = node_of (graph, "n", 2, TRUE);
  static const struct
  {
    const char *types, *device;
    int since, until;
    gboolean serves;
  } rows[] = {
    { NULL, "cpu", 1, 0, TRUE },          { "T=f64", "cpu", 1, 0, TRUE },
    { "T=f32|f64;", "cpu", 1, 0, TRUE },  { "U=i64;T=f64", "cpu", 1, 0, TRUE },
    { "T=f32", "cpu", 1, 0, FALSE },      { "junk", "cpu", 1, 0, FALSE },
    { "T=f64;junk", "cpu", 1, 0, FALSE }, { NULL, "other", 1, 0, FALSE },
    { NULL, "cpu", 6, 0, FALSE },         { NULL, "cpu", 1, 5, TRUE },
    { NULL, "cpu", 1, 4, FALSE },         { "T=", "cpu", 1, 0, FALSE },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      KetteKernel k = { .kernel = kernel_named ("test", "Host", rows[i].types) };

      k.kernel.since = rows[i].since;
      k.kernel.until = rows[i].until;
      g_test_message ("row %zu", i);
      g_assert_cmpint (_kette_kernel_serves (&k, node, rows[i].device), ==,
                       rows[i].serves);
    }
  /* An output of another type than the inputs; one that is not known. */
  KetteKernel k      = { .kernel = kernel_named ("test", "Host", "T=f64") };
  node->out[0]->type = (kt_type){ .kind = KT_TENSOR, .dtype = KT_F32 };
  g_assert_false (_kette_kernel_serves (&k, node, "cpu"));
  node->out[0]->type = (kt_type){ 0 };
  g_assert_true (_kette_kernel_serves (&k, node, "cpu"));
}

/* -- what is told ------------------------------------------------------------------------ */

static kt_status
no_body (const kt_host *h, kt_graph *g, void *user)
{
  (void) h;
  (void) g;
  (void) user;
  return KT_E_INTERNAL;
}

static void
test_explained (void)
{
  static const struct
  {
    const char *name;
    uint32_t flags;
    gboolean body;
    const char *gradient, *kernel;
  } rows[] = {
    { "test-told:Rough", KT_OP_NO_GRADIENT, FALSE, "not differentiable",
      "expanded before" },
    { "test-told:Flat", KT_OP_ZERO_GRADIENT, FALSE, "it stops here", "expanded before" },
    { "test-told:Made", 0, TRUE, "through its body", "replaced by its body" },
    { "test-told:Bare", 0, FALSE, "gradient  none", "expanded before" },
  };
  const kt_kernel alone   = kernel_named ("test-told", "Only", NULL);
  g_autofree char *absent = NULL, *text = NULL, *json = NULL;

  g_assert_cmpint (add_as ("told.so", FALSE, NULL, &alone), ==, KT_OK);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      kt_op op             = op_named ("test-told", strchr (rows[i].name, ':') + 1, 1);
      g_autofree char *one = NULL;

      op.flags = rows[i].flags;
      op.body  = rows[i].body ? no_body : NULL;
      g_assert_cmpint (add_as ("told.so", FALSE, &op, NULL), ==, KT_OK);
      one = kette_plugins_explain (NULL, rows[i].name);
      g_assert_nonnull (strstr (one, rows[i].gradient));
      g_assert_nonnull (strstr (one, rows[i].kernel));
      g_assert_nonnull (strstr (one, "y: T (any number)"));
    }
  /* A kernel without an operator is none. */
  absent = kette_plugins_explain (NULL, "test-told:Only");
  g_assert_nonnull (strstr (absent, "no plugin has the operator \"test-told:Only\""));
  text = kette_plugins_to_text (NULL);
  json = kette_plugins_to_json (NULL);
  g_assert_nonnull (strstr (text, "test-told:Made"));
  g_assert_nonnull (strstr (text, "(by body)"));
  g_assert_null (strstr (text, "test-told:Only"));
  g_assert_null (strstr (json, "\"Only\""));
}

/* -- resolving ---------------------------------------------------------------------------- */

static void
resolve_fails (const char *domain, const char *op, int32_t opset, const kt_attr *attrs,
               int32_t n_attrs, KetteErrorCode code, const char *text)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  g_autoptr (GError) error     = NULL;
  KetteValue *x = graph_input (graph, "x", KT_F64, 0, NULL), *y = NULL;
  KetteValue *both[] = { x, x };

  y = _kette_graph_add_value (graph, "y", NULL);
  g_assert_true (_kette_model_set_opset (graph->model, domain, opset, NULL));
  KetteNode *node = _kette_graph_add_node (graph, "n", domain, op, 0, both, 2, &y, 1,
                                           attrs, n_attrs, NULL);
  g_assert_nonnull (node);
  g_assert_false (_kette_node_resolve (node, &error));
  g_assert_error (error, KETTE_ERROR, (int) code);
  if (!strstr (error->message, text))
    g_error ("\"%s\" has not \"%s\"", error->message, text);
}

static void
test_resolved (void)
{
  const kt_attr seed = { .name = "seed", .kind = KT_A_INT, .i = 1 },
                odd = { .name = "seed", .kind = 99 }, twice[] = { seed, seed };

  resolve_fails ("test", "Host", 8, NULL, 0, KETTE_ERROR_UNSUPPORTED,
                 "no plugin has the form that \"Host\" has in opset 8");
  resolve_fails ("test", "Hosts", 8, NULL, 0, KETTE_ERROR_UNSUPPORTED, "did you mean");
  resolve_fails ("test-none", "Host", 1, NULL, 0, KETTE_ERROR_UNSUPPORTED,
                 "no plugin serves the domain");
  resolve_fails ("test", "Host", 5, twice, 2, KETTE_ERROR_ATTR, "stands twice");
  resolve_fails ("test", "Host", 5, &odd, 1, KETTE_ERROR_ATTR, "is unknown, must be INT");
  /* A file that was refused may be the one that is missed. */
  g_assert_false (kette_plugins_add_file ("/nowhere/b.so", FALSE, NULL));
  resolve_fails ("test", "Hosts", 8, NULL, 0, KETTE_ERROR_UNSUPPORTED,
                 "refused was /nowhere/b.so");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  begin ();
  g_test_add_func ("/registry/versions", test_versions);
  g_test_add_func ("/registry/kernels", test_kernels);
  g_test_add_func ("/registry/names", test_names);
  g_test_add_func ("/registry/memory", test_register_memory);
  g_test_add_func ("/registry/takes", test_takes);
  g_test_add_func ("/registry/serves", test_serves);
  g_test_add_func ("/registry/explained", test_explained);
  g_test_add_func ("/registry/resolved", test_resolved);
  return g_test_run ();
}
