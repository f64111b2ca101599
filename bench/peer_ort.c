/* SPDX-License-Identifier: Apache-2.0
 * ONNX Runtime's inference, for the driver, by its C interface: all optimisations, results into
 * memory that was there before. The library is that of the Python package, opened at run time;
 * its interface is a table of functions in an order that never changes.
 *
 * peer_ort LIBRARY MODEL DATA.npy THREADS INPUT DIMS OUTPUT DIMS, for example
 * peer_ort libonnxruntime.so m.onnx x.npy 1 x 64,784 y 64,10. The header of DATA is 128 bytes.
 */
#include "serve.h"
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum
{
  GET_ERROR_MESSAGE = 2,
  CREATE_ENV        = 3,
  CREATE_SESSION    = 7,
  RUN               = 9,
  CREATE_OPTIONS    = 10,
  SET_OPTIMIZATION  = 23,
  SET_INTRA_THREADS = 24,
  SET_INTER_THREADS = 25,
  CREATE_TENSOR     = 49,
  CREATE_CPU_MEMORY = 69
};

typedef struct
{
  void *(*get_api) (uint32_t version);
  const char *(*get_version) (void);
} ApiBase;

enum
{
  API_VERSION    = 7, /* of the functions above: any package since 2021 */
  LOG_ERROR      = 3,
  OPTIMIZE_ALL   = 99,
  ARENA          = 1,
  MEMORY_DEFAULT = 0,
  FLOAT          = 1,
  HEADER         = 128,
  MOST           = 64
};

typedef struct
{
  void **api;
  void *session, *inputs[MOST], *output;
  const char *input_name, *output_name;
  float *out;
  size_t n_out;
  int n, at;
} Peer;

typedef void *Status;

static void
check (const Peer *self, Status status, const char *what)
{
  if (!status)
    return;
  const char *(*message) (Status)
      = (const char *(*) (Status)) self->api[GET_ERROR_MESSAGE];
  fprintf (stderr, "ONNX Runtime: %s: %s\n", what, message (status));
  exit (1);
}

static void
run (Peer *self, int i)
{
  Status (*function) (void *, const void *, const char *const *, void *const *, size_t,
                      const char *const *, size_t, void **)
      = (Status (*) (void *, const void *, const char *const *, void *const *, size_t,
                     const char *const *, size_t, void **)) self->api[RUN];

  check (self,
         function (self->session, NULL, &self->input_name, &self->inputs[i], 1,
                   &self->output_name, 1, &self->output),
         "run");
}

static void
step (void *user)
{
  Peer *self = user;

  run (self, self->at);
  self->at = (self->at + 1) % self->n;
}

static long
write_outputs (void *user, FILE *file)
{
  Peer *self = user;

  for (int i = 0; i < self->n; i++)
    {
      run (self, i);
      if (fwrite (self->out, sizeof *self->out, self->n_out, file) != self->n_out)
        return -1;
    }
  return (long) self->n_out * self->n;
}

static size_t
read_dims (char *text, int64_t dims[8], size_t *rank)
{
  size_t count = 1;

  *rank = 0;
  for (char *word = strtok (text, ","); word && *rank < 8; word = strtok (NULL, ","))
    count *= (size_t) (dims[(*rank)++] = atoll (word));
  return count;
}

static void *
tensor (const Peer *self, const void *memory, float *data, char *dims, size_t *count)
{
  int64_t numbers[8];
  size_t rank;
  void *value = NULL;

  *count = read_dims (dims, numbers, &rank);
  Status (*create) (const void *, void *, size_t, const int64_t *, size_t, int, void **)
      = (Status (*) (const void *, void *, size_t, const int64_t *, size_t, int,
                     void **)) self->api[CREATE_TENSOR];
  check (self, create (memory, data, *count * 4, numbers, rank, FLOAT, &value), "tensor");
  return value;
}

/* A session on MODEL with THREADS threads. */
static void
open_model (Peer *self, const char *model, int threads)
{
  void *env = NULL, *options = NULL;

  Status (*create_env) (int, const char *, void **)
      = (Status (*) (int, const char *, void **)) self->api[CREATE_ENV];
  check (self, create_env (LOG_ERROR, "bench", &env), "environment");
  Status (*create_options) (void **) = (Status (*) (void **)) self->api[CREATE_OPTIONS];
  check (self, create_options (&options), "options");
  const int settings[][2] = { { SET_OPTIMIZATION, OPTIMIZE_ALL },
                              { SET_INTRA_THREADS, threads },
                              { SET_INTER_THREADS, 1 } };
  for (size_t i = 0; i < 3; i++)
    check (
        self,
        ((Status (*) (void *, int)) self->api[settings[i][0]]) (options, settings[i][1]),
        "option");
  Status (*create) (void *, const char *, void *, void **)
      = (Status (*) (void *, const char *, void *, void **)) self->api[CREATE_SESSION];
  check (self, create (env, model, options, &self->session), "session");
}

static float *
read_data (const char *name, size_t *count)
{
  FILE *file  = fopen (name, "rb");
  long size   = file && fseek (file, 0, SEEK_END) == 0 ? ftell (file) : -1;
  float *data = NULL;

  if (size > HEADER && fseek (file, HEADER, SEEK_SET) == 0)
    data = aligned_alloc (64, ((size_t) size - HEADER + 63) & ~(size_t) 63);
  *count = data ? ((size_t) size - HEADER) / sizeof *data : 0;
  if (!data || fread (data, sizeof *data, *count, file) != *count)
    {
      fprintf (stderr, "%s cannot be read\n", name);
      exit (1);
    }
  fclose (file);
  return data;
}

int
main (int argc, char **argv)
{
  static Peer self;
  void *memory = NULL;
  size_t total, count = 0, n;

  if (argc != 9)
    return fprintf (stderr, "peer_ort: wrong use\n"), 1;
  void *library = dlopen (argv[1], RTLD_NOW);
  const ApiBase *(*get) (void)
      = library ? (const ApiBase *(*) (void) ) dlsym (library, "OrtGetApiBase") : NULL;
  if (!get || !(self.api = get ()->get_api (API_VERSION)))
    return fprintf (stderr, "%s\n", library ? "no C interface" : dlerror ()), 1;
  open_model (&self, argv[2], atoi (argv[4]));

  Status (*cpu) (int, int, void **)
      = (Status (*) (int, int, void **)) self.api[CREATE_CPU_MEMORY];
  check (&self, cpu (ARENA, MEMORY_DEFAULT, &memory), "memory");
  self.input_name  = argv[5];
  self.output_name = argv[7];
  float *data      = read_data (argv[3], &total);
  char dims[256];
  do
    {
      snprintf (dims, sizeof dims, "%s", argv[6]);
      self.inputs[self.n]
          = tensor (&self, memory, data + (size_t) self.n * count, dims, &n);
      count = n;
      self.n++;
    }
  while (self.n < MOST && (size_t) (self.n + 1) * count <= total);
  snprintf (dims, sizeof dims, "%s", argv[8]);
  char counted[256];
  int64_t numbers[8];
  size_t rank;
  snprintf (counted, sizeof counted, "%s", argv[8]);
  self.n_out  = read_dims (counted, numbers, &rank);
  self.out    = aligned_alloc (64, (self.n_out * sizeof (float) + 63) & ~(size_t) 63);
  self.output = tensor (&self, memory, self.out, dims, &n);
  step (&self);

  const bench_subject subjects[] = { { "ort", step, &self } };
  return bench_serve (subjects, 1, write_outputs, &self, get ()->get_version ());
}
