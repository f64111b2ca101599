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
  kt_map_launch *launch;
  kt_map_params p;
} MapState;

typedef struct
{
  const Formula *formula;
  kt_zip_launch *launch;
  kt_map_launch *last;
  kt_zip_params p;
  kt_map_params q;
  int32_t n;         /* inputs */
  kt_paths *further; /* of a fold: the output and input i, from the third on */
} ZipState;

kt_status
kt_paths_prepare (const kt_host *host, kt_prep *prep, int32_t n, kt_paths *p)
{
  kt_spread s = { 0 };

  KT_TRY (kt_spread_prepare (host, prep, &s));
  if (s.ndim > KT_GPU_RANK)
    return KT_GPU_LEAVE ("more dims than kernels on the GPU serve");
  p->n     = n;
  p->ndim  = s.ndim;
  p->inner = s.inner;
  p->count = s.count;
  memcpy (p->dims, s.dims, sizeof p->dims);
  for (int32_t i = 0; i < n; i++)
    {
      p->in[i].step = s.in[i].step;
      for (int32_t d = 0; d < s.ndim; d++)
        p->in[i].stride[d] = s.in[i].size ? s.in[i].stride[d] / s.in[i].size : 0;
    }
  return KT_OK;
}

static void
read_attrs (const kt_host *host, const void *ctx, const Formula *f, double p[4])
{
  for (int32_t i = 0; i < 4; i++)
    p[i] = f->attrs[i] ? kt_attr_float (host, ctx, f->attrs[i], 0) : 0;
}

/* The launcher for elements of type DTYPE; NULL: the formula has none. */
static kt_map_launch *
map_for (const char *word, int32_t dtype)
{
  const kt_map_row *row = kt_map_table;

  while (row->word && strcmp (row->word, word) != 0)
    row++;
  if (!row->word)
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
      return dtype == KT_U8 || dtype == KT_U16 || dtype == KT_U32 || dtype == KT_U64
                 ? row->u64
                 : NULL;
    }
}

static kt_zip_launch *
zip_for (const char *word, int32_t dtype)
{
  const kt_zip_row *row = kt_zip_table;

  while (row->word && strcmp (row->word, word) != 0)
    row++;
  if (!row->word)
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
      return dtype == KT_U8 || dtype == KT_U16 || dtype == KT_U32 || dtype == KT_U64
                 ? row->u64
                 : NULL;
    }
}

/* Maps ------------------------------------------------------------------------------------ */

static kt_status
map_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0);

  KT_TRY (host->keep (prep, sizeof (MapState), state));

  MapState *const s = *state;
  s->formula        = user;
  s->launch         = map_for (s->formula->word, x.dtype);
  s->p.n            = kt_count (x.dims, x.ndim);
  s->p.dtype        = x.dtype;
  read_attrs (host, prep, s->formula, s->p.p);
  return s->launch ? KT_OK : KT_GPU_LEAVE ("no code for this element type");
}

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
zip_prepare_as (const kt_host *host, kt_prep *prep, const Formula *f, const char *word,
                void **state)
{
  const kt_type a = kt_in_type (host, prep, 0);

  KT_TRY (host->keep (prep, sizeof (ZipState), state));

  ZipState *const s = *state;
  s->formula        = f;
  s->launch         = zip_for (word, a.dtype);
  s->p.dtype        = a.dtype;
  s->p.out_dtype    = kt_out_type (host, prep, 0).dtype;
  read_attrs (host, prep, f, s->p.p);
  if (!s->launch)
    return KT_GPU_LEAVE ("no code for this element type");
  KT_TRY (kt_paths_prepare (host, prep, 2, &s->p.at));
  return f->fault.which[0] && !kt_is_float (a.dtype)
             ? kt_gpu_fault_new (host, prep, &f->fault, &s->p.fault)
             : KT_OK;
}

static kt_status
zip_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const Formula *const f = user;

  return zip_prepare_as (host, prep, f, f->word, state);
}

/* p[0] tells the check that the least number by -1 leaves 0. */
static kt_status
mod_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  KT_TRY (zip_prepare_as (
      host, prep, user, kt_attr_int (host, prep, "fmod", 0) ? "mod_left" : "mod_floored",
      state));

  ZipState *const s = *state;
  s->p.p[0]         = 1;
  return KT_OK;
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
fold_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x  = kt_in_type (host, prep, 0);
  kt_spread spread = { 0 };
  int32_t n_in, n_out;
  void *memory;

  KT_TRY (host->arity (prep, &n_in, &n_out, NULL));
  if (n_in > 2 && (x.dtype == KT_F16 || x.dtype == KT_BF16))
    return KT_GPU_LEAVE ("more than two inputs of 16 bits would round in between");
  if (n_in < 2)
    return KT_GPU_LEAVE ("one input alone");
  KT_TRY (zip_prepare (host, prep, user, state));

  ZipState *const s = *state;
  s->n              = n_in;
  if (s->formula->last)
    {
      s->last    = map_for (s->formula->last, x.dtype);
      s->q.n     = s->p.at.count;
      s->q.dtype = x.dtype;
      s->q.p[0]  = n_in;
      if (x.dtype == KT_F16 || x.dtype == KT_BF16)
        return KT_GPU_LEAVE ("the sum of 16 bits would round in between");
    }
  if (n_in == 2)
    return KT_OK;
  KT_TRY (kt_spread_prepare (host, prep, &spread));
  KT_TRY (host->keep (prep, (size_t) n_in * sizeof *s->further, &memory));
  s->further = memory;
  for (int32_t i = 2; i < n_in; i++)
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
                              .prepare = map_prepare, .run = map_run                     \
  }
/* A product in front may take them over (../product.c does so with an Add). */
#define ZIP_AS(DOMAIN, NAME, SINCE, TYPES, PREPARE, RUN, ...)                            \
  {                                                                                      \
    KT_GPU_AS (DOMAIN, NAME, SINCE, KT_GPU_FLAGS | KT_K_TILEABLE),                       \
        .types = TYPES, .user = FORMULA (NAME, __VA_ARGS__), .n_alias = 2,               \
        .alias   = (const kt_alias[]){ { 0, 0, 0, 0 }, { 1, 0, 0, 0 } },                 \
        .prepare = PREPARE, .run = RUN, .destroy = zip_destroy                           \
  }
#define ZIP(NAME, SINCE, TYPES, ...)                                                     \
  ZIP_AS ("", NAME, SINCE, TYPES, zip_prepare, zip_run, __VA_ARGS__)
#define SLOPE(NAME, ...)                                                                 \
  ZIP_AS ("kette", NAME, 1, FLOATS, zip_prepare, zip_run, __VA_ARGS__)
#define COMPARE(NAME, SINCE, TYPES, WORD)                                                \
  {                                                                                      \
    KT_GPU ("", NAME, SINCE), .types = TYPES, .user = FORMULA (NAME, WORD),              \
                              .prepare = zip_prepare, .run = zip_run,                    \
                              .destroy = zip_destroy                                     \
  }
/* In place only over input 0: later ones are read when the output is partly made. */
#define FOLD(NAME, SINCE, TYPES, ...)                                                    \
  {                                                                                      \
    KT_GPU ("", NAME, SINCE), .types = TYPES, .user = FORMULA (NAME, __VA_ARGS__),       \
                              .n_alias = 1, .alias = &(const kt_alias){ 0, 0, 0, 0 },    \
                              .prepare = fold_prepare, .run = fold_run,                  \
                              .destroy = zip_destroy                                     \
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
  ZIP_AS ("", "Mod", 10, NUMBERS, mod_prepare, zip_run, "mod_left",
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
