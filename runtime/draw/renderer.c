/* SPDX-License-Identifier: Apache-2.0
 * Engine dot: the program kette-render computes the places. It runs as a child that sees
 * numbers only, in little memory and for a limited time, because Graphviz may take both
 * without end, or crash, and a library must do neither.
 */
#include "draw/layout.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef KETTE_LIBEXEC_DIR
#error "KETTE_LIBEXEC_DIR must be the folder that kette-render is installed in"
#endif

#define MAGIC "kette-layout 1\n"
#define TIME_LIMIT 10 /* seconds */
#define MAX_ANSWER ((gsize) 64 << 20)
#define STUB 10.0 /* straight piece of an edge before a box, for the head */
#define UNIT 10   /* the child counts in tenths of a point */

typedef struct
{
  pid_t pid;
  int fd; /* both directions */
  gint64 deadline;
} Child;

static const char *
find_program (void)
{
  const char *path = secure_getenv ("KETTE_RENDERER");

  return path && path[0] ? path : KETTE_LIBEXEC_DIR "/kette-render";
}

static gboolean
start_child (Child *child, GError **error)
{
  const char *path   = find_program ();
  char *const argv[] = { (char *) "kette-render", (char *) "layout", NULL };
  posix_spawn_file_actions_t actions;
  int pair[2], failed;

  /* A socket instead of two pipes: writing to a dead child is an error code, no signal. */
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    return _kette_fail_errno (error, errno, "draw", "cannot make a socket pair");
  failed = posix_spawn_file_actions_init (&actions);
  if (!failed)
    {
      failed = posix_spawn_file_actions_adddup2 (&actions, pair[1], 0);
      failed = failed ? failed : posix_spawn_file_actions_adddup2 (&actions, pair[1], 1);
      failed = failed ? failed
                      : posix_spawn_file_actions_addopen (&actions, 2, "/dev/null",
                                                          O_WRONLY, 0);
      failed = failed ? failed
                      : posix_spawn (&child->pid, path, &actions, NULL, argv, environ);
      posix_spawn_file_actions_destroy (&actions);
    }
  close (pair[1]);
  child->fd       = pair[0];
  child->deadline = g_get_monotonic_time () + TIME_LIMIT * G_USEC_PER_SEC;
  if (!failed)
    return TRUE;
  close (pair[0]);
  return _kette_fail (
      error, KETTE_ERROR_UNSUPPORTED, "draw",
      "a graph that is no chain needs the program kette-render, and %s cannot be "
      "started: %s",
      KETTE_QUOTE (path), g_strerror (failed));
}

static gboolean
time_out (const KetteLayout *layout, GError **error)
{
  return _kette_fail (error, KETTE_ERROR_TIMEOUT, "draw",
                      "layout of %u boxes took over %d s", layout->view->boxes->len,
                      TIME_LIMIT);
}

/* Waits until the socket can be read or written. */
static gboolean
wait_for (const Child *child, short events, const KetteLayout *layout, GError **error)
{
  for (;;)
    {
      struct pollfd p   = { child->fd, events, 0 };
      const gint64 left = child->deadline - g_get_monotonic_time ();
      const int n       = left > 0 ? poll (&p, 1, (int) (left / 1000 + 1)) : 0;

      if (n > 0)
        return TRUE;
      if (n == 0)
        return time_out (layout, error);
      if (errno != EINTR)
        return _kette_fail_errno (error, errno, "draw", "cannot wait for kette-render");
    }
}

static gboolean
talk (const Child *child, const GString *question, GString *answer,
      const KetteLayout *layout, GError **error)
{
  gsize sent = 0;
  char block[16384];

  while (sent < question->len)
    {
      ssize_t n;

      if (!wait_for (child, POLLOUT, layout, error))
        return FALSE;
      n = send (child->fd, question->str + sent, question->len - sent,
                MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno != EAGAIN && errno != EINTR)
        break; /* the child is gone; what it said, or how it ended, tells why */
      sent += n > 0 ? (gsize) n : 0;
    }
  shutdown (child->fd, SHUT_WR);
  while (answer->len < MAX_ANSWER)
    {
      ssize_t n;

      if (!wait_for (child, POLLIN, layout, error))
        return FALSE;
      n = recv (child->fd, block, sizeof block, MSG_DONTWAIT);
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        break;
      if (n > 0)
        g_string_append_len (answer, block, n);
    }
  return TRUE;
}

/* Ends the child if need be; TRUE if it ended by itself with success. */
static gboolean
end_child (Child *child, gboolean ok, const KetteLayout *layout, GError **error)
{
  int status = 0;
  pid_t n;

  close (child->fd);
  if (!ok)
    kill (child->pid, SIGKILL);
  do
    n = waitpid (child->pid, &status, 0);
  while (n < 0 && errno == EINTR);
  if (!ok)
    return FALSE;
  if (n == child->pid && WIFSIGNALED (status))
    return _kette_fail (
        error, KETTE_ERROR_INTERNAL, "draw",
        "kette-render was ended by signal %d during the layout of %u boxes",
        WTERMSIG (status), layout->view->boxes->len);
  if (n == child->pid && WEXITSTATUS (status) != 0)
    return _kette_fail (error, KETTE_ERROR_INTERNAL, "draw",
                        "kette-render failed with status %d at the layout of %u boxes",
                        WEXITSTATUS (status), layout->view->boxes->len);
  return TRUE;
}

static int
units (double v)
{
  return (int) lround (v * UNIT);
}

/* Marks the edges of a longest way through the picture: it is drawn straight. */
static guint8 *
find_main_line (const KetteLayout *layout)
{
  const KetteView *view    = layout->view;
  const guint n            = view->boxes->len;
  guint8 *main_line        = g_new0 (guint8, view->edges->len + 1);
  g_autofree guint *length = g_new0 (guint, n + 1);
  g_autofree gint *last    = g_new (gint, n + 1);
  guint end                = 0;

  for (guint i = 0; i < n; i++)
    last[i] = -1;
  /* Edges come in the order of their first box, and nearly all lead to a later one. */
  for (guint e = 0; e < view->edges->len; e++)
    {
      const KetteEdge *edge = KETTE_EDGE (view, e);

      if (KETTE_BOX (view, edge->from)->home >= 0 || edge->to < edge->from
          || length[edge->to] > length[edge->from])
        continue;
      length[edge->to] = length[edge->from] + 1;
      last[edge->to]   = (gint) e;
      end              = length[edge->to] > length[end] ? edge->to : end;
    }
  for (gint e = last[end]; e >= 0; e = last[KETTE_EDGE (view, e)->from])
    main_line[e] = 1;
  return main_line;
}

/* Columns as plain boxes, high enough that the main line is their middle. */
static GString *
write_question (const KetteLayout *layout)
{
  const KetteView *view        = layout->view;
  const gboolean gradients     = view->scope->gradients;
  g_autofree guint8 *main_line = find_main_line (layout);
  GString *out                 = g_string_new (MAGIC);
  guint n_edges                = 0;
  double room                  = 0;

  for (guint e = 0; e < view->edges->len; e++)
    if (KETTE_BOX (view, KETTE_EDGE (view, e)->from)->home < 0)
      {
        n_edges++;
        room = MAX (room, _kette_copy_room (KETTE_EDGE (view, e)));
      }
  /* A gradient's edge is its forward edge moved down: leave room for it between columns. */
  g_string_append_printf (out, "%u %u %d %d\n", layout->columns->len, n_edges,
                          units (gradients ? 60 : 30), units (MAX (KETTE_GAP, room) + 6));
  for (guint i = 0; i < layout->columns->len; i++)
    {
      const KetteDrawColumn *column = KETTE_COLUMN (layout, i);

      g_string_append_printf (out, "%d %d %u\n",
                              units (layout->box_width + 2 * (column->side + STUB)),
                              units (2 * MAX (column->up, column->down)),
                              KETTE_BOX (view, column->box)->layer);
    }
  for (guint e = 0; e < view->edges->len; e++)
    {
      const KetteEdge *edge = KETTE_EDGE (view, e);

      if (KETTE_BOX (view, edge->from)->home < 0)
        g_string_append_printf (
            out, "%u %u %d\n", _kette_layout_find (layout, edge->from),
            _kette_layout_find (layout, edge->to), main_line[e] ? 9 : 1);
    }
  return out;
}

typedef struct
{
  const char *p;
  gboolean ok;
} Reader;

static double
read_number (Reader *reader)
{
  char *end;
  gint64 v = 0;

  if (!reader->ok)
    return 0;
  errno      = 0;
  v          = g_ascii_strtoll (reader->p, &end, 10);
  reader->ok = end != reader->p && errno == 0 && v > -100000000 && v < 100000000;
  reader->p  = end;
  return (double) v / UNIT;
}

/* The curve with its stubs: it leaves and meets the boxes' sides at a right angle. */
static GArray *
read_curve (Reader *reader, const KetteLayout *layout, const KetteEdge *edge)
{
  const KetteDrawColumn *from
      = KETTE_COLUMN (layout, _kette_layout_find (layout, edge->from));
  const KetteDrawColumn *to
      = KETTE_COLUMN (layout, _kette_layout_find (layout, edge->to));
  const double start = from->x + layout->box_width
                       + _kette_box_rim (KETTE_BOX (layout->view, from->box));
  const double end      = to->x - _kette_box_rim (KETTE_BOX (layout->view, to->box));
  const long n          = lround (read_number (reader) * UNIT);
  GArray *points        = g_array_new (FALSE, FALSE, sizeof (KettePoint));
  KettePoint p          = { start, from->y };
  const KettePoint stub = { from->x + layout->box_width + from->side + STUB, from->y };

  const double gap = to->x - to->side - STUB - stub.x;

  reader->ok = reader->ok && n >= 4 && n % 3 == 1 && n < 10000;
  g_array_append_val (points, p);
  g_array_append_val (points, p);
  g_array_append_val (points, stub);
  g_array_append_val (points, stub);
  for (long i = 0; reader->ok && i < n; i++)
    {
      p.x = read_number (reader);
      p.y = read_number (reader);
      /* Ends lie on the main line, and so do the control points next to them. */
      if (i <= 1 || i >= n - 2)
        p.y = i <= 1 ? from->y : to->y;
      if (i == n - 1)
        p.x = to->x - to->side - STUB;
      /* Between neighbours there is nothing to go round: an even curve. */
      if (n == 4 && (i == 1 || i == 2) && gap > 0 && gap < layout->box_width)
        p.x = stub.x + gap / 2;
      if (i > 0)
        g_array_append_val (points, p);
    }
  g_array_append_val (points, p);
  p.x = end;
  g_array_append_val (points, p);
  g_array_append_val (points, p);
  return points;
}

static gboolean
read_answer (KetteLayout *layout, const GString *answer, GError **error)
{
  Reader reader = { answer->str, TRUE };

  if (strncmp (answer->str, MAGIC, strlen (MAGIC)) != 0)
    return _kette_fail (error, KETTE_ERROR_INTERNAL, "draw",
                        "kette-render gave no layout: %s", KETTE_QUOTE (answer->str));
  reader.p += strlen (MAGIC);
  layout->width  = read_number (&reader);
  layout->height = read_number (&reader);
  for (guint i = 0; i < layout->columns->len; i++)
    {
      KetteDrawColumn *column = KETTE_COLUMN (layout, i);

      column->x = read_number (&reader) - layout->box_width / 2;
      column->y = read_number (&reader);
    }
  for (guint e = 0; e < layout->view->edges->len && reader.ok; e++)
    {
      const KetteEdge *edge = KETTE_EDGE (layout->view, e);

      if (KETTE_BOX (layout->view, edge->from)->home < 0)
        _kette_layout_add_route (layout, e, read_curve (&reader, layout, edge), NULL);
    }
  if (!reader.ok || strcmp (reader.p, "\nend\n") != 0)
    return _kette_fail (error, KETTE_ERROR_INTERNAL, "draw",
                        "kette-render gave an incomplete layout of %zu bytes",
                        answer->len);
  return TRUE;
}

gboolean
_kette_layout_dot (KetteLayout *layout, GError **error)
{
  g_autoptr (GString) question = write_question (layout);
  g_autoptr (GString) answer   = g_string_new (NULL);
  Child child                  = { 0 };
  gboolean ok;

  if (!start_child (&child, error))
    return FALSE;
  ok = talk (&child, question, answer, layout, error);
  if (!end_child (&child, ok, layout, error) || !read_answer (layout, answer, error))
    return FALSE;
  _kette_layout_panels (layout);
  _kette_layout_normalise (layout);
  return TRUE;
}
