/* SPDX-License-Identifier: Apache-2.0
 * Kette's inference, for the driver: `kette` is kette_session_run(), `held` the same without
 * making a tensor of each result (what a caller does who reads the session's own memory).
 *
 * infer MODEL DATA.npy ROWS THREADS: batches of ROWS rows of DATA in rotation.
 */
#include "exec/plan.h"
#include "kette.h"
#include "serve.h"
#include <stdlib.h>

enum
{
  MOST = 64
};

typedef struct
{
  KetteSession *session;
  KetteTensor *batches[MOST];
  kt_type type;
  int n, at;
} Inference;

static void
die (GError *error)
{
  fprintf (stderr, "%s\n", error ? error->message : "no memory");
  exit (1);
}

static KetteTensor *
next (Inference *self)
{
  KetteTensor *x = self->batches[self->at];

  self->at = (self->at + 1) % self->n;
  return x;
}

static void
step_public (void *user)
{
  Inference *self = user;
  KetteTensor *x  = next (self), *y;
  GError *error   = NULL;

  if (!kette_session_run (self->session, &x, &y, NULL, &error))
    die (error);
  kette_tensor_unref (y);
}

static void
step_held (void *user)
{
  Inference *self = user;
  KetteTensor *x  = next (self);
  GError *error   = NULL;
  KetteRun *run   = _kette_session_take (self->session, &self->type, &x, &error);

  if (!run)
    die (error);
  _kette_run_feed (run, 0, x);
  if (!_kette_run_execute (run, KETTE_PHASE_FORWARD | KETTE_PHASE_UPDATE, NULL, &error))
    die (error);
  _kette_run_bind_input (run, 0, NULL);
  _kette_session_give (self->session, run);
}

static long
write_outputs (void *user, FILE *file)
{
  Inference *self = user;
  long count      = 0;

  for (int i = 0; i < self->n; i++)
    {
      KetteTensor *y = NULL;
      GError *error  = NULL;

      if (!kette_session_run (self->session, &self->batches[i], &y, NULL, &error))
        die (error);
      const gsize n = kette_tensor_get_count (y);
      if (fwrite (kette_tensor_get_data (y), sizeof (float), n, file) != n)
        count = -1;
      count = count < 0 ? count : count + (long) n;
      kette_tensor_unref (y);
    }
  return count;
}

static void
make_batches (Inference *self, const KetteTensor *data, gsize rows)
{
  GError *error = NULL;
  guint rank;
  const gsize n = (gsize) kette_tensor_get_dims (data, &rank)[0];

  for (self->n = 0; self->n < MOST && (gsize) (self->n + 1) * rows <= n; self->n++)
    if (!(self->batches[self->n]
          = kette_tensor_rows (data, (gsize) self->n * rows, rows, &error)))
      die (error);
  if (!self->n)
    {
      fprintf (stderr, "%zu rows are no batch of %zu\n", n, rows);
      exit (1);
    }
  self->type      = (kt_type){ .kind = KT_TENSOR, .dtype = KT_F32, .ndim = (int) rank };
  self->type.dims = kette_tensor_get_dims (self->batches[0], &rank);
}

int
main (int argc, char **argv)
{
  static Inference self;
  GError *error = NULL;

  if (argc != 5)
    return fprintf (stderr, "infer MODEL DATA.npy ROWS THREADS\n"), 1;
  kette_set_threads (atoi (argv[4]));
  g_autoptr (KetteGraph) graph = kette_graph_load (argv[1], &error);
  g_autoptr (KetteTensor) data = graph ? kette_tensor_load (argv[2], &error) : NULL;
  self.session                 = data ? kette_session_new (graph, &error) : NULL;
  if (!self.session)
    die (error);
  make_batches (&self, data, (gsize) atoll (argv[3]));
  step_public (&self);

  const bench_subject subjects[]
      = { { "kette", step_public, &self }, { "held", step_held, &self } };
  return bench_serve (subjects, 2, write_outputs, &self, PROJECT_VERSION);
}
