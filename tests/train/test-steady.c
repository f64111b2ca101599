/* SPDX-License-Identifier: Apache-2.0
 * A training step in steady state, with one thread: no call of malloc, no system call.
 */
#include "base/pool.h"
#include "networks.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static size_t n_allocations;

#ifndef SANITIZED
/* The process' own allocator under counters: the linker finds these first. */
extern void *__libc_malloc (size_t);
extern void *__libc_calloc (size_t, size_t);
extern void *__libc_realloc (void *, size_t);
extern void *__libc_memalign (size_t, size_t);
void *malloc (size_t size);
void *calloc (size_t count, size_t size);
void *realloc (void *block, size_t size);
void *aligned_alloc (size_t alignment, size_t size);
int posix_memalign (void **out, size_t alignment, size_t size);

void *
malloc (size_t size)
{
  __atomic_add_fetch (&n_allocations, 1, __ATOMIC_RELAXED);
  return __libc_malloc (size);
}

void *
calloc (size_t count, size_t size)
{
  __atomic_add_fetch (&n_allocations, 1, __ATOMIC_RELAXED);
  return __libc_calloc (count, size);
}

void *
realloc (void *block, size_t size)
{
  __atomic_add_fetch (&n_allocations, 1, __ATOMIC_RELAXED);
  return __libc_realloc (block, size);
}

void *
aligned_alloc (size_t alignment, size_t size)
{
  __atomic_add_fetch (&n_allocations, 1, __ATOMIC_RELAXED);
  return __libc_memalign (alignment, size);
}

int
posix_memalign (void **out, size_t alignment, size_t size)
{
  __atomic_add_fetch (&n_allocations, 1, __ATOMIC_RELAXED);
  *out = __libc_memalign (alignment, size);
  return *out ? 0 : ENOMEM;
}
#endif

typedef struct
{
  const char *name, *optimizer;
  gboolean convolutions;
} Kind;

/* 605 samples in batches of 10: each epoch ends with a smaller batch and is shuffled. */
static KetteTrainer *
trainer_new (const Kind *kind)
{
  const int sizes[]            = { 784, 30, 10 };
  g_autoptr (KetteGraph) graph = kind->convolutions
                                     ? network_cnn_new (8, 16, 32, TRUE)
                                     : network_new (KT_F32, sizes, 2, "Sigmoid");
  KetteTrainOptions options;
  KetteTrainer *trainer;
  KetteTensor *x, *t;

  _kette_pool_set_threads (1);
  network_samples (605, &x, &t);
  kette_train_options_init (&options);
  options.loss      = kind->convolutions ? "cross-entropy" : "half-sse";
  options.optimizer = kind->optimizer;
  options.batch     = 10;
  trainer           = network_trainer (graph, &options, x, t);
  kette_tensor_unref (x);
  kette_tensor_unref (t);
  return trainer;
}

static void
take (KetteTrainer *trainer, int n)
{
  GError *error = NULL;
  double loss;

  for (int i = 0; i < n; i++)
    if (!kette_trainer_step (trainer, &loss, NULL, &error))
      g_error ("%s", error->message);
}

/* On a device of threads, the device itself allocates, protects memory and sleeps; what launching
 * costs the host there is measured by tests/device/test-spread.c. */
static gboolean
is_hosts (void)
{
  if (!g_getenv ("KETTE_TEST_DEVICE"))
    return TRUE;
  g_test_skip ("the device makes calls of its own");
  return FALSE;
}

static void
test_allocations (gconstpointer kind)
{
  if (!is_hosts ())
    return;

  g_autoptr (KetteTrainer) trainer = trainer_new (kind);
  size_t before, after;

  take (trainer, 70); /* both sizes of batches have been there */
  before = n_allocations;
  take (trainer, 200);
  after = n_allocations;
#ifdef SANITIZED
  (void) before;
  (void) after;
  g_test_skip ("the sanitizer has its own allocator");
#else
  g_assert_cmpuint (before, >, 100); /* they are counted */
  g_assert_cmpuint (after - before, ==, 0);
#endif
}

#ifndef SANITIZED
static volatile sig_atomic_t n_calls, first_call = -1;

static void
on_call (int number, siginfo_t *info, void *context)
{
  (void) number;
  (void) context;
  if (n_calls++ == 0)
    first_call = info->si_syscall;
}

/* Every system call but the ones that end the process and a handler is counted. */
static gboolean
trap_calls (void)
{
  struct sock_filter code[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_TRAP),
  };
  const struct sock_fprog program = { G_N_ELEMENTS (code), code };
  struct sigaction action         = { .sa_sigaction = on_call, .sa_flags = SA_SIGINFO };

  sigemptyset (&action.sa_mask);
  return sigaction (SIGSYS, &action, NULL) == 0
         && prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
         && prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

#endif

static void
test_calls (gconstpointer kind)
{
#ifdef SANITIZED
  (void) kind;
  g_test_skip ("the sanitizer makes system calls of its own");
#else
  enum
  {
    NO_FILTER = 255
  };
  if (!is_hosts ())
    return;

  g_autoptr (KetteTrainer) trainer = trainer_new (kind);
  pid_t child;
  int status, calls;

  take (trainer, 70);
  child = fork ();
  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    {
      if (!trap_calls ())
        _exit (NO_FILTER);
      take (trainer, 200);
      calls = (int) n_calls;
      (void) syscall (SYS_getppid);
      if (n_calls != calls + 1)
        _exit (NO_FILTER); /* nothing is counted here */
      _exit (calls ? MIN (1 + (int) first_call, 254) : 0);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status));
  if (WEXITSTATUS (status) == NO_FILTER)
    g_test_skip ("this system has no seccomp filters");
  else if (WEXITSTATUS (status))
    g_error ("a step made system calls, the first is number %d",
             WEXITSTATUS (status) - 1);
#endif
}

#ifndef SANITIZED
static void
count_workers (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  (void) begin;
  (void) end;
  if (worker > 0)
    __atomic_add_fetch ((int *) arg, 1, __ATOMIC_RELAXED);
}
#endif

/* Work is handed over to a thread that is awake, and back, without the kernel. */
static void
test_awake (void)
{
#ifdef SANITIZED
  g_test_skip ("the sanitizer makes system calls of its own");
#else
  enum
  {
    NO_FILTER = 255,
    CALLS     = 1
  };
  const pid_t child = fork ();
  int status;

  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    {
      int helped = 0, first;
      _kette_pool_set_threads (2);
      _kette_pool_set_spin (10000000);
      while (__atomic_load_n (&helped, __ATOMIC_RELAXED) == 0)
        _kette_pool_for (1000, 1, count_workers, &helped);
      if (!trap_calls ())
        _exit (NO_FILTER);
      for (first = helped; helped < first + 100;)
        _kette_pool_for (1000, 1, count_workers, &helped);
      _exit (n_calls ? CALLS : 0);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status));
  if (WEXITSTATUS (status) == NO_FILTER)
    g_test_skip ("this system has no seccomp filters");
  else
    g_assert_cmpint (WEXITSTATUS (status), ==, 0);
#endif
}

int
main (int argc, char **argv)
{
  static const Kind kinds[] = { { "sgd", "sgd", FALSE },
                                { "adam", "adam", FALSE },
                                { "convolutions", "sgd", TRUE },
                                { "convolutions-adam", "adam", TRUE } };

  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autofree char *allocations
          = g_strdup_printf ("/train/steady/allocations/%s", kinds[i].name);
      g_autofree char *calls = g_strdup_printf ("/train/steady/calls/%s", kinds[i].name);

      g_test_add_data_func (allocations, &kinds[i], test_allocations);
      g_test_add_data_func (calls, &kinds[i], test_calls);
    }
  g_test_add_func ("/train/steady/calls/awake", test_awake);
  return g_test_run ();
}
