/* SPDX-License-Identifier: Apache-2.0
 *
 * elementwise.c: maps, zips and folds (Sum, Max of several inputs) on the GPU: a row of the
 * tables in map.cu and zip.cu, found by the formula's word, with the node's attributes.
 */
#include "kernels.h"

#define FLOATS "T=f32|f64|f16|bf16"
#define NUMBERS "T=f32|f64|f16|bf16|i8|i16|i32|i64|u8|u16|u32|u64"
#define SIGNED "T=f32|f64|f16|bf16|i8|i16|i32|i64"

/* What a kernel's user points to. */
typedef struct
{
  const char *name, *word, *last; /* last: a map of a fold's result, p[0] = inputs */
  const char *attrs[4];
  kt_fault_text fault;
} Formula;

typedef struct
{
  const Formula *formula;
  kt_formula_launch *launch;
  kt_map_params p;
} MapState;

typedef struct
{
  const Formula *formula;
  kt_formula_launch *launch, *last;
  kt_zip_params p;
  kt_map_params q;
  int32_t n;         /* inputs */
  kt_paths *further; /* of a fold: the output and input i, from the third on */
} ZipState;

kt_status
kt_paths_plan (const kt_host *host, const void *ctx, int32_t n, kt_paths *p)
{
  kt_course in[3] = { 0 };
  kt_spread s     = { .in = in };

  KT_TRY (kt_spread_plan (host, ctx, n, &s));
  if (s.ndim > KT_GPU_RANK)
    return KT_GPU_LEAVE (ctx, "more dims than kernels on the GPU serve");
  p->n     = n;
  p->ndim  = s.ndim;
  p->inner = s.inner;
  p->count = s.count;
  memcpy (p->dims, s.dims, sizeof p->dims);
  for (int32_t i = 0; i < n; i++)
    {
      p->in[i].step = in[i].step;
      for (int32_t d = 0; d < s.ndim; d++)
        p->in[i].stride[d] = in[i].size ? in[i].stride[d] / in[i].size : 0;
    }
  return KT_OK;
}

static void
read_attrs (const kt_host *host, const void *ctx, const Formula *f, double p[4])
{
  for (int32_t i = 0; i < 4; i++)
    p[i] = f->attrs[i] ? kt_attr_float (host, ctx, f->attrs[i], 0) : 0;
}

/* The launcher in ROWS for elements of type DTYPE; NULL: the formula has none. */
static kt_formula_launch *
launch_for (const kt_formula_row *row, const char *word, int32_t dtype)
{
  while (row->word && strcmp (row->word, word) != 0)
    row++;
  if (!row->word || !kt_gpu_computes (dtype))
    return NULL;
  switch (dtype)
    {
    case KT_F32:
    case KT_F16:
    case KT_BF16:
      return row->f32;
    case KT_F64:
      return row->f64;
    case KT_I8:
    case KT_I16:
    case KT_I32:
    case KT_I64:
      return row->i64;
    case KT_BOOL:
      return row->boolean;
    default:
      return row->u64;
    }
}

/* Maps ------------------------------------------------------------------------------------ */

static kt_status
map_plan (const kt_host *host, const void *ctx, void *user, MapState *s)
{
  const kt_type x = kt_in_type (host, ctx, 0);

  s->formula = user;
  s->launch  = launch_for (kt_map_table, s->formula->word, x.dtype);
  s->p.n     = kt_count (x.dims, x.ndim);
  s->p.dtype = x.dtype;
  read_attrs (host, ctx, s->formula, s->p.p);
  return s->launch ? KT_OK : KT_GPU_LEAVE (ctx, "no code for this element type");
}

KT_GPU_PLANNED (map, MapState)

static kt_status
map_run (const kt_host *host, kt_run *run, void *state)
{
  const MapState *const s = state;
  kt_map_params p         = s->p;

  if (p.n == 0)
    return KT_OK;
  p.x = run->in[0].data;
  p.y = run->out[0].data;
  s->launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, s->formula->name);
}

/* Zips ------------------------------------------------------------------------------------ */

static kt_status
zip_plan_as (const kt_host *host, const void *ctx, const Formula *f, const char *word,
             ZipState *s)
{
  const kt_type a = kt_in_type (host, ctx, 0);

  s->formula     = f;
  s->launch      = launch_for (kt_zip_table, word, a.dtype);
  s->p.dtype     = a.dtype;
  s->p.out_dtype = kt_out_type (host, ctx, 0).dtype;
  read_attrs (host, ctx, f, s->p.p);
  return s->launch ? kt_paths_plan (host, ctx, 2, &s->p.at)
                   : KT_GPU_LEAVE (ctx, "no code for this element type");
}

static kt_status
zip_plan (const kt_host *host, const void *ctx, void *user, ZipState *s)
{
  const Formula *const f = user;

  return zip_plan_as (host, ctx, f, f->word, s);
}

/* p[0] tells the check that the least number by -1 leaves 0. */
static kt_status
mod_plan (const kt_host *host, const void *ctx, void *user, ZipState *s)
{
  KT_TRY (zip_plan_as (host, ctx, user,
                       kt_attr_int (host, ctx, "fmod", 0) ? "mod_left" : "mod_floored",
                       s));
  s->p.p[0] = 1;
  return KT_OK;
}

/* Where to tell of a divisor. */
static kt_status
want_fault (const kt_host *host, kt_prep *prep, ZipState *s)
{
  return s->formula->fault.which[0] && !kt_is_float (s->p.dtype)
             ? kt_gpu_fault_new (host, prep, &s->formula->fault, &s->p.fault)
             : KT_OK;
}

KT_GPU_SUITS (zip, ZipState)
KT_GPU_KEEP (zip, ZipState)
KT_GPU_SUITS (mod, ZipState)
KT_GPU_KEEP (mod, ZipState)

static kt_status
zip_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  ZipState *s;

  KT_TRY (zip_keep (host, prep, user, &s, state));
  return want_fault (host, prep, s);
}

static kt_status
mod_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  ZipState *s;

  KT_TRY (mod_keep (host, prep, user, &s, state));
  return want_fault (host, prep, s);
}

static void
zip_destroy (void *state)
{
  const ZipState *const s = state;

  kt_gpu_fault_free (s->p.fault);
}

static kt_status
zip_run (const kt_host *host, kt_run *run, void *state)
{
  const ZipState *const s = state;
  kt_zip_params p         = s->p;

  if (p.at.count == 0)
    return KT_OK;
  p.a = run->in[0].data;
  p.b = run->in[1].data;
  p.y = run->out[0].data;
  s->launch (&p, kt_gpu_stream (host, run));
  KT_TRY (kt_gpu_launched (host, run, s->formula->name));
  return p.fault ? kt_gpu_fault_check (host, run, p.fault, &run->out[0]) : KT_OK;
}

/* Folds ----------------------------------------------------------------------------------- */

/* The path of input I, next to the output's, which is read at its own elements. */
static void
fold_paths (const kt_spread *spread, const kt_paths *all, int32_t i, kt_paths *p)
{
  int64_t stride = all->inner;

  *p            = *all;
  p->in[0].step = 1;
  for (int32_t d = all->ndim - 1; d >= 0; d--)
    {
      p->in[0].stride[d] = stride;
      stride *= all->dims[d];
    }
  p->in[1].step = spread->in[i].step;
  for (int32_t d = 0; d < all->ndim; d++)
    p->in[1].stride[d] = spread->in[i].stride[d] / spread->in[i].size;
}

static kt_status
fold_plan (const kt_host *host, const void *ctx, void *user, ZipState *s)
{
  const int32_t dtype = kt_in_type (host, ctx, 0).dtype;
  const bool is_half  = dtype == KT_F16 || dtype == KT_BF16;
  const Formula *f    = user;
  int32_t n_out;

  KT_TRY (host->arity (ctx, &s->n, &n_out, NULL));
  if (s->n == 1)
    {
      const kt_type x = kt_in_type (host, ctx, 0);
      s->formula      = f;
      s->p.dtype      = dtype;
      s->p.at.count   = kt_count (x.dims, x.ndim);
      return KT_OK;
    }
  if (is_half && (s->n > 2 || f->last))
    return KT_GPU_LEAVE (ctx, "a sum of 16 bits would round in between");
  KT_TRY (zip_plan (host, ctx, user, s));
  if (f->last)
    {
      s->last    = launch_for (kt_map_table, f->last, dtype);
      s->q.n     = s->p.at.count;
      s->q.dtype = dtype;
      s->q.p[0]  = s->n;
    }
  return KT_OK;
}

KT_GPU_SUITS (fold, ZipState)
KT_GPU_KEEP (fold, ZipState)

static kt_status
fold_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  kt_spread spread = { 0 };
  ZipState *s;
  void *memory;

  KT_TRY (fold_keep (host, prep, user, &s, state));
  if (s->n <= 2)
    return KT_OK;
  KT_TRY (kt_spread_prepare (host, prep, &spread));
  KT_TRY (host->keep (prep, (size_t) s->n * sizeof *s->further, &memory));
  s->further = memory;
  for (int32_t i = 2; i < s->n; i++)
    fold_paths (&spread, &s->p.at, i, &s->further[i]);
  return KT_OK;
}

static kt_status
fold_run (const kt_host *host, kt_run *run, void *state)
{
  const ZipState *const s = state;
  void *const stream      = kt_gpu_stream (host, run);
  kt_zip_params p         = s->p;

  if (p.at.count == 0)
    return KT_OK;
  p.y = run->out[0].data;
  if (s->n == 1)
    return kt_gpu_copy (host, run, p.y, run->in[0].data,
                        (size_t) p.at.count * kt_size_of (p.dtype));
  for (int32_t i = 1; i < s->n; i++)
    {
      p.a = i == 1 ? run->in[0].data : run->out[0].data;
      p.b = run->in[i].data;
      if (i > 1)
        p.at = s->further[i];
      s->launch (&p, stream);
    }
  if (s->last)
    {
      kt_map_params q = s->q;
      q.x = q.y = run->out[0].data;
      s->last (&q, stream);
    }
  return kt_gpu_launched (host, run, s->formula->name);
}

/* The table ------------------------------------------------------------------------------- */

#define FORMULA(...)                                                                     \
  (void *) &(const Formula) { __VA_ARGS__ }
#define MAP(NAME, SINCE, TYPES, ...)                                                     \
  {                                                                                      \
    KT_GPU ("", NAME, SINCE), .types = TYPES, .user = FORMULA (NAME, __VA_ARGS__),       \
                              .n_alias = 1, .alias = &(const kt_alias){ 0, 0, 0, 0 },    \
                              .suits = map_suits, .prepare = map_prepare, .run = map_run \
  }
/* A product in front may take them over (../product.c does so with an Add). */
#define ZIP_AS(DOMAIN, NAME, SINCE, TYPES, PLAN, ...)                                    \
  {                                                                                      \
    KT_GPU_AS (DOMAIN, NAME, SINCE, KT_GPU_FLAGS | KT_K_TILEABLE),                       \
        .types = TYPES, .user = FORMULA (NAME, __VA_ARGS__), .n_alias = 2,               \
        .alias = (const kt_alias[]){ { 0, 0, 0, 0 }, { 1, 0, 0, 0 } },                   \
        .suits = PLAN##_suits, .prepare = PLAN##_prepare, .run = zip_run,                \
        .destroy = zip_destroy                                                           \
  }
#define ZIP(NAME, SINCE, TYPES, ...) ZIP_AS ("", NAME, SINCE, TYPES, zip, __VA_ARGS__)
#define SLOPE(NAME, ...) ZIP_AS ("kette", NAME, 1, FLOATS, zip, __VA_ARGS__)
#define COMPARE(NAME, SINCE, TYPES, WORD)                                                \
  {                                                                                      \
    KT_GPU ("", NAME, SINCE), .types = TYPES, .user = FORMULA (NAME, WORD),              \
                              .suits = zip_suits, .prepare = zip_prepare,                \
                              .run = zip_run, .destroy = zip_destroy                     \
  }
/* In place only over input 0: later ones are read when the output is partly made. */
#define FOLD(NAME, SINCE, TYPES, ...)                                                    \
  {                                                                                      \
    KT_GPU ("", NAME, SINCE), .types = TYPES, .user = FORMULA (NAME, __VA_ARGS__),       \
                              .n_alias = 1, .alias = &(const kt_alias){ 0, 0, 0, 0 },    \
                              .suits = fold_suits, .prepare = fold_prepare,              \
                              .run = fold_run, .destroy = zip_destroy                    \
  }

const kt_kernel cu_elementwise_kernels[] = {
  MAP ("Abs", 1, NUMBERS, "abs"),
  MAP ("Ceil", 1, FLOATS, "ceil"),
  MAP ("Celu", 12, FLOATS, "celu", .attrs = { "alpha" }),
  MAP ("Elu", 1, FLOATS, "elu", .attrs = { "alpha" }),
  MAP ("Erf", 1, FLOATS, "erf"),
  MAP ("Exp", 1, FLOATS, "exp"),
  MAP ("Floor", 1, FLOATS, "floor"),
  MAP ("HardSigmoid", 1, FLOATS, "hard_sigmoid", .attrs = { "alpha", "beta" }),
  MAP ("HardSwish", 14, FLOATS, "hard_swish"),
  MAP ("LeakyRelu", 1, FLOATS, "leaky_relu", .attrs = { "alpha" }),
  MAP ("Log", 1, FLOATS, "log"),
  MAP ("Neg", 1, SIGNED, "neg"),
  MAP ("Not", 1, NULL, "not"),
  MAP ("Reciprocal", 1, FLOATS, "reciprocal"),
  MAP ("Relu", 1, SIGNED, "relu"),
  MAP ("Selu", 1, FLOATS, "selu", .attrs = { "alpha", "gamma" }),
  MAP ("Sigmoid", 1, FLOATS, "sigmoid"),
  MAP ("Sign", 9, NUMBERS, "sign"),
  MAP ("Softplus", 1, FLOATS, "softplus"),
  MAP ("Softsign", 1, FLOATS, "softsign"),
  MAP ("Sqrt", 1, FLOATS, "sqrt"),
  MAP ("Tanh", 1, FLOATS, "tanh"),
  MAP ("ThresholdedRelu", 10, FLOATS, "thresholded_relu", .attrs = { "alpha" }),

  ZIP ("Add", 7, NUMBERS, "add"),
  ZIP ("Sub", 7, NUMBERS, "sub"),
  ZIP ("Mul", 7, NUMBERS, "mul"),
  ZIP ("Div", 7, NUMBERS, "div",
       .fault = { { "division by 0 at position @",
                    "division of the least number by -1 at position @" } }),
  ZIP_AS ("", "Mod", 10, NUMBERS, mod, "mod_left",
          .fault = { { "division by 0 at position @" } }),
  ZIP ("PRelu", 7, "T=f32|f64|f16|bf16|i32|i64|u32|u64", "prelu"),
  ZIP ("And", 7, NULL, "and"),
  ZIP ("Or", 7, NULL, "or"),
  COMPARE ("Greater", 7, NUMBERS, "greater"),
  COMPARE ("Less", 7, NUMBERS, "less"),
  COMPARE ("Equal", 7, "T=f32|f64|f16|bf16|i8|i16|i32|i64|u8|u16|u32|u64|bool", "equal"),

  FOLD ("Max", 1, NUMBERS, "max"),
  FOLD ("Min", 1, NUMBERS, "min"),
  FOLD ("Sum", 1, FLOATS, "sum"),
  FOLD ("Mean", 1, FLOATS, "mean", "mean_last"),

  SLOPE ("EluGrad", "elu_grad", .attrs = { "alpha", "gamma", "beta" }),
  SLOPE ("ErfGrad", "erf_grad"),
  SLOPE ("HardSigmoidGrad", "hard_sigmoid_grad", .attrs = { "alpha" }),
  SLOPE ("HardSwishGrad", "hard_swish_grad"),
  SLOPE ("LeakyReluGrad", "leaky_relu_grad", .attrs = { "alpha" }),
  SLOPE ("ReluGrad", "relu_grad"),
  SLOPE ("SigmoidGrad", "sigmoid_grad"),
  SLOPE ("TanhGrad", "tanh_grad"),
  { 0 },
};
