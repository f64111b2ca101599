/* SPDX-License-Identifier: Apache-2.0
 * External data: which locations are opened and which are refused, with and without openat2,
 * links, further folders, checksums; and mapped files that are cut short while in use.
 */
#include "base/guard-private.h"
#include "base/system.h"
#include "exec/session.h"
#include "io/io-private.h"
#include "io/loading.h"
#include "pack.h"
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder with
 *   m/w.bin m/sub/w.bin m/out/ data/d.bin data/w.bin elsewhere/secret.bin
 * and in m the links link.bin -> w.bin, sublink -> sub, up -> .., blob.bin -> ../data/d.bin,
 * secret.bin -> ../elsewhere/secret.bin, loop.bin -> loop.bin, gone.bin -> nothing,
 * proc.bin -> /proc/self/root/etc/passwd, hard.bin = hard2.bin, and the pipe fifo.bin. */
typedef struct
{
  char *top, *folder, *model, *data;
} Place;

static void
put_file (const char *folder, const char *name, gsize n)
{
  g_autofree char *path  = g_build_filename (folder, name, NULL);
  g_autofree char *zeros = g_malloc0 (n + 1);

  g_assert_true (g_file_set_contents (path, zeros, (gssize) n, NULL));
}

static void
put_folder (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
}

static void
put_link (const char *folder, const char *name, const char *target)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  g_assert_cmpint (symlink (target, path), ==, 0);
}

static void
place_make (Place *p)
{
  g_autofree char *fifo = NULL, *a = NULL, *b = NULL;

  p->top    = g_dir_make_tmp ("kette-XXXXXX", NULL);
  p->folder = g_build_filename (p->top, "m", NULL);
  p->data   = g_build_filename (p->top, "data", NULL);
  p->model  = g_build_filename (p->folder, "m.onnx", NULL);
  put_folder (p->top, "m");
  put_folder (p->top, "data");
  put_folder (p->top, "elsewhere");
  put_folder (p->folder, "sub");
  put_folder (p->folder, "out");
  put_file (p->folder, "w.bin", 8);
  put_file (p->folder, "sub/w.bin", 16);
  put_file (p->folder, "hard.bin", 8);
  put_file (p->folder, "a..b", 8);
  put_file (p->folder, "%2e%2e", 8);
  put_file (p->data, "w.bin", 4);
  put_file (p->data, "d.bin", 8);
  put_file (p->top, "elsewhere/secret.bin", 8);
  put_link (p->folder, "link.bin", "w.bin");
  put_link (p->folder, "sublink", "sub");
  put_link (p->folder, "up", "..");
  put_link (p->folder, "blob.bin", "../data/d.bin");
  put_link (p->folder, "secret.bin", "../elsewhere/secret.bin");
  put_link (p->folder, "loop.bin", "loop.bin");
  put_link (p->folder, "gone.bin", "nothing");
  put_link (p->folder, "proc.bin", "/proc/self/root/etc/passwd");
  a = g_build_filename (p->folder, "hard.bin", NULL);
  b = g_build_filename (p->folder, "hard2.bin", NULL);
  g_assert_cmpint (link (a, b), ==, 0);
  fifo = g_build_filename (p->folder, "fifo.bin", NULL);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
}

static void
place_clear (Place *p)
{
  g_autofree char *command = g_strdup_printf ("rm -rf '%s'", p->top);

  g_assert_cmpint (system (command), ==, 0);
  g_free (p->top);
  g_free (p->folder);
  g_free (p->model);
  g_free (p->data);
}

typedef struct
{
  const char *entries, *error;
} Try;

/* ERROR behind `path: initializer "w": location `, unless it begins with another code. */
static void
try_all (const Place *p, const Try *tries, gsize n, const KetteLoadOptions *options)
{
  for (gsize i = 0; i < n; i++)
    {
      g_autofree char *text
          = g_strdup_printf (MODEL (WEIGHT ("1:2 2:1 8:'w' 14:1 %s")), tries[i].entries);
      g_autoptr (GBytes) bytes     = pack (text);
      g_autoptr (GError) error     = NULL;
      g_autoptr (KetteGraph) graph = NULL;
      const char *want             = tries[i].error;
      g_autofree char *full        = NULL;

      g_assert_true (g_file_set_contents (p->model, g_bytes_get_data (bytes, NULL),
                                          (gssize) g_bytes_get_size (bytes), NULL));
      graph = kette_graph_load_full (p->model, options, &error);
      if (!want)
        {
          if (!graph)
            g_test_message ("%s", tries[i].entries);
          g_assert_no_error (error);
          continue;
        }
      full = g_strdup_printf ("%s: %s%s", p->model,
                              *want == '"' ? "path: initializer \"w\": location " : "",
                              want);
      g_assert_null (graph);
      g_assert_cmpstr (error->message, ==, full);
    }
}

#define AT(name) "13:{1:'location' 2:'" name "'} "
#define LINKED                                                                           \
  " leads through a symbolic link; --allow-links accepts links to files in allowed "     \
  "folders"
#define NONE "No such file or directory"
#define GONE NONE "; --data-root names further folders"

static const Try plain[] = {
  { AT ("w.bin"), NULL },
  { AT ("a..b"), NULL },
  { AT ("%2e%2e"), NULL },
  { AT ("./sub//w.bin") "13:{1:'offset' 2:'4'} 13:{1:'length' 2:'8'}", NULL },
  { AT ("./sub/./w.bin") "13:{1:'basepath' 2:'/etc'}", NULL },
  { AT ("sub/../../elsewhere/secret.bin"),
    "\"sub/../../elsewhere/secret.bin\" leaves the model's folder" },
  { AT (".."), "\"..\" leaves the model's folder" },
  { AT ("."), "\".\" names no file" },
  { AT ("/etc/passwd"),
    "\"/etc/passwd\" is absolute, must be relative to the model's folder" },
  { AT ("file://w.bin"), "\"file://w.bin\" is a URL" },
  { AT (""), "\"\" is empty" },
  { AT ("a\\b"), "\"a\\\\b\" holds a backslash" },
  { AT ("a\nb"), "\"a\\x0ab\" holds a control character" },
  { AT ("*/_ORT_MEM_ADDR_/*"), "\"*/_ORT_MEM_ADDR_/*\" is an address in memory" },
  { AT ("link.bin"), "\"link.bin\"" LINKED },
  { AT ("sublink/w.bin"), "\"sublink/w.bin\"" LINKED },
  { AT ("up/elsewhere/secret.bin"), "\"up/elsewhere/secret.bin\"" LINKED },
  { AT ("loop.bin"), "\"loop.bin\"" LINKED },
  { AT ("proc.bin"), "\"proc.bin\"" LINKED },
  { AT ("hard.bin"), "\"hard.bin\" has 2 names (hard links), must have 1; --allow-links "
                     "accepts it" },
  { AT ("sub"), "\"sub\" is not a regular file" },
  { AT ("fifo.bin"), "\"fifo.bin\" is not a regular file" },
  { AT ("none.bin"),
    "io: initializer \"w\": cannot open external data \"none.bin\": " GONE },
  { AT ("w.bin/x"),
    "io: initializer \"w\": cannot open external data \"w.bin/x\": Not a directory" },
  { AT ("w.bin") "13:{1:'offset' 2:'1'}",
    "tensor: initializer \"w\": float32[2] needs 8 bytes at offset 1, external data "
    "\"w.bin\" has 8" },
  { AT ("w.bin") "13:{1:'offset' 2:'9223372036854775807'}",
    "tensor: initializer \"w\": float32[2] needs 8 bytes at offset 9223372036854775807, "
    "external data \"w.bin\" has 8" },
  { AT ("w.bin") "13:{1:'offset' 2:'9223372036854775808'}",
    "tensor: initializer \"w\": external data: offset is \"9223372036854775808\", must "
    "be a number from 0 to 2^63 - 1" },
  { AT ("w.bin") "13:{1:'offset' 2:'-1'}",
    "tensor: initializer \"w\": external data: offset is \"-1\", must be a number from "
    "0 to 2^63 - 1" },
  { AT ("w.bin") "13:{1:'offset' 2:' 0'}",
    "tensor: initializer \"w\": external data: offset is \" 0\", must be a number from "
    "0 to 2^63 - 1" },
  { AT ("w.bin") "13:{1:'offset' 2:''}",
    "tensor: initializer \"w\": external data: offset is empty" },
  { AT ("w.bin") "13:{1:'length' 2:'4'}",
    "tensor: initializer \"w\": float32[2] needs 8 bytes, external data has length 4" },
  { AT ("w.bin") AT ("w.bin"),
    "tensor: initializer \"w\": external data: location is there twice" },
  { "13:{1:'offset' 2:'0'}",
    "tensor: initializer \"w\": external data without a location" },
  { AT ("w.bin") "13:{1:'checksum' 2:'05fe405753166f125559e7c9ac558654f107c7e9'}", NULL },
  { AT ("w.bin") "13:{1:'checksum' 2:'05FE405753166F125559E7C9AC558654F107C7E9'}", NULL },
  { AT ("w.bin") "13:{1:'checksum' 2:'15fe405753166f125559e7c9ac558654f107c7e9'}",
    "tensor: initializer \"w\": external data \"w.bin\" has the checksum "
    "05fe405753166f125559e7c9ac558654f107c7e9, needs "
    "\"15fe405753166f125559e7c9ac558654f107c7e9\"; --no-checksum reads it all the same" },
};

static int
no_openat2 (int folder, const char *name, uint64_t flags, uint64_t resolve)
{
  (void) folder, (void) name, (void) flags, (void) resolve;
  errno = ENOSYS;
  return -1;
}

/* FUNC with openat2 and without. */
static void
both_ways (void (*func) (const Place *))
{
  int (*const openat2) (int, const char *, uint64_t, uint64_t) = _kette_system.openat2;
  Place p;

  place_make (&p);
  func (&p);
  _kette_system.openat2 = no_openat2;
  func (&p);
  _kette_system.openat2 = openat2;
  place_clear (&p);
}

static void
run_plain (const Place *p)
{
  try_all (p, plain, G_N_ELEMENTS (plain), NULL);
}

static void
test_plain (void)
{
  both_ways (run_plain);
}

#define OUTSIDE                                                                          \
  " leads through a link to a place outside the allowed folders; --data-root names "     \
  "further ones"

static void
run_links (const Place *p)
{
  static const Try tries[] = {
    { AT ("w.bin"), NULL },
    { AT ("link.bin"), NULL },
    { AT ("sublink/w.bin") "13:{1:'offset' 2:'8'}", NULL },
    { AT ("up/m/sub/w.bin") "13:{1:'offset' 2:'8'}", NULL },
    { AT ("hard.bin"), NULL },
    { AT ("blob.bin"), "\"blob.bin\"" OUTSIDE },
    { AT ("secret.bin"), "\"secret.bin\"" OUTSIDE },
    { AT ("proc.bin"), "\"proc.bin\"" OUTSIDE },
    { AT ("up/elsewhere/secret.bin"), "\"up/elsewhere/secret.bin\"" OUTSIDE },
    { AT ("up/m"), "\"up/m\"" OUTSIDE },
    { AT ("up/m/sub"), "\"up/m/sub\" is not a regular file" },
    { AT ("loop.bin"), "\"loop.bin\"" OUTSIDE },
    { AT ("gone.bin"),
      "io: initializer \"w\": cannot open external data \"gone.bin\": " GONE },
    { AT ("../elsewhere/secret.bin"),
      "\"../elsewhere/secret.bin\" leaves the model's folder" },
  };
  const KetteLoadOptions options
      = { .size = sizeof options, .flags = KETTE_LOAD_ALLOW_LINKS };

  try_all (p, tries, G_N_ELEMENTS (tries), &options);
}

static void
test_links (void)
{
  both_ways (run_links);
}

static void
run_roots (const Place *p)
{
  static const Try strict[] = {
    { AT ("w.bin"), NULL }, /* the model's own is first: the other one is too short */
    { AT ("d.bin"), NULL },
    { AT ("blob.bin"), "\"blob.bin\"" LINKED },
    { AT ("none.bin"),
      "io: initializer \"w\": cannot open external data \"none.bin\": " GONE },
    { AT ("secret.bin"), "\"secret.bin\"" LINKED },
  };
  static const Try linked[] = {
    { AT ("blob.bin"), NULL },
    { AT ("secret.bin"), "\"secret.bin\"" OUTSIDE },
  };
  g_autofree char *none       = g_build_filename (p->top, "none", NULL);
  const char *const roots[]   = { p->data, NULL };
  const char *const nowhere[] = { none, NULL };
  KetteLoadOptions options    = { .size = sizeof options, .data_roots = roots };
  g_autoptr (GBytes) bytes = pack (MODEL (WEIGHT ("1:2 2:1 8:'w' 14:1 " AT ("d.bin"))));
  g_autoptr (KetteGraph) graph = NULL;
  g_autoptr (GError) error     = NULL;
  g_autofree char *want
      = g_strdup_printf ("%s: io: cannot open this folder for data: " NONE, none);

  try_all (p, strict, G_N_ELEMENTS (strict), &options);
  options.flags = KETTE_LOAD_ALLOW_LINKS;
  try_all (p, linked, G_N_ELEMENTS (linked), &options);
  /* A model of no folder has those of the caller. */
  graph = kette_graph_load_bytes_full (bytes, NULL, &options, &error);
  g_assert_no_error (error);
  g_assert_nonnull (graph);
  options.data_roots = nowhere;
  g_assert_null (kette_graph_load_bytes_full (bytes, NULL, &options, &error));
  g_assert_cmpstr (error->message, ==, want);
}

static void
test_roots (void)
{
  both_ways (run_roots);
}

static void
test_options (void)
{
  static const Try wrong_sum[] = { { AT ("w.bin") "13:{1:'checksum' 2:'0'}", NULL } };
  static const Try files[]     = {
        { AT ("w.bin") "} 5:{1:2 2:1 8:'v' 14:1 " AT ("./w.bin"), NULL },
        { AT ("w.bin") "} 5:{1:2 2:1 8:'v' 14:1 " AT ("sub/w.bin"),
          "limit: initializer \"v\": more than 1 external files; --limit "
              "external-files=VALUE allows more" },
  };
  KetteLimits limits;
  KetteLoadOptions options = { .size = sizeof options, .flags = KETTE_LOAD_NO_CHECKSUM };
  Place p;

  place_make (&p);
  try_all (&p, wrong_sum, 1, &options);
  kette_limits_init (&limits);
  g_assert_true (kette_limits_set (&limits, "external-files", 1, NULL));
  options = (KetteLoadOptions){ .size = sizeof options, .limits = &limits };
  try_all (&p, files, G_N_ELEMENTS (files), &options);
  place_clear (&p);
}

/* -- files that are cut short --------------------------------------------------------------- */

#define LARGE ((gsize) 4 << 20)

/* A model y = x + w whose w, of LARGE bytes, is in w.bin. */
static void
put_large (const Place *p)
{
  g_autoptr (GBytes) bytes = pack (MODEL ("11:{1:'x' 2:{1:{1:1 2:{1:{1:1}}}}} " OUTPUT (
      "y") "1:{1:'x' 1:'w' 2:'y' 3:'n0' 4:'Add'} 5:{1:1048576 2:1 8:'w' "
           "14:1 " AT ("large.bin") "} "));

  put_file (p->folder, "large.bin", LARGE);
  g_assert_true (g_file_set_contents (p->model, g_bytes_get_data (bytes, NULL),
                                      (gssize) g_bytes_get_size (bytes), NULL));
}

static void
cut (const Place *p, const char *name, gsize n)
{
  g_autofree char *path = g_build_filename (p->folder, name, NULL);

  g_assert_cmpint (truncate (path, (off_t) n), ==, 0);
}

static void
test_cut_run (void)
{
  const gint64 dims[]              = { 1 };
  g_autoptr (GError) error         = NULL;
  g_autoptr (KetteGraph) graph     = NULL;
  g_autoptr (KetteSession) session = NULL;
  g_autoptr (KetteTensor) x        = kette_tensor_new (KT_F32, dims, 1, NULL);
  g_autofree char *want            = NULL;
  KetteTensor *y                   = NULL;
  Place p;

  place_make (&p);
  put_large (&p);
  graph = kette_graph_load (p.model, &error);
  g_assert_no_error (error);
  session = kette_session_new (graph, &error);
  g_assert_no_error (error);
  g_assert_true (kette_session_run (session, &x, &y, NULL, &error));
  g_clear_pointer (&y, kette_tensor_unref);
  cut (&p, "large.bin", LARGE / 2);
  want = g_strdup_printf (
      "%s: io: external data \"large.bin\": became shorter while it was in use", p.model);
  for (int i = 0; i < 2; i++) /* it stays lost */
    {
      g_assert_false (kette_session_run (session, &x, &y, NULL, &error));
      g_assert_cmpstr (error->message, ==, want);
      g_clear_error (&error);
    }
  g_assert_null (kette_session_new (graph, NULL));
  g_assert_cmpint (_kette_guard_n_lost, ==, 1);
  g_clear_pointer (&session, kette_session_unref);
  g_clear_pointer (&graph, kette_graph_unref);
  g_assert_cmpint (_kette_guard_n_lost, ==, 0);
  place_clear (&p);
}

/* The file becomes empty in the moment in which it has been mapped. */
static const char *cut_path;
static void *(*true_map) (int fd, size_t n);

static void *
cutting_map (int fd, size_t n)
{
  void *data = true_map (fd, n);

  g_assert_cmpint (truncate (cut_path, 0), ==, 0);
  return data;
}

static void
cut_while_loading (const Place *p, const char *name, const char *where)
{
  g_autofree char *path = g_build_filename (p->folder, name, NULL);
  g_autofree char *want
      = g_strdup_printf ("%s: io: %sbecame shorter while it was in use", p->model, where);
  g_autoptr (GError) error = NULL;

  cut_path          = path;
  true_map          = _kette_system.map;
  _kette_system.map = cutting_map;
  g_assert_null (kette_graph_load (p->model, &error));
  _kette_system.map = true_map;
  g_assert_cmpstr (error->message, ==, want);
  g_assert_cmpint (_kette_guard_n_lost, ==, 0);
}

static void
test_cut_load (void)
{
  Place p;

  place_make (&p);
  put_file (p.folder, "m.onnx", LARGE);
  cut_while_loading (&p, "m.onnx", "");
  place_clear (&p);
}

/* Data are read while loading when there is a checksum. */
static void
test_cut_sum (void)
{
  g_autoptr (GBytes) bytes = pack (MODEL (
      WEIGHT ("1:1048576 2:1 8:'w' 14:1 " AT ("large.bin") "13:{1:'checksum' 2:'00'}")));
  Place p;

  place_make (&p);
  put_file (p.folder, "large.bin", LARGE);
  g_assert_true (g_file_set_contents (p.model, g_bytes_get_data (bytes, NULL),
                                      (gssize) g_bytes_get_size (bytes), NULL));
  cut_while_loading (&p, "large.bin", "external data \"large.bin\": ");
  place_clear (&p);
}

static void
test_cut_tensor (void)
{
  g_autofree char *path    = NULL;
  g_autofree char *want    = NULL;
  g_autoptr (GError) error = NULL;
  Place p;

  place_make (&p);
  put_file (p.folder, "x.npy", LARGE);
  cut_path = path   = g_build_filename (p.folder, "x.npy", NULL);
  true_map          = _kette_system.map;
  _kette_system.map = cutting_map;
  g_assert_null (kette_tensor_load (path, &error));
  _kette_system.map = true_map;
  want = g_strdup_printf ("%s: io: became shorter while it was in use", path);
  g_assert_cmpstr (error->message, ==, want);
  place_clear (&p);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  kette_guard_mapped_files ();
  g_test_add_func ("/io/external/plain", test_plain);
  g_test_add_func ("/io/external/links", test_links);
  g_test_add_func ("/io/external/roots", test_roots);
  g_test_add_func ("/io/external/options", test_options);
  g_test_add_func ("/io/external/cut/run", test_cut_run);
  g_test_add_func ("/io/external/cut/load", test_cut_load);
  g_test_add_func ("/io/external/cut/sum", test_cut_sum);
  g_test_add_func ("/io/external/cut/tensor", test_cut_tensor);
  return g_test_run ();
}
