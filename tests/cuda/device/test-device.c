/* SPDX-License-Identifier: Apache-2.0
 *
 * test-device.c: the CUDA plugin's device on a CUDA that fails on demand: what is said where there
 * is no driver, no memory, no device any more; what is kept and given back; copies by way of
 * pinned memory; recordings.
 */
#include "fake.h"
#include <glib.h>
#include <string.h>

static void
reset (void)
{
  fake      = (Fake){ .devices = 2, .memory = (size_t) 1 << 26, .capability = 90 };
  *told     = '\0';
  told_code = KT_OK;
  cu_host   = &fake_host;
}

static CuDevice *
open_one (int i)
{
  void *device = NULL;

  g_assert_cmpint (cu_kind.open (&fake_host, NULL, NULL, i, &device), ==, KT_OK);
  g_assert_nonnull (device);
  return device;
}

static void
close_one (CuDevice *d)
{
  fake.sticky = cudaSuccess;
  cu_kind.close (d);
  g_assert_cmpint (fake.streams, ==, 0);
  g_assert_cmpint (fake.events, ==, 0);
  g_assert_cmpint (fake.blocks, ==, 0);
  g_assert_cmpint (fake.pinned, ==, 0);
  g_assert_cmpint (fake.graphs, ==, 0);
}

static void
test_probe (void)
{
  int32_t n = 5;

  reset ();
  fake.no_driver = true;
  g_assert_cmpint (cu_kind.probe (&fake_host, NULL, NULL, &n), ==, KT_E_DEVICE);
  g_assert_cmpint (n, ==, 0);
  g_assert_cmpstr (told, ==, "no driver: libcuda.so.1 cannot be opened");
  reset ();
  fake.count_error = cudaErrorInsufficientDriver;
  g_assert_cmpint (cu_kind.probe (&fake_host, NULL, NULL, &n), ==, KT_E_DEVICE);
  g_assert_cmpstr (told, ==, "no device: some error");
  reset ();
  fake.devices = 0;
  g_assert_cmpint (cu_kind.probe (&fake_host, NULL, NULL, &n), ==, KT_E_DEVICE);
  g_assert_cmpstr (told, ==, "no device: the driver knows of none");
  reset ();
  fake.devices = 99;
  g_assert_cmpint (cu_kind.probe (&fake_host, NULL, NULL, &n), ==, KT_OK);
  g_assert_cmpint (n, ==, CU_MOST);
}

static void
test_open (void)
{
  char text[100];
  void *device;

  reset ();
  fake.capability = 70;
  g_assert_cmpint (cu_kind.open (&fake_host, NULL, NULL, 0, &device), ==,
                   KT_E_UNSUPPORTED);
  g_assert_cmpstr (told, ==, "a card of sm_70; this plugin has code for sm_75 and later");
  for (int i = 1; i <= 4; i++)
    {
      reset ();
      fake.fail_at = i;
      fake.error   = cudaErrorInvalidDevice;
      device       = NULL;
      if (cu_kind.open (&fake_host, NULL, NULL, 0, &device) == KT_OK)
        close_one (device); /* the thread's device was this one before */
      else
        g_assert_cmpint (told_code, ==, KT_E_DEVICE);
      g_assert_cmpint (fake.streams, ==, 0);
    }
  reset ();
  CuDevice *a = open_one (0), *b = open_one (1);
  g_assert_true (a->peer[1] && b->peer[0]);
  g_assert_cmpint (cu_kind.describe (NULL, a, text, sizeof text), ==, KT_OK);
  g_assert_cmpstr (text, ==, "Fake 0, 1 GiB, sm_90, no libraries");
  cu_kind.close (b);
  close_one (a);
}

static void
test_memory (void)
{
  size_t left, all;
  void *a, *b;

  reset ();
  CuDevice *d = open_one (0);
  g_assert_cmpint (cu_alloc (NULL, d, 1000, &a), ==, KT_OK);
  g_assert_cmpint (cu_alloc (NULL, d, (size_t) 1 << 25, &b), ==, KT_OK);
  g_assert_cmpint (cu_memory (NULL, d, &left, &all), ==, KT_OK);
  g_assert_cmpuint (left, ==, ((size_t) 1 << 25) - 1024);
  void *c;
  g_assert_cmpint (cu_alloc (NULL, d, (size_t) 1 << 26, &c), ==, KT_E_NOMEM);
  g_assert_null (c);
  g_assert_cmpstr (told, ==,
                   "no memory for 67108864 bytes: 33553408 of 1073741824 are free");
  cu_release (d, b);
  g_assert_cmpint (cu_alloc (NULL, d, (size_t) 1 << 25, &c), ==, KT_OK);
  g_assert_true (c == b); /* without a call */
  cu_release (d, c);
  cu_release (d, a);
  /* Too large for what is free in pieces: all of it goes back first. */
  g_assert_cmpint (cu_alloc (NULL, d, (size_t) 1 << 26, &c), ==, KT_OK);
  g_assert_cmpint (fake.blocks, ==, 1);
  cu_release (d, c);
  close_one (d);
}

static void
test_copies (void)
{
  static char large[4 << 20], back[4 << 20];
  char small[100] = "some bytes";
  kt_stream *s;
  void *memory, *pinned;

  reset ();
  CuDevice *d = open_one (0);
  g_assert_cmpint (cu_alloc (NULL, d, sizeof large, &memory), ==, KT_OK);
  g_assert_cmpint (cu_alloc_pinned (NULL, d, 1000, &pinned), ==, KT_OK);
  g_assert_true (cu_is_pinned (d, pinned, 1000));
  g_assert_true (cu_is_pinned (d, (char *) pinned + 999, 1));
  g_assert_false (cu_is_pinned (d, (char *) pinned + 999, 2));
  g_assert_false (cu_is_pinned (d, small, 1));
  g_assert_cmpint (cu_stream_new (NULL, d, &s), ==, KT_OK);

  /* Pageable memory goes through a stage; the host may change it at once. */
  g_assert_cmpint (cu_copy (NULL, s, KT_COPY_IN, memory, small, sizeof small, NULL, "x"),
                   ==, KT_OK);
  g_assert_nonnull (s->stages);
  memset (small, 0, sizeof small);
  g_assert_cmpint (cu_copy (NULL, s, KT_COPY_OUT, small, memory, sizeof small, NULL, "y"),
                   ==, KT_OK);
  g_assert_cmpint (fake.host_functions, ==, 1);
  g_assert_cmpstr (small, ==, "some bytes");
  g_assert_cmpuint (s->n_stages, ==, 1);
  g_assert_cmpint (cu_synchronize (NULL, s), ==, KT_OK);
  g_assert_null (s->stages);
  g_assert_nonnull (d->idle_stages);

  /* Pinned memory and what is too large goes directly. */
  strcpy (pinned, "pinned");
  g_assert_cmpint (cu_copy (NULL, s, KT_COPY_IN, memory, pinned, 7, NULL, NULL), ==,
                   KT_OK);
  for (size_t i = 0; i < sizeof large; i++)
    large[i] = (char) (i * 7);
  g_assert_cmpint (cu_copy (NULL, s, KT_COPY_IN, memory, large, sizeof large, NULL, NULL),
                   ==, KT_OK);
  g_assert_cmpint (cu_copy (NULL, s, KT_COPY_OUT, back, memory, sizeof back, NULL, NULL),
                   ==, KT_OK);
  g_assert_null (s->stages);
  g_assert_cmpmem (large, sizeof large, back, sizeof back);

  /* Not more than so many stages between two waits. */
  for (int i = 0; i < 40; i++)
    g_assert_cmpint (cu_copy (NULL, s, KT_COPY_IN, memory, large, 1 << 20, NULL, NULL),
                     ==, KT_OK);
  g_assert_cmpuint (s->n_stages, ==, 16);
  g_assert_cmpint (cu_copy (NULL, s, KT_COPY_PEER, memory, large, 9, NULL, NULL), ==,
                   KT_E_INTERNAL);
  g_assert_cmpint (cu_copy (NULL, s, 77, memory, large, 9, NULL, NULL), ==,
                   KT_E_INTERNAL);
  cu_stream_free (s);
  cu_release_pinned (d, pinned);
  cu_release (d, memory);
  close_one (d);
}

/* Nothing that is on its way is overwritten, also where waiting for it has failed. */
static void
test_in_flight (void)
{
  char first[100] = "first", second[100] = "second", out[2][100];
  kt_stream *s, *t;
  void *memory;

  reset ();
  fake.lazy   = true;
  CuDevice *d = open_one (0);
  g_assert_cmpint (cu_alloc (NULL, d, 1000, &memory), ==, KT_OK);
  g_assert_cmpint (cu_stream_new (NULL, d, &s), ==, KT_OK);
  g_assert_cmpint (cu_stream_new (NULL, d, &t), ==, KT_OK);
  g_assert_cmpint (cu_copy (NULL, s, KT_COPY_IN, memory, first, 100, NULL, NULL), ==,
                   KT_OK);
  g_assert_cmpint (cu_copy (NULL, s, KT_COPY_OUT, out[0], memory, 100, NULL, NULL), ==,
                   KT_OK);
  fake.fail_at = 1;
  fake.error   = cudaErrorNotPermitted;
  g_assert_cmpint (cu_synchronize (NULL, s), ==, KT_E_DEVICE);
  g_assert_nonnull (s->stages);
  g_assert_null (d->idle_stages);
  g_assert_cmpint (cu_copy (NULL, t, KT_COPY_IN, memory, second, 100, NULL, NULL), ==,
                   KT_OK);
  g_assert_cmpint (cu_copy (NULL, t, KT_COPY_OUT, out[1], memory, 100, NULL, NULL), ==,
                   KT_OK);
  memset (first, 0, sizeof first);
  memset (second, 0, sizeof second);
  cu_stream_free (s); /* waits itself */
  g_assert_nonnull (d->idle_stages);
  g_assert_cmpint (cu_synchronize (NULL, t), ==, KT_OK);
  g_assert_cmpstr (out[0], ==, "first");
  g_assert_cmpstr (out[1], ==, "second");
  cu_stream_free (t);
  cu_release (d, memory);
  close_one (d);
}

/* Two devices: events that are recorded on either, memory that is pinned for both. */
static void
test_two (void)
{
  kt_stream *s, *t;
  kt_event *e, *f;
  void *memory, *pinned;

  reset ();
  CuDevice *a = open_one (0), *b = open_one (1);
  g_assert_cmpint (cu_stream_new (NULL, a, &s), ==, KT_OK);
  g_assert_cmpint (cu_stream_new (NULL, b, &t), ==, KT_OK);
  g_assert_cmpint (cu_event_new (NULL, a, &e), ==, KT_OK);
  fake.fail_at = 1; /* of what was never recorded nobody waits */
  g_assert_cmpint (cu_wait (NULL, s, e), ==, KT_OK);
  g_assert_cmpint (cu_wait_host (NULL, e), ==, KT_OK);
  fake.fail_at = 0;
  g_assert_cmpint (cu_record (NULL, t, e), ==, KT_OK);
  g_assert_cmpint (cu_wait (NULL, s, e), ==, KT_OK);
  g_assert_cmpint (cu_record (NULL, s, e), ==, KT_OK);
  g_assert_cmpint (cu_wait (NULL, t, e), ==, KT_OK);
  g_assert_cmpint (cu_wait_host (NULL, e), ==, KT_OK);
  g_assert_cmpint (fake.events, ==, 2);
  cu_event_free (e);
  g_assert_cmpint (cu_event_new (NULL, a, &f), ==, KT_OK);
  g_assert_true (e == f && f->recorded < 0);
  cu_event_free (f);

  g_assert_cmpint (cu_alloc (NULL, b, 8, &memory), ==, KT_OK);
  g_assert_cmpint (cu_alloc_pinned (NULL, a, 8, &pinned), ==, KT_OK);
  memset (pinned, 0, 8);
  g_assert_cmpint (cu_copy (NULL, t, KT_COPY_IN, memory, pinned, 8, NULL, NULL), ==,
                   KT_OK);
  g_assert_null (t->stages);
  cu_release (b, memory);
  cu_release_pinned (a, pinned);
  cu_stream_free (s);
  cu_stream_free (t);
  cu_kind.close (b);
  close_one (a);
}

/* A card that others have to themselves today is not lost. */
static void
test_unavailable (void)
{
  void *device;

  reset ();
  close_one (open_one (1)); /* so that this thread has another device */
  fake.fail_at = 1;
  fake.error   = cudaErrorDevicesUnavailable;
  g_assert_cmpint (cu_kind.open (&fake_host, NULL, NULL, 0, &device), ==, KT_E_DEVICE);
  g_assert_cmpstr (told, ==, "cannot be opened: some error");
  close_one (open_one (0));
}

static void
test_reuse (void)
{
  kt_stream *s, *t;
  kt_event *e, *f;

  reset ();
  CuDevice *d = open_one (0);
  g_assert_cmpint (cu_stream_new (NULL, d, &s), ==, KT_OK);
  g_assert_cmpint (cu_event_new (NULL, d, &e), ==, KT_OK);
  g_assert_cmpint (cu_record (NULL, s, e), ==, KT_OK);
  g_assert_cmpint (cu_wait (NULL, s, e), ==, KT_OK);
  g_assert_cmpint (cu_wait_host (NULL, e), ==, KT_OK);
  cu_stream_free (s);
  cu_event_free (e);
  g_assert_cmpint (cu_stream_new (NULL, d, &t), ==, KT_OK);
  g_assert_cmpint (cu_event_new (NULL, d, &f), ==, KT_OK);
  g_assert_true (s == t && e == f);
  /* One that is being recorded is of no use to the next. */
  fake.capturing = true;
  cu_stream_free (t);
  fake.capturing = false;
  g_assert_null (d->idle_streams);
  cu_event_free (f);
  close_one (d);
}

static void
test_recording (void)
{
  char bytes[8]   = "1234567";
  kt_recording *r = NULL;
  kt_stream *s;
  void *memory, *pinned, *more;

  reset ();
  CuDevice *d = open_one (0);
  g_assert_cmpint (cu_stream_new (NULL, d, &s), ==, KT_OK);
  g_assert_cmpint (cu_alloc (NULL, d, 8, &memory), ==, KT_OK);
  g_assert_cmpint (cu_alloc_pinned (NULL, d, 8, &pinned), ==, KT_OK);
  g_assert_cmpint (cu_capture_begin (NULL, s), ==, KT_OK);
  g_assert_cmpint (cu_copy (NULL, s, KT_COPY_IN, memory, bytes, 8, NULL, "x"), ==,
                   KT_E_DEVICE);
  g_assert_cmpstr (told, ==, "x: pageable memory is copied inside a recording");
  g_assert_cmpint (cu_alloc_pinned (NULL, d, 8, &more), ==, KT_E_DEVICE);
  g_assert_cmpint (cu_synchronize (NULL, s), ==, KT_E_DEVICE);
  g_assert_cmpint (d->lost, ==, 0);
  g_assert_cmpint (cu_copy (NULL, s, KT_COPY_IN, memory, pinned, 8, NULL, "x"), ==,
                   KT_OK);
  g_assert_cmpint (cu_capture_end (NULL, s, &r), ==, KT_OK);
  g_assert_cmpint (fake.graphs, ==, 1);
  g_assert_cmpint (cu_replay (NULL, s, r), ==, KT_OK);
  g_assert_cmpint (fake.launches, ==, 1);
  cu_recording_free (r);
  cu_recording_free (NULL);
  /* Broken off, or refused when it is made: nothing is left. */
  for (int i = 1; i <= 2; i++)
    {
      g_assert_cmpint (cu_capture_begin (NULL, s), ==, KT_OK);
      fake.fail_at = i;
      fake.error   = cudaErrorStreamCaptureInvalidated;
      g_assert_cmpint (cu_capture_end (NULL, s, &r), ==, KT_E_DEVICE);
      g_assert_null (r);
      g_assert_cmpint (fake.graphs, ==, 0);
    }
  cu_release_pinned (d, pinned);
  cu_release (d, memory);
  cu_stream_free (s);
  close_one (d);
}

/* After an illegal access nothing works any more, and everything says so. */
static void
test_lost (void)
{
  static const char text[]
      = "the device is lost (an illegal memory access was encountered); "
        "only a new process can use it again";
  kt_stream *s, *t;
  kt_event *e;
  void *memory, *more;
  char bytes[8];

  reset ();
  CuDevice *d = open_one (0);
  g_assert_cmpint (cu_stream_new (NULL, d, &s), ==, KT_OK);
  g_assert_cmpint (cu_alloc (NULL, d, 8, &memory), ==, KT_OK);
  g_assert_cmpint (cu_event_new (NULL, d, &e), ==, KT_OK);
  fake.fail_at = 1;
  fake.error   = cudaErrorIllegalAddress;
  g_assert_cmpint (cu_synchronize (NULL, s), ==, KT_E_DEVICE);
  g_assert_cmpstr (told, ==, text);
#define LOST(CALL)                                                                       \
  *told = '\0';                                                                          \
  g_assert_cmpint (CALL, ==, KT_E_DEVICE);                                               \
  g_assert_cmpstr (told, ==, text);
  LOST (cu_alloc (NULL, d, 1 << 22, &more))
  LOST (cu_alloc_pinned (NULL, d, 8, &more))
  LOST (cu_stream_new (NULL, d, &t))
  LOST (cu_record (NULL, s, e))
  LOST (cu_wait (NULL, s, e))
  LOST (cu_wait_host (NULL, e))
  LOST (cu_copy (NULL, s, KT_COPY_OUT, bytes, memory, 8, NULL, NULL))
  LOST (cu_capture_begin (NULL, s))
  LOST (cu_synchronize (NULL, s))
  cu_event_free (e);
  cu_stream_free (s);
  cu_release (d, memory);
  close_one (d);

  /* It is lost while memory is asked for: that is no lack of memory. */
  reset ();
  d            = open_one (0);
  fake.fail_at = 1;
  fake.error   = cudaErrorIllegalAddress;
  LOST (cu_alloc (NULL, d, 1 << 22, &memory))
  close_one (d);
}

/* Every n-th call fails: an error is told, nothing is left behind, and it works again. */
static void
test_every_call (void)
{
  char bytes[100] = { 0 };

  for (int n = 1; n < 12; n++)
    {
      void *memory = NULL, *pinned = NULL;
      kt_stream *s = NULL;
      kt_event *e  = NULL;
      kt_status status;
      reset ();
      CuDevice *d  = open_one (0);
      fake.fail_at = n;
      fake.error   = cudaErrorMemoryAllocation;
      status       = cu_stream_new (NULL, d, &s);
      if (status == KT_OK)
        status = cu_event_new (NULL, d, &e);
      if (status == KT_OK)
        status = cu_alloc (NULL, d, 100, &memory);
      if (status == KT_OK)
        status = cu_alloc_pinned (NULL, d, 100, &pinned);
      if (status == KT_OK)
        status = cu_copy (NULL, s, KT_COPY_IN, memory, bytes, 100, NULL, NULL);
      if (status == KT_OK)
        status = cu_copy (NULL, s, KT_COPY_OUT, bytes, memory, 100, NULL, NULL);
      if (status == KT_OK)
        status = cu_record (NULL, s, e);
      if (status == KT_OK)
        status = cu_synchronize (NULL, s);
      g_assert_true (status == KT_OK || (status == KT_E_NOMEM && *told));
      g_assert_cmpint (d->lost, ==, 0);
      fake.fail_at = 0;
      if (!s)
        g_assert_cmpint (cu_stream_new (NULL, d, &s), ==, KT_OK);
      g_assert_cmpint (cu_synchronize (NULL, s), ==, KT_OK);
      cu_stream_free (s);
      if (e)
        cu_event_free (e);
      if (memory)
        cu_release (d, memory);
      if (pinned)
        cu_release_pinned (d, pinned);
      close_one (d);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cuda/device/probe", test_probe);
  g_test_add_func ("/cuda/device/open", test_open);
  g_test_add_func ("/cuda/device/memory", test_memory);
  g_test_add_func ("/cuda/device/copies", test_copies);
  g_test_add_func ("/cuda/device/in-flight", test_in_flight);
  g_test_add_func ("/cuda/device/two", test_two);
  g_test_add_func ("/cuda/device/unavailable", test_unavailable);
  g_test_add_func ("/cuda/device/reuse", test_reuse);
  g_test_add_func ("/cuda/device/recording", test_recording);
  g_test_add_func ("/cuda/device/lost", test_lost);
  g_test_add_func ("/cuda/device/every-call", test_every_call);
  return g_test_run ();
}
