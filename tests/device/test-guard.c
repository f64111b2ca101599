/* SPDX-License-Identifier: Apache-2.0
 * The guard device finds each fault that it is there for.
 */
#include "base/limits.h"
#include "op/devices.h"
#include <string.h>

enum
{
  BYTES = 512
};

typedef struct
{
  KetteUnit *unit, *other;
  const kt_device *d;
  KetteCall call;
  kt_stream *streams[2];
  kt_event *event;
  void *memory, *elsewhere;
  uint8_t host[BYTES];
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  GError *error = NULL;

  (void) data;
  g_setenv ("KETTE_GUARD", "", TRUE);
  kette_plugins_get (&error);
  g_assert_no_error (error);
  g_assert_true (_kette_unit_get ("guard", &f->unit, &error));
  g_assert_true (_kette_unit_get ("guard:1", &f->other, &error));
  f->d = f->unit->device;
  _kette_call_init (&f->call);
  for (int i = 0; i < 2; i++)
    g_assert_cmpint (f->d->stream_new (&f->call.call, f->unit->handle, &f->streams[i]),
                     ==, KT_OK);
  f->d->event_new (&f->call.call, f->unit->handle, &f->event);
  f->d->alloc (&f->call.call, f->unit->handle, BYTES, &f->memory);
  f->d->alloc (&f->call.call, f->other->handle, BYTES, &f->elsewhere);
  memset (f->host, 1, sizeof f->host);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  (void) data;
  for (int i = 0; i < 2; i++)
    f->d->stream_free (f->streams[i]);
  f->d->event_free (f->event);
  if (f->memory)
    f->d->release (f->unit->handle, f->memory);
  f->d->release (f->other->handle, f->elsewhere);
}

/* What stream I tells next holds TEXT; NULL: it tells nothing. */
static void
expect (Fixture *f, int i, const char *text)
{
  const kt_status status = f->d->synchronize (&f->call.call, f->streams[i]);

  if (text)
    {
      g_assert_cmpint (status, ==, KT_E_DEVICE);
      g_test_message ("%s", f->call.failure.text);
      g_assert_nonnull (strstr (f->call.failure.text, text));
      _kette_call_init (&f->call);
    }
  else
    g_assert_cmpint (status, ==, KT_OK);
}

static kt_status
nothing (void *arg)
{
  (void) arg;
  return KT_OK;
}

static void
touch (Fixture *f, int stream, const void *memory, size_t bytes, gboolean write,
       const char *label)
{
  const kt_range range = { memory, bytes, write, 0 };

  f->d->execute (&f->call.call, f->streams[stream], nothing, NULL, &range, 1, label);
}

static void
copy_in (Fixture *f, int stream)
{
  f->d->copy (&f->call.call, f->streams[stream], KT_COPY_IN, f->memory, f->host, BYTES,
              NULL, "x");
}

static void
test_copies (Fixture *f, gconstpointer data)
{
  uint8_t back[BYTES] = { 0 };

  (void) data;
  copy_in (f, 0);
  f->d->copy (&f->call.call, f->streams[0], KT_COPY_PEER, f->elsewhere, f->memory, BYTES,
              f->other->handle, "p");
  f->d->copy (&f->call.call, f->streams[0], KT_COPY_OUT, back, f->memory, BYTES, NULL,
              "y");
  expect (f, 0, NULL);
  g_assert_cmpmem (back, BYTES, f->host, BYTES);
}

static void
test_race (Fixture *f, gconstpointer data)
{
  (void) data;
  copy_in (f, 0);
  touch (f, 1, f->memory, 8, FALSE, "reader");
  /* Whichever comes first, the other one tells. */
  const kt_status one = f->d->synchronize (&f->call.call, f->streams[0]);
  const kt_status two = f->d->synchronize (&f->call.call, f->streams[1]);
  g_assert_true (one != KT_OK || two != KT_OK);
  g_assert_nonnull (strstr (f->call.failure.text, "reader"));
  _kette_call_init (&f->call);
  touch (f, 0, f->memory, 16, TRUE, "writer");
  f->d->synchronize (&f->call.call, f->streams[0]);
  touch (f, 0, f->memory, 16, TRUE, "first");
  g_usleep (20000);
  touch (f, 1, (uint8_t *) f->memory + 8, 16, TRUE, "second");
  g_usleep (20000);
  expect (f, 1, "race: \"second\" writes what \"first\" writes");
  expect (f, 0, NULL);
}

static void
test_event (Fixture *f, gconstpointer data)
{
  (void) data;
  copy_in (f, 0);
  f->d->record (&f->call.call, f->streams[0], f->event);
  f->d->wait (&f->call.call, f->streams[1], f->event);
  touch (f, 1, f->memory, BYTES, FALSE, "reader");
  expect (f, 1, NULL);
  touch (f, 0, f->memory, BYTES, TRUE, "next"); /* the host has waited for the reader */
  expect (f, 0, NULL);
}

static void
test_lazy (Fixture *f, gconstpointer data)
{
  kt_stream *lazy;

  (void) data;
  g_setenv ("KETTE_GUARD", "lazy", TRUE);
  f->d->stream_new (&f->call.call, f->unit->handle, &lazy);
  uint8_t back[BYTES] = { 0 };
  copy_in (f, 0);
  expect (f, 0, NULL);
  f->d->copy (&f->call.call, lazy, KT_COPY_OUT, back, f->memory, BYTES, NULL, "y");
  g_usleep (20000);
  g_assert_cmpint (back[0], ==, 0);
  f->d->synchronize (&f->call.call, lazy);
  g_assert_cmpint (back[0], ==, 1);
  f->d->stream_free (lazy);
}

static void
test_ranges (Fixture *f, gconstpointer data)
{
  (void) data;
  touch (f, 0, f->host, 8, FALSE, "n");
  expect (f, 0, "\"n\" uses memory of the host, or of nobody: a copy is missing");
  touch (f, 0, f->elsewhere, 8, TRUE, "n");
  expect (f, 0, "\"n\" uses memory of guard:1: a copy is missing");
  touch (f, 0, f->memory, BYTES + 1, TRUE, "n");
  expect (f, 0, "\"n\" goes beyond a block of 512 bytes");
  touch (f, 0, f->memory, 8, FALSE, "n");
  expect (f, 0, "\"n\" reads what nobody wrote: a copy is missing");
  expect (f, 0, NULL);
}

static void
test_released (Fixture *f, gconstpointer data)
{
  (void) data;
  f->d->release (f->unit->handle, f->memory);
  touch (f, 0, f->memory, 8, TRUE, "n");
  f->memory = NULL;
  expect (f, 0, "\"n\" uses memory that was released");
}

static kt_status
write_behind (void *arg)
{
  *(volatile uint8_t *) arg = 7;
  return KT_OK;
}

static kt_status
read_at (void *arg)
{
  (void) *(volatile uint8_t *) arg;
  return KT_OK;
}

static void
run_at (Fixture *f, kt_task *task, uint8_t *at, void *listed, size_t bytes)
{
  const kt_range range = { listed, bytes, 1, 0 };

  f->d->execute (&f->call.call, f->streams[0], task, at, &range, 1, "n");
}

/* One byte beyond either end of a block of any size, written or read; the next one is not blamed. */
static void
test_behind (Fixture *f, gconstpointer data)
{
  static const size_t sizes[] = { 1, 4, 12, 500, 512, 4096, 5000, 100000 };
  char text[100];
  void *odd;

  (void) data;
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      const size_t n = sizes[i];
      g_assert_cmpint (f->d->alloc (&f->call.call, f->unit->handle, n, &odd), ==, KT_OK);
      uint8_t *alias = f->d->alias (f->unit->handle, odd);
      g_assert_cmpuint ((uintptr_t) alias % MIN (n & (~n + 1), 256), ==, 0);
      run_at (f, write_behind, alias + n - 1, odd, n);
      run_at (f, write_behind, alias, odd, n);
      expect (f, 0, NULL);
      g_snprintf (text, sizeof text, "\"n\" went beyond the end of a value of %zu bytes",
                  n);
      for (int k = 0; k < 3; k++)
        {
          run_at (f, k == 1 ? read_at : write_behind, alias + n + (k == 2 ? 4000 : 0),
                  odd, n);
          expect (f, 0, text);
          run_at (f, write_behind, alias, odd, n);
          expect (f, 0, NULL);
        }
      g_snprintf (text, sizeof text,
                  "\"n\" went before the beginning of a value of %zu bytes", n);
      run_at (f, write_behind, alias - 1, odd, n);
      expect (f, 0, text);
      run_at (f, write_behind, alias, odd, n);
      expect (f, 0, NULL);
      /* Also where it is not even said to be used. */
      run_at (f, write_behind, alias + n, f->memory, BYTES);
      expect (f, 0, "\"n\" went beyond the end of a value");
      f->d->release (f->unit->handle, odd);
      run_at (f, read_at, alias, f->memory, BYTES);
      expect (f, 0, "\"n\" used a block of");
    }
  expect (f, 0, NULL);
}

static void
end_of (Fixture *f, const char *label, size_t bytes)
{
  const kt_range range = { f->memory, bytes, 0, 1 };

  f->d->execute (&f->call.call, f->streams[0], nothing, NULL, &range, 1, label);
}

/* What is dead is read: said so, or not; then it is written, and lives again. */
static void
test_dead (Fixture *f, gconstpointer data)
{
  uint8_t *alias = f->d->alias (f->unit->handle, f->memory), back[BYTES];

  (void) data;
  for (int whole = 0; whole < 2; whole++)
    {
      copy_in (f, 0);
      end_of (f, "last", whole ? BYTES : 16);
      expect (f, 0, NULL);
      touch (f, 0, f->memory, 8, FALSE, "late");
      expect (f, 0, "\"late\" reads what is dead since \"last\"");
      if (whole)
        {
          run_at (f, read_at, alias + 8, f->elsewhere, 0);
          expect (f, 0, "\"n\" used a value of 512 bytes that was dead already");
        }
      else
        g_assert_cmpint (alias[8], ==, 0xFF);
      copy_in (f, 0);
      touch (f, 0, f->memory, BYTES, FALSE, "reader");
      f->d->copy (&f->call.call, f->streams[0], KT_COPY_OUT, back, f->memory, BYTES, NULL,
                  "y");
      expect (f, 0, NULL);
      g_assert_cmpmem (back, BYTES, f->host, BYTES);
    }
  /* Somebody still reads it. */
  touch (f, 1, f->memory, 8, FALSE, "reader");
  g_usleep (20000);
  end_of (f, "last", BYTES);
  expect (f, 0, "race: \"last\" writes what \"reader\" reads");
  expect (f, 1, NULL);
}

/* The faults that the device makes itself. */
static void
test_knobs (Fixture *f, gconstpointer data)
{
  (void) data;
  g_setenv ("KETTE_GUARD", "spill=2", TRUE);
  f->d->release (f->unit->handle, f->memory);
  f->d->alloc (&f->call.call, f->unit->handle, BYTES, &f->memory);
  touch (f, 0, f->memory, BYTES, TRUE, "first");
  touch (f, 0, f->memory, BYTES, FALSE, "reader");
  expect (f, 0, NULL);
  touch (f, 0, f->memory, BYTES, TRUE, "second");
  expect (f, 0, "\"second\" went beyond the end of a value of 512 bytes");
  g_setenv ("KETTE_GUARD", "stale=1", TRUE);
  f->d->release (f->unit->handle, f->memory);
  f->d->alloc (&f->call.call, f->unit->handle, BYTES, &f->memory);
  copy_in (f, 0);
  end_of (f, "last", BYTES);
  expect (f, 0, "\"last\" used a value of 512 bytes that was dead already");
  g_assert_true (f->d->separate (f->unit->handle));
  g_setenv ("KETTE_GUARD", "shared", TRUE);
  g_assert_false (f->d->separate (f->unit->handle));
}

static void
test_host (Fixture *f, gconstpointer data)
{
  (void) data;
  if (g_test_subprocess ())
    {
      f->host[0] = *(volatile uint8_t *) f->memory;
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_failed ();
}

static void
test_capture (Fixture *f, gconstpointer data)
{
  kt_call *call = &f->call.call;
  kt_recording *recording;
  void *pinned, *more;

  (void) data;
  g_assert_cmpint (f->d->alloc_pinned (call, f->unit->handle, BYTES, &pinned), ==, KT_OK);
  memset (pinned, 3, BYTES);
  g_assert_cmpint (f->d->capture_begin (call, f->streams[0]), ==, KT_OK);
  f->d->copy (call, f->streams[0], KT_COPY_IN, f->memory, pinned, BYTES, NULL, "x");
  f->d->record (call, f->streams[0], f->event);
  f->d->wait (call, f->streams[1], f->event);
  touch (f, 1, f->memory, BYTES, FALSE, "reader");
  f->d->record (call, f->streams[1], f->event);
  f->d->wait (call, f->streams[0], f->event);
  g_assert_cmpint (f->d->capture_end (call, f->streams[0], &recording), ==, KT_OK);
  for (int i = 0; i < 3; i++)
    f->d->replay (call, f->streams[0], recording);
  expect (f, 0, NULL);
  f->d->recording_free (recording);

  const char *const faults[] = { "the host waited for a stream", "memory was asked for",
                                 "is not pinned", "did not wait for it", "race" };
  for (int i = 0; i < 5; i++)
    {
      f->d->capture_begin (call, f->streams[0]);
      if (i == 0)
        g_assert_cmpint (f->d->synchronize (call, f->streams[0]), ==, KT_E_DEVICE);
      else if (i == 1)
        g_assert_cmpint (f->d->alloc (call, f->unit->handle, 8, &more), ==, KT_E_DEVICE);
      else if (i == 2)
        copy_in (f, 0);
      else
        {
          touch (f, 0, f->memory, BYTES, TRUE, "writer");
          f->d->record (call, f->streams[0], f->event);
          f->d->wait (call, f->streams[1], f->event);
          touch (f, 1, f->memory, BYTES, FALSE, "reader");
          if (i == 4)
            {
              touch (f, 0, f->memory, BYTES, TRUE, "writer");
              f->d->record (call, f->streams[1], f->event);
              f->d->wait (call, f->streams[0], f->event);
            }
        }
      _kette_call_init (&f->call);
      g_assert_cmpint (f->d->capture_end (call, f->streams[0], &recording), ==,
                       KT_E_DEVICE);
      g_test_message ("%s", f->call.failure.text);
      g_assert_nonnull (strstr (f->call.failure.text, faults[i]));
      _kette_call_init (&f->call);
    }
  f->d->release_pinned (f->unit->handle, pinned);
}

/* What another thread may do while work is recorded: all but join in. */
static gpointer
meanwhile (gpointer data)
{
  Fixture *f = data;
  KetteCall other;
  void *memory;

  _kette_call_init (&other);
  g_assert_cmpint (f->d->alloc (&other.call, f->unit->handle, 8, &memory), ==, KT_OK);
  f->d->release (f->unit->handle, memory);
  g_assert_cmpint (f->d->synchronize (&other.call, f->streams[1]), ==, KT_OK);
  g_assert_cmpint (f->d->synchronize (&other.call, f->streams[0]), ==, KT_E_DEVICE);
  _kette_call_init (&other);
  g_assert_cmpint (f->d->wait (&other.call, f->streams[1], f->event), ==, KT_E_DEVICE);
  _kette_call_init (&other);
  g_assert_cmpint (f->d->wait_host (&other.call, f->event), ==, KT_E_DEVICE);
  return NULL;
}

static void
test_threads (Fixture *f, gconstpointer data)
{
  kt_call *call = &f->call.call;
  kt_recording *recording, *second;

  (void) data;
  g_assert_cmpint (f->d->capture_begin (call, f->streams[0]), ==, KT_OK);
  g_assert_cmpint (f->d->capture_begin (call, f->streams[1]), ==, KT_E_DEVICE);
  _kette_call_init (&f->call);
  touch (f, 0, f->memory, BYTES, TRUE, "writer");
  f->d->record (call, f->streams[0], f->event);
  g_thread_join (g_thread_new ("other", meanwhile, f));
  g_assert_cmpint (f->d->capture_end (call, f->streams[0], &recording), ==, KT_OK);
  /* The event was part of that: nobody can wait for it any more, but it can be used again. */
  g_assert_cmpint (f->d->wait (call, f->streams[1], f->event), ==, KT_E_DEVICE);
  g_assert_nonnull (strstr (f->call.failure.text, "an event of another recording"));
  _kette_call_init (&f->call);
  g_assert_cmpint (f->d->capture_begin (call, f->streams[1]), ==, KT_OK);
  g_assert_cmpint (f->d->wait (call, f->streams[1], f->event), ==, KT_E_DEVICE);
  _kette_call_init (&f->call);
  g_assert_cmpint (f->d->capture_end (call, f->streams[1], &second), ==, KT_E_DEVICE);
  _kette_call_init (&f->call);
  f->d->replay (call, f->streams[0], recording);
  f->d->record (call, f->streams[0], f->event);
  g_assert_cmpint (f->d->wait (call, f->streams[1], f->event), ==, KT_OK);
  touch (f, 1, f->memory, BYTES, FALSE, "reader");
  expect (f, 1, NULL);
  expect (f, 0, NULL);
  f->d->recording_free (recording);
  f->d->copy (call, f->streams[0], KT_COPY_PEER, f->elsewhere, f->memory, 8, NULL, "p");
  g_assert_nonnull (strstr (f->call.failure.text, "a copy goes nowhere"));
  _kette_call_init (&f->call);
}

static void
test_names (Fixture *f, gconstpointer data)
{
  static const char *const faults[][2]
      = { { "gpu", "device: no plugin brings a device \"gpu\"; there are cpu" },
          { "guard:x",
            "device: \"guard:x\" is no device: it must be NAME or NAME:NUMBER" },
          { "guard:9", "device: there is no \"guard:9\", guard has 2" } };
  KetteUnit *unit;

  (void) data;
  for (size_t i = 0; i < G_N_ELEMENTS (faults); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_false (_kette_unit_get (faults[i][0], &unit, &error));
      g_assert_true (g_str_has_prefix (error->message, faults[i][1]));
    }
  g_assert_true (_kette_unit_get ("guard:1", &unit, NULL) && unit == f->other);
  g_assert_true (_kette_unit_get ("cpu", &unit, NULL) && !unit);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name)                                                                        \
  g_test_add ("/guard/" #name, Fixture, NULL, set_up, test_##name, tear_down)
  ADD (behind);
  ADD (capture);
  ADD (copies);
  ADD (dead);
  ADD (event);
  ADD (host);
  ADD (knobs);
  ADD (lazy);
  ADD (names);
  ADD (race);
  ADD (ranges);
  ADD (released);
  ADD (threads);
#undef ADD
  return g_test_run ();
}
