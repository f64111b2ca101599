/* SPDX-License-Identifier: Apache-2.0
 * Loading, compared with reading the file, and by its steps: a model of 46 MB of weights, and
 * one of 1,000 nodes without any. The files lie in the system's cache.
 *
 * load [SECONDS]; one line of JSON per model.
 */
#include "../tests/load/made.h"
#include "io/build.h"
#include "io/io-private.h"
#include "kette.h"
#include "measure.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct
{
  char name[256];
  size_t size;
  double sink;
} Model;

static Model large, nodes;

static void
clean (void)
{
  unlink (large.name);
  unlink (nodes.name);
}

static void
die (const char *what, const GError *error)
{
  fprintf (stderr, "load: %s: %s\n", what, error ? error->message : "failed");
  exit (1);
}

/* The file into memory, each page of it. */
static void
step_read (void *user)
{
  Model *model  = user;
  char *memory  = malloc (model->size);
  const int fd  = open (model->name, O_RDONLY | O_CLOEXEC);
  size_t done   = 0;
  ssize_t count = 1;

  if (!memory || fd < 0)
    die (model->name, NULL);
  while (done < model->size && (count = read (fd, memory + done, model->size - done)) > 0)
    done += (size_t) count;
  if (done < model->size)
    die (model->name, NULL);
  close (fd);
  for (size_t i = 0; i < model->size; i += 4096)
    model->sink += memory[i];
  free (memory);
}

/* The sum over the mapped file. */
static void
step_sum (void *user)
{
  Model *model             = user;
  g_autoptr (GBytes) bytes = _kette_read_file (model->name, NULL);
  const uint8_t *data      = bytes ? g_bytes_get_data (bytes, NULL) : NULL;
  uint64_t sum             = 0;

  if (!data)
    die (model->name, NULL);
  for (size_t i = 0; i + 8 <= model->size; i += 8)
    {
      uint64_t word;

      memcpy (&word, data + i, sizeof word);
      sum += word;
    }
  model->sink += (double) sum;
}

static void
step_scan (void *user)
{
  Model *model             = user;
  GError *error            = NULL;
  g_autoptr (GBytes) bytes = _kette_read_file (model->name, &error);
  KetteMessage *message    = bytes
                                 ? _kette_message_new (bytes, &onnx__model_proto__descriptor,
                                                       _kette_limits_default (), &error)
                                 : NULL;

  if (!message)
    die (model->name, error);
  _kette_message_free (message);
}

static void
step_load (void *user)
{
  Model *model      = user;
  GError *error     = NULL;
  KetteGraph *graph = kette_graph_load (model->name, &error);

  if (!graph)
    die (model->name, error);
  kette_graph_unref (graph);
}

static void
step_check (void *user)
{
  Model *model      = user;
  GError *error     = NULL;
  KetteGraph *graph = kette_graph_load (model->name, &error);

  if (!graph || !kette_graph_check (graph, FALSE, &error))
    die (model->name, error);
  kette_graph_unref (graph);
}

static void
step_session (void *user)
{
  Model *model          = user;
  GError *error         = NULL;
  KetteGraph *graph     = kette_graph_load (model->name, &error);
  KetteSession *session = graph ? kette_session_new (graph, &error) : NULL;

  if (!session)
    die (model->name, error);
  kette_session_unref (session);
  kette_graph_unref (graph);
}

static int
compare (const void *a, const void *b)
{
  const double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

/* The median of the processor's time: a goal in milliseconds must not depend on who else
 * computes. Nothing here waits. */
static double
cpu_ms (bench_step *step, Model *model, int rounds)
{
  double times[15];

  step (model);
  for (int i = 0; i < rounds; i++)
    {
      struct timespec begin, end;

      clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &begin);
      step (model);
      clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &end);
      times[i] = (double) (end.tv_sec - begin.tv_sec) * 1e3
                 + (double) (end.tv_nsec - begin.tv_nsec) * 1e-6;
    }
  qsort (times, (size_t) rounds, sizeof *times, compare);
  return times[rounds / 2];
}

/* N tensors of BYTES bytes, or N nodes when BYTES is 0. */
static void
make (Model *model, size_t n, size_t bytes)
{
  int fd;
  FILE *file;

  g_snprintf (model->name, sizeof model->name, "%s/kette-load-XXXXXX", g_get_tmp_dir ());
  fd   = mkstemp (model->name);
  file = fd < 0 ? NULL : fdopen (fd, "w");
  if (file)
    model->size = bytes ? made_weights (file, n, bytes, 0) : made_nodes (file, n);
  if (!file || fclose (file) != 0 || model->size == 0)
    die (model->name, NULL);
}

int
main (int argc, char **argv)
{
  const double seconds           = argc > 1 ? atof (argv[1]) : 0.3;
  const int rounds               = seconds < 0.05 ? 1 : 15;
  const bench_subject of_large[] = {
    { "read", step_read, &large },   { "sum", step_sum, &large },
    { "scan", step_scan, &large },   { "load", step_load, &large },
    { "check", step_check, &large }, { "session", step_session, &large },
  };
  bench_result a;

  atexit (clean);
  make (&large, 46, (size_t) 1 << 20);
  make (&nodes, 1000, 0);
  bench_measure (of_large, 6, rounds, seconds / 4, &a);
  printf ("{\"bench\": \"load-46MB\", \"what\": \"a model of 46 MB\", \"read_ms\": %.3f, "
          "\"sum_ms\": %.3f, \"scan_ms\": %.3f, \"load_ms\": %.3f, \"check_ms\": %.3f, "
          "\"session_ms\": %.3f, \"ratio\": %.4f, \"least\": %.4f, \"most\": %.4f, "
          "\"goal\": 1.5}\n",
          a.median[0] / 1e3, a.median[1] / 1e3, a.median[2] / 1e3, a.median[3] / 1e3,
          a.median[4] / 1e3, a.median[5] / 1e3, a.ratio[2], a.least[2], a.most[2]);
  printf ("{\"bench\": \"load-nodes\", \"what\": \"a model of 1,000 nodes\", "
          "\"scan_ms\": %.3f, \"load_ms\": %.3f, \"check_ms\": %.3f, "
          "\"session_ms\": %.3f, \"bytes\": %zu, \"goal_ms\": 3}\n",
          cpu_ms (step_scan, &nodes, rounds), cpu_ms (step_load, &nodes, rounds),
          cpu_ms (step_check, &nodes, rounds), cpu_ms (step_session, &nodes, rounds),
          nodes.size);
  return 0;
}
